import GatewayCore
import Testing

@Suite struct HeaderMapTests {
    private func lines(_ map: HeaderMap) -> [String] { map.fields.map { "\($0.name): \($0.value)" } }

    @Test func lookUpIgnoresCaseAndTakesTheFirst() {
        let map = HeaderMap([
            .init(name: "X-Request-ID", value: "1"), .init(name: "x-request-id", value: "2"),
            .init(name: "x-empty", value: ""),
        ])
        #expect(map.first("x-request-id") == "1")
        #expect(map.first(named: "X-REQUEST-id") == "1")
        #expect(map.first("x-empty") == "")
        #expect(map.first("x-request") == nil && map.first(named: "") == nil)
        #expect(map.count == 3)
    }

    @Test func replaceAndRemoveTakeEveryFieldOfTheName() {
        var map = HeaderMap([.init(name: "A", value: "1"), .init(name: "b", value: "2"), .init(name: "a", value: "3")])
        map.replace(name: "a", value: "4")
        #expect(lines(map) == ["b: 2", "a: 4"])
        map.remove(name: "B")
        map.append(name: "c", value: "5")
        #expect(lines(map) == ["a: 4", "c: 5"])
    }

    @Test func bytesStayAndTextIsRepaired() {
        let section: [UInt8] = Array("a: ".utf8) + [0xFF] + Array("\r\n".utf8)
        let map = HeaderMap(section: section.span.bytes, places: [.init(name: 0..<1, value: 3..<4)])
        #expect(map.first("a") == "\u{FFFD}")
        #expect(map.withFields { bytes, places in Array(bytes[places[0].value]) } == [0xFF])
    }
}
