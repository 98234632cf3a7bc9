import GatewayCore
import GatewayTesting
import RequestControl
import Testing

@testable import ExtProcServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Streams of messages in any order, cut anywhere, with any flags: whatever a proxy sends, the answers keep the
/// protocol's order, no body loses a byte, and nothing of a request is left behind.
///
/// Every run meets the same sequences. `MARTLET_FUZZ_SECONDS` makes it go on with new ones for so long.
@Suite struct MessageOrderFuzzTests {
    @Test func anyOrderOfMessages() throws {
        let seconds = getenv("MARTLET_FUZZ_SECONDS").flatMap { Int(String(cString: $0)) } ?? 0
        let end = ContinuousClock.now + .seconds(seconds)
        var seed: UInt64 = 1
        repeat {
            for _ in 0..<4_000 {
                try run(seed: seed)
                seed += 1
            }
        } while ContinuousClock.now < end
    }

    private func run(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        let gateway = try GatewayFixture(
            ports: Array(8000..<8000 + Int.random(in: 0...3, using: &random)),
            plugins: seed.isMultiple(of: 2) ? [TokenReporter()] : []
        )
        let call = CallHarness(gateway)
        var record = Record()
        let modes = (
            request: UInt8.random(in: 0...5, using: &random), response: UInt8.random(in: 0...4, using: &random)
        )
        let isLikely = Bool.random(using: &random)
        for step in 0..<Int.random(in: 1...12, using: &random) {
            var message = isLikely ? likely(step, &random, &record) : anything(&random, &record)
            if step == 0, Int.random(in: 0..<5, using: &random) > 0 {
                message = message.modes(
                    request: isLikely ? 4 : modes.request, response: isLikely ? 4 : modes.response)
            }
            if Int.random(in: 0..<40, using: &random) == 0 { message = message.observed }
            call.send(message, piece: Int.random(in: 1...200, using: &random))
            if Int.random(in: 0..<60, using: &random) == 0 { call.send(bytes: noise(&random)) }
            if Int.random(in: 0..<40, using: &random) == 0 { call.stream.receivedEnd() }
            if Int.random(in: 0..<60, using: &random) == 0 { call.stream.abort() }
            check(call, record, seed: seed)
        }
        call.close()
        #expect(gateway.openLeases == 0, "seed \(seed)")
        #expect(gateway.metric("request_running") == 0, "seed \(seed)")
        #expect(gateway.metric("lease_leaks_total") == 0, "seed \(seed)")
        #expect(gateway.attempts.sent.count == gateway.attempts.ended.count, "seed \(seed)")
    }

    /// What was sent so far.
    private struct Record {
        var requestBody: [UInt8] = []
        var responseBody: [UInt8] = []
    }

    /// Messages mostly in the order of an exchange.
    private func likely(_ step: Int, _ random: inout RandomSource, _ record: inout Record) -> EnvoyMessage {
        if Int.random(in: 0..<12, using: &random) == 0 { return anything(&random, &record) }
        switch step {
        case 0: return .completionHeaders()
        case 1: return requestBody(Array(completionBody[..<9]), isLast: false, &record)
        case 2: return requestBody(Array(completionBody[9...]), isLast: true, &record)
        case 3: return .answerHeaders(type: "text/event-stream")
        default: return responseBody(&random, &record)
        }
    }

    private func anything(_ random: inout RandomSource, _ record: inout Record) -> EnvoyMessage {
        let isLast = Bool.random(using: &random)
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return .completionHeaders(isLast: isLast, valuesFirst: Bool.random(using: &random))
        case 1: return .requestHeaders([], isLast: isLast)
        case 2, 3:
            let whole = Bool.random(using: &random) ? completionBody : []
            return requestBody(whole, isLast: isLast, &record)
        case 4: return .requestTrailers
        case 5: return .answerHeaders([200, 404, 503].randomElement(using: &random) ?? 200)
        case 6: return responseBody(&random, &record)
        default: return .responseTrailers
        }
    }

    private func requestBody(_ bytes: [UInt8], isLast: Bool, _ record: inout Record) -> EnvoyMessage {
        record.requestBody += bytes
        return .requestBody(bytes, isLast: isLast)
    }

    private func responseBody(_ random: inout RandomSource, _ record: inout Record) -> EnvoyMessage {
        let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        record.responseBody += bytes
        return .responseBody(bytes, isLast: Int.random(in: 0..<4, using: &random) == 0)
    }

    private func noise(_ random: inout RandomSource) -> [UInt8] {
        (0..<Int.random(in: 1...20, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    /// The answers keep their order, and bodies their bytes.
    private func check(_ call: CallHarness, _ record: Record, seed: UInt64) {
        let replies = call.replies
        let kinds = replies.map(\.kind)
        let request = kinds.filter { [1, 3, 5].contains($0) }
        let response = kinds.filter { [2, 4, 6].contains($0) }
        #expect(request == request.sorted() && response == response.sorted(), "seed \(seed): \(kinds)")
        for kind in [1, 2, 5, 6, 7] { #expect(kinds.count { $0 == kind } <= 1, "seed \(seed): \(kinds)") }
        if let immediate = kinds.firstIndex(of: 7) { #expect(immediate == kinds.count - 1, "seed \(seed): \(kinds)") }
        let sentBack = replies.filter { $0.kind == 3 && $0.isPiece }.flatMap(\.body)
        #expect(sentBack.isEmpty || record.requestBody.starts(with: sentBack), "seed \(seed)")
        let relayed = replies.filter { $0.kind == 4 && $0.isPiece }.flatMap(\.body)
        #expect(record.responseBody.starts(with: relayed), "seed \(seed)")
        #expect(replies.allSatisfy { $0.body.count <= 62_000 || $0.kind == 7 }, "seed \(seed)")
        for picked in replies where picked.destination != nil {
            #expect(picked.value("x-gateway-destination-endpoint") == picked.destination, "seed \(seed)")
        }
    }
}
