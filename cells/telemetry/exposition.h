/*
 * Metrics in the Prometheus text format, version 0.0.4 (prometheus.io, "Exposition
 * formats"). Pure.
 */
#pragma once

#include "metrics.h"

#include <stdio.h>

/* Write every series to OUT: HELP and TYPE once a metric, buckets cumulative. */
void exposition_write(FILE *out, struct metrics *metrics);

/*
 * The same as text: the caller's to free, *ret_len bytes without its NUL. NULL when out of
 * memory.
 */
char *exposition_text(struct metrics *metrics, size_t *ret_len);
