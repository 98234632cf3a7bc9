import DataLayer
import FlowControl
import GatewayConfiguration
import GatewayCore
import RequestControl
import RequestFormats
import Scheduling
import Synchronization
import Telemetry

/// Turns plans into running pools, and keeps what a reload does not change.
///
/// A pool keeps its endpoints' state, leases and in-flight counts through every reload; its scheduler, with the prefix
/// index, is made anew only when its EndpointPickerConfig changed.
final class GatewayAssembly: Sendable {
    private struct RunningPool {
        let store: EndpointStore
        let scheduler: SchedulerBox
        let queues: PoolQueues
        var runtime: PoolRuntime
        var picker: String
        var endpoints: [EndpointDescription]
        /// Where the endpoints come from when the plan does not have them.
        var source: (any EndpointSource)?
        var scraping: PoolSupervisor.Run
    }

    private let settings: GatewaySettings
    private let clock: any MonotonicClock
    private let metrics: GatewayMetrics
    private let http: any OutboundHTTP
    private let timer: any CallbackTimer
    private let supervisor: PoolSupervisor
    private let running = Mutex<[PoolID: RunningPool]>([:])

    init(
        settings: GatewaySettings,
        clock: any MonotonicClock,
        metrics: GatewayMetrics,
        http: any OutboundHTTP,
        timer: any CallbackTimer,
        supervisor: PoolSupervisor
    ) {
        self.settings = settings
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
        /// The discovery files to watch, as they were before they were read.
        let discoveryFiles: [String: ConfigurationWatcher.Fingerprint]
        fileprivate let pools: [PreparedPool]
    }

    /// What of a pool could fail, done.
    fileprivate struct PreparedPool: Sendable {
        /// The pipeline of a pool that is new or whose configuration changed.
        let pipeline: PluginPipeline?
        let endpoints: [EndpointDescription]
    }

    /// The discovery files whose changes are to be followed now.
    var watchedFiles: [String] {
        running.withLock { running in running.values.compactMap { $0.source?.watchedPath } }
    }

    /// Builds what `plan` needs. Nothing of it runs.
    ///
    /// - Throws: ``ConfigurationError`` when a pipeline cannot be built or a discovery file is wrong.
    func prepare(_ plan: GatewayPlan) throws -> Prepared {
        var warnings = plan.warnings + plan.parserWarnings
        var files: [String: ConfigurationWatcher.Fingerprint] = [:]
        let pools = try plan.pools.map { pool in
            let pipeline = try pipelineIfChanged(pool)
            warnings += pipeline?.warnings.map(\.description) ?? []
            if let warning = pipeline.flatMap({ metricsLifetimeWarning(of: pool.id, $0) }) { warnings.append(warning) }
            if !settings.isBehindProxy, let pipeline { warnings += pipeline.reporterWarnings }
            let found = try endpoints(of: pool, pipeline, files: &files)
            warnings += found.warnings
            return PreparedPool(pipeline: pipeline, endpoints: found.endpoints)
        }
        return Prepared(plan: plan, warnings: warnings, discoveryFiles: files, pools: pools)
    }

    /// The endpoints of a pool: those of the plan, unless the pool has a source of its own. A source that is not
    /// watched is read once.
    private func endpoints(
        of pool: GatewayPlan.Pool,
        _ pipeline: PluginPipeline?,
        files: inout [String: ConfigurationWatcher.Fingerprint]
    ) throws -> (endpoints: [EndpointDescription], warnings: [String]) {
        let present = running.withLock { $0[pool.id] }
        guard let source = pipeline == nil ? present?.source : pipeline?.endpointSource else {
            return (pool.endpoints, [])
        }
        if pipeline == nil, !source.isWatched, let present { return (present.endpoints, []) }
        if let path = source.watchedPath { files[path] = ConfigurationWatcher.Fingerprint(path: path) }
        let file = try EndpointListFile.load(path: source.path, targetPorts: pool.targetPorts)
        return (file.endpoints.map(EndpointDescription.init), file.warnings.map(\.description))
    }

    /// Makes the state of a plan: new pools start, gone ones end, the others take their new endpoints. One call at a
    /// time. Plugins learn of endpoints that left without a lock held.
    func commit(_ prepared: Prepared) -> GatewayState {
        let plan = prepared.plan
        let (present, gone) = running.withLock { running in
            var next: [PoolID: RunningPool] = [:]
            for (pool, ready) in zip(plan.pools, prepared.pools) {
                next[pool.id] = update(running[pool.id], to: pool, ready)
                next[pool.id]?.queues.setPriorities(plan.objectives[pool.id]?.priorities ?? [])
            }
            defer { running = next }
            return (plan.pools.compactMap { next[$0.id] }, running.filter { next[$0.key] == nil }.map(\.value))
        }
        for pool in present { pool.store.replaceEndpoints(pool.endpoints) }
        for pool in gone {
            pool.scraping.stop()
            pool.store.replaceEndpoints([])
            pool.queues.stop()
            pool.store.onRoom(nil)
        }
        let models = plan.rewrites.values.reduce(into: Set()) { $0.formUnion($1.models) }
        metrics.requests.pinModels(models)
        metrics.scheduling.pinModels(models)
        return GatewayState(
            tables: plan.tables,
            pools: present.map(\.runtime),
            parsers: plan.parsers,
            modelMapping: plan.modelMapping,
            objectives: plan.objectives,
            rewrites: plan.rewrites
        )
    }

