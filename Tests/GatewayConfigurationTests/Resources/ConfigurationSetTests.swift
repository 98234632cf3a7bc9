import GatewayCore
import Testing

@testable import GatewayConfiguration

@Suite struct ConfigurationSetTests {
    @Test func readsTheLocalConfiguration() throws {
        let set = try SampleConfiguration.decode(SampleConfiguration.local)
        #expect(set.warnings.isEmpty)
        let gateway = try #require(set.gateways.first)
        #expect(gateway.listeners.map(\.port) == [8080])
        #expect(gateway.listeners.map(\.listenerProtocol) == [.http])
        let rule = try #require(set.routes.first?.rules.first)
        let headers = [HTTPRouteResource.ValueMatch(type: .exact, name: "X-Gateway-Base-Model-Name", value: "llama-3")]
        #expect(
            rule.matches == [
                .init(pathType: .pathPrefix, path: "/", headers: headers, queryParameters: [], method: nil)
            ]
        )
        #expect(rule.backends.map(\.pool.target) == [ResourceName(name: "llama")])
        let pool = try #require(set.pools.first)
        #expect(pool.targetPorts == [8000])
        #expect(set.endpoints(of: pool).map(\.host) == ["10.0.0.1", "gpu-2.lan"])
        #expect(set.endpoints(of: pool).map(\.port) == [8000, 8000])
        #expect(set.objectives.map(\.priority) == [10])
        #expect(set.endpointPicker(for: pool.metadata.id).plugins.first?.type == "queue-scorer")
        let attachment = try #require(set.attachments(of: set.routes[0]).first)
        #expect(attachment.listener.name == "http")
        #expect(attachment.hostnames.isEmpty)
    }

    @Test func readsEveryFieldOfEveryKind() throws {
        let set = try SampleConfiguration.decode(SampleConfiguration.complete)
        #expect(set.warnings.map(\.message) == ["has no effect: the endpoint picker is built in"])
        let edge = try #require(set.gateways.last)
        #expect(edge.addresses.map(\.value) == ["127.0.0.1", "::1", "gw.lan"])
        #expect(edge.listeners[0].certificates.map(\.target) == [ResourceName(name: "cert")])
        #expect(edge.listeners[0].hostname == "*.example.com")
        #expect(edge.listeners[0].routeNamespaces == .all)
        #expect(edge.metadata.labels == ["tier": "front"])
        let rule = try #require(set.routes.last?.rules.first)
        #expect(rule.matches.map(\.path) == ["/v1/chat/completions", "/v1"])
        #expect(rule.matches.map(\.pathType) == [.exact, .pathPrefix])
        #expect(rule.matches[0].method == .post)
        #expect(rule.matches[0].headers[0].type == .regularExpression)
        #expect(rule.matches[0].queryParameters == [.init(type: .exact, name: "debug", value: "1")])
        let changes = HTTPRouteResource.HeaderModifier(
            set: [.init(name: "x-a", value: "b")], add: [.init(name: "x-b", value: "c")], remove: ["x-c"]
        )
        #expect(
            rule.filters == [.requestHeaders(changes), .responseHeaders(.init(set: [], add: [], remove: ["server"]))]
        )
        #expect(rule.backends.map(\.weight) == [9, 1])
        #expect(rule.requestTimeout == .seconds(300))
        #expect(rule.backendRequestTimeout == .seconds(60))
        #expect(rule.retry == .init(codes: [502, 503], attempts: 2, backoff: .milliseconds(100)))
        #expect(set.attachments(of: set.routes[1]).map(\.hostnames) == [["api.example.com", "*.eu.example.com"]])
        #expect(set.pools.map(\.targetPorts) == [[8000], [8001]])
        #expect(set.pools.last?.selector == ["app": "old"])
        #expect(set.secrets.first?.privateKey.exposed == "-----BEGIN PRIVATE KEY-----")
    }

    @Test func readsRewritesModelsAndEndpoints() throws {
        let set = try SampleConfiguration.decode(SampleConfiguration.complete)
        let rewrites = set.rewrites(of: ResourceName(name: "llama"))
        #expect(rewrites.map(\.metadata.id.name) == ["canary", "sql"])
        #expect(set.rewrites[0].metadata.creationTimestamp == "2026-01-02T03:04:05Z")
        #expect(set.rewrites[0].rules.map(\.models) == [["chat", "talk"], []])
        #expect(
            set.rewrites[0].rules[0].targets == [
                .init(model: "llama-3", weight: 90), .init(model: "llama-4", weight: 10),
            ]
        )
        #expect(rewrites[1].rules[0].models == ["sql-lora"])
        #expect(rewrites[1].rules[0].targets == [.init(model: "sql-lora-v1", weight: 1)])
        #expect(set.objectives.map(\.priority) == [10])
        #expect(set.models.map(\.priority) == [1] && set.models.map(\.model) == ["sql-lora"])
        let endpoint = try #require(set.endpoints(of: set.pools[1]).last)
        #expect(endpoint.host == "2001:db8::7")
        #expect(endpoint.isSecure)
        #expect(set.endpoints(of: set.pools[1]).map(\.id.name) == ["c"])
    }

    @Test func secretsDoNotShowTheirKey() throws {
        let set = try SampleConfiguration.decode(SampleConfiguration.complete)
        let secret = try #require(set.secrets.first)
        #expect(Mirror(reflecting: secret.privateKey).children.isEmpty)
        #expect(!"\(secret)".contains("PRIVATE KEY"))
        #expect(!String(reflecting: secret).contains("PRIVATE KEY"))
    }

    @Test func secretsAreReadFromBase64WithoutBeingShownInErrors() throws {
        let header = "apiVersion: v1\nkind: Secret\nmetadata: {name: c}\ndata:\n"
        let good = header + "  tls.crt: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t\n  tls.key: LS0tLS1CRUdJTiBLRVktLS0tLQ==\n"
        let secret = try #require(try SampleConfiguration.decode(good).secrets.first)
        #expect(secret.certificateChain == "-----BEGIN CERTIFICATE-----")
        #expect(secret.privateKey.exposed == "-----BEGIN KEY-----")
        let bad = header + "  tls.crt: c2VjcmV0\n  tls.key: hunter2!\n"
        #expect(
            SampleConfiguration.problems(bad) == [
                #"f.yaml:5:3: data["tls.crt"]: is not PEM text in base64"#,
                #"f.yaml:6:3: data["tls.key"]: is not PEM text in base64"#,
            ]
        )
    }

    @Test func listsAndClusterFieldsAreAccepted() throws {
        let set = try SampleConfiguration.decode(
            """
            apiVersion: v1
            kind: List
            metadata: {resourceVersion: ""}
            items:
            - apiVersion: inference.networking.k8s.io/v1
              kind: InferencePool
              metadata:
                name: llama
                namespace: prod
                creationTimestamp: "2026-01-02T03:04:05Z"
                uid: 6e3c
                managedFields: [{manager: kubectl}]
                annotations: {a/b: c}
              spec: {selector: {matchLabels: {app: llama}}, targetPorts: [{number: 8000}]}
              status: {parents: []}
            - {apiVersion: v1, kind: Namespace, metadata: {name: prod}}
            """
        )
        #expect(set.pools.map(\.metadata.id.description) == ["prod/llama"])
        #expect(
            set.warnings.map(\.description) == [
                #"f.yaml:8:5: spec.selector: no endpoint of the namespace "prod" has the labels app=llama"#,
                "f.yaml:16:20: items[1].kind: Namespace has no effect outside a cluster",
            ]
        )
    }

    @Test(
        arguments: [
            ([], nil, []), ([], "a.example", ["a.example"]), (["a.example"], nil, ["a.example"]),
            (["a.example", "b.example"], "*.example", ["a.example", "b.example"]),
            (["*.example"], "a.example", ["a.example"]),
            (["*.a.example"], "*.example", ["*.a.example"]), (["*.example"], "*.example", ["*.example"]),
            (["a.b.example"], "*.example", ["a.b.example"]), (["example"], "*.example", nil),
            (["aexample"], "*.example", nil),
            (["b.example"], "a.example", nil), (["*.b.example"], "*.a.example", nil),
            (["a.example", "a.other"], "*.other", ["a.other"]),
        ] as [([String], String?, [String]?)])
    func hostnamesMeet(routes: [String], listener: String?, expected: [String]?) {
        #expect(HostnameMatching.intersection(routes, listener) == expected)
    }

    @Test(
        arguments: [
            ("10.0.0.1", .ipv4), ("256.0.0.1", nil), ("10.0.0", nil), ("010.0.0.1", nil), ("::1", .ipv6), ("::", .ipv6),
            ("2001:db8::7", .ipv6), ("1:2:3:4:5:6:7:8", .ipv6), ("1:2:3:4:5:6:7", nil), ("1:2:3:4:5:6:7::", .ipv6),
            ("1:2:3:4:5:6:7:8::", nil), ("::ffff:10.0.0.1", .ipv6), ("10.0.0.1::", nil), ("fe80::1%eth0", .ipv6),
            ("fe80::1%", nil), ("1::2::3", nil), (":::", nil), ("12345::", nil), ("g::1", nil), ("[::1]", nil),
            ("gpu-2.lan", .dnsName), ("GPU.lan.", .dnsName), ("vllm_1", .dnsName), ("-a", nil), ("a..b", nil),
            ("", nil),
            ("a b", nil), ("http://a", nil), ("a:80", nil), ("localhost", .dnsName), ("1.a", .dnsName), ("a.1", nil),
            (".", nil),
        ] as [(String, HostAddress?)])
    func hostAddresses(text: String, expected: HostAddress?) {
        #expect(HostAddress(text) == expected)
    }
}
