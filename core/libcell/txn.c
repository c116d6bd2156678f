#include "tables.h"

#include <cell/cell.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <txn.cell.h>

/*
 * A transaction is a set of rows, each with the version that was read and what was written,
 * and a list of ranges. It is optimistic: until its end nobody else knows of it.
 */

#define BUCKETS_FIRST 16u
/* Who coordinates a transaction over several cells. */
#define COORDINATOR "txn"
/* That it was given up is said in vain if nobody is there, so not for long. */
#define ABORT_TIMEOUT_MS 1000

static struct cell_ref coordinator_ref = CELL_REF(COORDINATOR);

static int too_large(struct cell_call *call)
{
	return cell_refuse(call, CELL_RESOURCE_EXHAUSTED,
			   "the transaction holds %zu MiB already, or there is no memory",
			   TABLE_TXN_BYTES_MAX >> 20);
}

static struct txn *txn_of(const struct cell_call *call)
{
	return &call->root->tables->txn;
}

/* --- what is in it ------------------------------------------------------------------------- */

static struct txn_party *party_get(struct cell_call *call, const struct cell_table *table)
{
	struct call_tables *tables = call->root->tables;
	const char *cell = call->to_cell ? call->to_cell : table->ref->cell;
	struct txn_party *party;

	for (party = tables->txn.parties; party; party = party->next)
		if (strcmp(party->cell, cell) == 0)
			return party;
	party = cell_arena_calloc(&tables->arena, 1, sizeof *party);
	cell = cell_arena_strdup(&tables->arena, cell);
	if (!party || !cell)
		return NULL;
	*party = (struct txn_party){
		.next = tables->txn.parties, .cell = cell, .ref = table->ref,
		.to_cell = call->to_cell ? cell : NULL, .to_instance = call->to_instance,
	};
	tables->txn.parties = party;
	tables->txn.n_parties++;
	return party;
}

struct txn_table *table_txn_table(struct cell_call *call, const struct cell_table *table)
{
	struct call_tables *tables = call->root->tables;
	struct txn_party *party;
	struct txn_table *found;

	for (found = tables->txn.tables; found; found = found->next)
		if (found->table == table)
			return found;
	party = party_get(call, table);
	found = party ? cell_arena_calloc(&tables->arena, 1, sizeof *found) : NULL;
	if (!found) {
		(void)too_large(call);
		return NULL;
	}
	*found = (struct txn_table){ .next = tables->txn.tables, .table = table, .party = party,
				     .number = party->n_tables++ };
	tables->txn.tables = found;
	return found;
}

struct txn_row *table_txn_find(const struct txn *txn, const struct cell_table *table, uint64_t hash,
			 const uint8_t *key, size_t len)
{
	struct txn_row *row;
	uint32_t mask = txn->n_buckets - 1;

	if (!txn->n_buckets)
		return NULL;
	for (uint32_t i = (uint32_t)hash & mask; (row = txn->buckets[i]); i = (i + 1) & mask)
		if (row->hash == hash && row->table->table == table && row->key_len == len &&
		    memcmp(row->key, key, len) == 0)
			return row;
	return NULL;
}

static void bucket_put(struct txn *txn, struct txn_row *row)
{
	uint32_t mask = txn->n_buckets - 1, i = (uint32_t)row->hash & mask;

	while (txn->buckets[i])
		i = (i + 1) & mask;
	txn->buckets[i] = row;
}

/* The smaller table of buckets stays in the arena until the end: half as much again at most. */
static int buckets_grow(struct call_tables *tables)
{
	struct txn *txn = &tables->txn;
	uint32_t n = txn->n_buckets ? txn->n_buckets * 2 : BUCKETS_FIRST;
	struct txn_row **buckets = cell_arena_calloc(&tables->arena, n, sizeof *buckets);

	if (!buckets)
		return -ENOMEM;
	txn->buckets = buckets;
	txn->n_buckets = n;
	for (struct txn_row *row = txn->rows; row; row = row->next)
		bucket_put(txn, row);
	return 0;
}

