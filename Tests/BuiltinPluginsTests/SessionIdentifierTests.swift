import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct SessionIdentifierTests {
    private func identifier(_ parameters: ConfigurationValue, _ headers: [(String, String)]) throws -> String? {
        var making = PluginContext(clock: SystemMonotonicClock())
        let producer = try make(SessionIDProducer.self, parameters, context: &making)
        let reader = making.consume(SessionIdentifier.key)
        var context = SchedulingContext.sample(.with(headers: headers), slotCount: making.slotCount)
        producer.produce(for: Candidates([]), context: &context)
        return context.scratch[reader]
    }

    @Test func comesFromAHeader() throws {
        let parameters: ConfigurationValue = ["headerName": " X-Session "]
        #expect(try identifier(parameters, [("x-session", " s1 ")]) == "s1")
        #expect(try identifier(parameters, [("X-SESSION", "s1")]) == "s1")
        #expect(try identifier(parameters, [("x-session", "  ")]) == nil)
        #expect(try identifier(parameters, [("x-other", "s1")]) == nil)
    }

    @Test(arguments: [
        (["sid=s1"], "s1"),
        (["a=b; sid=s1; c=d"], "s1"),
        (["a=b;sid=s1=2;c"], "s1=2"),
        // HTTP/2 may split the cookies.
        (["a=b", "sid=s1"], "s1"),
        (["sid=s1; sid=s2"], "s1"),
        (["sid="], nil),
        (["sid"], nil),
        (["SID=s1"], nil),
        (["xsid=s1; sidx=s2"], nil),
        ([";;=;"], nil),
        ([], nil),
    ])
    func comesFromACookie(cookies: [String], expected: String?) throws {
        #expect(try identifier(["cookieName": "sid"], cookies.map { ("Cookie", $0) }) == expected)
    }

    @Test(
        arguments: [
            ([:], "exactly one of headerName and cookieName must be given, found neither"),
            (["headerName": " "], "found neither"),
            (["headerName": "a", "cookieName": "b"], "found both"),
            (["headerName": "a:b"], "\"a:b\" is not the name of a header field"),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        let text = failure(SessionIDProducer.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }
}

@Suite struct AgentIdentityTests {
    @Test(
        arguments: [
            ([("x-claude-code-session-id", "a")], "a"),
            ([("x-session-affinity", "b")], "b"),
            ([("session-id", "c")], "c"),
            ([("session_id", "d")], "d"),
            // The order is that of the list, not of the request.
            ([("session_id", "d"), ("Session-Id", "c"), ("x-claude-code-session-id", "a")], "a"),
            ([("x-claude-code-session-id", ""), ("session_id", "d")], "d"),
            ([("x-my-agent", "e"), ("x-claude-code-session-id", "a")], "e"),
            ([("user-agent", "curl")], nil),
        ] as [([(String, String)], String?)])
    func isTheFirstHeaderThatIsThere(headers: [(String, String)], expected: String?) throws {
        var making = PluginContext(clock: SystemMonotonicClock())
        let plugin = try make(AgentIdentity.self, ["additionalSessionHeaders": ["X-My-Agent"]], context: &making)
        let reader = making.consume(AgentIdentity.key)
        var context = SchedulingContext.sample(.with(headers: headers), slotCount: making.slotCount)
        plugin.produce(for: Candidates([]), context: &context)
        #expect(plugin.agent(in: context.request.headers) == expected)
        #expect(context.scratch[reader] == expected)
    }

    @Test func refusesWhatIsNoHeader() {
        for (name, message) in [("", "a header field needs a name"), ("a b", "is not the name of a header field")] {
            let parameters: ConfigurationValue = ["additionalSessionHeaders": [.init(stringLiteral: name)]]
            #expect(failure(AgentIdentity.self, parameters)?.contains(message) == true)
        }
    }
}
