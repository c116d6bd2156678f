/*
 * What the driver prints: the tables for people, or one JSON document for programs.
 */
#pragma once

#include <stdio.h>

#include "machine.h"
#include "result.h"
#include "round.h"

struct run_info {
	struct machine machine;
	const char *mode; /* quick or full */
	struct durations durations;
	double seconds; /* the whole run */
	double load_end;
};

void report_text(FILE *out, const struct run_info *info, const struct results *results);

/* Returns 0 or -errno. */
int report_json(FILE *out, const struct run_info *info, const struct results *results);
