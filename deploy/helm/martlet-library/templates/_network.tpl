{{- define "martlet.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "martlet.name" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "martlet.labels" . | nindent 4 }}
spec:
  selector:
    {{- include "martlet.selectorLabels" . | nindent 4 }}
  ports:
  {{- if .Values.router.proxy.enabled }}
  - name: http
    port: {{ .Values.router.proxy.servicePort }}
    targetPort: http
    appProtocol: http
  {{- else }}
  # ext_proc is gRPC: without the protocol some gateways would speak HTTP/1.1.
  - name: grpc-ext-proc
    port: {{ .Values.router.epp.extProcPort }}
    targetPort: grpc-ext-proc
    appProtocol: http2
  {{- end }}
  - name: http-metrics
    port: 9090
    targetPort: http-metrics
    appProtocol: http
  {{- with .Values.router.extraServicePorts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "martlet.networkPolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "martlet.name" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "martlet.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "martlet.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
  # From anywhere: gateways and Prometheus run in namespaces of their own, and health checks come from nodes.
  - ports:
    {{- if .Values.router.proxy.enabled }}
    - protocol: TCP
      port: http
    - protocol: TCP
      port: envoy-ready
    {{- else }}
    - protocol: TCP
      port: grpc-ext-proc
    {{- end }}
    - protocol: TCP
      port: grpc-health
    - protocol: TCP
      port: http-metrics
    {{- range .Values.router.epp.extraContainerPorts }}
    - protocol: {{ .protocol | default "TCP" }}
      port: {{ .name | default .containerPort }}
    {{- end }}
  egress:
  # Metrics and model lists of the model servers.
  - to:
    - podSelector: {}
  # The API server, whose address no selector can name.
  - ports:
    - protocol: TCP
      port: 443
    - protocol: TCP
      port: 6443
  - ports:
    - protocol: UDP
      port: 53
    - protocol: TCP
      port: 53
  {{- with .Values.router.networkPolicy.extraEgress }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* With leader election one replica is ready, and a budget would forbid it to leave a node that drains. */}}
{{- define "martlet.podDisruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "martlet.name" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "martlet.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ .Values.router.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "martlet.selectorLabels" . | nindent 6 }}
{{- end }}
