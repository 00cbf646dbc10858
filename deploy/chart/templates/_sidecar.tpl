{{/*
The sidecar and its volumes, written once: the example's pods, other charts (as a subchart) and the admission policy use
these. Takes a dict: root (the chart's context), user, group, name (of this workload's objects). Defaults of the API are
written out, because an admission policy's changes are made after defaults were filled in.
*/}}

{{- define "leadglass.securityContext" -}}
runAsUser: {{ .user }}
runAsGroup: {{ .group }}
runAsNonRoot: true
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "leadglass.sidecars" -}}
{{- $values := .root.Values -}}
{{- if eq $values.certificate.from "spire" }}
- name: leadglass-svid
  image: {{ $values.certificate.spire.image }}
  imagePullPolicy: IfNotPresent
  restartPolicy: Always
  terminationMessagePath: /dev/termination-log
  terminationMessagePolicy: FallbackToLogsOnError
  args: [-config, /etc/leadglass/svid.conf]
  resources:
    requests: {cpu: 5m, memory: 16Mi}
    limits: {cpu: 100m, memory: 64Mi}
  securityContext: {{- include "leadglass.securityContext" (dict "user" $values.certificate.spire.user "group" .group) | nindent 4 }}
  # The agent comes up when its certificate is there.
  startupProbe:
    httpGet: {path: /ready, port: {{ add1 $values.listen.healthPort }}, scheme: HTTP}
    periodSeconds: 2
    timeoutSeconds: 2
    successThreshold: 1
    failureThreshold: 90
  volumeMounts:
    - {name: leadglass-etc, mountPath: /etc/leadglass, readOnly: true}
    - {name: leadglass-tls, mountPath: /etc/leadglass-tls}
    - {name: leadglass-spire, mountPath: /run/spire, readOnly: true}
    - {name: leadglass-no-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end }}
- name: leadglass
  image: {{ include "leadglass.image" .root }}
  imagePullPolicy: {{ $values.image.pullPolicy }}
  restartPolicy: Always
  # `kubectl describe pod` shows the line that says why it did not start.
  terminationMessagePath: /dev/termination-log
  terminationMessagePolicy: FallbackToLogsOnError
  args: [--config, /etc/leadglass/agent.yaml]
  ports:
    - {name: leadglass, containerPort: {{ $values.listen.port }}, protocol: TCP}
    - {name: leadglass-up, containerPort: {{ $values.listen.healthPort }}, protocol: TCP}
  resources: {{- toYaml $values.resources | nindent 4 }}
  securityContext: {{- include "leadglass.securityContext" . | nindent 4 }}
  {{- if $values.appWaitsForAgent }}
  startupProbe:
    grpc: {port: {{ $values.listen.healthPort }}, service: ""}
    periodSeconds: 1
    timeoutSeconds: 2
    successThreshold: 1
    failureThreshold: 60
  {{- end }}
  # No readiness probe: an agent in trouble must not take the app out of its Service.
  livenessProbe:
    grpc: {port: {{ $values.listen.healthPort }}, service: ""}
    initialDelaySeconds: 15
    periodSeconds: 10
    timeoutSeconds: 5
    successThreshold: 1
    failureThreshold: 3
  volumeMounts:
    - {name: leadglass-etc, mountPath: /etc/leadglass, readOnly: true}
    - {name: leadglass-tls, mountPath: /etc/leadglass-tls, readOnly: true}
    - {name: leadglass-audit, mountPath: /var/lib/leadglass}
    # Over the app's service-account token, which the kubelet would mount here if the pod has one.
    - {name: leadglass-no-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end -}}

{{- define "leadglass.volumes" -}}
{{- $values := .root.Values -}}
- name: leadglass-etc
  projected:
    defaultMode: 292
    sources:
      - configMap:
          name: {{ .name }}-agent
      - configMap:
          name: {{ .name }}-policy
      - downwardAPI:
          items:
            - path: pod-uid
              fieldRef: {apiVersion: v1, fieldPath: metadata.uid}
- name: leadglass-tls
{{- if eq $values.certificate.from "spire" }}
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
- name: leadglass-spire
  csi: {driver: csi.spiffe.io, readOnly: true}
{{- else }}
  projected:
    defaultMode: 292
    sources:
      - secret:
          name: {{ .name }}-tls
          items:
            - {key: tls.crt, path: tls.crt}
            - {key: tls.key, path: tls.key}
            {{- if not $values.certificate.callersConfigMap }}
            - {key: ca.crt, path: ca.crt}
      {{- else }}
      - configMap:
          name: {{ $values.certificate.callersConfigMap }}
          items:
            - {key: ca.crt, path: ca.crt}
      {{- end }}
{{- end }}
- name: leadglass-audit
{{- if eq $values.audit.volume "ephemeral" }}
  ephemeral:
    volumeClaimTemplate:
      spec:
        accessModes: [ReadWriteOnce]
        volumeMode: Filesystem
        {{- with $values.audit.storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests: {storage: {{ $values.audit.size }}}
{{- else if eq $values.audit.volume "claim" }}
  persistentVolumeClaim:
    claimName: {{ required "audit.claim is needed with audit.volume: claim" $values.audit.claim }}
{{- else }}
  emptyDir: {sizeLimit: {{ $values.audit.size }}}
{{- end }}
- name: leadglass-no-token
  emptyDir: {sizeLimit: 1Mi}
{{- end -}}

{{/* Keys of the pod's own securityContext that the audit volume needs. An emptyDir is open to every uid as it is. */}}
{{- define "leadglass.fsGroup" -}}
{{- if ne .root.Values.audit.volume "emptyDir" -}}
fsGroup: {{ .group }}
# Else each mount makes the log's files readable to the group, and the agent refuses a log that others can read.
fsGroupChangePolicy: OnRootMismatch
{{- end -}}
{{- end -}}
