import GatewayCore
import Telemetry
import Testing

@testable import BodyBasedRouting

@Suite struct PluginSpecificationTests {
    @Test func typeNameAndParametersAreRead() throws {
        let plain = try PluginSpecification(parsing: "base-model-to-header: base ")
        #expect(plain.type == "base-model-to-header" && plain.name == "base" && plain.parameters == nil)
        #expect(try PluginSpecification(parsing: "base-model-to-header:base:") == plain)
        let json = #"{"a":"x:y","b":[1,-2.5,true,null,9223372036854775808],"c":{"d":"\u00e9"}}"#
        let parameters: ConfigurationValue = [
            "a": "x:y", "b": [1, -2.5, true, nil, 9_223_372_036_854_775_808.0], "c": ["d": "é"],
        ]
        #expect(try PluginSpecification(parsing: "t:n:\(json)").parameters == parameters)
    }

    /// The error of a chain of one plugin; empty when there is none.
    private func failure(_ text: String) throws -> String {
        let metrics = try BodyRoutingMetrics(registry: MetricRegistry(), commit: "", buildRef: "")
        do {
            let plugin = try PluginSpecification(parsing: text)
            _ = try BodyRouter(plugins: [plugin], metrics: metrics, clock: SystemMonotonicClock())
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test(
        arguments: [
            ("", #"--plugin: "" is not of the form "type:name" or "type:name:json""#),
            ("base-model-to-header", #""base-model-to-header" is not of the form"#), (":n", "is not of the form"),
            ("t: :{}", "is not of the form"),
            ("base-model-to-heade:n", #"unknown plugin type "base-model-to-heade"; known are body-field-to-header"#),
            ("base-model-to-heade:n", #"(did you mean "base-model-to-header"?)"#),
            ("base-model-to-header:n:{", "--plugin: the parameters of \"n\" cannot be read"),
            ("base-model-to-header:n:{}x", "more bytes follow"),
            (#"base-model-to-header:n:{"a":1,"a":2}"#, #""a" is written twice in one object"#),
            (#"base-model-to-header:n:{"a":"\ud800"}"#, "half a surrogate pair"),
            ("base-model-to-header:n:[1]", "expected an object, found a list of 1"),
            (#"base-model-to-header:n:{"a":1}"#, #"unknown field "a""#),
            ("body-field-to-header:n", #"required field "fieldName" is missing"#),
            (#"body-field-to-header:n:{"fieldName":"a"}"#, #"required field "headerName" is missing"#),
            (#"body-field-to-header:n:{"fieldName":"","headerName":"x"}"#, "fieldName: must not be empty"),
            (#"body-field-to-header:n:{"fieldname":"a","headerName":"x"}"#, #"did you mean "fieldName"?"#),
            (#"body-field-to-header:n:{"fieldName":1,"headerName":"x"}"#, "expected text (in quotes), found 1"),
            (#"body-field-to-header:n:{"fieldName":"a","headerName":"x y"}"#, #""x y" is no name of a header field"#),
            (#"body-field-to-header:n:{"fieldName":"a","headerName":":path"}"#, "is no name of a header field"),
            (#"body-field-to-header:n:{"fieldName":"a","headerName":"Content-Length"}"#, "cannot be set"),
        ])
    func whatIsWrongIsSaid(text: String, message: String) throws {
        let failure = try failure(text)
        #expect(failure.contains(message), "\(failure)")
    }

    @Test func theDefaultsAreTwo() {
        let types = PluginSpecification.defaults.map(\.type)
        #expect(types == ["body-field-to-header", "base-model-to-header"])
        #expect(PluginSpecification.defaults.map(\.name) == types)
    }

    @Test func allThatIsWrongIsSaidAtOnce() throws {
        let metrics = try BodyRoutingMetrics(registry: MetricRegistry(), commit: "", buildRef: "")
        let plugins = try ["a:a", "b:b"].map { try PluginSpecification(parsing: $0) }
        let error = #expect(throws: ConfigurationError.self) {
            _ = try BodyRouter(plugins: plugins, metrics: metrics, clock: SystemMonotonicClock())
        }
        #expect(error?.problems.count == 2)
    }

    @Test func anyTextIsASpecificationOrNone() {
        var random = RandomSource(seed: 1)
        let letters = Array(#"ab:{}[]",\u0 1-.e"#)
        for _ in 0..<5_000 {
            let tail = String((0..<Int(random.next() % 20)).map { _ in letters[Int(random.next() % 17)] })
            _ = try? PluginSpecification(parsing: "t:n:{\"a\":" + tail)
            _ = try? PluginSpecification(parsing: tail)
        }
    }
}
