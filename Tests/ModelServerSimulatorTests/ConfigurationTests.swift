import ModelServerSimulator
import Testing

@Suite("Simulated server: configuration")
struct ConfigurationTests {
    /// A value for every option that differs from its default, and a text it cannot read.
    private static func example(_ option: SimulatorOption) -> (good: [String], bad: String?) {
        switch option {
        case .listen: (["0.0.0.0:1", "[::1]:2"], "::1:3")
        case .engine: (["sglang"], "vLLM")
        case .model: (["m", "alias"], nil)
        case .loraAdapters: (["a,b"], nil)
        case .prefixCaching, .promptTokensDetails: (["false"], "no")
        case .seed: (["18446744073709551615"], "-1")
        case .faults: ([#"{"hang":true}"#], "{")
        case .prefillTokensPerSecond: (["inf"], "nan")
        case .timeScale: (["2.5"], "fast")
        case .interTokenLatencyMilliseconds, .interTokenLatencyPerSequenceMicroseconds,
            .timeToFirstTokenOverheadMilliseconds, .loraLoadMilliseconds:
            (["1.5"], "-1")
        case .maxRunningSequences, .maxQueuedRequests, .maxBatchedTokens, .maxModelLengthTokens, .blockSizeTokens,
            .kvBlocks, .maxLoRAs, .maxNaturalOutputTokens, .maxBodyBytes:
            (["33"], "3.5")
        }
    }

    @Test("Every option sets something of its own and names itself when it cannot", arguments: SimulatorOption.allCases)
    func options(_ option: SimulatorOption) throws {
        let (good, bad) = Self.example(option)
        var configuration = SimulatorConfiguration()
        try configuration.set(option, to: good)
        #expect(configuration != SimulatorConfiguration())
        for other in SimulatorOption.allCases where other != option {
            var elsewhere = SimulatorConfiguration()
            try elsewhere.set(other, to: Self.example(other).good)
            #expect(elsewhere != configuration, "--\(option.rawValue) and --\(other.rawValue) set the same")
        }
        #expect(!option.help.isEmpty && option.help.hasSuffix("."))
        if let bad {
            let error = #expect(throws: SimulatorConfigurationError.self) {
                try configuration.set(option, to: [bad])
            }
            #expect(option == .faults || error?.description.contains("--\(option.rawValue) is \"\(bad)\"") == true)
        }
        #expect(throws: SimulatorConfigurationError.self) {
            try configuration.set(option, to: [])
        }
        if !option.isRepeatable {
            #expect(throws: SimulatorConfigurationError.self) {
                try configuration.set(option, to: good + good)
            }
        }
    }

    @Test("Values in units become durations")
    func units() throws {
        var configuration = SimulatorConfiguration()
        try configuration.set(.interTokenLatencyMilliseconds, to: ["1.5"])
        try configuration.set(.interTokenLatencyPerSequenceMicroseconds, to: ["20"])
        try configuration.set(.loraLoadMilliseconds, to: ["250"])
        #expect(configuration.parameters.interTokenLatency == .microseconds(1_500))
        #expect(configuration.parameters.interTokenLatencyPerSequence == .microseconds(20))
        #expect(configuration.parameters.adapterLoadTime == .milliseconds(250))
    }

    @Test(
        "Addresses to listen on",
        arguments: [
            ("127.0.0.1:80", "127.0.0.1:80"), ("[::1]:65535", "[::1]:65535"), (":9", "0.0.0.0:9"),
            ("8000", "127.0.0.1:8000"), ("gpu.lan:1", "gpu.lan:1"), ("a:65536", nil), ("a:", nil), ("", nil),
            ("::1", nil), ("a:-1", nil), ("a:+1", nil), ("[]:1", nil), ("[::1", nil),
        ] as [(String, String?)]
    )
    func addresses(_ text: String, _ expected: String?) {
        #expect(ListenAddress(text)?.description == expected)
    }

    private static let broken: [(words: String, change: @Sendable (inout SimulatorConfiguration) -> Void)] = [
        ("no address", { $0.listen = [] }),
        ("no model", { $0.models = [] }),
        ("timeScale is 0.0", { $0.timeScale = 0 }),
        ("timeScale is inf", { $0.timeScale = .infinity }),
        ("maxBodyBytes is 0", { $0.maxBodyBytes = 0 }),
        ("\"martlet-sim\"", { $0.loraAdapters = ["martlet-sim"] }),
        (
            "maxLoRAs is 0",
            {
                $0.loraAdapters = ["a"]
                $0.parameters.maxLoRAs = 0
            }
        ),
        ("blockCount is 1", { $0.parameters.blockCount = 1 }),
        ("error_status is 1.0", { $0.faults.errorStatus = 1 }),
    ]

    @Test("A configuration that cannot be is refused with the reason", arguments: broken.indices)
    func invalid(_ index: Int) {
        var configuration = SimulatorConfiguration()
        Self.broken[index].change(&configuration)
        let error = #expect(throws: SimulatorConfigurationError.self) {
            try SimulatorServer(configuration: configuration)
        }
        #expect(error?.description.contains(Self.broken[index].words) == true, "\(error?.description ?? "")")
    }
}
