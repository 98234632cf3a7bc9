/// What a watch tells.
package enum WatchEvent<Object: KubernetesObject>: Sendable {
    /// The object is new.
    case added(Object)
    /// The object has changed.
    case modified(Object)
    /// The object is gone, or no longer one that the query asks for. The version is that of its end.
    case deleted(ObjectMetadata)
    /// Nothing happened up to this version.
    case bookmark(resourceVersion: String)
    /// The event cannot be read, or is of a type that this client does not know.
    case malformed(MalformedObject)
}

/// The events of one watch, in the server's order.
///
/// The sequence ends when the server ends the watch, and throws when the server says that it cannot go on
/// (``APIError/expired(_:)`` for a version that is too old) or when the connection breaks. Only one iterator may be
/// used; one that is dropped ends the watch.
package struct WatchEvents<Object: KubernetesObject>: AsyncSequence, Sendable {
    package typealias Element = WatchEvent<Object>
    package typealias Failure = APIError

    private let response: APIResponse

    init(response: APIResponse) {
        self.response = response
    }

    /// Takes events out of the response.
    package struct AsyncIterator: AsyncIteratorProtocol {
        package mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(APIError) -> WatchEvent<Object>? {
            nil
        }

        package mutating func next() async throws(APIError) -> WatchEvent<Object>? {
            try await next(isolation: nil)
        }
    }

    package func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator()
    }
}
