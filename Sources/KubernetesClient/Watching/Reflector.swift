package import Logging

/// Follows the objects of a query.
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
    ///   - logger: is told of lists, ends of watches and waits.
    ///   - onEvent: is told of the objects, one event after the other.
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

    /// Follows the objects until the task is cancelled.
    package func run() async {
    }
}
