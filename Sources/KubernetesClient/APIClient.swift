import FoundationEssentials
import NIOCore

/// Asks an API server for objects, and writes them.
///
/// A value over a transport: copies ask the same server. Every call is one request, made once: trying again is the
/// caller's business. Cancelling the task ends the request with ``APIError/unreachable(_:)``. Errors carry the server's
/// own words and what was asked. Safe from any thread.
package struct APIClient: Sendable {
    private let transport: any APITransport
    private let limits: APILimits

    /// Makes a client that asks by `transport`.
    package init(transport: any APITransport, limits: APILimits = APILimits()) {
        self.transport = transport
        self.limits = limits
    }

    /// Reads an object.
    ///
    /// - Throws: ``APIError/malformed(_:)`` when it is not what `type` says.
    package func get<Object: KubernetesObject>(
        _ resource: APIResource,
        _ name: ObjectName,
        as type: Object.Type
    ) async throws(APIError) -> Object {
        try await object(for: APIRequest(.get, resource.path(of: name)))
    }

    /// Reads one page of the objects of `query`, as they are at the time of the first page.
    ///
    /// It asks for the most recent state, never for what a server has cached: what is listed after something else was
    /// seen is not older than that. Objects that cannot be read are reported in the page.
    ///
    /// - Throws: ``APIError/expired(_:)`` when too much time passed since the page before. The list must be begun again
    ///   then; the token of a newer list that servers offer would make one of parts that never were together.
    package func list<Object: KubernetesObject>(
        _ query: ResourceQuery,
        as type: Object.Type,
        page: ListPageRequest = ListPageRequest()
    ) async throws(APIError) -> ListPage<Object> {
        var request = APIRequest(.get, query.path)
        request.query = query.selectors + [("limit", String(page.limit))]
        if let continuation = page.continuation { request.query.append(("continue", continuation)) }
        let response = try await send(request)
        var decoder = ListDecoder<Object>(limits: limits)
        do {
            for try await chunk in response.body { try decoder.take(chunk) }
        } catch {
            throw APIError(transportError: error, subject: request.subject)
        }
        return try decoder.finish()
    }

    /// Follows the changes of the objects of `query` after `resourceVersion`.
    ///
    /// - Parameters:
    ///   - timeout: when the server ends the watch, in whole seconds.
    ///   - idleLimit: how long the server may be silent before the connection counts as broken. Servers send bookmarks
    ///     about once a minute.
    package func watch<Object: KubernetesObject>(
        _ query: ResourceQuery,
        as type: Object.Type,
        from resourceVersion: String,
        timeout: Duration,
        idleLimit: Duration = .seconds(75)
    ) async throws(APIError) -> WatchEvents<Object> {
        var request = APIRequest(.get, query.path)
        request.query =
            query.selectors + [
                ("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", resourceVersion),
                ("timeoutSeconds", String(max(1, timeout.components.seconds))),
            ]
        request.idleTimeout = idleLimit
        let response = try await send(request)
        return WatchEvents(response: response, limits: limits, subject: request.subject)
    }

    /// Makes an object, and returns what the server made of it.
    ///
    /// - Throws: ``APIError/conflict(_:)`` when there is one of that name.
    @discardableResult
    package func create<Object: KubernetesObject>(
        _ resource: APIResource,
        namespace: String?,
        body: some Encodable & Sendable,
        as type: Object.Type = PartialObject.self
    ) async throws(APIError) -> Object {
        try await object(for: write(.post, resource.path(namespace: namespace), body))
    }

    /// Writes an object, or its `subresource`, in place of the one that is there.
    ///
    /// - Throws: ``APIError/conflict(_:)`` when the body has a `metadata.resourceVersion` and the object has another.
    @discardableResult
    package func replace<Object: KubernetesObject>(
        _ resource: APIResource,
        _ name: ObjectName,
        subresource: String? = nil,
        body: some Encodable & Sendable,
        as type: Object.Type = PartialObject.self
    ) async throws(APIError) -> Object {
        try await object(for: write(.put, resource.path(of: name, subresource), body))
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
        try await object(
            for: write(.patch, resource.path(of: name, subresource), body, type: "application/merge-patch+json")
        )
    }

    /// Removes an object.
    ///
    /// - Parameter uid: the one that is meant; another of the same name is a ``APIError/conflict(_:)``.
    package func delete(
        _ resource: APIResource,
        _ name: ObjectName,
        uid: String? = nil
    ) async throws(APIError) {
        var request = APIRequest(.delete, resource.path(of: name))
        if let uid { request = try write(.delete, request.path, DeleteOptions(preconditions: ["uid": uid])) }
        _ = try await body(for: request)
    }

    /// Makes the fields of `body` those of the object, or of its `subresource` (server-side apply): what
    /// `fieldManager` set before and `body` no longer has is removed, what others set stays.
    ///
    /// - Parameters:
    ///   - body: with `apiVersion`, `kind` and `metadata.name`.
    ///   - force: whether fields of others are taken over; otherwise they are a ``APIError/conflict(_:)``.
    package func apply(
        _ resource: APIResource,
        _ name: ObjectName,
        subresource: String? = nil,
        body: some Encodable & Sendable,
        fieldManager: String,
        force: Bool
    ) async throws(APIError) {
        // The media type says YAML, of which JSON is a part: servers since 1.16 know it, the one for JSON is newer.
        var request = try write(
            .patch, resource.path(of: name, subresource), body, type: "application/apply-patch+yaml"
        )
        request.query = [("fieldManager", fieldManager), ("force", force ? "true" : "false")]
        _ = try await self.body(for: request)
    }
}

