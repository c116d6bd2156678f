/* What the attributes of postgres:: are made of. */
#pragma once

#include "postgres.h"

/* --- native.c: varchar, uuid, timestamptz and so on, at members ------------------------- */

int native_read(struct cell_macro_work *work, const struct macro_member *member,
		struct table_column *column);

/* --- planned.c: tables that programs declare and nobody has provisioned yet ---------------- */

struct planned;
struct planned *planned_new(void);
void planned_free(struct planned *planned); /* accepts NULL */

/* For table_provider.declared. */
void planned_declare(struct cell_macro_work *work, const char *store, const char *name,
		     const uint8_t *body, size_t len);
/* How many declarations there were: it changes with each. */
uint64_t planned_generation(const struct planned *planned);
/*
 * In the transaction that SESSION is in: make the tables of STORE and the shared ones as they
 * will be. What cannot be made so is left as it is.
 */
int planned_make(struct cell_call *call, const struct planned *planned, struct pg_session *session,
		 const char *store);

/* --- macro_query.c --------------------------------------------------------------------------- */

int macro_query_plan(struct cell_macro_work *work, const struct macro_attribute *mine);
int macro_query_expand(struct cell_macro_work *work, const struct macro_attribute *mine);

/* The digest of all columns of all tables, which statements depend on. */
#define SCHEMA_STATE "schema"
int macro_query_state(struct cell_call *call, struct pg_session *session, uint8_t ret[static 32]);
