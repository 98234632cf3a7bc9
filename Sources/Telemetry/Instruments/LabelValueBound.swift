/// Keeps the number of distinct values of one label within a limit. A value type: its owner guards it.
package struct LabelValueBound: Sendable {
    /// The value under which everything beyond the limit is counted.
    package static let overflow = "other"
    /// Longer values are counted as overflow too: a client must not choose how much memory a label takes.
    package static let valueBytesMax = 256
    /// Requests that are refused may take a new value only while fewer than the limit divided by this are known.
    static let shareOfRefused = 10

    private let limit: Int
    private var pinned: Set<String> = []
    private var users: [String: Int] = [:]

    init(limit: Int) {
        self.limit = limit
    }

    /// Names values that are always kept apart and do not count towards the limit.
    mutating func pin(_ values: some Sequence<String>) {
        pinned = Set(values)
    }

    /// The value to use for `value`: itself if it is known or there is room, else ``overflow``. Changes nothing.
    ///
    /// - Parameter share: only this part of the limit counts as room, at least 1.
    func admitted(_ value: String, share: Int = 1) -> String {
        if value.utf8.count > Self.valueBytesMax { return Self.overflow }
        if pinned.contains(value) || users[value] != nil { return value }
        return users.count < (limit + share - 1) / share ? value : Self.overflow
    }

    /// Notes that one more series carries an admitted value.
    mutating func retain(_ value: String) {
        if value == Self.overflow || pinned.contains(value) { return }
        users[value, default: 0] += 1
    }

    /// Notes that a series went away; the last one makes room for another value.
    mutating func release(_ value: String) {
        guard let count = users[value] else { return }
        users[value] = count > 1 ? count - 1 : nil
    }
}
