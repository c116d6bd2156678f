/*
 * Many commits of the cell txn at once, for tests.
 *
 *	commit_many N CELL ...    begin N transactions of these cells, and commit all at once
 *
 * Prints how many were committed and how many given up; fails if one says that it was given
 * up and is committed, or the other way round.
 */
#include <cell/cell.h>

#include "txn.cell.h"

#include <stdio.h>
#include <stdlib.h>

#define MANY_MAX 1000

static struct txn_begun begun[MANY_MAX];
static struct txn_commit_future futures[MANY_MAX];

static enum txn_state outcome(struct cell_call *call, const struct txn_begun *txn)
{
	struct txn_outcome_reply reply;
	int err = txn_outcome(call,
			      &(struct txn_outcome_request){ .n_txn = txn->n_txn,
							     .txn = txn->txn },
			      &reply);

	if (err)
		exit(cell_exit(call, err));
	return reply.state;
}

int main(int argc, char **argv)
{
	struct cell_call *call = cell_open("commit_many");
	size_t n = argc > 2 ? (size_t)atoi(argv[1]) : 0, committed = 0, given_up = 0;
	struct txn_begin_request request = { .n_participants = (size_t)argc - 2,
					     .participants = (const char *const *)argv + 2,
					     .timeout_ms = 30000 };

	if (n == 0 || n > MANY_MAX)
		return 2;
	for (size_t i = 0; i < n; i++) {
		int err = txn_begin(call, &request, &begun[i]);

		if (err)
			return cell_exit(call, err);
	}
	for (size_t i = 0; i < n; i++)
		futures[i] = txn_commit_start(call, &(struct txn_commit_request){
							    .n_txn = begun[i].n_txn,
							    .txn = begun[i].txn });
	for (size_t i = 0; i < n; i++) {
		struct txn_committed out;
		int err = txn_commit_wait(&futures[i], &out);

		if (err && err != CELL_RESOURCE_EXHAUSTED)
			return cell_exit(call, err);
		*(err ? &given_up : &committed) += 1;
		if (outcome(call, &begun[i]) !=
		    (err ? TXN_STATE_ABORTED : TXN_STATE_COMMITTED))
			return cell_exit(call, cell_refuse(call, CELL_INTERNAL,
							   "said %s, and is not so",
							   err ? "given up" : "committed"));
	}
	printf("%zu committed, %zu given up\n", committed, given_up);
	return cell_exit(call, 0);
}
