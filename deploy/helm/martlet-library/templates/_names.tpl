{{/* The name of everything that belongs to the picker. */}}
{{- define "martlet.name" -}}
{{- printf "%s-epp" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* What pods are selected by; it never changes between two releases. */}}
{{- define "martlet.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "martlet.labels" -}}
{{ include "martlet.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: martlet
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The name of an object that belongs to no namespace: two releases of one name may be in two namespaces. */}}
{{- define "martlet.clusterName" -}}
{{- printf "%s-%s" .root.Release.Namespace .name | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* An image, from a map with registry or hub, repository or name, tag and digest. */}}
{{- define "martlet.image" -}}
{{- $image := .image -}}
{{- $registry := $image.registry | default $image.hub -}}
{{- $repository := $image.repository | default $image.name -}}
{{- $name := ternary (printf "%s/%s" $registry $repository) $repository (not (empty $registry)) -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name ($image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{/* The security context of every pod and container: the Pod Security Standard "restricted". */}}
{{- define "martlet.podSecurityContext" -}}
{{- $own := dict "runAsNonRoot" true "runAsUser" 65532 "runAsGroup" 65532 "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- toYaml (mergeOverwrite $own (deepCopy (. | default dict))) -}}
{{- end }}

{{- define "martlet.securityContext" -}}
{{- $own := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- toYaml (mergeOverwrite $own (deepCopy (. | default dict))) -}}
{{- end }}

{{/* Several replicas without a word on flags: one is active. flags.ha-enable-leader-election: false makes all pick. */}}
{{- define "martlet.leaderElection" -}}
{{- $epp := .Values.router.epp -}}
{{- $flags := $epp.flags | default dict -}}
{{- if hasKey $flags "ha-enable-leader-election" -}}
{{- ternary "true" "" (eq (toString (index $flags "ha-enable-leader-election")) "true") -}}
{{- else if and (gt (int $epp.replicas) 1) (not $epp.autoscaling.enabled) -}}
true
{{- end -}}
{{- end }}

{{/* The labels of the model servers, as they are. */}}
{{- define "martlet.matchLabels" -}}
{{- if empty .Values.router.modelServers.matchLabels -}}
{{- fail "router.modelServers.matchLabels is required: the labels of the pods of the model servers" -}}
{{- end -}}
{{- toYaml .Values.router.modelServers.matchLabels -}}
{{- end }}

{{/* The labels of the model servers as a selector: a=b,c=d. */}}
{{- define "martlet.endpointSelector" -}}
{{- $labels := list -}}
{{- range $key, $value := include "martlet.matchLabels" . | fromYaml -}}
{{- $labels = append $labels (printf "%s=%s" $key $value) -}}
{{- end -}}
{{- join "," $labels -}}
{{- end }}

{{- define "martlet.targetPorts" -}}
{{- $ports := list -}}
{{- range .Values.router.modelServers.targetPorts -}}{{- $ports = append $ports (toString .number) -}}{{- end -}}
{{- join "," $ports -}}
{{- end }}
