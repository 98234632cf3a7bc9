/// How much of an answer is read.
package struct APILimits: Hashable, Sendable {
    /// The most bytes of an object. A longer one in a list or a watch is malformed. Servers keep no objects longer than
    /// about 1.5 MiB.
    package var objectBytes = 10_000_000
    /// The most bytes of a page of a list; a longer one is refused. Only one object of it is in memory at a time.
    package var pageBytes = 64 << 20

    /// Makes the usual limits.
    package init() {}
}
