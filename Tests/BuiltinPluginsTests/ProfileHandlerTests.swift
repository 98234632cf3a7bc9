import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct HeaderProfileHandlerTests {
    private func pool(
        _ parameters: ConfigurationValue? = nil,
        profiles: [String] = ["decode", "prefill"],
        headers: [(String, String)] = []
    ) throws -> DisaggregatedPool {
        let request = InferenceRequest(
            id: "1",
            model: "m",
            headers: HeaderMap(headers.map { HeaderMap.Field(name: $0.0, value: $0.1) })
        )
        return try DisaggregatedPool("header-profile-handler", parameters, profiles: profiles, request: request)
    }

    @Test(
        arguments: [
            ([], "decode-0"), ([("epp-profile", "prefill")], "prefill-0"),
            ([("EPP-PROFILE", " prefill ")], "prefill-0"),
            ([("EPP-Profile", "")], "decode-0"), ([("EPP-Profile", "decode"), ("EPP-Profile", "prefill")], "decode-0"),
        ] as [([(String, String)], String)])
    func theHeaderNamesTheProfile(headers: [(String, String)], expected: String) throws {
        var pool = try pool(headers: headers)
        let decision = try pool.schedule()
        #expect(decision.endpoint.id.name == expected && decision.secondary.isEmpty)
        #expect(pool.log.lines.count == 1)
    }

    @Test func anUnknownProfileIsRefused() throws {
        var unknown = try pool(headers: [("EPP-Profile", "Prefill")])
        let rejection = Rejection(.saturated, "there is no scheduling profile 'Prefill'")
        #expect(throws: rejection) { try unknown.schedule() }
        var drained = try pool()
        #expect(throws: Rejection(.saturated, "no endpoints available for the given request")) {
            try drained.schedule(without: ["decode"])
        }
    }

    @Test func parametersNameHeaderAndDefault() throws {
        var named = try pool(["headerName": "x-stage", "defaultProfile": "prefill"], headers: [("X-Stage", "decode")])
        #expect(try named.schedule().endpoint.id.name == "decode-0")
        var unnamed = try pool(["headerName": "x-stage", "defaultProfile": "prefill"])
        #expect(try unnamed.schedule().endpoint.id.name == "prefill-0")
    }

    @Test func theHeaderMustHaveANameOfAHeader() throws {
        let text = failure(HeaderProfileHandler.self, ["headerName": "EPP Profile"])
        #expect(text?.contains("\"EPP Profile\" is not the name of a header field") == true)
        var spaced = try pool(["headerName": " X-Stage "], headers: [("x-stage", "prefill")])
        #expect(try spaced.schedule().endpoint.id.name == "prefill-0")
    }

    @Test func theOnlyProfileNeedsNoHeader() throws {
        var pool = try pool(profiles: ["encode"], headers: [("EPP-Profile", "other")])
        #expect(try pool.schedule().endpoint.id.name == "encode-0")
    }

    @Test func aDefaultThatIsNotThereIsToldOnce() throws {
        let handler = try make(HeaderProfileHandler.self)
        #expect(handler.objections(to: ["decode", "prefill"]).isEmpty && handler.objections(to: ["a"]).isEmpty)
        let text = "requests without the header 'EPP-Profile' are refused: there is no scheduling profile 'decode'"
        #expect(handler.objections(to: ["a", "b"]) == [.warning(text)])
    }
}

@Suite struct DataParallelProfileHandlerTests {
    @Test func theRankIsToldAndThePrimaryPortAsked() throws {
        for (parameters, port) in [(nil, 8000), (["primaryPort": 9000], 9000)] as [(ConfigurationValue?, Int)] {
            var pool = try DisaggregatedPool(
                "data-parallel-profile-handler", parameters, profiles: ["decode"], picks: 2)
            let decision = try pool.schedule()
            #expect(decision.endpoint.id.name == "decode-0" && decision.destinationPort == port)
            #expect(pool.headers == ["x-data-parallel-host-port": "10.0.0.1:8000"])
            #expect(decision.kind == nil)
            #expect(throws: Rejection(.saturated, "no endpoints available for the given request")) {
                try pool.schedule(without: ["decode"])
            }
        }
    }

    @Test func portsAreChecked() throws {
        let range = "is not in 1 to 65535"
        #expect(failure(DataParallelProfileHandler.self, ["primaryPort": 0])?.contains("0 \(range)") == true)
        #expect(failure(DataParallelProfileHandler.self, ["primaryPort": 65_536])?.contains(range) == true)
    }

    @Test func oneProfileIsRun() throws {
        let handler = try make(DataParallelProfileHandler.self)
        #expect(handler.objections(to: ["a"]).isEmpty)
        let text = "data-parallel-profile-handler runs one profile, there are 2"
        #expect(handler.objections(to: ["a", "b"]) == [.error(text)])
    }
}
