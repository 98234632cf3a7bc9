import NIOCore

@testable import KubernetesClient

/// A random history: a reflector follows a server with which everything goes wrong for a while, over virtual time.
struct ReflectorHistory {
    /// How a reflector may be broken.
    enum Defect: CaseIterable {
        /// Goes on with a watch after 410.
        case noListAfterExpiry
        /// Passes over events that cannot be read.
        case dropsUnreadableEvents
        /// Does not notice that versions go back.
        case trustsAnyHistory
        /// Does not notice that a page is missing.
        case forgetsPages
    }

    /// The end of a watch.
    private struct End: Error {
        /// Why; `nil` when the server ends it in good order, or the reflector does.
        let error: APIError?

        static func watch(_ error: APIError?) -> End { End(error: error) }
    }

    let defect: Defect?
    private(set) var store: [ObjectName: Gadget] = [:]
    /// What was seen that must never be.
    private(set) var violations: [String] = []
    private(set) var server = ModelServer()
    private(set) var lists = 0
    private(set) var watches = 0
    private var random: SeededRandom
    private var machine: ReflectorMachine<Gadget>
    private var now = Duration.zero
    private var faults = true
    private var isDenied = false
    private var isSynced = false
    /// The version that the reflector has reached.
    private var seen: Int?
    /// Up to where the watch that runs has told everything; `nil` outside of watches.
    private var delivered: Int?

    init(seed: UInt64, defect: Defect? = nil) {
        self.defect = defect
        random = SeededRandom(seed: seed)
        var configuration = ReflectorConfiguration()
        configuration.pageSize = Int.random(in: 1...7, using: &random)
        machine = ReflectorMachine(configuration: configuration, random: SeededRandom(seed: seed ^ 0xABCD))
        for _ in 0..<Int.random(in: 0..<8, using: &random) { server.change(flaws: true, using: &random) }
    }

    /// Runs it.
    ///
    /// - Returns: whether the store is the server's truth at the end.
    mutating func run() -> Bool {
        for _ in 0..<Int.random(in: 5..<40, using: &random) { step() }
        faults = false
        isDenied = false
        // Sometimes the server's objects become readable again; what is not is compared with what it was.
        if random.chance(50) { server.repair() }
        for _ in 0..<40 {
            step()
            if delivered == server.version { break }
        }
        return isTrue
    }

    private var isTrue: Bool {
        delivered == server.version && isConsistent
    }

    /// Whether the store is what the server has.
    private var isConsistent: Bool {
        guard isSynced else { return false }
        for thing in server.things.values {
            let told = store[ObjectName(namespace: "ns", name: thing.name)]
            if thing.flaw == nil {
                guard told?.metadata.resourceVersion == "\(thing.version)", told?.spec.size == thing.size else {
                    return false
                }
            } else if let told {
                // The last good state, of the same object.
                guard told.metadata.uid == thing.uid else { return false }
            }
        }
        return store.keys.allSatisfy { server.things[$0.name] != nil }
    }

    private mutating func step() {
        delivered = nil
        switch machine.next {
        case .pause(let duration):
            if duration > .seconds(60) || duration <= .zero { violations.append("a pause of \(duration)") }
            now += duration
            happen()
            machine.pauseEnded()
        case .list(let page): list(page)
        case .watch(let version, let timeout):
            if !(Duration.seconds(300) ... .seconds(600)).contains(timeout) { violations.append("timeout \(timeout)") }
            watch(from: version)
        }
    }

    /// Something happens to the server.
    private mutating func happen() {
        guard faults else { return }
        for _ in 0..<Int.random(in: 0..<4, using: &random) { server.change(flaws: true, using: &random) }
        if random.chance(8) { server.compact() }
        if random.chance(5) { server.goBack(behind: seen, using: &random) }
        if random.chance(10) { isDenied.toggle() }
    }

