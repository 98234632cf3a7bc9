import Testing

@testable import KubernetesClient

@Suite("What a participant of an election does next")
struct LeaderElectionMachineTests {
    private static let name = ObjectName(namespace: "ns", name: "lease")
    private static let date = MicroTime(microseconds: 1_767_323_045_000_006)

    private func machine(_ identity: String = "me") -> LeaderElectionMachine {
        LeaderElectionMachine(
            name: Self.name, identity: identity, configuration: LeaderElectionConfiguration(),
            random: SeededRandom(seed: 1))
    }

    private func lease(_ holder: String?, version: Int, renewed: String = "r", seconds: Int? = 15) -> Lease {
        Lease(
            Self.name,
            record: LeaseRecord(
                holderIdentity: holder, leaseDurationSeconds: seconds, acquireTime: "a", renewTime: renewed,
                leaseTransitions: 3)
        ).stored(as: "\(version)")
    }

    private func next(_ machine: LeaderElectionMachine, at now: Duration) -> LeaderElectionMachine.Step {
        machine.next(at: now, date: Self.date)
    }

    /// A machine that made the lease at zero and leads.
    private func leading() -> LeaderElectionMachine {
        var machine = machine()
        machine.read(nil, sentAt: .zero, at: .zero)
        machine.wrote(lease("me", version: 1, seconds: 12), sentAt: .zero, at: .milliseconds(10))
        return machine
    }

    /// A machine that saw another one's record at zero.
    private func following(seconds: Int? = 15) -> LeaderElectionMachine {
        var machine = machine()
        machine.read(lease("other", version: 1, seconds: seconds), sentAt: .zero, at: .zero)
        return machine
    }

