#include "clock.h"
#include "tables.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

/*
 * Running a function again until its transaction wins. Within a process those that lost a
 * race on a row then take turns, and so do all that come to such a row meanwhile: else one
 * that tries again would lose to newcomers, five times in a row. Between processes only a
 * pause helps, which grows.
 */

#define RUNS_MAX 5
/* The longest pause after the second conflict; it doubles. Half to all of it is waited. */
#define PAUSE_FIRST_MS 6

/* --- turns
 * ------------------------------------------------------------------------------------ */

static void turn_leave(struct runtime *rt, struct turn *turn)
{
	list_unlink(&turn->node);
	if (!list_is_empty(turn->queue))
		runtime_wake(rt, list_entry(turn->queue->next, struct turn, node)->waiter);
}

void table_turns_leave(struct call_root *root)
{
	struct call_tables *tables = root->tables;

	while (tables->n_turns)
		turn_leave(root->rt, &tables->turns[--tables->n_turns]);
}

static bool turn_is_held(const struct call_tables *tables, const struct list *queue)
{
	for (unsigned i = 0; i < tables->n_turns; i++)
		if (tables->turns[i].queue == queue)
			return true;
	return false;
}

static int turn_wait(struct cell_call *call, struct turn *turn)
{
	struct runtime *rt = call->root->rt;
	uint64_t until =
		deadline_min(call->deadline_ns, clock_coarse_ns() + TABLE_TURN_TIMEOUT_NS);
	int r = 0;

	list_append(turn->queue, &turn->node);
	while (r == 0 && turn->queue->next != &turn->node)
		r = runtime_wait(rt, call->root, &turn->waiter, until);
	if (r == 0) {
		call->root->tables->n_turns++;
		return 0;
	}
	turn_leave(rt, turn);
	/* Whoever has it takes long: a turn is a courtesy, the commit finds out. */
	if (r != CELL_CANCELLED && until < call->deadline_ns)
		return 0;
	return cell_refuse(call, r, "waiting for others that change the same row: %s",
			   cell_status_name(r));
}

/* Who has a turn already does not wait for another: so nobody waits in a circle. */
int table_turn_take(struct cell_call *call, uint64_t hash)
{
	struct call_tables *tables = call->root->tables;
	struct turn *turn = &tables->turns[0];

	if (tables->n_turns)
		return 0;
	turn->queue = &call->root->rt->tables->turns[hash % TABLE_TURNS];
	return list_is_empty(turn->queue) ? 0 : turn_wait(call, turn);
}

struct hot {
	struct list *queues[TABLE_TURNS_HELD_MAX];
	unsigned n;
};

static void hot_add(struct cell_call *call, struct hot *hot, const struct txn_row *row)
{
	struct list *queue = &call->root->rt->tables->turns[row->hash % TABLE_TURNS];
	unsigned at = 0;

	while (at < hot->n && hot->queues[at] < queue)
		at++;
	if (hot->n == TABLE_TURNS_HELD_MAX || (at < hot->n && hot->queues[at] == queue))
		return;
	memmove(&hot->queues[at + 1], &hot->queues[at], (hot->n - at) * sizeof *hot->queues);
	hot->queues[at] = queue;
	hot->n++;
}

/* Rows that the race may have been about: those read and written, else those read. */
static struct hot hot_rows(struct cell_call *call)
{
	const struct txn *txn = &call->root->tables->txn;
	struct hot hot = { 0 };

	for (const struct txn_row *row = txn->rows; row; row = row->next)
		if (row->was_read && row->write)
			hot_add(call, &hot, row);
	if (hot.n)
		return hot;
	for (const struct txn_row *row = txn->rows; row; row = row->next)
		if (row->was_read)
			hot_add(call, &hot, row);
	return hot;
}

/* In one order for all, so that nobody waits in a circle. */
static int turns_take(struct cell_call *call, const struct hot *hot)
{
	struct call_tables *tables = call->root->tables;
	int r = 0;

	for (unsigned i = 0; i < hot->n && r == 0; i++) {
		struct turn *turn = &tables->turns[tables->n_turns];

		if (turn_is_held(tables, hot->queues[i]))
			continue;
		turn->queue = hot->queues[i];
		r = turn_wait(call, turn);
	}
	return r;
}

/* --- again and again
 * ---------------------------------------------------------------------------- */

struct cell_atomic cell_atomic_begin(struct cell_call *call)
{
	struct cell_atomic atomic = {
		.call = call,
		.mark = cell_mark(call),
		.runs = 1,
		.is_outermost = !call_has_txn(call),
	};

	atomic.err = cell_txn_begin(call);
	return atomic;
}

/* Futures of the run that is over lie in memory that is given back. */
static void drop_futures(struct cell_call *call, struct cell_arena_mark mark)
{
	struct call_root *root = call->root;
	struct list *at = root->pendings.next;

	while (at != &root->pendings) {
		struct pending *pending = list_entry(at, struct pending, in_root);

		at = at->next;
		if (cell_arena_is_behind(&root->arena, mark, pending))
			pending_drop(pending, true);
	}
}

static int pause_before(struct cell_call *call, unsigned runs)
{
	uint64_t max = PAUSE_FIRST_MS << (runs - 2);

	return cell_sleep_ms(call, max / 2 + clock_now_ns() % (max / 2 + 1));
}

/* Whether to run again; then everything is as before the first run. */
static bool prepare_again(struct cell_atomic *atomic, int *err)
{
	struct cell_call *call = atomic->call;
	struct call_tables *tables = call->root->tables;
	struct hot hot = { 0 };

	if (*err != CELL_ABORTED || !tables->txn.is_repeatable || atomic->runs >= RUNS_MAX)
		return false;
	if (!tables->n_turns)
		hot = hot_rows(call);
	table_txn_clear(tables);
	drop_futures(call, atomic->mark);
	cell_rewind(call, atomic->mark);
	if (atomic->runs >= 2 && pause_before(call, atomic->runs) < 0)
		return false;
	if (turns_take(call, &hot) < 0)
		return false;
	atomic->runs++;
	atomic->err = cell_txn_begin(call);
	if (atomic->err)
		*err = atomic->err;
	return atomic->err == 0;
}

/* There was no memory for a transaction: the function failed whatever it did. */
static bool never_began(struct cell_atomic *atomic, int *err)
{
	*err = atomic->err;
	if (atomic->is_outermost && call_has_txn(atomic->call))
		(void)cell_txn_end(atomic->call, *err);
	return false;
}

bool cell_atomic_again(struct cell_atomic *atomic, int *err)
{
	struct cell_call *call = atomic->call;

	if (atomic->err)
		return never_began(atomic, err);
	if (!atomic->is_outermost) {
		*err = cell_txn_end(call, *err);
		return false;
	}
	*err = table_txn_commit(call, *err);
	if (prepare_again(atomic, err))
		return true;
	table_txn_clear(call->root->tables);
	table_turns_leave(call->root);
	return false;
}

int cell_atomically(struct cell_call *call, int (*fn)(struct cell_call *call, void *userdata),
		    void *userdata)
{
	struct cell_atomic atomic = cell_atomic_begin(call);
	int err;

	if (atomic.err) {
		err = 0;
		(void)never_began(&atomic, &err);
		return err;
	}
	do
		err = fn(call, userdata);
	while (cell_atomic_again(&atomic, &err));
	return err;
}
