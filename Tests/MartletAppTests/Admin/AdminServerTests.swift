import GatewayCore
import GatewayTesting
import NIOCore
import NIOPosix
import RequestControl
import Telemetry
import Testing

@testable import MartletApp

/// What the admin address takes from anybody who reaches it.
@Suite(.timeLimit(.minutes(1))) struct AdminServerTests {
    private func withServer(
        explains: Bool = true,
        _ body: (_ connect: () async throws -> RawConnection) async throws -> Void
    ) async throws {
        let gateway = try GatewayFixture(ports: [1, 2])
        var routes = AdminRoutes(registry: MetricRegistry(), readiness: Readiness())
        if explains { routes.areas = [DecisionRoutes(controller: gateway.controller)] }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await AdminServer(host: "127.0.0.1", port: 0, group: group, routes: routes)
        let port = try #require(server.address.port)
        try await body { try await RawConnection.connect(port: port) }
        try await group.shutdownGracefully()
    }

    private static func post(_ path: String, length: Int) -> String {
        "POST \(path) HTTP/1.1\r\nhost: a\r\ncontent-length: \(length)\r\n\r\n"
    }

    private static let health = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"
    private static let body = #"{"model":"m","prompt":"x"}"#
    private static let explanation = post("/api/explain?path=/v1/completions", length: body.utf8.count)

    @Test func aRequestIsExplainedAndTheConnectionGoesOn() async throws {
        try await withServer { connect in
            let connection = try await connect()
            // Both at once: the second waits for the first.
            try await connection.send(Self.explanation + Self.body + Self.health)
            let told = try await connection.response()
            #expect(told.status == 200 && told.body.contains(#""picked":["default/e0"]"#))
            let health = try await connection.response()
            #expect(health.status == 200 && health.body == "ok\n")
        }
    }

    @Test func bodiesOfOtherRequestsArePassedOver() async throws {
        try await withServer { connect in
            let connection = try await connect()
            for (path, status) in [("/metrics", 405), ("/api/state", 405), ("/api/decisions", 405)] {
                try await connection.send(Self.post(path, length: 100_000) + String(repeating: "x", count: 100_000))
                #expect(try await connection.response().status == status)
            }
        }
        try await withServer(explains: false) { connect in
            let connection = try await connect()
            try await connection.send(Self.explanation + Self.body)
            #expect(try await connection.response().status == 405)
        }
    }

    @Test func onlySoManyBodiesAreGatheredAtOnce() async throws {
        try await withServer { connect in
            var waiting: [RawConnection] = []
            let fifth = try await connect()
            for _ in 0..<4 {
                let connection = try await connect()
                try await connection.send(Self.explanation + "{")
                waiting.append(connection)
                // The loop that answers the second of these has read what was sent before the first.
                for _ in 0..<2 { #expect(try await fifth.exchange(Self.health).status == 200) }
            }
            #expect(try await fifth.exchange(Self.explanation + Self.body).status == 503)
            try await waiting[0].close()
            while try await fifth.exchange(Self.explanation + Self.body).status != 200 {}
            try await waiting[1].send(String(Self.body.dropFirst()))
            #expect(try await waiting[1].response().status == 200)
        }
    }

    @Test func onlySoManyConnectionsAreTaken() async throws {
        try await withServer { connect in
            var connections: [RawConnection] = []
            for _ in 0..<AdminServer.maxConnections {
                let connection = try await connect()
                #expect(try await connection.exchange(Self.health).status == 200)
                connections.append(connection)
            }
            _ = try await connect().closed()
        }
    }

    @Test func aPlaceThatIsGivenBackCanBeTakenAgain() {
        let seats = Seats(1)
        #expect(seats.take() && !seats.take() && !seats.take())
        seats.giveBack()
        #expect(seats.take() && !seats.take())
    }
}
