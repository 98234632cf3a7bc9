import BuiltinPlugins
import GatewayConfiguration
import GatewayCore
import Simulator
import Synchronization

/// Takes the endpoints in turn: what a load balancer does that knows nothing of prompts.
struct RoundRobinPicker: Picker {
    static let descriptor = PluginDescriptor(type: "round-robin-picker", summary: "Picks the candidates in turn.")

    private final class Turn: Sendable {
        let number = Atomic<Int>(0)
    }

    private let turn = Turn()

    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func pick(_ candidates: Candidates, scores: Span<Double>, context: inout SchedulingContext) -> [Int] {
        [turn.number.wrappingAdd(1, ordering: .relaxed).oldValue % candidates.count]
    }
}

extension GatewaySimulation {
    /// A run of `configuration` with endpoints in turn in place of the default pipeline.
    static func roundRobin(_ configuration: SimulationConfiguration) throws -> GatewaySimulation {
        var registry = BuiltinCatalogue.registry()
        registry.register(RoundRobinPicker.self)
        let text = """
            apiVersion: llm-d.ai/v1alpha1
            kind: EndpointPickerConfig
            plugins:
            - type: round-robin-picker
            """
        let picker = try EndpointPickerConfiguration.decode(text: text, file: "round-robin.yaml")
        return try GatewaySimulation(configuration, picker: picker, registry: registry)
    }
}