static struct txn_row *row_add(struct cell_call *call, const struct cell_table *table,
			       uint64_t hash, const uint8_t *key, size_t len)
{
	struct call_tables *tables = call->root->tables;
	struct txn *txn = &tables->txn;
	struct txn_table *where = table_txn_table(call, table);
	struct txn_row *row;

	if (!where)
		return NULL;
	if (txn->n_rows * 2 >= txn->n_buckets && buckets_grow(tables) < 0) {
		(void)too_large(call);
		return NULL;
	}
	row = cell_arena_alloc(&tables->arena, sizeof *row + len);
	if (!row) {
		(void)too_large(call);
		return NULL;
	}
	*row = (struct txn_row){ .next = txn->rows, .table = where, .hash = hash, .key_len = len };
	if (len)
		memcpy(row->key, key, len);
	txn->rows = row;
	txn->n_rows++;
	bucket_put(txn, row);
	return row;
}

/* The primary key of a row, and its place in the transaction, if it has one. */
struct named {
	struct txn_row *row;
	const uint8_t *key;
	size_t len;
	uint64_t hash;
};

static int name_row(struct cell_call *call, const struct cell_table *table, const void *row,
		    struct named *ret)
{
	int r = table_key_bytes(call, table, 0, table->keys[0].n, row, &call->root->arena,
				&ret->key, &ret->len);

	if (r < 0)
		return r;
	ret->hash = table_key_hash(table, ret->key, ret->len);
	ret->row = table_txn_find(txn_of(call), table, ret->hash, ret->key, ret->len);
	return 0;
}

static int name_and_add(struct cell_call *call, const struct cell_table *table, struct named *named)
{
	if (!named->row)
		named->row = row_add(call, table, named->hash, named->key, named->len);
	return named->row ? 0 : CELL_RESOURCE_EXHAUSTED;
}

const struct txn_write *table_txn_write_at(const struct txn_row *row, uint64_t number)
{
	const struct txn_write *write = row->write;

	while (write && write->number > number)
		write = write->previous;
	return write;
}

static bool write_deletes(const struct txn_write *write)
{
	return write->kind == TABLE_WRITE_KIND_REMOVE || write->kind == TABLE_WRITE_KIND_DELETE;
}

/* --- reading ------------------------------------------------------------------------------- */

/* A row as the transaction itself has written it. Its bytes may be replaced: texts are copied. */
static int give_own(struct cell_call *call, const struct cell_table *table, unsigned key,
		    const struct txn_write *write, const void *row, void *ret_row)
{
	struct table_row_type type = table_row_type_of(table);
	void *copy;
	int r;

	if (write_deletes(write))
		return table_not_found(call, table, key, row);
	copy = cell_arena_alloc(&call->root->arena, table->row_size);
	if (!copy)
		return cell_refuse(call, -ENOMEM, "a row of %s", table->name);
	r = table_row_decode(&type, copy, write->bytes, write->len, 0, &call->root->arena,
			     &call->root->error);
	if (r == 0)
		memcpy(ret_row, copy, table->row_size);
	return r;
}

/* It was read before, as another: then the transaction cannot succeed, and had better know. */
static int lost(struct cell_call *call, const struct cell_table *table, unsigned key,
		const void *row)
{
	char text[CELL_ERROR_TEXT_MAX];

	txn_of(call)->has_lost = true;
	return cell_refuse(call, CELL_ABORTED, "%s with %s has changed since it was read",
			   table->name, table_key_print(table, key, row, text, sizeof text));
}

static int note_read(struct cell_call *call, const struct cell_table *table, struct named *named,
		     const void *row, uint64_t version)
{
	int r = name_and_add(call, table, named);

	if (r < 0)
		return r;
	if (named->row->was_read)
		return named->row->version == version ? 0 : lost(call, table, 0, row);
	named->row->was_read = true;
	named->row->version = version;
	named->row->table->party->n_reads++;
	return 0;
}

