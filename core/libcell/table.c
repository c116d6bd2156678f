#include "tables.h"

#include <cell/cell.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- requests
 * -------------------------------------------------------------------------------- */

bool tables_provisioned(struct cell_call *call, struct cell_ref *ref, int status)
{
	const char *cell = call->to_cell ? call->to_cell : ref->cell;
	const struct cell_error *error = &call->root->error;

	if (status != CELL_FAILED_PRECONDITION || !strstr(error->text, "provision it again"))
		return false;
	return linked_provision(call, ref, cell) == 0;
}

int tables_invoke(struct cell_call *call, struct cell_ref *ref,
		  const struct cell_method *method, const void *in, void *out)
{
	int r = cell_invoke(call, ref, method, in, out);

	if (CELL_UNLIKELY(r == CELL_FAILED_PRECONDITION) && tables_provisioned(call, ref, r))
		r = cell_invoke(call, ref, method, in, out);
	return r;
}

int table_key_bytes(struct cell_call *call, const struct cell_table *table, unsigned key,
		    unsigned n, const void *row, struct cell_arena *arena,
		    const uint8_t **ret_bytes, size_t *ret_len)
{
	size_t bound = table_key_bound(table, key, n, row);
	uint8_t *bytes;

	if (bound == SIZE_MAX)
		return cell_refuse(call, CELL_INVALID_ARGUMENT,
				   "a key of %s that cannot be encoded", table->name);
	bytes = cell_arena_alloc(arena, bound);
	if (!bytes)
		return cell_refuse(call, -ENOMEM, "a key of %s of %zu bytes", table->name,
				   bound);
	*ret_bytes = bytes;
	*ret_len = (size_t)(table_key_encode(table, key, n, row, bytes) - bytes);
	return 0;
}

int table_row_bytes(struct cell_call *call, const struct cell_table *table, const void *row,
		    struct cell_arena *arena, const uint8_t **ret_bytes, size_t *ret_len)
{
	struct table_row_type type = table_row_type_of(table);
	size_t bound = table_row_bound(&type, row);
	uint8_t *bytes, *end;

	if (bound == SIZE_MAX)
		return cell_refuse(call, CELL_INVALID_ARGUMENT,
				   "a row of %s that cannot be encoded", table->name);
	bytes = cell_arena_alloc(arena, bound);
	if (!bytes)
		return cell_refuse(call, -ENOMEM, "a row of %s of %zu bytes", table->name,
				   bound);
	end = table_row_encode(&type, row, bytes);
	/* What the bound had to allow for goes back, if nothing came after it. */
	if (arena->at == bytes + ((bound + 7) & ~(size_t)7))
		arena->at = bytes + ((size_t)(end - bytes + 7) & ~(size_t)7);
	*ret_bytes = bytes;
	*ret_len = (size_t)(end - bytes);
	return 0;
}

/* --- one row
 * --------------------------------------------------------------------------------- */

/*
 * A GetRequest that is encoded from the row, and a GetReply that is decoded into one: nothing
 * in between is built.
 */
struct get_call {
	const struct cell_table *table;
	unsigned key;
	const void *row;
};

static size_t get_bound(const void *message)
{
	const struct get_call *get = message;
	uint64_t size = 64;

	size += cell_bound_string(get->table->store) + cell_bound_string(get->table->name);
	size += cell_bound_size(table_key_bound(get->table, get->key,
						get->table->keys[get->key].n, get->row));
	return cell_bound_end(size);
}

static uint8_t *ref_encode(const struct cell_table *table, uint8_t *out)
{
	*out++ = 1 << 3 | 2;
	out = cell_encode_string(out, table->store);
	*out++ = 2 << 3 | 2;
	out = cell_encode_string(out, table->name);
	*out++ = 3 << 3 | 1;
	return cell_encode_fixed64(out, table->version);
}

