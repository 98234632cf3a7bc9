import GatewayCore
import GatewayTesting
import RequestControl
import Testing

/// A way into the gateway. Every behaviour of the product is the same through each of them.
///
/// A new front door is one more type and one more case of ``Door``; the cases stay as they are.
protocol FrontDoor: Sendable {
    /// Sends one request through the gateway and takes its whole answer.
    func send(_ request: BehaviourRequest) async throws -> BehaviourResponse
    /// Sends one request through the gateway, which lets it wait, and goes away when `isTime` returns.
    func leave(_ request: BehaviourRequest, when isTime: @Sendable () async throws -> Void) async throws
}

/// A front door that can close while requests run.
protocol ClosingDoor: FrontDoor {
    /// Takes no more connections, and ends what still runs after `timeout`.
    ///
    /// - Returns: whether everything ended by itself.
    func drain(timeout: Duration) async -> Bool
    /// Whether it takes connections.
    var isOpen: Bool { get async }
    /// Closes connections that serve more than one request.
    func hangUp() async
}

/// The front doors that the cases run over.
enum Door: String, CaseIterable, Sendable, CustomTestStringConvertible {
    /// ``RequestControl/RequestExchange`` called directly, with endpoints that are played in memory.
    case direct
    /// The reverse proxy over loopback, with endpoints that are played by sockets.
    case reverseProxy
    /// The endpoint picker over ext_proc on loopback, with Envoy and endpoints that are played in memory.
    case extProc

    /// The doors behind which the gateway itself sends a failed request elsewhere. Behind ext_proc Envoy does, and the
    /// gateway only hears of the last attempt.
    static let retrying = [Door.direct, .reverseProxy]

    /// The doors with connections that a drain waits for.
    static let closing = [Door.reverseProxy, .extProc]

    var testDescription: String { rawValue }
}

/// What a client sends.
struct BehaviourRequest: Sendable {
    var method = "POST"
    var target = "/v1/completions"
    var authority = "localhost"
    var headers: [(name: String, value: String)] = []
    var body = ""

    /// A completion request for `model`.
    static func completion(_ model: String, headers: [(name: String, value: String)] = []) -> BehaviourRequest {
        BehaviourRequest(headers: headers, body: #"{"model":"\#(model)","prompt":"hello"}"#)
    }

    /// A completion request with the objective `objective`.
    static func completion(objective: String) -> BehaviourRequest {
        completion("m", headers: [(name: "x-llm-d-inference-objective", value: objective)])
    }
}

/// What a client gets.
struct BehaviourResponse: Sendable {
    var status = 0
    /// Names in lower case.
    var headers: [(name: String, value: String)] = []
    var body = ""
    /// False when the response broke off.
    var isWhole = true

    func first(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// What an endpoint does with one request.
enum EndpointAct: Sendable {
    /// Answers.
    case answer(status: Int = 200, headers: [(name: String, value: String)] = [], body: String)
    /// Closes the connection without an answer.
    case reset
    /// Sends the head and nothing of its body, then closes.
    case dieBehindHead
    /// Sends a part of the body, then closes.
    case dieInBody
    /// Never answers.
    case silence
    /// Answers when the gate is open; sends the head and half of the body before, if it is a stream.
    case hold(ScriptedGate, isStream: Bool = false)

    /// What an endpoint says that holds, half of it.
    static let heldHalf = "half"
}

/// What an endpoint received.
struct ReceivedRequest: Sendable {
    let endpoint: String
    let method: String
    let target: String
    let headers: [(name: String, value: String)]
    let body: String

    func values(_ name: String) -> [String] {
        headers.filter { $0.name == name.lowercased() }.map(\.value)
    }
}

/// An endpoint of a case.
struct BehaviourEndpoint: Sendable {
    var name: String
    /// What it does, request by request; the last act is repeated.
    var acts: [EndpointAct]
    /// The models that it tells; `nil` when it has not told.
    var models: [String]?
    /// Whether anybody listens.
    var isListening = true
    /// Its labels.
    var labels: [String: String] = [:]
    /// The port that the endpoint list has in place of the one that it listens at; `nil` for that.
    var listedPort: Int?

    /// An endpoint that answers with its name.
    static func healthy(_ name: String, models: [String]? = nil) -> BehaviourEndpoint {
        BehaviourEndpoint(name: name, acts: [.answer(body: name)], models: models)
    }

    /// An endpoint with the role `role` that answers with its name.
    static func worker(_ role: String, _ name: String) -> BehaviourEndpoint {
        BehaviourEndpoint(name: name, acts: [.answer(body: name)], labels: ["role": role])
    }

    /// An endpoint that does the same with every request.
    static func always(_ name: String, _ act: EndpointAct) -> BehaviourEndpoint {
        BehaviourEndpoint(name: name, acts: [act])
    }

    /// What it does with its `position`th request.
    func act(_ position: Int) -> EndpointAct { acts[min(position, acts.count - 1)] }
}
