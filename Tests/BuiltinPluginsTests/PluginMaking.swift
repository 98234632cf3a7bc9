import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

/// Makes a built-in plugin the way the pipeline builder does.
func make<Type: Plugin>(
    _ type: Type.Type,
    _ parameters: ConfigurationValue? = nil,
    name: String? = nil,
    context: inout PluginContext
) throws -> Type {
    let plugin = try BuiltinCatalogue.registry().make(
        type: type.descriptor.type,
        name: name ?? type.descriptor.type,
        parameters: ParameterDecoder(value: parameters, path: "parameters"),
        context: &context
    )
    return try #require(plugin as? Type)
}

/// Makes a built-in plugin that shares no data with others.
func make<Type: Plugin>(_ type: Type.Type, _ parameters: ConfigurationValue? = nil) throws -> Type {
    var context = PluginContext(clock: SystemMonotonicClock())
    return try make(type, parameters, context: &context)
}

/// What `scorer` gives each candidate.
func scores(
    _ scorer: any Scorer,
    _ candidates: Candidates,
    context: SchedulingContext = .sample()
) -> [Double] {
    var scores = [Double](repeating: 0, count: candidates.count)
    var span = scores.mutableSpan
    scorer.score(candidates, context: context, into: &span)
    return scores
}

/// The text of the error that making a plugin gives; `nil` when it gives none.
func failure<Type: Plugin>(_ type: Type.Type, _ parameters: ConfigurationValue) -> String? {
    do {
        _ = try make(type, parameters)
        return nil
    } catch {
        return "\(error)"
    }
}

extension InferenceRequest {
    /// A request of which only the header and the length of the prompt matter.
    static func with(headers: [(String, String)] = [], inputTokens: Int = 0) -> InferenceRequest {
        InferenceRequest(
            id: "request-1",
            model: "model",
            headers: HeaderMap(headers.map { HeaderMap.Field(name: $0.0, value: $0.1) }),
            inputTokens: inputTokens
        )
    }
}
