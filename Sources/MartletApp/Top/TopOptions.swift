/// What `martlet top` was told on its command line.
package struct TopOptions: Sendable {
    /// The orders of the table.
    package enum Sort: String, Sendable, CaseIterable {
        /// By name.
        case name
        /// By requests that wait in the engine, most first.
        case waiting
        /// By requests that run in the engine, most first.
        case running
        /// By use of the KV cache, most first.
        case kv
        /// By requests of this gateway under way, most first.
        case flight
    }

    /// The admin address of a running gateway, as a URL.
    package var admin = "http://127.0.0.1:9090"
    /// The bearer token that the admin address asks for; `nil` for that of `MARTLET_TOKEN`, if there is one.
    package var token: String?
    /// How often the gateway is asked.
    package var interval = "1s"
    /// Whether one table is printed and nothing else.
    package var isOnce = false
    /// The order.
    package var sort = Sort.name
    /// The pool that is shown, as `NAME` or `NAMESPACE/NAME`; `nil` for all of them.
    package var pool: String?

    /// The defaults.
    package init() {}
}
