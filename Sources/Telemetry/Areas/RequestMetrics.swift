import Synchronization

/// The request families, and for each label set one object that holds all its instruments.
///
/// Safe from any thread. A request does one look-up, ``instruments(model:target:fairnessID:priority:)``, when it knows
/// its labels and counts on the result from then on.
package final class RequestMetrics: Sendable {
    private struct Key: Hashable {
        var model: String
        var target: String
        var fairnessID: String
        var priority: Int
    }

    private struct State {
        var byLabels: [Key: RequestInstruments] = [:]
        var models: LabelValueBound
        var targets: LabelValueBound
        var fairnessIDs: LabelValueBound
    }

    /// Seconds from a request's arrival to the decision where it goes first.
    package let requestProcessing: Histogram
    /// Seconds of work on the pieces of one answer's body.
    package let responseProcessing: Histogram
    private let families: RequestFamilies
    private let seriesMax: Int
    private let state: Mutex<State>

    /// Registers the request families.
    package init(registry: MetricRegistry) throws(MetricRegistrationError) {
        families = try RequestFamilies(registry: registry)
        requestProcessing = try registry.histogram(MetricCatalogue.Requests.requestProcessing)
        responseProcessing = try registry.histogram(MetricCatalogue.Requests.responseProcessing)
        seriesMax = registry.limits.seriesPerFamily
        let bound = LabelValueBound(limit: registry.limits.valuesPerLabel)
        state = Mutex(State(models: bound, targets: bound, fairnessIDs: bound))
    }

    /// The instruments of one label set, made on first use.
    ///
    /// - Parameters:
    ///   - model: The model name as the client sent it.
    ///   - target: The model name as it goes to the endpoint.
    ///   - fairnessID: The flow the request belongs to.
    ///   - priority: The priority of its objective.
    ///
    /// Names beyond the limits are counted under "other", in this look-up and so in every family alike.
    package func instruments(model: String, target: String, fairnessID: String, priority: Int) -> RequestInstruments {
        instruments(Key(model: model, target: target, fairnessID: fairnessID, priority: priority), isServed: true)
    }

    /// The instruments of one label set, if there are any: for a request of which nobody knows yet whether it is
    /// served.
    package func knownInstruments(
        model: String,
        target: String,
        fairnessID: String,
        priority: Int
    ) -> RequestInstruments? {
        let key = Key(model: model, target: target, fairnessID: fairnessID, priority: priority)
        return state.withLock { $0.byLabels[key] }
    }

    /// The instruments of a request that is refused. Its names are new ones only while few are known: else whoever
    /// sends requests that nobody serves could use up the names that are kept apart.
    package func instrumentsOfRefused(
        model: String,
        target: String,
        fairnessID: String,
        priority: Int
    ) -> RequestInstruments {
        instruments(Key(model: model, target: target, fairnessID: fairnessID, priority: priority), isServed: false)
    }

    private func instruments(_ key: Key, isServed: Bool) -> RequestInstruments {
        state.withLock { state in
            if let known = state.byLabels[key] { return known }
            let admitted = admit(key, isServed: isServed, state)
            if let known = state.byLabels[admitted] { return known }
            state.models.retain(admitted.model)
            state.targets.retain(admitted.target)
            state.fairnessIDs.retain(admitted.fairnessID)
            let labels = [admitted.model, admitted.target, admitted.fairnessID, String(admitted.priority)]
            let made = RequestInstruments(families: families, labels: labels)
            state.byLabels[admitted] = made
            return made
        }
    }

    /// Names the models that an operator configured: they are always kept apart and do not count towards the limit.
    /// Replaces the earlier set.
    package func pinModels(_ names: some Sequence<String>) {
        let names = Array(names)
        state.withLock { state in
            state.models.pin(names)
            state.targets.pin(names)
        }
    }

    /// What all requests together have added so far.
    package var totals: RequestTotals {
        RequestTotals(
            requests: families.total.series.values.reduce(0) { $0 &+ $1.value },
            errors: families.errors.series.values.reduce(0) { $0 &+ $1.value },
            duration: HistogramTotals(families.duration),
            timeToFirstToken: HistogramTotals(families.timeToFirstToken),
            interTokenLatency: HistogramTotals(families.interTokenLatency),
            inputTokens: HistogramTotals(families.inputTokens),
            outputTokens: HistogramTotals(families.outputTokens),
            cachedTokens: HistogramTotals(families.cachedTokens)
        )
    }

    private func admit(_ key: Key, isServed: Bool, _ state: borrowing State) -> Key {
        let share = isServed ? 1 : LabelValueBound.shareOfRefused
        let isFull = state.byLabels.count >= seriesMax
        let other = LabelValueBound.overflow
        return Key(
            model: isFull ? other : state.models.admitted(key.model, share: share),
            target: isFull ? other : state.targets.admitted(key.target, share: share),
            fairnessID: isFull ? other : state.fairnessIDs.admitted(key.fairnessID, share: share),
            priority: key.priority
        )
    }
}