static int get_primary(struct cell_call *call, const struct cell_table *table, const void *row,
		       void *ret_row)
{
	struct table_fetched fetched;
	struct named named;
	int r = name_row(call, table, row, &named);

	if (r == 0 && !named.row)
		r = table_turn_take(call, named.hash);
	if (r < 0)
		return r;
	if (named.row && named.row->write)
		return give_own(call, table, 0, named.row->write, row, ret_row);
	r = table_fetch(call, table, 0, row, &fetched);
	if (r == 0)
		r = note_read(call, table, &named, row, fetched.version);
	if (r < 0)
		return r;
	if (!fetched.found)
		return table_not_found(call, table, 0, row);
	memcpy(ret_row, fetched.row, table->row_size);
	return 0;
}

/* Whether one of the transaction's own rows has the KEY that ROW has. */
static int find_own(struct cell_call *call, const struct cell_table *table, unsigned key,
		    const void *row, void *ret_row)
{
	struct txn_table *where = table_txn_table(call, table);
	struct cell_arena *arena = &call->root->arena;

	if (!where)
		return CELL_RESOURCE_EXHAUSTED;
	if (!where->n_writes)
		return CELL_NOT_FOUND;
	for (struct txn_row *own = txn_of(call)->rows; own; own = own->next) {
		struct cell_arena_mark mark = cell_arena_mark(arena);
		void *copy = cell_arena_alloc(arena, table->row_size);
		int r;

		if (!copy)
			return cell_refuse(call, -ENOMEM, "a row of %s", table->name);
		if (own->table != where || !own->write || write_deletes(own->write)) {
			cell_arena_rewind(arena, mark);
			continue;
		}
		r = give_own(call, table, key, own->write, row, copy);
		if (r < 0)
			return r;
		if (table_key_compare(table, key, table->keys[key].n, copy, row) == 0) {
			memcpy(ret_row, copy, table->row_size);
			return 0;
		}
		cell_arena_rewind(arena, mark);
	}
	return CELL_NOT_FOUND;
}

/*
 * There is none with that unique value: what says so is a range, and its mark comes with a
 * scan. Should one have come up meanwhile, the transaction has seen two different things.
 */
static int read_nothing(struct cell_call *call, const struct cell_table *table, unsigned key,
			const void *row)
{
	unsigned n = table->keys[key].n;
	struct cell_cursor cursor = cell_table_scan(call, table, &(struct cell_scan){
		.key = key, .from = row, .n_from = n, .to = row, .n_to = n });
	bool found = cell_cursor_next(&cursor) != NULL;
	int r = cell_cursor_end(&cursor);

	return r < 0 ? r : found ? lost(call, table, key, row) : table_not_found(call, table, key, row);
}

static int get_unique(struct cell_call *call, const struct cell_table *table, unsigned key,
		      const void *row, void *ret_row)
{
	struct table_fetched fetched;
	struct named named;
	int r = find_own(call, table, key, row, ret_row);

	if (r != CELL_NOT_FOUND)
		return r;
	r = table_fetch(call, table, key, row, &fetched);
	if (r < 0)
		return r;
	if (!fetched.found)
		return read_nothing(call, table, key, row);
	r = name_row(call, table, fetched.row, &named);
	if (r == 0)
		r = note_read(call, table, &named, fetched.row, fetched.version);
	if (r < 0)
		return r;
	/* This one has another value by now, or is gone. */
	if (named.row->write)
		return table_not_found(call, table, key, row);
	memcpy(ret_row, fetched.row, table->row_size);
	return 0;
}

static int broken(struct cell_call *call)
{
	return cell_refuse(call, -ENOMEM, "no memory for a transaction");
}

int table_txn_get(struct cell_call *call, const struct cell_table *table, unsigned key, const void *row,
	    void *ret_row)
{
	if (call->root->tables->is_broken)
		return broken(call);
	return key ? get_unique(call, table, key, row, ret_row)
		   : get_primary(call, table, row, ret_row);
}

