import ArgumentParser
import MartletApp
import ModelServerSimulator

/// `martlet sim`. Every option sets one of ``SimulatorOption``, which also holds its help.
struct SimCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sim",
        abstract: "A simulated model server: continuous batching, paged KV cache with prefix caching, LoRA, failures."
    )

    @OptionGroup(title: "Server") var server: ServerOptions
    @OptionGroup(title: "Engine") var engine: EngineOptions

    struct ServerOptions: ParsableArguments {
        @Option(help: SimulatorOption.listen.argumentHelp) var listen: [String] = []
        @Option(help: SimulatorOption.engine.argumentHelp) var engine: String?
        @Option(help: SimulatorOption.model.argumentHelp) var model: [String] = []
        @Option(help: SimulatorOption.loraAdapters.argumentHelp) var loraAdapters: String?
        @Option(help: SimulatorOption.promptTokensDetails.argumentHelp) var promptTokensDetails: String?
        @Option(help: SimulatorOption.maxBodyBytes.argumentHelp) var maxBodyBytes: String?
        @Option(help: SimulatorOption.faults.argumentHelp) var faults: String?
        @Option(help: SimulatorOption.seed.argumentHelp) var seed: String?
        @Option(help: SimulatorOption.timeScale.argumentHelp) var timeScale: String?
        @Option(help: "Collector that gets a span of each generation, as vLLM makes it; without it nobody does.")
        var otlpTracesEndpoint: String?
        @Option(help: "Log level: trace, debug, info, notice, warning, error or critical.") var logLevel = "info"

        var values: [(SimulatorOption, [String])] {
            [
                (.listen, listen), (.engine, list(engine)), (.model, model), (.loraAdapters, list(loraAdapters)),
                (.promptTokensDetails, list(promptTokensDetails)), (.maxBodyBytes, list(maxBodyBytes)),
                (.faults, list(faults)), (.seed, list(seed)), (.timeScale, list(timeScale)),
            ]
        }
    }

    struct EngineOptions: ParsableArguments {
        @Option(help: SimulatorOption.maxRunningSequences.argumentHelp) var maxRunningSequences: String?
        @Option(help: SimulatorOption.maxQueuedRequests.argumentHelp) var maxQueuedRequests: String?
        @Option(help: SimulatorOption.maxBatchedTokens.argumentHelp) var maxBatchedTokens: String?
        @Option(help: SimulatorOption.maxModelLengthTokens.argumentHelp) var maxModelLengthTokens: String?
        @Option(help: SimulatorOption.prefillTokensPerSecond.argumentHelp) var prefillTokensPerSecond: String?
        @Option(help: SimulatorOption.interTokenLatencyMilliseconds.argumentHelp)
        var interTokenLatencyMilliseconds: String?
        @Option(help: SimulatorOption.interTokenLatencyPerSequenceMicroseconds.argumentHelp)
        var interTokenLatencyPerSequenceMicroseconds: String?
        @Option(help: SimulatorOption.timeToFirstTokenOverheadMilliseconds.argumentHelp)
        var timeToFirstTokenOverheadMilliseconds: String?
        @Option(help: SimulatorOption.blockSizeTokens.argumentHelp) var blockSizeTokens: String?
        @Option(help: SimulatorOption.kvBlocks.argumentHelp) var kvBlocks: String?
        @Option(help: SimulatorOption.prefixCaching.argumentHelp) var prefixCaching: String?
        @Option(name: .customLong("max-loras"), help: SimulatorOption.maxLoRAs.argumentHelp) var maxLoRAs: String?
        @Option(help: SimulatorOption.loraLoadMilliseconds.argumentHelp) var loraLoadMilliseconds: String?
        @Option(help: SimulatorOption.maxNaturalOutputTokens.argumentHelp) var maxNaturalOutputTokens: String?

        var values: [(SimulatorOption, [String])] {
            [
                (.maxRunningSequences, list(maxRunningSequences)), (.maxQueuedRequests, list(maxQueuedRequests)),
                (.maxBatchedTokens, list(maxBatchedTokens)), (.maxModelLengthTokens, list(maxModelLengthTokens)),
                (.prefillTokensPerSecond, list(prefillTokensPerSecond)),
                (.interTokenLatencyMilliseconds, list(interTokenLatencyMilliseconds)),
                (.interTokenLatencyPerSequenceMicroseconds, list(interTokenLatencyPerSequenceMicroseconds)),
                (.timeToFirstTokenOverheadMilliseconds, list(timeToFirstTokenOverheadMilliseconds)),
                (.blockSizeTokens, list(blockSizeTokens)), (.kvBlocks, list(kvBlocks)),
                (.prefixCaching, list(prefixCaching)), (.maxLoRAs, list(maxLoRAs)),
                (.loraLoadMilliseconds, list(loraLoadMilliseconds)),
                (.maxNaturalOutputTokens, list(maxNaturalOutputTokens)),
            ]
        }
    }

    func validate() throws {
        do {
            try simulatorConfiguration().validate()
        } catch {
            throw ValidationError(error.description)
        }
    }

    func run() async throws {
        try await SimulatorCommand.run(
            try simulatorConfiguration(),
            otlpTracesEndpoint: server.otlpTracesEndpoint,
            logLevel: server.logLevel
        )
    }

    private func simulatorConfiguration() throws(SimulatorConfigurationError) -> SimulatorConfiguration {
        var configuration = SimulatorConfiguration()
        for (option, values) in server.values + engine.values where !values.isEmpty {
            try configuration.set(option, to: values)
        }
        return configuration
    }
}

extension SimulatorOption {
    fileprivate var argumentHelp: ArgumentHelp { ArgumentHelp(stringLiteral: help) }
}

private func list(_ value: String?) -> [String] {
    value.map { [$0] } ?? []
}