/// What all requests together have added to the request families, over all labels.
package struct RequestTotals: Sendable {
    /// Requests received.
    package let requests: UInt64
    /// Requests that ended with an error.
    package let errors: UInt64
    /// Seconds from arrival to the last byte.
    package let duration: HistogramTotals
    /// Seconds from arrival to the first byte of the answer's body.
    package let timeToFirstToken: HistogramTotals
    /// Seconds between two chunks of streamed answers.
    package let interTokenLatency: HistogramTotals
    /// Prompt tokens.
    package let inputTokens: HistogramTotals
    /// Generated tokens.
    package let outputTokens: HistogramTotals
    /// Prompt tokens from the model server's prefix cache.
    package let cachedTokens: HistogramTotals
}

/// The request families by their role. Their label values come admitted, from the one bound that all of them share.
struct RequestFamilies: Sendable {
    let total: CounterFamily
    let errors: CounterFamily
    let duration: HistogramFamily
    let requestSize: HistogramFamily
    let responseSize: HistogramFamily
    let inputTokens: HistogramFamily
    let outputTokens: HistogramFamily
    let cachedTokens: HistogramFamily
    let running: GaugeFamily
    let normalizedTimePerToken: HistogramFamily
    let timeToFirstToken: HistogramFamily
    let timePerOutputToken: HistogramFamily
    let interTokenLatency: HistogramFamily

    init(registry: MetricRegistry) throws(MetricRegistrationError) {
        typealias Names = MetricCatalogue.Requests
        total = try registry.counters(Names.total)
        errors = try registry.counters(Names.errors)
        duration = try registry.histograms(Names.duration)
        requestSize = try registry.histograms(Names.requestSize)
        responseSize = try registry.histograms(Names.responseSize)
        inputTokens = try registry.histograms(Names.inputTokens)
        outputTokens = try registry.histograms(Names.outputTokens)
        cachedTokens = try registry.histograms(Names.cachedTokens)
        running = try registry.gauges(Names.running)
        normalizedTimePerToken = try registry.histograms(Names.normalizedTimePerToken)
        timeToFirstToken = try registry.histograms(Names.timeToFirstToken)
        timePerOutputToken = try registry.histograms(Names.timePerOutputToken)
        interTokenLatency = try registry.histograms(Names.interTokenLatency)
    }
}

/// All instruments of one model, target, flow and priority. Requests share it; every member is safe from any thread.
package final class RequestInstruments: Sendable {
    /// Requests received.
    package let total: Counter
    /// Seconds from arrival to the last byte.
    package let duration: Histogram
    /// Bytes of the request body.
    package let requestSize: Histogram
    /// Bytes of the response body.
    package let responseSize: Histogram
    /// Prompt tokens.
    package let inputTokens: Histogram
    /// Generated tokens.
    package let outputTokens: Histogram
    /// Prompt tokens from the model server's prefix cache.
    package let cachedTokens: Histogram
    /// Requests at an endpoint now.
    package let running: Gauge
    /// Seconds from arrival to the last byte, divided by the output tokens.
    package let normalizedTimePerToken: Histogram
    /// Mean seconds per output token of streamed answers.
    package let timePerOutputToken: Histogram
    /// Seconds between two chunks of streamed answers.
    package let interTokenLatency: Histogram

    private let streamedFirstToken: Histogram
    private let unaryFirstToken: Histogram
    private let errorFamily: CounterFamily
    private let labels: [String]

    fileprivate init(families: RequestFamilies, labels: [String]) {
        total = families.total.child(admitted: labels)
        duration = families.duration.child(admitted: labels)
        requestSize = families.requestSize.child(admitted: labels)
        responseSize = families.responseSize.child(admitted: labels)
        inputTokens = families.inputTokens.child(admitted: labels)
        outputTokens = families.outputTokens.child(admitted: labels)
        cachedTokens = families.cachedTokens.child(admitted: labels)
        running = families.running.child(admitted: labels)
        normalizedTimePerToken = families.normalizedTimePerToken.child(admitted: labels)
        timePerOutputToken = families.timePerOutputToken.child(admitted: labels)
        interTokenLatency = families.interTokenLatency.child(admitted: labels)
        streamedFirstToken = families.timeToFirstToken.child(admitted: labels + ["true"])
        unaryFirstToken = families.timeToFirstToken.child(admitted: labels + ["false"])
        errorFamily = families.errors
        self.labels = labels
    }

    /// Seconds from arrival to the first byte of the answer's body.
    package func timeToFirstToken(streaming: Bool) -> Histogram {
        streaming ? streamedFirstToken : unaryFirstToken
    }

    /// Requests that ended with this error; a look-up, for the end of a failed request only.
    ///
    /// - Parameter code: The name of the outcome, from the closed set of the outcome table.
    package func errors(code: String) -> Counter {
        errorFamily.child(admitted: labels + [code])
    }
}
