/* The methods of proto/txn.proto, in its order. */
#include <sodium.h>
#include <string.h>

#include <cell/cell.h>

#include "txn.h"
#include "txn.cell.h"

/* Of one answer to List: what fits into a message with room to spare. */
#define LIST_MAX 20000

static int check_id(struct cell_call *call, size_t n)
{
	return n == DECIDE_ID_BYTES
		       ? 0
		       : cell_refuse(call, CELL_INVALID_ARGUMENT,
				     "txn: %zu bytes; an id has %d", n, DECIDE_ID_BYTES);
}

static int begin(struct cell_call *call, void *self, const struct txn_begin_request *in,
		 struct txn_begun *out)
{
	uint8_t *id = cell_arena_alloc(cell_arena(call), DECIDE_ID_BYTES);
	const struct decide_event event = { .kind = DECIDE_BEGIN,
					    .id = id,
					    .owner = cell_call_peer(call)->cell,
					    .n_participants = in->n_participants,
					    .participants = in->participants,
					    .timeout_ms = in->timeout_ms };

	if (!id)
		return cell_refuse(call, -ENOMEM, "no memory for an id");
	randombytes_buf(id, DECIDE_ID_BYTES);
	*out = (struct txn_begun){ .n_txn = DECIDE_ID_BYTES, .txn = id };
	return txn_step(self, call, &event);
}

/* What each participant said when it was told. */
static int tell_caller(struct cell_call *call, const struct txn *txn, const uint8_t *id,
		       struct txn_committed *out)
{
	struct decide_view view;
	struct txn_told *told;

	/* It is kept for much longer than anybody waits. */
	if (!decide_find(txn->decide, id, &view))
		return cell_refuse(call, CELL_INTERNAL,
				   "the transaction is not known any more");
	told = cell_arena_calloc(cell_arena(call), view.n_parts, sizeof *told);
	if (!told)
		return cell_refuse(call, -ENOMEM, "no memory for the answer");
	for (size_t i = 0; i < view.n_parts; i++) {
		told[i].participant =
			cell_arena_strdup(cell_arena(call), view.parts[i].participant);
		told[i].version = view.parts[i].is_told ? view.parts[i].version : 0;
		if (!told[i].participant)
			return cell_refuse(call, -ENOMEM, "no memory for the answer");
	}
	*out = (struct txn_committed){ .n_told = view.n_parts, .told = told };
	return 0;
}

static int commit(struct cell_call *call, void *self, const struct txn_commit_request *in,
		  struct txn_committed *out)
{
	int err = check_id(call, in->n_txn);

	if (!err)
		err = txn_commit_and_wait(self, call, in->txn);
	return err ? err : tell_caller(call, self, in->txn, out);
}

static int abort_(struct cell_call *call, void *self, const struct txn_abort_request *in,
		  struct txn_aborted *out)
{
	const struct cell_peer *peer = cell_call_peer(call);
	const struct decide_event event = { .kind = DECIDE_ABORT,
					    .id = in->txn,
					    .owner = peer->cell,
					    .is_operator = peer->is_outside };
	int err = check_id(call, in->n_txn);

	(void)out;
	return err ? err : txn_step(self, call, &event);
}

static enum txn_state state_of(enum decide_stage stage)
{
	return stage == DECIDE_COMMITTED ? TXN_STATE_COMMITTED : TXN_STATE_PENDING;
}

static int outcome(struct cell_call *call, void *self, const struct txn_outcome_request *in,
		   struct txn_outcome_reply *out)
{
	const struct txn *txn = self;
	struct decide_view view;
	int err = check_id(call, in->n_txn);

	if (err)
		return err;
	out->state = decide_find(txn->decide, in->txn, &view) ? state_of(view.stage)
							      : TXN_STATE_ABORTED;
	return 0;
}

/* VIEW in the call's memory. */
static int list_one(struct cell_call *call, const struct decide_view *view,
		    struct txn_transaction *out)
{
	struct cell_arena *arena = cell_arena(call);
	const char **waiting = cell_arena_calloc(arena, view->n_parts, sizeof *waiting);
	uint8_t *id = cell_arena_alloc(arena, DECIDE_ID_BYTES);
	bool has_memory = waiting && id;

	*out = (struct txn_transaction){ .n_txn = DECIDE_ID_BYTES,
					 .txn = id,
					 .state = state_of(view->stage),
					 .owner = cell_arena_strdup(arena, view->owner),
					 .waiting = waiting,
					 .age_ms = txn_now_ms() - view->began_ms };
	for (size_t i = 0; has_memory && i < view->n_parts; i++) {
		if (view->parts[i].is_told)
			continue;
		waiting[out->n_waiting] =
			cell_arena_strdup(arena, view->parts[i].participant);
		has_memory = waiting[out->n_waiting++];
	}
	if (!has_memory || !out->owner)
		return cell_refuse(call, -ENOMEM, "no memory for the list");
	memcpy(id, view->id, DECIDE_ID_BYTES);
	return 0;
}

static int list(struct cell_call *call, void *self, const struct txn_list_request *in,
		struct txn_listed *out)
{
	const struct txn *txn = self;
	struct decide_counts counts = decide_counts(txn->decide);
	struct txn_transaction *transactions;
	struct decide_view view;
	const void *at = NULL;
	size_t most = counts.known < LIST_MAX ? counts.known : LIST_MAX;
	int err = 0;

	(void)in;
	transactions = cell_arena_calloc(cell_arena(call), most, sizeof *transactions);
	if (!transactions)
		return cell_refuse(call, -ENOMEM, "no memory for the list");
	*out = (struct txn_listed){ .transactions = transactions,
				    .committed = counts.committed,
				    .aborted = counts.aborted };
	while (!err && out->n_transactions < most && decide_next(txn->decide, &at, &view))
		err = list_one(call, &view, &transactions[out->n_transactions++]);
	return err;
}

const struct txn_handlers txn_handlers = {
	.begin = begin,
	.commit = commit,
	.abort = abort_,
	.outcome = outcome,
	.list = list,
};
