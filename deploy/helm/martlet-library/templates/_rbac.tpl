{{- define "martlet.rbac" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "martlet.name" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "martlet.labels" . | nindent 4 }}
# The pod asks for the token itself.
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ include "martlet.name" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "martlet.labels" . | nindent 4 }}
rules:
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
{{- if .Values.router.inferencePool.create }}
- apiGroups: [inference.networking.k8s.io]
  resources: [inferencepools]
  verbs: [get, list, watch]
- apiGroups: [inference.networking.x-k8s.io]
  resources: [inferencepoolimports, inferencepools]
  verbs: [get, list, watch]
- apiGroups: [llm-d.ai]
  resources: [inferencemodelrewrites, inferenceobjectives]
  verbs: [get, list, watch]
- apiGroups: [inference.networking.x-k8s.io]
  resources: [inferencemodelrewrites, inferencemodels, inferenceobjectives]
  verbs: [get, list, watch]
# Conditions, which the picker writes on objects that name its pool.
- apiGroups: [llm-d.ai]
  resources: [inferencemodelrewrites/status, inferenceobjectives/status]
  verbs: [patch]
- apiGroups: [inference.networking.x-k8s.io]
  resources: [inferencemodelrewrites/status, inferencemodels/status, inferenceobjectives/status]
  verbs: [patch]
{{- end }}
{{- if include "martlet.leaderElection" . }}
# The lease that the leader holds and the others watch, and the event that tells of a new leader.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch, create, update, patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ include "martlet.name" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "martlet.labels" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ include "martlet.name" . }}
subjects:
- kind: ServiceAccount
  name: {{ include "martlet.name" . }}
  namespace: {{ .Release.Namespace }}
{{- if .Values.router.monitoring.prometheus.auth.enabled }}
{{ include "martlet.reviews" (dict "root" . "account" (include "martlet.name" .)) }}
{{- end }}
{{- end }}

{{/* Who reads /metrics is asked of the API server. */}}
{{- define "martlet.reviews" -}}
{{- $name := include "martlet.clusterName" (dict "root" .root "name" (printf "%s-metrics-auth" .account)) -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $name }}
  labels:
    {{- include "martlet.labels" .root | nindent 4 }}
rules:
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name }}
  labels:
    {{- include "martlet.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $name }}
subjects:
- kind: ServiceAccount
  name: {{ .account }}
  namespace: {{ .root.Release.Namespace }}
{{- end }}
