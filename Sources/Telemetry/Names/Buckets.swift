/// Upper bounds shared by several histograms. Those of `llm_d_epp_` metrics are part of the contract with existing
/// dashboards and must stay as they are.
enum Buckets {
    /// Seconds; from a cached answer to an hour of generation.
    static let requestSeconds: [Double] = [
        0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60, 120, 180,
        240,
        300, 360, 480, 600, 900, 1200, 1800, 2700, 3600,
    ]
    /// Seconds until the first token.
    static let firstTokenSeconds = Array(requestSeconds.prefix { $0 <= 120 })
    /// Seconds per output token.
    static let tokenSeconds: [Double] = [
        0.0005, 0.00205, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.125, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 2,
    ]
    /// Seconds between two chunks of a stream.
    static let interTokenSeconds: [Double] = [
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2,
    ]
    /// Bytes; the powers of two from 64 to 2^30.
    static let requestBytes: [Double] = (6...30).map { Double(1 << $0) }
    /// Bytes; 32,778 instead of 32,768 is the established spelling of this bound.
    static let responseBytes: [Double] = [
        1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32778, 65536,
    ]
    /// Tokens of a prompt; carries the same odd bound as ``responseBytes``.
    static let inputTokens: [Double] = responseBytes + [131_072, 262_144, 524_288, 1_048_576]
    /// Tokens of an answer.
    static let outputTokens = Array(responseBytes.prefix { $0 <= 8192 })
    /// Seconds of work inside the process.
    static let decisionSeconds: [Double] = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1]
    /// Seconds of a request divided by the tokens of its answer.
    static let normalizedTokenSeconds: [Double] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]
    /// Seconds from a request's arrival to its sending.
    static let requestProcessingSeconds: [Double] = [
        0.0005, 0.001, 0.002, 0.005, 0.01, 0.015, 0.025, 0.04, 0.06, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    /// Seconds of work on an answer.
    static let responseProcessingSeconds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
    ]
    /// Seconds in a queue.
    static let queueSeconds: [Double] = [
        0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]
    /// Seconds until a request that was told to end did.
    static let confirmationSeconds: [Double] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
    /// Tenths of a share.
    static let shares: [Double] = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
    /// Bytes of a matched prefix.
    static let prefixBytes: [Double] = [0] + (4...16).map { Double(1 << $0) }
    /// Seconds of a stream.
    static let streamSeconds: [Double] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600]
    /// Seconds that fetching and reading a model server's page takes.
    static let scrapeSeconds: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
}
