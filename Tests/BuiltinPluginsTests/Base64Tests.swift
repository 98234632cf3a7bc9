import GatewayCore
import Testing

@testable import BuiltinPlugins

@Suite struct Base64Tests {
    /// The vectors of RFC 4648, 10, and two that use the last characters of the alphabet.
    private static let vectors: [([UInt8], String)] = [
        ([], ""), (Array("f".utf8), "Zg=="), (Array("fo".utf8), "Zm8="), (Array("foo".utf8), "Zm9v"),
        (Array("foob".utf8), "Zm9vYg=="), (Array("fooba".utf8), "Zm9vYmE="), (Array("foobar".utf8), "Zm9vYmFy"),
        ([0xFB, 0xFF, 0xBF], "+/+/"), ([0xFF], "/w=="),
    ]

    @Test(arguments: vectors)
    func knownVectors(bytes: [UInt8], text: String) {
        #expect(Base64.encode(bytes) == text)
        #expect(Base64.decode(text) == bytes)
    }

    @Test func everythingComesBack() {
        var random = RandomSource(seed: 7)
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zg==Zg==", "Z=g=", "Zm9v\n", " Zg==", "Zm-v", "Zm_v", "Zmév",
        // Bits behind the last byte.
        "Zh==", "Zm9=",
    ])
    func refusesEverythingElse(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test func endpointsHaveTokens() {
        let id = EndpointID(namespace: "default", name: "pod-a-rank-0")
        #expect(id.sessionToken == "ZGVmYXVsdC9wb2QtYS1yYW5rLTA=")
        #expect(EndpointID(sessionToken: id.sessionToken) == id)
        // No text, and a text without a slash.
        for bytes in [[0xFF, 0x2F, 0x61], Array("default".utf8)] as [[UInt8]] {
            #expect(EndpointID(sessionToken: Base64.encode(bytes)) == nil)
        }
    }
}
