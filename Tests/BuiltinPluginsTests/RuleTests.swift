import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

/// What explanations say of the rules by which plugins remove endpoints.
@Suite struct RuleTests {
    private struct Case: CustomTestStringConvertible {
        let plugin: any Filter.Type
        let parameters: ConfigurationValue?
        let rule: String

        init(_ plugin: any Filter.Type, _ parameters: ConfigurationValue?, _ rule: String) {
            self.plugin = plugin
            self.parameters = parameters
            self.rule = rule
        }

        var testDescription: String { rule }
    }

    private static let cases: [Case] = [
        Case(
            UtilizationFilter.self, ["conditions": [["metric": "waiting-queue", "maxValue": 5]]], "waiting-queue <= 5"
        ),
        Case(
            UtilizationFilter.self,
            [
                "conditions": [
                    ["metric": "kv-cache-utilization", "maxValue": 0.9],
                    ["metric": "running-requests", "maxValue": 64],
                ]
            ],
            "kv-cache-utilization <= 0.9 and running-requests <= 64"
        ),
        Case(
            EndpointAttributeFilter.self,
            [
                "attribute": "GPUUtilization", "producer": "dcgm-extractor", "onMissing": "Fail",
                "algorithm": ["type": "threshold", "threshold": ["operator": "LessThanOrEqual", "value": 90]],
            ],
            "GPUUtilization/dcgm-extractor <= 90"
        ),
        Case(
            EndpointAttributeFilter.self,
            [
                "attribute": "WaitingQueueSize",
                "algorithm": ["type": "threshold", "threshold": ["operator": "NotEqual", "value": 0.5]],
            ],
            "WaitingQueueSize != 0.5, or it is not told"
        ),
        Case(
            UtilizationDetector.self, ["queueDepthThreshold": 8, "headroom": 0.25],
            "max(queue / 8, KV-cache use / 0.8) < 1.25, metrics at most 2s old"
        ),
        Case(ConcurrencyDetector.self, ["maxConcurrency": 10, "headroom": 0.25], "requests in flight < 12"),
        Case(
            ConcurrencyDetector.self,
            ["concurrencyMode": "hybrid", "maxConcurrency": 10, "maxTokenConcurrency": 500],
            "requests in flight < 10 and tokens in flight < 500"
        ),
        Case(
            LabelSelectorFilter.self,
            [
                "matchLabels": ["zone": "a"],
                "matchExpressions": [
                    ["key": "tier", "operator": "In", "values": ["x", "w"]],
                    ["key": "app", "operator": "NotIn", "values": ["c", "b"]],
                    ["key": "gpu", "operator": "Exists"], ["key": "old", "operator": "DoesNotExist"],
                ],
            ],
            "zone=a, tier in (w, x), app notin (b, c), gpu, !old"
        ),
        Case(ByLabelFilter.self, ["label": "zone", "validValues": ["b", "a"]], "zone in (a, b)"),
        Case(
            ByLabelFilter.self, ["label": "zone", "validValues": ["a"], "allowsNoLabel": true], "zone in (a) or no zone"
        ),
        Case(
            DecodeFilter.self, nil,
            "llm-d.ai/role in (both, decode, encode-prefill-decode, prefill-decode) or no llm-d.ai/role"
        ),
        Case(
            PrefillFilter.self, nil,
            "llm-d.ai/role in (both, encode-prefill, encode-prefill-decode, prefill, prefill-decode)"
        ),
        Case(EncodeFilter.self, nil, "llm-d.ai/role in (encode, encode-prefill, encode-prefill-decode)"),
        Case(
            ContextLengthAware.self, ["label": "range", "enableFiltering": true],
            "77 prompt tokens in the range of range, or no range"
        ),
        Case(PrefixCacheAffinityFilter.self, ["affinityThreshold": 0.5], "cached blocks >= 0.5 × 0 of the prompt"),
        Case(SessionAffinityFilter.self, nil, "the session's endpoint is unknown"),
        Case(TopologyAffinityFilter.self, ["minAffinity": "zone"], "in the zone of the peer"),
        Case(SLOHeadroomTierFilter.self, nil, "both headrooms >= 0; for 0.01 of the requests those without"),
        Case(
            HeaderBasedTestingFilter.self, nil, "the address is in test-epp-endpoint-selection: 10.0.0.1"
        ),
    ]

    @Test(arguments: cases)
    private func theNumbersAreTold(_ test: Case) throws {
        func rule<Type: Filter>(_ type: Type.Type) throws -> String {
            var context = PluginContext(clock: SystemMonotonicClock())
            let plugin = try make(type, test.parameters, context: &context)
            let request = InferenceRequest.with(
                headers: [("test-epp-endpoint-selection", "10.0.0.1")],
                inputTokens: 77
            )
            return plugin.rule(in: .sample(request, slotCount: context.slotCount))
        }
        #expect(try rule(test.plugin) == test.rule)
    }

    @Test func aRolloutTellsWhatItsHeadersAndRolesAskFor() throws {
        let screener = try make(
            DisaggregatedSetRolloutScreener.self,
            [
                "scope": ["labelSelector": "set=s"],
                "headerSelectors": [
                    ["name": "slice", "headerName": "x-slice", "labelKey": "slice", "mode": "strict"]
                ],
                "revisionGating": [
                    "mode": "sum", "revisionLabelKey": "revision", "requireRoles": ["values": ["prefill", "decode"]],
                ],
            ]
        )
        let all = "one revision that has prefill, decode"
        #expect(screener.rule(in: .sample(.with())) == all)
        #expect(screener.rule(in: .sample(.with(headers: [("x-slice", "3")]))) == "slice=3 by x-slice and \(all)")
    }
}
