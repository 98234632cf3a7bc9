import NIOCore
import NIOHTTP1
import NIOPosix
import Workload

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// `backend`: several model servers in one process, on one thread, that answer at once.
///
/// Each listens on a port of its own on 127.0.0.1, chosen by the kernel, and prints `listening on http://127.0.0.1:N`.
/// It runs until it is killed.
@main
struct Backend {
    static func main() async throws {
        let options: BackendOptions
        do {
            options = try BackendOptions(arguments: CommandLine.arguments.dropFirst())
        } catch {
            print("backend: \(error)")
            throw error
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let replies = CannedReplies()
        let metrics = MetricsPage.make(modelName: "bench-model")
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false, withErrorHandling: true)
                    try pipeline.addHandler(
                        BackendHandler(replies: replies, metrics: metrics, chunkGap: options.chunkGap)
                    )
                }
            }
        var servers: [any Channel] = []
        for _ in 0..<options.count {
            let server = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
            servers.append(server)
            print("listening on http://127.0.0.1:\(server.localAddress?.port ?? 0)")
        }
        // Standard output is a pipe when a script waits for these lines, and a pipe is not flushed line by line.
        fflush(nil)
        for server in servers {
            try await server.closeFuture.get()
        }
    }
}

/// The command line of `backend`.
struct BackendOptions {
    /// How many servers to open.
    private(set) var count = 4
    /// Pause between two chunks of a stream; zero sends each in an event-loop turn of its own.
    private(set) var chunkGap = TimeAmount.milliseconds(1)

    init(arguments: some Sequence<String>) throws(OptionError) {
        var rest = Array(arguments)[...]
        while let name = rest.popFirst() {
            guard let value = rest.popFirst() else {
                throw OptionError(description: "\(name) needs a value")
            }
            guard let number = Int64(value), number >= 0 else {
                throw OptionError(description: "\(name) takes a whole number from 0 up, not \"\(value)\"")
            }
            switch name {
            case "--count": count = Int(number)
            case "--chunk-gap-microseconds": chunkGap = .microseconds(number)
            default: throw OptionError(description: "unknown option \(name)")
            }
        }
    }
}

struct OptionError: Error, CustomStringConvertible {
    let description: String
}
