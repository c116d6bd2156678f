/*
 * What Cell is to reach: rows of figures, each a ratio of two values of one round (absolute
 * times move with the machine) or, where there is nothing to compare with, a value.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "result.h"

/* Which of the rounds' values must keep the bound. */
enum judged {
	JUDGED_MEDIAN,
	JUDGED_WORST, /* "in every round", "never" */
};

struct figure {
	enum peer_id peer;
	enum stage stage;
	enum metric metric;
};

struct target {
	unsigned row;
	const char *text;
	struct figure over;
	bool is_ratio;
	struct figure under; /* of a ratio */
	bool is_at_most;     /* else at least */
	double bound;
	enum judged judged;
};

struct verdict {
	struct summary measured; /* n = 0: not measured */
	struct summary strict;   /* the other side at its best placement; n = 0: not apart */
	bool is_reached;
};

size_t target_count(void);

const struct target *target_at(size_t index);

struct verdict target_judge(const struct target *target, const struct results *results);
