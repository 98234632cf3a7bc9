import GatewayCore
import NIOHTTP1
import Testing

@testable import ReverseProxy

@Suite struct InboundFaultTests {
    private func reason(
        _ headers: [(String, String)],
        version: HTTPVersion = .http1_1,
        method: HTTPMethod = .POST,
        isStream: Bool = false
    ) -> Rejection.Reason? {
        var limits = GatewayLimits()
        limits.maxBodyBytes = 100
        limits.maxHeaderFields = 10
        let head = HTTPRequestHead(version: version, method: method, uri: "/", headers: HTTPHeaders(headers))
        return InboundFault.rejection(for: head, limits: limits, isStream: isStream)?.reason
    }

    private let host = ("host", "h")

    @Test func acceptableHeads() {
        #expect(reason([host]) == nil)
        #expect(reason([host, ("content-length", "100")]) == nil)
        #expect(reason([host, ("transfer-encoding", "chunked")]) == nil)
        #expect(reason([], version: .http1_0) == nil)
        #expect(reason([host], version: .http2, isStream: true) == nil)
    }

    @Test func hosts() {
        #expect(reason([]) == .invalidRequest)
        #expect(reason([host, host]) == .invalidRequest)
        #expect(reason([host, host], version: .http1_0) == .invalidRequest)
        #expect(reason([host, host], version: .http2, isStream: true) == .invalidRequest)
    }

    @Test func lengthsOpenToDoubt() {
        #expect(reason([host, ("transfer-encoding", "chunked"), ("content-length", "3")]) == .invalidRequest)
        #expect(reason([host, ("transfer-encoding", "chunked")], version: .http1_0) == .invalidRequest)
        #expect(reason([host, ("content-length", "101")]) == .bodyTooLarge)
    }

    @Test(arguments: [
        HTTPVersion(major: 0, minor: 9), HTTPVersion(major: 2, minor: 0), HTTPVersion(major: 1, minor: 2),
    ])
    func versionsThatTheBytesAreNot(version: HTTPVersion) {
        #expect(reason([host], version: version) == .invalidRequest)
    }

    @Test func methodsAndCounts() {
        #expect(reason([host], method: .CONNECT) == .methodNotAllowed)
        #expect(reason([host], method: .TRACE) == .methodNotAllowed)
        let many = [host] + (0..<10).map { ("x-\($0)", "") }
        #expect(reason(many, version: .http2, isStream: true) == .headersTooLarge)
    }

    @Test func decoderErrors() {
        #expect(InboundFault.rejection(for: HTTPParserError.headerOverflow)?.reason == .headersTooLarge)
        #expect(InboundFault.rejection(for: HTTPParserError.invalidChunkSize)?.reason == .invalidRequest)
        #expect(InboundFault.rejection(for: HTTPParserError.unexpectedContentLength)?.reason == .invalidRequest)
        #expect(InboundFault.rejection(for: HTTPParserError.invalidEOFState)?.reason == .invalidRequest)
        #expect(InboundFault.rejection(for: HTTPParserError.closedConnection) == nil)
        #expect(InboundFault.rejection(for: CancellationError()) == nil)
    }
}
