/// What a ``Reflector`` does next, and what it tells, as a function of what came so far.
///
/// Whoever drives it does ``next`` and reports how that went; each report returns what is to be told. It knows no
/// network and no clock: times are durations since any one moment.
struct ReflectorMachine<Object: KubernetesObject> {
    /// What is to be done.
    enum Step: Hashable {
        /// Ask for a page of the list, then ``listed(_:)`` or ``listFailed(_:)``.
        case list(ListPageRequest)
        /// Ask for a watch, then ``watchBegan(at:)``, ``received(_:)`` and at last ``watchEnded(_:at:)``.
        case watch(from: String, timeout: Duration)
        /// Wait, then ``pauseEnded()``.
        case pause(Duration)
    }

    /// The list that is being read.
    private struct Listing {
        /// That of the first page. Should a later page be newer, the watch repeats what came between.
        let version: String
        var objects: [ObjectName: Object] = [:]
        var malformed: [MalformedObject] = []
        var continuation: String
    }

    /// A watch that lasted this long was a success: what comes after it is a new failure, not one more.
    private static var successAfter: Duration { .seconds(1) }

    private let configuration: ReflectorConfiguration
    private var random: any RandomNumberGenerator & Sendable
    private var backoff: Backoff
    /// The objects as they were last told.
    private(set) var known: [ObjectName: Object] = [:]
    /// The versions of those that cannot be read, so that each is told once.
    private var unreadable: [ObjectName: String] = [:]
    private var lastNameless: String?
    /// Up to where everything is known; `nil` when a list is needed.
    private var version: String?
    private var listing: Listing?
    private var pause: Duration?
    private var watchBegan: Duration?
    private var watchTimeout = Duration.zero
    /// The error that was told last, as far as it is a new reason; `nil` after a success.
    private var toldReason: String?
    /// Whether the last word about the server was that nothing can be learned.
    private var isWaiting = false

    init(
        configuration: ReflectorConfiguration,
        random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
    ) {
        self.configuration = configuration
        self.random = random
        backoff = Backoff(initial: configuration.initialBackoff, maximum: configuration.maximumBackoff)
        drawWatchTimeout()
    }

    /// What is to be done.
    var next: Step {
        if let pause { return .pause(pause) }
        if let version { return .watch(from: version, timeout: watchTimeout) }
        return .list(ListPageRequest(limit: configuration.pageSize, continuation: listing?.continuation))
    }

    /// The pause is over.
    mutating func pauseEnded() {
        pause = nil
    }

    // MARK: Lists

    /// A page has come.
    mutating func listed(_ page: ListPage<Object>) -> [ReflectorEvent<Object>] {
        if let continuation = page.continuation, continuation == listing?.continuation {
            return listFailed(.malformed("the server repeats the token \"\(continuation.prefix(40))…\" of a list"))
        }
        var list = listing ?? Listing(version: page.resourceVersion, continuation: "")
        listing = nil
        for object in page.objects { list.objects[object.metadata.id] = object }
        list.malformed += page.malformed
        if let continuation = page.continuation {
            list.continuation = continuation
            listing = list
            return []
        }
        return complete(list)
    }

    /// The list is whole.
    private mutating func complete(_ list: Listing) -> [ReflectorEvent<Object>] {
        var objects = list.objects
        for malformed in list.malformed {
            // What was told of it before still holds, unless that was of an earlier object of the same name.
            guard let name = malformed.name, objects[name] == nil, let last = known[name] else { continue }
            if isSame(malformed.uid, last.metadata.uid) { objects[name] = last }
        }
        known = objects
        version = list.version
        isWaiting = false
        var events: [ReflectorEvent<Object>] = [
            .replaced(objects.sorted { $0.key < $1.key }.map(\.value))
        ]
        let before = unreadable
        unreadable = [:]
        for malformed in list.malformed {
            if let name = malformed.name { unreadable[name] = before[name] }
            if isNew(malformed) { events.append(.malformed(malformed)) }
        }
        return events
    }

    /// The list cannot be read. It begins again from its first page: parts of two lists do not make a whole.
    mutating func listFailed(_ error: APIError) -> [ReflectorEvent<Object>] {
        listing = nil
        version = nil
        pause = wait(after: error)
        // A list whose pages expire while they are read is only begun again.
        if case .expired = error { return [] }
        return tell(error)
    }

    // MARK: Watches

    /// The server has agreed to the watch.
    mutating func watchBegan(at now: Duration) {
        watchBegan = now
    }

    /// An event has come.
    ///
    /// - Returns: what is to be told, and whether the watch is to go on; if not, it is ended and ``watchEnded(_:at:)``
    ///   reported without an error.
    mutating func received(_ event: WatchEvent<Object>) -> (told: [ReflectorEvent<Object>], goesOn: Bool) {
        let version =
            switch event {
            case .added(let object), .modified(let object): object.metadata.resourceVersion
            case .deleted(let metadata): metadata.resourceVersion
            case .bookmark(let version): version
            case .malformed(let object): object.resourceVersion
            }
        guard advance(to: version) else { return ([], false) }
        let resumed = resume()
        switch event {
        case .added(let object), .modified(let object): return (resumed + changed(object), true)
        case .deleted(let metadata): return (resumed + removed(metadata), true)
        case .bookmark: return (resumed, true)
        case .malformed(let object):
            guard object.name != nil else {
                // Some object has changed, and nobody can say which.
                self.version = nil
                return (resumed + (isNew(object) ? [.malformed(object)] : []), false)
            }
            return (resumed + malformed(object), true)
        }
    }

