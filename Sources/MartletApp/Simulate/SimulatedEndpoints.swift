import GatewayCore
import ModelServerSimulator
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Model servers that `serve --simulate N` starts in the gateway's own process, so that it can be tried without a GPU.
struct SimulatedEndpoints: Service {
    private let servers: [SimulatorServer]
    /// The servers as endpoints.
    let endpoints: [EndpointDescription]

    /// Starts `count` servers on free ports of 127.0.0.1. Without a `seed` they have that of `martlet sim`, so that
    /// both give the same texts.
    ///
    /// - Throws: the system's error when a port cannot be bound.
    init(count: Int, seed: UInt64?, group: MultiThreadedEventLoopGroup) async throws {
        var servers: [SimulatorServer] = []
        var endpoints: [EndpointDescription] = []
        for number in 0..<count {
            var configuration = SimulatorConfiguration()
            configuration.listen = [ListenAddress(host: "127.0.0.1", port: 0)]
            if let seed { configuration.parameters.seed = seed }
            let server = try SimulatorServer(configuration: configuration)
            let addresses = try await server.start(on: group)
            servers.append(server)
            guard let port = addresses.first?.port else { continue }
            endpoints.append(
                EndpointDescription(
                    id: EndpointID(name: "sim-\(number)"),
                    address: EndpointAddress(host: "127.0.0.1", port: port),
                    labels: ["llm-d.ai/engine-type": "vllm"]
                )
            )
        }
        self.servers = servers
        self.endpoints = endpoints
    }

    func run() async throws {
        try await gracefulShutdown()
        for server in servers { await server.stop() }
    }
}