int table_txn_add_range(struct cell_call *call, const struct cell_table *table,
		  const struct table_scan_request *scan, const uint8_t *mark, size_t mark_len)
{
	struct call_tables *tables = call->root->tables;
	struct txn_table *where = table_txn_table(call, table);
	struct txn_range *range = cell_arena_alloc(&tables->arena, sizeof *range);
	size_t from_len = scan->n_from, to_len = scan->n_to;
	uint8_t *bytes = cell_arena_alloc(&tables->arena, from_len + to_len + mark_len);

	if (!where || !range || !bytes)
		return too_large(call);
	*range = (struct txn_range){ .next = tables->txn.ranges, .table = where, .scan = *scan };
	range->scan.table = NULL;
	range->scan.from = bytes;
	range->scan.to = bytes + from_len;
	range->mark = bytes + from_len + to_len;
	range->mark_len = mark_len;
	if (from_len)
		memcpy(bytes, scan->from, from_len);
	if (to_len)
		memcpy(bytes + from_len, scan->to, to_len);
	if (mark_len)
		memcpy(bytes + from_len + to_len, mark, mark_len);
	tables->txn.ranges = range;
	where->party->n_ranges++;
	return 0;
}

/* --- writing ------------------------------------------------------------------------------- */

/* What is known already about whether the row is there makes it fail now, not at the end. */
static int check_presence(struct cell_call *call, const struct cell_table *table,
			  enum table_write_kind kind, const struct txn_row *known, const void *row)
{
	char text[CELL_ERROR_TEXT_MAX];
	bool is_there;

	if (!known || (!known->write && !known->was_read))
		return 0;
	is_there = known->write ? !write_deletes(known->write) : known->version != 0;
	if (kind == TABLE_WRITE_KIND_INSERT && is_there)
		return cell_refuse(call, CELL_ALREADY_EXISTS, "there is a %s with %s already",
				   table->name,
				   table_key_print(table, 0, row, text, sizeof text));
	if ((kind == TABLE_WRITE_KIND_UPDATE || kind == TABLE_WRITE_KIND_REMOVE) && !is_there)
		return table_not_found(call, table, 0, row);
	return 0;
}

/*
 * Writes go to the cell in their order, as others of the transaction may depend on them; only
 * the very last one can be replaced by another of its row, if nobody has looked.
 */
static bool may_replace(const struct txn *txn, const struct txn_row *row,
			enum table_write_kind kind)
{
	const struct txn_write *last = txn->last_write;

	return last && last->row == row && last->number > txn->frozen &&
	       (last->kind == TABLE_WRITE_KIND_PUT || last->kind == TABLE_WRITE_KIND_UPDATE) &&
	       (kind == TABLE_WRITE_KIND_PUT || kind == TABLE_WRITE_KIND_UPDATE);
}

static int write_add(struct cell_call *call, struct txn_row *row, enum table_write_kind kind,
		     const uint8_t *bytes, size_t len)
{
	struct call_tables *tables = call->root->tables;
	struct txn *txn = &tables->txn;
	struct txn_write *write;

	if (may_replace(txn, row, kind)) {
		txn->last_write->bytes = bytes;
		txn->last_write->len = len;
		return 0;
	}
	write = cell_arena_alloc(&tables->arena, sizeof *write);
	if (!write)
		return too_large(call);
	*write = (struct txn_write){ .previous = row->write, .row = row, .kind = kind,
				     .number = ++txn->n_writes, .len = len, .bytes = bytes };
	*txn->writes_end = write;
	txn->writes_end = &write->next;
	txn->last_write = row->write = write;
	row->table->n_writes++;
	row->table->party->n_writes++;
	return 0;
}