    @Test("Without a lease it makes one, as others write it")
    func create() {
        var machine = machine()
        #expect(next(machine, at: .zero) == .read)
        #expect(machine.standing(at: .zero) == .following(leader: nil))
        machine.read(nil, sentAt: .zero, at: .zero)
        guard case .create(let new) = next(machine, at: .zero) else {
            Issue.record("\(next(machine, at: .zero))")
            return
        }
        #expect(
            new.record
                == LeaseRecord(
                    holderIdentity: "me", leaseDurationSeconds: 12, acquireTime: Self.date.text,
                    renewTime: Self.date.text, leaseTransitions: 0))
        #expect(new.metadata.resourceVersion.isEmpty)
        machine.wrote(new.stored(as: "1"), sentAt: .zero, at: .milliseconds(10))
        #expect(machine.standing(at: .milliseconds(10)) == .leading)
        #expect(next(machine, at: .milliseconds(10)) == .wait(until: .seconds(2)))
    }

    @Test("A leader renews every period, and leads no longer than the deadline after its last question")
    func renew() {
        var machine = leading()
        guard case .replace(let renewed) = next(machine, at: .seconds(2)) else {
            Issue.record("\(next(machine, at: .seconds(2)))")
            return
        }
        #expect(renewed.record.acquireTime == "a")
        #expect(renewed.record.leaseTransitions == 3)
        #expect(renewed.record.renewTime == Self.date.text)
        #expect(renewed.metadata.resourceVersion == "1")
        #expect(machine.standing(at: .milliseconds(7999)) == .leading)
        #expect(machine.standingChanges(after: .seconds(1)) == .seconds(8))
        #expect(machine.standing(at: .seconds(8)) == .following(leader: nil))
        machine.wrote(renewed.stored(as: "2"), sentAt: .seconds(2), at: .seconds(5))
        #expect(machine.standing(at: .milliseconds(9999)) == .leading)
        #expect(machine.standing(at: .seconds(10)) != .leading)
    }

    @Test("An answer that comes after the deadline makes no leader, though it is tried again at once")
    func lateAnswer() {
        var machine = machine()
        machine.read(nil, sentAt: .zero, at: .zero)
        machine.wrote(lease("me", version: 1), sentAt: .zero, at: .seconds(9))
        #expect(machine.standing(at: .seconds(9)) == .following(leader: nil))
        guard case .replace = next(machine, at: .seconds(9)) else {
            Issue.record("\(next(machine, at: .seconds(9)))")
            return
        }
    }

    @Test("A follower waits for as long as the record says, since it saw it change")
    func takeOver() {
        var machine = following()
        #expect(machine.standing(at: .zero) == .following(leader: "other"))
        // It looks again and again meanwhile.
        guard case .wait(let until) = next(machine, at: .zero) else {
            Issue.record("\(next(machine, at: .zero))")
            return
        }
        #expect((Duration.seconds(2) ... .milliseconds(2400)).contains(until))
        #expect(next(machine, at: until) == .read)
        machine.read(lease("other", version: 2, renewed: "r2"), sentAt: .seconds(5), at: .seconds(5))
        machine.read(lease("other", version: 3, renewed: "r2"), sentAt: .seconds(19), at: .seconds(19))
        #expect(next(machine, at: .milliseconds(19_999)) == .wait(until: .seconds(20)))
        #expect(machine.standing(at: .milliseconds(19_999)) == .following(leader: "other"))
        #expect(machine.standing(at: .seconds(20)) == .following(leader: nil))
        guard case .replace(let taken) = next(machine, at: .seconds(20)) else {
            Issue.record("\(next(machine, at: .seconds(20)))")
            return
        }
        #expect(taken.record.holderIdentity == "me")
        #expect(taken.record.leaseTransitions == 4)
        #expect(taken.record.acquireTime == Self.date.text)
        #expect(taken.metadata.resourceVersion == "3")
    }

    @Test("Durations that make no sense are one's own", arguments: [nil, 0, -5])
    func foreignDuration(seconds: Int?) {
        let machine = following(seconds: seconds)
        #expect(machine.standing(at: .milliseconds(11_999)) == .following(leader: "other"))
        #expect(machine.standing(at: .seconds(12)) == .following(leader: nil))
    }

    @Test("A duration beyond all measure is only waited for")
    func longDuration() {
        let machine = following(seconds: .max)
        #expect(machine.standing(at: .seconds(1_000_000)) == .following(leader: "other"))
    }

    @Test("A lease that was given back is taken at once")
    func released() {
        var machine = following()
        machine.watched(lease("", version: 2, seconds: 1), at: .seconds(1))
        guard case .replace(let taken) = next(machine, at: .seconds(1)) else {
            Issue.record("\(next(machine, at: .seconds(1)))")
            return
        }
        #expect(taken.metadata.resourceVersion == "2")
        // Another one was faster: look, and do not go round.
        machine.writeFailed(.conflict("changed"), sentAt: .seconds(1), at: .seconds(1))
        #expect(next(machine, at: .seconds(1)) == .read)
        machine.read(lease("", version: 3, seconds: 1), sentAt: .seconds(1), at: .seconds(1))
        #expect(next(machine, at: .seconds(1)) == .wait(until: .milliseconds(1500)))
        machine.read(lease("third", version: 4), sentAt: .seconds(1), at: .seconds(1))
        #expect(machine.standing(at: .seconds(1)) == .following(leader: "third"))
    }

    @Test("What the watch tells late changes nothing")
    func lateWatch() {
        var machine = leading()
        machine.wrote(lease("me", version: 9), sentAt: .seconds(2), at: .seconds(2))
        machine.watched(lease("other", version: 5), at: .seconds(2))
        #expect(machine.standing(at: .seconds(2)) == .leading)
    }

    @Test("A reading that the watch has overtaken changes nothing, an older one that it has not does")
    func lateReading() {
        var machine = following()
        machine.watched(lease("", version: 3, seconds: 1), at: .seconds(2))
        machine.read(lease("other", version: 2), sentAt: .seconds(1), at: .seconds(3))
        guard case .replace(let taken) = next(machine, at: .seconds(3)) else {
            Issue.record("\(next(machine, at: .seconds(3)))")
            return
        }
        #expect(taken.metadata.resourceVersion == "3")
        machine.read(nil, sentAt: .seconds(1), at: .seconds(3))
        #expect(next(machine, at: .seconds(3)) == .replace(taken))
        // A server that went back is believed when it is asked.
        machine.read(lease("other", version: 2), sentAt: .seconds(4), at: .seconds(4))
        #expect(machine.standing(at: .seconds(4)) == .following(leader: "other"))
    }

    @Test("Who is no longer the holder leads no longer")
    func overwritten() {
        var machine = leading()
        machine.watched(lease("other", version: 5), at: .seconds(1))
        #expect(machine.standing(at: .seconds(1)) == .following(leader: "other"))
        var other = leading()
        other.writeFailed(.conflict("changed"), sentAt: .seconds(2), at: .seconds(2))
        #expect(next(other, at: .seconds(2)) == .read)
        other.read(lease("other", version: 5), sentAt: .seconds(2), at: .seconds(2))
        #expect(other.standing(at: .seconds(2)) == .following(leader: "other"))
    }

    @Test("A leader whose lease was deleted makes it anew, a follower leaves it the time")
    func deleted() {
        var leader = leading()
        leader.watched(nil, at: .seconds(1))
        guard case .create(let again) = next(leader, at: .seconds(1)) else {
            Issue.record("\(next(leader, at: .seconds(1)))")
            return
        }
        #expect(again.record.leaseTransitions == 3)
        #expect(again.metadata.resourceVersion.isEmpty)
        #expect(leader.standing(at: .seconds(1)) == .leading)

        var follower = following()
        follower.watched(nil, at: .seconds(1))
        guard case .wait(let until) = next(follower, at: .seconds(1)) else {
            Issue.record("\(next(follower, at: .seconds(1)))")
            return
        }
        #expect(until < .seconds(3))
        follower.read(nil, sentAt: .seconds(14), at: .seconds(14))
        #expect(next(follower, at: .seconds(14)) == .wait(until: .seconds(15)))
        guard case .create = next(follower, at: .seconds(15)) else {
            Issue.record("\(next(follower, at: .seconds(15)))")
            return
        }
    }

    @Test("A renewal found gone is looked at and made anew")
    func deletedUnseen() {
        var machine = leading()
        machine.writeFailed(.notFound("gone"), sentAt: .seconds(2), at: .seconds(2))
        #expect(next(machine, at: .seconds(2)) == .read)
        machine.read(nil, sentAt: .seconds(2), at: .seconds(2))
        #expect(next(machine, at: .seconds(2)) == .wait(until: .milliseconds(2500)))
        guard case .create = next(machine, at: .milliseconds(2500)) else {
            Issue.record("\(next(machine, at: .milliseconds(2500)))")
            return
        }
    }

    @Test("A leader whose server is away tries until its deadline, then says so")
    func serverAway() {
        var machine = leading()
        var now = Duration.seconds(2)
        for _ in 0..<3 {
            let sentAt = now
            now += .milliseconds(100)
            machine.writeFailed(.unreachable("refused"), sentAt: sentAt, at: now)
            #expect(machine.standing(at: now) == .leading)
            #expect(next(machine, at: now) == .wait(until: sentAt + .seconds(2)))
            now = sentAt + .seconds(2)
            #expect(next(machine, at: now) == .read)
        }
        #expect(machine.standing(at: .seconds(8)) == .waiting(.unreachable("refused")))
    }

    @Test("A question that hung leaves time for the next one")
    func hung() {
        var machine = leading()
        machine.writeFailed(.unreachable("no answer"), sentAt: .seconds(2), at: .seconds(6))
        #expect(next(machine, at: .seconds(6)) == .read)
        machine.read(lease("me", version: 2), sentAt: .milliseconds(6100), at: .milliseconds(6100))
        guard case .replace(let renewed) = next(machine, at: .milliseconds(6100)) else {
            Issue.record("\(next(machine, at: .milliseconds(6100)))")
            return
        }
        #expect(renewed.metadata.resourceVersion == "2")
    }

    @Test("Whoever may not read the lease says so and goes on trying")
    func forbidden() {
        var machine = machine()
        machine.readFailed(.forbidden("no"), sentAt: .zero, at: .zero)
        #expect(machine.standing(at: .zero) == .waiting(.forbidden("no")))
        guard case .wait(let until) = next(machine, at: .zero) else {
            Issue.record("\(next(machine, at: .zero))")
            return
        }
        #expect((Duration.seconds(2) ... .milliseconds(2400)).contains(until))
        #expect(next(machine, at: until) == .read)
        machine.readFailed(.busy("later", retryAfter: .seconds(9)), sentAt: .seconds(3), at: .seconds(3))
        #expect(next(machine, at: .seconds(3)) == .wait(until: .seconds(12)))
        machine.read(lease("other", version: 1), sentAt: .seconds(12), at: .seconds(12))
        #expect(machine.standing(at: .seconds(12)) == .following(leader: "other"))
        // Not known any more for a while: the leader is still believed until its time is over.
        machine.readFailed(.forbidden("no"), sentAt: .seconds(14), at: .seconds(14))
        #expect(machine.standing(at: .seconds(14)) == .following(leader: "other"))
        #expect(machine.standing(at: .seconds(27)) == .waiting(.forbidden("no")))
    }

    @Test("A lease is given back as others give it back, and only by its holder")
    func release() {
        var machine = leading()
        let given = machine.release(at: Self.date)
        #expect(
            given?.record
                == LeaseRecord(
                    holderIdentity: "", leaseDurationSeconds: 1, acquireTime: Self.date.text,
                    renewTime: Self.date.text, leaseTransitions: 3))
        #expect(given?.metadata.resourceVersion == "1")
        #expect(machine.standing(at: .milliseconds(10)) != .leading)
        var other = following()
        #expect(other.release(at: Self.date) == nil)
    }

    @Test("What a write may have done unseen is looked at")
    func unsure() {
        var machine = machine()
        machine.read(nil, sentAt: .zero, at: .zero)
        #expect(!machine.isUnsure)
        machine.writeFailed(.unreachable("no answer"), sentAt: .zero, at: .seconds(4))
        #expect(machine.isUnsure)
        machine.read(lease("me", version: 1), sentAt: .seconds(5), at: .seconds(5))
        #expect(!machine.isUnsure)
        #expect(machine.standing(at: .seconds(5)) == .following(leader: nil))
        #expect(machine.release(at: Self.date) != nil)
    }
}

