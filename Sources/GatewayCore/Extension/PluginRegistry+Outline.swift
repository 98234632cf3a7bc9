extension PluginRegistry {
    /// What a plugin type asks for while it is made.
    package struct Outline: Sendable {
        /// The parameters that it reads.
        package let parameters: ParameterSchema
        /// The data that it writes, under the type's own name.
        package let produced: [PluginContext.Declaration]
        /// The data that it reads.
        package let consumed: [PluginContext.Declaration]
    }

    /// What the type called `name` asks for; `nil` when there is no such type.
    ///
    /// The type is made twice, and what becomes of it does not matter: once without parameters, which tells the
    /// defaults, and once with one of everything that may be left out, which tells the keys of objects and lists. A
    /// type that cannot do without a parameter says so, and shows what it asked for until then.
    package func outline(of name: String) -> Outline? {
        guard let entry = self[name] else { return nil }
        let recorder = ParameterRecorder()
        var context = PluginContext(clock: SystemMonotonicClock())
        context.pluginName = name
        _ = try? entry.make(ParameterDecoder(recorder: recorder), &context)
        recorder.offersNested = true
        var second = PluginContext(clock: context.clock)
        second.pluginName = name
        _ = try? entry.make(ParameterDecoder(recorder: recorder), &second)
        return Outline(parameters: recorder.schema, produced: context.produced, consumed: context.consumed)
    }
}
