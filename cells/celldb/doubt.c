/*
 * Transactions that were prepared and not decided: their coordinator is asked.
 */
#include "serve.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <txn.cell.h>

/* Asked for at a time; the others come next. */
#define ASKED_AT_ONCE 32
/* A coordinator that lives tells within this; nobody need be asked before. */
#define PATIENCE_US 900000
#define ASK_TIMEOUT_MS 2000

struct asking {
	struct celldb *db;
	size_t n;
	struct group_doubt doubts[ASKED_AT_ONCE];
};

static int run_decide(struct engine *engine, struct job *job)
{
	return engine_decide(engine, NULL, job->in, job->out, &job->arena, &job->err);
}

static int decide(struct celldb *db, struct cell_call *call, const struct group_doubt *doubt,
		  bool commit)
{
	struct table_decision decision = { .n_txn = LAYOUT_ID, .txn = doubt->txn, .commit = commit };
	cell_cleanup(job_freep) struct job *job = NULL;
	int r = job_new(&job, call, run_decide, &table_decision_type, &decision,
			sizeof(struct table_decided));

	return r < 0 ? r : job_wait(&job, db->group, call);
}

static void ask(struct celldb *db, struct cell_call *call, const struct group_doubt *doubt)
{
	struct txn_outcome_request request = { .n_txn = LAYOUT_ID, .txn = doubt->txn };
	struct txn_outcome_reply reply;
	int r = txn_outcome(cell_to(cell_within_ms(call, ASK_TIMEOUT_MS), doubt->coordinator, 0),
			    &request, &reply);

	if (r == 0 && reply.state != TXN_STATE_PENDING)
		r = decide(db, call, doubt, reply.state == TXN_STATE_COMMITTED);
	if (r < 0)
		cell_log(CELL_LOG_DEBUG, "doubt", "undecided", "coordinator=%s status=%s",
			 doubt->coordinator, cell_status_name(r));
}

static void asking_task(struct cell_call *call, void *userdata)
{
	struct asking *asking = userdata;

	for (size_t i = 0; i < asking->n && !cell_call_is_cancelled(call); i++) {
		struct cell_arena_mark mark = cell_mark(call);

		ask(asking->db, call, &asking->doubts[i]);
		cell_rewind(call, mark);
	}
	asking->db->is_asking = false;
	free(asking);
}

void doubt_ask(struct celldb *db, struct cell_call *call)
{
	struct asking *asking;

	if (db->is_asking)
		return;
	asking = calloc(1, sizeof *asking);
	if (!asking)
		return;
	asking->db = db;
	asking->n = group_doubts(db->group, (uint64_t)(group_now_us() - PATIENCE_US),
				 asking->doubts, ASKED_AT_ONCE);
	if (!asking->n || cell_spawn_task(call, asking_task, asking) < 0)
		free(asking);
	else
		db->is_asking = true;
}
