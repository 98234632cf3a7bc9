import GatewayCore

/// Picks at random, whatever the scores.
struct RandomPicker: Picker {
    static let descriptor = PluginDescriptor(
        type: "random-picker",
        summary: "Picks among all candidates at random."
    )

    private let maxEndpoints: Int

    /// Reads `maxNumOfEndpoints` (default 1).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        maxEndpoints = parameters.maxEndpoints()
    }

    func pick(_ candidates: Candidates, scores: Span<Double>, context: inout SchedulingContext) -> [Int] {
        context.random.sample(maxEndpoints, below: candidates.count)
    }
}
