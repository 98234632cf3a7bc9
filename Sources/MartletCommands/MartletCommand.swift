import ArgumentParser
import MartletApp

/// The command line: one command for each way to use the gateway.
struct MartletCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "An inference gateway: sends each generative-AI request to the model server that serves it best.",
        version: BuildInformation.version,
        subcommands: [
            ServeCommand.self, EppCommand.self, BbrCommand.self, SimCommand.self, CheckCommand.self,
            ExplainCommand.self, TopCommand.self, BenchCommand.self, PluginsCommand.self, MetricsCommand.self,
            CrdsCommand.self,
        ]
    )
}
