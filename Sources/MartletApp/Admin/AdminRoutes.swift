import DataLayer
import GatewayCore
import NIOHTTP1
import RequestControl
import Telemetry

/// What the admin address answers.
struct AdminRoutes: Sendable {
    let controller: RequestController
    let registry: MetricRegistry
    let gauges: PoolGauges
    let readiness: Readiness
    let startedAt: MonotonicInstant

    /// The answer to a request.
    func answer(_ request: AdminRequest) -> AdminResponse {
        switch request.path {
        case "/metrics": metrics(accept: request.accept)
        case "/healthz": .text("ok")
        case "/readyz": ready()
        case "/api/state":
            .json(StateReport.json(controller: controller, isDraining: readiness.isDraining, startedAt: startedAt))
        case "/":
            .text("martlet \(BuildInformation.version)\n\n/metrics\n/healthz\n/readyz\n/api/state")
        default:
            .text(
                "there is nothing at \(request.path); try /metrics, /healthz, /readyz or /api/state", status: .notFound)
        }
    }

    private func metrics(accept: String) -> AdminResponse {
        gauges.refresh()
        let format = ExpositionFormat.negotiate(accept: accept)
        return AdminResponse(contentType: format.contentType, body: registry.page(format))
    }

    /// Ready once every pool has an endpoint that can be sent to; not any more once the drain has begun.
    private func ready() -> AdminResponse {
        if readiness.isDraining { return .text("draining", status: .serviceUnavailable) }
        let state = controller.state
        for pool in state.pools where pool.endpoints.current.available.isEmpty {
            return .text("pool '\(pool.id.name)' has no available endpoint", status: .serviceUnavailable)
        }
        return .text("ok")
    }
}
