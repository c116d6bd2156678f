#include "memdb.h"

#include <cell/internal/table/row.h>
#include <cell/internal/table/schema.h>

#include <macro.cell.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <txn.cell.h>

#define KEY_MAX  512
#define TXNS_MAX 16
#define IDS_MAX  64

struct row {
	size_t key_len, len;
	uint64_t version;
	uint8_t key[KEY_MAX];
	uint8_t *bytes;
};

struct kept {
	struct schema *schema;
	struct row **rows; /* by key */
	size_t n, size;
	int64_t serial;
};

struct undo {
	struct kept *table;
	struct row *was, *is;
};

struct prepared {
	uint8_t txn[16];
	bool is_used, was_applied;
	uint8_t *request; /* encoded; rows of it are locked */
	size_t len;
};

struct answered {
	uint8_t id[16];
	uint64_t version;
};

struct db {
	const struct memdb *memdb;
	struct memdb_shared *shared;
	struct kept *tables;
	uint64_t version;
	struct prepared prepared[TXNS_MAX];
	struct answered ids[IDS_MAX];
	size_t n_ids;
	struct change *changes;
	size_t n_changes;
};

struct change {
	struct kept *table;
	uint64_t at;
	struct row *was, *is;
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

struct memdb_shared *memdb_shared_new(void)
{
	void *shared = mmap(NULL, sizeof(struct memdb_shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(shared != MAP_FAILED, "mmap");
	return shared;
}

void memdb_shared_free(struct memdb_shared *shared)
{
	(void)munmap(shared, sizeof *shared);
}

static struct schema *schema_of(const struct table_table *table)
{
	size_t room = table_table_type.bound(table);
	uint8_t *bytes = malloc(room);
	struct schema *schema = NULL;
	struct cell_error err = { 0 };

	must(bytes != NULL, "malloc");
	if (schema_new(&schema, bytes,
		       (size_t)(table_table_type.encode(table, bytes) - bytes), &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	free(bytes);
	return schema;
}

uint64_t memdb_version(const struct table_table *table)
{
	struct schema *schema = schema_of(table);
	uint64_t version = schema->version;

	schema_free(schema);
	return version;
}

/* Note that it was asked, and hang up if the test wants that. True: say no more. */
static bool said(struct cell_call *call, struct memdb_shared *shared, const char *cell,
		 enum memdb_said what)
{
	uint32_t at = atomic_fetch_add(&shared->n_said, 1) % MEMDB_SAID_MAX;

	shared->said[at] = (uint8_t)what;
	shared->said_by[at] = (uint8_t)cell[0];
	if (shared->hang_up != what)
		return false;
	shared->hang_up = 0;
	crew_hang_up(call);
	return true;
}

/* --- rows
 * ------------------------------------------------------------------------------------ */

static int find_table(struct cell_call *call, struct db *db,
		      const struct table_table_ref *ref, struct kept **ret)
{
	for (size_t i = 0; ref && i < db->memdb->n_tables; i++) {
		struct schema *schema = db->tables[i].schema;

		if (strcmp(schema->told->name, ref->name) != 0)
			continue;
		if (db->shared->is_unprovisioned ||
		    (ref->version && ref->version != schema->version))
			return cell_refuse(call, CELL_FAILED_PRECONDITION,
					   "table '%s' is not known so: provision it again",
					   ref->name);
		*ret = &db->tables[i];
		return 0;
	}
	return cell_refuse(call, CELL_NOT_FOUND, "no table '%s'", ref ? ref->name : "");
}

static struct value *values_of(struct cell_call *call, const struct schema *schema,
			       const uint8_t *bytes, size_t len)
{
	struct value *values =
		cell_arena_calloc(cell_arena(call), schema->n_columns, sizeof *values);

	must(values != NULL, "values");
	return row_decode(schema, bytes, len, values, cell_arena(call),
			  cell_error_slot(call)) < 0
		       ? NULL
		       : values;
}

static int key_of(struct cell_call *call, const struct schema *schema, unsigned index,
		  const struct value *values, size_t n, bool is_prefix, uint8_t *key,
		  size_t *ret_len)
{
	return row_key(schema, &schema->keys[index], values, n, is_prefix, key, KEY_MAX,
		       ret_len, cell_error_slot(call));
}

static int bytes_compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	int r = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return r ? r : (a_len > b_len) - (a_len < b_len);
}

/* Where KEY is or would be. */
static size_t place_of(const struct kept *table, const uint8_t *key, size_t len,
		       bool *ret_is_there)
{
	size_t low = 0, high = table->n;

	*ret_is_there = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct row *row = table->rows[middle];
		int r = bytes_compare(row->key, row->key_len, key, len);

		if (r == 0) {
			*ret_is_there = true;
			return middle;
		}
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct row *find_row(const struct kept *table, const uint8_t *key, size_t len)
{
	bool is_there;
	size_t at = place_of(table, key, len, &is_there);

	return is_there ? table->rows[at] : NULL;
}

/* Put IS in the place of what has KEY, or remove that. Rows are never freed: scans have them.
 */
static void replace(struct kept *table, const uint8_t *key, size_t len, struct row *is)
{
	bool is_there;
	size_t at = place_of(table, key, len, &is_there);

	if (is_there && is) {
		table->rows[at] = is;
	} else if (is_there) {
		memmove(&table->rows[at], &table->rows[at + 1],
			(table->n - at - 1) * sizeof is);
		table->n--;
	} else if (is) {
		if (table->n == table->size) {
			table->size = table->size ? table->size * 2 : 64;
			table->rows = realloc(table->rows, table->size * sizeof is);
			must(table->rows != NULL, "realloc");
		}
		memmove(&table->rows[at + 1], &table->rows[at], (table->n - at) * sizeof is);
		table->rows[at] = is;
		table->n++;
	}
}

/* --- reading
 * ----------------------------------------------------------------------------------- */

static struct cell_bytes told(const struct db *db, const struct row *row)
{
	if (db->shared->lie_len)
		return (struct cell_bytes){ db->shared->lie_len, db->shared->lie };
	return (struct cell_bytes){ row->len, row->bytes };
}

static int get(struct cell_call *call, void *self, const struct table_get_request *in,
	       struct table_get_reply *out)
{
	struct db *db = self;
	struct value *values, *other;
	uint8_t key[KEY_MAX], has[KEY_MAX];
	struct kept *table;
	size_t len, has_len;
	int r;

	if (said(call, db->shared, db->memdb->cell, MEMDB_GET))
		return CELL_UNAVAILABLE;
	r = find_table(call, db, in->table, &table);
	if (r < 0)
		return r;
	values = values_of(call, table->schema, in->key, in->n_key);
	if (!values || key_of(call, table->schema, in->index, values,
			      table->schema->keys[in->index].n, false, key, &len) < 0)
		return cell_error(call)->code;
	for (size_t i = 0; i < table->n && !out->found; i++) {
		struct row *row = in->index ? table->rows[i] : find_row(table, key, len);

		if (!row)
			return 0;
		other = values_of(call, table->schema, row->bytes, row->len);
		if (!other ||
		    key_of(call, table->schema, in->index, other,
			   table->schema->keys[in->index].n, false, has, &has_len) < 0)
			return cell_error(call)->code;
		if (bytes_compare(key, len, has, has_len) == 0) {
			struct cell_bytes bytes = told(db, row);

			*out = (struct table_get_reply){ .found = true,
							 .n_row = bytes.len,
							 .row = bytes.at,
							 .version = row->version };
		}
	}
	return 0;
}

struct sorted {
	struct row *row;
	uint8_t key[KEY_MAX]; /* the index's, then the primary one */
	size_t len, index_len;
};

static int sorted_order(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	return bytes_compare(x->key, x->len, y->key, y->len);
}

static bool begins_with(const uint8_t *bytes, size_t len, const uint8_t *begin,
			size_t begin_len)
{
	return begin_len <= len && memcmp(bytes, begin, begin_len) == 0;
}

struct range {
	uint8_t from[KEY_MAX], to[KEY_MAX];
	size_t from_len, to_len;
	const struct table_scan_request *in;
};

static bool is_within(const struct range *range, const uint8_t *key, size_t len)
{
	if (range->in->prefix)
		return begins_with(key, len, range->from, range->from_len);
	if (range->from_len && bytes_compare(key, len, range->from, range->from_len) < 0)
		return false;
	return !range->to_len || bytes_compare(key, len, range->to, range->to_len) <= 0 ||
	       begins_with(key, len, range->to, range->to_len);
}

static int range_read(struct cell_call *call, const struct schema *schema,
		      const struct table_scan_request *in, struct range *range)
{
	struct value *from = values_of(call, schema, in->from, in->n_from);
	struct value *to = values_of(call, schema, in->to, in->n_to);
	const struct schema_key *key = &schema->keys[in->index];
	int r;

	*range = (struct range){ .in = in };
	if (!from || !to)
		return cell_error(call)->code;
	r = key_of(call, schema, in->index, from, row_key_given(key, from), in->prefix,
		   range->from, &range->from_len);
	return r < 0 ? r
		     : key_of(call, schema, in->index, to, row_key_given(key, to), false,
			      range->to, &range->to_len);
}

/* The rows of a scan as they are now, malloc'ed. */
static int collect(struct cell_call *call, struct kept *table,
		   const struct table_scan_request *in, struct row ***ret_rows, size_t *ret_n)
{
	const struct schema *schema = table->schema;
	struct row **rows = malloc((table->n + 1) * sizeof(struct row *));
	struct sorted *sorted = in->index ? calloc(table->n + 1, sizeof *sorted) : NULL;
	struct range range;
	size_t n = 0;
	int r = range_read(call, schema, in, &range);

	must(rows && (sorted || !in->index), "malloc");
	for (size_t i = 0; i < table->n && r == 0; i++) {
		struct row *row = table->rows[i];

		if (!in->index) {
			if (is_within(&range, row->key, row->key_len))
				rows[n++] = row;
			continue;
		}
		sorted[n].row = row;
		r = key_of(call, schema, in->index,
			   values_of(call, schema, row->bytes, row->len),
			   schema->keys[in->index].n, false, sorted[n].key, &sorted[n].len);
		if (r < 0 || !is_within(&range, sorted[n].key, sorted[n].len))
			continue;
		memcpy(sorted[n].key + sorted[n].len, row->key, row->key_len);
		sorted[n].len += row->key_len;
		n++;
	}
	if (sorted)
		qsort(sorted, n, sizeof *sorted, sorted_order);
	for (size_t i = 0; sorted && i < n; i++)
		rows[i] = sorted[i].row;
	free(sorted);
	for (size_t i = 0; in->backwards && i < n / 2; i++) {
		struct row *swapped = rows[i];

		rows[i] = rows[n - 1 - i];
		rows[n - 1 - i] = swapped;
	}
	*ret_rows = rows;
	*ret_n = in->limit && in->limit < n ? in->limit : n;
	if (r < 0)
		free(rows);
	return r;
}

/* What the rows so far are: their keys and versions. */
static uint64_t mark_add(uint64_t mark, const struct row *row)
{
	for (size_t i = 0; i < row->key_len; i++)
		mark = (mark ^ row->key[i]) * 0x100000001b3ull;
	return (mark ^ row->version) * 0x100000001b3ull;
}

#define MARK_NONE 0xcbf29ce484222325ull

static int send_rows(struct db *db, struct table_rows_sink *out, struct row **rows, size_t n,
		     bool counts)
{
	size_t per_item = db->shared->rows_per_item ? db->shared->rows_per_item : 100, at = 0;
	struct cell_bytes bytes[1000];
	uint64_t versions[1000], mark = MARK_NONE;
	int r;

	must(per_item <= 1000, "rows per item");
	do {
		struct table_rows item = { .rows = bytes, .versions = versions };

		for (; at < n && item.n_rows < per_item; at++) {
			bytes[item.n_rows] = told(db, rows[at]);
			versions[item.n_rows++] = rows[at]->version;
			item.n_versions++;
			mark = mark_add(mark, rows[at]);
		}
		if (counts && (at == n || !db->shared->marks_at_end_only)) {
			item.n_mark = sizeof mark;
			item.mark = (const uint8_t *)&mark;
		}
		r = table_rows_send(out, &item);
	} while (at < n && r == 0);
	return r;
}

static int scan(struct cell_call *call, void *self, const struct table_scan_request *in,
		struct table_rows_sink *out)
{
	struct db *db = self;
	struct kept *table;
	struct row **rows;
	size_t n;
	int r;

	if (said(call, db->shared, db->memdb->cell, MEMDB_SCAN))
		return CELL_UNAVAILABLE;
	r = find_table(call, db, in->table, &table);
	if (r == 0)
		r = collect(call, table, in, &rows, &n);
	if (r < 0)
		return r;
	r = send_rows(db, out, rows, n, in->counts);
	free(rows);
	return r;
}

static int mark_now(struct cell_call *call, struct kept *table,
		    const struct table_scan_request *in, uint64_t *ret_mark, uint64_t *ret_n)
{
	struct row **rows;
	size_t n;
	int r = collect(call, table, in, &rows, &n);

	if (r < 0)
		return r;
	*ret_mark = MARK_NONE;
	for (size_t i = 0; i < n; i++)
		*ret_mark = mark_add(*ret_mark, rows[i]);
	*ret_n = n;
	free(rows);
	return 0;
}

static int count(struct cell_call *call, void *self, const struct table_scan_request *in,
		 struct table_counted *out)
{
	struct db *db = self;
	uint64_t *mark = cell_arena_alloc(cell_arena(call), sizeof *mark);
	struct kept *table;
	int r;

	if (said(call, db->shared, db->memdb->cell, MEMDB_COUNT))
		return CELL_UNAVAILABLE;
	r = find_table(call, db, in->table, &table);
	if (r == 0)
		r = mark_now(call, table, in, mark, &out->n);
	out->n_mark = in->counts ? sizeof *mark : 0;
	out->mark = (const uint8_t *)mark;
	return r;
}

/* --- writing
 * ------------------------------------------------------------------------------------- */

static int locked(struct cell_call *call, struct db *db, const struct kept *table,
		  const uint8_t *key, size_t len, const uint8_t *txn);

static int check_unique(struct cell_call *call, struct kept *table,
			const struct value *values, const uint8_t *own, size_t own_len)
{
	const struct schema *schema = table->schema;
	uint8_t key[KEY_MAX], other[KEY_MAX];
	size_t len, other_len;

	for (unsigned k = 1; k < schema->n_keys; k++) {
		if (!schema->keys[k].is_unique || row_key_has_null(&schema->keys[k], values))
			continue;
		(void)key_of(call, schema, k, values, schema->keys[k].n, false, key, &len);
		for (size_t i = 0; i < table->n; i++) {
			struct row *row = table->rows[i];

			if (bytes_compare(row->key, row->key_len, own, own_len) == 0)
				continue;
			(void)key_of(call, schema, k,
				     values_of(call, schema, row->bytes, row->len),
				     schema->keys[k].n, false, other, &other_len);
			if (bytes_compare(key, len, other, other_len) == 0)
				return cell_refuse(call, CELL_ALREADY_EXISTS,
						   "%s: another row has this %s",
						   schema->told->name, schema->keys[k].name);
		}
	}
	return 0;
}

static struct row *row_new(struct db *db, const struct schema *schema,
			   const struct value *values, const uint8_t *key, size_t len)
{
	struct row *row = calloc(1, sizeof *row);

	must(row != NULL, "calloc");
	row->bytes = malloc(row_bound(schema, values));
	must(row->bytes != NULL, "malloc");
	row->len = (size_t)(row_encode(schema, values, row->bytes) - row->bytes);
	memcpy(row->key, key, len);
	row->key_len = len;
	row->version = db->version;
	return row;
}

static int apply(struct cell_call *call, struct db *db, struct kept *table,
		 const struct table_write *write, const uint8_t *txn, struct undo *undo)
{
	const struct row_moment moment = { .now_us = 1 };
	struct value *values = values_of(call, table->schema, write->row, write->n_row);
	uint8_t key[KEY_MAX];
	size_t len;
	int r;

	if (!values || key_of(call, table->schema, 0, values, table->schema->keys[0].n, false,
			      key, &len) < 0)
		return cell_error(call)->code;
	*undo = (struct undo){ .table = table, .was = find_row(table, key, len) };
	r = locked(call, db, table, key, len, txn);
	if (r < 0)
		return r;
	if (write->kind == TABLE_WRITE_KIND_INSERT && undo->was)
		return cell_refuse(call, CELL_ALREADY_EXISTS, "%s: its key is there already",
				   table->schema->told->name);
	if ((write->kind == TABLE_WRITE_KIND_UPDATE ||
	     write->kind == TABLE_WRITE_KIND_REMOVE) &&
	    !undo->was)
		return cell_refuse(call, CELL_NOT_FOUND, "no %s with %s",
				   table->schema->told->name,
				   row_key_print(table->schema, &table->schema->keys[0],
						 values, cell_arena(call)));
	if (write->kind < TABLE_WRITE_KIND_DELETE) {
		r = row_finish(table->schema, values, write->kind == TABLE_WRITE_KIND_INSERT,
			       &moment, cell_arena(call), cell_error_slot(call));
		if (r == 0)
			r = check_unique(call, table, values, key, len);
		if (r < 0)
			return r;
		undo->is = row_new(db, table->schema, values, key, len);
	}
	replace(table, key, len, undo->is);
	return 0;
}

static void take_back(struct undo *undo, size_t n)
{
	while (n--)
		if (undo[n].was || undo[n].is)
			replace(undo[n].table,
				undo[n].was ? undo[n].was->key : undo[n].is->key,
				undo[n].was ? undo[n].was->key_len : undo[n].is->key_len,
				undo[n].was);
}

static int check_read(struct cell_call *call, struct db *db, struct kept *table,
		      const struct table_row_read *read, const uint8_t *txn)
{
	struct value *values = values_of(call, table->schema, read->key, read->n_key);
	uint8_t key[KEY_MAX];
	struct row *row;
	size_t len;
	int r;

	if (!values || key_of(call, table->schema, 0, values, table->schema->keys[0].n, false,
			      key, &len) < 0)
		return cell_error(call)->code;
	r = locked(call, db, table, key, len, txn);
	if (r < 0)
		return r;
	row = find_row(table, key, len);
	if ((row ? row->version : 0) == read->version)
		return 0;
	return cell_refuse(call, CELL_ABORTED, "%s with %s has changed since it was read",
			   table->schema->told->name,
			   row_key_print(table->schema, &table->schema->keys[0], values,
					 cell_arena(call)));
}

static int check_range(struct cell_call *call, struct kept *table,
		       const struct table_range_read *range)
{
	uint64_t mark, n;
	int r = mark_now(call, table, range->scan, &mark, &n);

	if (r == 0 &&
	    (range->n_mark != sizeof mark || memcmp(range->mark, &mark, sizeof mark) != 0))
		r = cell_refuse(call, CELL_ABORTED,
				"%s: rows of a range have changed since they were read",
				table->schema->told->name);
	return r;
}

/* Check and do, or nothing. *UNDO is malloc'ed. */
static int perform(struct cell_call *call, struct db *db,
		   const struct table_commit_request *in, const uint8_t *txn,
		   struct undo **ret_undo)
{
	struct kept **tables =
		cell_arena_calloc(cell_arena(call), in->n_tables, sizeof *tables);
	struct undo *undo = calloc(in->n_writes + 1, sizeof *undo);
	size_t n = 0;
	int r = 0;

	must(tables && undo, "memory");
	db->shared->n_reads = in->n_reads;
	db->shared->n_ranges = in->n_ranges;
	db->shared->n_writes = in->n_writes;
	if (db->shared->abort_commits) {
		db->shared->abort_commits--;
		r = cell_refuse(call, CELL_ABORTED, "the test wants it so");
	}
	for (size_t i = 0; i < in->n_tables && r == 0; i++)
		r = find_table(call, db, &in->tables[i], &tables[i]);
	for (size_t i = 0; i < in->n_reads && r == 0; i++)
		r = check_read(call, db, tables[in->reads[i].table], &in->reads[i], txn);
	for (size_t i = 0; i < in->n_ranges && r == 0; i++)
		r = check_range(call, tables[in->ranges[i].table], &in->ranges[i]);
	db->version++;
	for (size_t i = 0; i < in->n_writes && r == 0; i++)
		r = apply(call, db, tables[in->writes[i].table], &in->writes[i], txn,
			  &undo[n++]);
	if (r < 0)
		take_back(undo, n);
	*ret_undo = undo;
	return r;
}

static void changed(struct db *db, const struct undo *undo, size_t n)
{
	db->changes = realloc(db->changes, (db->n_changes + n + 1) * sizeof *db->changes);
	must(db->changes != NULL, "realloc");
	for (size_t i = 0; i < n; i++)
		db->changes[db->n_changes++] = (struct change){ .table = undo[i].table,
								.at = db->version,
								.was = undo[i].was,
								.is = undo[i].is };
}

static int commit(struct cell_call *call, void *self, const struct table_commit_request *in,
		  struct table_committed *out)
{
	struct db *db = self;
	struct cell_bytes *rows =
		cell_arena_calloc(cell_arena(call), in->n_writes, sizeof *rows);
	struct undo *undo;
	int r;

	if (said(call, db->shared, db->memdb->cell, MEMDB_COMMIT))
		return CELL_UNAVAILABLE;
	must(rows && in->n_id == 16, "an id");
	if (db->shared->commit_takes_ms &&
	    cell_sleep_ms(call, db->shared->commit_takes_ms) < 0)
		return cell_error(call)->code;
	for (size_t i = 0; i < db->n_ids && i < IDS_MAX; i++)
		if (memcmp(db->ids[i].id, in->id, 16) == 0) {
			out->version = db->ids[i].version;
			return 0;
		}
	r = perform(call, db, in, NULL, &undo);
	if (r == 0) {
		changed(db, undo, in->n_writes);
		memcpy(db->ids[db->n_ids % IDS_MAX].id, in->id, 16);
		db->ids[db->n_ids++ % IDS_MAX].version = out->version = db->version;
	}
	for (size_t i = 0; i < in->n_writes && r == 0 && in->want_rows; i++) {
		if (undo[i].is)
			rows[i] = (struct cell_bytes){ undo[i].is->len, undo[i].is->bytes };
		out->n_rows = in->n_writes;
		out->rows = rows;
	}
	free(undo);
	return r;
}

/* --- two phases
 * ---------------------------------------------------------------------------------- */

static struct prepared *prepared_find(struct db *db, const uint8_t *txn)
{
	for (size_t i = 0; i < TXNS_MAX; i++)
		if (db->prepared[i].is_used && memcmp(db->prepared[i].txn, txn, 16) == 0)
			return &db->prepared[i];
	return NULL;
}

/* While any transaction is prepared here, all rows are its. */
static int locked(struct cell_call *call, struct db *db, const struct kept *table,
		  const uint8_t *key, size_t len, const uint8_t *txn)
{
	(void)key;
	(void)len;
	for (size_t i = 0; i < TXNS_MAX; i++)
		if (db->prepared[i].is_used &&
		    (!txn || memcmp(db->prepared[i].txn, txn, 16) != 0))
			return cell_refuse(call, CELL_ABORTED,
					   "%s: a row of it is in a transaction",
					   table->schema->told->name);
	return 0;
}

static int prepare(struct cell_call *call, void *self, const struct table_prepare_request *in,
		   struct table_prepared *out)
{
	struct db *db = self;
	struct prepared *prepared = prepared_find(db, in->txn);
	struct undo *undo;
	int r;

	(void)out;
	if (said(call, db->shared, db->memdb->cell, MEMDB_PREPARE))
		return CELL_UNAVAILABLE;
	must(in->n_txn == 16 && in->commit && in->commit->n_id == 16, "a transaction");
	if (strcmp(in->coordinator, "txn") != 0)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "who is '%s'?",
				   in->coordinator);
	if (db->shared->refuse_prepare == (uint8_t)db->memdb->cell[0])
		return cell_refuse(call, CELL_FAILED_PRECONDITION,
				   "balance >= 0 does not hold");
	if (prepared)
		return 0;
	r = perform(call, db, in->commit, in->txn, &undo);
	if (r == 0) {
		/* Done again when it is decided: until then nobody is to see it. */
		take_back(undo, in->commit->n_writes);
		for (prepared = db->prepared; prepared->is_used; prepared++)
			must(prepared < &db->prepared[TXNS_MAX - 1], "too many transactions");
		prepared->is_used = true;
		memcpy(prepared->txn, in->txn, 16);
		prepared->request = malloc(table_commit_request_type.bound(in->commit));
		must(prepared->request != NULL, "malloc");
		prepared->len = (size_t)(table_commit_request_type.encode(in->commit,
									  prepared->request) -
					 prepared->request);
	}
	free(undo);
	return r;
}

static int decide(struct cell_call *call, void *self, const struct table_decision *in,
		  struct table_decided *out)
{
	struct db *db = self;
	struct prepared *prepared = prepared_find(db, in->txn);
	struct table_commit_request request;
	struct undo *undo = NULL;
	int r = 0;

	if (said(call, db->shared, db->memdb->cell,
		 in->commit ? MEMDB_DECIDE_COMMIT : MEMDB_DECIDE_ABORT))
		return CELL_UNAVAILABLE;
	if (!prepared)
		return 0;
	if (in->commit) {
		r = table_commit_request_type.decode(&request, prepared->request,
						     prepared->len, 0, cell_arena(call),
						     cell_error_slot(call));
		if (r == 0)
			r = perform(call, db, &request, in->txn, &undo);
		must(r == 0, "what was prepared");
		changed(db, undo, request.n_writes);
		out->version = db->version;
		free(undo);
	}
	free(prepared->request);
	*prepared = (struct prepared){ 0 };
	return r;
}

/* --- the rest
 * --------------------------------------------------------------------------------------- */

static int next(struct cell_call *call, void *self, const struct table_next_request *in,
		struct table_next_reply *out)
{
	struct db *db = self;
	struct kept *table;
	int r;

	if (said(call, db->shared, db->memdb->cell, MEMDB_NEXT))
		return CELL_UNAVAILABLE;
	r = find_table(call, db, in->table, &table);
	if (r < 0)
		return r;
	out->first = table->serial + 1;
	table->serial += in->n;
	return 0;
}

static int watch(struct cell_call *call, void *self, const struct table_watch_request *in,
		 struct table_changes_sink *out)
{
	struct db *db = self;
	struct kept *table;
	size_t at = 0;
	int r;

	if (said(call, db->shared, db->memdb->cell, MEMDB_WATCH))
		return CELL_UNAVAILABLE;
	r = find_table(call, db, in->table, &table);
	if (r < 0)
		return r;
	if (in->has_after && in->after > db->version)
		return cell_refuse(call, CELL_OUT_OF_RANGE, "there is no such point");
	if (!in->has_after)
		at = db->n_changes;
	if (!in->has_after)
		r = table_changes_send(out, &(struct table_changes){ .at = db->version });
	while (r == 0) {
		for (; at < db->n_changes && r == 0; at++) {
			struct change *change = &db->changes[at];
			struct table_change one = {
				.n_before = change->was ? change->was->len : 0,
				.before = change->was ? change->was->bytes : NULL,
				.n_row = change->is ? change->is->len : 0,
				.row = change->is ? change->is->bytes : NULL,
			};

			if (change->table == table &&
			    (!in->has_after || change->at > in->after))
				r = table_changes_send(out, &(struct table_changes){
								    .at = change->at,
								    .n_changes = 1,
								    .changes = &one });
		}
		if (r == 0)
			r = cell_sleep_ms(call, 1);
	}
	return r;
}

/*
 * "rows": the parameters, as often as field 1 says, with field 1 counting; "fail"; else how
 * many rows it changed is what field 1 says.
 */
static int query(struct cell_call *call, void *self, const struct table_query_request *in,
		 struct table_query_rows_sink *out)
{
	struct db *db = self;
	uint64_t n = 0;
	int r = 0;

	if (said(call, db->shared, db->memdb->cell, MEMDB_QUERY))
		return CELL_UNAVAILABLE;
	if (in->n_parameters < 2 || in->parameters[0] != 8)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "no parameter 1");
	n = in->parameters[1];
	if (strcmp(in->text, "fail") == 0)
		return cell_refuse(call, CELL_INVALID_ARGUMENT,
				   "syntax error at or near \"fail\"");
	if (strcmp(in->text, "rows") != 0)
		return table_query_rows_send(out, &(struct table_query_rows){ .done = true,
									      .changed = n });
	if (in->limit && n > in->limit)
		return cell_refuse(call, CELL_FAILED_PRECONDITION,
				   "more than %" PRIu64 " rows", in->limit);
	for (uint64_t i = 0; i < n && r == 0; i++) {
		uint8_t *row = cell_arena_alloc(cell_arena(call), in->n_parameters);
		struct cell_bytes bytes = { in->n_parameters, row };

		memcpy(row, in->parameters, in->n_parameters);
		row[1] = (uint8_t)(i + 1);
		r = table_query_rows_send(out, &(struct table_query_rows){ .n_rows = 1,
									   .rows = &bytes });
	}
	return r ? r : table_query_rows_send(out, &(struct table_query_rows){ .done = true });
}

static int provision(struct cell_call *call, void *self,
		     const struct macro_provision_request *in, struct macro_provisioned *out)
{
	struct db *db = self;

	(void)out;
	if (said(call, db->shared, db->memdb->cell, MEMDB_PROVISION))
		return CELL_UNAVAILABLE;
	if (in->n_declared)
		db->shared->is_unprovisioned = false;
	return 0;
}

void memdb_serve(struct cell_call *call, void *self)
{
	static const struct table_tables_handlers handlers = { .get = get,
							       .scan = scan,
							       .count = count,
							       .commit = commit,
							       .prepare = prepare,
							       .decide = decide,
							       .next = next,
							       .watch = watch,
							       .query = query };
	static const struct macro_provider_handlers provider = { .provision = provision };
	struct memdb *memdb = self;
	struct db *db = calloc(1, sizeof *db);

	must(db != NULL, "calloc");
	*db = (struct db){ .memdb = memdb,
			   .shared = memdb->shared,
			   .version = 1,
			   .tables = calloc(memdb->n_tables, sizeof *db->tables) };
	must(db->tables != NULL, "calloc");
	for (size_t i = 0; i < memdb->n_tables; i++)
		db->tables[i].schema = schema_of(&memdb->tables[i]);
	must(cell_serve(call, &table_tables_service, &handlers, db) == 0, "cell_serve");
	must(cell_serve(call, &macro_provider_service, &provider, db) == 0, "cell_serve");
}

/* --- the coordinator
 * ----------------------------------------------------------------------------------- */

struct coordinator {
	struct memdb_shared *shared;
	char participants[CREW_MAX][64];
	size_t n;
	uint8_t id[16];
	bool is_open;
};

static int txn_is_begun(struct cell_call *call, void *self,
			const struct txn_begin_request *in, struct txn_begun *out)
{
	struct coordinator *txn = self;

	if (said(call, txn->shared, "txn", MEMDB_BEGIN))
		return CELL_UNAVAILABLE;
	must(in->n_participants <= CREW_MAX, "participants");
	txn->n = in->n_participants;
	for (size_t i = 0; i < txn->n; i++)
		(void)snprintf(txn->participants[i], sizeof txn->participants[i], "%s",
			       in->participants[i]);
	txn->id[0]++;
	txn->is_open = true;
	*out = (struct txn_begun){ .n_txn = 16, .txn = txn->id };
	return 0;
}

static int tell(struct cell_call *call, struct coordinator *txn, const uint8_t *id,
		bool commits)
{
	struct table_decided decided;
	int r = 0;

	for (size_t i = 0; i < txn->n && r == 0; i++)
		r = table_tables_decide(cell_to(call, txn->participants[i], 0),
					&(struct table_decision){
						.n_txn = 16, .txn = id, .commit = commits },
					&decided);
	txn->is_open = false;
	return r;
}

static int txn_is_committed(struct cell_call *call, void *self,
			    const struct txn_commit_request *in, struct txn_committed *out)
{
	struct coordinator *txn = self;
	int r;

	(void)out;
	if (!txn->is_open)
		return cell_refuse(call, CELL_ABORTED, "it was given up before");
	r = tell(call, txn, in->txn, true);
	return said(call, txn->shared, "txn", MEMDB_TXN_COMMIT) ? CELL_UNAVAILABLE : r;
}

static int txn_is_aborted(struct cell_call *call, void *self,
			  const struct txn_abort_request *in, struct txn_aborted *out)
{
	struct coordinator *txn = self;

	(void)out;
	if (said(call, txn->shared, "txn", MEMDB_TXN_ABORT))
		return CELL_UNAVAILABLE;
	return tell(call, txn, in->txn, false);
}

void memtxn_serve(struct cell_call *call, void *self)
{
	static const struct txn_handlers handlers = { .begin = txn_is_begun,
						      .commit = txn_is_committed,
						      .abort = txn_is_aborted };
	struct memdb *memdb = self;
	struct coordinator *txn = calloc(1, sizeof *txn);

	must(txn != NULL, "calloc");
	txn->shared = memdb->shared;
	must(cell_serve(call, &txn_service, &handlers, txn) == 0, "cell_serve");
}
