import GatewayCore

/// Keeps the endpoints on which no metric is above its limit. A metric that an endpoint has not told counts as 0.
struct UtilizationFilter: Filter {
    static let descriptor = PluginDescriptor(
        type: "utilization-filter",
        stability: .alpha,
        summary: "Keeps endpoints whose load is within limits."
    )

    private enum Metric: String, CaseIterable {
        case activeRequests = "active-requests"
        case runningRequests = "running-requests"
        case waitingQueue = "waiting-queue"
        case kvCacheUtilization = "kv-cache-utilization"

        func value(on endpoint: EndpointSnapshot) -> Double {
            switch self {
            case .activeRequests: Double(endpoint.load.requests)
            case .runningRequests: Double(endpoint.metrics.runningRequests)
            case .waitingQueue: Double(endpoint.metrics.waitingQueueSize)
            case .kvCacheUtilization: endpoint.metrics.kvCacheUsage
            }
        }
    }

    private struct Condition {
        let metric: Metric
        let maximum: Double

        /// NaN is above no limit.
        func holds(on endpoint: EndpointSnapshot) -> Bool {
            !(metric.value(on: endpoint) > maximum)
        }

        var rule: String { "\(metric.rawValue) <= \(maximum.written)" }
    }

    private let conditions: [Condition]
    private let fallsBack: Bool
    private let rule: String

    /// Reads `conditions` (at least one, of `metric` and `maxValue`), `fallbackOnEmpty` (default `false`) and
    /// `inFlightLoadProducerName`.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        let conditions = parameters.objects("conditions").compactMap(Self.condition)
        parameters.require("conditions")
        if parameters.contains("conditions"), parameters.array("conditions").isEmpty {
            parameters.report("there must be at least one condition", at: "conditions")
        }
        self.conditions = conditions
        rule = conditions.map(\.rule).joined(separator: " and ")
        fallsBack = parameters.bool("fallbackOnEmpty", default: false)
        if conditions.contains(where: { $0.metric == .activeRequests }) {
            _ = InFlightLoads.reader(parameters, context: &context)
        } else {
            parameters.accept("inFlightLoadProducerName")
        }
    }

    private static func condition(_ parameters: ParameterDecoder) -> Condition? {
        let metric = parameters.enumeration("metric", of: Metric.self)
        parameters.require("metric", "maxValue")
        let range = 0...(metric == .kvCacheUtilization ? 1 : Double.greatestFiniteMagnitude)
        let maximum = parameters.double("maxValue", in: range)
        guard let metric, let maximum else { return nil }
        return Condition(metric: metric, maximum: maximum)
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        candidates.keep(orAll: fallsBack) { endpoint in
            conditions.allSatisfy { $0.holds(on: endpoint) }
        }
    }

    func rule(in context: SchedulingContext) -> String { rule }
}

extension Candidates {
    /// Keeps the candidates that `isKept` accepts; all of them when it accepts none and `fallsBack`.
    mutating func keep(orAll fallsBack: Bool, where isKept: (EndpointSnapshot) -> Bool) {
        guard fallsBack else { return keep(where: isKept) }
        var narrowed = self
        narrowed.keep(where: isKept)
        if !narrowed.isEmpty { self = narrowed }
    }
}
