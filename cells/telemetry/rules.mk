# `cell trace` is the command's other name; the one place that sees libmicrohttpd is http.c.
telemetry_PKGS := libmicrohttpd
telemetry_VERBS := trace
telemetry_IMPURE := http
