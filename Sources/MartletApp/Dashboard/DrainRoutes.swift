import DataLayer
import GatewayCore
import Logging
import NIOHTTP1
import RequestControl
import RequestFormats

/// `POST /api/endpoints/drain`: takes an endpoint out, so that its requests end and no new ones come, or in again.
struct DrainRoutes: AdminArea {
    static let path = "/api/endpoints/drain"

    let controller: RequestController
    let logger: Logger

    var paths: [String] { [Self.path] }

    func acts(_ request: AdminRequest) -> Bool { request.path == Self.path }

    func takesBody(_ request: AdminRequest) -> Bool { request.method == .POST && request.path == Self.path }

    func answer(_ request: AdminRequest) -> AdminResponse? {
        guard request.path == Self.path else { return nil }
        guard request.method == .POST else { return .text("POST what is to be drained", status: .methodNotAllowed) }
        do throws(FormatError) {
            let wish = try ActionBody(request.body)
            let pool = PoolID(namespace: try wish.text("namespace") ?? "default", name: try wish.requiredText("pool"))
            let name = try wish.requiredText("endpoint")
            return drain(name, of: pool, try wish.requiredFlag("draining"))
        } catch {
            return .text(error.message, status: .badRequest)
        }
    }

    private func drain(_ name: String, of pool: PoolID, _ isDraining: Bool) -> AdminResponse {
        guard let store = controller.state[pool: pool]?.endpoints else {
            return .text("there is no pool '\(pool)'", status: .notFound)
        }
        // As decisions and lists name it, or by its name alone.
        let known = store.current.endpoints.map(\.id).first { $0.description == name || $0.name == name }
        guard let known, store.setCordoned(isDraining, endpoint: known) else {
            return .text("the pool '\(pool)' has no endpoint '\(name)'", status: .notFound)
        }
        logger.notice(
            "\(isDraining ? "an endpoint drains" : "an endpoint takes requests again")",
            metadata: ["pool": "\(pool)", "endpoint": "\(known)"]
        )
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("draining", isDraining)
        writer.endObject()
        return .json(writer.bytes)
    }
}
