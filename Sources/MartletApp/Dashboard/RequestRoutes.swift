import DataLayer
import GatewayCore
import NIOHTTP1
import RequestControl
import RequestFormats

/// What the admin address answers about the last requests: `/api/requests`.
struct RequestRoutes: AdminArea {
    static let path = "/api/requests"
    /// How many requests a list has unless `limit` says otherwise.
    private static let defaultLimit = 50

    private let controller: RequestController
    private let log: RequestLog

    init(controller: RequestController, log: RequestLog) {
        self.controller = controller
        self.log = log
    }

    var paths: [String] { [Self.path] }

    func answer(_ request: AdminRequest) -> AdminResponse? {
        guard request.path == Self.path else { return nil }
        guard request.isRead else { return .text("only GET and HEAD are answered here", status: .methodNotAllowed) }
        let query = AdminQuery(request.query)
        if let limit = query["limit"], Int(limit).map({ $0 < 0 }) ?? true {
            return .text("limit '\(limit)' is not a number from 0", status: .badRequest)
        }
        let limit = query["limit"].flatMap { Int($0) } ?? Self.defaultLimit
        return .json(list(log.latest(limit) { Self.allows($0, query) }))
    }

    private static func allows(_ summary: RequestSummary, _ query: AdminQuery) -> Bool {
        guard query["model"].map({ $0 == summary.model || $0 == summary.targetModel }) ?? true,
            query.allows(summary.pool?.name ?? "", for: "pool"),
            query.allows(summary.endpoint?.name ?? "", for: "endpoint")
        else { return false }
        switch query["outcome"] {
        case nil, "": break
        case "completed": if !summary.isGood { return false }
        case "failed": if summary.isGood { return false }
        case .some(let wanted):
            if ![summary.word, summary.rejection?.reason.rawValue].contains(wanted) { return false }
        }
        guard let text = query["text"]?.lowercased(), !text.isEmpty else { return true }
        return [
            summary.requestID, String(summary.path), summary.model, summary.targetModel, summary.objective,
            summary.fairnessID, summary.endpoint?.name ?? "", summary.destination, summary.rejection?.message ?? "",
        ].contains { $0.lowercased().contains(text) }
    }

    private func list(_ found: [RequestSummary]) -> [UInt8] {
        let now = controller.now()
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("requests")
        writer.beginArray()
        for summary in found { Self.write(summary, now: now, to: &writer) }
        writer.endArray()
        writer.field("running", controller.state.pools.reduce(0) { $0 + $1.endpoints.ledger.openLeases })
        writer.endObject()
        return writer.bytes
    }

    private static func write(_ summary: RequestSummary, now: MonotonicInstant, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("request_id", summary.requestID)
        writer.field("age_seconds", now.seconds(since: summary.endedAt))
        writer.field("path", String(summary.path))
        writer.field("pool", summary.pool?.name)
        writer.field("model", summary.model)
        writer.field("target_model", summary.targetModel)
        writer.field("objective", summary.objective)
        writer.field("priority", summary.priority)
        writer.field("fairness_id", summary.fairnessID)
        writer.field("endpoint", summary.endpoint?.name)
        writer.field("address", summary.destination)
        writer.field("attempts", summary.attempts)
        writer.field("status", summary.status)
        writer.field("outcome", summary.word)
        writer.field("reason", summary.rejection?.reason.rawValue)
        writer.field("message", summary.rejection?.message)
        writer.field("stream", summary.isEventStream)
        writer.field("waited_seconds", summary.waited?.fractionalSeconds)
        writer.field("decision_us", Double(summary.decisionNanoseconds) / 1_000)
        writer.field("ttft_seconds", summary.firstByteAt.map { $0.seconds(since: summary.receivedAt) })
        writer.field("duration_seconds", summary.endedAt.seconds(since: summary.receivedAt))
        writer.field("request_bytes", summary.requestBytes)
        writer.field("response_bytes", summary.responseBytes)
        writer.field("prompt_tokens", summary.usage?.promptTokens)
        writer.field("output_tokens", summary.usage?.completionTokens)
        writer.field("cached_tokens", summary.usage?.cachedTokens)
        writer.endObject()
    }
}

extension RequestSummary {
    /// How it ended in one word: the outcome at its endpoint, or `refused`.
    fileprivate var word: String { outcome?.rawValue ?? "refused" }

    /// Whether the client got what it asked for.
    fileprivate var isGood: Bool { outcome == .completed && status < 400 }
}
