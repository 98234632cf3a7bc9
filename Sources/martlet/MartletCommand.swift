import ArgumentParser
import MartletApp

/// The `martlet` binary: one command for each way to use it.
@main
struct MartletCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "An inference gateway: sends each generative-AI request to the model server that serves it best.",
        version: BuildInformation.version,
        subcommands: [
            ServeCommand.self, EppCommand.self, BbrCommand.self, SimCommand.self, CheckCommand.self,
            ExplainCommand.self, PluginsCommand.self,
        ]
    )
}
