/* What the telemetry cell holds; its handlers and macros take a struct telemetry as `self`. */
#pragma once

#include "metrics.h"
#include "traces.h"

#include <cell/macro.h>

struct telemetry_handlers;

struct telemetry {
	struct metrics *metrics;
	struct traces *traces;
	uint64_t spans, refused, dropped_by_programs;
	char http[160]; /* where metrics are served, or why not */
};

extern const struct telemetry_handlers telemetry_handlers;
extern const struct cell_macro_provider telemetry_provider;
