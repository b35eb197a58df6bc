{{/* What all consumers share, as variables; nothing of one consumer stands here. */}}
{{- define "dwh.storeSettings" -}}
DWH_ENVIRONMENT: {{ required "environment is empty: dev, staging or prod" .Values.environment | quote }}
DWH_OPENSEARCH_URL: {{ required "opensearch.url is empty" .Values.opensearch.url | quote }}
DWH_OPENSEARCH_AUTH: {{ .Values.opensearch.auth | quote }}
DWH_OPENSEARCH_USER: {{ .Values.opensearch.user | quote }}
DWH_OPENSEARCH_REPLICAS: {{ .Values.opensearch.replicas | quote }}
DWH_OPENSEARCH_WAIT_FOR_ACTIVE_SHARDS: {{ .Values.opensearch.waitForActiveShards | quote }}
AWS_REGION: {{ .Values.aws.region | quote }}
{{- with .Values.aws.endpointUrl }}
AWS_ENDPOINT_URL: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "dwh.settings" -}}
{{ include "dwh.storeSettings" . }}
DWH_HTTP_HOST: "0.0.0.0"
DWH_HTTP_PORT: "8080"
DWH_LOG_FORMAT: json
DWH_JOB_EVENTS_TOPIC_ARN: {{ required "topics.jobEvents is empty" .Values.topics.jobEvents | quote }}
DWH_JOB_APPROVALS_TOPIC_ARN: {{ required "topics.jobApprovals is empty" .Values.topics.jobApprovals | quote }}
DWH_ALERTS_WARNING_TOPIC_ARN: {{ required "topics.alertsWarning is empty" .Values.topics.alertsWarning | quote }}
DWH_ALERTS_CRITICAL_TOPIC_ARN: {{ required "topics.alertsCritical is empty" .Values.topics.alertsCritical | quote }}
DWH_MWAA_TRIGGERS_QUEUE_URL: {{ required "queues.mwaaTriggers is empty" .Values.queues.mwaaTriggers | quote }}
DWH_WORKFLOW_CONFIG_URI: {{ required "workflowConfigUri is empty" .Values.workflowConfigUri | quote }}
DWH_ALERT_ROUTES_URI: {{ .Values.alertRoutesUri | quote }}
DWH_AUDIT_URI: {{ .Values.auditUri | quote }}
DWH_OTLP_ENDPOINT: {{ .Values.otlpEndpoint | quote }}
DWH_CONSOLE_URL: {{ .Values.console.url | quote }}
DWH_AUTH_MODE: {{ .Values.auth.mode | quote }}
DWH_OIDC_ISSUER: {{ .Values.auth.oidc.issuer | quote }}
DWH_OIDC_AUDIENCE: {{ .Values.auth.oidc.audience | quote }}
DWH_OIDC_GROUPS_CLAIM: {{ .Values.auth.oidc.groupsClaim | quote }}
DWH_OIDC_TOKEN_HEADER: {{ .Values.auth.oidc.tokenHeader | quote }}
{{- end -}}
