@testable import KubernetesClient

/// What an API server holds and has held, with what can go wrong with it.
struct ModelServer {
    /// What is wrong with an object.
    enum Flaw: CaseIterable {
        case wrongType
        case tooLong
        case brokenText
    }

    /// An object.
    struct Thing: Hashable {
        var name: String
        var uid: String
        var version: Int
        var size: Int
        var flaw: Flaw?

        var json: String {
            switch flaw {
            case nil: Gadget.json(name, version: version, uid: uid, size: "\(size)")
            case .wrongType: Gadget.json(name, version: version, uid: uid, size: #""\#(size)""#)
            case .tooLong:
                Gadget.json(
                    name, version: version, uid: uid, size: "\(size)",
                    more: #","status":"\#(String(repeating: "x", count: ModelServer.limits.objectBytes))""#
                )
            case .brokenText: Gadget.json(name, version: version, uid: uid, size: "1e")
            }
        }
    }

    /// A change.
    struct Change {
        var version: Int
        var type: String
        var thing: Thing

        var line: String { Gadget.event(type, thing.json) }
    }

    /// The limits that its clients have.
    static let limits = {
        var limits = APILimits()
        limits.objectBytes = 600
        return limits
    }()

    private(set) var version = 1000
    private(set) var things: [String: Thing] = [:]
    private(set) var changes: [Change] = []
    /// Changes up to this version are forgotten.
    private(set) var compacted = 1000
    /// Every state that an object ever had.
    private(set) var everything: Set<Thing> = []
    private(set) var wentBack = false
    private var snapshots: [Int: [String: Thing]] = [:]
    private var lastUID = 0
    /// While the client remembers more than the server does, the server does not catch up with what it remembers:
    /// nobody could notice that.
    private var barrier: Int?
    private var past: [(version: Int, things: [String: Thing])] = []

    /// Changes something.
    mutating func change(flaws: Bool, using random: inout SeededRandom) {
        if let barrier, version + 1 >= barrier { return }
        version += 1
        let name = "g\(Int.random(in: 0..<6, using: &random))"
        let flaw = flaws && random.chance(25) ? Flaw.allCases.randomElement(using: &random) : nil
        let size = Int.random(in: 0..<1000, using: &random)
        if var thing = things[name] {
            thing.version = version
            if random.chance(35) {
                // The last state is what comes with the event of its end, flaw and all.
                if !flaws { thing.flaw = nil }
                things[name] = nil
                changes.append(Change(version: version, type: "DELETED", thing: thing))
                return
            }
            thing.size = size
            thing.flaw = flaw
            put(thing, "MODIFIED")
        } else {
            lastUID += 1
            put(Thing(name: name, uid: "u\(lastUID)", version: version, size: size, flaw: flaw), "ADDED")
        }
        if random.chance(10) { past.append((version, things)) }
    }

    private mutating func put(_ thing: Thing, _ type: String) {
        things[thing.name] = thing
        everything.insert(thing)
        changes.append(Change(version: version, type: type, thing: thing))
    }

    /// Forgets what happened.
    mutating func compact() {
        compacted = version
        changes = []
        snapshots = [:]
    }

    /// Goes back to a state of before, as after a backup was restored.
    ///
    /// - Parameter seen: the version that the client has reached.
    mutating func goBack(behind seen: Int?, using random: inout SeededRandom) {
        guard let (version, things) = past.randomElement(using: &random), version < self.version else { return }
        if let seen, version < seen { barrier = min(barrier ?? seen, seen) }
        wentBack = true
        self.version = version
        self.things = things
        past.removeAll { $0.version > version }
        compact()
    }

    /// Makes every object readable, by changes.
    mutating func repair() {
        for thing in things.values.sorted(by: { $0.name < $1.name }) where thing.flaw != nil {
            if let barrier, version + 1 >= barrier { return }
            version += 1
            var repaired = thing
            repaired.flaw = nil
            repaired.version = version
            put(repaired, "MODIFIED")
        }
    }

    /// A page of the list; `nil` when the token is no longer good.
    mutating func page(_ request: ListPageRequest) -> String? {
        var snapshot = version
        var start = 0
        if let parts = request.continuation?.split(separator: ":").compactMap({ Int($0) }), parts.count == 2 {
            (snapshot, start) = (parts[0], parts[1])
            guard snapshots[snapshot] != nil else { return nil }
        } else {
            snapshots[version] = things
            // Whoever lists now knows nothing of the future that was taken back.
            barrier = nil
        }
        let all = (snapshots[snapshot] ?? [:]).values.sorted { $0.name < $1.name }
        let end = min(start + request.limit, all.count)
        return Gadget.list(
            all[start..<end].map(\.json), version: "\(snapshot)",
            continuation: end < all.count ? "\(snapshot):\(end)" : ""
        )
    }
}
