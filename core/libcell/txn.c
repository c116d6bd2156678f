#include "tables.h"

#include <cell/cell.h>
#include <errno.h>
#include <string.h>

/*
 * A transaction is a set of rows, each with the version that was read and what was written,
 * and a list of ranges. It is optimistic: until its end nobody else knows of it.
 */

#define BUCKETS_FIRST 16u

int table_txn_too_large(struct cell_call *call)
{
	return cell_refuse(call, CELL_RESOURCE_EXHAUSTED,
			   "the transaction holds %zu MiB already, or there is no memory",
			   TABLE_TXN_BYTES_MAX >> 20);
}

/* --- what is in it -------------------------------------------------------------------------
 */

int table_txn_broken(struct cell_call *call)
{
	return cell_refuse(call, -ENOMEM, "no memory for a transaction");
}

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
		.next = tables->txn.parties,
		.cell = cell,
		.ref = table->ref,
		.to_cell = call->to_cell ? cell : NULL,
		.to_instance = call->to_instance,
	};
	tables->txn.parties = party;
	tables->txn.n_parties++;
	return party;
}

/* The same table of another cell, by cell_to(), is another one. */
static bool is_at(const struct txn_party *party, const struct cell_call *call,
		  const struct cell_table *table)
{
	if (!call->to_cell && !party->to_cell)
		return true;
	return strcmp(party->cell, call->to_cell ? call->to_cell : table->ref->cell) == 0;
}

struct txn_table *table_txn_table(struct cell_call *call, const struct cell_table *table)
{
	struct call_tables *tables = call->root->tables;
	struct txn_party *party;
	struct txn_table *found;

	for (found = tables->txn.tables; found; found = found->next)
		if (found->table == table && is_at(found->party, call, table))
			return found;
	party = party_get(call, table);
	found = party ? cell_arena_calloc(&tables->arena, 1, sizeof *found) : NULL;
	if (!found) {
		(void)table_txn_too_large(call);
		return NULL;
	}
	*found = (struct txn_table){ .next = tables->txn.tables,
				     .table = table,
				     .party = party,
				     .number = party->n_tables++ };
	tables->txn.tables = found;
	return found;
}

struct txn_row *table_txn_find(const struct txn *txn, const struct cell_table *table,
			       uint64_t hash, const uint8_t *key, size_t len)
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

/* The smaller table of buckets stays in the arena until the end: half as much again at most.
 */
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
		(void)table_txn_too_large(call);
		return NULL;
	}
	row = cell_arena_alloc(&tables->arena, sizeof *row + len);
	if (!row) {
		(void)table_txn_too_large(call);
		return NULL;
	}
	*row = (struct txn_row){
		.next = txn->rows, .table = where, .hash = hash, .key_len = len
	};
	if (len)
		memcpy(row->key, key, len);
	txn->rows = row;
	txn->n_rows++;
	bucket_put(txn, row);
	return row;
}

int table_txn_name(struct cell_call *call, const struct cell_table *table, const void *row,
		   struct txn_named *ret)
{
	int r = table_key_bytes(call, table, 0, table->keys[0].n, row, &call->root->arena,
				&ret->key, &ret->len);

	if (r < 0)
		return r;
	ret->hash = table_key_hash(call, table, ret->key, ret->len);
	ret->row = table_txn_find(call_txn(call), table, ret->hash, ret->key, ret->len);
	return 0;
}

int table_txn_add(struct cell_call *call, const struct cell_table *table,
		  struct txn_named *named)
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

/* --- writing -------------------------------------------------------------------------------
 */

/* What is known already about whether the row is there makes it fail now, not at the end. */
static int check_presence(struct cell_call *call, const struct cell_table *table,
			  enum table_write_kind kind, const struct txn_row *known,
			  const void *row)
{
	char text[CELL_ERROR_TEXT_MAX];
	bool is_there;

	if (!known || (!known->write && !known->was_read))
		return 0;
	is_there = known->write ? !txn_write_deletes(known->write) : known->version != 0;
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
	       (last->kind == TABLE_WRITE_KIND_PUT ||
		last->kind == TABLE_WRITE_KIND_UPDATE) &&
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
		return table_txn_too_large(call);
	*write = (struct txn_write){ .previous = row->write,
				     .row = row,
				     .kind = kind,
				     .number = ++txn->n_writes,
				     .len = len,
				     .bytes = bytes };
	*txn->writes_end = write;
	txn->writes_end = &write->next;
	txn->last_write = row->write = write;
	row->table->n_writes++;
	row->table->party->n_writes++;
	return 0;
}

int table_txn_write(struct cell_call *call, const struct cell_table *table,
		    enum table_write_kind kind, const void *row)
{
	struct call_tables *tables = call->root->tables;
	const uint8_t *bytes = NULL;
	size_t len = 0;
	struct txn_named named;
	int r;

	if (tables->is_broken)
		return table_txn_broken(call);
	r = table_txn_name(call, table, row, &named);
	if (r == 0)
		r = check_presence(call, table, kind, named.row, row);
	if (r == 0)
		r = table_txn_add(call, table, &named);
	if (r < 0)
		return r;
	if (kind == TABLE_WRITE_KIND_REMOVE) {
		bytes = named.row->key;
		len = named.row->key_len;
	} else {
		r = table_row_bytes(call, table, row, &tables->arena, &bytes, &len);
	}
	return r < 0 ? r == -ENOMEM ? table_txn_too_large(call) : r
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

/* --- begin and end
 * -------------------------------------------------------------------------- */

/* What a call has that got no memory for a transaction: so its writes are not done at once.
 */
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
			return table_txn_too_large(call);
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
	const struct txn *txn = call_txn(call);
	uint32_t n_reads = 0;
	int r = 0;

	for (const struct txn_party *party = txn->parties; party; party = party->next)
		n_reads += party->n_reads + party->n_ranges;
	if (n_reads < 2)
		return 0;
	for (const struct txn_party *party = txn->parties; party && r == 0;
	     party = party->next)
		r = table_txn_commit_at(call, party);
	return r;
}

int table_txn_commit(struct cell_call *call, int err)
{
	struct txn *txn = call_txn(call);
	int r = table_cursors_stop(call, err == 0);

	if (err)
		return err;
	if (r < 0)
		return r;
	if (txn->has_lost)
		return cell_refuse(call, CELL_ABORTED,
				   "something was read twice, and was another");
	if (!txn->writes)
		return validate(call);
	return txn->n_parties == 1 ? table_txn_commit_at(call, txn->parties)
				   : table_txn_commit_over_cells(call);
}

int table_txn_leave(struct cell_call *call, int err)
{
	struct txn *txn = call_txn(call);
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
		return err ? err
			   : cell_refuse(call, CELL_FAILED_PRECONDITION,
					 "the end of a transaction that was not begun");
	if (tables->is_broken) {
		call->root->tables = NULL;
		return err ? err : table_txn_broken(call);
	}
	if (tables->txn.level->outer)
		return table_txn_leave(call, err);
	r = table_txn_commit(call, err);
	table_txn_clear(tables);
	table_turns_leave(call->root);
	return r;
}
