package import Logging

/// Follows the objects of a query: lists them, watches what changes, and begins again where it must.
///
/// ## What is promised
///
/// `onEvent` is called with one event at a time, in the order given here, by the task that runs ``run()``.
///
/// - **First a whole set.** The first event about objects is ``ReflectorEvent/replaced(_:)``, an empty one if there are
///   none. Before it there may be ``ReflectorEvent/waiting(_:)`` only.
/// - **The set converges.** What one gets by taking every `replaced` as the whole, every `changed` as the new state of
///   its object and every `removed` as its end is, once the server is reachable and nothing changes any more, what the
///   server has. On the way it is always a state that the server's objects had, one by one.
/// - **Order.** The events of one object come in the order of its changes. Between two `replaced` the events of all
///   objects do. From one reflector to another there is no order.
/// - **Not back in time.** Lists ask for the most recent state, never for what a server has cached, so a `replaced` is
///   not older than what was told before it, unless the server itself went back (its store was restored): then it is
///   the restored state.
/// - **At least once.** A change may be told again, by a `replaced` or after a watch was taken up anew. Of an object
///   that is told in the same version twice in a row within watches the second is left out.
///
/// ## What may be missed
///
/// - States between two that are told: several changes of an object may be one, and one that came and went while no
///   watch ran is never told. An object that was replaced by another of the same name may be told as a change; its
///   `uid` says so.
/// - The removal of objects while no watch ran: they are not in the next `replaced`, and there is no `removed` for
///   them.
/// - How an object was at its end.
/// - How old all this is: while the server cannot be reached, what was told stays. Versions of objects cannot be
///   compared, except for equality, by whoever is told.
/// - Changes of a server whose store was restored, when nothing tells of it: it counted on to the version followed so
///   far before the reflector asked again; or it accepts to go on from a version that it never had and sends no
///   bookmarks. Whoever restores a store avoids both by raising its version (`--bump-revision` of `etcdutl`).
///
/// ## Objects that cannot be read
///
/// They spoil nobody else. Each version of one is told once as ``ReflectorEvent/malformed(_:)``, and its last good
/// state stays, also in a later `replaced`, until it can be read again, is removed, or is another object (another
/// `uid`). One that was never readable is in no set. An event of a watch that does not even have a name makes the list
/// begin again.
///
/// ## When something fails
///
/// - A watch that ends, breaks or is silent for ``ReflectorConfiguration/idleLimit``: a watch from the last version
///   seen, bookmarks count. At once if it had lasted a second, else after a wait.
/// - A version that is too old (410) or that the server never had (`ResourceVersionTooLarge`), or versions that go
///   back: the list.
/// - A page of the list that is too old (410): the list from its first page.
/// - 401, 403: the same request again. Whoever grants access later is found within the longest wait.
/// - 404, for instance because the resource type is not installed: the list again, likewise.
/// - 429, 503: the same request, not before the time that the server gave.
/// - Anything else: the list.
///
/// Waits double from ``ReflectorConfiguration/initialBackoff`` to ``ReflectorConfiguration/maximumBackoff``, are
/// shortened by up to half by chance, and begin anew once a watch has lasted a second. `Retry-After` counts up to a
/// minute. Every failure that leads to a wait is told by ``ReflectorEvent/waiting(_:)``, the same one only once until a
/// watch has told something or has lasted a second; that a version is too old is no failure. The end of the wait is
/// told by ``ReflectorEvent/replaced(_:)`` or, where the watch only goes on, by ``ReflectorEvent/resumed``.
///
/// Nothing is asked again without need: there is no periodic list. The objects that were told are kept, as the same
/// values, so they share the storage of whoever keeps them too.
package struct Reflector<Object: KubernetesObject>: Sendable {
    private let client: APIClient
    private let query: ResourceQuery
    private let configuration: ReflectorConfiguration
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let onEvent: @Sendable (ReflectorEvent<Object>) -> Void

    /// Makes a reflector.
    ///
    /// - Parameters:
    ///   - client: asks the server.
    ///   - query: what is followed.
    ///   - configuration: how it asks.
    ///   - clock: the time of waits.
    ///   - logger: is told of lists, ends of watches and waits, at the level `debug`.
    ///   - onEvent: is told of the objects, one event after the other. While it works nothing is read from the server.
    package init(
        client: APIClient,
        query: ResourceQuery,
        configuration: ReflectorConfiguration = ReflectorConfiguration(),
        clock: any Clock<Duration> = .continuous,
        logger: Logger,
        onEvent: @escaping @Sendable (ReflectorEvent<Object>) -> Void
    ) {
        self.client = client
        self.query = query
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        self.onEvent = onEvent
    }

    /// Follows the objects until the task is cancelled. May be run again, which begins from nothing.
    package func run() async {
        let time = Stopwatch(clock)
        var machine = ReflectorMachine<Object>(configuration: configuration)
        while !Task.isCancelled {
            switch machine.next {
            case .pause(let duration):
                // Only a cancelled task does not sleep to the end.
                guard (try? await clock.sleep(for: duration)) != nil else { return }
                machine.pauseEnded()
            case .list(let page): await list(page, &machine)
            case .watch(let version, let timeout): await watch(from: version, timeout, &machine, time)
            }
        }
    }

    private func list(_ page: ListPageRequest, _ machine: inout ReflectorMachine<Object>) async {
        do {
            let page = try await client.list(query, as: Object.self, page: page)
            if !Task.isCancelled { tell(machine.listed(page)) }
        } catch {
            // The end of this task is no failure of the server.
            guard !Task.isCancelled else { return }
            logger.debug("cannot list \(query.resource)", metadata: ["error": "\(error)"])
            tell(machine.listFailed(error))
        }
    }

    private func watch(
        from version: String,
        _ timeout: Duration,
        _ machine: inout ReflectorMachine<Object>,
        _ time: Stopwatch
    ) async {
        var failure: APIError?
        do {
            let events = try await client.watch(
                query, as: Object.self, from: version, timeout: timeout, idleLimit: configuration.idleLimit
            )
            machine.watchBegan(at: time.elapsed)
            for try await event in events {
                guard !Task.isCancelled else { return }
                let (told, goesOn) = machine.received(event)
                tell(told)
                guard goesOn else { break }
            }
        } catch {
            failure = error
        }
        guard !Task.isCancelled else { return }
        let told = machine.watchEnded(failure, at: time.elapsed)
        logger.debug(
            "a watch of \(query.resource) ended",
            metadata: ["error": "\(failure.map(\.description) ?? "none")", "next": "\(machine.next)"]
        )
        tell(told)
    }

    private func tell(_ events: [ReflectorEvent<Object>]) {
        for event in events { onEvent(event) }
    }
}
