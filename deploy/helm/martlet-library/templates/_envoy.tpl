{{/*
Envoy in the same pod as the picker. It needs no list of model servers: cluster `picked` connects to the address that
the picker names (an ORIGINAL_DST cluster takes one address: the picker's maxNumOfEndpoints stays 1).
*/}}
{{- define "martlet.envoyConfig" -}}
{{- $proxy := .Values.router.proxy -}}
{{- $flags := .Values.router.epp.flags | default dict -}}
{{- $fallback := printf "%s-servers.%s.svc.%s" (include "martlet.name" .) .Release.Namespace .Values.router.clusterDomain -}}
admin:
  address: {socket_address: {address: 127.0.0.1, port_value: 19000}}

overload_manager:
  resource_monitors:
  - name: envoy.resource_monitors.global_downstream_max_connections
    typed_config:
      "@type": "type.googleapis.com/\
        envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
      max_active_downstream_connections: 50000

static_resources:
  listeners:
  - name: http
    address: {socket_address: {address: "::", port_value: {{ $proxy.port }}, ipv4_compat: true}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: inference
          use_remote_address: true
          normalize_path: true
          merge_slashes: true
          request_headers_timeout: 10s
          # The longest silence within a request: a picker may queue, and a prefill may take minutes.
          stream_idle_timeout: 600s
          # What only the picker may say. Without this a client could have Envoy connect to any address. Before a route is
          # matched, which a filter would be too late for.
          early_header_mutation_extensions:
          - name: envoy.http.early_header_mutation.header_mutation
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation
              mutations:
              - remove_on_match: {key_matcher: {prefix: x-gateway-destination-endpoint, ignore_case: true}}
              - remove: x-gateway-model-name
              - remove: x-gateway-base-model-name
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match:
                  prefix: "/"
                  headers: [{name: x-gateway-destination-endpoint, present_match: true}]
                route:
                  cluster: picked
                  # A generation takes as long as it takes.
                  timeout: 0s
              - match: {prefix: "/"}
                {{- if $proxy.failOpen }}
                # The picker was skipped, because it is down: any model server will do.
                route: {cluster: model-servers, timeout: 0s}
                {{- else }}
                direct_response: {status: 503, body: {inline_string: "no endpoint was picked\n"}}
                {{- end }}
          http_filters:
          - name: envoy.filters.http.ext_proc
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor
              grpc_service: {envoy_grpc: {cluster_name: epp}}
              failure_mode_allow: {{ $proxy.failOpen }}
              status_on_error: {code: ServiceUnavailable}
              processing_mode:
                request_header_mode: SEND
                request_body_mode: FULL_DUPLEX_STREAMED
                request_trailer_mode: SEND
                response_header_mode: SEND
                response_body_mode: FULL_DUPLEX_STREAMED
                response_trailer_mode: SEND
              # Tells the picker who served.
              response_attributes: [upstream.address]
              metadata_options:
                forwarding_namespaces: {untyped: [envoy.lb, envoy.lb.subset_hint]}
                receiving_namespaces: {untyped: [envoy.lb]}
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}

  # Readiness, and Envoy's own metrics: the admin page, which can change everything, stays on loopback.
  - name: ready
    address: {socket_address: {address: "::", port_value: 19001, ipv4_compat: true}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ready
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {path: /stats/prometheus}
                route: {cluster: admin}
          http_filters:
          - name: envoy.filters.http.health_check
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck
              pass_through_mode: false
              headers: [{name: ":path", string_match: {exact: /ready}}]
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}

  clusters:
  - name: epp
    type: STATIC
    connect_timeout: 1s
    # One ext_proc stream per request in flight: the default limit of 1,024 requests per cluster would be the gateway's.
    circuit_breakers: &limits
      thresholds: [{max_connections: 65536, max_pending_requests: 65536, max_requests: 65536, max_retries: 1024}]
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config:
          http2_protocol_options:
            connection_keepalive: {interval: 10s, timeout: 5s}
    {{- if ne (toString (index $flags "secure-serving" | default false)) "false" }}
    # The picker's certificate signs itself, and stays within the pod.
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        common_tls_context: {alpn_protocols: [h2]}
    {{- end }}
    {{- if $proxy.failOpen }}
    # In full duplex Envoy skips the picker only when it knows that it is down before it sends it a body. Without a
    # panic threshold of 0 it would go on sending to it.
    common_lb_config: {healthy_panic_threshold: {value: 0}}
    health_checks:
    - timeout: 1s
      interval: 1s
      no_traffic_interval: 1s
      unhealthy_threshold: 1
      healthy_threshold: 1
      grpc_health_check: {service_name: envoy.service.ext_proc.v3.ExternalProcessor}
    {{- end }}
    load_assignment:
      cluster_name: epp
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: {{ .Values.router.epp.extProcPort }}}}}

  - name: picked
    type: ORIGINAL_DST
    lb_policy: CLUSTER_PROVIDED
    connect_timeout: 2s
    circuit_breakers: *limits
    original_dst_lb_config: {use_http_header: true, http_header_name: x-gateway-destination-endpoint}
    typed_extension_protocol_options: &protocol
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{ ternary "{http2_protocol_options: {}}" "{http_protocol_options: {}}" (eq .Values.router.modelServers.protocol "grpc") }}

  {{- if $proxy.failOpen }}

  # Every ready model server, by the names of a Service without an address of its own.
  - name: model-servers
    type: STRICT_DNS
    connect_timeout: 2s
    circuit_breakers: *limits
    typed_extension_protocol_options: *protocol
    load_assignment:
      cluster_name: model-servers
      endpoints:
      - lb_endpoints:
        {{- range .Values.router.modelServers.targetPorts }}
        - endpoint: {address: {socket_address: {address: {{ $fallback }}, port_value: {{ .number }}}}}
        {{- end }}
  {{- end }}

  - name: admin
    type: STATIC
    connect_timeout: 1s
    load_assignment:
      cluster_name: admin
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 19000}}}
{{- end }}

