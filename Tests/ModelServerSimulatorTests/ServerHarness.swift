import ModelServerSimulator
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A configuration on a free port of the loopback interface, with an engine that answers at once.
func instantConfiguration(_ change: (inout SimulatorConfiguration) -> Void = { _ in }) -> SimulatorConfiguration {
    var configuration = SimulatorConfiguration()
    configuration.listen = [ListenAddress(host: "127.0.0.1", port: 0)]
    configuration.parameters = .instant
    change(&configuration)
    return configuration
}

/// Runs `body` with a server that is stopped afterwards.
func withServer(
    _ configuration: SimulatorConfiguration = instantConfiguration(),
    _ body: (TestClient, SimulatorServer) async throws -> Void
) async throws {
    let server = try SimulatorServer(configuration: configuration)
    let address = try #require(try await server.start().first)
    do {
        try await body(TestClient(address: address), server)
    } catch {
        await server.stop()
        throw error
    }
    await server.stop()
}

/// A whole answer.
struct TestResponse {
    var status: UInt
    var headers: HTTPHeaders
    var body: String

    /// The body as JSON.
    var json: JSONValue {
        get throws { try JSONValue(body) }
    }

    /// The data of each server-sent event.
    var events: [String] {
        body.split(separator: "\n").compactMap { line in
            line.hasPrefix("data: ") ? String(line.dropFirst(6)) : nil
        }
    }

    /// The name of each server-sent event.
    var eventNames: [String] {
        body.split(separator: "\n").compactMap { line in
            line.hasPrefix("event: ") ? String(line.dropFirst(7)) : nil
        }
    }
}

/// A client that opens a connection per call.
struct TestClient {
    typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, HTTPPart<HTTPRequestHead, ByteBuffer>>

    var address: SocketAddress

    func connect() async throws -> Connection {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(to: address) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                try channel.pipeline.syncOperations.addHandler(RequestPartAdapter())
                return try Connection(wrappingChannelSynchronously: channel)
            }
        }
    }

    func get(_ path: String) async throws -> TestResponse {
        try await send(.GET, path, headers: [:], body: nil)
    }

    func post(_ path: String, _ body: String, headers: HTTPHeaders = [:]) async throws -> TestResponse {
        try await send(.POST, path, headers: headers, body: body)
    }

    func send(
        _ method: HTTPMethod,
        _ path: String,
        headers: HTTPHeaders,
        body: String?
    ) async throws -> TestResponse {
        try await connect().executeThenClose { inbound, outbound in
            try await outbound.write(contentsOf: Self.parts(method, path, headers: headers, body: body))
            var parts = inbound.makeAsyncIterator()
            return try await Self.response(from: &parts)
        }
    }

    static func parts(
        _ method: HTTPMethod,
        _ path: String,
        headers: HTTPHeaders = [:],
        body: String?
    ) -> [HTTPPart<HTTPRequestHead, ByteBuffer>] {
        var headers = headers
        headers.add(name: "host", value: "simulator")
        headers.add(name: "content-length", value: "\(body?.utf8.count ?? 0)")
        let head = HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)
        return [.head(head), .body(ByteBuffer(string: body ?? "")), .end(nil)]
    }

    /// The next whole answer on a connection, or the rest of one that has begun.
    static func response(
        from parts: inout NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator,
        begunWith head: HTTPResponseHead? = nil
    ) async throws -> TestResponse {
        var response = TestResponse(status: head?.status.code ?? 0, headers: head?.headers ?? [:], body: "")
        while let part = try await parts.next(isolation: #isolation) {
            switch part {
            case .head(let head):
                response.status = head.status.code
                response.headers = head.headers
            case .body(let buffer): response.body += String(buffer: buffer)
            case .end:
                // An answer such as 100 is not the last one.
                if response.status >= 200 {
                    return response
                }
            }
        }
        throw ConnectionEnded(partial: response)
    }

    /// A number of `GET /simulator/state`.
    func state(_ member: String) async throws -> Double {
        try #require(try await get("/simulator/state").json[member].number)
    }

    /// Asks for the state until a member has a value; each question is a turn of the server's loop.
    func await(_ member: String, toBe value: Double) async throws {
        let deadline = NIODeadline.now() + .seconds(20)
        while try await state(member) != value {
            try #require(NIODeadline.now() < deadline, "\(member) did not become \(value) in 20 seconds")
        }
    }

    func setFaults(_ json: String) async throws {
        let response = try await post("/simulator/faults", json)
        try #require(response.status == 200, "\(response.body)")
    }
}

/// The connection ended before the answer.
struct ConnectionEnded: Error {
    var partial: TestResponse
}

/// Lets a client write request parts with buffers for bodies, which can be sent between threads.
private final class RequestPartAdapter: ChannelOutboundHandler {
    typealias OutboundIn = HTTPPart<HTTPRequestHead, ByteBuffer>
    typealias OutboundOut = HTTPClientRequestPart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part: HTTPClientRequestPart =
            switch unwrapOutboundIn(data) {
            case .head(let head): .head(head)
            case .body(let buffer): .body(.byteBuffer(buffer))
            case .end(let trailers): .end(trailers)
            }
        context.write(wrapOutboundOut(part), promise: promise)
    }
}

/// Any JSON value.
enum JSONValue: Decodable, Equatable {
    case null
    case boolean(Bool)
    case number(Double)
    case string(String)
    case list([JSONValue])
    case object([String: JSONValue])

    init(_ text: String) throws {
        self = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .list(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    subscript(_ member: String) -> JSONValue {
        if case .object(let members) = self {
            return members[member] ?? .null
        }
        return .null
    }

    subscript(_ index: Int) -> JSONValue {
        if case .list(let elements) = self, elements.indices.contains(index) {
            return elements[index]
        }
        return .null
    }

    var number: Double? {
        if case .number(let value) = self { value } else { nil }
    }

    var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    var elements: [JSONValue] {
        if case .list(let elements) = self { elements } else { [] }
    }
}

/// The names of all members of a JSON text, in order.
func memberNames(of json: String) -> [String] {
    var names: [String] = []
    var rest = json[...]
    while let open = rest.firstIndex(of: "\"") {
        rest = rest[rest.index(after: open)...]
        var text = ""
        while let character = rest.popFirst(), character != "\"" {
            text.append(character)
            if character == "\\", let escaped = rest.popFirst() {
                text.append(escaped)
            }
        }
        if rest.first == ":" {
            names.append(text)
        }
    }
    return names
}

/// The error of a connection that was reset.
let connectionReset = ECONNRESET
