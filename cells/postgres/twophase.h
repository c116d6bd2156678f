/* Transactions that have promised, and are not decided. */
#pragma once

#include "pg.h"

struct postgres;

struct in_doubt {
	const char *gid; /* what PostgreSQL calls it */
	const char *coordinator;
	uint8_t txn[16];
	uint32_t xid;
	uint64_t age_ms;
};

/* Those that are older than so much, at most 256, oldest first; in the call's arena. */
int twophase_list(struct cell_call *call, struct pg_session *session, unsigned older_than_ms,
		  struct in_doubt **ret, size_t *ret_n);

/* Ask the coordinators of those that are older than a second, and do as they say. */
void twophase_recover(struct cell_call *call, struct postgres *postgres);

