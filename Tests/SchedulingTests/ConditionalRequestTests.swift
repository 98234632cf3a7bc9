import GatewayCore
import GatewayTesting
import Scheduling
import Testing

/// Requests with `Prefer: if-available` want an endpoint that holds their prompt, or none.
@Suite struct ConditionalRequestTests {
    private func rejection(_ preference: String?, _ producers: [Holder]) -> Rejection? {
        let headers = HeaderMap(preference.map { [HeaderMap.Field(name: "prefer", value: $0)] } ?? [])
        var context = SchedulingContext.sample(InferenceRequest(id: "1", model: "m", headers: headers))
        // Of three endpoints the second is chosen.
        let scheduler = makeScheduler([makeProfile(picker: ClosurePicker { _ in [1] })], plugins: producers)
        do throws(Rejection) {
            _ = try scheduler.schedule(&context, candidates: .sample(count: 3))
            return nil
        } catch {
            return error
        }
    }

    private let refusal = Rejection(.preconditionFailed, "no decode worker has the requested KV cache")

    @Test func theChosenEndpointMustHoldThePrompt() {
        #expect(rejection("if-available", [Holder(["e1"])]) == nil)
        #expect(rejection("if-available", [Holder(["e0", "e2"])]) == refusal)
        #expect(rejection("If-Available; wait=1", [Holder([])]) == refusal)
    }

    @Test func oneProducerThatKnowsOfItIsEnough() {
        #expect(rejection("if-available", [Holder([]), Holder(["e1"])]) == nil)
    }

    @Test func nothingElseIsConditional() {
        #expect(rejection(nil, [Holder([])]) == nil)
        #expect(rejection("respond-async", [Holder([])]) == nil)
        // Without anybody who knows, the wish has no effect.
        #expect(rejection("if-available", []) == nil)
    }
}

private struct Holder: PrefixCacheProducer {
    static let descriptor = PluginDescriptor(type: "holder", summary: "")

    var names: Set<String> = []

    init(_ names: Set<String>) { self.names = names }
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func produce(for candidates: Candidates, context: inout SchedulingContext) {}

    func holdsPrefix(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> Bool {
        names.contains(endpoint.id.name)
    }
}
