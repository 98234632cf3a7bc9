import BuiltinPlugins
import DataLayer
import GatewayConfiguration
import GatewayCore
import RequestControl
import RequestFormats
import Scheduling
import Synchronization

/// Turns plans into running pools, and keeps what a reload does not change.
///
/// A pool keeps its endpoints' state, leases and in-flight counts through every reload; its scheduler, with the prefix
/// index, is made anew only when its EndpointPickerConfig changed.
final class GatewayAssembly: Sendable {
    private struct RunningPool {
        let store: EndpointStore
        let scheduler: SchedulerBox
        var runtime: PoolRuntime
        var picker: String
        var scraping: PoolSupervisor.Run
    }

    private let options: ServeOptions
    private let clock: any MonotonicClock
    private let metrics: GatewayMetrics
    private let http: any OutboundHTTP
    private let timer: any CallbackTimer
    private let supervisor: PoolSupervisor
    private let running = Mutex<[PoolID: RunningPool]>([:])

    init(
        options: ServeOptions,
        clock: any MonotonicClock,
        metrics: GatewayMetrics,
        http: any OutboundHTTP,
        timer: any CallbackTimer,
        supervisor: PoolSupervisor
    ) {
        self.options = options
        self.clock = clock
        self.metrics = metrics
        self.http = http
        self.timer = timer
        self.supervisor = supervisor
    }

    /// A plan with the pipelines of its new and changed pools: nothing can fail any more.
    struct Prepared: Sendable {
        /// The plan.
        let plan: GatewayPlan
        /// What the plan and the pipelines warn of.
        let warnings: [String]
        fileprivate let pipelines: [PluginPipeline?]
    }

    /// Builds what `plan` needs. Nothing of it runs.
    ///
    /// - Throws: ``ConfigurationError`` when a pipeline cannot be built.
    func prepare(_ plan: GatewayPlan) throws -> Prepared {
        let pipelines = try plan.pools.map { try pipelineIfChanged($0) }
        let warnings = plan.warnings + pipelines.compactMap(\.self).flatMap(\.warnings).map(\.description)
        return Prepared(plan: plan, warnings: warnings, pipelines: pipelines)
    }

    /// Makes the state of a plan: new pools start, gone ones end, the others take their new endpoints.
    func commit(_ prepared: Prepared) -> GatewayState {
        let plan = prepared.plan
        let pipelines = prepared.pipelines
        return running.withLock { running in
            var next: [PoolID: RunningPool] = [:]
            for (pool, pipeline) in zip(plan.pools, pipelines) {
                next[pool.id] = update(running[pool.id], to: pool, pipeline: pipeline)
            }
            for (id, gone) in running where next[id] == nil {
                gone.scraping.stop()
                gone.store.replaceEndpoints([])
            }
            running = next
            return GatewayState(
                tables: plan.tables,
                pools: plan.pools.compactMap { next[$0.id]?.runtime },
                modelMapping: plan.modelMapping
            )
        }
    }

    /// The pipeline of a pool that is new or whose configuration changed; `nil` for one that stays.
    private func pipelineIfChanged(_ pool: GatewayPlan.Pool) throws -> PluginPipeline? {
        let picker = CanonicalPrinter.print(pool.picker)
        if running.withLock({ $0[pool.id]?.picker }) == picker { return nil }
        let builder = PipelineBuilder(
            registry: BuiltinCatalogue.registry(),
            knownTypes: KnownPlugins.types,
            allowsExperimental: options.allowsExperimentalPlugins
        )
        return try builder.build(pool.picker, context: PluginContext(clock: clock))
    }

    private func update(
        _ present: RunningPool?,
        to pool: GatewayPlan.Pool,
        pipeline: PluginPipeline?
    ) -> RunningPool {
        let result: RunningPool
        if let pipeline {
            let scheduler = Scheduler(pipeline: pipeline)
            let box = present?.scheduler ?? SchedulerBox()
            box.replace(with: scheduler)
            let store = present?.store ?? makeStore(pool.id, scheduler: box)
            present?.scraping.stop()
            result = RunningPool(
                store: store,
                scheduler: box,
                runtime: PoolRuntime(id: pool.id, endpoints: store, scheduler: scheduler),
                picker: CanonicalPrinter.print(pool.picker),
                scraping: supervisor.start(scraper(of: store, pipeline: pipeline))
            )
        } else if let present {
            result = present
        } else {
            preconditionFailure("a new pool always has a pipeline")
        }
        result.store.replaceEndpoints(pool.endpoints)
        return result
    }

    private func makeStore(_ id: PoolID, scheduler: SchedulerBox) -> EndpointStore {
        EndpointStore(pool: id, clock: clock, metrics: metrics.dataLayer) { endpoint in
            scheduler.present?.endpointDidLeave(endpoint)
        }
    }

    private func scraper(of store: EndpointStore, pipeline: PluginPipeline) -> Scraper {
        var configuration = ScrapeConfiguration()
        configuration.interval = options.scrapeInterval
        for instance in pipeline.plugins {
            if let source = instance.plugin as? any MetricsSource { configuration.apply(source.settings) }
            if let extractor = instance.plugin as? any MetricsExtractor { configuration.engines = extractor.mappings }
        }
        return Scraper(
            store: store,
            http: http,
            timer: timer,
            clock: clock,
            configuration: configuration,
            metrics: metrics.dataLayer
        )
    }
}

/// Holds the present scheduler of a pool for the store, which outlives it.
private final class SchedulerBox: Sendable {
    private let scheduler = Mutex<Scheduler?>(nil)

    var present: Scheduler? { scheduler.withLock { $0 } }

    func replace(with next: Scheduler) {
        scheduler.withLock { $0 = next }
    }
}

extension ScrapeConfiguration {
    fileprivate mutating func apply(_ settings: MetricsSourceSettings) {
        metricsPath = settings.path
        if settings.scheme == .https { isMetricsSecure = true }
        metricsPort = settings.port
        if let interval = settings.interval { self.interval = max(interval, Self.shortestInterval) }
    }
}
