{{/*
The EndpointPickerConfig when the values have none under router.epp.pluginsConfigFile: the default plugins, with the
parser and the metrics of the model servers that the values describe.
*/}}
{{- define "martlet.defaultConfig" -}}
{{- $epp := .Values.router.epp -}}
{{- $servers := .Values.router.modelServers -}}
{{- $parsers := $epp.parsers -}}
{{- if and (empty $parsers) (eq $servers.type "triton") -}}{{- $parsers = list "passthrough-parser" -}}{{- end -}}
{{- if and (empty $parsers) (eq $servers.type "vllm") (eq $servers.protocol "grpc") -}}{{- $parsers = list "vllmgrpc-parser" -}}{{- end -}}
{{- $source := $epp.metricsDataSource -}}
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
{{- range $parsers }}
- type: {{ . }}
{{- end }}
- type: metrics-data-source
  parameters:
    scheme: {{ $source.scheme }}
    path: {{ $source.path }}
    {{- if eq $source.scheme "https" }}
    insecureSkipVerify: {{ $source.insecureSkipVerify }}
    {{- end }}
- type: core-metrics-extractor
{{- if ne $servers.type "vllm" }}
  parameters:
    defaultEngine: {{ $servers.type }}
{{- end }}
- type: queue-scorer
- type: kv-cache-utilization-scorer
- type: prefix-cache-scorer
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: queue-scorer
    weight: 2
  - pluginRef: kv-cache-utilization-scorer
    weight: 2
  - pluginRef: prefix-cache-scorer
    weight: 3
dataLayer:
  sources:
  - pluginRef: metrics-data-source
    extractors:
    - pluginRef: core-metrics-extractor
{{- with $parsers }}
requestHandler:
  parsers:
  {{- range . }}
  - pluginRef: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* The files of /config. */}}
{{- define "martlet.configData" -}}
{{- $epp := .Values.router.epp -}}
{{- $custom := $epp.pluginsCustomConfig | default dict -}}
{{- if $epp.pluginsConfig }}
{{ $epp.pluginsConfigFile }}: |
  {{- toYaml $epp.pluginsConfig | nindent 2 }}
{{- else if not (hasKey $custom $epp.pluginsConfigFile) }}
{{ $epp.pluginsConfigFile }}: |
  {{- include "martlet.defaultConfig" . | nindent 2 }}
{{- end }}
{{- range $file, $text := $custom }}
{{ $file }}: |
  {{- $text | nindent 2 }}
{{- end }}
{{- end }}

{{- define "martlet.config" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "martlet.name" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "martlet.labels" . | nindent 4 }}
data:
  {{- include "martlet.configData" . | trim | nindent 2 }}
{{- end }}
