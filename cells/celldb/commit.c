#include "commit.h"

#include "conflict.h"
#include "reference.h"
#include "unique.h"

#include <cell/cell.h>
#include <string.h>

static int no_memory(struct cell_error *err)
{
	return cell_fail(err, -ENOMEM, "no memory for a commit");
}

static int version_of(const struct commit *commit, uint32_t i, const struct catalog_version **ret,
		      struct cell_error *err)
{
	if (i >= commit->in->n_tables)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "table %u of a commit with %zu", i,
				 commit->in->n_tables);
	*ret = commit->tables[i];
	return 0;
}

static int decode(struct draft *draft, const struct catalog_table *table, const uint8_t *bytes,
		  size_t len, struct value **ret, struct cell_error *err)
{
	struct value *values = rows_values(table, draft->arena);
	int r;

	if (!values)
		return no_memory(err);
	r = row_decode(table->schema, bytes, len, values, draft->arena, err);
	if (r == 0)
		*ret = values;
	return r;
}

/* ---- what was read ------------------------------------------------------------------------ */

static int row_is_unchanged(struct commit *commit, const struct table_row_read *read,
			    struct cell_error *err)
{
	struct draft *draft = &commit->draft;
	const struct catalog_version *version = NULL;
	struct cell_store_bytes key;
	struct rows_row row = { .version = 0 };
	struct layout_key place;
	struct value *values;
	int r = version_of(commit, read->table, &version, err);

	if (r == 0)
		r = decode(draft, version->table, read->key, read->n_key, &values, err);
	if (r == 0)
		r = rows_key(version->table, values, draft->arena, &key, err);
	if (r == 0)
		r = rows_get(draft->view, version->table, key, &row, err);
	if (r < 0)
		return r;
	if (row.version != read->version)
		return cell_fail(err, CELL_ABORTED, "%s has changed since it was read",
				 rows_print(version->table, values, draft->arena));
	rows_place(version->table, key, &place);
	return draft_hold(draft, layout_bytes(&place), false, version->table, values, err);
}

static int range_check(struct commit *commit, const struct table_range_read *read,
		       struct cell_error *err)
{
	struct draft *draft = &commit->draft;
	const struct catalog_version *version = NULL;
	struct range range;
	int r = version_of(commit, read->table, &version, err);

	if (r == 0 && (read->n_mark != 8 || !read->scan))
		r = cell_fail(err, CELL_INVALID_ARGUMENT, "a range without what its scan gave");
	if (r == 0)
		r = range_of(&range, version, read->scan, draft->arena, err);
	if (r == 0)
		r = conflict_since(draft->view, &range, cell_load_u64(read->mark), commit->log_from,
				   draft->arena, err);
	if (r == 0)
		r = conflict_range(draft, &range, err);
	if (r == 0 && draft->takes_locks)
		r = conflict_lock_range(draft, &range, err);
	return r;
}

/* ---- what is written ------------------------------------------------------------------------ */

/* A client that was built before a column came leaves in it what is there. */
static void keep_unknown(const struct catalog_version *version, struct value *values,
			 const struct value *before, const struct draft_moment *moment,
			 struct cell_arena *arena)
{
	const struct schema *schema = version->table->schema;

	for (size_t i = 0; version->knows && i < schema->n_columns; i++) {
		if (version->knows[i])
			continue;
		if (before)
			values[i] = before[i];
		else
			draft_fall_back(&schema->columns[i], moment, arena, &values[i]);
	}
}

/* A key that the client left to its default is made before the row can be looked for. */
static void key_fall_back(const struct catalog_table *table, struct value *values,
			  const struct draft_moment *moment, struct cell_arena *arena)
{
	const struct schema_key *key = &table->indexes[0].key;

	for (size_t i = 0; i < key->n; i++)
		if (values[key->columns[i]].kind == VALUE_NULL)
			draft_fall_back(&table->schema->columns[key->columns[i]], moment, arena,
				  &values[key->columns[i]]);
}

static bool key_is_computed(const struct catalog_table *table)
{
	const struct schema_key *key = &table->indexes[0].key;

	for (size_t i = 0; i < key->n; i++)
		if (table->schema->columns[key->columns[i]].computed)
			return true;
	return false;
}

static int absent(struct draft *draft, const struct catalog_table *table,
		  const struct value *values, struct cell_error *err)
{
	return cell_fail(err, CELL_NOT_FOUND, "no %s", rows_print(table, values, draft->arena));
}

static int write_row(struct commit *commit, const struct catalog_version *version,
		     const struct table_write *write, struct draft_row **ret_row,
		     const struct draft_moment *moment, struct cell_error *err)
{
	struct draft *draft = &commit->draft;
	const struct catalog_table *table = version->table;
	struct cell_store_bytes key;
	struct draft_row *row;
	struct value *values;
	int r = decode(draft, table, write->row, write->n_row, &values, err);

	if (r < 0)
		return r;
	key_fall_back(table, values, moment, draft->arena);
	if (key_is_computed(table))
		r = draft_finish(draft, table, values, false, moment, err);
	if (r == 0)
		r = rows_key(table, values, draft->arena, &key, err);
	if (r == 0)
		r = draft_row(draft, table, key, &row, err);
	if (r < 0)
		return r;
	if (write->kind == TABLE_WRITE_KIND_INSERT && row->after)
		return cell_fail(err, CELL_ALREADY_EXISTS, "there is %s already",
				 rows_print(table, values, draft->arena));
	if (write->kind == TABLE_WRITE_KIND_UPDATE && !row->after)
		return absent(draft, table, values, err);
	keep_unknown(version, values, row->after, moment, draft->arena);
	r = draft_finish(draft, table, values, write->kind == TABLE_WRITE_KIND_INSERT, moment, err);
	if (r < 0)
		return r;
	draft_change(draft, row, values);
	*ret_row = row;
	return 0;
}