    /// The server tells something again.
    private mutating func resume() -> [ReflectorEvent<Object>] {
        guard isWaiting else { return [] }
        isWaiting = false
        toldReason = nil
        return [.resumed]
    }

    /// Goes on to a version; false when the server's history is another than the one followed so far.
    ///
    /// Versions mean something to the server only. That they are numbers which grow is true of every server, though
    /// (KEP-5504), and used for nothing but to ask again: a server whose store was restored from a backup goes on
    /// counting from before, and never says that the objects made since then are gone.
    private mutating func advance(to new: String) -> Bool {
        guard let last = version else { return false }
        // One that says no version moves nothing.
        guard !new.isEmpty else { return true }
        guard !ResourceVersion.is(new, before: last) else {
            version = nil
            return false
        }
        version = new
        return true
    }

    private mutating func changed(_ object: Object) -> [ReflectorEvent<Object>] {
        let name = object.metadata.id
        let wasUnreadable = unreadable.removeValue(forKey: name) != nil
        // The same version once more. After another one that could not be read it is told: a server that went back
        // gives a version out twice.
        if !wasUnreadable, let last = known[name]?.metadata, !last.uid.isEmpty, last.uid == object.metadata.uid,
            !last.resourceVersion.isEmpty, last.resourceVersion == object.metadata.resourceVersion
        {
            return []
        }
        known[name] = object
        return [.changed(object)]
    }

    private mutating func removed(_ metadata: ObjectMetadata) -> [ReflectorEvent<Object>] {
        unreadable[metadata.id] = nil
        guard let last = known[metadata.id], isSame(last.metadata.uid, metadata.uid) else { return [] }
        known[metadata.id] = nil
        return [.removed(metadata.id)]
    }

    private mutating func malformed(_ object: MalformedObject) -> [ReflectorEvent<Object>] {
        var told: [ReflectorEvent<Object>] = []
        if let name = object.name, let last = known[name], !isSame(last.metadata.uid, object.uid) {
            known[name] = nil
            told.append(.removed(name))
        }
        if isNew(object) { told.append(.malformed(object)) }
        return told
    }

    /// The watch has ended, or could not begin.
    ///
    /// - Parameter error: why; `nil` when the server ended it in good order or ``received(_:)`` asked for the end.
    mutating func watchEnded(_ error: APIError?, at now: Duration) -> [ReflectorEvent<Object>] {
        let wasSuccess = watchBegan.map { now - $0 >= Self.successAfter } ?? false
        watchBegan = nil
        drawWatchTimeout()
        var told: [ReflectorEvent<Object>] = []
        if wasSuccess {
            backoff.reset()
            told = resume()
            toldReason = nil
        }
        switch error {
        case nil, .unreachable:
            // The connection is gone, not the history: go on where it ended, at once the first time.
            pause = wasSuccess ? nil : wait(after: error)
        case .expired:
            version = nil
            pause = wasSuccess ? nil : wait(after: error)
            return told
        case .unauthenticated, .forbidden, .busy:
            pause = wait(after: error)
        case .notFound, .conflict, .refused, .malformed:
            // Perhaps the version is what the server objects to, or the objects went with their type.
            version = nil
            pause = wait(after: error)
        }
        guard let error, pause != nil else { return told }
        return tell(error)
    }

    // MARK: What both share

    private mutating func wait(after error: APIError?) -> Duration {
        var retryAfter: Duration?
        if case .busy(_, let time) = error { retryAfter = time }
        return backoff.next(retryAfter: retryAfter, using: &random)
    }

    private mutating func tell(_ error: APIError) -> [ReflectorEvent<Object>] {
        guard toldReason != error.reason else { return [] }
        toldReason = error.reason
        isWaiting = true
        return [.waiting(error)]
    }

    /// Whether it was not told before.
    private mutating func isNew(_ object: MalformedObject) -> Bool {
        guard let name = object.name else {
            defer { lastNameless = object.reason }
            return lastNameless != object.reason
        }
        defer { unreadable[name] = object.resourceVersion }
        return object.resourceVersion.isEmpty || unreadable[name] != object.resourceVersion
    }

    /// Whether both may be the same object; one that is not known is no difference.
    private func isSame(_ uid: String, _ other: String) -> Bool {
        uid.isEmpty || other.isEmpty || uid == other
    }

    private mutating func drawWatchTimeout() {
        let range = configuration.watchTimeout
        let seconds = range.lowerBound.components.seconds...range.upperBound.components.seconds
        watchTimeout = .seconds(Int64.random(in: seconds, using: &random))
    }
}

/// Versions of objects and lists.
enum ResourceVersion {
    /// Whether both are numbers and `version` is the smaller one.
    static func `is`(_ version: String, before other: String) -> Bool {
        guard isNumber(version), isNumber(other) else { return false }
        return (version.utf8.count, version) < (other.utf8.count, other)
    }

    private static func isNumber(_ version: String) -> Bool {
        guard let first = version.utf8.first, first != UInt8(ascii: "0") || version.utf8.count == 1 else {
            return false
        }
        return version.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}

extension APIError {
    /// What makes two errors the same one to somebody who waits for its end. Where the words say what to do they count;
    /// elsewhere they differ from try to try.
    fileprivate var reason: String {
        switch self {
        case .unreachable: "unreachable"
        case .unauthenticated(let text), .forbidden(let text), .notFound(let text): text
        case .conflict: "conflict"
        case .expired: "expired"
        case .busy: "busy"
        case .refused(let status, _): "refused \(status)"
        case .malformed: "malformed"
        }
    }
}
