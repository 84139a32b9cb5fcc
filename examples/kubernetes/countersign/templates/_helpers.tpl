{{/* The name of everything: the release's, with the chart's where that does not contain it. */}}
{{- define "countersign.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "countersign.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "countersign.labels" -}}
{{ include "countersign.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "countersign.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* What both containers of a pod have in common. */}}
{{- define "countersign.container" -}}
image: {{ include "countersign.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources:
  {{- toYaml .Values.resources | nindent 2 }}
env:
  - name: COUNTERSIGN_ISSUER
    value: {{ .Values.issuer | quote }}
  - name: COUNTERSIGN_DATABASE_URL_FILE
    value: /run/secrets/countersign/database-url
  - name: COUNTERSIGN_KEYS__ENCRYPTION_KEY_FILE
    value: /run/secrets/countersign/encryption-key
  - name: COUNTERSIGN_STOP_DELAY
    value: {{ .Values.stopDelay | quote }}
  {{- if .Values.tls.secretName }}
  - name: COUNTERSIGN_TLS__CERTIFICATE_FILE
    value: /run/secrets/countersign-tls/tls.crt
  - name: COUNTERSIGN_TLS__KEY_FILE
    value: /run/secrets/countersign-tls/tls.key
  {{- end }}
  {{- if .Values.policies }}
  - name: COUNTERSIGN_POLICY_DIR
    value: /etc/countersign/policies
  {{- end }}
  {{- range $name, $value := .Values.env }}
  - name: {{ $name }}
    value: {{ $value | quote }}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumeMounts:
  - name: secrets
    mountPath: /run/secrets/countersign
    readOnly: true
  - name: work
    mountPath: /var/lib/countersign
  - name: work
    mountPath: /tmp
    subPath: tmp
  {{- if .Values.tls.secretName }}
  - name: tls
    mountPath: /run/secrets/countersign-tls
    readOnly: true
  {{- end }}
  {{- if .Values.policies }}
  - name: policies
    mountPath: /etc/countersign/policies
    readOnly: true
  {{- end }}
{{- end -}}
