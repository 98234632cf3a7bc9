{{- define "martlet.deployment" -}}
{{- $epp := .Values.router.epp -}}
{{- $leads := include "martlet.leaderElection" . -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "martlet.name" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "martlet.labels" . | nindent 4 }}
spec:
  {{- if not $epp.autoscaling.enabled }}
  replicas: {{ $epp.replicas }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "martlet.selectorLabels" . | nindent 6 }}
  strategy:
    {{- if $epp.deploymentStrategy }}
    {{- toYaml $epp.deploymentStrategy | nindent 4 }}
    {{- else if $leads }}
    type: RollingUpdate
    # A standby is never ready, so no share of ready replicas may be asked for.
    rollingUpdate:
      maxUnavailable: 100%
      maxSurge: 100%
    {{- else }}
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
    {{- end }}
  template:
    metadata:
      labels:
        {{- include "martlet.selectorLabels" . | nindent 8 }}
      annotations:
        # A change of the files rolls the picker out anew.
        checksum/config: {{ include "martlet.configData" . | sha256sum }}
        {{- if .Values.router.proxy.enabled }}
        checksum/envoy: {{ include "martlet.envoyConfig" . | sha256sum }}
        {{- end }}
        {{- with $epp.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "martlet.podSpec" . | nindent 6 }}
{{- end }}

{{/* More pickers for more load, all of which pick. */}}
{{- define "martlet.autoscaler" -}}
{{- $scaling := .Values.router.epp.autoscaling -}}
{{- if include "martlet.leaderElection" . -}}
{{- fail "router.epp.autoscaling needs replicas that all pick: router.epp.flags.ha-enable-leader-election is true" -}}
{{- end -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "martlet.name" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "martlet.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "martlet.name" . }}
  minReplicas: {{ $scaling.minReplicas }}
  maxReplicas: {{ $scaling.maxReplicas }}
  metrics:
  {{- if $scaling.metrics }}
  {{- toYaml $scaling.metrics | nindent 2 }}
  {{- else }}
  - type: Resource
    resource:
      name: cpu
      target:
        type: Utilization
        averageUtilization: {{ $scaling.targetCPUUtilizationPercentage }}
  {{- with $scaling.targetMemoryUtilizationPercentage }}
  - type: Resource
    resource:
      name: memory
      target:
        type: Utilization
        averageUtilization: {{ . }}
  {{- end }}
  {{- end }}
  {{- with $scaling.behavior }}
  behavior:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "martlet.podSpec" -}}
{{- $epp := .Values.router.epp -}}
serviceAccountName: {{ include "martlet.name" . }}
automountServiceAccountToken: true
{{- with .Values.router.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
# 30 s in which everything is served on while proxies learn that the picker goes, 90 s for the streams that run then,
# and 10 s to spare.
terminationGracePeriodSeconds: {{ $epp.terminationGracePeriodSeconds }}
securityContext:
  {{- include "martlet.podSecurityContext" $epp.podSecurityContext | nindent 2 }}
{{- with $epp.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $epp.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $epp.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if or $epp.autoscaling.enabled (gt (int $epp.replicas) 1) }}
topologySpreadConstraints:
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "martlet.selectorLabels" . | nindent 6 }}
{{- end }}
containers:
- name: epp
  image: {{ include "martlet.image" (dict "root" . "image" $epp.image) }}
  imagePullPolicy: {{ $epp.image.pullPolicy }}
  args:
  {{- include "martlet.arguments" . | nindent 2 }}
  env:
  - name: NAMESPACE
    valueFrom:
      fieldRef:
        fieldPath: metadata.namespace
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  {{- with .Values.router.tracing }}
  {{- if .enabled }}
  - name: OTEL_EXPORTER_OTLP_ENDPOINT
    value: {{ .otelExporterEndpoint | quote }}
  - name: OTEL_TRACES_SAMPLER
    value: {{ .sampling.sampler | quote }}
  - name: OTEL_TRACES_SAMPLER_ARG
    value: {{ .sampling.samplerArg | quote }}
  {{- end }}
  {{- end }}
  {{- with $epp.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  ports:
  - name: grpc-ext-proc
    containerPort: {{ $epp.extProcPort }}
  - name: grpc-health
    containerPort: {{ $epp.grpcHealthPort }}
  - name: http-metrics
    containerPort: 9090
  {{- with $epp.extraContainerPorts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  # By HTTP, not by the health service: that one says NOT_SERVING of everything, "liveness" too, until the pool was
  # seen, and while the picker drains. Neither is cured by a restart.
  livenessProbe:
    httpGet:
      path: /healthz
      port: http-metrics
    periodSeconds: 10
    timeoutSeconds: 5
  readinessProbe:
    grpc:
      port: {{ $epp.grpcHealthPort }}
      service: readiness
    periodSeconds: 2
    timeoutSeconds: 2
  resources:
    {{- toYaml $epp.resources | nindent 4 }}
  securityContext:
    {{- include "martlet.securityContext" $epp.securityContext | nindent 4 }}
  volumeMounts:
  - name: config
    mountPath: /config
    readOnly: true
  {{- with $epp.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if .Values.router.proxy.enabled }}
{{ include "martlet.envoyContainer" . }}
{{- end }}
volumes:
- name: config
  configMap:
    name: {{ include "martlet.name" . }}
{{- if .Values.router.proxy.enabled }}
- name: envoy-config
  configMap:
    name: {{ include "martlet.name" . }}-envoy
{{- end }}
{{- with $epp.volumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The arguments of the picker. Flags of the values come last and win. */}}
{{- define "martlet.arguments" -}}
{{- $epp := .Values.router.epp -}}
{{- $flags := $epp.flags | default dict -}}
- epp
{{- if .Values.router.inferencePool.create }}
- --pool-name={{ .Release.Name }}
- --pool-group=inference.networking.k8s.io
{{- else }}
- {{ printf "--endpoint-selector=%s" (include "martlet.endpointSelector" .) | quote }}
- --endpoint-target-ports={{ include "martlet.targetPorts" . }}
{{- end }}
- --config-file=/config/{{ $epp.pluginsConfigFile }}
- --grpc-port={{ $epp.extProcPort }}
- --grpc-health-port={{ $epp.grpcHealthPort }}
{{- if and (include "martlet.leaderElection" .) (not (hasKey $flags "ha-enable-leader-election")) }}
- --ha-enable-leader-election
{{- end }}
{{- if .Values.router.proxy.enabled }}
{{- if not (hasKey $flags "secure-serving") }}
# Envoy asks on loopback.
- --secure-serving=false
{{- end }}
{{- if .Values.router.proxy.failOpen }}
# Envoy must know that the picker is down before it sends it a body.
- --health-checking
{{- end }}
{{- end }}
- --tracing={{ .Values.router.tracing.enabled }}
{{- if not .Values.router.monitoring.prometheus.auth.enabled }}
- --metrics-endpoint-auth=false
{{- end }}
{{- range $name, $value := $flags }}
- {{ printf "--%s=%v" $name $value | quote }}
{{- end }}
{{- end }}
