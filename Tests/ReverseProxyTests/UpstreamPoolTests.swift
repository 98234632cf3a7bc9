import GatewayCore
import NIOCore
import NIOEmbedded
import Testing

@testable import ReverseProxy

@Suite struct UpstreamPoolTests {
    private let address = EndpointAddress(host: "127.0.0.1", port: 8000)

    @Test func theLastUsedIsTakenFirst() throws {
        let proxy = try EmbeddedProxy()
        let channels = try (0..<3).map { _ in try proxy.idleUpstream() }
        for channel in channels.reversed() {
            let connection = try #require(proxy.loop.upstreams.takeIdle(address))
            connection.closeIdle()
            proxy.eventLoop.run()
            #expect(!channel.isActive)
        }
        #expect(proxy.loop.upstreams.takeIdle(address) == nil)
        #expect(proxy.loop.upstreams.takeIdle(EndpointAddress(host: "127.0.0.1", port: 8001)) == nil)
    }

    @Test func idleConnectionsExpire() throws {
        let proxy = try EmbeddedProxy()
        let channel = try proxy.idleUpstream()
        proxy.loop.sweep(at: .now() + .seconds(49))
        #expect(channel.isActive)
        proxy.loop.sweep(at: .now() + .seconds(51))
        proxy.eventLoop.run()
        #expect(!channel.isActive)
        #expect(proxy.loop.upstreams.takeIdle(address) == nil)
    }

    @Test func aConnectionThatClosesOrSpeaksUnaskedIsForgotten() throws {
        let proxy = try EmbeddedProxy()
        let closing = try proxy.idleUpstream()
        let speaking = try proxy.idleUpstream()
        closing.pipeline.fireChannelInactive()
        try? speaking.receive(ScriptedText.response)
        #expect(proxy.loop.upstreams.takeIdle(address) == nil)
        #expect(!speaking.isActive)
    }

    @Test func idleConnectionsAreBounded() throws {
        let proxy = try EmbeddedProxy(configure: { $0.maxIdleConnectionsPerEndpoint = 2 })
        let channels = try (0..<3).map { _ in try proxy.idleUpstream() }
        proxy.eventLoop.run()
        #expect(channels.map(\.isActive) == [true, true, false])
        proxy.loop.upstreams.shutDown()
        let late = try proxy.idleUpstream()
        proxy.eventLoop.run()
        #expect(channels.allSatisfy { !$0.isActive } && !late.isActive)
    }
}
