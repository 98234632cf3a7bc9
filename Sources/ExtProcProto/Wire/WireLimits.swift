/// What bounds the work and the memory that a message of a peer can cost.
package struct WireLimits: Hashable, Sendable {
    /// The deepest nesting of messages and groups below the outermost message; each level of a Struct is two or three.
    /// 0 to ``deepestNesting``.
    package let nesting: Int
    /// The most values in all structs of one message. A value can be two bytes on the wire and is 24 in memory.
    package let values: Int

    /// The largest nesting that can be set; larger ones are lowered to it, because the readers recurse.
    package static let deepestNesting = 256
    /// What protobuf's own implementations take, 100 levels, and 65,536 values.
    package static let standard = WireLimits(nesting: 100, values: 65_536)

    /// Makes limits; see the properties. Negative numbers are taken as 0.
    package init(nesting: Int, values: Int) {
        self.nesting = min(max(nesting, 0), Self.deepestNesting)
        self.values = max(values, 0)
    }
}