    /// A failure of a request, in place of an answer.
    private mutating func refusal() -> APIError? {
        guard faults else { return nil }
        if isDenied { return random.chance(50) ? .forbidden("no") : .notFound("no such resource") }
        guard random.chance(25) else { return nil }
        return [
            .busy("later", retryAfter: .seconds(Int.random(in: 1...100, using: &random))),
            .busy("later", retryAfter: nil),
            .refused(status: 500, "etcd"), .unreachable("connection refused"), .unauthenticated("who?"),
            .refused(status: 400, "what?"),
        ].randomElement(using: &random)
    }

    private mutating func list(_ page: ListPageRequest) {
        lists += 1
        now += .milliseconds(10)
        happen()
        do throws(APIError) {
            if let refusal = refusal() { throw refusal }
            guard let text = server.page(page) else { throw .expired("the token is too old") }
            var decoder = ListDecoder<Gadget>(limits: ModelServer.limits)
            var pieces = random.pieces(of: text)
            if faults, random.chance(8) { pieces.removeLast() }
            if faults, random.chance(3) { pieces.insert(ByteBuffer(string: "]"), at: 0) }
            for piece in pieces { try decoder.take(piece) }
            var read = try decoder.finish()
            if defect == .forgetsPages, page.continuation != nil { read.objects = [] }
            tell(machine.listed(read))
            note()
        } catch {
            tell(machine.listFailed(error))
        }
    }

    private mutating func watch(from version: String) {
        watches += 1
        now += .milliseconds(10)
        var cause: APIError?
        do throws(End) {
            if let refusal = refusal() { throw End.watch(refusal) }
            let start = try begin(from: version)
            machine.watchBegan(at: now)
            try follow(from: start)
        } catch {
            cause = error.error
        }
        if case .expired = cause, defect == .noListAfterExpiry { cause = nil }
        if cause != nil { delivered = nil }
        tell(machine.watchEnded(cause, at: now))
    }

    /// Where the server goes on from.
    private mutating func begin(from version: String) throws(End) -> Int {
        guard let start = Int(version) else { throw End.watch(.refused(status: 400, "invalid version")) }
        if start < server.compacted { throw End.watch(.expired("too old")) }
        // A version of the future: a server refuses it or, worse, does not.
        if start > server.version, defect != .trustsAnyHistory, random.chance(50) {
            throw End.watch(.expired("Too large resource version"))
        }
        return start
    }

    /// Tells events until the watch ends, or until everything is told and nothing goes wrong any more.
    private mutating func follow(from start: Int) throws(End) {
        var decoder = WatchDecoder<Gadget>(limits: ModelServer.limits, subject: "GET gadgets")
        var told = start
        while true {
            now += .milliseconds(Int.random(in: 1...3000, using: &random))
            happen()
            // A server that went back or forgot what is not told yet cannot go on.
            if told < server.compacted { throw End.watch(random.chance(50) ? .expired("compacted") : nil) }
            for change in server.changes where change.version > told {
                try send(change, &decoder)
                told = change.version
            }
            // Whatever went wrong before: who has reached the server's version has its objects.
            if seen == server.version, case .watch = machine.next, !isConsistent {
                violations.append("at version \(server.version) \(store.values) is not \(server.things.values)")
            }
            let isQuiet = !faults && told >= server.version
            if isQuiet || random.chance(20) {
                try send(Gadget.bookmark(server.version), &decoder)
                told = max(told, server.version)
            }
            if isQuiet {
                delivered = server.version
                throw End.watch(nil)
            }
            try fail(&decoder, told)
        }
    }

