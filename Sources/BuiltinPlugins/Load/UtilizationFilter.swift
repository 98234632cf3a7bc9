import GatewayCore

/// Keeps the endpoints on which no metric is above its limit. A metric that an endpoint has not told counts as 0.
struct UtilizationFilter: Filter {
    static let descriptor = PluginDescriptor(
        type: "utilization-filter",
        stability: .alpha,
        summary: "Keeps endpoints whose load is within limits."
    )

    private enum MetricName: String, CaseIterable {
        case activeRequests = "active-requests"
        case runningRequests = "running-requests"
        case waitingQueue = "waiting-queue"
        case kvCacheUtilization = "kv-cache-utilization"

        /// What is read of an endpoint.
        var metric: Metric {
            switch self {
            case .activeRequests: .activeRequests
            case .runningRequests: .attribute(.runningRequests)
            case .waitingQueue: .attribute(.waitingRequests)
            case .kvCacheUtilization: .attribute(.kvCacheUsage)
            }
        }
    }

    private enum Metric {
        /// Requests that the gateway has in flight on the endpoint.
        case activeRequests
        case attribute(EndpointAttribute)
    }

    private struct Condition {
        let name: MetricName
        let metric: Metric
        let maximum: Double

        init(_ name: MetricName, maximum: Double) {
            self.name = name
            metric = name.metric
            self.maximum = maximum
        }

        func holds(on endpoint: EndpointSnapshot) -> Bool {
            switch metric {
            case .activeRequests: Double(endpoint.load.requests) <= maximum
            case .attribute(let attribute): attribute.value(on: endpoint) ?? 0 <= maximum
            }
        }

        var rule: String { "\(name.rawValue) <= \(maximum.written)" }
    }

    private let conditions: [Condition]
    private let fallsBack: Bool
    private let rule: String

    /// Reads `conditions` (at least one, of `metric` and `maxValue`), `fallbackOnEmpty` (default `false`) and
    /// `inFlightLoadProducerName`, which has no effect.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        let conditions = parameters.objects("conditions").compactMap(Self.condition)
        parameters.require("conditions")
        if parameters.contains("conditions"), parameters.array("conditions").isEmpty {
            parameters.report("there must be at least one condition", at: "conditions")
        }
        self.conditions = conditions
        rule = conditions.map(\.rule).joined(separator: " and ")
        fallsBack = parameters.bool("fallbackOnEmpty", default: false)
        parameters.acceptWithoutEffect("inFlightLoadProducerName", because: InFlightLoads.requestsNeedNoProducer)
    }

    private static func condition(_ parameters: ParameterDecoder) -> Condition? {
        let name = parameters.enumeration("metric", of: MetricName.self)
        parameters.require("metric", "maxValue")
        let range = 0...(name == .kvCacheUtilization ? 1 : Double.greatestFiniteMagnitude)
        let maximum = parameters.double("maxValue", in: range)
        guard let name, let maximum else { return nil }
        return Condition(name, maximum: maximum)
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        candidates.keep(orAll: fallsBack) { endpoint in
            conditions.allSatisfy { $0.holds(on: endpoint) }
        }
    }

    func rule(in context: SchedulingContext) -> String { rule }
}
