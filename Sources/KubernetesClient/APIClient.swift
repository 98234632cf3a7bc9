/// Asks an API server for objects, and writes them.
///
/// A value of a transport: copies ask the same server. Every call is one request, made once: trying again is the
/// caller's business. Cancelling the task ends the request with ``APIError/unreachable(_:)``. Safe from any thread.
package struct APIClient: Sendable {
    private let transport: any APITransport

    /// Makes a client that asks by `transport`.
    package init(transport: any APITransport) {
        self.transport = transport
    }

    /// Reads an object.
    package func get<Object: KubernetesObject>(
        _ resource: APIResource,
        _ name: ObjectName,
        as type: Object.Type
    ) async throws(APIError) -> Object {
        throw .malformed("not built")
    }

    /// Reads one page of the objects of `query`.
    package func list<Object: KubernetesObject>(
        _ query: ResourceQuery,
        as type: Object.Type,
        page: ListPageRequest = ListPageRequest()
    ) async throws(APIError) -> ListPage<Object> {
        throw .malformed("not built")
    }

    /// Follows the changes of the objects of `query` after `resourceVersion`, until the server ends the watch, which it
    /// does after `timeout` at the latest, or the connection breaks or is silent for `idleLimit`.
    package func watch<Object: KubernetesObject>(
        _ query: ResourceQuery,
        as type: Object.Type,
        from resourceVersion: String,
        timeout: Duration,
        idleLimit: Duration = .seconds(75)
    ) async throws(APIError) -> WatchEvents<Object> {
        throw .malformed("not built")
    }

    /// Makes an object, and returns what the server made of it.
    @discardableResult
    package func create<Object: KubernetesObject>(
        _ resource: APIResource,
        namespace: String?,
        body: some Encodable & Sendable,
        as type: Object.Type = PartialObject.self
    ) async throws(APIError) -> Object {
        throw .malformed("not built")
    }

    /// Writes an object, or its `subresource`, in place of the one that is there.
    ///
    /// With a `metadata.resourceVersion` in the body the server refuses to replace another version
    /// (``APIError/conflict(_:)``).
    @discardableResult
    package func replace<Object: KubernetesObject>(
        _ resource: APIResource,
        _ name: ObjectName,
        subresource: String? = nil,
        body: some Encodable & Sendable,
        as type: Object.Type = PartialObject.self
    ) async throws(APIError) -> Object {
        throw .malformed("not built")
    }

    /// Changes the fields of an object, or of its `subresource`, that `body` has (RFC 7386).
    @discardableResult
    package func mergePatch<Object: KubernetesObject>(
        _ resource: APIResource,
        _ name: ObjectName,
        subresource: String? = nil,
        body: some Encodable & Sendable,
        as type: Object.Type = PartialObject.self
    ) async throws(APIError) -> Object {
        throw .malformed("not built")
    }

    /// Removes an object; with `uid` only the one that has it.
    package func delete(
        _ resource: APIResource,
        _ name: ObjectName,
        uid: String? = nil
    ) async throws(APIError) {
        throw .malformed("not built")
    }

    /// Makes the fields of `body` those of the object, or of its `subresource` (server-side apply): what
    /// `fieldManager` set before and `body` no longer has is removed, what others set stays.
    ///
    /// - Parameter force: whether fields of others are taken over; otherwise they are a conflict.
    package func apply(
        _ resource: APIResource,
        _ name: ObjectName,
        subresource: String? = nil,
        body: some Encodable & Sendable,
        fieldManager: String,
        force: Bool
    ) async throws(APIError) {
        throw .malformed("not built")
    }

    /// Asks who is behind a token.
    package func reviewToken(_ token: String, audiences: [String] = []) async throws(APIError) -> TokenReviewResult {
        throw .malformed("not built")
    }

    /// Asks whether `user` may do something.
    package func mayAccess(
        _ user: UserInfo,
        _ attributes: AccessAttributes
    ) async throws(APIError) -> AccessDecision {
        throw .malformed("not built")
    }

    /// Writes an event about an object.
    package func recordEvent(_ event: EventRecord) async throws(APIError) {
        throw .malformed("not built")
    }
}
