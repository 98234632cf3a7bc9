import Foundation
import Testing

@testable import KubernetesClient

@Suite("Reviews and events")
struct ReviewTests {
    private func json(_ request: APIRequest) throws -> NSDictionary {
        try #require(try JSONSerialization.jsonObject(with: Data(request.body)) as? NSDictionary)
    }

    private func client(_ answer: String) -> (APIClient, MemoryTransport) {
        let transport = MemoryTransport { _ in .memory(201, [answer]) }
        return (APIClient(transport: transport), transport)
    }

    @Test("Who is behind a token")
    func token() async throws {
        let (good, transport) = client(
            #"{"status":{"authenticated":true,"user":{"username":"prom","uid":"7","groups":["g"],"extra":{"k":["v"]}},"#
                + #""audiences":["aud"]}}"#)
        let result = try await good.reviewToken("secret", audiences: ["aud"])
        #expect(
            result
                == TokenReviewResult(
                    isAuthenticated: true,
                    user: UserInfo(username: "prom", uid: "7", groups: ["g"], extra: ["k": ["v"]]), audiences: ["aud"])
        )
        #expect(transport.sent[0].path == "/apis/authentication.k8s.io/v1/tokenreviews")
        #expect(
            try json(transport.sent[0]) == [
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                "spec": ["token": "secret", "audiences": ["aud"]] as NSDictionary,
            ])
        let (bad, _) = client(#"{"status":{"user":{},"error":"invalid bearer token"}}"#)
        let refused = try await bad.reviewToken("x")
        #expect(!refused.isAuthenticated && refused.error == "invalid bearer token")
    }

    @Test("Whether somebody may do something")
    func access() async throws {
        let user = UserInfo(username: "prom", uid: "7", groups: ["g"], extra: ["k": ["v"]])
        let (client, transport) = client(#"{"status":{"allowed":true,"reason":"RBAC: allowed"}}"#)
        let decision = try await client.mayAccess(user, .path("/metrics", verb: "get"))
        #expect(decision == AccessDecision(isAllowed: true, reason: "RBAC: allowed"))
        _ = try await client.mayAccess(user, .resource(verb: "list", group: "", resource: "pods", namespace: "ns"))
        #expect(transport.sent[0].path == "/apis/authorization.k8s.io/v1/subjectaccessreviews")
        let spec = try #require(try json(transport.sent[0])["spec"] as? NSDictionary)
        #expect(
            spec == [
                "user": "prom", "uid": "7", "groups": ["g"], "extra": ["k": ["v"]],
                "nonResourceAttributes": ["path": "/metrics", "verb": "get"],
            ])
        let other = try #require(try json(transport.sent[1])["spec"] as? NSDictionary)
        #expect(other["nonResourceAttributes"] == nil)
        #expect((other["resourceAttributes"] as? [String: String])?["resource"] == "pods")
    }

    @Test(
        "What does not say yes is no",
        arguments: [
            (#"{"status":{"allowed":false}}"#, AccessDecision(isAllowed: false)),
            (
                #"{"status":{"allowed":true,"denied":true,"reason":"a","evaluationError":"b"}}"#,
                AccessDecision(isAllowed: false, isDenied: true, reason: "a; b")
            ),
        ])
    func denied(answer: String, expected: AccessDecision) async throws {
        let (client, _) = client(answer)
        #expect(try await client.mayAccess(UserInfo(username: "x"), .path("/", verb: "get")) == expected)
    }

    @Test("An answer without a status is no answer")
    func malformed() async {
        let (client, _) = client("{}")
        await #expect(throws: APIError.self) { try await client.reviewToken("x") }
        await #expect(throws: APIError.self) {
            try await client.mayAccess(UserInfo(username: "x"), .path("/", verb: "get"))
        }
    }

    @Test("An event about an object")
    func event() async throws {
        let (client, transport) = client(Gadget.json("a", version: 1))
        let record = EventRecord(
            kind: .warning, reason: "Why", action: "What", note: String(repeating: "é", count: 600),
            regarding: ObjectReference(
                resource: Gadget.resource, name: ObjectName(namespace: "ns", name: "a"), uid: "u"),
            reportingController: "martlet", reportingInstance: "pod-1"
        )
        try await client.recordEvent(record, at: MicroTime(microseconds: 1_767_323_045_000_006))
        let body = try json(transport.sent[0])
        #expect(transport.sent[0].path == "/apis/events.k8s.io/v1/namespaces/ns/events")
        #expect(body["eventTime"] as? String == "2026-01-02T03:04:05.000006Z")
        #expect((body["note"] as? String)?.utf8.count == 1024)
        #expect(body["type"] as? String == "Warning")
        #expect(
            body["regarding"] as? [String: String] == [
                "apiVersion": "tests.example/v1", "kind": "Gadget", "namespace": "ns", "name": "a", "uid": "u",
            ])
        let name = try #require((body["metadata"] as? [String: String])?["name"])
        #expect(name.hasPrefix("a.") && name.utf8.count < 60)
    }

    @Test("Times have six digits after the point")
    func times() {
        #expect(MicroTime(microseconds: 0).text == "1970-01-01T00:00:00.000000Z")
        #expect(MicroTime(microseconds: 1_767_323_045_999_999).text == "2026-01-02T03:04:05.999999Z")
        #expect(MicroTime.now > MicroTime(microseconds: 1_767_323_045_000_000))
    }
}