static uint8_t *get_encode(const void *message, uint8_t *out)
{
	const struct get_call *get = message;
	uint8_t *start, *body;

	*out++ = 1 << 3 | 2;
	start = out;
	body = cell_encode_open(start, 0);
	out = cell_encode_close(start, body, ref_encode(get->table, body));
	if (get->key) {
		*out++ = 2 << 3;
		out = cell_encode_varint(out, get->key);
	}
	*out++ = 3 << 3 | 2;
	start = out;
	body = cell_encode_open(start, 0);
	return cell_encode_close(start, body,
				 table_key_encode(get->table, get->key,
						  get->table->keys[get->key].n, get->row,
						  body));
}

/*
 * The row is decoded when all around it has been: the last text's NUL goes to where the field
 * behind it begins.
 */
static int fetched_decode(void *message, const uint8_t *bytes, size_t len, unsigned flags,
			  struct cell_arena *arena, struct cell_error *err)
{
	struct table_fetched *fetched = message;
	struct table_row_type type = table_row_type_of(fetched->table);
	const uint8_t *at = bytes, *end = bytes + len, *row = bytes, *row_end = bytes;
	struct cell_decoder d;

	fetched->found = false;
	fetched->version = 0;
	cell_decode_begin(&d, flags, arena, err);
	while (at && at < end) {
		uint8_t tag = *at++;

		switch (tag) {
		case 1 << 3: at = cell_decode_bool(at, end, &fetched->found); break;
		case 2 << 3 | 2:
			row = at = cell_decode_length(&d, at, end, &row_end);
			at = at ? row_end : NULL;
			break;
		case 3 << 3: at = cell_decode_uint64(at, end, &fetched->version); break;
		default: at = cell_decode_unknown(&d, at, end, tag); break;
		}
	}
	if (!at)
		return cell_fail(err, CELL_INTERNAL, "a row of %s: %s", type.name,
				 d.why ? d.why : "cut short");
	if (!fetched->found)
		fetched->version = 0;
	else if (fetched->version == 0)
		return cell_fail(err, CELL_INTERNAL, "a row of %s without a version",
				 type.name);
	return fetched->found ? table_row_decode(&type, fetched->row, row,
						 (size_t)(row_end - row), flags, arena, err)
			      : 0;
}

static const struct cell_message_type get_type = {
	.name = "cell.table.v1.GetRequest",
	.size = sizeof(struct get_call),
	.bound = get_bound,
	.encode = get_encode,
};

static const struct cell_message_type fetched_type = {
	.name = "cell.table.v1.GetReply",
	.size = sizeof(struct table_fetched),
	.decode = fetched_decode,
};

static const struct cell_method get_method = {
	.name = "Get",
	.full_name = "cell.table.v1.Tables/Get",
	.hash = 0xc962974au,
	.flags = CELL_METHOD_IDEMPOTENT,
	.channel = CELL_CHANNEL_APP,
	.in = &get_type,
	.out = &fetched_type,
};

int table_fetch(struct cell_call *call, const struct cell_table *table, unsigned key,
		const void *row, struct table_fetched *fetched)
{
	struct get_call get = { table, key, row };

	fetched->table = table;
	fetched->row = cell_arena_alloc(&call->root->arena, table->row_size);
	if (!fetched->row)
		return cell_refuse(call, -ENOMEM, "a row of %s", table->name);
	return tables_invoke(call, table->ref, &get_method, &get, fetched);
}

int table_not_found(struct cell_call *call, const struct cell_table *table, unsigned key,
		    const void *row)
{
	char text[CELL_ERROR_TEXT_MAX];

	if (table->keys[key].n == 0)
		return cell_refuse(call, CELL_NOT_FOUND, "%s has no row yet", table->name);
	return cell_refuse(call, CELL_NOT_FOUND, "no %s with %s", table->name,
			   table_key_print(table, key, row, text, sizeof text));
}

