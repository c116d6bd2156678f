/*
 * One commit: what a client asked for, checked against what is there, as a draft.
 */
#pragma once

#include "draft.h"

/* Fewer than this is what anybody means; more is split by who writes it. */
#define COMMIT_WRITES_MAX 100000

struct commit {
	struct draft draft;
	const struct table_commit_request *in;
	const struct catalog_version **tables; /* of IN */
	struct draft_row **rows;               /* of its writes */
	uint64_t log_from;                     /* changes behind this are in the log */
};

/*
 * Fill COMMIT, whose draft was initialised, from IN for PEER. Returns 0, or one of the
 * statuses that Tables.Commit promises; nothing has been written.
 */
int commit_check(struct commit *commit, const struct table_commit_request *in,
		 const struct catalog_peer *peer, uint64_t log_from,
		 const struct draft_moment *moment, struct cell_error *err);

/* What is stored for each write, if the client wants to know. In the draft's arena. */
int commit_rows(const struct commit *commit, const struct cell_bytes **ret_rows, size_t *ret_n,
		struct cell_error *err);
