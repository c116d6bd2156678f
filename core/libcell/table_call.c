#include "tables.h"

#include <cell/cell.h>
#include <errno.h>
#include <stdlib.h>

/* Spare ones that a process keeps: as many as calls whose memory it keeps. */
#define SPARE_MAX RUNTIME_SERVED_KEPT

static int tables_new(struct runtime *rt)
{
	struct tables *all = calloc(1, sizeof *all);

	if (!all)
		return -ENOMEM;
	for (unsigned i = 0; i < TABLE_TURNS; i++)
		list_init(&all->turns[i]);
	rt->tables = all;
	return 0;
}

static int no_memory(struct cell_call *call)
{
	return cell_refuse(call, -ENOMEM, "what a call does with tables");
}

struct call_tables *call_tables_get(struct cell_call *call)
{
	struct call_root *root = call->root;
	struct call_tables *tables = root->tables;

	if (tables && !tables->is_broken)
		return tables;
	if (tables || !root->rt || (!root->rt->tables && tables_new(root->rt) < 0)) {
		(void)no_memory(call);
		return NULL;
	}
	tables = root->rt->tables->spare;
	if (tables) {
		root->rt->tables->spare = tables->next;
		root->rt->tables->n_spare--;
	} else {
		tables = calloc(1, sizeof *tables);
		if (!tables) {
			(void)no_memory(call);
			return NULL;
		}
		cell_arena_init(&tables->arena, TABLE_TXN_BYTES_MAX);
	}
	list_init(&tables->cursors);
	root->tables = tables;
	return tables;
}

static void call_tables_free(struct call_tables *tables)
{
	table_seen_free(&tables->seen);
	cell_arena_deinit(&tables->arena);
	free(tables);
}

void call_tables_end(struct call_root *root)
{
	struct call_tables *tables = root->tables;
	struct tables *all = root->rt->tables;

	if (tables->is_broken) {
		root->tables = NULL;
		return;
	}
	table_cursors_free(tables);
	table_txn_clear(tables);
	table_turns_leave(root);
	root->tables = NULL;
	table_seen_clear(&tables->seen);
	cell_arena_trim(&tables->arena);
	if (all->n_spare >= SPARE_MAX) {
		call_tables_free(tables);
		return;
	}
	tables->next = all->spare;
	all->spare = tables;
	all->n_spare++;
}

void tables_free(struct runtime *rt)
{
	struct tables *all = rt->tables;

	if (!all)
		return;
	while (all->spare) {
		struct call_tables *tables = all->spare;

		all->spare = tables->next;
		call_tables_free(tables);
	}
	while (all->serials) {
		struct serial *serial = all->serials;

		all->serials = serial->next;
		free(serial);
	}
	free(all);
	rt->tables = NULL;
}

void call_tables_spoil(struct call_root *root)
{
	if (!root->tables->is_broken)
		root->tables->txn.is_repeatable = false;
}
