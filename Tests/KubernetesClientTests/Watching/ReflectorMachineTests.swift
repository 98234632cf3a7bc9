import Testing

@testable import KubernetesClient

@Suite("What a reflector does next")
struct ReflectorMachineTests {
    private typealias Machine = ReflectorMachine<Gadget>

    private func gadget(_ name: String, _ version: Int, uid: String = "u", size: Int = 1) -> Gadget {
        Gadget(
            metadata: ObjectMetadata(name: name, namespace: "ns", uid: uid, resourceVersion: "\(version)"),
            spec: Gadget.Spec(size: size))
    }

    private func name(_ name: String) -> ObjectName { ObjectName(namespace: "ns", name: name) }

    /// What was told, in words.
    private func words(_ events: [ReflectorEvent<Gadget>]) -> [String] {
        events.map { event in
            switch event {
            case .replaced(let gadgets):
                "replaced "
                    + gadgets.map { "\($0.metadata.name)@\($0.metadata.resourceVersion)" }.joined(
                        separator: " ")
            case .changed(let gadget): "changed \(gadget.metadata.name)@\(gadget.metadata.resourceVersion)"
            case .removed(let name): "removed \(name.name)"
            case .malformed(let object): "malformed \(object.name?.name ?? "?")@\(object.resourceVersion)"
            case .waiting(let error): "waiting \(error)"
            case .resumed: "resumed"
            }
        }
    }

    private func machine() -> Machine {
        Machine(configuration: ReflectorConfiguration(), random: SeededRandom(seed: 1))
    }

    /// A machine that watches from version 10 and knows `a` and `b`.
    private func watching() -> Machine {
        var machine = machine()
        _ = machine.listed(ListPage(objects: [gadget("a", 1), gadget("b", 2)], resourceVersion: "10"))
        machine.watchBegan(at: .zero)
        return machine
    }

    private func isWatch(_ step: Machine.Step, from version: String) -> Bool {
        guard case .watch(version, let timeout) = step else { return false }
        return (Duration.seconds(300) ... .seconds(600)).contains(timeout)
    }

    private func isPause(_ step: Machine.Step, _ range: ClosedRange<Duration>) -> Bool {
        guard case .pause(let pause) = step else { return false }
        return range.contains(pause)
    }

