# `cell trace` is the command's other name; the one place that sees libmicrohttpd is http.c.
telemetry_PKGS := libmicrohttpd
telemetry_VERBS := trace
# exposition.c writes into memory, through stdio.
telemetry_IMPURE := http exposition
