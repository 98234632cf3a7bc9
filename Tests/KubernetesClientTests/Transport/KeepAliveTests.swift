import GatewayTesting
import NIOCore
import NIOPosix
import Testing

@testable import KubernetesClient

@Suite("Questions of the kernel to a silent peer", .timeLimit(.minutes(1)))
struct KeepAliveTests {
    @Test("A peer that vanished is noticed within half a minute")
    func options() async throws {
        let server = try await ScriptedServer.start { _ in [] }
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: server.port).get()
        #expect(try await channel.getOption(.socketOption(.so_keepalive)).get() == 0)
        try await KeepAlive.enable(on: channel).get()
        #expect(try await channel.getOption(.socketOption(.so_keepalive)).get() != 0)
        var values: [Int] = []
        for (option, _) in KeepAlive.options { values.append(Int(try await channel.getOption(option).get())) }
        #expect(values == [15, 5, 3])
        #expect(values[0] + values[1] * values[2] <= 30)
        try await channel.close()
        try await server.stop()
    }
}
