import ArgumentParser
import GatewayCore
import MartletApp

/// `martlet check`.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Checks a configuration and prints its endpoint pickers with everything filled in.",
        discussion: """
            PATH is an EndpointPickerConfig as martlet epp --config-file takes it, a file or folder of resources as \
            martlet serve --config takes it, or - for standard input. Nothing is started and no address is bound.

            The canonical form goes to standard output, and its own check prints it again. Settings without effect go \
            to standard error, one line each, with exit code 0; mistakes go there too, all of them, with exit code 1.
            """
    )

    @Argument(help: "The file or folder to check; - for standard input.")
    var path: String

    @Flag(help: "Allow plugins whose behaviour may still change.")
    var allowExperimentalPlugins = false

    func run() throws {
        do {
            let check = ConfigurationCheck(
                plugins: PluginTypes.present,
                allowsExperimental: allowExperimentalPlugins
            )
            let report = try check.run(path: path)
            for warning in report.warnings { StandardStream.error.write("warning: \(warning)\n") }
            StandardStream.output.write(report.canonical)
        } catch {
            StandardStream.error.write("\(error)\n")
            throw ExitCode.failure
        }
    }
}
