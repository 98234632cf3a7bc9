import ArgumentParser
import MartletApp

/// `martlet metrics`.
struct MetricsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics",
        abstract: "Lists the metrics that the program writes."
    )

    @Flag(help: "Print everything about them as Markdown, as in docs/metrics.md.")
    var markdown = false

    func run() {
        let reference = MetricReference()
        StandardStream.output.write(markdown ? reference.markdown : reference.list)
    }
}
