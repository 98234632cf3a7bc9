import GatewayCore
import Testing

@testable import MartletApp

@Suite("Command-line arguments")
struct ArgumentTests {
    @Test(
        "endpoints",
        arguments: [
            ("http://10.0.0.1:8000", nil, "10.0.0.1:8000", false),
            ("http://10.0.0.1", nil, "10.0.0.1:80", false),
            ("https://gpu.example/", nil, "gpu.example:443", true),
            ("gpu-1=http://[::1]:8000", "gpu-1", "[::1]:8000", false),
            ("http://[fd00::2]", nil, "[fd00::2]:80", false),
        ] as [(String, String?, String, Bool)]
    )
    func endpoint(text: String, name: String?, authority: String, isSecure: Bool) throws {
        let argument = try EndpointArgument(text)
        #expect(argument.name == name)
        #expect(argument.address.authority == authority)
        #expect(argument.address.isSecure == isSecure)
    }

    @Test(
        "endpoints that are refused say what is wrong",
        arguments: [
            ("10.0.0.1:8000", "http://"), ("ftp://a:1", "http://"), ("http://a:0", "port"), ("http://a:70000", "port"),
            ("http://a:b", "port"), ("http://a/v1", "path"), ("http://", "no host"), ("=http://a", "http://"),
            ("http://[::1", "["),
        ]
    )
    func badEndpoint(text: String, mention: String) {
        let error = #expect(throws: CommandError.self) { try EndpointArgument(text) }
        #expect(error?.description.contains(text) == true)
        #expect(error?.description.contains(mention) == true)
    }

    @Test(
        "addresses to bind",
        arguments: [
            ("127.0.0.1:8080", "127.0.0.1", 8080), (":0", "0.0.0.0", 0), ("[::1]:9", "::1", 9),
            ("localhost:65535", "localhost", 65535),
        ]
    )
    func bindAddress(text: String, host: String, port: Int) throws {
        let address = try BindAddress(text, flag: "--listen")
        #expect(address.host == host)
        #expect(address.port == port)
    }

    @Test(
        "addresses that are refused", arguments: ["8080", "127.0.0.1", "127.0.0.1:", "a:65536", "::1:80", "a:-1", ""])
    func badBindAddress(text: String) {
        let error = #expect(throws: CommandError.self) { try BindAddress(text, flag: "--listen") }
        #expect(error?.description.contains("--listen '\(text)'") == true)
    }
}
