/*
 * Changes: cell.changes has a line for each row that was written through the cell, under the
 * number of its transaction.
 *
 * Numbers are given at the first write and not in the order of commits, so a watcher only reads
 * those below the oldest transaction that is still under way: all of them are decided, and none
 * will come in between. A transaction that stays open for long holds watchers back, and loses
 * them nothing.
 *
 * Commits say nothing to PostgreSQL (NOTIFY makes all that commit wait for each other, and may
 * not be in a prepared one): the cell sends one NOTIFY for all that it has committed since the
 * last, for the watchers of other instances.
 */
#include "watch.h"

#include "postgres.h"

#include <cell/cell.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define INT8_OID 20
#define TEXT_OID 25

#define BATCH_CHANGES 256
/* So long a watcher waits at most before it looks: for transactions that others end. */
#define LOOK_MS	      1000
#define LISTEN_MS     500
#define AGAIN_MS      200

struct watcher {
	struct watcher *next;
	struct cell_event event;
};

struct watch {
	struct watcher *watchers;
	bool has_changed; /* and nobody has been told */
};

struct watch *watch_new(void)
{
	return calloc(1, sizeof(struct watch));
}

void watch_free(struct watch *watch)
{
	free(watch);
}

static void wake_all(struct watch *watch)
{
	for (struct watcher *watcher = watch->watchers; watcher; watcher = watcher->next)
		cell_event_set(&watcher->event);
}

void watch_changed(struct postgres *postgres)
{
	if (!postgres->watch)
		return;
	postgres->watch->has_changed = true;
	wake_all(postgres->watch);
}

/* ---- the listener ------------------------------------------------------------------------------- */

static int listen_on(struct cell_call *call, struct postgres *postgres, struct pg_session *session)
{
	int r = pg_do(call, session, "LISTEN cell_changes", NULL, 0, NULL);

	while (!r && !cell_call_is_cancelled(call)) {
		struct cell_arena_mark mark = cell_mark(call);

		r = pg_wait_notified(call, session, LISTEN_MS);
		cell_rewind(call, mark);
		if (!r)
			wake_all(postgres->watch);
		if (!r && postgres->watch->has_changed) {
			postgres->watch->has_changed = false;
			r = pg_do(call, session, "NOTIFY cell_changes", NULL, 0, NULL);
		}
	}
	return r;
}

void watch_listen(struct cell_call *call, struct postgres *postgres)
{
	while (!cell_call_is_cancelled(call)) {
		struct pg_session *session;

		/* Only when somebody watches is a connection spent on it. */
		if (postgres->watch->watchers && pg_take(call, postgres->pg, true, &session) == 0) {
			(void)listen_on(call, postgres, session);
			pg_give(session);
		}
		if (cell_sleep_ms(call, AGAIN_MS))
			return;
	}
}

void watch_prune(struct cell_call *call, struct postgres *postgres)
{
	struct pg_session *session;

	if (!postgres->catalog.is_made || pg_take(call, postgres->pg, false, &session))
		return;
	pg_add(session, "DELETE FROM cell.commits WHERE made < now() - interval '1 hour'", NULL, 0);
	pg_add(session,
	       "WITH gone AS (DELETE FROM cell.changes WHERE made < now() - interval '1 day' RETURNING at) "
	       "INSERT INTO cell.pruned (last) SELECT max(at) FROM gone HAVING count(*) > 0 "
	       "ON CONFLICT ((true)) DO UPDATE SET last = greatest(cell.pruned.last, EXCLUDED.last)",
	       NULL, 0);
	(void)pg_run(call, session, NULL);
	pg_give(session);
}

/* ---- one watcher -------------------------------------------------------------------------------- */

struct watching {
	struct cell_call *call;
	struct postgres *postgres;
	const struct catalog_table *table;
	struct table_changes_sink *out;
	uint64_t after;
};

/* The newest transaction below which all are decided. */
static int horizon(struct cell_call *call, struct pg_session *session, uint64_t *ret)
{
	const struct pg_result *result;
	int r = pg_do(call, session, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1",
		      NULL, 0, &result);

	if (!r)
		*ret = (uint64_t)pg_integer(result, 0, 0);
	return r;
}

/* What is kept begins behind the oldest change, of any table; a day is sure. */
static int check_kept(struct watching *w, struct pg_session *session)
{
	const uint64_t big = __builtin_bswap64(w->after);
	const struct pg_value value = { .bytes = &big, .len = 8, .oid = INT8_OID };
	const struct pg_result *result;
	int r = pg_do(w->call, session,
		      "SELECT coalesce((SELECT last FROM cell.pruned), 0) > $1", &value, 1, &result);

	if (!r && pg_integer(result, 0, 0))
		return cell_refuse(w->call, CELL_OUT_OF_RANGE,
				   "changes of '%s' behind %" PRIu64 " are no longer kept", w->table->name,
				   w->after);
	return r;
}

