import GatewayCore
import Testing

@testable import BuiltinPlugins

@Suite struct FlowControlPolicyTests {
    @Test func programAwareFairnessReadsItsParameters() throws {
        let defaults = try make(ProgramAwareFairnessPolicy.self).settings
        #expect(defaults.serviceWeight == 0.8 && defaults.headWaitWeight == 0.2)
        #expect(defaults.halfLife == .seconds(60) && defaults.evictionTTL == .seconds(3600))
        #expect(defaults.evictionSweep == .seconds(300))
        let read = try make(
            ProgramAwareFairnessPolicy.self,
            [
                "strategy": "las", "lasWeightService": 0.5, "lasWeightHeadWait": 0, "lasHalfLifeSeconds": 1.5,
                "evictionTtlSeconds": 10, "evictionSweepSeconds": 0.25,
            ]
        ).settings
        #expect(read.serviceWeight == 0.5 && read.headWaitWeight == 0)
        #expect(read.halfLife == .milliseconds(1500) && read.evictionTTL == .seconds(10))
        #expect(read.evictionSweep == .milliseconds(250))
        let zeros = try make(ProgramAwareFairnessPolicy.self, ["lasHalfLifeSeconds": 0, "evictionTtlSeconds": 0])
            .settings
        #expect(zeros.halfLife == nil && zeros.evictionTTL == nil)
    }

    @Test(
        arguments: [
            (["strategy": "drr"], "\"drr\" is not one of las"),
            (["lasWeightService": -1], "-1 is not in 0.0 to 1000000.0"),
            (["evictionSweepSeconds": 0], "0.0 is not above 0 and at most"),
            (["evictionTtlSeconds": 1e300], "is not in 0.0 to"),
            (["lasDecayFactor": 1], "unknown field \"lasDecayFactor\""),
        ] as [(ConfigurationValue, String)])
    func badParametersOfProgramAwareFairness(parameters: ConfigurationValue, message: String) {
        #expect(failure(ProgramAwareFairnessPolicy.self, parameters)?.contains(message) == true)
    }

    @Test func theStaticCeilingIsOne() throws {
        #expect(try make(StaticUsageLimitPolicy.self).ceiling == 1)
        #expect(try make(StaticUsageLimitPolicy.self, ["threshold": 0.75]).ceiling == 0.75)
        #expect(failure(StaticUsageLimitPolicy.self, ["threshold": -1])?.contains("-1 is not in 0.0 to") == true)
    }

    @Test func holdbackReadsItsParameters() throws {
        let defaults = try make(PriorityHoldbackPolicy.self, ["minCeiling": 0]).settings
        #expect(defaults == .init(shape: .linear, domain: .rank, minCeiling: 0, maxCeiling: 1))
        let read = try make(
            PriorityHoldbackPolicy.self,
            ["shape": "linear", "domain": "value", "minCeiling": 0.25, "maxCeiling": 0.5]
        ).settings
        #expect(read == .init(shape: .linear, domain: .value, minCeiling: 0.25, maxCeiling: 0.5))
    }

    @Test(
        arguments: [
            ([:], "required field \"minCeiling\" is missing"),
            (["minCeiling": 1], "1.0 is not below maxCeiling, which is 1.0"),
            (["minCeiling": 0.5, "maxCeiling": 0.5], "0.5 is not below maxCeiling, which is 0.5"),
            (["minCeiling": -0.1], "-0.1 is not in 0.0 to 1.0"),
            (["minCeiling": 0.1, "maxCeiling": 1.1], "1.1 is not above 0 and at most 1.0"),
            (["minCeiling": 0.1, "shape": "sigmoid"], "\"sigmoid\" is not one of linear"),
            (["minCeiling": 0.1, "domain": "explicit"], "\"explicit\" is not one of rank, value"),
        ] as [(ConfigurationValue, String)])
    func badParametersOfHoldback(parameters: ConfigurationValue, message: String) {
        #expect(failure(PriorityHoldbackPolicy.self, parameters)?.contains(message) == true)
    }

    @Test(arguments: [
        "priority-holdback-policy", "soft-reflective-ceiling-policy", "virtual-token-counter-fairness-policy",
        "deficit-round-robin-fairness-policy", "learned-capacity-detector",
    ])
    func whatMayStillChangeSaysSo(type: String) throws {
        #expect(BuiltinCatalogue.registry()[type]?.descriptor.stability == .alpha)
    }

    /// `enableEviction` brings them along, so they need no leave of their own.
    @Test(arguments: [
        "sheddable-eviction-filter", "priority-then-time-eviction-order-policy", "eviction-sheddable-filter",
        "eviction-priority-then-time-ordering",
    ])
    func evictionNeedsNoLeave(type: String) throws {
        let entry = try #require(BuiltinCatalogue.registry()[type])
        #expect(entry.descriptor.stability == .beta)
        #expect((entry.descriptor.deprecation != nil) == type.hasPrefix("eviction-"))
    }
}
