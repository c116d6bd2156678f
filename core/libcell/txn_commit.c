#include "tables.h"

#include <cell/cell.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <txn.cell.h>

/*
 * What a transaction says to the cells that take part: one is told in one message, several in
 * two phases.
 */

/* Who coordinates a transaction over several cells. */
#define COORDINATOR "txn"
/* That it was given up is said in vain if nobody is there, so not for long. */
#define ABORT_TIMEOUT_MS 1000

static struct cell_ref coordinator_ref = CELL_REF(COORDINATOR);

int table_txn_send(struct cell_call *call, struct cell_ref *ref,
		   struct table_commit_request *request, struct table_committed *ret)
{
	uint8_t id[16];

	if (getrandom(id, sizeof id, 0) != sizeof id)
		return cell_refuse(call, -errno, "a random number");
	request->n_id = sizeof id;
	request->id = id;
	return tables_invoke(call, ref, &table_tables_methods[TABLES_COMMIT], request, ret);
}

/* CALL as it was for PARTY. */
static struct cell_call call_to(const struct cell_call *call, const struct txn_party *party)
{
	struct cell_call to = *call;

	to.to_cell = party->to_cell;
	to.to_instance = party->to_instance;
	to.pool = NULL;
	return to;
}

static void fill_tables(const struct txn *txn, const struct txn_party *party,
			struct table_table_ref *tables)
{
	for (const struct txn_table *table = txn->tables; table; table = table->next)
		if (table->party == party)
			tables[table->number] = table_ref_of(table->table);
}

static void fill_reads(const struct txn *txn, const struct txn_party *party,
		       struct table_row_read *reads, struct table_range_read *ranges)
{
	for (const struct txn_row *row = txn->rows; row; row = row->next)
		if (row->was_read && row->table->party == party)
			*reads++ = (struct table_row_read){ .table = row->table->number,
							    .n_key = row->key_len,
							    .key = row->key,
							    .version = row->version };
	for (const struct txn_range *range = txn->ranges; range; range = range->next)
		if (range->table->party == party)
			*ranges++ = (struct table_range_read){ .table = range->table->number,
							       .scan = &range->scan,
							       .n_mark = range->mark_len,
							       .mark = range->mark };
}

static void fill_writes(const struct txn *txn, const struct txn_party *party,
			struct table_write *writes)
{
	for (const struct txn_write *write = txn->writes; write; write = write->next)
		if (write->row->table->party == party)
			*writes++ = (struct table_write){ .table = write->row->table->number,
							  .kind = write->kind,
							  .n_row = write->len,
							  .row = write->bytes };
}

/* What PARTY is to check and do, in the transaction's memory. */
static int request_make(struct cell_call *call, const struct txn_party *party,
			struct table_commit_request *ret)
{
	struct cell_arena *arena = &call->root->tables->arena;
	const struct txn *txn = call_txn(call);
	struct table_table_ref *tables =
		cell_arena_calloc(arena, party->n_tables, sizeof *tables);
	struct table_row_read *reads =
		cell_arena_calloc(arena, party->n_reads, sizeof *reads);
	struct table_range_read *ranges =
		cell_arena_calloc(arena, party->n_ranges, sizeof *ranges);
	struct table_write *writes =
		cell_arena_calloc(arena, party->n_writes, sizeof *writes);

	if (!tables || !reads || !ranges || !writes)
		return table_txn_too_large(call);
	fill_tables(txn, party, tables);
	fill_reads(txn, party, reads, ranges);
	fill_writes(txn, party, writes);
	*ret = (struct table_commit_request){
		.n_tables = party->n_tables,
		.tables = tables,
		.n_reads = party->n_reads,
		.reads = reads,
		.n_ranges = party->n_ranges,
		.ranges = ranges,
		.n_writes = party->n_writes,
		.writes = writes,
	};
	return 0;
}

int table_txn_commit_at(struct cell_call *call, const struct txn_party *party)
{
	struct cell_call to = call_to(call, party);
	struct table_commit_request request;
	struct table_committed committed;
	int r = request_make(call, party, &request);

	return r < 0 ? r : table_txn_send(&to, party->ref, &request, &committed);
}

/* --- several cells
 * --------------------------------------------------------------------------- */

struct prepare {
	struct cell_call call;
	const struct txn_party *party;
	struct table_commit_request commit;
	struct table_prepare_request request;
	struct cell_future future;
	uint8_t id[16];
};

