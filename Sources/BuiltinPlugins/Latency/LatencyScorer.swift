import GatewayCore

/// Prefers endpoints by the latency that is expected of them, measured by how far it is from the request's objectives.
///
/// Only one tier of the candidates is scored, the best that has any; all others get 0:
///
/// 1. those that keep both objectives (no headroom is negative); one without a prediction counts here, with none;
/// 2. those on which the gateway has nothing in flight;
/// 3. those that miss the time per output token only;
/// 4. those that miss the time to first token only;
/// 5. those that miss both.
///
/// Within the tier the magnitudes of each headroom are spread over 0 ... 1 and combined by their weights to c. The
/// strategy `least` gives `(⌊100 * (1 - c)⌋ + 1) / 100`, so that endpoints that just keep their objectives fill up
/// first, and `most` gives `(⌊100 * c⌋ + 1) / 100`; tiers that miss an objective are always scored by `least`. A
/// headroom that is equal on the whole tier counts 0.5, and its weight goes to the other one.
///
/// Without any prediction it scores what engines report: the weighted mean of the free KV cache, the queue's distance
/// from the longest, and the share of the prompt in the prefix cache, rounded to hundredths.
struct LatencyScorer: Scorer {
    static let descriptor = PluginDescriptor(
        type: "latency-scorer",
        summary: "Prefers endpoints by their expected latency against the request's objectives."
    )

    /// Which of the endpoints that keep their objectives are preferred.
    enum Strategy: String, CaseIterable, Sendable {
        /// Those that just keep them: the others stay free for requests to come.
        case least
        /// Those that keep them by far.
        case most
    }

    private let predictions: DataReader<LatencyPredictions>
    private let matches: DataReader<PrefixCacheMatches>
    private let strategy: Strategy
    /// The weights of the two headrooms; their sum is 1.
    private let ttftWeight: Double
    private let tpotWeight: Double
    /// The weights of what engines report; their sum is 1.
    private let cacheWeight: Double
    private let queueWeight: Double
    private let prefixWeight: Double

