import GatewayCore
import Testing

@Suite struct EndpointSubsetTests {
    private static let hosts = ["10.0.0.1", "10.0.0.2", "2001:db8::1", "gpu-2.lan"]

    /// The endpoints, on ports 80 and 81 of each host, that a subset contains.
    private func contained(_ items: [String]) -> [String] {
        let subset = EndpointSubset(items)
        return Self.hosts.flatMap { host in
            [80, 81].map { EndpointAddress(host: host, port: $0) }
        }.filter(subset.contains).map(\.authority)
    }

    @Test(
        arguments: [
            (["10.0.0.1"], ["10.0.0.1:80", "10.0.0.1:81"]),
            (["10.0.0.1:80"], ["10.0.0.1:80"]),
            (["10.0.0.1:80", "10.0.0.2:81"], ["10.0.0.1:80", "10.0.0.2:81"]),
            (["10.0.0.2:81, 10.0.0.1:80 ,", " 10.0.0.2:80\t"], ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.2:81"]),
            (["10.0.0.1:80,10.0.0.1"], ["10.0.0.1:80", "10.0.0.1:81"]),
            (["2001:db8::1"], ["[2001:db8::1]:80", "[2001:db8::1]:81"]),
            (["[2001:db8::1]"], ["[2001:db8::1]:80", "[2001:db8::1]:81"]),
            (["[2001:db8::1]:81"], ["[2001:db8::1]:81"]),
            (["[2001:0DB8:0:0:0:0:0:1]:81"], ["[2001:db8::1]:81"]),
            (["2001:db8::0.0.0.1"], ["[2001:db8::1]:80", "[2001:db8::1]:81"]),
            (["GPU-2.lan:80"], ["gpu-2.lan:80"]),
            (["10.0.0.1:90", "10.0.0.9"], []),
        ] as [([String], [String])])
    func membersAreContained(items: [String], expected: [String]) {
        #expect(contained(items) == expected)
    }

    @Test(
        arguments: [
            "", ",", " , ", "10.0.0.1:", ":80", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:+80", "10.0.0.1:8o", "[]",
            "[]:80", "[2001:db8::1", "[2001:db8::1]80", "[2001:db8::1]:", "2001:db8:::1", "2001:db8::1::", ":",
            "10.0.0", "0.0.0.1", "http://10.0.0.1:80", "10.0.0.1:99999999999999999999",
        ])
    func whatIsNoEndpointContainsNobody(item: String) {
        #expect(contained([item]) == [])
    }

    @Test func anEmptySubsetContainsNobody() {
        #expect(EndpointSubset([]).isEmpty && EndpointSubset([""]).isEmpty)
        #expect(!EndpointSubset(["a"]).isEmpty)
        #expect(contained([]) == [])
    }

    @Test func manyMembersAreTheSameAsFew() {
        let items = (0..<1_000).map { "10.1.\($0 / 250).\($0 % 250):\(8_000 + $0 % 3)" } + ["10.2.0.1"]
        let subset = EndpointSubset([items.joined(separator: ", ")])
        for number in 0..<1_000 {
            let host = "10.1.\(number / 250).\(number % 250)"
            for port in 8_000...8_002 {
                let isMember = port == 8_000 + number % 3
                #expect(subset.contains(EndpointAddress(host: host, port: port)) == isMember)
            }
        }
        #expect(subset.contains(EndpointAddress(host: "10.2.0.1", port: 1)))
        #expect(!subset.contains(EndpointAddress(host: "10.2.0.2", port: 1)))
    }

    @Test func anyTextIsTaken() {
        var random = RandomSource(seed: 7)
        let letters = Array("0123456789abf:[].,% /é")
        for _ in 0..<5_000 {
            let text = String((0..<Int(random.next() % 24)).map { _ in letters[Int(random.next() % 22)] })
            let subset = EndpointSubset([text])
            _ = subset.contains(EndpointAddress(host: "2001:db8::1", port: 80))
            _ = subset.contains(EndpointAddress(host: text, port: 80))
        }
    }
}
