{{/*
What the Prometheus operator, or Google's, scrapes.
Arguments: root, name (of the Service and of its objects), monitoring (the values).
*/}}
{{- define "martlet.monitoring" -}}
{{- $monitoring := .monitoring -}}
{{- $provider := ($monitoring.provider | default dict).name | default "prometheusoperator" -}}
{{- $secret := $monitoring.prometheus.auth.secretName -}}
{{- if and $monitoring.prometheus.enabled $monitoring.prometheus.auth.enabled }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}-metrics-reader
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "martlet.labels" .root | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ $secret }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "martlet.labels" .root | nindent 4 }}
  annotations:
    kubernetes.io/service-account.name: {{ .name }}-metrics-reader
type: kubernetes.io/service-account-token
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ include "martlet.clusterName" (dict "root" .root "name" (printf "%s-metrics-reader" .name)) }}
  labels:
    {{- include "martlet.labels" .root | nindent 4 }}
rules:
- nonResourceURLs: [/metrics]
  verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ include "martlet.clusterName" (dict "root" .root "name" (printf "%s-metrics-reader" .name)) }}
  labels:
    {{- include "martlet.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ include "martlet.clusterName" (dict "root" .root "name" (printf "%s-metrics-reader" .name)) }}
subjects:
- kind: ServiceAccount
  name: {{ .name }}-metrics-reader
  namespace: {{ .root.Release.Namespace }}
{{- end }}
{{- if and $monitoring.prometheus.enabled (eq $provider "prometheusoperator") }}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "martlet.labels" .root | nindent 4 }}
    {{- with $monitoring.prometheus.extraLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "martlet.selectorLabels" .root | nindent 6 }}
  endpoints:
  - port: http-metrics
    path: /metrics
    interval: {{ $monitoring.interval }}
    {{- if $monitoring.prometheus.auth.enabled }}
    authorization:
      type: Bearer
      credentials:
        name: {{ $secret }}
        key: token
    {{- end }}
{{- else if and $monitoring.prometheus.enabled (eq $provider "gmp") }}
---
apiVersion: monitoring.googleapis.com/v1
kind: ClusterPodMonitoring
metadata:
  name: {{ include "martlet.clusterName" (dict "root" .root "name" .name) }}
  labels:
    {{- include "martlet.labels" .root | nindent 4 }}
spec:
  selector:
    matchLabels:
      {{- include "martlet.selectorLabels" .root | nindent 6 }}
  endpoints:
  - port: http-metrics
    path: /metrics
    scheme: http
    interval: {{ $monitoring.interval }}
    {{- if $monitoring.prometheus.auth.enabled }}
    authorization:
      type: Bearer
      credentials:
        secret:
          name: {{ $secret }}
          key: token
          namespace: {{ .root.Release.Namespace }}
    {{- end }}
{{- end }}
{{- end }}
