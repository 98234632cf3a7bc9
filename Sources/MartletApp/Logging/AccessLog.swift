import GatewayCore
import Logging
import RequestControl
import Telemetry

/// One line for each request that ended, whatever became of it.
///
/// What clients send for nobody else's eyes is in no line: bodies, header fields, the query behind the path.
struct AccessLog: RequestObserver {
    private static let logger = "martlet.access"

    private let style: LogStyle
    private let writer: LineWriter

    init(style: LogStyle, writer: LineWriter) {
        self.style = style
        self.writer = writer
    }

    func requestEnded(_ summary: RequestSummary) {
        writer.write(line(summary, at: .now))
    }

    /// The line of a request.
    func line(_ summary: RequestSummary, at time: WallTime) -> [UInt8] {
        var line = LogLine(style, .info, logger: Self.logger, message: "request", at: time)
        line.add(ifAny: LogKeys.requestID, summary.requestID)
        if let trace = summary.trace { line.add(LogKeys.traceID, trace.traceID) }
        line.add(ifAny: LogKeys.method, summary.method)
        line.add(LogKeys.path, String(summary.path))
        line.add(LogKeys.status, summary.status)
        if let outcome = summary.outcome { line.add(LogKeys.outcome, outcome.rawValue) }
        if let rejection = summary.rejection { line.add(LogKeys.reason, rejection.reason.rawValue) }
        line.add(ifAny: LogKeys.model, summary.model)
        line.add(ifAny: LogKeys.targetModel, summary.targetModel)
        line.add(ifAny: LogKeys.objective, summary.objective)
        line.add(LogKeys.priority, summary.priority)
        line.add(ifAny: LogKeys.fairnessID, summary.fairnessID)
        if let pool = summary.pool { line.add(LogKeys.pool, "\(pool)") }
        if let endpoint = summary.endpoint { line.add(LogKeys.endpoint, "\(endpoint)") }
        line.add(ifAny: LogKeys.endpointAddress, summary.destination)
        line.add(LogKeys.attempts, summary.attempts)
        line.add(LogKeys.stream, summary.isEventStream)
        line.add(LogKeys.requestBytes, summary.requestBytes)
        line.add(LogKeys.responseBytes, summary.responseBytes)
        if let usage = summary.usage {
            line.add(LogKeys.promptTokens, usage.promptTokens)
            line.add(LogKeys.outputTokens, usage.completionTokens)
            line.add(LogKeys.cachedTokens, usage.cachedTokens)
        }
        if let waited = summary.waited {
            line.add(LogKeys.queueMilliseconds, nanoseconds: waited.wholeNanoseconds)
        }
        if summary.attempts > 0 {
            line.add(LogKeys.decisionMilliseconds, nanoseconds: summary.decisionNanoseconds)
        }
        let start = summary.receivedAt.nanoseconds
        if let firstByteAt = summary.firstByteAt {
            line.add(LogKeys.firstByteMilliseconds, nanoseconds: firstByteAt.nanoseconds &- start)
        }
        line.add(LogKeys.durationMilliseconds, nanoseconds: summary.endedAt.nanoseconds &- start)
        return line.finished()
    }
}

extension RequestSummary {
    /// The path without the query, which may have a key that nobody else should read.
    var path: Substring {
        target[..<(target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex)]
    }
}
