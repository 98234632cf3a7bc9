import GatewayCore
import Testing

@testable import GatewayConfiguration

/// What people get to read when a configuration is wrong.
@Suite struct ResourceErrorTests {
    /// The problems of the local configuration after `old` was replaced by `new`.
    private func problems(replacing old: String, with new: String) -> [String] {
        precondition(SampleConfiguration.local.contains(old))
        return SampleConfiguration.problems(SampleConfiguration.local.replacing(old, with: new, maxReplacements: 1))
    }

    @Test(arguments: [
        (
            "listeners:", "listners:",
            [
                #"f.yaml:5:3: spec.listeners: a Gateway needs a listener"#,
                #"f.yaml:6:3: spec.listners: unknown field "listners" (did you mean "listeners"?)"#,
            ]
        ),
        (
            "protocol: HTTP, port: 8080", "protocol: HTTPX, port: 0",
            [
                #"f.yaml:6:28: spec.listeners[0].protocol: "HTTPX" is not one of HTTP, HTTPS (did you mean "HTTP"?)"#,
                #"f.yaml:6:51: spec.listeners[0].port: 0 is not in 1 to 65535"#,
            ]
        ),
        (
            "protocol: HTTP,", "protocol: HTTPS,",
            [#"f.yaml:6:15: spec.listeners[0]: a listener for HTTPS needs tls.certificateRefs"#]
        ),
        (
            "port: 8080", "port: 8080, protcol: HTTP",
            [#"f.yaml:6:56: spec.listeners[0].protcol: unknown field "protcol" (did you mean "protocol"?)"#]
        ),
        (
            "parentRefs: [{name: local}]", "parentRefs: [{name: locl}]",
            [#"f.yaml:12:17: spec.parentRefs[0].name: there is no Gateway default/locl (did you mean "local"?)"#]
        ),
        (
            "parentRefs: [{name: local}]", "parentRefs: [{name: local, sectionName: htp}]",
            [
                #"f.yaml:12:17: spec.parentRefs[0].name: the Gateway default/local has no listener "htp" (did "#
                    + #"you mean "http"?)"#
            ]
        ),
        (
            "parentRefs: [{name: local}]", "parentRefs: [{name: local, port: 81}]",
            [
                "f.yaml:12:17: spec.parentRefs[0].name: the Gateway default/local has no such listener at port 81"
            ]
        ),
        (
            "metadata: {name: local}", "metadata: {name: local, namespace: infra}",
            ["f.yaml:12:17: spec.parentRefs[0].name: there is no Gateway default/local"]
        ),
        (
            "kind: InferencePool, name: llama, weight: 1", "kind: Service, name: llama, weight: -1",
            [
                "f.yaml:15:56: spec.rules[0].backendRefs[0].kind: a backend must be an InferencePool of "
                    + #"inference.networking.k8s.io, not a "Service""#,
                "f.yaml:15:92: spec.rules[0].backendRefs[0].weight: -1 is not in 0 to 1000000",
            ]
        ),
        (
            "kind: InferencePool, name: llama, weight: 1", "kind: InferencePool, name: lama",
            [
                #"f.yaml:15:77: spec.rules[0].backendRefs[0].name: there is no InferencePool default/lama (did "#
                    + #"you mean "llama"?)"#
            ]
        ),
        (
            "name: X-Gateway-Base-Model-Name", "name: X Gateway",
            [
                #"f.yaml:14:27: spec.rules[0].matches[0].headers[0].name: "X Gateway" is not a name of HTTP "#
                    + #"token characters"#
            ]
        ),
        (
            "kind: InferencePool\n", "kind: InferencePol\n",
            [
                #"f.yaml:18:1: kind: unknown kind "InferencePol"; known are Gateway, HTTPRoute, InferencePool, "#
                    + "InferenceObjective, InferenceModelRewrite, InferenceModel, EndpointPickerConfig, "
                    + "Endpoints, Secret, ConfigMap, "
                    + #"List, GatewayClass, ReferenceGrant, Namespace (did you mean "InferencePool"?)"#
            ]
        ),
        (
            "apiVersion: inference.networking.k8s.io/v1\n", "apiVersion: inference.networking.k8s.io/v2\n",
            [
                #"f.yaml:17:1: apiVersion: "inference.networking.k8s.io/v2" is not a version of InferencePool; "#
                    + #"known are "#
                    + "inference.networking.k8s.io/v1, inference.networking.x-k8s.io/v1alpha2 (did you mean "
                    + #""inference.networking.k8s.io/v1"?)"#
            ]
        ),
        (
            "targetPorts: [{number: 8000}]", "targetPorts: [{number: 8000}, {number: 8000}, {number: \"1\"}]",
            [
                "f.yaml:22:34: spec.targetPorts[1].number: the port 8000 is listed twice",
                #"f.yaml:22:58: spec.targetPorts[2].number: expected a whole number, found "1""#,
            ]
        ),
        (
            "matchLabels: {app: llama}", "matchLabels: {}",
            ["f.yaml:21:3: spec.selector: a pool selects by 1 to 64 labels, not 0"]
        ),
        (
            "poolRef: {name: llama}", "poolRef: {kind: Service, name: llama}",
            [#"f.yaml:27:32: spec.poolRef.kind: "Service" cannot be referred to here, only InferencePool"#]
        ),
        (
            "poolRef: {name: llama}", "poolRef: {name: llma}",
            [#"f.yaml:27:32: spec.poolRef.name: there is no InferencePool default/llma (did you mean "llama"?)"#]
        ),
        (
            "port: \"8000\"", "port: \"80OO\"",
            [#"f.yaml:31:38: endpoints[0].port: "80OO" is not a port in 1 to 65535"#]
        ),
        (
            "address: 10.0.0.1", "address: \"[::1]\"",
            [
                #"f.yaml:31:13: endpoints[0].address: "[::1]" is not an IPv4 or IPv6 address or a DNS name; "#
                    + "an IPv6 address has no brackets here"
            ]
        ),
        (
            "{name: b,", "{name: a,",
            ["f.yaml:32:3: endpoints[1]: a second endpoint default/a; the first is at f.yaml:31:3"]
        ),
        (
            "kind: Endpoints", "apiVersion: v1\nkind: Endpoints",
            [
                "f.yaml:29:1: apiVersion: an endpoint list has no apiVersion; Kubernetes' own Endpoints are not read"
            ]
        ),
        (
            "metadata: {name: llama}", "metadata: {}",
            ["f.yaml:10:11: metadata.name: required field \"name\" is missing"]
        ),
        ("metadata: {name: llama}", "metadata: []", ["f.yaml:10:11: metadata: expected an object, found a list of 0"]),
        (
            "metadata: {name: llama}", "metadata: {name: Llama_1}",
            [
                #"f.yaml:10:12: metadata.name: "Llama_1" is not a name of lower-case letters, digits, '-' and '.'"#
            ]
        ),
    ])
    func errorsOfTheLocalConfiguration(old: String, new: String, expected: [String]) {
        #expect(problems(replacing: old, with: new) == expected)
    }

    /// The problems of a rule whose body is `rule`.
    private func problems(rule: String) -> [String] {
        problems(
            replacing: "  - matches: [{headers: [{name: X-Gateway-Base-Model-Name, value: llama-3}]}]",
            with: "  - \(rule)"
        )
        .map { String($0.split(separator: " ", maxSplits: 1)[1]) }
    }

    @Test(arguments: [
        (
            "filters: [{type: URLRewrite, urlRewrite: {hostname: x}}]",
            [
                "spec.rules[0].filters[0].type: filters of type URLRewrite are not supported; supported are "
                    + "RequestHeaderModifier and ResponseHeaderModifier"
            ]
        ),
        (
            "filters: [{type: RequestHeaderModifer}]",
            [
                #"spec.rules[0].filters[0].type: "RequestHeaderModifer" is not one of RequestHeaderModifier, "#
                    + "ResponseHeaderModifier, RequestMirror, RequestRedirect, URLRewrite, CORS, ExternalAuth, "
                    + "ExtensionRef "
                    + #"(did you mean "RequestHeaderModifier"?)"#
            ]
        ),
        (
            "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: "
                + "\"b\\r\\nc: d\"}]}}]",
            [
                #"spec.rules[0].filters[0].requestHeaderModifier.set[0].value: "b\r\nc: d" has control "#
                    + #"characters or more "#
                    + "than 4096 bytes"
            ]
        ),
        (
            "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}], "
                + "remove: [A]}}]",
            [#"spec.rules[0].filters[0].requestHeaderModifier.set[0].name: "a" is changed twice by one filter"#]
        ),
        (
            "filters: [{type: RequestHeaderModifier, responseHeaderModifier: {remove: [a]}}]",
            [
                #"spec.rules[0].filters[0].requestHeaderModifier: required field "requestHeaderModifier" is missing"#,
                "spec.rules[0].filters[0].responseHeaderModifier: does not belong to a filter of type "
                    + "RequestHeaderModifier",
            ]
        ),
        (
            "timeouts: {request: 1.5s, backendRequest: 5}",
            [
                #"spec.rules[0].timeouts.request: expected a duration such as "500ms" or "1h30m", found "1.5s""#,
                #"spec.rules[0].timeouts.backendRequest: expected a duration such as "500ms" or "1h30m", found 5"#,
            ]
        ),
        (
            "timeouts: {request: 1s, backendRequest: 2s}",
            ["spec.rules[0].timeouts.backendRequest: 2s is longer than the whole request's 1s"]
        ),
        ("timeouts: {request: 0s, backendRequest: 2s}", []),
        ("retry: {codes: [200]}", ["spec.rules[0].retry.codes[0]: 200 is not in 400 to 599"]),
        ("sessionPersistence: {}", ["spec.rules[0].sessionPersistence: session persistence is not supported"]),
        (
            "matches: [{path: {type: Prefix, value: /}}]",
            [
                #"spec.rules[0].matches[0].path.type: "Prefix" is not one of Exact, PathPrefix, RegularExpression"#
            ]
        ),
        (
            "matches: [{path: {value: v1}}, {path: {value: /a//b}}, {path: {value: /a/..}}]",
            [
                #"spec.rules[0].matches[0].path.value: the path "v1" must start with "/""#,
                #"spec.rules[0].matches[1].path.value: the path "/a//b" must not contain "//""#,
                #"spec.rules[0].matches[2].path.value: the path "/a/.." must not end with "/..""#,
            ]
        ),
        (
            "matches: [{method: get}]",
            [
                #"spec.rules[0].matches[0].method: "get" is not one of GET, HEAD, POST, PUT, DELETE, CONNECT, "#
                    + #"OPTIONS, "#
                    + #"TRACE, PATCH (did you mean "GET"?)"#
            ]
        ),
        (
            "matches: [{headers: [{name: A, value: x}, {name: a, value: y}]}]",
            [#"spec.rules[0].matches[0].headers[1].name: "a" is matched twice"#]
        ),
    ])
    func errorsOfRules(rule: String, expected: [String]) {
        #expect(problems(rule: rule) == expected)
    }

    @Test func listenersMustNotMeet() {
        let second = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: other}
            spec: {listeners: [{name: a, protocol: HTTP, port: 8080}, {name: a, protocol: HTTP, port: 8080}]}

            """
        #expect(
            SampleConfiguration.problems(SampleConfiguration.local + "---\n" + second) == [
                #"f.yaml:37:20: spec.listeners[0].port: port 8080 is taken by the listener "http" of Gateway "#
                    + #"default/local at f.yaml:6:15"#,
                #"f.yaml:37:59: spec.listeners[1].name: a second listener "a" in the gateway"#,
                #"f.yaml:37:59: spec.listeners[1].port: port 8080 already serves any host for the listener "a""#,
                #"f.yaml:37:59: spec.listeners[1].port: port 8080 is taken by the listener "http" of Gateway "#
                    + #"default/local at f.yaml:6:15"#,
            ]
        )
    }

    @Test func twoOfANameAreRefused() {
        let twice = SampleConfiguration.local + "---\n" + SampleConfiguration.local
        let found = SampleConfiguration.problems(twice)
        #expect(
            found.contains("f.yaml:36:12: metadata.name: a second Gateway default/local; the first is at f.yaml:3:12"))
        #expect(found.contains { $0.contains("a second InferencePool default/llama") })
        #expect(found.contains { $0.contains("a second HTTPRoute default/llama") })
        #expect(found.contains { $0.contains("a second InferenceObjective default/interactive") })
    }

    @Test(arguments: [
        (
            "{mode: Terminate,", "{mode: Passthrough,",
            "TLS can only be terminated at the gateway: mode must be \"Terminate\""
        ),
        ("[{kind: Secret, name: cert}]", "[{name: crt}]", "there is no Secret default/crt"),
        ("from: All", "from: Same", "takes routes of the namespace \"prod\""),
        ("from: All", "from: Selector, selector: {}", "namespaces cannot be selected by label"),
        ("hostname: \"*.example.com\"", "hostname: 10.0.0.1", "\"10.0.0.1\" is not a host name"),
        ("{value: 127.0.0.1}", "{value: gw}", "\"gw\" is not of type IPAddress"),
        ("modelRewrite: llama-4, weight: 10", "modelRewrite: llama-4", "1 of 2 targets have a weight"),
        ("- targets: [{modelRewrite: llama-3}]", "- targets: []", "a rule needs a target"),
        ("failureMode: FailOpen", "failureMode: FailOpn", "\"FailOpn\" is not one of FailOpen, FailClose"),
        ("criticality: Critical", "criticality: High", "\"High\" is not one of Critical, Standard, Sheddable"),
        ("selector: {app: old}", "selector: {matchLabels: {app: old}}", "expected text (in quotes)"),
        ("tls: {mode", "tls: {frontendValidation: {}, mode", "validation of client certificates is not supported"),
    ])
    func errorsOfTheCompleteConfiguration(old: String, new: String, expected: String) {
        precondition(SampleConfiguration.complete.contains(old))
        let found = SampleConfiguration.problems(SampleConfiguration.complete.replacing(old, with: new))
        #expect(found.contains { $0.contains(expected) }, "\(found)")
    }

    @Test func problemsOfSeveralDocumentsAreReportedTogether() {
        let text = SampleConfiguration.local.replacing("port: 8080", with: "port: x").replacing(
            "priority", with: "priorty")
        #expect(SampleConfiguration.problems(text).count == 2)
    }

    @Test func warnsOfRoutesThatServeNothing() throws {
        let text = SampleConfiguration.local
            .replacing("port: 8080", with: "port: 8080, hostname: a.example")
            .replacing(
                "  parentRefs: [{name: local}]\n", with: "  parentRefs: [{name: local}]\n  hostnames: [b.example]\n"
            )
            .replacing("weight: 1", with: "weight: 0")
        let set = try SampleConfiguration.decode(text)
        #expect(
            set.warnings.map(\.description) == [
                "f.yaml:10:12: spec: no host name of the route is one of its listeners': it serves nothing",
                "f.yaml:15:5: spec.rules[0]: the weights of all backends are 0: every request that it matches is "
                    + "answered with 500",
            ]
        )
    }
}