extension APIClient {
    /// Sends a request and reads the object that answers it.
    private func object<Object: KubernetesObject>(for request: APIRequest) async throws(APIError) -> Object {
        let bytes = try await body(for: request)
        do {
            return try JSONDecoder().decode(Object.self, from: bytes)
        } catch {
            throw .malformed("the answer to \(request.subject): \(DecodingReason.text(of: error))")
        }
    }

    /// Sends an object to be judged and reads what became of it.
    func review<Answer: Decodable>(
        _ resource: APIResource,
        _ object: some Encodable & Sendable,
        as type: Answer.Type
    ) async throws(APIError) -> Answer {
        let request = try write(.post, resource.path(namespace: nil), object)
        let bytes = try await body(for: request)
        do {
            return try JSONDecoder().decode(Answer.self, from: bytes)
        } catch {
            throw .malformed("the answer to \(request.subject): \(DecodingReason.text(of: error))")
        }
    }

    private func write(
        _ method: APIRequest.Method,
        _ path: String,
        _ object: some Encodable,
        type: String = "application/json"
    ) throws(APIError) -> APIRequest {
        var request = APIRequest(method, path)
        request.contentType = type
        do {
            request.body = Array(try JSONEncoder().encode(object))
        } catch {
            throw .malformed("the body of \(request.subject) cannot be written: \(error)")
        }
        return request
    }

    private func body(for request: APIRequest) async throws(APIError) -> Data {
        let response = try await send(request)
        let (bytes, isWhole) = try await collect(response, upTo: limits.objectBytes, subject: request.subject)
        guard isWhole else {
            throw .malformed("the answer to \(request.subject) is longer than \(limits.objectBytes) bytes")
        }
        return bytes
    }

    /// Sends a request; returns only when the server says yes.
    private func send(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let response = try await transport.send(request)
        guard !(200..<300).contains(response.status) else { return response }
        // The status counts even when the words are lost on the way.
        let bytes = (try? await collect(response, upTo: 64 << 10, subject: request.subject))?.bytes ?? Data()
        let object = try? JSONDecoder().decode(ResponseStatus.self, from: bytes)
        let text = object == nil ? String(decoding: bytes.prefix(200), as: UTF8.self) : ""
        throw APIError(
            status: response.status, object: object, body: text.filter { $0 >= " " && $0 != "\u{7F}" },
            retryAfter: response.retryAfter, subject: request.subject
        )
    }

    private func collect(
        _ response: APIResponse,
        upTo limit: Int,
        subject: String
    ) async throws(APIError) -> (bytes: Data, isWhole: Bool) {
        var bytes = Data()
        do {
            for try await chunk in response.body {
                guard bytes.count + chunk.readableBytes <= limit else { return (bytes, false) }
                bytes.append(contentsOf: chunk.readableBytesView)
            }
        } catch {
            throw APIError(transportError: error, subject: subject)
        }
        return (bytes, true)
    }
}

private struct DeleteOptions: Encodable {
    let apiVersion = "v1"
    let kind = "DeleteOptions"
    let preconditions: [String: String]
}

extension APIRequest {
    /// What is asked, as it is called in texts.
    var subject: String { "\(method.rawValue) \(path)" }
}

extension ResourceQuery {
    /// Where the objects are.
    var path: String { resource.path(namespace: namespace) }

    /// Which of them are asked for.
    var selectors: [(name: String, value: String)] {
        var selectors: [(name: String, value: String)] = []
        if !labelSelector.isEmpty { selectors.append(("labelSelector", labelSelector)) }
        if !fieldSelector.isEmpty { selectors.append(("fieldSelector", fieldSelector)) }
        return selectors
    }
}

extension APIResource {
    /// The path of an object.
    func path(of object: ObjectName, _ subresource: String? = nil) -> String {
        path(namespace: object.namespace, name: object.name, subresource: subresource)
    }
}