static int prepare_start(struct cell_call *call, struct prepare *prepare,
			 const struct txn_party *party, const uint8_t *txn)
{
	int r = request_make(call, party, &prepare->commit);

	if (r < 0)
		return r;
	if (getrandom(prepare->id, sizeof prepare->id, 0) != sizeof prepare->id)
		return cell_refuse(call, -errno, "a random number");
	prepare->call = call_to(call, party);
	prepare->party = party;
	prepare->commit.n_id = sizeof prepare->id;
	prepare->commit.id = prepare->id;
	prepare->request = (struct table_prepare_request){ .n_txn = 16,
							   .txn = txn,
							   .coordinator = COORDINATOR,
							   .commit = &prepare->commit };
	prepare->future =
		cell_invoke_start(&prepare->call, party->ref,
				  &table_tables_methods[TABLES_PREPARE], &prepare->request);
	return 0;
}

/* A cell that was lost may have prepared or not: asked again it answers the same. */
static int prepare_wait(struct prepare *prepare)
{
	const struct cell_method *method = &table_tables_methods[TABLES_PREPARE];
	struct cell_ref *ref = prepare->party->ref;
	struct table_prepared prepared;
	int r = cell_invoke_wait(&prepare->future, &prepared);

	if (r == CELL_UNAVAILABLE || tables_provisioned(&prepare->call, ref, r))
		r = cell_invoke(&prepare->call, ref, method, &prepare->request, &prepared);
	return r;
}

/* Prepare all at once; the first refusal counts. */
static int prepare_all(struct cell_call *call, const uint8_t *txn)
{
	const struct txn *what = call_txn(call);
	struct prepare *prepares = cell_arena_calloc(&call->root->tables->arena,
						     what->n_parties, sizeof *prepares);
	struct cell_error first = { 0 };
	size_t n = 0;
	int r = 0;

	if (!prepares)
		return table_txn_too_large(call);
	for (const struct txn_party *party = what->parties; party && r == 0;
	     party = party->next)
		r = prepare_start(call, &prepares[n++], party, txn);
	if (r < 0)
		first = call->root->error;
	for (size_t i = 0; i < n; i++) {
		int each = prepares[i].party ? prepare_wait(&prepares[i]) : 0;

		if (each < 0 && r == 0) {
			r = each;
			first = call->root->error;
		}
	}
	if (r < 0)
		call->root->error = first;
	return r;
}

static int begin_at_coordinator(struct cell_call *call, uint8_t *ret_txn)
{
	const struct txn *what = call_txn(call);
	const char **names =
		cell_arena_calloc(&call->root->tables->arena, what->n_parties, sizeof *names);
	struct txn_begin_request request = { .participants = names };
	struct txn_begun begun;
	int r;

	if (!names)
		return table_txn_too_large(call);
	for (const struct txn_party *party = what->parties; party; party = party->next)
		names[request.n_participants++] = party->cell;
	r = cell_invoke(call, &coordinator_ref, &txn_methods[TXN_BEGIN], &request, &begun);
	if (r == 0 && begun.n_txn != 16)
		r = cell_refuse(call, CELL_INTERNAL, "%s: a transaction's id of %zu bytes",
				COORDINATOR, begun.n_txn);
	if (r < 0)
		return cell_wrap(&call->root->error, r, "a transaction over %u cells",
				 what->n_parties);
	memcpy(ret_txn, begun.txn, 16);
	return 0;
}

/* It will be given up anyway: this only makes it sooner. Keeps the error that there was. */
static void abort_at_coordinator(struct cell_call *call, const uint8_t *txn)
{
	struct cell_error error = call->root->error;
	struct cell_call *soon = cell_within_ms(call, ABORT_TIMEOUT_MS);
	struct txn_abort_request request = { .n_txn = 16, .txn = txn };
	struct txn_aborted aborted;

	(void)cell_invoke(soon, &coordinator_ref, &txn_methods[TXN_ABORT], &request,
			  &aborted);
	call->root->error = error;
}

int table_txn_commit_over_cells(struct cell_call *call)
{
	struct cell_call own = *call;
	struct txn_commit_request request;
	struct txn_committed committed;
	uint8_t txn[16];
	int r;

	own.to_cell = NULL;
	own.pool = NULL;
	r = begin_at_coordinator(&own, txn);
	if (r < 0)
		return r;
	r = prepare_all(call, txn);
	if (r < 0) {
		abort_at_coordinator(&own, txn);
		return r;
	}
	request = (struct txn_commit_request){ .n_txn = sizeof txn, .txn = txn };
	return cell_invoke(&own, &coordinator_ref, &txn_methods[TXN_COMMIT], &request,
			   &committed);
}
