import GatewayCore

/// Tells from page to page of one engine's metrics whether the engine has started anew.
///
/// There are two signs: a counter of work that falls or is gone, for it only grows while a process lives, and another
/// number of cache blocks, which an engine settles when it starts. An engine that shows neither is not noticed.
struct RestartWatch: Sendable {
    private var workDone = 0.0

    /// Takes what a page tells.
    ///
    /// - Parameters:
    ///   - workDone: the counter; `nil` when the page has none, as before an engine's first request.
    ///   - before: the endpoint's metrics until now.
    ///   - now: its metrics with what the page tells.
    mutating func isRestart(workDone: Double?, _ before: EndpointMetrics, _ now: EndpointMetrics) -> Bool {
        let fell = (workDone ?? 0) < self.workDone
        self.workDone = workDone ?? 0
        return fell || before.cacheBlockCount > 0 && now.cacheBlockCount != before.cacheBlockCount
    }
}
