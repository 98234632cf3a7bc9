import DataLayer
import EngineClient
import GatewayConfiguration
import GatewayCore
import GatewayTesting
import NIOPosix
import RequestControl
import Synchronization
import Telemetry
import Testing

@testable import MartletApp

@Suite struct GatewayAssemblyTests {
    private func plan(_ hosts: [String], picker: String) throws -> GatewayPlan {
        var plan = GatewayPlan(
            pool: PoolID(name: "a"),
            picker: try EndpointPickerConfiguration.decode(text: PickerText.head + picker, file: "epp.yaml")
        )
        plan.pools = [
            GatewayPlan.Pool(
                id: PoolID(name: "a"),
                endpoints: hosts.map {
                    EndpointDescription(id: EndpointID(name: $0), address: EndpointAddress(host: $0, port: 1))
                },
                picker: plan.pools[0].picker
            )
        ]
        return plan
    }

    /// A plugin that learns of an endpoint that left may ask whatever it wants: no lock of the assembly is held.
    @Test(.timeLimit(.minutes(1))) func pluginsLearnOfEndpointsThatLeftWithoutALock() async throws {
        let clock = ManualClock()
        var settings = GatewaySettings()
        settings.plugins.register(AskingObserver.self)
        let http = try EngineHTTPClient(
            group: .singletonMultiThreadedEventLoopGroup,
            configuration: EngineHTTPClientConfiguration()
        )
        let assembly = GatewayAssembly(
            settings: settings,
            clock: clock,
            metrics: try GatewayMetrics(registry: MetricRegistry()),
            http: http,
            timer: clock,
            supervisor: PoolSupervisor(http: http)
        )
        let picker = "plugins: [{type: asking-observer}, {type: queue-scorer}]"
        AskingObserver.question.withLock { $0 = { _ = assembly.watchedFiles } }
        defer { AskingObserver.question.withLock { $0 = nil } }
        _ = assembly.commit(try assembly.prepare(try plan(["10.0.0.1", "10.0.0.2"], picker: picker)))
        let state = assembly.commit(try assembly.prepare(try plan(["10.0.0.2"], picker: picker)))
        #expect(state.pools[0].endpoints.current.endpoints.map(\.id.name) == ["10.0.0.2"])
        #expect(AskingObserver.answers.withLock { $0 } == ["10.0.0.1"])
        await http.shutdown()
    }
}

/// Asks a question whenever an endpoint left.
private struct AskingObserver: EndpointObserver {
    static let descriptor = PluginDescriptor(type: "asking-observer", summary: "Asks when an endpoint left.")
    static let question = Mutex<(@Sendable () -> Void)?>(nil)
    static let answers = Mutex<[String]>([])

    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func endpointDidLeave(_ endpoint: EndpointSnapshot) {
        guard let question = Self.question.withLock({ $0 }) else { return }
        question()
        Self.answers.withLock { $0.append(endpoint.id.name) }
    }
}