    /// Reads `ttftWeight` (default 0.8), `tpotWeight` (0.2), `headroomSelectionStrategy` (`least` or `most`, default
    /// `least`), `compositeKVWeight`, `compositeQueueWeight` and `compositePrefixWeight` (1 each),
    /// `latencyPredictionInfoProducerName` (default: `predicted-latency-producer`) and `prefixMatchInfoProducerName`
    /// (default: the approximate index). Weights are 0 ... 1,000,000; without any, `ttftWeight` or `compositeKVWeight`
    /// counts alone.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        predictions = context.consume(
            LatencyPredictions.key,
            producerNamedAt: "latencyPredictionInfoProducerName",
            in: parameters
        )
        matches = context.consume(
            PrefixCacheMatches.key,
            producerNamedAt: "prefixMatchInfoProducerName",
            in: parameters
        )
        strategy = parameters.enumeration("headroomSelectionStrategy", default: .least)

        func weight(_ key: String, default fallback: Double) -> Double {
            parameters.double(key, default: fallback, in: 0...1_000_000)
        }
        let (ttft, tpot) = (weight("ttftWeight", default: 0.8), weight("tpotWeight", default: 0.2))
        ttftWeight = ttft + tpot > 0 ? ttft / (ttft + tpot) : 1
        tpotWeight = ttft + tpot > 0 ? tpot / (ttft + tpot) : 0
        let cache = weight("compositeKVWeight", default: 1)
        let queue = weight("compositeQueueWeight", default: 1)
        let prefix = weight("compositePrefixWeight", default: 1)
        let sum = cache + queue + prefix
        cacheWeight = sum > 0 ? cache / sum : 1
        queueWeight = sum > 0 ? queue / sum : 0
        prefixWeight = sum > 0 ? prefix / sum : 0
    }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        if let predictions = context.scratch[predictions], predictions.coverAny(of: candidates) {
            scoreHeadroom(candidates, predictions, into: &scores)
        } else {
            scoreReports(candidates, context.scratch[matches], into: &scores)
        }
    }

    // MARK: By predictions

    private func scoreHeadroom(
        _ candidates: Candidates,
        _ predictions: LatencyPredictions,
        into scores: inout MutableSpan<Double>
    ) {
        var best = Tier.missesBoth
        var (ttft, tpot) = (Spread(), Spread())
        for index in scores.indices {
            let headroom = Headroom(predictions.prediction(on: candidates[index]))
            if headroom.tier < best {
                best = headroom.tier
                (ttft, tpot) = (Spread(), Spread())
            }
            guard headroom.tier == best else { continue }
            ttft.include(headroom.ttft)
            tpot.include(headroom.tpot)
        }
        var (ttftWeight, tpotWeight) = (ttftWeight, tpotWeight)
        if ttft.isFlat != tpot.isFlat { (ttftWeight, tpotWeight) = ttft.isFlat ? (0, 1) : (1, 0) }
        let prefersMost = strategy == .most && best == .keepsBoth
        for index in scores.indices {
            let headroom = Headroom(predictions.prediction(on: candidates[index]))
            guard headroom.tier == best else { continue }
            let combined = ttftWeight * ttft.share(of: headroom.ttft) + tpotWeight * tpot.share(of: headroom.tpot)
            let wanted = prefersMost ? combined : 1 - combined
            scores[index] = min(1, ((wanted * 100).rounded(.towardZero) + 1) / 100)
        }
    }

    /// The tiers, best first.
    private enum Tier: Int, Comparable {
        case keepsBoth, isIdle, missesTPOT, missesTTFT, missesBoth

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    /// What of a prediction is scored: the tier, and how far from the objectives the endpoint is, in milliseconds.
    private struct Headroom {
        let tier: Tier
        let ttft: Double
        let tpot: Double

        init(_ prediction: LatencyPredictions.Prediction?) {
            guard let prediction else {
                self = Headroom(tier: .keepsBoth, ttft: 0, tpot: 0)
                return
            }
            let misses = (ttft: prediction.ttftHeadroom < 0, tpot: prediction.tpotHeadroom < 0)
            let tier: Tier =
                switch misses {
                case (false, false): .keepsBoth
                case _ where prediction.dispatchedCount == 0: .isIdle
                case (false, true): .missesTPOT
                case (true, false): .missesTTFT
                case (true, true): .missesBoth
                }
            self = Headroom(
                tier: tier,
                ttft: Self.magnitude(prediction.ttftHeadroom),
                tpot: Self.magnitude(prediction.tpotHeadroom)
            )
        }

        private init(tier: Tier, ttft: Double, tpot: Double) {
            self.tier = tier
            self.ttft = ttft
            self.tpot = tpot
        }

        /// Finite whatever a predictor says, so that differences are finite too.
        private static func magnitude(_ headroom: Double) -> Double {
            headroom.isNaN ? 0 : min(abs(headroom), .greatestFiniteMagnitude)
        }
    }

    /// The least and the greatest of the magnitudes of a tier.
    private struct Spread {
        private var least = Double.greatestFiniteMagnitude
        private var greatest = 0.0

        mutating func include(_ magnitude: Double) {
            least = min(least, magnitude)
            greatest = max(greatest, magnitude)
        }

        /// Whether all are equal, but for noise.
        var isFlat: Bool { greatest - least <= 1e-9 }

        /// Where `magnitude` lies between the least, 0, and the greatest, 1.
        func share(of magnitude: Double) -> Double {
            isFlat ? 0.5 : (magnitude - least) / (greatest - least)
        }
    }

    // MARK: By reports

    private func scoreReports(
        _ candidates: Candidates,
        _ matches: PrefixCacheMatches?,
        into scores: inout MutableSpan<Double>
    ) {
        var longest = 0.0
        for index in scores.indices { longest = max(longest, Double(candidates[index].metrics.waitingQueueSize)) }
        let blocks = Double(matches?.totalBlocks ?? 0)
        for index in scores.indices {
            let endpoint = candidates[index]
            let freeCache = 1 - endpoint.metrics.kvCacheUsage
            let queue = longest > 0 ? (longest - Double(endpoint.metrics.waitingQueueSize)) / longest : 1
            let prefix = blocks > 0 ? Double(matches?.matchedBlocks(on: endpoint) ?? 0) / blocks : 0
            let mean = cacheWeight * freeCache + queueWeight * queue + prefixWeight * prefix
            scores[index] = (mean * 100).rounded() / 100
        }
    }
}

extension LatencyPredictions {
    /// Whether anything is expected of any of `candidates`.
    fileprivate func coverAny(of candidates: Candidates) -> Bool {
        candidates.positions.contains { prediction(on: candidates.all[$0]) != nil }
    }
}
