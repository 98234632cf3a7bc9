/// How a page of each endpoint is fetched, such as its metrics or its model list.
public struct PageSourceSettings: Hashable, Sendable {
    /// The scheme of the page's URL.
    public enum Scheme: String, Hashable, Sendable, CaseIterable {
        /// Plain HTTP.
        case http
        /// HTTP over TLS.
        case https
    }

    /// The fastest pace at which a page may be fetched.
    public static let minimumInterval = Duration.milliseconds(50)

    /// The scheme; default `http`.
    public var scheme: Scheme
    /// The page's path, with a leading `/`; default `/metrics`.
    public var path: String
    /// The page's port; `nil` for the endpoint's own.
    public var port: Int?
    /// The time between two fetches, at least ``minimumInterval``; `nil` for the pace that the program has of itself.
    public var interval: Duration?
    /// The longest time between two fetches from an endpoint that has no work; `nil` for the same as with work.
    public var idleInterval: Duration?

    /// Makes settings; without arguments the defaults.
    public init(
        scheme: Scheme = .http,
        path: String = "/metrics",
        port: Int? = nil,
        interval: Duration? = nil,
        idleInterval: Duration? = nil
    ) {
        self.scheme = scheme
        self.path = path
        self.port = port
        self.interval = interval
        self.idleInterval = idleInterval
    }
}