static int change_from(struct watching *w, const struct pg_result *result, size_t row,
		       struct table_change *ret)
{
	size_t n_before = 0, n_row = 0;
	const uint8_t *before = pg_cell(result, row, 1, &n_before);
	const uint8_t *after = pg_cell(result, row, 2, &n_row);
	int r;

	*ret = (struct table_change){ .n_row = 0 };
	r = before ? rows_from_log(w->call, w->postgres, w->table->now, before, n_before, &ret->before,
				   &ret->n_before)
		   : 0;
	return r || !after ? r
			   : rows_from_log(w->call, w->postgres, w->table->now, after, n_row, &ret->row,
					   &ret->n_row);
}

/* RESULT as items, one for each commit; the last one may go on in the next result. */
static int send_changes(struct watching *w, const struct pg_result *result, bool is_last)
{
	size_t n = pg_rows(result);
	struct table_change *changes = cell_arena_calloc(cell_arena(w->call), n + 1, sizeof *changes);
	int r = changes ? 0 : cell_refuse(w->call, -ENOMEM, "%zu changes", n);
	size_t first = 0;

	for (size_t i = 0; !r && i < n; i++)
		r = change_from(w, result, i, &changes[i]);
	while (!r && first < n) {
		int64_t at = pg_integer(result, first, 0);
		size_t end = first;

		while (end < n && pg_integer(result, end, 0) == at)
			end++;
		if (end == n && !is_last)
			break; /* it comes again, whole */
		r = table_changes_send(w->out, &(struct table_changes){ .at = (uint64_t)at,
									.n_changes = end - first,
									.changes = changes + first });
		if (!r)
			w->after = (uint64_t)at;
		first = end;
	}
	return r;
}

/* All that there is now. */
static int catch_up(struct watching *w)
{
	struct cell_arena_mark mark = cell_mark(w->call);
	struct pg_session *session;
	size_t limit = BATCH_CHANGES, used, n;
	int r = pg_take(w->call, w->postgres->pg, true, &session);

	if (r)
		return r;
	do {
		const struct pg_result *result;
		const uint64_t after = __builtin_bswap64(w->after), big = __builtin_bswap64(limit);
		const struct pg_value values[] = {
			{ .bytes = w->table->store, .len = strlen(w->table->store), .oid = TEXT_OID },
			{ .bytes = w->table->name, .len = strlen(w->table->name), .oid = TEXT_OID },
			{ .bytes = &after, .len = 8, .oid = INT8_OID },
			{ .bytes = &big, .len = 8, .oid = INT8_OID },
		};
		uint64_t before = w->after;

		r = pg_do(w->call, session,
			  "SELECT at, before, after FROM cell.changes WHERE store = $1 AND name = $2 "
			  "AND at > $3 AND at < pg_snapshot_xmin(pg_current_snapshot())::text::bigint "
			  "ORDER BY at, n LIMIT $4",
			  values, 4, &result);
		used = limit;
		n = r ? 0 : pg_rows(result);
		r = r ? r : send_changes(w, result, n < used);
		cell_rewind(w->call, mark);
		/* One commit of more rows than that: all of it is one item. */
		if (w->after == before)
			limit *= 2;
	} while (!r && n == used);
	pg_give(session);
	return r;
}

static int watch_from(struct watching *w, const struct table_watch_request *in,
		      struct pg_session *session)
{
	if (in->has_after) {
		w->after = in->after;
		return check_kept(w, session);
	}
	return horizon(w->call, session, &w->after);
}

static int watch_on(struct watching *w, bool tells_point)
{
	struct watch *watch = w->postgres->watch;
	struct watcher watcher = { .next = watch->watchers };
	struct cell_arena_mark mark;
	int r = tells_point ? table_changes_send(w->out, &(struct table_changes){ .at = w->after }) : 0;

	watch->watchers = &watcher;
	while (!r) {
		r = catch_up(w);
		if (r)
			break;
		mark = cell_mark(w->call);
		r = cell_event_wait(cell_within_ms(w->call, LOOK_MS), &watcher.event);
		if (r == CELL_DEADLINE_EXCEEDED && cell_call_left_ns(w->call) > 0)
			r = 0;
		cell_rewind(w->call, mark);
	}
	for (struct watcher **at = &watch->watchers; *at; at = &(*at)->next)
		if (*at == &watcher) {
			*at = watcher.next;
			break;
		}
	return r;
}

int tables_watch(struct cell_call *call, void *self, const struct table_watch_request *in,
		 struct table_changes_sink *out)
{
	struct postgres *postgres = self;
	struct catalog_table table;
	struct watching w = { .call = call, .postgres = postgres, .out = out, .table = &table };
	struct pg_session *session;
	int r = pg_take(call, postgres->pg, false, &session);

	if (r)
		return r;
	r = catalog_enter(call, postgres, session, in->table, &table);
	if (!r) {
		r = watch_from(&w, in, session);
		pg_give(session);
		session = NULL;
		r = r ? r : watch_on(&w, !in->has_after);
		catalog_leave(&table);
	}
	pg_give(session);
	return r;
}
