import GatewayCore
import GatewayTesting
import NIOCore
import NIOEmbedded
import RequestControl
import Testing

@testable import ReverseProxy

/// What the proxy does with connections on which nothing happens.
@Suite struct SweepTests {
    @Test func anIdleConnectionClosesAtItsLimit() throws {
        let proxy = try EmbeddedProxy()
        let client = try proxy.client()
        proxy.loop.sweep(at: .now() + .seconds(590))
        #expect(client.isActive)
        proxy.loop.sweep(at: .now() + .seconds(601))
        proxy.eventLoop.run()
        #expect(!client.isActive)
        #expect(try client.written().isEmpty)
    }

    @Test func aHeaderMustArriveInItsTimeHoweverSlowlyItDrips() throws {
        let proxy = try EmbeddedProxy()
        let client = try proxy.client()
        for byte in "GET /x HTTP/1.1\r\nho" { try client.receive(String(byte)) }
        proxy.loop.sweep(at: .now() + .seconds(9))
        #expect(try client.isActive && client.written().isEmpty)
        try client.receive("s")
        proxy.loop.sweep(at: .now() + .seconds(11))
        let reply = try client.written()
        #expect(reply.hasPrefix("HTTP/1.1 408 ") && reply.contains("connection: close"))
        proxy.eventLoop.advanceTime(by: .seconds(6))
        #expect(!client.isActive)
    }

    @Test func aCompleteRequestStartsNoHeaderTime() throws {
        let proxy = try EmbeddedProxy()
        let client = try proxy.client()
        let upstream = try proxy.idleUpstream()
        try client.receive(get("/x"))
        try upstream.receive(ScriptedText.response)
        #expect(try client.written().hasSuffix("ok"))
        proxy.loop.sweep(at: .now() + .seconds(60))
        #expect(try client.isActive && client.written().isEmpty)
    }

    @Test func aBodyMayPauseForItsTimeOnly() throws {
        let proxy = try EmbeddedProxy()
        let client = try proxy.client()
        try client.receive("POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc")
        proxy.loop.sweep(at: .now() + .seconds(59))
        #expect(try client.written().isEmpty)
        proxy.loop.sweep(at: .now() + .seconds(61))
        #expect(try client.written().hasPrefix("HTTP/1.1 408 "))
    }

    @Test func aRunningResponseIsNotSwept() throws {
        let proxy = try EmbeddedProxy()
        let client = try proxy.client()
        try proxy.idleUpstream()
        try client.receive(get("/x"))
        proxy.loop.sweep(at: .now() + .hours(10))
        #expect(client.isActive)
        #expect(proxy.gateway.openLeases == 1)
        proxy.loop.abort()
        proxy.eventLoop.run()
        #expect(!client.isActive && proxy.gateway.openLeases == 0)
    }

    @Test(arguments: [true, false])
    func aResponseThatRunsOutOfTimeBreaksOff(ofTheWholeRequest: Bool) throws {
        let proxy = try EmbeddedProxy(rule: { rule in
            if ofTheWholeRequest { rule.requestTimeout = .seconds(3) } else { rule.backendTimeout = .seconds(3) }
        })
        let client = try proxy.client()
        let upstream = try proxy.idleUpstream()
        try client.receive(get("/x"))
        try upstream.receive("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        proxy.eventLoop.advanceTime(by: .seconds(2))
        #expect(try client.isActive && client.written().hasSuffix("hello"))
        proxy.eventLoop.advanceTime(by: .seconds(2))
        #expect(!client.isActive && !upstream.isActive)
        #expect(proxy.gateway.attempts.ended.map(\.outcome) == [.timedOut])
    }

    /// A close drops what has not been written: it must not overtake the end of a response.
    @Test func theCloseWaitsForASlowClient() throws {
        let proxy = try EmbeddedProxy()
        for readsInTime in [true, false] {
            let slowness = SlowClient()
            let client = try proxy.client(slowness: slowness)
            let upstream = try proxy.idleUpstream()
            try client.receive(get("/x", headers: "connection: close\r\n"))
            try upstream.receive(ScriptedText.response)
            #expect(try client.isActive && client.written().isEmpty)
            if readsInTime {
                try slowness.read(client)
                #expect(try client.written().hasSuffix("\r\n\r\nok"))
            } else {
                proxy.loop.sweep(at: .now() + .seconds(59))
                #expect(client.isActive)
                proxy.loop.sweep(at: .now() + .seconds(61))
                proxy.eventLoop.run()
            }
            #expect(!client.isActive)
        }
    }

    @Test func aConnectionThatSaysNothingHasItsTimeToo() throws {
        var limits = GatewayLimits()
        limits.idleTimeout = .seconds(100)
        limits.headerTimeout = .seconds(10)
        for (isSecure, first, seconds) in [(false, "", 100), (true, "", 10), (false, "PRI * HTTP/2", 10)] {
            let proxy = try EmbeddedProxy(limits: limits)
            let channel = EmbeddedChannel(loop: proxy.eventLoop)
            let detector = ProtocolDetector(
                loop: proxy.loop, listener: ListenerBinding(.standalone), isSecure: isSecure)
            try channel.pipeline.syncOperations.addHandler(detector)
            channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
            if !first.isEmpty { try channel.receive(first) }
            proxy.eventLoop.advanceTime(by: .seconds(Int64(seconds) - 1))
            #expect(channel.isActive)
            proxy.eventLoop.advanceTime(by: .seconds(2))
            #expect(!channel.isActive)
        }
    }
}

/// Texts that an endpoint sends.
enum ScriptedText {
    static let response = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
}
