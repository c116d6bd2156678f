/* Tables.Commit, Prepare, Decide and Next: jobs for the writing thread. */
#include "sequences.h"
#include "serve.h"

#include <cell/cell.h>
#include <string.h>

/* Numbers that are taken from the store at once, so that one insert in so many waits for it. */
#define NUMBERS_PER_BLOCK 100
#define NUMBERS_MAX       10000

/* The job's memory goes before the reply is sent. */
static int rows_keep(struct cell_call *call, const struct cell_bytes *rows, size_t n,
		     const struct cell_bytes **ret)
{
	struct cell_bytes *copy = cell_arena_calloc(cell_arena(call), n, sizeof *copy);

	for (size_t i = 0; copy && i < n; i++) {
		uint8_t *at = cell_arena_alloc(cell_arena(call), rows[i].len);

		if (!at)
			return cell_refuse(call, -ENOMEM, "no memory for an answer");
		if (rows[i].len)
			memcpy(at, rows[i].at, rows[i].len);
		copy[i] = (struct cell_bytes){ .len = rows[i].len, .at = at };
	}
	if (!copy)
		return cell_refuse(call, -ENOMEM, "no memory for an answer");
	*ret = copy;
	return 0;
}

static int run_commit(struct engine *engine, struct job *job)
{
	return engine_commit(engine, &job->peer, job->in, job->out, &job->arena, &job->err);
}

int serve_commit(struct cell_call *call, void *self, const struct table_commit_request *in,
		 struct table_committed *out)
{
	struct celldb *db = self;
	cell_cleanup(job_freep) struct job *job = NULL;
	const struct table_committed *done;
	int r = job_new(&job, call, run_commit, &table_commit_request_type, in, sizeof *out);

	if (r == 0)
		r = job_wait(&job, db->group, call);
	if (r < 0)
		return r;
	done = job->out;
	out->version = done->version;
	out->n_rows = done->n_rows;
	return done->n_rows ? rows_keep(call, done->rows, done->n_rows, &out->rows) : 0;
}

static int run_prepare(struct engine *engine, struct job *job)
{
	return engine_prepare(engine, &job->peer, job->in, job->out, &job->arena, &job->err);
}

int serve_prepare(struct cell_call *call, void *self, const struct table_prepare_request *in,
		  struct table_prepared *out)
{
	struct celldb *db = self;
	cell_cleanup(job_freep) struct job *job = NULL;
	const struct table_prepared *done;
	int r = job_new(&job, call, run_prepare, &table_prepare_request_type, in, sizeof *out);

	if (r == 0)
		r = job_wait(&job, db->group, call);
	if (r < 0)
		return r;
	done = job->out;
	out->n_rows = done->n_rows;
	return done->n_rows ? rows_keep(call, done->rows, done->n_rows, &out->rows) : 0;
}

static int run_decide(struct engine *engine, struct job *job)
{
	return engine_decide(engine, &job->peer, job->in, job->out, &job->arena, &job->err);
}

int serve_decide(struct cell_call *call, void *self, const struct table_decision *in,
		 struct table_decided *out)
{
	struct celldb *db = self;
	cell_cleanup(job_freep) struct job *job = NULL;
	int r = job_new(&job, call, run_decide, &table_decision_type, in, sizeof *out);

	if (r == 0)
		r = job_wait(&job, db->group, call);
	if (r == 0)
		*out = *(const struct table_decided *)job->out;
	return r;
}

/* ---- numbers ------------------------------------------------------------------------------ */

static int run_next(struct engine *engine, struct job *job)
{
	const struct table_next_request *in = job->in;
	struct table_next_reply *out = job->out;

	return engine_next(engine, &job->peer, in, in->n, &out->first, &job->arena, &job->err);
}

int serve_next(struct cell_call *call, void *self, const struct table_next_request *in,
	       struct table_next_reply *out)
{
	struct celldb *db = self;
	struct catalog_peer peer = serve_peer(call);
	struct cell_error *err = cell_error_slot(call);
	cell_cleanup(job_freep) struct job *job = NULL;
	struct table_next_request more = *in;
	const struct catalog_version *version;
	const struct view *view;
	uint32_t table;
	int r;

	if (!in->table || in->n == 0 || in->n > NUMBERS_MAX)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "%u numbers of a table; 1 to %d",
				   in->n, NUMBERS_MAX);
	r = reader_view(db->reader, &view, err);
	if (r == 0)
		r = catalog_find(view->catalog, view->txn, in->table, &peer, &version, err);
	if (r < 0)
		return r;
	table = version->table->id;
	if (sequences_take(db->sequences, table, in->column, in->n, &out->first))
		return 0;
	more.n = in->n < NUMBERS_PER_BLOCK ? NUMBERS_PER_BLOCK : in->n;
	r = job_new(&job, call, run_next, &table_next_request_type, &more, sizeof *out);
	if (r == 0)
		r = job_wait(&job, db->group, call);
	if (r < 0)
		return r;
	out->first = ((const struct table_next_reply *)job->out)->first;
	sequences_keep(db->sequences, table, in->column, out->first + in->n, more.n - in->n);
	return 0;
}
