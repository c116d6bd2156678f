/*
 * Commits: one SERIALIZABLE transaction of PostgreSQL each.
 *
 * First trip: BEGIN, what makes the server stop if a row that was read is another now, and the
 * writes. Ranges are read again between the two. Last trip: the change log, the answer under
 * the commit's id, and COMMIT or PREPARE TRANSACTION.
 *
 * What fails may have been done before, by the same request: then it is answered as then.
 */
#include "postgres.h"
#include "sql.h"

#include <cell/cell.h>
#include <cell/internal/table/row.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BYTEA_OID 17
#define INT8_OID  20
#define INT4_OID  23
#define TEXT_OID  25
#define XID_OID	  28

#define ID_SIZE	    16
#define TABLES_MAX  64
#define READS_MAX   65536
#define WRITES_MAX  65536
/* Serialization failures after which it is the client's to run the whole again. */
#define RUNS_MAX    5
/* Statements of one trip; a write may take two. */
#define TRIP_MAX    (PG_BATCH_MAX - 6)

struct committing {
	struct cell_call *call;
	struct postgres *postgres;
	struct pg_session *session;
	const struct table_commit_request *in;
	const char *end; /* NULL: COMMIT */
	size_t n_tables;
	struct catalog_table *tables;
	uint64_t version;
	struct cell_bytes *rows; /* one for each write, if they are wanted */
	uint32_t n_changes;
};

/* What the statements of one trip are for, to explain the one that fails. */
enum step_kind { STEP_OTHER, STEP_READ, STEP_WRITE, STEP_ID };
struct trip {
	size_t n;
	struct step {
		enum step_kind kind;
		size_t index;
	} steps[PG_BATCH_MAX];
};

static void trip_add(struct committing *c, struct trip *trip, enum step_kind kind, size_t index,
		     const char *text, const struct pg_value *values, size_t n)
{
	trip->steps[trip->n++] = (struct step){ kind, index };
	pg_add(c->session, text, values, n);
}

static struct cell_error *slot(const struct committing *c)
{
	return cell_error_slot(c->call);
}

static int no_memory(const struct committing *c)
{
	return cell_refuse(c->call, -ENOMEM, "a commit of %zu writes", c->in->n_writes);
}

/* ---- the request ------------------------------------------------------------------------------- */

static int check_shape(struct cell_call *call, const struct table_commit_request *in)
{
	if (in->n_id != ID_SIZE)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "an id of %zu bytes, not %d", in->n_id,
				   ID_SIZE);
	if (in->n_tables > TABLES_MAX || in->n_reads > READS_MAX || in->n_ranges > READS_MAX ||
	    in->n_writes > WRITES_MAX)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED,
				   "%zu tables, %zu reads, %zu ranges, %zu writes: at most %d, and %d each",
				   in->n_tables, in->n_reads, in->n_ranges, in->n_writes, TABLES_MAX,
				   READS_MAX);
	for (size_t i = 0; i < in->n_reads; i++)
		if (in->reads[i].table >= in->n_tables)
			return cell_refuse(call, CELL_INVALID_ARGUMENT, "read %zu: no table %u", i,
					   in->reads[i].table);
	for (size_t i = 0; i < in->n_ranges; i++)
		if (in->ranges[i].table >= in->n_tables || !in->ranges[i].scan ||
		    in->ranges[i].n_mark != MARK_SIZE)
			return cell_refuse(call, CELL_INVALID_ARGUMENT, "range %zu makes no sense", i);
	for (size_t i = 0; i < in->n_writes; i++)
		if (in->writes[i].table >= in->n_tables)
			return cell_refuse(call, CELL_INVALID_ARGUMENT, "write %zu: no table %u", i,
					   in->writes[i].table);
	return 0;
}

static void tables_leave(struct committing *c)
{
	for (size_t i = 0; i < c->n_tables; i++)
		catalog_leave(&c->tables[i]);
	c->n_tables = 0;
}

