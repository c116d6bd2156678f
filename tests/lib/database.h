/*
 * A real celldb in a node of a test's own, and what tests ask of it.
 */
#pragma once

#include "accounts.h"
#include "scene.h"

#include <macro.cell.h>

/*
 * Write celldb's manifest; ENV, such as "env = CELL_CELLDB_MAX=1M", goes into its [sandbox]
 * section. Its state stays over restarts of the cell.
 */
void database_cell(struct scene *scene, const char *env);
/* A second one, which goes by the name of another cell. */
void database_cell_as(struct scene *scene, const char *name, const char *env);

/* The same for txn. */
void database_txn(struct scene *scene);

/* Declare TABLE, as cellc or a program that starts does. The answer lives in CALL. */
int database_declare(struct cell_call *call, const struct table_table *table, bool only_check,
		     struct macro_provisioned *ret);
/* The same for what must succeed. */
void database_provision(struct cell_call *call, const struct table_table *table);
void database_provision_at(struct cell_call *call, const char *cell,
			   const struct table_table *table);

/* Accounts and tickets of accounts.h. */
void database_provision_accounts(struct cell_call *call);

/* kill -9 CELL, without waiting for its end. */
void database_kill(struct scene *scene, const char *cell);
