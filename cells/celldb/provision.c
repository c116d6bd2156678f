/* What cellc, and programs that start, declare. */
#include "alter.h"
#include "serve.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

static int run_alter(struct engine *engine, struct job *job)
{
	const struct macro_declared *in = job->in;

	return alter_table(engine, &job->peer, in->body, in->n_body, false, job->out, &job->arena,
			   &job->err);
}

/* The answer is in the report; an error leaves the transaction undone. */
static int run_check(struct engine *engine, struct job *job)
{
	const struct macro_declared *in = job->in;
	int r = alter_table(engine, &job->peer, in->body, in->n_body, true, job->out, &job->arena,
			    &job->err);

	return r < 0 ? r : CELL_CANCELLED;
}

static int answer(struct cell_macro_work *work, const struct macro_declared *declared,
		  const struct alter_report *report, int status)
{
	for (const struct alter_refusal *refusal = report->refusals; refusal;
	     refusal = refusal->next) {
		(void)cell_provision_refuse_member(work, declared, status, refusal->member,
						   refusal->macro, "%s", refusal->text);
		if (*refusal->note)
			cell_macro_note(work, "%s", refusal->note);
	}
	if (report->refusals)
		return status;
	for (size_t i = 0; i < report->n_changes; i++)
		if (cell_provision_changed(work, "%s", report->changes[i]) < 0)
			return -ENOMEM;
	return 0;
}

int celldb_provision(struct cell_macro_work *work, const struct macro_declared *declared,
		     bool only_check)
{
	struct celldb *db = cell_macro_self(work);
	struct cell_call *call = cell_macro_call(work);
	cell_cleanup(job_freep) struct job *job = NULL;
	int r = job_new(&job, call, only_check ? run_check : run_alter, &macro_declared_type, declared,
			sizeof(struct alter_report));

	if (r < 0)
		return r;
	job->is_solo = true;
	r = job_wait(&job, db->group, call);
	if (!job)
		return r;
	if (only_check && r == CELL_CANCELLED)
		r = 0;
	return answer(work, declared, job->out, r);
}

int celldb_live(struct cell_call *call, void *self, const char *store, const char *name,
		const struct table_table **ret)
{
	struct celldb *db = self;
	const struct catalog_table *table;
	const struct view *view;
	int r = reader_view(db->reader, &view, cell_error_slot(call));

	if (r < 0)
		return r;
	table = catalog_by_name(view->catalog, false, store, name);
	if (!table)
		table = catalog_by_name(view->catalog, true, store, name);
	*ret = NULL;
	return table ? tools_copy(call, table, ret) : 0;
}

static int by_id(const void *a, const void *b)
{
	const struct macro_state *left = a, *right = b;

	return strcmp(left->id, right->id);
}

int celldb_states(struct cell_call *call, void *self, const struct macro_state **ret_states,
		  size_t *ret_n)
{
	struct celldb *db = self;
	struct cell_arena *arena = cell_arena(call);
	const struct catalog_table *const *tables;
	struct macro_state *states;
	const struct view *view;
	size_t n;
	int r = reader_view(db->reader, &view, cell_error_slot(call));

	if (r < 0)
		return r;
	tables = catalog_tables(view->catalog, &n);
	states = cell_arena_calloc(arena, n + 1, sizeof *states);
	for (size_t i = 0; states && i < n; i++) {
		uint8_t *digest = cell_arena_alloc(arena, TABLE_DIGEST_SIZE);

		states[i].id = table_state_id(arena, tables[i]->store, tables[i]->name);
		states[i].digest = digest;
		states[i].n_digest = TABLE_DIGEST_SIZE;
		if (!digest || !states[i].id ||
		    table_state_digest(arena, tables[i]->schema->told, digest) < 0)
			states = NULL;
	}
	if (!states)
		return cell_refuse(call, -ENOMEM, "no memory for the states of %zu tables", n);
	qsort(states, n, sizeof *states, by_id);
	*ret_states = states;
	*ret_n = n;
	return 0;
}
