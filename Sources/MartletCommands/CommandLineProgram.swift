import ArgumentParser
import BuiltinPlugins
public import GatewayCore

/// The whole command line of Martlet, for a binary of one's own: its commands with further plugin types.
///
/// ```swift
/// await CommandLineProgram.main { $0.register(MyScorer.self) }
/// ```
public enum CommandLineProgram {
    /// Does what the process's arguments ask for, then ends the process when something was wrong.
    ///
    /// - Parameter plugins: adds to the built-in plugin types; every command knows them. A name that a built-in type
    ///   has is a fault of the program.
    public static func main(plugins: (inout PluginRegistry) -> Void = { _ in }) async {
        var registry = BuiltinCatalogue.registry()
        plugins(&registry)
        await PluginTypes.$present.withValue(registry) { await MartletCommand.main() }
    }
}

/// The plugin types of the program. The argument parser makes the commands itself, so they find the types here.
enum PluginTypes {
    @TaskLocal static var present = BuiltinCatalogue.registry()
}
