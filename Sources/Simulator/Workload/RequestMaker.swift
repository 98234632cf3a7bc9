import GatewayCore
import ModelServerSimulator
import RequestFormats

/// One request as a client sends it.
struct ClientRequest {
    /// Which shared prefix it begins with.
    let prefix: Int
    /// The chat-completions body.
    let body: [UInt8]
    /// The prompt as an engine's tokeniser reads the body's messages.
    let prompt: [SimulatedToken]
    /// Tokens of the answer.
    let outputTokens: Int
    /// How long the client thinks before it sends the request.
    let thinkTime: Duration
    /// After which time the client goes away; `nil` when it waits for its answer.
    let patience: Duration?
    /// Whom it is of; `nil` where all are alike.
    let trafficClass: TrafficClass?
}

/// Makes the requests of a workload. Each comes from a random stream of its own.
struct RequestMaker {
    static let model = "simulated-8b"

    private let workload: PrefixWorkload
    private let seed: UInt64
    private let prefixes: [(json: [UInt8], tokens: [SimulatedToken])]

    init(workload: PrefixWorkload, seed: UInt64) {
        self.workload = workload
        self.seed = seed
        var random = RandomSource(seed: seed)
        prefixes = (0..<workload.prefixes).map { _ in
            let text = Self.text(tokens: workload.prefixTokens, random: &random)
            var writer = JSONWriter()
            writer.beginObject()
            writer.key("role")
            writer.string("system")
            writer.key("content")
            writer.string(text)
            writer.endObject()
            return (writer.bytes, SimulatedToken.tokens(of: text.utf8))
        }
    }

    /// When `client` sends its first request, from the beginning of the run.
    func start(of client: Int) -> Duration {
        var random = source(client: client, number: -1)
        return .milliseconds(Int.random(in: 0...workload.rampMilliseconds, using: &random))
    }

    /// The request `number`, from 0, of `client`.
    func request(client: Int, number: Int) -> ClientRequest {
        var random = source(client: client, number: number)
        let prefix = Int.random(in: 0..<workload.prefixes, using: &random)
        let trafficClass = workload.trafficClass(of: client)
        let suffixTokens = trafficClass?.suffixTokens ?? workload.suffixTokens
        let suffix = Self.text(tokens: Int.random(in: suffixTokens, using: &random), random: &random)
        let outputTokens = Int.random(in: trafficClass?.outputTokens ?? workload.outputTokens, using: &random)
        let thinkTime = Self.gap(trafficClass, workload, &random)
        let patience: Duration? =
            if random.unit() < workload.departures {
                .milliseconds(Int.random(in: workload.patienceMilliseconds, using: &random))
            } else {
                nil
            }
        return ClientRequest(
            prefix: prefix,
            body: Self.body(prefix: prefixes[prefix].json, suffix: suffix, outputTokens: outputTokens),
            prompt: prefixes[prefix].tokens + SimulatedToken.tokens(of: suffix.utf8),
            outputTokens: outputTokens,
            thinkTime: thinkTime,
            patience: patience,
            trafficClass: trafficClass
        )
    }

    /// The time before the next request.
    private static func gap(
        _ trafficClass: TrafficClass?,
        _ workload: PrefixWorkload,
        _ random: inout RandomSource
    ) -> Duration {
        guard let trafficClass else {
            return .milliseconds(Int.random(in: workload.thinkMilliseconds, using: &random))
        }
        return .nanoseconds(Int64(Double(trafficClass.gapMilliseconds) * 1e6 * random.exponential()))
    }

    private func source(client: Int, number: Int) -> RandomSource {
        // Numbers of one generator are as good as independent seeds of others.
        var random = RandomSource(seed: seed ^ (UInt64(client + 1) << 32 | UInt64(number + 1)))
        return RandomSource(seed: random.next())
    }

    private static func body(prefix: [UInt8], suffix: String, outputTokens: Int) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("model")
        writer.string(model)
        writer.key("messages")
        writer.beginArray()
        writer.raw(prefix)
        writer.beginObject()
        writer.key("role")
        writer.string("user")
        writer.key("content")
        writer.string(suffix)
        writer.endObject()
        writer.endArray()
        writer.key("stream")
        writer.boolean(true)
        writer.key("stream_options")
        writer.beginObject()
        writer.key("include_usage")
        writer.boolean(true)
        writer.endObject()
        writer.key("max_tokens")
        writer.integer(outputTokens)
        writer.endObject()
        return writer.bytes
    }

    /// Words of three letters with a space behind each: four bytes, so one token.
    private static func text(tokens: Int, random: inout RandomSource) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(tokens * SimulatedToken.byteCount)
        for _ in 0..<tokens {
            let draw = random.next()
            for place in 0..<3 {
                bytes.append(UInt8(ascii: "a") + UInt8(truncatingIfNeeded: (draw >> UInt64(8 * place) & 0xFF) % 26))
            }
            bytes.append(UInt8(ascii: " "))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension RandomSource {
    /// A number of the exponential distribution with the mean 1.
    ///
    /// By von Neumann's method, which needs comparisons only: the standard library has no logarithm.
    fileprivate mutating func exponential() -> Double {
        var whole = 0.0
        while true {
            let first = unit()
            var last = first
            var count = 1
            while true {
                let next = unit()
                if next >= last { break }
                last = next
                count += 1
            }
            if count % 2 == 1 { return whole + first }
            whole += 1
        }
    }
}
