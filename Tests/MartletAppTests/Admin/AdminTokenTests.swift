import GatewayCore
import NIOHTTP1
import Telemetry
import Testing

@testable import MartletApp

/// Something that acts, for tests.
private struct Lamp: AdminArea {
    var paths: [String] { ["/api/lamp"] }
    func acts(_ request: AdminRequest) -> Bool { request.path == "/api/lamp" && !request.isRead }
    func answer(_ request: AdminRequest) -> AdminResponse? {
        request.path == "/api/lamp" ? .text("the lamp is \(request.isRead ? "there" : "on")") : nil
    }
}

@Suite("The admin token")
struct AdminTokenTests {
    private static let secret = "correct-horse-battery"

    private func request(_ method: HTTPMethod, authorization: String? = nil) -> AdminRequest {
        let fields = authorization.map { [HeaderMap.Field(name: "authorization", value: $0)] } ?? []
        return AdminRequest(method: method, path: "/api/lamp", headers: HeaderMap(fields))
    }

    private func routes(withToken: Bool = true) throws -> AdminRoutes {
        var routes = AdminRoutes(registry: MetricRegistry(), readiness: Readiness())
        routes.areas = [Lamp()]
        if withToken { routes.token = try AdminToken(path: nil, environment: [AdminToken.variable: Self.secret]) }
        return routes
    }

    @Test("who has it may act", arguments: ["Bearer \(secret)", "bearer  \(secret) "])
    func allowed(authorization: String) async throws {
        let request = request(.POST, authorization: authorization)
        #expect(try await routes().refusal(request) == nil)
        #expect(String(decoding: try routes().answer(request).body, as: UTF8.self) == "the lamp is on\n")
    }

    @Test("who has none, or another, may not", arguments: [nil, "", "Bearer", "Bearer x", "Basic \(secret)"])
    func refused(authorization: String?) async throws {
        let refusal = try await routes().refusal(request(.POST, authorization: authorization))
        #expect(refusal?.status == .unauthorized)
    }

    @Test("nobody may act where no token was set")
    func withoutToken() async throws {
        let refusal = try await routes(withToken: false).refusal(request(.POST, authorization: "Bearer "))
        #expect(refusal?.status == .forbidden)
    }

    @Test("reading needs none")
    func reading() async throws {
        #expect(try await routes().refusal(request(.GET)) == nil)
    }

    @Test("a short token and a missing file stop the start")
    func mistakes() throws {
        #expect(throws: CommandError("$MARTLET_ADMIN_TOKEN has a token of 5 characters; 16 are the least.")) {
            try AdminToken(path: nil, environment: [AdminToken.variable: "short"])
        }
        #expect(throws: CommandError("--admin-token-file /no/such/file cannot be read.")) {
            try AdminToken(path: "/no/such/file", environment: [:])
        }
        #expect(try AdminToken(path: nil, environment: [:]) == nil)
    }
}