@Suite("Configurations of an election")
struct LeaderElectionConfigurationTests {
    @Test(
        "Times that cannot make one leader are refused",
        arguments: [
            (12, 12, 2, "the lease (12.0 seconds) must last longer than the deadline to renew it (12.0 seconds)"),
            (
                12, 2, 2,
                "the deadline to renew a lease (2.0 seconds) must be longer than 1.2 pauses between tries "
                    + "(2.0 seconds each)"
            ),
            (
                12, 8, 0,
                "the deadline to renew a lease (8.0 seconds) must be longer than 1.2 pauses between tries "
                    + "(0.0 seconds each)"
            ),
            (0, 8, 2, "a lease lasts whole seconds, at least 1; not 0.0 seconds"),
        ])
    func refused(lease: Int, deadline: Int, retry: Int, text: String) {
        let error = #expect(throws: LeaderElectionConfigurationError.self) {
            try LeaderElectionConfiguration(
                leaseDuration: .seconds(lease), renewDeadline: .seconds(deadline), retryPeriod: .seconds(retry))
        }
        #expect(error?.description == text)
    }

    @Test("A lease of parts of seconds is refused, a good one is not")
    func wholeSeconds() throws {
        #expect(throws: LeaderElectionConfigurationError.self) {
            try LeaderElectionConfiguration(
                leaseDuration: .milliseconds(1500), renewDeadline: .seconds(1), retryPeriod: .milliseconds(100))
        }
        let usual = try LeaderElectionConfiguration(
            leaseDuration: .seconds(12), renewDeadline: .seconds(8), retryPeriod: .seconds(2))
        #expect(usual == LeaderElectionConfiguration())
    }
}
