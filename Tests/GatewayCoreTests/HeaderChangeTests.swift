import GatewayCore
import Testing

@Suite struct HeaderChangeTests {
    @Test(arguments: [
        (["if-available"], true), (["IF-Available"], true), (["respond-async, if-available"], true),
        (["respond-async", "wait=10, if-available; after=5"], true), (["if-available=1"], true),
        (["\tif-available\t"], true), ([",,if-available"], true), (["if-available \t ;x"], true),
        ([], false), ([""], false), (["if-available2"], false), (["not-if-available"], false),
        (["x=if-available"], false),
        (["x; if-available"], false), (["x=\"a, if-available\""], false), (["x=\"a\\\", if-available\""], false),
        (["x=\"a\", if-available"], true), (["x=\"a\\"], false), (["\"if-available\""], false),
    ])
    func preferences(values: [String], expected: Bool) {
        var headers = HeaderMap([.init(name: "preferred", value: "if-available")])
        for value in values { headers.append(name: "PREFER", value: value) }
        #expect(headers.hasPreference("if-available") == expected)
    }

    @Test func overwritingLeavesOneChangeOfAName() {
        var changes = HeaderMutation(
            set: [.init(name: "X-A", value: "1"), .init(name: "x-b", value: "2")],
            add: [.init(name: "x-A", value: "3")],
            remove: ["x-c"]
        )
        changes.overwrite("x-a", with: "4")
        changes.overwrite("X-C", with: "5")
        changes.overwrite("x-B", with: nil)
        let set = [HeaderMutation.Field(name: "x-a", value: "4"), .init(name: "X-C", value: "5")]
        #expect(changes == HeaderMutation(set: set, remove: ["x-B"]))
    }
}
