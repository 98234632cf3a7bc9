import GatewayCore
import Logging
import NIOCore
import NIOSSL
import RequestControl
import ReverseProxy
import ServiceLifecycle

/// The proxy as a service: it serves until the shutdown and then drains.
///
/// The order on SIGTERM: readiness says no, listeners close, running requests finish, and at the deadline those that
/// are left are ended.
struct ProxyService: Service {
    let server: ProxyServer
    let readiness: Readiness
    let drainTimeout: Duration
    let logger: Logger

    func run() async throws {
        try await gracefulShutdown()
        readiness.beginDraining()
        logger.info("draining", metadata: ["timeout-seconds": "\(drainTimeout.components.seconds)"])
        let isClean = await server.drain(timeout: drainTimeout)
        if isClean {
            logger.info("drained")
        } else {
            logger.warning("the drain ended at its deadline with requests still running; they were ended")
        }
    }
}