{{- define "martlet.envoy" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "martlet.name" . }}-envoy
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "martlet.labels" . | nindent 4 }}
data:
  envoy.yaml: |
    {{- include "martlet.envoyConfig" . | nindent 4 }}
{{- if .Values.router.proxy.failOpen }}
---
# Where requests go while the picker is down.
apiVersion: v1
kind: Service
metadata:
  name: {{ include "martlet.name" . }}-servers
  namespace: {{ .Release.Namespace }}
  labels:
    app.kubernetes.io/part-of: martlet
    app.kubernetes.io/instance: {{ .Release.Name }}
spec:
  clusterIP: None
  selector:
    {{- include "martlet.matchLabels" . | nindent 4 }}
  ports:
  {{- range .Values.router.modelServers.targetPorts }}
  - name: http-{{ .number }}
    port: {{ .number }}
    targetPort: {{ .number }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "martlet.envoyContainer" -}}
{{- $proxy := .Values.router.proxy -}}
- name: envoy
  image: {{ $proxy.image }}
  imagePullPolicy: {{ $proxy.imagePullPolicy }}
  command: [envoy]
  args:
  - --config-path
  - /etc/envoy/envoy.yaml
  - --log-level
  - warning
  # It would need shared memory, and a second Envoy never starts here.
  - --disable-hot-restart
  ports:
  - name: http
    containerPort: {{ $proxy.port }}
  - name: envoy-ready
    containerPort: 19001
  readinessProbe:
    httpGet:
      path: /ready
      port: envoy-ready
    periodSeconds: 2
    timeoutSeconds: 2
  livenessProbe:
    httpGet:
      path: /ready
      port: envoy-ready
    periodSeconds: 10
    timeoutSeconds: 5
  lifecycle:
    # Envoy ends at once when it is told to. It waits as long as the picker serves on, so that requests which come until
    # everybody knows, and short ones that run, still get their answers.
    preStop:
      sleep:
        seconds: {{ $proxy.drainSeconds }}
  resources:
    {{- toYaml $proxy.resources | nindent 4 }}
  securityContext:
    {{- include "martlet.securityContext" $proxy.securityContext | nindent 4 }}
  volumeMounts:
  - name: envoy-config
    mountPath: /etc/envoy
    readOnly: true
{{- end }}
