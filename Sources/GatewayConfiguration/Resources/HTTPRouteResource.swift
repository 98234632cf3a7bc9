package import GatewayCore

/// An HTTPRoute (`gateway.networking.k8s.io/v1`): which requests go to which pool.
package struct HTTPRouteResource: Sendable {
    /// A gateway, or one of its listeners, that the route attaches to.
    package struct Parent: Hashable, Sendable {
        /// The Gateway.
        package let gateway: ResourceReference
        /// The listener's name; `nil` for every listener.
        package let sectionName: String?
        /// The port of the listeners; `nil` for every port.
        package let port: Int?
    }

    /// A pool and its share of the requests.
    package struct Backend: Sendable {
        /// The InferencePool.
        package let pool: ResourceReference
        /// The share in relation to the other backends of the rule, 0 to 1,000,000; 0 takes none.
        package let weight: Int
        /// What is changed for this backend only, after the filters of the rule.
        package let filters: [Filter]
    }

    /// When and how often a failed request is tried again.
    package struct Retry: Hashable, Sendable {
        /// The response codes that are retried, 400 to 599.
        package let codes: [Int]
        /// The most retries; `nil` leaves it to the gateway.
        package let attempts: Int?
        /// The least wait before a retry; `nil` leaves it to the gateway.
        package let backoff: Duration?
    }

    /// The requests that match, and what happens to them.
    package struct Rule: Sendable {
        /// The rule's name.
        package let name: String?
        /// What is matched; a request needs to meet one of them. Never empty.
        package let matches: [Match]
        /// What is changed in requests and responses, in written order.
        package let filters: [Filter]
        /// Where requests go. Without one, or when all weights are 0, they are answered with 500.
        package let backends: [Backend]
        /// The time for the whole exchange with the client; zero means no limit, `nil` leaves it to the gateway.
        package let requestTimeout: Duration?
        /// The time for one try at a backend; zero means no limit, `nil` leaves it to the gateway.
        package let backendRequestTimeout: Duration?
        /// The rule's retries; `nil` leaves them to the gateway.
        package let retry: Retry?
        /// Where the rule stands.
        package let position: SourcePosition
        /// Its path in the document.
        package let path: String
    }

    /// What identifies the route.
    package let metadata: ResourceMetadata
    /// What the route attaches to.
    package let parents: [Parent]
    /// The host names, possibly with a wildcard; none means any.
    package let hostnames: [String]
    /// The rules in written order.
    package let rules: [Rule]

    init(decoding document: ParameterDecoder, metadata: ResourceMetadata) {
        self.metadata = metadata
        let spec = document.requiredObject("spec")
        document.accept("status")
        spec.accept("useDefaultGateways")
        let namespace = metadata.id.namespace
        parents = spec.objects("parentRefs").map { Self.parent($0, namespace: namespace) }
        hostnames = spec.strings("hostnames")
        for (index, hostname) in hostnames.enumerated() where !NameSyntax.isRouteHostname(hostname) {
            let message =
                "\(ConfigurationProblem.quoted(hostname)) is not a host name such as \"a.example\" or \"*.example\""
            spec.report(message, at: "hostnames", index: index, value: spec.array("hostnames")[index])
        }
        rules = spec.objects("rules").map { Self.rule($0, namespace: namespace) }
        if rules.isEmpty { spec.report("a route needs a rule", at: "rules") }
    }

    private static func parent(_ decoder: ParameterDecoder, namespace: String) -> Parent {
        let group = decoder.string("group", default: APIGroup.gateway)
        let kind = decoder.string("kind", default: "Gateway")
        if group != APIGroup.gateway || kind != "Gateway" {
            decoder.report("a route can only attach to a Gateway, not to \(kind) of \(group)", at: "kind")
        }
        return Parent(
            gateway: ResourceReference(
                target: ResourceName(
                    namespace: decoder.namespace(default: namespace),
                    name: decoder.requiredName("name")
                ),
                position: decoder.position(of: "name"),
                path: decoder.path(of: "name")
            ),
            sectionName: decoder.string("sectionName"),
            port: decoder.int("port", in: 1...65_535)
        )
    }

    private static func rule(_ decoder: ParameterDecoder, namespace: String) -> Rule {
        if decoder.contains("sessionPersistence") {
            decoder.report("session persistence is not supported", at: "sessionPersistence")
        }
        let matches = decoder.objects("matches").map(Match.init(decoding:))
        let timeouts = decoder.object("timeouts")
        let requestTimeout = timeouts?.gatewayDuration("request")
        let backendRequestTimeout = timeouts?.gatewayDuration("backendRequest")
        // The Gateway API's own rule; zero means no limit, so it bounds nothing.
        if let requestTimeout, let backendRequestTimeout, requestTimeout > .zero, backendRequestTimeout > requestTimeout
        {
            let (inner, outer) = (GoDuration.format(backendRequestTimeout), GoDuration.format(requestTimeout))
            timeouts?.report("\(inner) is longer than the whole request's \(outer)", at: "backendRequest")
        }
        let filters = Filter.decode(decoder, key: "filters")
        return Rule(
            name: decoder.string("name"),
            matches: matches.isEmpty ? [.everything] : matches,
            filters: filters,
            backends: decoder.objects("backendRefs").map { backend($0, namespace: namespace) },
            requestTimeout: requestTimeout,
            backendRequestTimeout: backendRequestTimeout,
            retry: decoder.object("retry").map(retry),
            position: decoder.position,
            path: decoder.path
        )
    }

    private static func retry(_ decoder: ParameterDecoder) -> Retry {
        Retry(
            codes: decoder.ints("codes", in: 400...599),
            attempts: decoder.int("attempts", in: 0...100),
            backoff: decoder.gatewayDuration("backoff")
        )
    }

    private static func backend(_ decoder: ParameterDecoder, namespace: String) -> Backend {
        let group = decoder.string("group", default: "")
        let kind = decoder.string("kind", default: "Service")
        if kind != "InferencePool" {
            decoder.report(
                "a backend must be an InferencePool of \(APIGroup.inference), not a "
                    + "\(ConfigurationProblem.quoted(kind))",
                at: "kind"
            )
        } else if group != APIGroup.inference, group != APIGroup.inferenceAlpha {
            decoder.report(
                "\(ConfigurationProblem.quoted(group)) is not the group of InferencePool", at: "group",
                candidates: [APIGroup.inference, APIGroup.inferenceAlpha], name: group
            )
        }
        // A pool knows its own ports; the Gateway API extension says that this one is ignored.
        decoder.accept("port")
        return Backend(
            pool: ResourceReference(
                target: ResourceName(
                    namespace: decoder.namespace(default: namespace),
                    name: decoder.requiredName("name")
                ),
                position: decoder.position(of: "name"),
                path: decoder.path(of: "name")
            ),
            weight: decoder.int("weight", default: 1, in: 0...1_000_000),
            filters: Filter.decode(decoder, key: "filters")
        )
    }
}