    @Test("Pages make one set, and the watch goes on from the first page's version")
    func pages() {
        var machine = machine()
        #expect(machine.next == .list(ListPageRequest()))
        #expect(
            machine.listed(ListPage(objects: [gadget("a", 1)], resourceVersion: "10", continuation: "x")).isEmpty)
        #expect(machine.next == .list(ListPageRequest(continuation: "x")))
        let told = machine.listed(ListPage(objects: [gadget("b", 2)], resourceVersion: "12"))
        #expect(words(told) == ["replaced a@1 b@2"])
        #expect(isWatch(machine.next, from: "10"))
    }

    @Test("An empty set is told too")
    func empty() {
        var machine = machine()
        #expect(words(machine.listed(ListPage(resourceVersion: "1"))) == ["replaced "])
    }

    @Test("A page that expired begins the list anew, and its parts are not mixed")
    func expiredPage() {
        var machine = machine()
        _ = machine.listed(ListPage(objects: [gadget("a", 1)], resourceVersion: "10", continuation: "x"))
        #expect(machine.listFailed(.expired("old")).isEmpty)
        #expect(isPause(machine.next, .milliseconds(100) ... .milliseconds(200)))
        machine.pauseEnded()
        #expect(machine.next == .list(ListPageRequest()))
        #expect(words(machine.listed(ListPage(objects: [gadget("b", 2)], resourceVersion: "20"))) == ["replaced b@2"])
        #expect(isWatch(machine.next, from: "20"))
    }

    @Test("A token that a server repeats for ever is a failure")
    func repeatedToken() {
        var machine = machine()
        _ = machine.listed(ListPage(resourceVersion: "10", continuation: "x"))
        let told = machine.listed(ListPage(resourceVersion: "10", continuation: "x"))
        #expect(words(told) == ["waiting the server repeats the token \"x…\" of a list"])
    }

    @Test("Events move the version; so do bookmarks")
    func events() {
        var machine = watching()
        #expect(words(machine.received(.modified(gadget("a", 11))).told) == ["changed a@11"])
        #expect(words(machine.received(.added(gadget("c", 12))).told) == ["changed c@12"])
        #expect(machine.received(.added(gadget("c", 12))).told.isEmpty)
        let deleted = ObjectMetadata(name: "b", namespace: "ns", uid: "u", resourceVersion: "13")
        #expect(words(machine.received(.deleted(deleted)).told) == ["removed b"])
        #expect(machine.received(.deleted(deleted)).told.isEmpty)
        #expect(machine.received(.bookmark(resourceVersion: "20")).told.isEmpty)
        #expect(machine.watchEnded(nil, at: .seconds(5)).isEmpty)
        #expect(isWatch(machine.next, from: "20"))
    }

    @Test("The end of an earlier object of the same name is not that of the new one")
    func earlierObject() {
        var machine = watching()
        _ = machine.received(.added(gadget("c", 11, uid: "new")))
        let deleted = ObjectMetadata(name: "c", namespace: "ns", uid: "old", resourceVersion: "11")
        #expect(machine.received(.deleted(deleted)).told.isEmpty)
        #expect(machine.known[name("c")] != nil)
    }

    @Test("410 leads to the list, at once after a watch that lasted")
    func expired() {
        var machine = watching()
        #expect(machine.watchEnded(.expired("old"), at: .seconds(5)).isEmpty)
        #expect(machine.next == .list(ListPageRequest()))
        #expect(words(machine.listed(ListPage(objects: [gadget("a", 1)], resourceVersion: "30"))) == ["replaced a@1"])
        #expect(isWatch(machine.next, from: "30"))
    }

    @Test(
        "Versions that go back lead to the list; equal ones and texts do not",
        arguments: [
            ("9", false), ("10", true), ("11", true), ("100", true), ("", true), ("abc", true), ("09", true),
        ])
    func wentBack(version: String, goesOn: Bool) {
        var machine = watching()
        #expect(machine.received(.bookmark(resourceVersion: version)).goesOn == goesOn)
        _ = machine.watchEnded(nil, at: .seconds(5))
        if goesOn { #expect(isWatch(machine.next, from: version.isEmpty ? "10" : version)) }
        if !goesOn { #expect(machine.next == .list(ListPageRequest())) }
    }

    @Test("A watch that breaks is taken up from its last version, with a wait only if it was short")
    func broken() {
        var machine = watching()
        #expect(machine.watchEnded(.unreachable("reset"), at: .seconds(75)).isEmpty)
        #expect(isWatch(machine.next, from: "10"))
        #expect(words(machine.watchEnded(.unreachable("refused"), at: .seconds(76))) == ["waiting refused"])
        #expect(isPause(machine.next, .milliseconds(100) ... .milliseconds(200)))
        machine.pauseEnded()
        #expect(machine.watchEnded(.unreachable("refused again"), at: .seconds(77)).isEmpty)
        #expect(isPause(machine.next, .milliseconds(200) ... .milliseconds(400)))
    }

    @Test("Waits double up to their limit, and begin anew after a watch that lasted")
    func waits() {
        var machine = watching()
        for failure in 0..<100 {
            _ = machine.watchEnded(.unreachable("refused"), at: .zero)
            let full = min(Duration.seconds(10), .milliseconds(200) * (1 << min(failure, 10)))
            #expect(isPause(machine.next, full / 2...full))
            machine.pauseEnded()
        }
        machine.watchBegan(at: .seconds(10))
        _ = machine.watchEnded(.unreachable("reset"), at: .seconds(11))
        #expect(isWatch(machine.next, from: "10"))
        _ = machine.watchEnded(.unreachable("refused"), at: .seconds(12))
        #expect(isPause(machine.next, .milliseconds(100) ... .milliseconds(200)))
    }

    @Test("Retry-After counts, up to a minute")
    func retryAfter() {
        var machine = machine()
        _ = machine.listFailed(.busy("later", retryAfter: .seconds(7)))
        #expect(machine.next == .pause(.seconds(7)))
        _ = machine.listFailed(.busy("later", retryAfter: .seconds(7000)))
        #expect(machine.next == .pause(.seconds(60)))
    }

    @Test("What one waits for is told once for each reason")
    func waiting() {
        var machine = machine()
        #expect(words(machine.listFailed(.notFound("no gadgets"))) == ["waiting no gadgets"])
        #expect(machine.listFailed(.notFound("no gadgets")).isEmpty)
        #expect(words(machine.listFailed(.forbidden("cannot list"))) == ["waiting cannot list"])
        #expect(machine.listFailed(.forbidden("cannot list")).isEmpty)
        _ = machine.listed(ListPage(resourceVersion: "1"))
        #expect(words(machine.watchEnded(.forbidden("cannot watch"), at: .zero)) == ["waiting cannot watch"])
        #expect(isPause(machine.next, .zero ... .seconds(10)))
        machine.pauseEnded()
        // The permission for the watch is all that is missing: no list.
        #expect(isWatch(machine.next, from: "1"))
        #expect(machine.watchEnded(.forbidden("cannot watch"), at: .zero).isEmpty)
        machine.pauseEnded()
        machine.watchBegan(at: .zero)
        #expect(words(machine.watchEnded(.forbidden("cannot watch"), at: .seconds(2))) == ["waiting cannot watch"])
    }

    @Test("A watch that goes on after a wait says so once, with its first word or when it has lasted")
    func resumption() {
        var machine = watching()
        #expect(words(machine.watchEnded(.unreachable("refused"), at: .zero)) == ["waiting refused"])
        machine.pauseEnded()
        machine.watchBegan(at: .seconds(1))
        #expect(words(machine.received(.bookmark(resourceVersion: "11")).told) == ["resumed"])
        #expect(machine.received(.bookmark(resourceVersion: "12")).told.isEmpty)
        // The same reason is a new one: there was something in between.
        #expect(words(machine.watchEnded(.unreachable("refused"), at: .seconds(1))) == ["waiting refused"])
        machine.pauseEnded()
        machine.watchBegan(at: .seconds(2))
        #expect(words(machine.received(.modified(gadget("a", 13))).told) == ["resumed", "changed a@13"])
        _ = machine.watchEnded(.unreachable("refused"), at: .seconds(2))
        machine.pauseEnded()
        machine.watchBegan(at: .seconds(3))
        #expect(words(machine.watchEnded(nil, at: .seconds(303))) == ["resumed"], "also without a bookmark")
    }

    @Test(
        "Whatever else a server objects to in a watch leads to the list",
        arguments: [
            APIError.notFound("x"), .refused(status: 400, "x"), .refused(status: 500, "x"), .malformed("x"),
            .conflict("x"),
        ])
    func objections(error: APIError) {
        var machine = watching()
        #expect(words(machine.watchEnded(error, at: .seconds(5))) == ["waiting x"])
        machine.pauseEnded()
        #expect(machine.next == .list(ListPageRequest()))
    }

    @Test("An object that cannot be read keeps its last good state, also in a new set")
    func malformed() {
        var machine = watching()
        let first = MalformedObject(name: name("a"), resourceVersion: "11", uid: "u", reason: "x")
        #expect(words(machine.received(.malformed(first)).told) == ["malformed a@11"])
        #expect(machine.received(.malformed(first)).told.isEmpty)
        _ = machine.watchEnded(.expired("old"), at: .seconds(5))
        let again = MalformedObject(name: name("a"), resourceVersion: "11", uid: "u", reason: "x")
        let unknown = MalformedObject(name: name("z"), resourceVersion: "3", reason: "y")
        let told = machine.listed(ListPage(malformed: [again, unknown], resourceVersion: "20"))
        #expect(words(told) == ["replaced a@1", "malformed z@3"])
        #expect(words(machine.received(.modified(gadget("a", 21))).told) == ["changed a@21"])
    }

    @Test("An object that cannot be read and is another one takes the earlier one's place")
    func malformedOther() {
        var machine = watching()
        let other = MalformedObject(name: name("a"), resourceVersion: "11", uid: "v", reason: "x")
        #expect(words(machine.received(.malformed(other)).told) == ["removed a", "malformed a@11"])
        _ = machine.watchEnded(.expired("old"), at: .seconds(5))
        let second = MalformedObject(name: name("b"), resourceVersion: "12", uid: "w", reason: "x")
        let told = machine.listed(ListPage(malformed: [other, second], resourceVersion: "20"))
        #expect(words(told) == ["replaced ", "malformed b@12"])
    }

    @Test("An event without a name leads to the list, and is told once")
    func nameless() {
        var machine = watching()
        let nameless = MalformedObject(name: nil, resourceVersion: "", reason: "garbage")
        let (told, goesOn) = machine.received(.malformed(nameless))
        #expect(words(told) == ["malformed ?@"])
        #expect(!goesOn)
        _ = machine.watchEnded(nil, at: .seconds(5))
        #expect(machine.next == .list(ListPageRequest()))
        _ = machine.listed(ListPage(resourceVersion: "20"))
        #expect(machine.received(.malformed(nameless)).told.isEmpty)
    }
}
