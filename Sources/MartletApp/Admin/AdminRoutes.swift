import GatewayCore
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
    /// What else is answered here.
    var areas: [any AdminArea] = []
    /// The secret of those who may act; `nil` when nobody may.
    var token: AdminToken?
    /// Who may read what is no health; `nil` for everybody.
    var access: MetricsAccess?

    /// Whether the answer to a request depends on its body, and may take long. The bodies of all others are passed
    /// over.
    func takesBody(_ request: AdminRequest) -> Bool {
        guard areas.contains(where: { $0.takesBody(request) }) else { return false }
        // Whoever may not act takes no place from those who may.
        return !areas.contains { $0.acts(request) } || refusalToAct(request) == nil
    }

    /// Whether a request is only answered to those who may ask.
    func isGuarded(_ request: AdminRequest) -> Bool {
        // Probes have no credentials, and learn nothing that traffic does not show.
        if areas.contains(where: { $0.acts(request) }) { return true }
        if access == nil || areas.contains(where: { $0.isOpen(request) }) { return false }
        return !["/", Self.alivePath, Self.readyPath].contains(request.path)
    }

    /// Why whoever sends a request is not answered; `nil` when they are.
    func refusal(_ request: AdminRequest) async -> AdminResponse? {
        if areas.contains(where: { $0.acts(request) }) { return refusalToAct(request) }
        guard isGuarded(request), let access else { return nil }
        switch await access.verdict(authorization: request.headers.first("authorization"), path: request.path) {
        case .allowed: return nil
        case .unauthenticated:
            return .text("a bearer token of the cluster is needed to read \(request.path)", status: .unauthorized)
        case .forbidden(let reason): return .text(reason, status: .forbidden)
        case .unknown:
            return .text("the cluster cannot be asked now who may read this", status: .serviceUnavailable)
        }
    }

    /// Why whoever sends a request that acts may not.
    private func refusalToAct(_ request: AdminRequest) -> AdminResponse? {
        guard let token else {
            let text = "nobody may act here; start with a token in $\(AdminToken.variable) to say who may"
            return .text(text, status: .forbidden)
        }
        if token.verdict(request) == .allowed { return nil }
        return .text("the admin token is needed for \(request.method) \(request.path)", status: .unauthorized)
    }

    /// The answer to a request.
    func answer(_ request: AdminRequest) -> AdminResponse {
        for area in areas {
            if let response = area.answer(request) { return response }
        }
        guard request.isRead else { return .text("only GET and HEAD are answered here", status: .methodNotAllowed) }
        switch request.path {
        case "/metrics": return metrics(accept: request.accept)
        case Self.alivePath: return .text("ok")
        case Self.readyPath: return ready()
        case "/": return .text("martlet \(BuildInformation.version)\n\n\(paths.joined(separator: "\n"))")
        default:
            if request.path == Self.statePath, let state { return .json(state()) }
            let others = "\(paths.dropLast().joined(separator: ", ")) or \(paths.last ?? "")"
            return .text("there is nothing at \(request.path); try \(others)", status: .notFound)
        }
    }

    private static let statePath = "/api/state"
    private static let alivePath = "/healthz"
    private static let readyPath = "/readyz"

    private var paths: [String] {
        ["/metrics", Self.alivePath, Self.readyPath] + (state == nil ? [] : [Self.statePath])
            + areas.flatMap(\.paths)
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
