/// How a reflector asks.
package struct ReflectorConfiguration: Hashable, Sendable {
    /// At most how many objects a page of a list has.
    package var pageSize = 500
    /// How long a watch lasts; each one's time is drawn from this range, so that watches do not all end at once.
    package var watchTimeout: ClosedRange<Duration> = .seconds(300) ... .seconds(600)
    /// A watch that tells nothing for this long, not even a bookmark, counts as dead and is taken up anew. Servers send
    /// bookmarks about once a minute.
    package var idleLimit = Duration.seconds(75)
    /// How long the first wait after a failure is; each further one is twice as long.
    package var initialBackoff = Duration.milliseconds(200)
    /// How long the longest wait is.
    package var maximumBackoff = Duration.seconds(10)

    /// Makes the usual configuration.
    package init() {}
}
