import DataLayer
import GatewayCore
import GatewayTesting
import Telemetry

/// A run of a scraper over endpoints that answer as a function says. Everything happens inside ``run(for:)``.
struct ScrapeRig {
    let clock = ManualClock()
    let store: EndpointStore
    let http: FakeOutboundHTTP
    let run: ScrapeRun
    let metrics: DataLayerMetrics
    let registry = MetricRegistry()

    init(
        _ endpoints: [EndpointDescription],
        configuration: ScrapeConfiguration = ScrapeConfiguration(),
        answer: @escaping FakeOutboundHTTP.Answer
    ) throws {
        metrics = try DataLayerMetrics(registry: registry)
        store = EndpointStore(pool: PoolID(name: "pool"), clock: clock, metrics: metrics)
        http = FakeOutboundHTTP(answer)
        run = ScrapeRun(
            store: store, http: http, timer: clock, clock: clock, configuration: configuration, metrics: metrics
        )
        replaceEndpoints(endpoints)
    }

    func replaceEndpoints(_ endpoints: [EndpointDescription]) {
        store.replaceEndpoints(endpoints)
        run.followMembership()
    }

    /// Steps the clock from one deadline to the next until `duration` has passed.
    func run(for duration: Duration) {
        let end = clock.now.advanced(by: duration)
        while let next = clock.nextDeadline, next <= end { clock.advance(to: next) }
        clock.advance(to: end)
    }

    /// How often `path` was asked for, at `port` or anywhere.
    func requests(_ path: String, port: Int? = nil) -> Int {
        http.requests.count { $0.path == path && (port == nil || $0.address.port == port) }
    }

    /// What is wrong with the last pages of the endpoint at `position`, as `field/reason`: of one source, or of
    /// all together.
    func faults(_ position: Int, from source: String? = nil) -> [String] {
        let view = store.current
        return (view.faults[view.endpoints[position].id] ?? [:]).sorted { $0.key < $1.key }.filter {
            source == nil || $0.key == source
        }.flatMap(\.value)
            .map { "\($0.field.rawValue)/\($0.reason.rawValue)" }
    }
}
