import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct PickerTests {
    private static let draws = 100_000

    /// How often each candidate comes first in many draws of one random sequence.
    private func counts(_ picker: any Picker, _ scores: [Double], seed: UInt64 = 7) -> [Int] {
        let candidates = Candidates.sample(count: scores.count)
        var context = SchedulingContext.sample(seed: seed)
        var counts = [Int](repeating: 0, count: scores.count)
        for _ in 0..<Self.draws {
            counts[picker.pick(candidates, scores: scores.span, context: &context)[0]] += 1
        }
        return counts
    }

    /// Expects each count within three standard deviations of the binomial distribution with its probability.
    private func expect(
        _ counts: [Int],
        near probabilities: [Double],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let draws = Double(Self.draws)
        for (count, probability) in zip(counts, probabilities) {
            let deviation = (draws * probability * (1 - probability)).squareRoot()
            #expect(
                abs(Double(count) - draws * probability) <= 3 * deviation,
                "\(counts) against \(probabilities)",
                sourceLocation: sourceLocation
            )
        }
    }

    private func pick(_ picker: any Picker, _ scores: [Double], seed: UInt64 = 1) -> [Int] {
        var context = SchedulingContext.sample(seed: seed)
        return picker.pick(.sample(count: scores.count), scores: scores.span, context: &context)
    }

    @Test func maxScoreTakesTheHighest() throws {
        let picker = try make(MaxScorePicker.self)
        for seed: UInt64 in 0..<20 {
            #expect(pick(picker, [0.5, 3, 1], seed: seed) == [1])
            #expect(pick(picker, [-3, -1, -2], seed: seed) == [1])
        }
        #expect(pick(picker, [0]) == [0])
    }

    @Test func maxScoreBreaksTiesEvenly() throws {
        let picker = try make(MaxScorePicker.self)
        expect(counts(picker, [1, 2, 2, 0, 2]), near: [0, 1.0 / 3, 1.0 / 3, 0, 1.0 / 3])
        let several = try make(MaxScorePicker.self, ["maxNumOfEndpoints": 2])
        expect(counts(several, [1, 2, 2, 0, 2]), near: [0, 1.0 / 3, 1.0 / 3, 0, 1.0 / 3])
    }

    @Test func maxScoreOrdersSeveral() throws {
        let picker = try make(MaxScorePicker.self, ["maxNumOfEndpoints": 3])
        for seed: UInt64 in 0..<20 {
            #expect(pick(picker, [0.1, 0.4, 0.2, 0.3], seed: seed) == [1, 3, 2])
        }
        #expect(pick(picker, [1, 2]) == [1, 0])
    }

    @Test(arguments: [1, 2])
    func weightedRandomFollowsTheScores(endpoints: Int64) throws {
        let picker = try make(WeightedRandomPicker.self, ["maxNumOfEndpoints": .init(integerLiteral: endpoints)])
        expect(counts(picker, [1, 2, 0, 5, -1]), near: [0.125, 0.25, 0, 0.625, 0])
        // Scores far below one, for which a power of 1/score underflows.
        expect(counts(picker, [1e-6, 3e-6]), near: [0.25, 0.75])
    }

    @Test func weightedRandomDrawsTheRestByWeight() throws {
        let picker = try make(WeightedRandomPicker.self, ["maxNumOfEndpoints": 2])
        var context = SchedulingContext.sample(seed: 11)
        let scores = [1.0, 1, 2]
        var secondAfterTwo = [0, 0, 0]
        for _ in 0..<Self.draws {
            let picks = picker.pick(.sample(count: 3), scores: scores.span, context: &context)
            if picks[0] == 2 { secondAfterTwo[picks[1]] += 1 }
        }
        #expect(secondAfterTwo[2] == 0)
        let (half, deviation) = (Double(secondAfterTwo[0] + secondAfterTwo[1]) / 2, Double(Self.draws).squareRoot() / 2)
        #expect(abs(Double(secondAfterTwo[0]) - half) <= 3 * deviation)
    }

    @Test func weightedRandomPutsScoresOfZeroLast() throws {
        let picker = try make(WeightedRandomPicker.self, ["maxNumOfEndpoints": 3])
        for seed: UInt64 in 0..<50 {
            let picks = pick(picker, [0, 1, -1, 2], seed: seed)
            #expect(Set(picks.prefix(2)) == [1, 3])
            #expect([0, 2].contains(picks[2]))
        }
    }

    @Test func weightedRandomWithoutScoresIsUniform() throws {
        expect(counts(try make(WeightedRandomPicker.self), [0, 0, -1, 0]), near: [0.25, 0.25, 0.25, 0.25])
    }

    @Test func randomIgnoresTheScores() throws {
        expect(counts(try make(RandomPicker.self), [9, 0, 0, 0]), near: [0.25, 0.25, 0.25, 0.25])
        let several = try make(RandomPicker.self, ["maxNumOfEndpoints": 3])
        expect(counts(several, [9, 0, 0, 0]), near: [0.25, 0.25, 0.25, 0.25])
        for seed: UInt64 in 0..<50 { #expect(Set(pick(several, [9, 0, 0, 0], seed: seed)).count == 3) }
        #expect(Set(pick(several, [1, 1])) == [0, 1])
    }

    @Test func aSeedReproducesEveryPick() throws {
        for type in ["max-score-picker", "weighted-random-picker", "random-picker"] {
            var making = PluginContext(clock: SystemMonotonicClock())
            let plugin = try BuiltinCatalogue.registry().make(
                type: type, name: type, parameters: ParameterDecoder(value: nil), context: &making)
            let picker = try #require(plugin as? any Picker)
            let equal = [Double](repeating: 1, count: 10)
            let runs = (0..<2).map { _ in
                var context = SchedulingContext.sample(seed: 42)
                return (0..<100).map { _ in picker.pick(.sample(count: 10), scores: equal.span, context: &context) }
            }
            #expect(runs[0] == runs[1])
            #expect(Set(runs[0]).count > 1)
        }
    }

    @Test(arguments: [0, -5])
    func fewerThanOneEndpointMeansOne(count: Int64) throws {
        for type in ["max-score-picker", "weighted-random-picker", "random-picker"] {
            var context = PluginContext(clock: SystemMonotonicClock())
            let parameters: ConfigurationValue = ["maxNumOfEndpoints": .init(integerLiteral: count)]
            let decoder = ParameterDecoder(value: parameters, path: "parameters")
            let plugin = try BuiltinCatalogue.registry().make(
                type: type, name: type, parameters: decoder, context: &context)
            #expect(pick(try #require(plugin as? any Picker), [1, 2, 3]).count == 1)
            #expect(decoder.warnings.map(\.message) == ["\(count) means 1"])
        }
    }
}
