/// Ends a request that takes too long.
enum TimeLimit {
    /// The result of `request`.
    ///
    /// - Throws: what it throws, and ``APIError/unreachable(_:)`` after `duration`.
    static func run<Value: Sendable>(
        _ duration: Duration,
        by clock: any Clock<Duration>,
        _ request: @escaping @Sendable () async throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        let result = await withTaskGroup { group -> Result<Value, APIError> in
            group.addTask {
                do throws(APIError) {
                    return Result<Value, APIError>.success(try await request())
                } catch {
                    return .failure(error)
                }
            }
            group.addTask {
                try? await clock.sleep(for: duration)
                return .failure(.unreachable("no answer within \(duration)"))
            }
            defer { group.cancelAll() }
            return await group.next() ?? .failure(.unreachable("no answer"))
        }
        return try result.get()
    }
}
