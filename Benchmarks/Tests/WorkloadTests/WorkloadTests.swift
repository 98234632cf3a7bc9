import NIOCore
import Testing

@testable import Workload

@Suite
struct WorkloadTests {
    @Test(arguments: [0, 1, 7, 8, 9, 63, 64, 1_000])
    func `A digest does not depend on how the bytes were cut`(length: Int) {
        var random = SplitMix64(seed: UInt64(length))
        let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let whole = digest([bytes[...]])
        for _ in 0..<50 {
            var pieces: [ArraySlice<UInt8>] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Int(random.next() % UInt64(rest.count)) + 1
                pieces.append(rest.prefix(count))
                rest = rest.dropFirst(count)
            }
            #expect(digest(pieces).value == whole.value)
        }
    }

    @Test
    func `A changed, lost or added byte changes the digest`() {
        let bytes = [UInt8](repeating: 0, count: 100)
        let original = digest([bytes[...]]).value
        #expect(digest([bytes[...], [0]]).value != original)
        #expect(digest([bytes.dropLast()]).value != original)
        for index in bytes.indices {
            var changed = bytes
            changed[index] = 1
            #expect(digest([changed[...]]).value != original)
        }
    }

    @Test(arguments: WorkloadKind.allCases)
    func `Bodies have the promised size, differ, and share few prefixes`(kind: WorkloadKind) {
        var corpus = RequestCorpus(kind: kind, sharedPrefixes: 3, seed: 7)
        var bodies: Set<String> = []
        var prefixes: Set<Substring> = []
        for _ in 0..<40 {
            let body = corpus.next()
            let text = body.parts.map { String(buffer: $0) }.joined()
            #expect(text.utf8.count == kind.bodyByteCount)
            #expect(body.digest.byteCount == kind.bodyByteCount)
            #expect(digest([Array(text.utf8)[...]]).value == body.digest.value)
            #expect(text.contains(#""stream":true"#) == kind.streams)
            bodies.insert(text)
            prefixes.insert(text.prefix(400))
        }
        #expect(bodies.count == 40)
        #expect(prefixes.count == 3)
    }

    @Test
    func `The metrics page has the size of a real one`() {
        let page = String(buffer: MetricsPage.make(modelName: "bench-model"))
        #expect((40_000...70_000).contains(page.utf8.count))
        #expect(page.contains("\nvllm:num_requests_waiting{engine=\"0\",model_name=\"bench-model\"} 1.0\n"))
    }

    @Test
    func `A stream has 32 chunks and ends with DONE`() {
        let events = CannedReplies().events.map { String(buffer: $0) }
        #expect(events.count == 32)
        #expect(events.allSatisfy { $0.hasPrefix("data: {") && $0.hasSuffix("\n\n") })
        #expect(events.last?.hasSuffix("data: [DONE]\n\n") == true)
    }

    private func digest(_ pieces: [ArraySlice<UInt8>]) -> BodyDigest {
        var digest = BodyDigest()
        for piece in pieces {
            digest.update(ByteBuffer(bytes: piece).readableBytesSpan)
        }
        return digest
    }
}
