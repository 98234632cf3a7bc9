import DataLayer
import GatewayCore
import Logging
import RequestControl
import ServiceLifecycle
import UnixSignals

/// A service whose name in the log is that of its type: what it holds is nobody's business there.
struct NamedService: Service, CustomStringConvertible {
    private let service: any Service

    init(_ service: any Service) {
        self.service = service
    }

    var description: String { "\(type(of: service))" }

    func run() async throws {
        try await service.run()
    }
}

/// Follows the signals that are about logs: `SIGUSR1` for more lines, `SIGUSR2` for fewer, and `SIGHUP` to open the
/// file of the access log anew.
struct LogSignals: Service {
    private let logs: ProcessLogs
    private let signals: UnixSignalsSequence

    /// From here on these signals do not end the process. Without a file `SIGHUP` stays as it is: the end.
    init(_ logs: ProcessLogs) async {
        self.logs = logs
        signals =
            logs.hasFiles
            ? await UnixSignalsSequence(trapping: .sigusr1, .sigusr2, .sighup)
            : await UnixSignalsSequence(trapping: .sigusr1, .sigusr2)
    }

    func run() async {
        let logger = logs.logger()
        for await signal in signals.cancelOnGracefulShutdown() {
            if signal == .sighup {
                logs.reopenFiles()
            } else {
                let level = logs.levels.step(isMore: signal == .sigusr1)
                // Whatever the level is now, whoever sent the signal wants to know.
                logger.log(level: max(level, .notice), "log level changed", metadata: ["to": "\(level.rawValue)"])
            }
        }
    }
}

/// What is logged of a gateway's traffic: its requests and its endpoints.
struct TrafficLogs: Sendable {
    private let requests: RequestLines
    private let endpoints: EndpointLog
    private let access: AccessLog?
    private let clock: any MonotonicClock

    init(_ logs: ProcessLogs, clock: any MonotonicClock = SystemMonotonicClock()) {
        self.clock = clock
        requests = RequestLines(logger: logs.logger(.requests), clock: clock)
        endpoints = EndpointLog(logger: logs.logger(.endpoints), clock: clock)
        access = logs.access
    }

    /// Who is to be told of requests that ended.
    var observers: [any RequestObserver] {
        guard let access else { return [requests] }
        return [requests, access]
    }

    /// What is to be told of endpoints.
    var onHealthChange: EndpointHealthListener {
        { [endpoints] pool, endpoint, change in endpoints.healthChanged(change, of: endpoint, in: pool) }
    }

    /// Tells what is told now and then, until the shutdown.
    ///
    /// - Parameter pools: the endpoints of all pools now.
    func service(pools: @escaping @Sendable () -> [(id: PoolID, view: EndpointStoreView)]) -> any Service {
        Housekeeping(logs: self, pools: pools)
    }

    private struct Housekeeping: Service {
        let logs: TrafficLogs
        let pools: @Sendable () -> [(id: PoolID, view: EndpointStoreView)]

        private static let pace = Duration.seconds(1)

        func run() async throws {
            await cancelWhenGracefulShutdown {
                while (try? await logs.clock.sleep(until: logs.clock.now.advanced(by: Self.pace))) != nil {
                    logs.endpoints.look(at: pools())
                    logs.endpoints.tellRests()
                    logs.requests.tellRests()
                }
            }
            // Of the requests of the drain too: this service is among the last to stop.
            logs.endpoints.tellRests(isLast: true)
            logs.requests.tellRests(isLast: true)
        }
    }
}
