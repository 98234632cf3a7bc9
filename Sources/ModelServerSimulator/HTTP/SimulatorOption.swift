/// The options of a simulated server as a command line names them. `--` and the raw value make the option.
///
/// The list is the only one: a command line derives its options from it, and a short form such as `prefill=…` in
/// another place reads its values with ``SimulatorConfiguration/set(_:to:)`` too.
package enum SimulatorOption: String, Sendable, CaseIterable {
    case listen
    case engine
    case model
    case loraAdapters = "lora-adapters"
    case maxRunningSequences = "max-running-sequences"
    case maxQueuedRequests = "max-queued-requests"
    case maxBatchedTokens = "max-batched-tokens"
    case maxModelLengthTokens = "max-model-length-tokens"
    case prefillTokensPerSecond = "prefill-tokens-per-second"
    case interTokenLatencyMilliseconds = "inter-token-latency-milliseconds"
    case interTokenLatencyPerSequenceMicroseconds = "inter-token-latency-per-sequence-microseconds"
    case timeToFirstTokenOverheadMilliseconds = "time-to-first-token-overhead-milliseconds"
    case blockSizeTokens = "block-size-tokens"
    case kvBlocks = "kv-blocks"
    case prefixCaching = "prefix-caching"
    case maxLoRAs = "max-loras"
    case loraLoadMilliseconds = "lora-load-milliseconds"
    case maxNaturalOutputTokens = "max-natural-output-tokens"
    case seed
    case timeScale = "time-scale"
    case promptTokensDetails = "prompt-tokens-details"
    case maxBodyBytes = "max-body-bytes"
    case faults

    /// One line of help.
    package var help: String {
        switch self {
        case .listen: "Address to listen on, host:port; repeatable, and port 0 takes a free port."
        case .engine: "Engine to resemble: vllm, sglang, triton or llamacpp."
        case .model: "Name of the served model; repeatable, the further ones are aliases."
        case .loraAdapters: "Names of LoRA adapters, with commas between them."
        case .maxRunningSequences: "Sequences computed together."
        case .maxQueuedRequests: "Requests held, running and waiting, before the next is answered with 503."
        case .maxBatchedTokens: "Tokens of all sequences computed in one step."
        case .maxModelLengthTokens: "Tokens of the longest sequence, prompt and output together."
        case .prefillTokensPerSecond: "Prompt tokens computed in a second; \"inf\" computes any prompt in no time."
        case .interTokenLatencyMilliseconds: "Time between two tokens of a single sequence."
        case .interTokenLatencyPerSequenceMicroseconds: "Time each further sequence adds to that."
        case .timeToFirstTokenOverheadMilliseconds: "Time between arrival and the queue."
        case .blockSizeTokens: "Tokens in a block of the KV cache."
        case .kvBlocks: "Blocks of the KV cache, with the null block."
        case .prefixCaching: "Whether prompts find the blocks of earlier ones: true or false."
        case .maxLoRAs: "Adapters resident at once."
        case .loraLoadMilliseconds: "Time to load an adapter."
        case .maxNaturalOutputTokens: "Longest output of a request that gives no limit."
        case .seed: "Seed of texts, lengths and faults."
        case .timeScale: "Virtual seconds per second; 10 is ten times as fast."
        case .promptTokensDetails: "Whether usage tells the cached tokens: true or false."
        case .maxBodyBytes: "Longest request body in bytes."
        case .faults: "What to do wrong from the start, as the JSON of POST /simulator/faults."
        }
    }

    /// Whether the option may be given more than once. The first use replaces the default.
    package var isRepeatable: Bool {
        self == .listen || self == .model
    }
}

