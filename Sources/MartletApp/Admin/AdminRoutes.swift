import NIOHTTP1
import Telemetry

/// What the admin address answers.
struct AdminRoutes: Sendable {
    let registry: MetricRegistry
    let readiness: Readiness
    /// Sets what is only set when somebody reads the metrics.
    var refresh: @Sendable () -> Void = {}
    /// Why no traffic can be served now; `nil` when it can.
    var obstacle: @Sendable () -> String? = { nil }
    /// The state as JSON; `nil` when there is none to tell.
    var state: (@Sendable () -> [UInt8])?
    /// What is told of decisions; `nil` when none are made here.
    var decisions: DecisionRoutes?

    /// Whether the answer to a request depends on its body, and may take long. The bodies of all others are passed
    /// over.
    func takesBody(_ request: AdminRequest) -> Bool {
        decisions != nil && request.method == .POST && request.path == DecisionRoutes.explainPath
    }

    /// The answer to a request.
    func answer(_ request: AdminRequest) -> AdminResponse {
        if let response = decisions?.answer(request) { return response }
        guard request.isRead else { return .text("only GET and HEAD are answered here", status: .methodNotAllowed) }
        switch request.path {
        case "/metrics": return metrics(accept: request.accept)
        case "/healthz": return .text("ok")
        case "/readyz": return ready()
        case "/": return .text("martlet \(BuildInformation.version)\n\n\(paths.joined(separator: "\n"))")
        default:
            if request.path == Self.statePath, let state { return .json(state()) }
            let others = "\(paths.dropLast().joined(separator: ", ")) or \(paths.last ?? "")"
            return .text("there is nothing at \(request.path); try \(others)", status: .notFound)
        }
    }

    private static let statePath = "/api/state"

    private var paths: [String] {
        ["/metrics", "/healthz", "/readyz"] + (state == nil ? [] : [Self.statePath])
            + (decisions == nil ? [] : [DecisionRoutes.listPath, DecisionRoutes.explainPath])
    }

    private func metrics(accept: String) -> AdminResponse {
        refresh()
        let format = ExpositionFormat.negotiate(accept: accept)
        return AdminResponse(contentType: format.contentType, body: registry.page(format))
    }

    /// Ready once every pool has an endpoint that can be sent to, or lets requests wait for one; not any more once the
    /// drain has begun.
    private func ready() -> AdminResponse {
        if readiness.isDraining { return .text("draining", status: .serviceUnavailable) }
        if let obstacle = obstacle() { return .text(obstacle, status: .serviceUnavailable) }
        return .text("ok")
    }
}
