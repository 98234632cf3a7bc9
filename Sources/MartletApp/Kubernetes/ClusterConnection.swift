import FoundationEssentials
import KubernetesClient
import KubernetesDiscovery
import Logging
import NIOPosix
import ServiceLifecycle

/// The way to the cluster, which every part of the process shares. It is open until all else has ended.
struct ClusterConnection: Service {
    /// Asks the cluster.
    let client: APIClient
    private let transport: HTTPTransport
    private let server: String

    /// Finds the cluster; nothing is asked of it.
    ///
    /// - Parameters:
    ///   - kubeconfigPath: the file that says how to reach it; empty to look in the usual places.
    ///   - group: the loops of its connections.
    /// - Throws: ``CommandError`` when there is no cluster, or what says how to reach it cannot be used.
    init(kubeconfigPath: String, group: MultiThreadedEventLoopGroup, logger: Logger) throws(CommandError) {
        let environment = ProcessInfo.processInfo.environment
        do {
            let configuration = try ClusterConfiguration.find(
                path: kubeconfigPath,
                environment: environment,
                homeFolder: environment["HOME"]
            )
            transport = HTTPTransport(
                configuration: configuration,
                group: group,
                userAgent: "martlet/\(BuildInformation.version)",
                logger: logger
            )
            server = "\(configuration.server)"
        } catch {
            throw CommandError("\(error)")
        }
        client = APIClient(transport: transport)
    }

    /// What is followed where, for the banner.
    func line(_ scope: PoolScope?) -> String {
        let pool = scope.map { "the pool \($0.pool)" } ?? "ConfigMaps"
        return "martlet \(BuildInformation.version): \(pool) of the cluster at \(server)"
    }

    func run() async {
        // Ends early when the process fails, which is no reason to leave connections open.
        try? await gracefulShutdown()
        await transport.shutdown()
    }
}