static int tables_enter(struct committing *c)
{
	int r = 0;

	c->tables = cell_arena_calloc(cell_arena(c->call), c->in->n_tables + 1, sizeof *c->tables);
	if (!c->tables)
		return no_memory(c);
	for (size_t i = 0; !r && i < c->in->n_tables; i++) {
		r = catalog_enter(c->call, c->postgres, c->session, &c->in->tables[i], &c->tables[i]);
		if (!r)
			c->n_tables++;
	}
	return r;
}

/* ---- what was read is still so -------------------------------------------------------------- */

/*
 * A statement that fails with a division by zero if the row is not the one that was read: so
 * the writes behind it need not wait for its answer.
 */
static int add_read(struct committing *c, struct trip *trip, size_t index)
{
	const struct table_row_read *read = &c->in->reads[index];
	const struct view *view = c->tables[read->table].view;
	const struct schema_key *key = &view->schema->keys[0];
	struct cell_arena *arena = cell_arena(c->call);
	struct pg_value *values = cell_arena_calloc(arena, key->n + 2, sizeof *values);
	struct sql sql = sql_begin(arena);
	struct value *decoded;
	uint8_t *xmin = cell_arena_alloc(arena, 4);
	uint32_t big = __builtin_bswap32((uint32_t)read->version);
	int r = rows_decode(c->call, view, read->key, read->n_key, &decoded);

	if (r)
		return r;
	if (!values || !xmin)
		return no_memory(c);
	if (row_key_given(key, decoded) != key->n)
		return cell_refuse(c->call, CELL_INVALID_ARGUMENT, "%s: a key that is not whole",
				   view->schema->told->name);
	r = rows_key(c->call, view, key, decoded, key->n, values);
	memcpy(xmin, &big, 4);
	values[key->n] = (struct pg_value){ .bytes = xmin, .len = 4, .oid = XID_OID };
	if (read->version)
		sql_put(&sql, "SELECT 1 / (count(*) FILTER (WHERE xmin = $%zu)) FROM %s WHERE ", key->n + 1,
			view->relation);
	else
		sql_put(&sql, "SELECT 1 / (1 - count(*)) FROM %s WHERE ", view->relation);
	if (!key->n)
		sql_put(&sql, "true");
	for (size_t i = 0; i < key->n; i++)
		sql_put(&sql, "%s%s = $%zu", i ? " AND " : "", view->columns[key->columns[i]].quoted,
			i + 1);
	if (r || !sql_text(&sql))
		return r ? r : no_memory(c);
	trip_add(c, trip, STEP_READ, index, sql_text(&sql), values, key->n + (read->version != 0));
	return 0;
}

static int check_range(struct committing *c, const struct table_range_read *range)
{
	struct view *view = c->tables[range->table].view;
	uint8_t mark[MARK_SIZE];
	struct scan scan;
	uint64_t n;
	int r = scan_read(c->call, view, range->scan, &scan);

	r = r ? r : scan_mark(c->call, c->session, &scan, mark, &n);
	if (r)
		return r;
	return sodium_memcmp(mark, range->mark, MARK_SIZE) == 0
		       ? 0
		       : cell_refuse(c->call, CELL_ABORTED, "%s: the rows are others since they were read",
				     view->schema->told->name);
}

/* ---- writes --------------------------------------------------------------------------------------- */

static struct row_moment moment_now(void)
{
	struct row_moment moment;
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	moment.now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	randombytes_buf(moment.random, sizeof moment.random);
	return moment;
}

static const char *write_text(const struct view *view, const struct view *now,
			      enum table_write_kind kind, struct cell_arena *arena)
{
	switch (kind) {
	case TABLE_WRITE_KIND_PUT: return sql_put_row(view, now, arena);
	case TABLE_WRITE_KIND_INSERT: return sql_insert_row(view, now, arena);
	case TABLE_WRITE_KIND_UPDATE: return sql_update_row(view, now, arena);
	case TABLE_WRITE_KIND_DELETE:
	case TABLE_WRITE_KIND_REMOVE: break;
	}
	return sql_delete_row(view, now, arena);
}

static bool is_deletion(enum table_write_kind kind)
{
	return kind == TABLE_WRITE_KIND_DELETE || kind == TABLE_WRITE_KIND_REMOVE;
}

