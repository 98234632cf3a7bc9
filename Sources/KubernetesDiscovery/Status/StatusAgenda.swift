import KubernetesClient

/// Which statuses are to be written next. A pure state over the time that its caller tells.
struct StatusAgenda: Sendable {
    private struct Key: Hashable {
        let resource: APIResource
        let name: ObjectName
        let uid: String
    }

    private struct Attempt {
        let status: DesiredStatus
        let at: Duration
    }

    /// How long the same status is not written to the same object again: after a failure, or when somebody else keeps
    /// writing another one.
    private let pause: Duration

    private var desired: [DesiredStatus] = []
    private var attempts: [Key: Attempt] = [:]

    /// Makes an agenda without statuses.
    init(pause: Duration) {
        self.pause = pause
    }

    /// From here on objects should have these statuses.
    mutating func setDesired(_ statuses: [DesiredStatus]) {
        desired = statuses
        let keys = Set(statuses.map(Self.key))
        attempts = attempts.filter { keys.contains($0.key) }
    }

    /// The statuses to write at `now`. They count as tried.
    mutating func takeDue(at now: Duration) -> [DesiredStatus] {
        let due = desired.filter { status in
            guard status.isDue else { return false }
            guard let last = attempts[Self.key(status)], last.status.condition == status.condition else { return true }
            return now - last.at >= pause
        }
        for status in due { attempts[Self.key(status)] = Attempt(status: status, at: now) }
        return due
    }

    /// Whether a status is still to be written, now or after its pause.
    var hasUnwritten: Bool { desired.contains(where: \.isDue) }

    private static func key(_ status: DesiredStatus) -> Key {
        Key(resource: status.resource, name: status.name, uid: status.uid)
    }
}
