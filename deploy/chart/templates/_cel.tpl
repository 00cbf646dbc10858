{{/*
Writes a value as CEL with the types of an admission policy: an object is Object.path{key: value}, a map of quantities
is a map, a string that begins with "cel:" is an expression. Takes a dict: path, value.
*/}}
{{- define "leadglass.cel" -}}
{{- $path := .path -}}
{{- if kindIs "map" .value -}}
{{- $parts := list -}}
{{- $isMap := or (hasSuffix ".limits" $path) (hasSuffix ".requests" $path) -}}
{{- range $key, $inner := .value -}}
{{- $text := include "leadglass.cel" (dict "path" (printf "%s.%s" $path $key) "value" $inner) -}}
{{- $parts = append $parts (printf "%s: %s" (ternary (quote $key) $key $isMap) $text) -}}
{{- end -}}
{{- ternary "" $path $isMap }}{{ "{" }}{{ join ", " $parts }}{{ "}" -}}
{{- else if kindIs "slice" .value -}}
{{- $parts := list -}}
{{- range .value -}}
{{- $parts = append $parts (include "leadglass.cel" (dict "path" $path "value" .)) -}}
{{- end -}}
[{{ join ", " $parts }}]
{{- else if kindIs "string" .value -}}
{{- if hasPrefix "cel:" .value -}}{{ trimPrefix "cel:" .value }}{{- else -}}{{ .value | toJson }}{{- end -}}
{{- else if kindIs "float64" .value -}}
{{- int64 .value -}}
{{- else -}}
{{- .value -}}
{{- end -}}
{{- end -}}