static int delete_row(struct commit *commit, const struct catalog_version *version,
		      const struct table_write *write, struct draft_row **ret_row,
		      struct cell_error *err)
{
	struct draft *draft = &commit->draft;
	struct cell_store_bytes key;
	struct draft_row *row;
	struct value *values;
	int r = decode(draft, version->table, write->row, write->n_row, &values, err);

	if (r == 0)
		r = rows_key(version->table, values, draft->arena, &key, err);
	if (r == 0)
		r = draft_row(draft, version->table, key, &row, err);
	if (r < 0)
		return r;
	if (write->kind == TABLE_WRITE_KIND_REMOVE && !row->after)
		return absent(draft, version->table, values, err);
	if (row->after)
		draft_change(draft, row, NULL);
	*ret_row = row;
	return 0;
}

static int write_one(struct commit *commit, size_t i, const struct draft_moment *moment,
		     struct cell_error *err)
{
	const struct table_write *write = &commit->in->writes[i];
	const struct catalog_version *version = NULL;
	int r = version_of(commit, write->table, &version, err);

	if (r < 0)
		return r;
	switch (write->kind) {
	case TABLE_WRITE_KIND_PUT:
	case TABLE_WRITE_KIND_INSERT:
	case TABLE_WRITE_KIND_UPDATE:
		return write_row(commit, version, write, &commit->rows[i], moment, err);
	case TABLE_WRITE_KIND_DELETE:
	case TABLE_WRITE_KIND_REMOVE:
		return delete_row(commit, version, write, &commit->rows[i], err);
	}
	return cell_fail(err, CELL_INVALID_ARGUMENT, "%s: a write of kind %d",
			 version->table->name, (int)write->kind);
}

/* ---- all of it ---------------------------------------------------------------------------- */

static int begin(struct commit *commit, const struct table_commit_request *in,
		 const struct catalog_peer *peer, struct cell_error *err)
{
	struct draft *draft = &commit->draft;
	int r = 0;

	if (in->n_writes > COMMIT_WRITES_MAX || in->n_reads > COMMIT_WRITES_MAX ||
	    in->n_ranges > COMMIT_WRITES_MAX)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
				 "%zu writes, %zu reads and %zu ranges in one commit, limit %d",
				 in->n_writes, in->n_reads, in->n_ranges, COMMIT_WRITES_MAX);
	commit->in = in;
	commit->tables = cell_arena_calloc(draft->arena, in->n_tables, sizeof(void *));
	commit->rows = cell_arena_calloc(draft->arena, in->n_writes, sizeof(void *));
	draft->ranges = cell_arena_calloc(draft->arena, in->n_ranges, sizeof *draft->ranges);
	if (!commit->tables || !commit->rows || !draft->ranges)
		return no_memory(err);
	for (size_t i = 0; r == 0 && i < in->n_tables; i++)
		r = catalog_find(draft->view->catalog, draft->view->txn, &in->tables[i], peer,
				 &commit->tables[i], err);
	return r;
}

int commit_check(struct commit *commit, const struct table_commit_request *in,
		 const struct catalog_peer *peer, uint64_t log_from,
		 const struct draft_moment *moment, struct cell_error *err)
{
	int r = begin(commit, in, peer, err);

	commit->log_from = log_from;
	for (size_t i = 0; r == 0 && i < in->n_reads; i++)
		r = row_is_unchanged(commit, &in->reads[i], err);
	for (size_t i = 0; r == 0 && i < in->n_ranges; i++)
		r = range_check(commit, &in->ranges[i], err);
	for (size_t i = 0; r == 0 && i < in->n_writes; i++)
		r = write_one(commit, i, moment, err);
	if (r == 0)
		r = reference_check(&commit->draft, moment, err);
	if (r == 0)
		r = unique_check(&commit->draft, err);
	return r;
}

int commit_rows(const struct commit *commit, const struct cell_bytes **ret_rows, size_t *ret_n,
		struct cell_error *err)
{
	size_t n = commit->in->want_rows ? commit->in->n_writes : 0;
	struct cell_bytes *rows = cell_arena_calloc(commit->draft.arena, n, sizeof *rows);

	if (!rows)
		return no_memory(err);
	for (size_t i = 0; i < n; i++) {
		const struct draft_row *row = commit->rows[i];
		struct cell_store_bytes bytes;

		rows[i].at = (const uint8_t *)"";
		if (!row->after)
			continue;
		bytes = rows_wire_values(row->table, row->after, commit->draft.arena);
		if (!bytes.at)
			return no_memory(err);
		rows[i] = (struct cell_bytes){ .len = bytes.len, .at = bytes.at };
	}
	*ret_rows = rows;
	*ret_n = n;
	return 0;
}