static int add_write(struct committing *c, struct trip *trip, size_t index,
		     const struct row_moment *moment)
{
	const struct table_write *write = &c->in->writes[index];
	const struct catalog_table *table = &c->tables[write->table];
	const struct view *view = table->view;
	const struct schema_key *key = &view->schema->keys[0];
	struct pg_value *parameters;
	struct value *values;
	const char *text;
	size_t n = key->n;
	int r = rows_decode(c->call, view, write->row, write->n_row, &values);

	if (r)
		return r;
	if (is_deletion(write->kind)) {
		parameters = cell_arena_calloc(cell_arena(c->call), n + 1, sizeof *parameters);
		if (!parameters)
			return no_memory(c);
		if (row_key_given(key, values) != n)
			return cell_refuse(c->call, CELL_INVALID_ARGUMENT, "%s: a key that is not whole",
					   table->name);
		r = rows_key(c->call, view, key, values, n, parameters);
	} else {
		r = row_finish(view->schema, values, write->kind == TABLE_WRITE_KIND_INSERT, moment,
			       cell_arena(c->call), slot(c));
		r = r ? r
		      : rows_parameters(c->call, c->postgres, view, values, &parameters, &n);
	}
	if (r)
		return r;
	text = write_text(view, table->now, write->kind, cell_arena(c->call));
	if (!text)
		return no_memory(c);
	trip_add(c, trip, STEP_WRITE, index, text, parameters, n);
	return 0;
}

static const char *key_text(struct committing *c, size_t index)
{
	const struct table_write *write = &c->in->writes[index];
	const struct view *view = c->tables[write->table].view;
	struct value *values;

	if (rows_decode(c->call, view, write->row, write->n_row, &values))
		return "";
	return row_key_print(view->schema, &view->schema->keys[0], values, cell_arena(c->call));
}

static int add_change(struct committing *c, const struct catalog_table *table, bool had,
		      const struct value *before, bool has, const struct value *after)
{
	struct cell_arena *arena = cell_arena(c->call);
	struct pg_value *values = cell_arena_calloc(arena, 5, sizeof *values);
	uint32_t *n = cell_arena_alloc(arena, sizeof *n);
	int r = 0;

	if (!values || !n)
		return no_memory(c);
	*n = __builtin_bswap32(c->n_changes++);
	values[0] = (struct pg_value){ .bytes = n, .len = 4, .oid = INT4_OID };
	values[1] = (struct pg_value){ .bytes = table->store, .len = strlen(table->store), .oid = TEXT_OID };
	values[2] = (struct pg_value){ .bytes = table->name, .len = strlen(table->name), .oid = TEXT_OID };
	values[3].oid = values[4].oid = BYTEA_OID;
	if (had)
		r = rows_for_log(c->call, c->postgres, table->now, before,
				 (const uint8_t **)&values[3].bytes, &values[3].len);
	if (!r && has)
		r = rows_for_log(c->call, c->postgres, table->now, after,
				 (const uint8_t **)&values[4].bytes, &values[4].len);
	if (!r)
		pg_add(c->session,
		       "INSERT INTO cell.changes (at, n, store, name, before, after) VALUES "
		       "(pg_current_xact_id()::text::bigint, $1, $2, $3, $4, $5)",
		       values, 5);
	return r;
}

/* What the write at INDEX did, as RESULT says; its change is added to the next trip. */
static int take_write(struct committing *c, size_t index, const struct pg_result *result)
{
	const struct table_write *write = &c->in->writes[index];
	const struct catalog_table *table = &c->tables[write->table];
	size_t n = table->now->schema->n_columns;
	struct value *before = NULL, *after = NULL;
	bool had, has;
	int r = 0;

	if (!pg_rows(result)) {
		if (write->kind == TABLE_WRITE_KIND_DELETE)
			return 0;
		return cell_refuse(c->call, CELL_NOT_FOUND, "no %s with %s", table->name,
				   key_text(c, index));
	}
	had = pg_integer(result, 0, 0);
	has = pg_integer(result, 0, n + 1);
	if (had)
		r = rows_values(c->call, c->postgres, table->now, result, 0, 1, &before);
	if (!r && has)
		r = rows_values(c->call, c->postgres, table->now, result, 0, n + 2, &after);
	if (!r && c->in->want_rows && has)
		r = rows_encode(c->call, table->now, after, &c->rows[index].at, &c->rows[index].len);
	return r ? r : add_change(c, table, had, before, has, after);
}

