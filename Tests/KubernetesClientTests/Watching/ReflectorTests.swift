import Logging
import Synchronization
import Testing

@testable import KubernetesClient

@Suite("A reflector over a server in memory", .timeLimit(.minutes(1)))
struct ReflectorTests {
    /// Runs a reflector until `answer` has been asked `count` times, and returns what it told and asked.
    private func run(
        requests count: Int,
        answer: @escaping @Sendable (Int, APIRequest) throws(APIError) -> APIResponse
    ) async -> (told: [String], asked: [String]) {
        let asked = Mutex(0)
        let (enough, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let transport = MemoryTransport { request throws(APIError) in
            let number = asked.withLock { asked in
                asked += 1
                return asked
            }
            // What is asked after that is of no interest, and is never answered.
            guard number <= count else {
                signal.yield()
                return .memory(200, [], end: .silent)
            }
            return try answer(number, request)
        }
        var configuration = ReflectorConfiguration()
        configuration.initialBackoff = .milliseconds(1)
        let told = Mutex<[String]>([])
        let reflector = Reflector<Gadget>(
            client: APIClient(transport: transport), query: Gadget.query, configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { event in
            told.withLock { $0.append(Self.words(event)) }
        }
        let task = Task { await reflector.run() }
        for await _ in enough { break }
        task.cancel()
        await task.value
        let requests = transport.sent.prefix(count).map { request in
            request.parameters["watch"] == nil ? "list" : "watch \(request.parameters["resourceVersion"] ?? "")"
        }
        return (told.withLock { $0 }, requests)
    }

    private static func words(_ event: ReflectorEvent<Gadget>) -> String {
        switch event {
        case .replaced(let gadgets): "replaced " + gadgets.map(\.metadata.name).joined(separator: " ")
        case .changed(let gadget): "changed \(gadget.metadata.name)@\(gadget.metadata.resourceVersion)"
        case .removed(let name): "removed \(name.name)"
        case .malformed(let object): "malformed \(object.name?.name ?? "?")"
        case .waiting(let error): "waiting \(error)"
        case .resumed: "resumed"
        }
    }

    @Test("It lists, watches, and watches on from where it was")
    func follows() async {
        let (told, asked) = await run(requests: 4) { number, _ in
            switch number {
            case 1: .memory(200, [Gadget.list([Gadget.json("a", version: 1)], version: "5")])
            case 2:
                .memory(
                    200,
                    [
                        Gadget.event("ADDED", Gadget.json("b", version: 6)),
                        Gadget.event("DELETED", Gadget.json("a", version: 7)) + Gadget.bookmark(9),
                    ])
            case 3: .memory(200, [Gadget.event("MODIFIED", Gadget.json("b", version: 12))], end: .broken("reset"))
            default: .memory(200, [])
            }
        }
        // The watches are short, so the one that breaks is told.
        #expect(told == ["replaced a", "changed b@6", "removed a", "changed b@12", "waiting reset"])
        #expect(asked == ["list", "watch 5", "watch 9", "watch 12"])
    }

    @Test("A version that is too old leads to the list, in the head or in the body of the answer")
    func expired() async {
        let expired = Gadget.status(410, "Expired", "too old resource version")
        let (told, asked) = await run(requests: 6) { number, _ in
            switch number {
            case 2: .memory(410, [expired])
            case 4: .memory(200, [Gadget.event("ERROR", expired)])
            case 5: .memory(200, [Gadget.list([Gadget.json("b", version: 8)], version: "30")])
            default: .memory(200, [Gadget.list([Gadget.json("a", version: 1)], version: "\(number)0")])
            }
        }
        #expect(told.prefix(3) == ["replaced a", "replaced a", "replaced b"])
        #expect(asked == ["list", "watch 10", "list", "watch 30", "list", "watch 30"])
    }

    @Test("A resource type that is installed later, and a permission that is given later, are found")
    func later() async {
        let (told, asked) = await run(requests: 5) { number, _ in
            switch number {
            case 1, 2: .memory(404, ["404 page not found"])
            case 3: .memory(403, [Gadget.status(403, "Forbidden", "may not list")])
            case 4: .memory(200, [Gadget.list([], version: "5")])
            default: .memory(200, [Gadget.event("ADDED", Gadget.json("a", version: 6))])
            }
        }
        let subject = "(GET /apis/tests.example/v1/namespaces/ns/gadgets: status"
        #expect(
            told == [
                "waiting 404 page not found \(subject) 404)", "waiting may not list \(subject) 403)", "replaced ",
                "changed a@6",
            ])
        #expect(asked == ["list", "list", "list", "list", "watch 5"])
    }

    @Test("The end of the task is not told as a failure")
    func cancelled() async {
        let (told, _) = await run(requests: 1) { _, _ in .memory(200, [Gadget.list([], version: "5")]) }
        #expect(told == ["replaced "])
    }
}
