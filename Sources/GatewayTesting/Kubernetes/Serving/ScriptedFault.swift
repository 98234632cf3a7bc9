/// Something that goes wrong with answers of a ``ScriptedKubernetesAPI``.
///
/// All faults that fit a request have their effect together, as far as they go together.
package struct ScriptedFault: Hashable, Sendable {
    /// What goes wrong.
    package enum Action: Hashable, Sendable {
        /// Another status than the right one, with a `Status` in the body; seconds for `Retry-After`.
        case status(Int, retryAfter: Int?)
        /// The request is looked at so much later.
        case delay(Duration)
        /// There is never an answer, and the connection stays open.
        case noAnswer
        /// The connection is reset instead of an answer.
        case reset
        /// The body comes at this rate.
        case slowBody(bytesPerSecond: Int)
        /// The connection is reset after so many bytes of the body.
        case cutBody(afterBytes: Int)
        /// Nothing is sent after so many bytes of the body, and the connection stays open.
        case stallBody(afterBytes: Int)
        /// These bytes are the body of a success instead of the right ones.
        case replaceBody(String)
        /// A list of version 0 tells the state of so many versions ago, as a server whose cache lags behind would.
        case staleRead(versionsBehind: Int64)
    }

    /// What goes wrong.
    package var action: Action
    /// The plural of the type it is about; `nil` for all.
    package var resource: String?
    /// The verb it is about, as in ``ScriptedAPIRequest/verb``; `nil` for all.
    package var verb: String?
    /// The namespace it is about; `nil` for all.
    package var namespace: String?
    /// The object it is about; `nil` for all.
    package var name: String?
    /// How many requests it hits; `nil` for all.
    package var times: Int?
    /// How long it stays, from its injection on; `nil` for ever.
    package var lasting: Duration?

    /// Makes a fault that hits one request if nothing else is said.
    package init(
        _ action: Action,
        resource: String? = nil,
        verb: String? = nil,
        namespace: String? = nil,
        name: String? = nil,
        times: Int? = 1,
        lasting: Duration? = nil
    ) {
        self.action = action
        self.resource = resource
        self.verb = verb
        self.namespace = namespace
        self.name = name
        self.times = times
        self.lasting = lasting
    }

    /// Whether it is about a request.
    func fits(_ request: ScriptedAPIRequest) -> Bool {
        func isMeant(_ wanted: String?, _ given: String?) -> Bool { wanted == nil || wanted == given }
        return isMeant(resource, request.resource) && isMeant(verb, request.verb)
            && isMeant(namespace, request.namespace) && isMeant(name, request.name)
    }
}

/// Something that happens to watches that are open.
package enum WatchDisturbance: Hashable, Sendable {
    /// A line of any bytes, such as half a document; its end is added.
    case line(String)
    /// An event of any type with any object.
    case event(String, ScriptedJSON)
    /// The last event once more.
    case duplicate
    /// A bookmark with a version, which may be old; the present one for `nil`.
    case bookmark(version: Int64?)
    /// An ERROR event with this status, after which the watch ends.
    case error(Int)
    /// The next event breaks off after so many bytes, and the connection is reset.
    case cutNextEvent(afterBytes: Int)
    /// Nothing is sent any more, and the connection stays open.
    case stall
    /// From now on the bytes come at this rate.
    case slow(bytesPerSecond: Int)
    /// The watch ends in good order.
    case end
    /// The connection is reset.
    case reset
}

/// The faults of a server, and how often they still happen.
struct FaultList: Sendable {
    private struct Entry {
        var fault: ScriptedFault
        var left: Int?
        var end: ContinuousClock.Instant?
    }

    private var entries: [Entry] = []

    mutating func add(_ fault: ScriptedFault, now: ContinuousClock.Instant) {
        entries.append(Entry(fault: fault, left: fault.times, end: fault.lasting.map { now + $0 }))
    }

    mutating func removeAll() { entries = [] }

    /// What goes wrong with a request; each fault that does counts as having happened.
    mutating func take(for request: ScriptedAPIRequest, now: ContinuousClock.Instant) -> [ScriptedFault.Action] {
        entries.removeAll { $0.end.map { $0 <= now } ?? false }
        var actions: [ScriptedFault.Action] = []
        for index in entries.indices where entries[index].fault.fits(request) {
            actions.append(entries[index].fault.action)
            entries[index].left = entries[index].left.map { $0 - 1 }
        }
        entries.removeAll { $0.left.map { $0 <= 0 } ?? false }
        return actions
    }
}
