import Testing

@testable import GatewayTesting

@Suite("The scripted API server: JSON")
struct ScriptedJSONTests {
    @Test(
        "A document comes out as it went in",
        arguments: [
            #"{"a":[1,-2,9007199254740993,0.5,1e+300],"b":{"c":null,"d":true,"e":false}}"#, #""""#, "[]", "{}",
            #""quote \" backslash \\ slash / newline \n tab \t return \r bell \u0007 unit \u001f ä 🐦""#,
        ]
    )
    func roundTrip(text: String) throws {
        #expect(try ScriptedJSON(text).description == text)
    }

    @Test("Members are set where there was nothing")
    func members() throws {
        var value: ScriptedJSON = .null
        value.set("x", at: ["a", "b"])
        value["c"] = 1
        #expect(
            value == ["a": ["b": "x"], "c": 1] && value[path: "a", "b"]?.text == "x" && value[path: "c", "d"] == nil)
        value.set(nil, at: ["a", "b"])
        #expect(value["a"] == [:])
    }

    @Test("What is no JSON is refused", arguments: ["", "{", "[1", "nul", #"{"a" 1}"#])
    func refusals(text: String) {
        #expect(throws: (any Error).self) { try ScriptedJSON(text) }
    }
}
