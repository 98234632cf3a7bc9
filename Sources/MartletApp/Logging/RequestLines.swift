import GatewayCore
import Logging
import RequestControl
import Synchronization
import Telemetry

/// A line for each request that did not go well, with the reason; of many like it, only the first few.
///
/// At the level `debug` every request has a line, whatever became of it.
final class RequestLines: RequestObserver {
    /// What makes one request like another: why it failed, and where.
    private struct Kind: Hashable {
        let failure: RequestFailure
        let pool: PoolID?
    }

    private let logger: Logger
    private let clock: any MonotonicClock
    private let limiter = Mutex(RepeatLimiter<Kind>())

    init(logger: Logger, clock: any MonotonicClock) {
        self.logger = logger
        self.clock = clock
    }

    func requestEnded(_ summary: RequestSummary) {
        guard let failure = RequestFailure(summary) else {
            return logger.debug("Request handled", metadata: Self.metadata(of: summary))
        }
        guard logger.logLevel <= failure.level, admits(failure, summary.pool) else { return }
        logger.log(level: failure.level, "\(failure.sentence)", metadata: Self.metadata(of: summary, failure))
    }

    func attemptFailed(_ attempt: FailedAttempt) {
        let failure = RequestFailure.retried(attempt.reason)
        guard logger.logLevel <= failure.level, admits(failure, attempt.pool) else { return }
        var metadata: Logger.Metadata = [
            LogKeys.requestID: "\(attempt.requestID)", LogKeys.targetModel: "\(attempt.targetModel)",
            LogKeys.endpointAddress: "\(attempt.destination)", LogKeys.reason: "\(attempt.reason)",
            LogKeys.error: "\(attempt.detail)", LogKeys.attempts: .stringConvertible(attempt.number),
        ]
        if let pool = attempt.pool { metadata[LogKeys.pool] = "\(pool)" }
        if let endpoint = attempt.endpoint { metadata[LogKeys.endpoint] = "\(endpoint)" }
        logger.log(level: failure.level, "\(failure.sentence)", metadata: metadata)
    }

    /// Whether a failure gets a line of its own; at `debug` every one does.
    private func admits(_ failure: RequestFailure, _ pool: PoolID?) -> Bool {
        if logger.logLevel <= .debug { return true }
        return limiter.withLock { $0.admits(Kind(failure: failure, pool: pool), at: clock.now) }
    }

    /// Tells how many requests got no line of their own, of the kinds whose turn it is, or at the end of all kinds.
    func tellRests(isLast: Bool = false) {
        let rests = limiter.withLock { isLast ? $0.allRests() : $0.rests(at: clock.now) }
        for rest in rests {
            guard let kind = rest.kind else {
                logger.notice("\(rest.count) more requests failed in other ways")
                continue
            }
            var metadata: Logger.Metadata = [
                LogKeys.reason: "\(kind.failure.word)", LogKeys.count: .stringConvertible(rest.count),
            ]
            if let pool = kind.pool { metadata[LogKeys.pool] = "\(pool)" }
            logger.log(level: kind.failure.level, "\(rest.count) more like this", metadata: metadata)
        }
    }

    private static func metadata(of summary: RequestSummary, _ failure: RequestFailure) -> Logger.Metadata {
        var metadata = metadata(of: summary)
        metadata[LogKeys.reason] = "\(failure.word)"
        if let rejection = summary.rejection { metadata[LogKeys.error] = "\(rejection.message)" }
        return metadata
    }

    /// What lines about a request have in common.
    private static func metadata(of summary: RequestSummary) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            LogKeys.path: "\(summary.path)",
            LogKeys.status: .stringConvertible(summary.status),
            LogKeys.durationMilliseconds: .stringConvertible(
                (summary.endedAt.seconds(since: summary.receivedAt) * 1e6).rounded() / 1e3),
        ]
        let texts = [
            LogKeys.requestID: summary.requestID, LogKeys.method: summary.method, LogKeys.model: summary.model,
            LogKeys.targetModel: summary.targetModel, LogKeys.objective: summary.objective,
            LogKeys.endpointAddress: summary.destination, LogKeys.traceID: summary.trace?.traceID ?? "",
        ]
        for (key, text) in texts where !text.isEmpty { metadata[key] = "\(text)" }
        if summary.priority != 0 { metadata[LogKeys.priority] = .stringConvertible(summary.priority) }
        if let pool = summary.pool { metadata[LogKeys.pool] = "\(pool)" }
        if let endpoint = summary.endpoint { metadata[LogKeys.endpoint] = "\(endpoint)" }
        if summary.attempts > 1 { metadata[LogKeys.attempts] = .stringConvertible(summary.attempts) }
        return metadata
    }
}

/// How a request did not go well.
private enum RequestFailure: Hashable {
    /// The gateway answered it.
    case refused(Rejection.Reason)
    /// It went to an endpoint and did not come to a good end.
    case broken(RequestOutcome)
    /// An attempt failed with this reason, and another one follows.
    case retried(String)

    /// The failure of a request; `nil` for one that went well, or whose client went away.
    init?(_ summary: RequestSummary) {
        if let rejection = summary.rejection {
            self = .refused(rejection.reason)
            return
        }
        switch summary.outcome {
        case .gatewayError, .resetMidResponse, .timedOut, .drained, .abandoned, .evicted:
            self = .broken(summary.outcome ?? .drained)
        // The others end in another attempt, in a refusal, or are the client's own doing.
        case .completed, .clientDisconnected, .connectFailed, .resetBeforeResponse, .staleConnection, .servedElsewhere,
            nil:
            return nil
        }
    }

    /// The word of its reason.
    var word: String {
        switch self {
        case .refused(let reason): reason.rawValue
        case .broken(let outcome): outcome.rawValue
        case .retried(let reason): reason
        }
    }

    /// What the line says.
    var sentence: String {
        switch self {
        case .refused: "request refused"
        case .broken(.gatewayError): "the endpoint answered that it cannot serve the request"
        case .broken(.drained): "the drain ended a response"
        case .broken(.evicted): "a response was ended for a more important request"
        case .broken: "a response broke off"
        case .retried: "an attempt failed, and another one follows"
        }
    }

    /// `info` for what a client can mend itself, `notice` for what more endpoints would mend, `warning` for what
    /// somebody has to look at.
    var level: Logger.Level {
        switch self {
        case .broken(.drained), .broken(.evicted), .retried: .notice
        case .broken: .warning
        case .refused(let reason):
            switch reason {
            case .invalidRequest, .modelNotFound, .routeNotFound, .methodNotAllowed, .bodyTooLarge, .headersTooLarge,
                .requestTimeout, .preconditionFailed, .clientGone:
                .info
            case .saturated, .shed, .queueFull, .queueTimeout, .evicted, .shuttingDown: .notice
            case .noEndpoints, .endpointsDown, .upstreamFailed, .upstreamTimeout, .internalError: .warning
            }
        }
    }
}