int table_txn_write(struct cell_call *call, const struct cell_table *table, enum table_write_kind kind,
	      const void *row)
{
	struct call_tables *tables = call->root->tables;
	const uint8_t *bytes = NULL;
	size_t len = 0;
	struct named named;
	int r;

	if (tables->is_broken)
		return broken(call);
	r = name_row(call, table, row, &named);
	if (r == 0)
		r = check_presence(call, table, kind, named.row, row);
	if (r == 0)
		r = name_and_add(call, table, &named);
	if (r < 0)
		return r;
	if (kind == TABLE_WRITE_KIND_REMOVE) {
		bytes = named.row->key;
		len = named.row->key_len;
	} else {
		r = table_row_bytes(call, table, row, &tables->arena, &bytes, &len);
	}
	return r < 0 ? r == -ENOMEM ? too_large(call) : r
		     : write_add(call, named.row, kind, bytes, len);
}

/* Take back what was written behind LAST (NULL: all of it). */
static void take_back(struct txn *txn, struct txn_write *last)
{
	struct txn_write *write = last ? last->next : txn->writes;
	uint64_t kept = last ? last->number : 0;

	for (; write; write = write->next) {
		struct txn_row *row = write->row;

		while (row->write && row->write->number > kept)
			row->write = row->write->previous;
		row->table->n_writes--;
		row->table->party->n_writes--;
	}
	if (last)
		last->next = NULL;
	else
		txn->writes = NULL;
	txn->writes_end = last ? &last->next : &txn->writes;
	txn->last_write = last;
}

/* --- the commit ---------------------------------------------------------------------------- */

int table_txn_send(struct cell_call *call, struct cell_ref *ref, struct table_commit_request *request,
	     struct table_committed *ret)
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
			*reads++ = (struct table_row_read){
				.table = row->table->number, .n_key = row->key_len,
				.key = row->key, .version = row->version };
	for (const struct txn_range *range = txn->ranges; range; range = range->next)
		if (range->table->party == party)
			*ranges++ = (struct table_range_read){
				.table = range->table->number, .scan = &range->scan,
				.n_mark = range->mark_len, .mark = range->mark };
}

static void fill_writes(const struct txn *txn, const struct txn_party *party,
			struct table_write *writes)
{
	for (const struct txn_write *write = txn->writes; write; write = write->next)
		if (write->row->table->party == party)
			*writes++ = (struct table_write){
				.table = write->row->table->number, .kind = write->kind,
				.n_row = write->len, .row = write->bytes };
}

/* What PARTY is to check and do, in the transaction's memory. */
static int request_make(struct cell_call *call, const struct txn_party *party,
			struct table_commit_request *ret)
{
	struct cell_arena *arena = &call->root->tables->arena;
	const struct txn *txn = txn_of(call);
	struct table_table_ref *tables = cell_arena_calloc(arena, party->n_tables, sizeof *tables);
	struct table_row_read *reads = cell_arena_calloc(arena, party->n_reads, sizeof *reads);
	struct table_range_read *ranges = cell_arena_calloc(arena, party->n_ranges, sizeof *ranges);
	struct table_write *writes = cell_arena_calloc(arena, party->n_writes, sizeof *writes);

	if (!tables || !reads || !ranges || !writes)
		return too_large(call);
	fill_tables(txn, party, tables);
	fill_reads(txn, party, reads, ranges);
	fill_writes(txn, party, writes);
	*ret = (struct table_commit_request){
		.n_tables = party->n_tables, .tables = tables, .n_reads = party->n_reads,
		.reads = reads, .n_ranges = party->n_ranges, .ranges = ranges,
		.n_writes = party->n_writes, .writes = writes,
	};
	return 0;
}

static int commit_at(struct cell_call *call, const struct txn_party *party)
{
	struct cell_call to = call_to(call, party);
	struct table_commit_request request;
	struct table_committed committed;
	int r = request_make(call, party, &request);

	return r < 0 ? r : table_txn_send(&to, party->ref, &request, &committed);
}