extension SimulatorConfiguration {
    /// Gives one option its values.
    ///
    /// - Parameter values: one text, or several for a repeatable option.
    /// - Throws: ``SimulatorConfigurationError`` when a text is not what the option wants. Ranges are the business of
    ///   ``validate()``.
    package mutating func set(_ option: SimulatorOption, to values: [String]) throws(SimulatorConfigurationError) {
        guard let value = values.first, values.count == 1 || option.isRepeatable else {
            throw SimulatorConfigurationError(
                description: "--\(option.rawValue) wants one value, not \(values.count)"
            )
        }
        switch option {
        case .listen:
            listen = try values.map { text throws(SimulatorConfigurationError) in
                try option.read(text, as: "an address like 127.0.0.1:8000") { ListenAddress(text) }
            }
        case .engine:
            let kinds = EngineKind.allCases.map(\.rawValue).joined(separator: ", ")
            engine = try option.read(value, as: "one of \(kinds)") { EngineKind(rawValue: value) }
        case .model: models = values
        case .loraAdapters: loraAdapters = value.split(separator: ",").map(String.init)
        case .timeScale: timeScale = try option.number(value)
        case .promptTokensDetails: promptTokensDetails = try option.boolean(value)
        case .maxBodyBytes: maxBodyBytes = try option.integer(value)
        case .faults: faults = try FaultPlan(json: Array(value.utf8))
        default: try parameters.set(option, to: value)
        }
    }
}

extension EngineParameters {
    fileprivate mutating func set(_ option: SimulatorOption, to value: String) throws(SimulatorConfigurationError) {
        switch option {
        case .maxRunningSequences: maxRunningSequences = try option.integer(value)
        case .maxQueuedRequests: maxQueuedRequests = try option.integer(value)
        case .maxBatchedTokens: maxBatchedTokens = try option.integer(value)
        case .maxModelLengthTokens: maxModelLength = try option.integer(value)
        case .prefillTokensPerSecond: prefillTokensPerSecond = try option.number(value)
        case .interTokenLatencyMilliseconds: interTokenLatency = try option.milliseconds(value)
        case .interTokenLatencyPerSequenceMicroseconds:
            interTokenLatencyPerSequence = try option.milliseconds(value) / 1_000
        case .timeToFirstTokenOverheadMilliseconds: timeToFirstTokenOverhead = try option.milliseconds(value)
        case .blockSizeTokens: blockSizeTokens = try option.integer(value)
        case .kvBlocks: blockCount = try option.integer(value)
        case .prefixCaching: prefixCaching = try option.boolean(value)
        case .maxLoRAs: maxLoRAs = try option.integer(value)
        case .loraLoadMilliseconds: adapterLoadTime = try option.milliseconds(value)
        case .maxNaturalOutputTokens: maxNaturalOutputTokens = try option.integer(value)
        case .seed: seed = try option.read(value, as: "a whole number of 64 bits") { UInt64(value) }
        case .listen, .engine, .model, .loraAdapters, .timeScale, .promptTokensDetails, .maxBodyBytes, .faults:
            preconditionFailure("--\(option.rawValue) is not an option of the engine")
        }
    }
}

extension SimulatorOption {
    fileprivate func read<Value>(
        _ text: String,
        as wanted: String,
        _ parse: () -> Value?
    ) throws(SimulatorConfigurationError) -> Value {
        guard let value = parse() else {
            throw SimulatorConfigurationError(description: "--\(rawValue) is \"\(text)\"; it must be \(wanted)")
        }
        return value
    }

    fileprivate func integer(_ text: String) throws(SimulatorConfigurationError) -> Int {
        try read(text, as: "a whole number") { Int(text) }
    }

    fileprivate func number(_ text: String) throws(SimulatorConfigurationError) -> Double {
        try read(text, as: "a number") { Double(text).flatMap { $0.isNaN ? nil : $0 } }
    }

    fileprivate func boolean(_ text: String) throws(SimulatorConfigurationError) -> Bool {
        try read(text, as: "true or false") { Bool(text) }
    }

    fileprivate func milliseconds(_ text: String) throws(SimulatorConfigurationError) -> Duration {
        // A year bounds the value so that no sum of durations can overflow.
        try read(text, as: "a number from 0 to 31,536,000,000") {
            Double(text).flatMap { (0...31_536_000_000).contains($0) ? .nanoseconds(Int64($0 * 1e6)) : nil }
        }
    }
}