/* ---- why it failed ----------------------------------------------------------------------------------- */

/* A transaction that has prepared and is not decided holds what this one needs. */
static int locked(struct committing *c)
{
	const struct pg_result *result;
	int r = pg_do(c->call, c->session,
		      "SELECT coalesce(min(gid), '') FROM pg_prepared_xacts "
		      "WHERE database = current_database() AND gid LIKE 'cell\\_%'",
		      NULL, 0, &result);

	if (r || !*pg_text(result, 0, 0))
		return cell_refuse(c->call, CELL_ABORTED, "rows are locked by others for longer than 2 s");
	return cell_refuse(c->call, CELL_ABORTED,
			   "rows are in the hands of transaction %.32s, which is not decided",
			   pg_text(result, 0, 0) + strlen("cell_"));
}

static int explain_write(struct committing *c, int r, size_t index)
{
	const struct pg_fault *fault = pg_fault(c->session);
	const struct table_write *write = &c->in->writes[index];
	const struct catalog_table *table = &c->tables[write->table];

	if (strcmp(fault->sqlstate, "23505") == 0 && strcmp(fault->table, table->name) == 0) {
		/* "Key (owner)=(Ada) already exists." */
		return cell_refuse(c->call, r, "%s with %s: %s", table->name, key_text(c, index),
				   *fault->detail ? fault->detail : fault->message);
	}
	return cell_refuse(c->call, r, "%s with %s: %s%s%s", table->name, key_text(c, index),
			   fault->message, *fault->detail ? ": " : "", fault->detail);
}

static int explain(struct committing *c, int r, const struct trip *trip)
{
	const struct pg_fault *fault = pg_fault(c->session);
	const struct step *step =
		fault->statement < trip->n ? &trip->steps[fault->statement] : &trip->steps[0];

	if (!*fault->sqlstate)
		return r;
	if (step->kind == STEP_READ && strcmp(fault->sqlstate, "22012") == 0)
		return cell_refuse(c->call, CELL_ABORTED, "%s: a row is another since it was read",
				   c->tables[c->in->reads[step->index].table].name);
	if (strcmp(fault->sqlstate, "42703") == 0 || strcmp(fault->sqlstate, "42P01") == 0)
		for (size_t i = 0; i < c->n_tables; i++)
			catalog_forget(c->postgres, c->tables[i].store, c->tables[i].name);
	if (step->kind == STEP_WRITE && r != CELL_ABORTED && r != CELL_UNAVAILABLE)
		return explain_write(c, r, step->index);
	return r;
}

/* ---- the trips -------------------------------------------------------------------------------------- */

static int trip_run(struct committing *c, struct trip *trip, const struct pg_result *const **results)
{
	int r = pg_run(c->call, c->session, results);

	if (r)
		r = explain(c, r, trip);
	return r;
}

/* Reads, as many as fit into a trip at a time; the last trip is left to be run by the caller. */
static int add_reads(struct committing *c, struct trip *trip)
{
	int r = 0;

	for (size_t i = 0; !r && i < c->in->n_reads; i++) {
		if (trip->n >= TRIP_MAX) {
			r = trip_run(c, trip, NULL);
			trip->n = 0;
		}
		r = r ? r : add_read(c, trip, i);
	}
	return r;
}

static int take_writes(struct committing *c, const struct trip *trip,
		       const struct pg_result *const *results)
{
	/* The answers live until the next trip, and adding to it does not touch them. */
	for (size_t i = 0; i < trip->n; i++) {
		const struct step *step = &trip->steps[i];
		int r = step->kind == STEP_WRITE ? take_write(c, step->index, results[i]) : 0;

		if (r)
			return r;
		if (step->kind == STEP_ID) {
			c->version = (uint64_t)pg_integer(results[i], 0, 0);
			pg_saw_transaction(c->postgres->pg, c->version);
		}
	}
	return 0;
}

/*
 * The writes, with what is in TRIP already. The changes that the last ones made are added to
 * the trip that ends the transaction; those of earlier ones are sent before.
 */