/* --- several cells --------------------------------------------------------------------------- */

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
	prepare->request = (struct table_prepare_request){
		.n_txn = 16, .txn = txn, .coordinator = COORDINATOR, .commit = &prepare->commit };
	prepare->future = cell_invoke_start(&prepare->call, party->ref,
					    &table_tables_methods[TABLES_PREPARE],
					    &prepare->request);
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
	const struct txn *what = txn_of(call);
	struct prepare *prepares = cell_arena_calloc(&call->root->tables->arena, what->n_parties,
						     sizeof *prepares);
	struct cell_error first = { 0 };
	size_t n = 0;
	int r = 0;

	if (!prepares)
		return too_large(call);
	for (const struct txn_party *party = what->parties; party && r == 0; party = party->next)
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
	const struct txn *what = txn_of(call);
	const char **names = cell_arena_calloc(&call->root->tables->arena, what->n_parties,
					       sizeof *names);
	struct txn_begin_request request = { .participants = names };
	struct txn_begun begun;
	int r;

	if (!names)
		return too_large(call);
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

	(void)cell_invoke(soon, &coordinator_ref, &txn_methods[TXN_ABORT], &request, &aborted);
	call->root->error = error;
}

static int commit_over_cells(struct cell_call *call)
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
	return cell_invoke(&own, &coordinator_ref, &txn_methods[TXN_COMMIT], &request, &committed);
}

/* --- begin and end -------------------------------------------------------------------------- */

/* What a call has that got no memory for a transaction: so its writes are not done at once. */
static struct txn_level no_level;
static struct call_tables no_tables = { .txn.level = &no_level, .is_broken = true };

int cell_txn_begin(struct cell_call *call)
{
	struct call_tables *tables = call_tables_get(call);
	struct txn_level *level;
	struct txn *txn;

	if (!tables && call->root->rt)
		call->root->tables = &no_tables;
	if (!tables)
		return -ENOMEM;
	txn = &tables->txn;
	level = &txn->outermost;
	if (txn->level) {
		level = cell_arena_alloc(&tables->arena, sizeof *level);
		if (!level)
			return too_large(call);
	} else {
		txn->writes_end = &txn->writes;
		txn->is_repeatable = true;
	}
	*level = (struct txn_level){ .outer = txn->level, .last = txn->last_write };
	txn->level = level;
	txn->frozen = txn->n_writes;
	return 0;
}

void table_txn_clear(struct call_tables *tables)
{
	tables->txn = (struct txn){ 0 };
	cell_arena_reset(&tables->arena);
}

/* One read is true by itself; several may be of different moments. */
static int validate(struct cell_call *call)
{
	const struct txn *txn = txn_of(call);
	uint32_t n_reads = 0;
	int r = 0;

	for (const struct txn_party *party = txn->parties; party; party = party->next)
		n_reads += party->n_reads + party->n_ranges;
	if (n_reads < 2)
		return 0;
	for (const struct txn_party *party = txn->parties; party && r == 0; party = party->next)
		r = commit_at(call, party);
	return r;
}

int table_txn_commit(struct cell_call *call, int err)
{
	struct txn *txn = txn_of(call);
	int r = table_cursors_stop(call, err == 0);

	if (err)
		return err;
	if (r < 0)
		return r;
	if (txn->has_lost)
		return cell_refuse(call, CELL_ABORTED, "something was read twice, and was another");
	if (!txn->writes)
		return validate(call);
	return txn->n_parties == 1 ? commit_at(call, txn->parties) : commit_over_cells(call);
}

int table_txn_leave(struct cell_call *call, int err)
{
	struct txn *txn = txn_of(call);
	struct txn_level *level = txn->level;

	if (err)
		take_back(txn, level->last);
	txn->level = level->outer;
	txn->frozen = txn->n_writes;
	return err;
}

int cell_txn_end(struct cell_call *call, int err)
{
	struct call_tables *tables = call->root->tables;
	int r;

	if (!call_has_txn(call))
		return err ? err : cell_refuse(call, CELL_FAILED_PRECONDITION,
					       "the end of a transaction that was not begun");
	if (tables->is_broken) {
		call->root->tables = NULL;
		return err ? err : broken(call);
	}
	if (tables->txn.level->outer)
		return table_txn_leave(call, err);
	r = table_txn_commit(call, err);
	table_txn_clear(tables);
	table_turns_leave(call->root);
	return r;
}
