{{/* Names and labels, said once. */}}

{{- define "leadglass.name" -}}
leadglass-{{ .Values.workload }}
{{- end -}}

{{- define "leadglass.labels" -}}
app.kubernetes.io/name: leadglass
app.kubernetes.io/instance: {{ .Values.workload }}
{{- end -}}

{{/* The image: by digest in prod, because a tag is what somebody pushed last. */}}
{{- define "leadglass.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else if eq .Values.tier "prod" -}}
{{- fail "image.digest is empty: with tier prod the image is named by the digest that was reviewed (sha256:...)" -}}
{{- else -}}
{{ $image.repository }}:{{ required "image.tag or image.digest is needed" $image.tag }}
{{- end -}}
{{- end -}}

{{/* The name that clients ask the agent's certificate for: leadglass --server-name. */}}
{{- define "leadglass.serverName" -}}
{{ .Values.workload }}.{{ .Release.Namespace }}.leadglass.internal
{{- end -}}

{{- define "leadglass.spiffePath" -}}
/ns/{{ .Release.Namespace }}/agent/{{ .Values.workload }}
{{- end -}}
