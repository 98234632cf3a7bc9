/// The objects of a cluster with one counter of versions and the history since the last compaction, as etcd keeps them.
struct ObjectStore: Sendable {
    /// The version of the latest change.
    private(set) var version: Int64
    /// The oldest version that can still be listed or watched from.
    private(set) var compactedVersion: Int64
    /// How many changes are kept before the oldest are compacted away.
    var historyLimit = 20_000
    private var objects: [GroupResource: [ObjectKey: StoredObject]] = [:]
    private var history: [Change] = []
    private var unseen: [Change] = []

    init(version: Int64 = 1_000) {
        self.version = version
        compactedVersion = version
    }

    /// An object, if there is one.
    func object(_ type: GroupResource, _ key: ObjectKey) -> StoredObject? { objects[type]?[key] }

    /// The objects of a type, in no order.
    func objects(_ type: GroupResource) -> [ObjectKey: StoredObject] { objects[type] ?? [:] }

    /// The objects of a type as they were at a version; `nil` when that version is compacted or still to come.
    func objects(_ type: GroupResource, at version: Int64) -> [ObjectKey: StoredObject]? {
        guard version >= compactedVersion, version <= self.version else { return nil }
        var past = objects(type)
        for change in history.reversed() {
            guard change.version > version else { break }
            if change.type == type { past[change.key] = change.before }
        }
        return past
    }

    /// The changes of a type after a version, oldest first; `nil` when some of them are compacted.
    func changes(of type: GroupResource, after version: Int64) -> [Change]? {
        guard version >= compactedVersion else { return nil }
        guard version < self.version else { return [] }
        var low = 0
        var high = history.count
        while low < high {
            let middle = (low + high) / 2
            if history[middle].version > version { high = middle } else { low = middle + 1 }
        }
        return history[low...].filter { $0.type == type }
    }

    /// Writes an object at the next version.
    @discardableResult
    mutating func put(_ value: ScriptedJSON, _ type: GroupResource, _ key: ObjectKey) -> StoredObject {
        let before = objects[type]?[key]
        version += 1
        let object = StoredObject(value, version: version)
        objects[type, default: [:]][key] = object
        note(Change(version: version, type: type, key: key, before: before, object: object, isRemoval: false))
        return object
    }

    /// Removes an object at the next version, and returns it as it was last; `nil` when there is none.
    @discardableResult
    mutating func remove(_ type: GroupResource, _ key: ObjectKey) -> StoredObject? {
        guard let before = objects[type]?.removeValue(forKey: key) else { return nil }
        version += 1
        let object = before.renumbered(version)
        note(Change(version: version, type: type, key: key, before: before, object: object, isRemoval: true))
        return object
    }

    /// Counts versions on without a change, as writes to types that nobody here knows would.
    mutating func advance(by count: Int64) { version += max(0, count) }

    /// Forgets what was before `version`; the present version if there is none given.
    mutating func compact(to version: Int64? = nil) {
        let version = min(version ?? self.version, self.version)
        guard version > compactedVersion else { return }
        compactedVersion = version
        history.removeAll { $0.version <= version }
    }

    /// Goes back to an earlier state of this store, as a backup of etcd is restored: versions repeat from there.
    mutating func restore(_ earlier: ObjectStore) {
        self = earlier
        unseen = []
        compact()
    }

    /// The changes since the last call, for those who watch.
    mutating func takeUnseen() -> [Change] {
        defer { unseen = [] }
        return unseen
    }

    private mutating func note(_ change: Change) {
        history.append(change)
        unseen.append(change)
        // Trimmed in large steps: taking off the front of an array moves the rest.
        guard history.count > historyLimit + historyLimit / 4 + 16 else { return }
        compact(to: history[history.count - historyLimit - 1].version)
    }
}
