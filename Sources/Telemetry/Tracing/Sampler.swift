/// Decides which traces are recorded. Without state: equal arguments have equal answers, in every process.
package struct Sampler: Sendable, Hashable {
    /// What decides about a trace that nobody has decided about.
    package enum Root: Sendable, Hashable {
        /// None is recorded.
        case never
        /// All are recorded.
        case always
        /// This share of all is recorded, from 0 to 1.
        case ratio(Double)
    }

    /// What decides about a trace that nobody has decided about.
    package var root: Root
    /// Whether the parent's decision is kept, where there is a parent.
    package var followsParent: Bool

    /// Makes a sampler.
    package init(root: Root, followsParent: Bool) {
        self.root = root
        self.followsParent = followsParent
    }

    /// Whether a span is recorded.
    ///
    /// The lower half of the trace id decides about a share, in the way of OpenTelemetry's own SDKs, so that all
    /// processes with equal shares record the same traces.
    ///
    /// - Parameters:
    ///   - parent: the parent's context; `nil` for none.
    ///   - traceIDLow: the lower half of the trace id.
    package func isSampled(parent: TraceContext?, traceIDLow: UInt64) -> Bool {
        if followsParent, let parent { return parent.isSampled }
        switch root {
        case .never: return false
        case .always: return true
        case .ratio(let share):
            if share >= 1 { return true }
            return share > 0 && traceIDLow >> 1 < UInt64(share * 0x1p63)
        }
    }
}