    /// Sends a change, perhaps not as it should be.
    private mutating func send(
        _ change: ModelServer.Change,
        _ decoder: inout WatchDecoder<Gadget>
    ) throws(End) {
        guard faults else { return try send(change.line, &decoder) }
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<3: try send("{\"type\":\"MODIFIED\",\"object\":{\"meta\n", &decoder)
        case 3..<6: try send("{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}\n", &decoder)
        case 6..<10:
            try send(change.line, &decoder)
            try send(change.line, &decoder)
        case 10..<12:
            try send(change.line, &decoder)
            if let old = server.changes.randomElement(using: &random) { try send(old.line, &decoder) }
        case 12..<15:
            // Cut in the middle of the event.
            let line = String(change.line.prefix(Int.random(in: 1..<60, using: &random)))
            try send(line, &decoder)
            do throws(APIError) { try decoder.finish() } catch { throw End.watch(error) }
            throw End.watch(nil)
        default: try send(change.line, &decoder)
        }
    }

    /// Something goes wrong between events.
    private mutating func fail(_ decoder: inout WatchDecoder<Gadget>, _ told: Int) throws(End) {
        guard faults else { return }
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<10: throw End.watch(nil)
        case 10..<18: throw End.watch(.unreachable("connection reset"))
        case 18..<22:
            now += .seconds(75)
            throw End.watch(.unreachable("silent"))
        case 22..<26: try send(Gadget.bookmark(told - Int.random(in: 0..<9, using: &random)), &decoder)
        case 26..<29: try send(Gadget.event("SURPRISE", Gadget.json("g1", version: told)), &decoder)
        case 29..<33: try send("\n \r\n", &decoder)
        case 33..<36: try send(Gadget.event("ERROR", Gadget.status(410, "Expired", "too old")), &decoder)
        case 36..<38: try send(Gadget.event("ERROR", Gadget.status(500, "InternalError", "oops")), &decoder)
        case 38..<41:
            let cause = #"{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}]}"#
            try send(
                Gadget.event("ERROR", Gadget.status(504, "Timeout", "Timeout: Too large", details: cause)), &decoder)
        default: break
        }
    }

    private mutating func send(_ text: String, _ decoder: inout WatchDecoder<Gadget>) throws(End) {
        for piece in random.pieces(of: text) {
            decoder.take(piece)
            while true {
                let event: WatchEvent<Gadget>?
                do throws(APIError) { event = try decoder.next() } catch { throw End.watch(error) }
                guard let event else { break }
                try received(event)
            }
        }
    }

    private mutating func received(_ event: WatchEvent<Gadget>) throws(End) {
        switch event {
        case .malformed(let object) where defect == .dropsUnreadableEvents && object.name == nil: return
        case .bookmark(let version) where defect == .trustsAnyHistory:
            if case .watch(let last, _) = machine.next, ResourceVersion.is(version, before: last) { return }
        default: break
        }
        let (told, goesOn) = machine.received(event)
        tell(told)
        note()
        if !goesOn { throw End.watch(nil) }
    }

    private mutating func note() {
        if case .watch(let version, _) = machine.next { seen = Int(version) }
    }

    // MARK: The store

    private mutating func tell(_ events: [ReflectorEvent<Gadget>]) {
        for event in events {
            switch event {
            case .replaced(let gadgets):
                isSynced = true
                for gadget in gadgets { check(gadget) }
                store = Dictionary(gadgets.map { ($0.metadata.id, $0) }) { first, second in
                    violations.append("\(first.metadata.id) is told twice in a set")
                    return second
                }
            case .changed(let gadget):
                if !isSynced { violations.append("a change before the first set") }
                check(gadget)
                store[gadget.metadata.id] = gadget
            case .removed(let name):
                if store.removeValue(forKey: name) == nil { violations.append("\(name), unknown, is removed") }
            case .malformed, .waiting, .resumed: break
            }
        }
    }

    /// What is told must be what once was, and not go back.
    private mutating func check(_ gadget: Gadget) {
        let metadata = gadget.metadata
        let version = Int(metadata.resourceVersion) ?? 0
        let thing = ModelServer.Thing(
            name: metadata.name, uid: metadata.uid, version: version, size: gadget.spec.size, flaw: nil)
        if !server.everything.contains(thing) { violations.append("\(thing) never was") }
        if !server.wentBack, let last = store[metadata.id], version < Int(last.metadata.resourceVersion) ?? 0 {
            violations.append("\(thing) is older than what was told before")
        }
    }
}
