import DataLayer
import EngineClient
import ServiceLifecycle
import Synchronization

/// Runs the scrapers of all pools; pools come, change and go with reloads of the configuration.
final class PoolSupervisor: Service {
    /// A scraper's run, for the one who may end it.
    struct Run: Sendable {
        fileprivate let scraper: Scraper
        fileprivate let stopped: AsyncStream<Never>
        fileprivate let stopper: AsyncStream<Never>.Continuation

        /// Ends the run.
        func stop() {
            stopper.finish()
        }
    }

    private struct State {
        var arrived: [Run] = []
        var signal: AsyncStream<Void>.Continuation?
    }

    private let http: EngineHTTPClient
    private let state = Mutex(State())

    /// Makes a supervisor of scrapers that ask by `http`, whose connections it closes at the end.
    init(http: EngineHTTPClient) {
        self.http = http
    }

    /// Starts `scraper` as soon as the supervisor runs.
    func start(_ scraper: Scraper) -> Run {
        let (stopped, stopper) = AsyncStream.makeStream(of: Never.self, bufferingPolicy: .bufferingNewest(1))
        let run = Run(scraper: scraper, stopped: stopped, stopper: stopper)
        let signal = state.withLock { state in
            state.arrived.append(run)
            return state.signal
        }
        signal?.yield()
        return run
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            let (arrivals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            self.state.withLock { $0.signal = signal }
            signal.yield()
            await withDiscardingTaskGroup { group in
                for await _ in arrivals {
                    for run in self.takeArrived() { group.addTask { await Self.perform(run) } }
                }
                group.cancelAll()
            }
        }
        await http.shutdown()
    }

    /// Scrapes until the run is stopped or the task is cancelled.
    private static func perform(_ run: Run) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await run.scraper.run() }
            group.addTask { for await _ in run.stopped {} }
            await group.next()
            group.cancelAll()
        }
    }

    private func takeArrived() -> [Run] {
        state.withLock { state in
            defer { state.arrived = [] }
            return state.arrived
        }
    }
}
