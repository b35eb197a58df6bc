{{/* One consumer: the defaults with its section on top. Takes (dict "root" $ "name" name). */}}
{{- define "dwh.consumer" -}}
{{- mergeOverwrite (deepCopy .root.Values.defaults) (index .root.Values.consumers .name | default dict) | toYaml -}}
{{- end -}}

{{- define "dwh.name" -}}
{{- printf "%s-%s" .root.Release.Name .name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Selector: never changes, or upgrades break. */}}
{{- define "dwh.selector" -}}
app.kubernetes.io/name: dwh
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{- define "dwh.labels" -}}
{{ include "dwh.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | quote }}
{{- end -}}

{{- define "dwh.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "dwh.roleAnnotation" -}}
{{- if and (eq .root.Values.identity.mode "irsa") .roleArn }}
  annotations:
    eks.amazonaws.com/role-arn: {{ .roleArn | quote }}
{{- end }}
{{- end -}}

{{- define "dwh.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range $name, $on := . }}
  {{- if $on }}
  - name: {{ $name }}
  {{- end }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "dwh.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "dwh.extraEnv" -}}
{{- range $name, $from := .Values.extraEnv }}
- name: {{ $name }}
  {{- if hasKey $from "secret" }}
  valueFrom:
    secretKeyRef:
      name: {{ $from.secret.name | quote }}
      key: {{ $from.secret.key | quote }}
  {{- else }}
  value: {{ $from.value | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Variables and the keys of the Secret that a pod reads: the store's password only where the store asks for it. */}}
{{- define "dwh.secretKeys" -}}
{{- if not .root.Values.secrets.existingSecret }}{}
{{- else if eq .root.Values.opensearch.auth "basic" }}{{ toYaml .keys }}
{{- else }}{{ omit .keys "DWH_OPENSEARCH_PASSWORD" | toYaml }}
{{- end }}
{{- end -}}

{{- define "dwh.secretEnv" -}}
{{- range $variable, $key := include "dwh.secretKeys" . | fromYaml }}
- name: {{ $variable }}_FILE
  value: /run/secrets/dwh/{{ $key }}
{{- end }}
{{- end -}}

{{- define "dwh.mounts" -}}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- if include "dwh.secretKeys" . | fromYaml }}
  - name: secrets
    mountPath: /run/secrets/dwh
    readOnly: true
  {{- end }}
{{- end -}}

{{- define "dwh.volumes" -}}
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: {{ .tmpSize }}
  {{- with include "dwh.secretKeys" . | fromYaml }}
  - name: secrets
    secret:
      secretName: {{ $.root.Values.secrets.existingSecret | quote }}
      defaultMode: 0440
      items:
        {{- range $key := values . | uniq | sortAlpha }}
        - key: {{ $key }}
          path: {{ $key }}
        {{- end }}
  {{- end }}
{{- end -}}

{{/* The pod of a consumer. Takes root, name, consumer. */}}
{{- define "dwh.pod" -}}
metadata:
  labels:
    {{- include "dwh.labels" . | nindent 4 }}
  annotations:
    checksum/config: {{ include "dwh.settings" .root | sha256sum }}
    {{- with .consumer.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "dwh.name" . }}
  terminationGracePeriodSeconds: {{ .consumer.timeouts.grace }}
  {{- include "dwh.podSecurity" .root | nindent 2 }}
  topologySpreadConstraints:
    {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "dwh.selector" $ | nindent 10 }}
    {{- end }}
  containers:
    - name: {{ .name }}
      image: {{ include "dwh.image" .root | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: [{{ .name }}]
      {{- include "dwh.containerSecurity" . | nindent 6 }}
      ports:
        - name: http
          containerPort: 8080
      envFrom:
        - configMapRef:
            name: {{ include "dwh.name" (dict "root" .root "name" "settings") }}
      env:
        - name: DWH_QUEUE_URL
          value: {{ index .root.Values.queues .name | quote }}
        - name: DWH_HANDLER_SECONDS
          value: {{ .consumer.timeouts.handler | quote }}
        - name: DWH_DRAIN_SECONDS
          value: {{ .consumer.timeouts.drain | quote }}
        - name: DWH_VISIBILITY_SECONDS
          value: {{ .consumer.timeouts.visibility | quote }}
        - name: DWH_LOG_LEVEL
          value: {{ .consumer.logLevel | quote }}
        {{- include "dwh.secretEnv" (dict "root" .root "keys" .consumer.secretKeys) | nindent 8 }}
        {{- include "dwh.extraEnv" .root | nindent 8 }}
      startupProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 1
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 10
        timeoutSeconds: 3
        failureThreshold: 3
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 2
        timeoutSeconds: 3
        failureThreshold: 3
      resources:
        requests:
          cpu: {{ .consumer.resources.cpu }}
          memory: {{ .consumer.resources.memory }}
        limits:
          memory: {{ .consumer.resources.memory }}
      {{- include "dwh.mounts" (dict "root" .root "keys" .consumer.secretKeys) | nindent 6 }}
  {{- include "dwh.volumes" (dict "root" .root "tmpSize" .consumer.tmpSize "keys" .consumer.secretKeys) | nindent 2 }}
{{- end -}}