static int run_writes(struct committing *c, struct trip *trip)
{
	const struct row_moment moment = moment_now();
	const struct pg_result *const *results;
	size_t at = 0;
	int r = 0;

	if (c->in->n_writes || c->end)
		trip_add(c, trip, STEP_ID, 0, "SELECT pg_current_xact_id()::text::bigint", NULL, 0);
	for (;;) {
		while (!r && at < c->in->n_writes && trip->n < TRIP_MAX / 2)
			r = add_write(c, trip, at++, &moment);
		r = r ? r : trip_run(c, trip, &results);
		r = r ? r : take_writes(c, trip, results);
		if (r || at == c->in->n_writes)
			return r;
		trip->n = 0;
		r = pg_run(c->call, c->session, NULL);
	}
}

static int reply_keep(struct committing *c, const struct table_committed *out)
{
	struct cell_arena *arena = cell_arena(c->call);
	struct pg_value *values = cell_arena_calloc(arena, 2, sizeof *values);
	uint8_t *bytes = cell_arena_alloc(arena, table_committed_type.bound(out));

	if (!values || !bytes)
		return no_memory(c);
	values[0] = (struct pg_value){ .bytes = c->in->id, .len = ID_SIZE, .oid = BYTEA_OID };
	values[1] = (struct pg_value){
		.bytes = bytes,
		.len = (size_t)(table_committed_type.encode(out, bytes) - bytes),
		.oid = BYTEA_OID,
	};
	pg_add(c->session,
	       "INSERT INTO cell.commits (id, version, reply) "
	       "VALUES ($1, pg_current_xact_id()::text::bigint, $2)",
	       values, 2);
	return 0;
}

static int transact(struct committing *c, struct table_committed *out)
{
	struct trip trip = { .n = 0 };
	int r;

	c->n_changes = 0;
	c->version = 0;
	trip_add(c, &trip, STEP_OTHER, 0, "BEGIN ISOLATION LEVEL SERIALIZABLE", NULL, 0);
	r = add_reads(c, &trip);
	if (!r && c->in->n_ranges) {
		r = trip_run(c, &trip, NULL);
		trip.n = 0;
		for (size_t i = 0; !r && i < c->in->n_ranges; i++)
			r = check_range(c, &c->in->ranges[i]);
	}
	r = r ? r : run_writes(c, &trip);
	if (r)
		return r;
	*out = (struct table_committed){
		.version = c->version,
		.rows = c->rows,
		.n_rows = c->in->want_rows ? c->in->n_writes : 0,
	};
	/* Who has only read needs no memory of it. */
	r = c->in->n_writes || c->end ? reply_keep(c, out) : 0;
	pg_add(c->session, c->end ? c->end : "COMMIT", NULL, 0);
	r = r ? r : pg_run(c->call, c->session, NULL);
	return r;
}

/* Back to where nothing had happened; what was added and not sent goes with it. */
static int undo(struct committing *c)
{
	pg_give(c->session);
	c->session = NULL;
	return pg_take(c->call, c->postgres->pg, false, &c->session);
}

/* What was answered to this id before. False: it is not known. */
static bool answered_before(struct committing *c, struct table_committed *out)
{
	const struct pg_value value = { .bytes = c->in->id, .len = ID_SIZE, .oid = BYTEA_OID };
	const struct pg_result *result;
	const uint8_t *bytes;
	size_t len;

	if (pg_do(c->call, c->session, "SELECT reply, version FROM cell.commits WHERE id = $1", &value, 1,
		  &result) ||
	    !pg_rows(result))
		return false;
	bytes = pg_cell(result, 0, 0, &len);
	if (!bytes || table_committed_type.decode(out, bytes, len, 0, cell_arena(c->call), slot(c)))
		return false;
	out->version = (uint64_t)pg_integer(result, 0, 1);
	return true;
}