/* The hash of ROW's primary key. */
static int row_hash(struct cell_call *call, const struct cell_table *table, const void *row,
		    uint64_t *ret_hash)
{
	struct cell_arena_mark mark;
	uint8_t short_key[128];
	const uint8_t *key;
	size_t len;
	int r;

	if (table_key_bound(table, 0, table->keys[0].n, row) <= sizeof short_key) {
		len = (size_t)(table_key_encode(table, 0, table->keys[0].n, row, short_key) -
			       short_key);
		*ret_hash = table_key_hash(call, table, short_key, len);
		return 0;
	}
	mark = cell_arena_mark(&call->root->arena);
	r = table_key_bytes(call, table, 0, table->keys[0].n, row, &call->root->arena, &key,
			    &len);
	if (r < 0)
		return r;
	*ret_hash = table_key_hash(call, table, key, len);
	cell_arena_rewind(&call->root->arena, mark);
	return 0;
}

int table_version_note(struct cell_call *call, const struct cell_table *table,
		       const void *row, uint64_t version)
{
	struct call_tables *tables = call_tables_get(call);
	uint64_t hash = 0;
	int r;

	if (!tables)
		return -ENOMEM;
	r = row_hash(call, table, row, &hash);
	if (r == 0 && table_seen_note(&tables->seen, hash, version) < 0)
		r = cell_refuse(call, -ENOMEM, "what a call has seen");
	return r;
}

int cell_table_get(struct cell_call *call, const struct cell_table *table, unsigned key,
		   const void *row, void *ret_row)
{
	struct table_fetched fetched;
	int r;

	if (call_has_txn(call))
		return table_txn_get(call, table, key, row, ret_row);
	r = table_fetch(call, table, key, row, &fetched);
	if (r < 0)
		return r;
	if (fetched.found)
		r = table_version_note(call, table, fetched.row, fetched.version);
	else if (key == 0)
		r = table_version_note(call, table, row, 0);
	if (r < 0)
		return r;
	if (!fetched.found)
		return table_not_found(call, table, key, row);
	memcpy(ret_row, fetched.row, table->row_size);
	return 0;
}

/* --- writes outside of transactions
 * ------------------------------------------------------------ */

/* One or more writes to one table, to be sent at once. */
struct batch {
	struct table_write *writes;
	struct table_row_read *reads;
	uint64_t *hashes;
	size_t n, n_reads;
};

static int batch_new(struct cell_call *call, struct batch *batch, size_t n)
{
	struct cell_arena *arena = &call->root->arena;

	*batch = (struct batch){
		.writes = cell_arena_calloc(arena, n, sizeof *batch->writes),
		.reads = cell_arena_calloc(arena, n, sizeof *batch->reads),
		.hashes = cell_arena_calloc(arena, n, sizeof *batch->hashes),
	};
	if (!batch->writes || !batch->reads || !batch->hashes)
		return cell_refuse(call, -ENOMEM, "%zu writes", n);
	return 0;
}

static int batch_add(struct cell_call *call, struct batch *batch,
		     const struct cell_table *table, enum table_write_kind kind,
		     const void *row)
{
	struct call_tables *tables = call->root->tables;
	struct cell_arena *arena = &call->root->arena;
	struct table_write *write = &batch->writes[batch->n];
	const uint8_t *key = NULL;
	uint64_t version;
	size_t len = 0;
	int r = table_key_bytes(call, table, 0, table->keys[0].n, row, arena, &key, &len);

	write->kind = kind;
	if (r == 0 && kind == TABLE_WRITE_KIND_REMOVE) {
		write->row = key;
		write->n_row = len;
	} else if (r == 0) {
		r = table_row_bytes(call, table, row, arena, &write->row, &write->n_row);
	}
	if (r < 0)
		return r;
	batch->hashes[batch->n++] = table_key_hash(call, table, key, len);
	if (kind != TABLE_WRITE_KIND_INSERT && tables && !tables->is_broken &&
	    table_seen_find(&tables->seen, batch->hashes[batch->n - 1], &version))
		batch->reads[batch->n_reads++] = (struct table_row_read){
			.n_key = len, .key = key, .version = version
		};
	return 0;
}

