/*
 * The service of trial.proto.
 */
#pragma once

#include <cell/cell.h>
#include <trial.cell.h>

struct trial {
	uint64_t notes;
	struct trial_slept last;
};

extern const struct trial_handlers trial_handlers;