    /// Gives a pool other endpoints without touching anything else of it; a pool that does not run is left alone. Not
    /// beside ``commit(_:)``.
    func replaceEndpoints(of pool: PoolID, with endpoints: [EndpointDescription]) {
        let store = running.withLock { running in
            running[pool]?.endpoints = endpoints
            return running[pool]?.store
        }
        store?.replaceEndpoints(endpoints)
    }

    /// The pipeline of a pool that is new or whose configuration changed; `nil` for one that stays.
    private func pipelineIfChanged(_ pool: GatewayPlan.Pool) throws -> PluginPipeline? {
        let picker = CanonicalPrinter.print(pool.picker)
        if running.withLock({ $0[pool.id]?.picker }) == picker { return nil }
        let builder = PipelineBuilder(
            registry: settings.plugins,
            allowsExperimental: settings.allowsExperimentalPlugins
        )
        let pipeline = try builder.build(pool.picker, context: PluginContext(clock: clock))
        let idleInterval = IdleIntervalCheck(scrape: settings.scrape, staleness: settings.metricsStaleness)
        try idleInterval.run(pipeline, of: pool.picker)
        return pipeline
    }

    private func update(
        _ present: RunningPool?,
        to pool: GatewayPlan.Pool,
        _ ready: PreparedPool
    ) -> RunningPool {
        var result: RunningPool
        if let pipeline = ready.pipeline {
            let scheduler = Scheduler(pipeline: pipeline, metrics: metrics.scheduling)
            let box = present?.scheduler ?? SchedulerBox()
            box.replace(with: scheduler)
            let store = present?.store ?? makeStore(pool.id, scheduler: box)
            let queues = present?.queues ?? PoolQueues()
            let flowControl = flowController(of: store, pipeline: pipeline)
            queues.replace(with: flowControl)
            if flowControl != nil { store.onRoom { queues.poolChanged() } }
            present?.scraping.stop()
            let picker = CanonicalPrinter.print(pool.picker)
            result = RunningPool(
                store: store,
                scheduler: box,
                queues: queues,
                runtime: PoolRuntime(
                    id: pool.id,
                    endpoints: store,
                    scheduler: scheduler,
                    flowControl: flowControl,
                    configuration: picker
                ),
                picker: picker,
                endpoints: [],
                source: pipeline.endpointSource,
                scraping: supervisor.start(scraper(of: store, pipeline: pipeline))
            )
        } else if let present {
            result = present
        } else {
            preconditionFailure("a new pool always has a pipeline")
        }
        result.endpoints = ready.endpoints
        return result
    }

    /// The queues of a pool; `nil` where its configuration lets nobody wait.
    private func flowController(of store: EndpointStore, pipeline: PluginPipeline) -> FlowController? {
        guard let flow = pipeline.flowControl, let detector = pipeline.saturationDetector else { return nil }
        // Without metrics the room that an evicted request leaves is known at once; else with the next ones.
        let interval = settings.scrape.applying(pipeline).interval
        let showsByMetrics = interval + settings.metricsStaleness + .milliseconds(250)
        return FlowController(
            settings: flow,
            rooms: PoolRooms(endpoints: store, detector: detector),
            evictionGrace: detector.metricsLifetime == nil ? .milliseconds(10) : showsByMetrics,
            clock: clock,
            timer: timer,
            meter: FlowMeter(metrics: metrics.flowControl, pool: store.pool)
        )
    }

    private func makeStore(_ id: PoolID, scheduler: SchedulerBox) -> EndpointStore {
        EndpointStore(
            pool: id,
            clock: clock,
            metrics: metrics.dataLayer,
            onHealthChange: settings.onHealthChange
        ) { endpoint in
            scheduler.present?.endpointDidLeave(endpoint)
        }
    }

    /// Says that metrics come too seldom for a pool's saturation detector; `nil` when they do not.
    private func metricsLifetimeWarning(of pool: PoolID, _ pipeline: PluginPipeline) -> String? {
        let interval = settings.scrape.applying(pipeline).interval
        guard let lifetime = pipeline.saturationDetector?.metricsLifetime, lifetime < interval else { return nil }
        return "The saturation detector of the pool '\(pool.name)' does without metrics older than "
            + "\(GoDuration.format(lifetime)), and they are fetched every \(GoDuration.format(interval)): most of the "
            + "time it knows nothing, and refuses nobody."
    }

    private func scraper(of store: EndpointStore, pipeline: PluginPipeline) -> Scraper {
        Scraper(
            store: store,
            http: http,
            timer: timer,
            clock: clock,
            configuration: settings.scrape.applying(pipeline),
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

extension EndpointSource {
    /// The path to watch; `nil` when changes are not followed.
    fileprivate var watchedPath: String? { isWatched ? path : nil }
}

extension PluginPipeline {
    /// What of the pipeline needs a proxy in front of the gateway.
    fileprivate var reporterWarnings: [String] {
        plugins.filter { $0.plugin is any ResponseReporter }.map { instance in
            "plugin '\(instance.name)' has no effect: there is no proxy in front that could be told"
        }
    }
}
