import GatewayCore

/// Tells from page to page of one engine's metrics whether the engine has started anew.
///
/// There are two signs: a counter of work that falls or is gone, for it only grows while a process lives, and another
/// number of cache blocks, which an engine settles when it starts. An engine that shows neither is not noticed.
struct RestartWatch: Sendable {
    private var workDone = 0.0
    /// The number of cache blocks that was last told; 0 before that.
    private var cacheBlockCount = 0

    /// Takes what a page tells.
    ///
    /// - Parameters:
    ///   - workDone: the counter; `nil` when the page has none, as before an engine's first request.
    ///   - metrics: the endpoint's metrics with what the page tells. A page whose number of blocks cannot be read says
    ///     nothing about a restart.
    mutating func isRestart(workDone: Double?, _ metrics: EndpointMetrics) -> Bool {
        let fell = (workDone ?? 0) < self.workDone
        self.workDone = workDone ?? 0
        guard metrics.cacheBlockCount > 0 else { return fell }
        defer { cacheBlockCount = metrics.cacheBlockCount }
        return fell || cacheBlockCount > 0 && cacheBlockCount != metrics.cacheBlockCount
    }
}
