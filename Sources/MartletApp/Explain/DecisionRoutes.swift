import GatewayCore
import NIOHTTP1
import RequestControl

/// What the admin address answers about decisions: `/api/decisions`, `/api/decisions/ID` and `/api/explain`.
struct DecisionRoutes: AdminArea {
    static let listPath = "/api/decisions"
    static let explainPath = "/api/explain"

    private let controller: RequestController
    /// How many decisions a list has unless `limit` says otherwise.
    private static let defaultLimit = 20

    init(controller: RequestController) {
        self.controller = controller
    }

    var paths: [String] { [Self.listPath, Self.explainPath] }

    func takesBody(_ request: AdminRequest) -> Bool {
        request.method == .POST && request.path == Self.explainPath
    }

    /// The answer; `nil` when the path is another's.
    func answer(_ request: AdminRequest) -> AdminResponse? {
        if request.path == Self.explainPath { return explain(request) }
        guard request.path == Self.listPath || request.path.hasPrefix("\(Self.listPath)/") else { return nil }
        guard request.isRead else { return .text("only GET and HEAD are answered here", status: .methodNotAllowed) }
        guard let decisions = controller.decisions else {
            return .text("no decisions are kept; start with --keep-decisions 1000", status: .notFound)
        }
        let id = request.path.dropFirst(Self.listPath.count + 1)
        if !id.isEmpty { return one(id.percentDecoded(plusIsSpace: false), decisions, request) }
        let query = AdminQuery(request.query)
        let limit = query["limit"].flatMap { Int($0) } ?? Self.defaultLimit
        let found = decisions.latest(max(0, limit)) { decision in
            query.allows(decision.model, for: "model") && query.allows(decision.pool.name, for: "pool")
                && query.allows(decision.picked.first?.name ?? "", for: "endpoint")
        }
        if query.wantsText(request) { return .text(DecisionTable.overview(found, now: controller.now())) }
        return .json(DecisionJSON.list(found, now: controller.now()))
    }

    /// All attempts of one request, the last one first.
    private func one(_ id: String, _ decisions: DecisionLog, _ request: AdminRequest) -> AdminResponse {
        let found = decisions.latest { $0.requestID == id }
        if found.isEmpty { return .text("no decision about the request '\(id)' is kept", status: .notFound) }
        if AdminQuery(request.query).wantsText(request) {
            return .text(found.map(DecisionTable.text).joined(separator: "\n\n"))
        }
        return .json(DecisionJSON.list(found, now: controller.now()))
    }

    /// Decides about the request in the body without sending it. Its header is that of the question; its path is in the
    /// query.
    private func explain(_ question: AdminRequest) -> AdminResponse {
        guard question.method == .POST else {
            return .text("POST the request whose way is to be explained", status: .methodNotAllowed)
        }
        let query = AdminQuery(question.query)
        let tables = controller.state.tables
        guard let routes = query["port"].flatMap({ Int($0) }).map(RouteTableKey.port) ?? tables.keys.min(),
            tables[routes] != nil
        else { return .text("no listener has the port '\(query["port"] ?? "")'", status: .notFound) }
        let request = IncomingRequest(
            method: "POST",
            target: query["path"] ?? "/v1/chat/completions",
            authority: question.headers.first("host") ?? "",
            headers: question.headers,
            body: ArrayBody(question.body),
            receivedAt: controller.now()
        )
        switch controller.explain(request, routes: routes) {
        case .refused(let rejection):
            let text = "refused before an endpoint was chosen: \(rejection.reason.rawValue): \(rejection.message)"
            return .text(text, status: .unprocessableEntity)
        case .decided(let decision):
            if query.wantsText(question) { return .text(DecisionTable.text(decision)) }
            return .json(DecisionJSON.document(decision, now: controller.now()))
        }
    }
}
