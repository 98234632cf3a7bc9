import DataLayer
import GatewayCore
import RequestControl
import RequestFormats
import Scheduling

/// Decisions as JSON: what `/api/decisions` and `martlet explain --output json` answer.
struct DecisionJSON {
    private var writer = JSONWriter()
    private let now: MonotonicInstant

    /// One decision.
    static func document(_ decision: DecisionRecord, now: MonotonicInstant) -> [UInt8] {
        var json = DecisionJSON(now: now)
        json.write(decision)
        return json.writer.bytes
    }

    /// Several decisions, in their order.
    static func list(_ decisions: [DecisionRecord], now: MonotonicInstant) -> [UInt8] {
        var json = DecisionJSON(now: now)
        json.writer.beginObject()
        json.writer.key("decisions")
        json.writer.beginArray()
        for decision in decisions { json.write(decision) }
        json.writer.endArray()
        json.writer.endObject()
        return json.writer.bytes
    }

    private init(now: MonotonicInstant) {
        self.now = now
    }

    private mutating func write(_ decision: DecisionRecord) {
        writer.beginObject()
        text("request_id", decision.requestID)
        integer("attempt", decision.attempt)
        writer.key("age_seconds")
        writer.double(now.seconds(since: decision.begunAt))
        microseconds(decision.nanoseconds)
        text("pool", decision.pool.name)
        text("namespace", decision.pool.namespace)
        text("model", decision.model)
        text("target_model", decision.targetModel)
        text("objective", decision.objective)
        integer("priority", decision.priority)
        text("fairness_id", decision.fairnessID)
        integer("input_tokens", decision.inputTokens)
        if let waited = decision.waited {
            writer.key("queue_seconds")
            writer.double(waited.fractionalSeconds)
        }
        texts("tried", decision.tried.map(\.description))
        if !decision.cordoned.isEmpty { texts("draining", decision.cordoned.map(\.description)) }
        texts("picked", decision.picked.map(\.description))
        if let rejection = decision.rejection {
            text("refused", rejection.reason.rawValue)
            text("message", rejection.message)
        }
        writer.key("endpoints")
        writer.beginArray()
        for endpoint in decision.trace.endpoints {
            write(endpoint, faults: decision.faults[endpoint.id] ?? [:], at: decision.begunAt)
        }
        writer.endArray()
        writeFaultsOfOthers(decision)
        write(decision.trace)
        writer.endObject()
    }

    /// Writes the faults of endpoints that were no candidates.
    private mutating func writeFaultsOfOthers(_ decision: DecisionRecord) {
        if decision.faults.isEmpty { return }
        let candidates = Set(decision.trace.endpoints.map(\.id))
        let others = decision.faults.filter { !candidates.contains($0.key) }.sorted { $0.key < $1.key }
        if others.isEmpty { return }
        writer.key("other_endpoints")
        writer.beginArray()
        for (id, faults) in others {
            writer.beginObject()
            text("endpoint", id.description)
            writer.scrapeFaults(faults)
            writer.endObject()
        }
        writer.endArray()
    }

    private mutating func write(
        _ endpoint: EndpointSnapshot,
        faults: [String: [ScrapeFault]],
        at instant: MonotonicInstant
    ) {
        writer.beginObject()
        text("endpoint", endpoint.id.description)
        text("address", endpoint.address.authority)
        integer("waiting", endpoint.metrics.waitingQueueSize)
        integer("running", endpoint.metrics.runningRequests)
        writer.key("kv_cache_usage")
        writer.double(endpoint.metrics.kvCacheUsage)
        texts("active_adapters", endpoint.metrics.activeModels)
        writer.key("metrics_age_seconds")
        if let age = endpoint.metricsAge(at: instant) { writer.double(age.fractionalSeconds) } else { writer.null() }
        writer.scrapeFaults(faults)
        writer.endObject()
    }

    private mutating func write(_ trace: SchedulingTrace) {
        var left = Array(trace.endpoints.indices)
        writer.key("steps")
        writer.beginArray()
        for step in trace.commonSteps { write(step, left: &left, trace) }
        writer.endArray()
        writer.key("profiles")
        writer.beginArray()
        for run in trace.runs {
            var left = left
            writer.beginObject()
            text("profile", run.profile)
            writer.key("steps")
            writer.beginArray()
            for step in run.steps { write(step, left: &left, trace) }
            writer.endArray()
            texts("scored", run.scored.map { trace.endpoints[$0].id.description })
            numbers("totals", run.sums)
            texts("picked", trace.picked(in: run).map(\.description))
            writer.endObject()
        }
        writer.endArray()
    }

    /// Writes a step; `left` has the positions before it, and those that it left afterwards.
    private mutating func write(
        _ step: SchedulingTrace.Step,
        left: inout [Int],
        _ trace: SchedulingTrace
    ) {
        writer.beginObject()
        text("stage", step.stage.rawValue)
        text("plugin", step.name)
        microseconds(step.nanoseconds)
        if step.left != nil { texts("removed", step.removed(from: &left).map { trace.endpoints[$0].id.description }) }
        if let rule = step.rule { text("rule", rule) }
        if step.stage == .scorer {
            writer.key("weight")
            writer.double(step.weight)
            numbers("scores", step.scores)
        }
        writer.endObject()
    }

    // MARK: - Members

    private mutating func text(_ key: String, _ value: String) {
        writer.key(key)
        writer.string(value)
    }

    private mutating func integer(_ key: String, _ value: Int) {
        writer.key(key)
        writer.integer(value)
    }

    private mutating func microseconds(_ nanoseconds: Int64) {
        writer.key("microseconds")
        writer.double(Double(nanoseconds) / 1_000)
    }

    private mutating func texts(_ key: String, _ values: [String]) {
        writer.key(key)
        writer.beginArray()
        for value in values { writer.string(value) }
        writer.endArray()
    }

    /// Numbers of single precision, with as many digits as tell them apart.
    private mutating func numbers(_ key: String, _ values: [Float]) {
        writer.key(key)
        writer.beginArray()
        for value in values { writer.double(Double("\(value)") ?? 0) }
        writer.endArray()
    }
}

extension SchedulingTrace.Step {
    /// The positions that the step removed from `left`, which then has what it left.
    func removed(from left: inout [Int]) -> [Int] {
        guard let after = self.left else { return [] }
        let kept = Set(after)
        defer { left = after }
        return left.filter { !kept.contains($0) }
    }
}
