/* The methods of postgres: proto/postgres.proto and proto/table.proto say what each promises. */
#include "postgres.cell.h"
#include "postgres.h"
#include "twophase.h"

#include <cell/cell.h>
#include <string.h>

const struct table_tables_handlers postgres_tables = {
	.get = tables_get,
	.scan = tables_scan,
	.count = tables_count,
	.commit = tables_commit,
	.prepare = tables_prepare,
	.decide = tables_decide,
	.next = tables_next,
	.watch = tables_watch,
	.query = tables_query,
};

static int tables_told(struct cell_call *call, struct pg_session *session,
		       struct postgres_status_report *out)
{
	struct cell_arena *arena = cell_arena(call);
	struct postgres_table *tables;
	const struct pg_result *result;
	int r = pg_do(call, session,
		      "SELECT store, name, schema, is_adopted, (SELECT count(*) FROM cell.versions v "
		      "WHERE v.store = t.store AND v.name = t.name) FROM cell.tables t ORDER BY 1, 2",
		      NULL, 0, &result);

	if (r)
		return r;
	tables = cell_arena_calloc(arena, pg_rows(result) + 1, sizeof *tables);
	if (!tables)
		return cell_refuse(call, -ENOMEM, "the tables");
	for (size_t i = 0; i < pg_rows(result); i++)
		tables[i] = (struct postgres_table){
			.store = cell_arena_strdup(arena, pg_text(result, i, 0)),
			.name = cell_arena_strdup(arena, pg_text(result, i, 1)),
			.schema = cell_arena_strdup(arena, pg_text(result, i, 2)),
			.adopted = pg_integer(result, i, 3),
			.versions = (uint32_t)pg_integer(result, i, 4),
		};
	out->tables = tables;
	out->n_tables = pg_rows(result);
	return 0;
}

static int in_doubt_told(struct cell_call *call, struct pg_session *session,
			 struct postgres_status_report *out)
{
	struct postgres_in_doubt *told;
	struct in_doubt *all;
	size_t n;
	int r = twophase_list(call, session, 0, &all, &n);

	if (r)
		return r;
	told = cell_arena_calloc(cell_arena(call), n + 1, sizeof *told);
	if (!told)
		return cell_refuse(call, -ENOMEM, "transactions in doubt");
	for (size_t i = 0; i < n; i++)
		told[i] = (struct postgres_in_doubt){ .txn = all[i].txn,
						      .n_txn = sizeof all[i].txn,
						      .coordinator = all[i].coordinator,
						      .age_ms = all[i].age_ms };
	out->in_doubt = told;
	out->n_in_doubt = n;
	return 0;
}

static int status(struct cell_call *call, void *self, const struct postgres_status_request *in,
		  struct postgres_status_report *out)
{
	struct postgres *postgres = self;
	struct pg_session *session;
	struct pg_status told;
	int r = pg_take(call, postgres->pg, false, &session);

	(void)in;
	if (!r) {
		r = catalog_make(call, postgres, session);
		r = r ? r : tables_told(call, session, out);
		r = r ? r : in_doubt_told(call, session, out);
		pg_give(session);
		if (r)
			return r;
	}
	pg_status(postgres->pg, &told);
	out->server = cell_arena_strdup(cell_arena(call), told.server);
	out->trouble = cell_arena_strdup(cell_arena(call), r ? cell_error(call)->text : told.trouble);
	out->server_version = (uint32_t)told.server_version;
	out->connections = told.open;
	out->connections_idle = told.idle;
	out->connections_max = told.limit;
	out->waiting = told.waiting;
	out->connected = told.connected;
	out->failed = told.failed;
	out->lost = told.lost;
	out->commits = postgres->commits;
	out->conflicts = postgres->conflicts;
	out->key = postgres->seal ? seal_newest(postgres->seal) : 0;
	return out->server && out->trouble ? 0 : cell_refuse(call, -ENOMEM, "the status");
}

/* Writes what every reader of an encrypted column depends on: not for every cell. */
static int rotate_key(struct cell_call *call, void *self, const struct postgres_rotate_request *in,
		      struct postgres_rotated *out)
{
	const struct cell_peer *peer = cell_call_peer(call);
	struct postgres *postgres = self;
	struct pg_session *session;
	int r;

	(void)in;
	if (!peer->is_outside && *peer->cell)
		return cell_refuse(call, CELL_PERMISSION_DENIED, "a key is rotated by a person, not by cell '%s'",
				   peer->cell);
	r = pg_take(call, postgres->pg, true, &session);
	if (r)
		return r;
	r = seal_rotate(postgres->seal, cell_error_slot(call));
	r = r ? r : reseal_all(call, postgres, session, &out->rows);
	out->key = seal_newest(postgres->seal);
	pg_give(session);
	return r;
}

const struct postgres_handlers postgres_handlers = {
	.status = status,
	.rotate_key = rotate_key,
};
