{{/* The image, under the older names of its values as well. */}}
{{- define "martlet.bbrImage" -}}
{{- $image := .Values.bbr.image -}}
{{- $registry := $image.registry | default $image.hub -}}
{{- $repository := $image.name | default $image.repository -}}
{{- include "martlet.image" (dict "root" . "image" (dict "registry" $registry "repository" $repository "tag" $image.tag "digest" $image.digest)) -}}
{{- end }}

{{- define "martlet.bbrArguments" -}}
{{- $bbr := .Values.bbr -}}
- bbr
- --streaming={{ $bbr.streaming }}
- --secure-serving={{ $bbr.secureServing }}
- --tracing={{ $bbr.tracing.enabled }}
- --grpc-port={{ $bbr.port }}
- --grpc-health-port={{ $bbr.healthCheckPort }}
{{- range $bbr.plugins }}
- {{ ternary (printf "--plugin=%s:%s:%s" .type .name (toJson .json)) (printf "--plugin=%s:%s" .type .name) (not (empty .json)) | quote }}
{{- end }}
{{- if not .Values.monitoring.prometheus.auth.enabled }}
- --metrics-endpoint-auth=false
{{- end }}
{{- range $name, $value := $bbr.flags }}
- {{ printf "--%s=%v" $name $value | quote }}
{{- end }}
{{- end }}