static int run(struct committing *c, struct table_committed *out)
{
	int r = tables_enter(c);

	if (!r && c->in->want_rows) {
		c->rows = cell_arena_calloc(cell_arena(c->call), c->in->n_writes + 1, sizeof *c->rows);
		if (!c->rows)
			r = no_memory(c);
	}
	for (unsigned runs = 1; !r; runs++) {
		struct cell_error error;
		bool is_race, is_locked;

		r = transact(c, out);
		if (!r)
			break;
		error = *slot(c);
		is_race = pg_fault_is_race(c->session) && r == CELL_ABORTED;
		is_locked = strcmp(pg_fault(c->session)->sqlstate, "55P03") == 0;
		if (undo(c) || r == CELL_UNAVAILABLE || cell_call_is_cancelled(c->call)) {
			*slot(c) = error;
			return r;
		}
		if (answered_before(c, out))
			return 0;
		*slot(c) = error;
		if (r == CELL_ABORTED)
			c->postgres->conflicts++;
		if (is_locked)
			return locked(c);
		if (is_race && runs < RUNS_MAX)
			r = 0;
	}
	return r;
}

int commit_as(struct cell_call *call, struct postgres *postgres,
	      const struct table_commit_request *in, const char *end, struct table_committed *out)
{
	struct committing c = { .call = call, .postgres = postgres, .in = in, .end = end };
	int r = check_shape(call, in);

	r = r ? r : pg_take(call, postgres->pg, false, &c.session);
	if (r)
		return r;
	r = run(&c, out);
	tables_leave(&c);
	pg_give(c.session);
	if (!r)
		postgres->commits++;
	return r;
}

int tables_commit(struct cell_call *call, void *self, const struct table_commit_request *in,
		  struct table_committed *out)
{
	return commit_as(call, self, in, NULL, out);
}

/* ---- numbers for serial columns --------------------------------------------------------------- */

#define NEXT_MAX 10000
/* Others who take numbers in between make a gap; so often it is tried again. */
#define NEXT_RUNS 10

static int next_from(struct cell_call *call, struct pg_session *session, const struct view *view,
		     const struct table_next_request *in, struct table_next_reply *out)
{
	int i = schema_column_by_number(view->schema, in->column);
	const uint32_t big = __builtin_bswap32(in->n);
	struct cell_arena *arena = cell_arena(call);
	struct pg_value values[3] = { { .bytes = view->relation, .oid = TEXT_OID },
				      { .oid = TEXT_OID },
				      { .bytes = &big, .len = 4, .oid = INT4_OID } };
	const struct pg_result *result;
	char *name;
	int r = 0;

	if (i < 0 || !view->columns[i].told->serial)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "%s: column %u is not serial",
				   view->schema->told->name, in->column);
	if (!in->n || in->n > NEXT_MAX)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "%u numbers, not 1 to %d", in->n, NEXT_MAX);
	/* The name as it is, without the quotes of an identifier. */
	name = cell_arena_strdup(arena, view->columns[i].quoted + 1);
	if (!name)
		return cell_refuse(call, -ENOMEM, "a statement");
	name[strlen(name) - 1] = '\0';
	values[0].len = strlen(view->relation);
	values[1].bytes = name;
	values[1].len = strlen(name);
	for (unsigned runs = 0; !r && runs < NEXT_RUNS; runs++) {
		r = pg_do(call, session,
			  "SELECT min(n), max(n) FROM (SELECT "
			  "nextval(pg_get_serial_sequence($1, $2)) AS n FROM generate_series(1, $3)) AS taken",
			  values, 3, &result);
		if (r)
			break;
		out->first = pg_integer(result, 0, 0);
		if (pg_integer(result, 0, 1) - out->first == (int64_t)in->n - 1)
			return 0;
	}
	return r ? r
		 : cell_refuse(call, CELL_ABORTED, "%u numbers in a row: others take some in between",
			       in->n);
}

int tables_next(struct cell_call *call, void *self, const struct table_next_request *in,
		struct table_next_reply *out)
{
	struct postgres *postgres = self;
	struct catalog_table table;
	struct pg_session *session;
	int r = pg_take(call, postgres->pg, false, &session);

	if (r)
		return r;
	r = catalog_enter(call, postgres, session, in->table, &table);
	if (!r) {
		r = next_from(call, session, table.view, in, out);
		catalog_leave(&table);
	}
	pg_give(session);
	return r;
}
