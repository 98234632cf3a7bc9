import GatewayCore

@testable import GatewayConfiguration

/// Complete configurations that the tests read, change and break.
enum SampleConfiguration {
    /// One gateway, route, pool, objective and endpoint list.
    static let local = """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: local}
        spec:
          gatewayClassName: martlet
          listeners: [{name: http, protocol: HTTP, port: 8080}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: llama}
        spec:
          parentRefs: [{name: local}]
          rules:
          - matches: [{headers: [{name: X-Gateway-Base-Model-Name, value: llama-3}]}]      # set by body-based routing
            backendRefs: [{group: inference.networking.k8s.io, kind: InferencePool, name: llama, weight: 1}]
        ---
        apiVersion: inference.networking.k8s.io/v1
        kind: InferencePool
        metadata: {name: llama}
        spec:
          selector: {matchLabels: {app: llama}}
          targetPorts: [{number: 8000}]
        ---
        apiVersion: inference.networking.x-k8s.io/v1alpha2
        kind: InferenceObjective
        metadata: {name: interactive}
        spec: {priority: 10, poolRef: {name: llama}}
        ---
        kind: Endpoints            # file discovery; outside a cluster only
        endpoints:
        - {name: a, address: 10.0.0.1, port: "8000", labels: {app: llama}}
        - {name: b, address: gpu-2.lan, port: "8000", labels: {app: llama}}

        """

    /// Every field of every other kind at least once.
    static let complete =
        local + """
            ---
            apiVersion: v1
            kind: Secret
            metadata: {name: cert}
            type: kubernetes.io/tls
            stringData:
              tls.crt: "-----BEGIN CERTIFICATE-----"
              tls.key: "-----BEGIN PRIVATE KEY-----"
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: edge, labels: {tier: front}}
            spec:
              gatewayClassName: martlet
              addresses: [{value: 127.0.0.1}, {type: IPAddress, value: "::1"}, {type: Hostname, value: gw.lan}]
              listeners:
              - name: https
                protocol: HTTPS
                port: 8443
                hostname: "*.example.com"
                tls: {mode: Terminate, certificateRefs: [{kind: Secret, name: cert}]}
                allowedRoutes: {namespaces: {from: All}, kinds: [{kind: HTTPRoute}]}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: api, namespace: prod}
            spec:
              parentRefs: [{name: edge, namespace: default, sectionName: https, port: 8443}]
              hostnames: [api.example.com, "*.eu.example.com"]
              rules:
              - name: chat
                matches:
                - path: {type: Exact, value: /v1/chat/completions}
                  method: POST
                  headers: [{type: RegularExpression, name: user-agent, value: "curl/.*"}]
                  queryParams: [{name: debug, value: "1"}]
                - path: {value: /v1}
                filters:
                - type: RequestHeaderModifier
                  requestHeaderModifier: {set: [{name: x-a, value: b}], add: [{name: x-b, value: c}], remove: [x-c]}
                - type: ResponseHeaderModifier
                  responseHeaderModifier: {remove: [server]}
                backendRefs:
                - {group: inference.networking.k8s.io, kind: InferencePool, name: llama, namespace: default, weight: 9}
                - {group: inference.networking.x-k8s.io, kind: InferencePool, name: old, namespace: default, port: 80}
                timeouts: {request: 5m, backendRequest: 60s}
                retry: {codes: [502, 503], attempts: 2, backoff: 100ms}
            ---
            apiVersion: inference.networking.x-k8s.io/v1alpha2
            kind: InferencePool
            metadata: {name: old}
            spec:
              selector: {app: old}
              targetPortNumber: 8001
              extensionRef: {name: epp, portNumber: 9002, failureMode: FailOpen}
            ---
            apiVersion: llm-d.ai/v1alpha2
            kind: InferenceModelRewrite
            metadata: {name: canary, creationTimestamp: "2026-01-02T03:04:05Z"}
            spec:
              poolRef: {group: inference.networking.k8s.io, kind: InferencePool, name: llama}
              rules:
              - matches: [{model: {type: Exact, value: chat}}, {model: {value: talk}}]
                targets: [{modelRewrite: llama-3, weight: 90}, {modelRewrite: llama-4, weight: 10}]
              - targets: [{modelRewrite: llama-3}]
            ---
            apiVersion: inference.networking.x-k8s.io/v1alpha2
            kind: InferenceModel
            metadata: {name: sql}
            spec:
              modelName: sql-lora
              criticality: Critical
              targetModels: [{name: sql-lora-v1}]
              poolRef: {name: llama, group: inference.networking.x-k8s.io}
            ---
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: adapters, labels: {inference.networking.k8s.io/bbr-managed: "true"}}
            data:
              baseModel: llama-3
              adapters: |
                - sql
                - chat
            ---
            endpoints:
            - {name: c, address: "2001:db8::7", port: 8001, labels: {app: old}, scheme: https, namespace: default}

            """

    /// The configuration of `text`.
    static func decode(_ text: String) throws(ConfigurationError) -> ConfigurationSet {
        try ConfigurationSet.decode(documents: YAMLDocumentReader().read(text, file: "f.yaml"))
    }

    /// The problems of `text`, one a line; empty when there is none.
    static func problems(_ text: String) -> [String] {
        do {
            _ = try decode(text)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }
}
