import GatewayCore

/// Keeps the endpoints that hold nearly all of the prompt, as long as they are not much slower than the others.
///
/// An endpoint is sticky when it holds at least the threshold's share of the prompt's blocks. Without a sticky one all
/// stay; else only the sticky ones, unless the best time to first token among them is worse by more than the penalty
/// than the best among the others: then all stay. The time is a predictor's, or the tokens in flight on the endpoint
/// over the throughput of prefill.
struct PrefixCacheAffinityFilter: Filter {
    static let descriptor = PluginDescriptor(
        type: "prefix-cache-affinity-filter",
        summary: "Keeps endpoints that hold nearly all of the prompt, unless the others are much faster."
    )

    private enum TTFTSource: String, CaseIterable {
        case prefillThroughput, latencyPredictor
    }

    /// Where the time to first token is looked up.
    private enum Gate: Sendable {
        /// Nowhere: sticky endpoints are kept however slow they are.
        case open
        /// Tokens in flight over tokens per second.
        case throughput(Double)
        case predictor(DataReader<LatencyPredictions>)
    }

    private let matches: DataReader<PrefixCacheMatches>
    private let threshold: Double
    private let explorationProbability: Double
    private let maxPenaltyMilliseconds: Double
    private let gate: Gate

    /// Reads `affinityThreshold` (0.8; at most 1, and 0 or less keeps all), `explorationProbability` (0 ... 1, default
    /// 0), `maxTTFTPenaltyMs` (18,000; 0 for no limit), `ttftSource` (`prefillThroughput` or `latencyPredictor`),
    /// `peakPrefillThroughput` (15,928 tokens per second), `prefixMatchInfoProducerName`,
    /// `latencyPredictionInfoProducerName` and `inFlightLoadProducerName`. Only the data of the source that is used is
    /// required.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        matches = context.consume(
            PrefixCacheMatches.key,
            producerNamedAt: "prefixMatchInfoProducerName",
            in: parameters
        )
        threshold = parameters.double("affinityThreshold", default: 0.8, in: -1e9...1)
        explorationProbability = parameters.double("explorationProbability", default: 0, in: 0...1)
        maxPenaltyMilliseconds = parameters.double("maxTTFTPenaltyMs", default: 18_000, in: 0...1e9)
        let source = parameters.enumeration("ttftSource", default: TTFTSource.prefillThroughput)
        let throughput = parameters.double("peakPrefillThroughput", default: 15_928, in: 0...1e12)
        if maxPenaltyMilliseconds <= 0 {
            gate = .open
        } else if source == .latencyPredictor {
            gate = .predictor(
                context.consume(
                    LatencyPredictions.key,
                    producerNamedAt: "latencyPredictionInfoProducerName",
                    in: parameters
                )
            )
        } else {
            if throughput <= 0 {
                parameters.report(
                    "must be above 0 when ttftSource is prefillThroughput, and is \(throughput)",
                    at: "peakPrefillThroughput"
                )
            }
            // The tokens stand in each endpoint's load; who produces this data says what counts into them.
            _ = context.consume(InFlightLoads.key, producerNamedAt: "inFlightLoadProducerName", in: parameters)
            gate = .throughput(throughput)
        }
        // A producer's name that goes with the other source is no mistake.
        _ = parameters.string("latencyPredictionInfoProducerName", default: "")
        _ = parameters.string("inFlightLoadProducerName", default: "")
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        guard candidates.count > 1, threshold > 0 else { return }
        if explorationProbability > 0, context.random.unit() < explorationProbability { return }
        guard let matches = context.scratch[matches], matches.totalBlocks > 0 else { return }
        let total = Double(matches.totalBlocks)
        let isSticky = { (endpoint: EndpointSnapshot) in
            Double(matches.matchedBlocks(on: endpoint)) / total >= threshold
        }

        // The largest finite number, so that nobody known against nobody known is no difference.
        var best = (sticky: Double.greatestFiniteMagnitude, other: Double.greatestFiniteMagnitude)
        var stickyCount = 0
        for position in candidates.positions {
            let endpoint = candidates.all[position]
            let time = ttftMilliseconds(endpoint, context)
            if isSticky(endpoint) {
                stickyCount += 1
                if time < best.sticky { best.sticky = time }
            } else if time < best.other {
                best.other = time
            }
        }
        guard stickyCount > 0, stickyCount < candidates.count else { return }
        if best.sticky - best.other > maxPenaltyMilliseconds { return }
        candidates.keep(where: isSticky)
    }

    func rule(in context: SchedulingContext) -> String {
        let blocks = context.scratch[matches]?.totalBlocks ?? 0
        return "cached blocks >= \(threshold.written) × \(blocks) of the prompt"
    }

    private func ttftMilliseconds(_ endpoint: EndpointSnapshot, _ context: SchedulingContext) -> Double {
        switch gate {
        case .open: 0
        case .throughput(let tokensPerSecond): Double(endpoint.load.tokens) / tokensPerSecond * 1000
        case .predictor(let reader): context.scratch[reader]?.prediction(on: endpoint)?.ttft ?? .greatestFiniteMagnitude
        }
    }
}
