import GatewayTesting
import KubernetesClient
import NIOCore
import Testing

/// What a scripted server does with a request, by a letter in its path, and how the request must end.
private enum Fault: String, CaseIterable {
    case whole, cut, reset, silent, silentBody, closing, slow, dropped, cancelled

    /// What the server does.
    func steps(_ gate: ScriptedGate) -> [ScriptedStep] {
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"
        return switch self {
        case .whole: [.send(chunks + "0\r\n\r\n")]
        case .cut: [.send(chunks), .close]
        case .reset: [.send(chunks), .wait(gate), .reset]
        case .silent, .cancelled: []
        case .silentBody, .dropped: [.send(chunks)]
        case .closing: [.send(answer("200 OK", "abc", fields: "connection: close\r\n")), .close]
        case .slow: chunks.map { .send(String($0)) } + [.send("0\r\n\r\n")]
        }
    }

    /// Whether the whole body comes.
    var isWhole: Bool { self == .whole || self == .closing || self == .slow }
}

@Suite("Many requests and all kinds of faults at once", .timeLimit(.minutes(1)))
struct RandomFaultTests {
    /// One request to its end; whether it ended as it must.
    private func run(_ fault: Fault, _ transport: HTTPTransport) async -> Bool {
        var request = APIRequest(.post, "/\(fault.rawValue)")
        request.timeout = fault == .silent ? .milliseconds(50) : .seconds(30)
        request.idleTimeout = fault == .silentBody ? .milliseconds(50) : .seconds(30)
        do {
            let response = try await transport.send(request)
            if fault == .dropped { return response.status == 200 }
            return try await response.text() == "abc" && fault.isWhole
        } catch {
            return !fault.isWhole && fault != .dropped && !unreachable(error).hasPrefix("not unreachable")
        }
    }

    @Test("Each ends as it must, and no connection is left", arguments: [1, 2, 3] as [UInt64])
    func faults(seed: UInt64) async throws {
        let gate = ScriptedGate()
        gate.open()
        let server = try await ScriptedServer.start { request in
            let name = request.line.split(separator: " ")[1].dropFirst()
            return Fault(rawValue: String(name))?.steps(gate) ?? []
        }
        var random = SeededNumbers(state: seed)
        let faults = (0..<300).map { _ in Fault.allCases.randomElement(using: &random) ?? .whole }
        try await withTransport(.plain(port: server.port)) { transport in
            await withTaskGroup(of: (Fault, Bool).self) { group in
                var rest = faults[...]
                for fault in rest.prefix(40) { group.addTask { (fault, await attempt(fault, transport)) } }
                rest = rest.dropFirst(40)
                while let (fault, isRight) = await group.next() {
                    #expect(isRight, "\(fault)")
                    if let next = rest.popFirst() { group.addTask { (next, await attempt(next, transport)) } }
                }
            }
        }
        try await server.log.wait(for: "the end of all connections") { $0.closed == $0.accepted }
        // None is sent twice; some are given up before they are sent.
        #expect(server.log.value.requests.count <= faults.count + faults.count { $0 == .cancelled })
        try await server.stop()
    }

    /// One request, which is cancelled if its name says so.
    private func attempt(_ fault: Fault, _ transport: HTTPTransport) async -> Bool {
        guard fault == .cancelled else { return await run(fault, transport) }
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask { await run(fault, transport) }
            group.addTask { await run(.whole, transport) }
            // The whole one ends first: nobody answers the other.
            let whole = await group.next() ?? false
            group.cancelAll()
            return await group.next() == true && whole
        }
    }
}
