import NIOCore

/// The events of one watch, in the server's order.
///
/// The sequence ends when the server ends the watch. It throws when the server says that it cannot go on
/// (``APIError/expired(_:)`` for a version that is too old) and when the connection breaks, is silent for too long or
/// closes in the middle of an event (``APIError/unreachable(_:)``). One iterator may be made; dropping it ends the
/// watch.
package struct WatchEvents<Object: KubernetesObject>: AsyncSequence, Sendable {
    /// What is told.
    package typealias Element = WatchEvent<Object>
    /// What may go wrong.
    package typealias Failure = APIError

    private let response: APIResponse
    private let limits: APILimits
    private let subject: String

    init(response: APIResponse, limits: APILimits, subject: String) {
        self.response = response
        self.limits = limits
        self.subject = subject
    }

    /// Takes events out of the response.
    package struct AsyncIterator: AsyncIteratorProtocol {
        private var body: any AsyncIteratorProtocol<ByteBuffer, any Error>
        private var decoder: WatchDecoder<Object>
        private let subject: String

        fileprivate init(_ events: WatchEvents<Object>) {
            body = events.response.body.makeAsyncIterator()
            decoder = WatchDecoder(limits: events.limits, subject: events.subject)
            subject = events.subject
        }

        package mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(APIError) -> WatchEvent<Object>? {
            while true {
                if let event = try decoder.next() { return event }
                let chunk: ByteBuffer?
                do {
                    chunk = try await body.next(isolation: actor)
                } catch {
                    throw APIError(transportError: error, subject: subject)
                }
                guard let chunk else {
                    try decoder.finish()
                    return nil
                }
                decoder.take(chunk)
            }
        }

        package mutating func next() async throws(APIError) -> WatchEvent<Object>? {
            try await next(isolation: nil)
        }
    }

    /// Begins to take events out; once.
    package func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(self)
    }
}

extension APIError {
    /// What a body that ended with an error means.
    init(transportError error: any Error, subject: String) {
        self = error as? APIError ?? .unreachable("the connection broke: \(error) (\(subject))")
    }
}
