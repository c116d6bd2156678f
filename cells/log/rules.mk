# `cell logs` is what people type; the one place that sees files is file.c.
log_VERBS := logs
log_IMPURE := file
