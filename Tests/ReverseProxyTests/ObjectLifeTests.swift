import GatewayCore
import GatewayTesting
import HTTP1Messages
import NIOCore
import NIOEmbedded
import RequestControl
import Testing

@testable import ReverseProxy

/// Relay, exchange, connection and handler refer to each other while a request runs; when it is over, nothing may be
/// kept.
@Suite struct ObjectLifeTests {
    private struct Weak {
        weak var object: AnyObject?
    }

    /// Takes what a relay tells its client.
    private final class Client: RelayClient {
        var isWritable = true
        let clientAddress = "10.0.0.1"
        let isSecure = false
        var ends: [String] = []

        func relayHead(_ head: ResponseHead, mutation: HeaderMutation, isLengthKnown: Bool) {}
        func relayBody(_ bytes: ByteBuffer) {}
        func relayEnd() { ends.append("end") }
        func relayFlush() {}
        func relayBreakOff() { ends.append("break") }
        func relayReply(_ reply: LocalReply) { ends.append(String(reply.status)) }
    }

    private static let endings = ["completed", "cancelled", "broken", "reset", "timed out", "cancelled in the body"]

    private func run(_ ending: String, _ proxy: EmbeddedProxy, watch: (AnyObject) -> Void) throws -> [String] {
        // Long enough for the endpoint to be forgiven what the last request did.
        proxy.gateway.clock.advance(by: .seconds(120))
        let upstream = try proxy.idleUpstream()
        let client = Client()
        let request = IncomingRequest.sample("GET", "/x", receivedAt: proxy.gateway.clock.now)
        let exchange = RequestExchange(
            controller: proxy.gateway.controller,
            routes: .standalone,
            request: request
        )
        let relay = RequestRelay(
            exchange: exchange,
            request: request,
            body: ByteBuffer(string: "{}"),
            upstreams: proxy.loop.upstreams,
            eventLoop: proxy.eventLoop,
            client: client
        )
        for object in [upstream, client, exchange, relay] as [AnyObject] { watch(object) }
        relay.start()
        let half = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no"
        switch ending {
        case "completed": try upstream.receive(ScriptedText.response)
        case "cancelled": relay.cancel(.clientDisconnected)
        case "broken":
            try upstream.receive(half)
            upstream.close(promise: nil)
        case "reset": upstream.pipeline.fireErrorCaught(IOError(errnoCode: 104, reason: "reset"))
        case "timed out": proxy.eventLoop.advanceTime(by: .seconds(2))
        default:
            try upstream.receive(half)
            relay.cancel(.clientDisconnected)
        }
        // A second ending changes nothing.
        relay.cancel(.drained)
        proxy.eventLoop.run()
        return client.ends
    }

    @Test func nothingOfAThousandRequestsIsKept() throws {
        let proxy = try EmbeddedProxy(rule: {
            $0.requestTimeout = .seconds(1)
            $0.retry = RetryPolicy(maxRetries: 0)
        })
        var watched: [Weak] = []
        var ends: [String: Set<[String]>] = [:]
        for index in 0..<1_000 {
            let ending = Self.endings[index % Self.endings.count]
            let end = try run(ending, proxy) { watched.append(Weak(object: $0)) }
            ends[ending, default: []].insert(end)
        }
        #expect(
            ends == [
                "completed": [["end"]], "cancelled": [[]], "broken": [["break"]], "reset": [["503"]],
                "timed out": [["504"]],
                "cancelled in the body": [[]],
            ])
        proxy.loop.upstreams.shutDown()
        proxy.eventLoop.advanceTime(by: .seconds(10))
        #expect(watched.count == 4_000)
        #expect(watched.count { $0.object != nil } == 0)
        #expect(proxy.gateway.attempts.ended.count == 1_000)
        #expect(proxy.gateway.openLeases == 0)
        #expect(proxy.gateway.metric("request_running") == 0)
    }

    @Test func nothingOfAConnectionIsKept() throws {
        let proxy = try EmbeddedProxy()
        weak var handler: HTTP1ClientHandler?
        weak var session: ClientSession?
        weak var channel: EmbeddedChannel?
        for isRunning in [false, true] {
            do {
                let client = try proxy.client()
                handler = try client.pipeline.syncOperations.handler(type: HTTP1ClientHandler.self)
                session = handler?.session
                channel = client
                try proxy.idleUpstream()
                try client.receive(get("/x"))
                if !isRunning { _ = try client.written() }
                client.close(promise: nil)
                proxy.eventLoop.run()
            }
            proxy.loop.upstreams.closeIdle(before: .distantFuture)
            proxy.eventLoop.advanceTime(by: .seconds(10))
            #expect(handler == nil)
            #expect(session == nil)
            #expect(channel == nil)
            #expect(proxy.gateway.openLeases == 0)
        }
    }
}
