{{/* The AgentConfig. What is not said here is the agent's own default, which is production's. */}}

{{- define "leadglass.agentConfig" -}}
apiVersion: leadglass.dev/v1
kind: AgentConfig
metadata:
  name: {{ .Values.workload }}
spec:
  listen: {{ printf "%s:%v" .Values.listen.address .Values.listen.port | quote }}
  healthListen: {{ printf "%s:%v" .Values.listen.healthAddress .Values.listen.healthPort | quote }}
  trustDomain: {{ .Values.trustDomain }}
  tier: {{ .Values.tier }}
  {{- with .Values.sandbox.require }}
  requireSandbox: {{ . }}
  {{- end }}
  {{- if ne (toString .Values.sandbox.oneWayGlass) "" }}
  requireOneWayGlass: {{ .Values.sandbox.oneWayGlass }}
  {{- end }}
  tls:
    certificate: /etc/leadglass-tls/tls.crt
    key: /etc/leadglass-tls/tls.key
    callerAuthorities: /etc/leadglass-tls/ca.crt
  policy: /etc/leadglass/policy.yaml
  denyList: /etc/leadglass/deny.yaml
  pod:
    namespace: {{ .Release.Namespace }}
    workload: {{ .Values.workload }}
    uidFile: /etc/leadglass/pod-uid
  audit:
    path: /var/lib/leadglass/audit.jsonl
    segmentMebibytes: {{ .Values.audit.segmentMebibytes }}
    retentionDays: {{ .Values.audit.retentionDays }}
  {{- if .Values.recordings.enabled }}
  recordings:
    path: /var/lib/leadglass/recordings
    auditorKey: /etc/leadglass/auditor.pem
    retentionDays: {{ .Values.recordings.retentionDays }}
  {{- end }}
{{- end -}}

{{/* The policy: the tenant's own, or a shipped one with the tenant's trust domain in place of the example's. */}}
{{- define "leadglass.policy" -}}
{{- if .Values.policy.text -}}
{{ .Values.policy.text }}
{{- else -}}
{{- $shipped := .Files.Get (printf "policies/%s.yaml" .Values.policy.shipped) -}}
{{- $shipped | replace "spiffe://example.org/" (printf "spiffe://%s/" .Values.trustDomain) -}}
{{- end -}}
{{- end -}}
