import FoundationEssentials

/// Times of day as objects of a cluster have them.
enum Timestamp {
    /// Now, in RFC 3339 text and UTC, to the second.
    static func now() -> String {
        Date.now.formatted(.iso8601)
    }
}
