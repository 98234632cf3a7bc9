package import NIOCore

/// The request sizes of the benchmark, by the names its command lines use.
package enum WorkloadKind: String, CaseIterable, Sendable {
    /// A chat completion of exactly 1,024 bytes, answered by one JSON document.
    case oneKilobyte = "1k"
    /// A chat completion of exactly 262,144 bytes, answered by one JSON document.
    case quarterMegabyte = "256k"
    /// A chat completion of exactly 1,024 bytes, answered by a stream of 32 server-sent events.
    case serverSentEvents = "sse"

    /// Bytes of each request body.
    package var bodyByteCount: Int {
        self == .quarterMegabyte ? 262_144 : 1_024
    }

    /// Whether the reply is a stream.
    package var streams: Bool {
        self == .serverSentEvents
    }
}

/// One request body, and what the backend must find.
package struct RequestBody: Sendable {
    /// The bytes in sending order; where they are cut means nothing.
    package let parts: [ByteBuffer]
    /// The digest of all bytes together.
    package let digest: BodyDigest
}

/// Chat completions as a prefix cache meets them: a few long shared prefixes, each followed by text of its own.
///
/// No two bodies of a corpus are equal, so neither a proxy nor its prefix index can answer from one lucky entry. The
/// prefix takes half of the body; the rest is unique from its first bytes on.
package struct RequestCorpus: Sendable {
    private struct Opening {
        let bytes: ByteBuffer
        let digest: BodyDigest
    }

    private static let uniqueDigits = 10
    private static let endingVariants = 16

    private let openings: [Opening]
    private let endings: [ByteBuffer]
    private var random: SplitMix64
    private var serial: UInt64 = 0

    /// - Parameters:
    ///   - kind: size of the bodies, and whether they ask for a stream.
    ///   - sharedPrefixes: how many different prefixes there are, at least 1.
    ///   - seed: the same seed gives the same bodies in the same order.
    package init(kind: WorkloadKind, sharedPrefixes: Int, seed: UInt64) {
        precondition(sharedPrefixes >= 1, "a corpus needs at least one prefix, not \(sharedPrefixes)")
        var random = SplitMix64(seed: seed)
        let head = #"{"model":"bench-model","messages":[{"role":"system","content":""#
        let middle = #""},{"role":"user","content":"Question "#
        let stream = kind.streams ? #","stream":true,"stream_options":{"include_usage":true}"# : ""
        let tail = #""}],"max_tokens":32,"temperature":0.7"# + stream + "}"
        let prefixByteCount = kind.bodyByteCount / 2
        let fixed = head.utf8.count + prefixByteCount + middle.utf8.count + Self.uniqueDigits + tail.utf8.count
        openings = (0..<sharedPrefixes).map { _ in
            let text = head + PromptText.make(byteCount: prefixByteCount, using: &random) + middle
            let bytes = ByteBuffer(string: text)
            var digest = BodyDigest()
            digest.update(bytes.readableBytesSpan)
            return Opening(bytes: bytes, digest: digest)
        }
        endings = (0..<Self.endingVariants).map { _ in
            ByteBuffer(string: PromptText.make(byteCount: kind.bodyByteCount - fixed, using: &random) + tail)
        }
        self.random = random
    }

    /// The next body; each call gives a different one.
    package mutating func next() -> RequestBody {
        let choice = random.next()
        let opening = openings[Int(choice % UInt64(openings.count))]
        let ending = endings[Int((choice >> 32) % UInt64(endings.count))]
        serial += 1
        let digits = String(serial)
        let padding = String(repeating: "0", count: Self.uniqueDigits - digits.utf8.count)
        let unique = ByteBuffer(string: padding + digits)
        var digest = opening.digest
        digest.update(unique.readableBytesSpan)
        digest.update(ending.readableBytesSpan)
        return RequestBody(parts: [opening.bytes, unique, ending], digest: digest)
    }
}