static int batch_send(struct cell_call *call, struct batch *batch,
		      const struct cell_table *table, struct table_committed *ret,
		      bool want_rows)
{
	struct table_table_ref ref = table_ref_of(table);
	struct call_tables *tables = call->root->tables;
	struct table_commit_request request = {
		.n_tables = 1,
		.tables = &ref,
		.n_reads = batch->n_reads,
		.reads = batch->reads,
		.n_writes = batch->n,
		.writes = batch->writes,
		.want_rows = want_rows,
	};
	int r = table_txn_send(call, table->ref, &request, ret);

	if (r < 0 || !tables || tables->is_broken)
		return r;
	for (size_t i = 0; i < batch->n; i++)
		table_seen_update(&tables->seen, batch->hashes[i],
				  batch->writes[i].kind == TABLE_WRITE_KIND_REMOVE
					  ? 0
					  : ret->version);
	return 0;
}

int table_write_now(struct cell_call *call, const struct cell_table *table,
		    enum table_write_kind kind, const void *row)
{
	struct cell_arena_mark mark = cell_arena_mark(&call->root->arena);
	struct table_committed committed;
	struct batch batch;
	int r = batch_new(call, &batch, 1);

	if (r == 0)
		r = batch_add(call, &batch, table, kind, row);
	if (r == 0)
		r = batch_send(call, &batch, table, &committed, false);
	cell_arena_rewind(&call->root->arena, mark);
	return r;
}

static int write_row(struct cell_call *call, const struct cell_table *table,
		     enum table_write_kind kind, const void *row)
{
	if (call_has_txn(call))
		return table_txn_write(call, table, kind, row);
	return table_write_now(call, table, kind, row);
}

int cell_table_put(struct cell_call *call, const struct cell_table *table, const void *row)
{
	return write_row(call, table, TABLE_WRITE_KIND_PUT, row);
}

int cell_table_update(struct cell_call *call, const struct cell_table *table, const void *row)
{
	return write_row(call, table, TABLE_WRITE_KIND_UPDATE, row);
}

int cell_table_delete(struct cell_call *call, const struct cell_table *table, const void *row)
{
	return write_row(call, table, TABLE_WRITE_KIND_REMOVE, row);
}

int cell_table_put_all(struct cell_call *call, const struct cell_table *table,
		       const void *rows, size_t n)
{
	struct cell_arena_mark mark = cell_arena_mark(&call->root->arena);
	const uint8_t *at = rows;
	struct table_committed committed;
	struct batch batch;
	int r = 0;

	if (n == 0)
		return 0;
	if (call_has_txn(call)) {
		for (size_t i = 0; i < n && r == 0; i++)
			r = table_txn_write(call, table, TABLE_WRITE_KIND_PUT,
					    at + i * table->row_size);
		return r;
	}
	r = batch_new(call, &batch, n);
	for (size_t i = 0; i < n && r == 0; i++)
		r = batch_add(call, &batch, table, TABLE_WRITE_KIND_PUT,
			      at + i * table->row_size);
	if (r == 0)
		r = batch_send(call, &batch, table, &committed, false);
	cell_arena_rewind(&call->root->arena, mark);
	return r;
}

int table_insert_now(struct cell_call *call, const struct cell_table *table, void *row)
{
	struct table_row_type type = table_row_type_of(table);
	struct table_committed committed;
	struct batch batch;
	void *stored;
	int r = batch_new(call, &batch, 1);

	if (r == 0)
		r = batch_add(call, &batch, table, TABLE_WRITE_KIND_INSERT, row);
	if (r == 0)
		r = batch_send(call, &batch, table, &committed, true);
	if (r < 0)
		return r;
	if (committed.n_rows != 1)
		return cell_refuse(call, CELL_INTERNAL,
				   "%s: what was stored did not come back", table->name);
	stored = cell_arena_alloc(&call->root->arena, table->row_size);
	if (!stored)
		return cell_refuse(call, -ENOMEM, "a row of %s", table->name);
	r = table_row_decode(&type, stored, committed.rows[0].at, committed.rows[0].len,
			     CELL_DECODE_BYTES_STAY, &call->root->arena, &call->root->error);
	if (r == 0)
		memcpy(row, stored, table->row_size);
	return r;
}
