/*
 * A declaration becomes what the database has: planned, counted, judged and carried out in one
 * transaction of its own, on the writing thread.
 */
#pragma once

#include "engine.h"

struct alter_refusal {
	const char *text, *note; /* note "" = nothing more to say */
	const char *member;      /* of the struct; "" = the declaration */
	const char *macro;       /* whose attribute is to blame: "check(balance >= 0)" */
	struct alter_refusal *next;
};

struct alter_report {
	struct alter_refusal *refusals;
	size_t n_changes;
	const char **changes; /* for people: what was, or would be, done */
};

/* Who may provision for others: what cellc says comes through it. */
#define ALTER_COORDINATOR "macro"

/*
 * Make BODY, an encoded table.v1.Table, the table that it declares. *report lives in ARENA, and
 * is filled whatever is returned: 0 if it is so now (or, with ONLY_CHECK, would be), else a
 * status; only after 0 without ONLY_CHECK has the transaction to be ended, else aborted.
 */
int alter_table(struct engine *engine, const struct catalog_peer *peer, const uint8_t *body,
		size_t len, bool only_check, struct alter_report *report, struct cell_arena *arena,
		struct cell_error *err);
