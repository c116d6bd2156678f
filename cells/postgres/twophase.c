/*
 * The participant's side of a transaction over several cells: PREPARE TRANSACTION of PostgreSQL
 * is the promise. What has promised is called "cell_", the number in hex, "_", and who decides;
 * so PostgreSQL alone remembers it. Every second those that are older than that are asked for.
 */
#include "postgres.h"
#include "sql.h"
#include "twophase.h"
#include "watch.h"

#include <cell/cell.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <txn.cell.h>

#define TXN_SIZE   16
#define HEX_SIZE   (2 * TXN_SIZE)
#define PREFIX	   "cell_"
#define TEXT_OID   25
#define BYTEA_OID  17
#define IN_DOUBT_MAX 256

static bool cell_is_valid(const char *name)
{
	size_t n = strlen(name);

	if (!n || n > 63)
		return false;
	for (; *name; name++)
		if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) && *name != '-')
			return false;
	return true;
}

static const char *hex_of(struct cell_arena *arena, const uint8_t *txn)
{
	char *hex = cell_arena_alloc(arena, HEX_SIZE + 1);

	for (size_t i = 0; hex && i < TXN_SIZE; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", txn[i]);
	return hex;
}

static struct pg_value text_value(const char *text)
{
	return (struct pg_value){ .bytes = text, .len = strlen(text), .oid = TEXT_OID };
}

/* ---- the promise -------------------------------------------------------------------------------- */

/* Whether it is made already: the request was sent again. */
static int is_prepared(struct cell_call *call, struct postgres *postgres, const char *gid, bool *ret)
{
	const struct pg_value value = text_value(gid);
	const struct pg_result *result;
	struct pg_session *session;
	int r = pg_take(call, postgres->pg, false, &session);

	if (r)
		return r;
	r = pg_do(call, session, "SELECT 1 FROM pg_prepared_xacts WHERE gid = $1", &value, 1, &result);
	*ret = !r && pg_rows(result);
	pg_give(session);
	return r;
}

int tables_prepare(struct cell_call *call, void *self, const struct table_prepare_request *in,
		   struct table_prepared *out)
{
	struct postgres *postgres = self;
	struct cell_arena *arena = cell_arena(call);
	struct table_commit_request commit;
	struct table_committed committed;
	const char *hex, *gid, *end;
	bool is_there;
	int r;

	if (in->n_txn != TXN_SIZE || !in->commit || !cell_is_valid(in->coordinator))
		return cell_refuse(call, CELL_INVALID_ARGUMENT,
				   "a transaction has %d bytes, a coordinator and writes", TXN_SIZE);
	hex = hex_of(arena, in->txn);
	gid = hex ? cell_arena_printf(arena, PREFIX "%s_%s", hex, in->coordinator) : NULL;
	end = gid ? cell_arena_printf(arena, "PREPARE TRANSACTION '%s'", gid) : NULL;
	if (!end)
		return cell_refuse(call, -ENOMEM, "a transaction");
	r = is_prepared(call, postgres, gid, &is_there);
	if (r)
		return r;
	/* The rows were in the answer that got lost, and nobody sees them before the decision. */
	if (is_there)
		return in->commit->want_rows
			       ? cell_refuse(call, CELL_ABORTED, "it is prepared, and its rows are forgotten")
			       : 0;
	commit = *in->commit;
	commit.id = in->txn;
	commit.n_id = TXN_SIZE;
	r = commit_as(call, postgres, &commit, end, &committed);
	if (r == CELL_FAILED_PRECONDITION &&
	    strstr(cell_error(call)->text, "prepared transactions are disabled"))
		return cell_refuse(call, r,
				   "PostgreSQL prepares no transactions: set max_prepared_transactions to "
				   "more than 0 in its postgresql.conf, and restart it");
	if (r)
		return r;
	out->n_rows = committed.n_rows;
	out->rows = committed.rows;
	return 0;
}

/* ---- the decision ------------------------------------------------------------------------------- */

/* The whole name of the promise, "" if there is none; and its transaction. */
static int find(struct cell_call *call, struct pg_session *session, const char *hex, const char **ret_gid,
		uint32_t *ret_xid)
{
	const char *like = cell_arena_printf(cell_arena(call), PREFIX "%s_%%", hex);
	const struct pg_result *result;
	struct pg_value value;
	int r;

	if (!like)
		return cell_refuse(call, -ENOMEM, "a transaction");
	/* No character of it but the last is a wildcard that matters: '_' stands for itself, too. */
	value = text_value(like);
	r = pg_do(call, session,
		  "SELECT gid, transaction FROM pg_prepared_xacts "
		  "WHERE database = current_database() AND gid LIKE $1",
		  &value, 1, &result);
	if (r)
		return r;
	*ret_gid = pg_rows(result) ? cell_arena_strdup(cell_arena(call), pg_text(result, 0, 0)) : "";
	*ret_xid = pg_rows(result) ? (uint32_t)pg_integer(result, 0, 1) : 0;
	return *ret_gid ? 0 : cell_refuse(call, -ENOMEM, "a transaction");
}

static const char *coordinator_of(const char *gid)
{
	return gid + strlen(PREFIX) + HEX_SIZE + 1;
}

/* What it was committed as, if that was before. */
static int version_before(struct cell_call *call, struct pg_session *session, const uint8_t *txn,
			  uint64_t *ret)
{
	const struct pg_value value = { .bytes = txn, .len = TXN_SIZE, .oid = BYTEA_OID };
	const struct pg_result *result;
	int r = pg_do(call, session, "SELECT version FROM cell.commits WHERE id = $1", &value, 1, &result);

	*ret = !r && pg_rows(result) ? (uint64_t)pg_integer(result, 0, 0) : 0;
	return r;
}

static int carry_out(struct cell_call *call, struct postgres *postgres, struct pg_session *session,
		     const char *gid, uint32_t xid, bool commits, uint64_t *ret_version)
{
	const char *text = cell_arena_printf(cell_arena(call), "%s PREPARED '%s'",
					     commits ? "COMMIT" : "ROLLBACK", gid);
	int r = text ? pg_do(call, session, text, NULL, 0, NULL)
		     : cell_refuse(call, -ENOMEM, "a transaction");

	/* Somebody else was faster: what is not known is decided. */
	if (r == CELL_NOT_FOUND)
		r = 0;
	if (!r && commits)
		*ret_version = rows_version(postgres, xid);
	return r;
}

static int decide_in(struct cell_call *call, struct postgres *postgres, struct pg_session *session,
		     const struct table_decision *in, struct table_decided *out)
{
	const char *hex = hex_of(cell_arena(call), in->txn), *gid;
	const struct cell_peer *peer = cell_call_peer(call);
	uint32_t xid = 0;
	int r = hex ? catalog_make(call, postgres, session) : cell_refuse(call, -ENOMEM, "a transaction");

	r = r ? r : find(call, session, hex, &gid, &xid);
	if (r)
		return r;
	if (!*gid)
		return version_before(call, session, in->txn, &out->version);
	if (*peer->cell ? strcmp(peer->cell, coordinator_of(gid)) != 0 : !peer->is_outside)
		return cell_refuse(call, CELL_PERMISSION_DENIED,
				   "transaction %s is for cell '%s' to decide, not for '%s'", hex,
				   coordinator_of(gid), peer->cell);
	return carry_out(call, postgres, session, gid, xid, in->commit, &out->version);
}

int tables_decide(struct cell_call *call, void *self, const struct table_decision *in,
		  struct table_decided *out)
{
	struct postgres *postgres = self;
	struct pg_session *session;
	int r;

	if (in->n_txn != TXN_SIZE)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "a transaction of %zu bytes, not %d",
				   in->n_txn, TXN_SIZE);
	r = pg_take(call, postgres->pg, false, &session);
	if (r)
		return r;
	r = decide_in(call, postgres, session, in, out);
	pg_give(session);
	if (!r)
		watch_changed(postgres);
	return r;
}

/* ---- in doubt -------------------------------------------------------------------------------------- */

int twophase_list(struct cell_call *call, struct pg_session *session, unsigned older_than_ms,
		  struct in_doubt **ret, size_t *ret_n)
{
	const struct pg_result *result;
	const uint32_t big = __builtin_bswap32(older_than_ms);
	const struct pg_value value = { .bytes = &big, .len = 4, .oid = 23 };
	struct in_doubt *all;
	int r = pg_do(call, session,
		      "SELECT gid, transaction, "
		      "(extract(epoch FROM clock_timestamp() - prepared) * 1000)::bigint "
		      "FROM pg_prepared_xacts WHERE database = current_database() "
		      "AND gid ~ '^cell_[0-9a-f]{32}_[a-z0-9-]+$' "
		      "AND prepared < clock_timestamp() - $1 * interval '1 ms' ORDER BY prepared LIMIT 256",
		      &value, 1, &result);

	*ret_n = 0;
	if (r)
		return r;
	all = cell_arena_calloc(cell_arena(call), pg_rows(result) + 1, sizeof *all);
	if (!all)
		return cell_refuse(call, -ENOMEM, "transactions in doubt");
	for (size_t i = 0; i < pg_rows(result); i++) {
		struct in_doubt *one = &all[i];

		one->gid = cell_arena_strdup(cell_arena(call), pg_text(result, i, 0));
		one->xid = (uint32_t)pg_integer(result, i, 1);
		one->age_ms = (uint64_t)pg_integer(result, i, 2);
		if (!one->gid)
			return cell_refuse(call, -ENOMEM, "transactions in doubt");
		one->coordinator = coordinator_of(one->gid);
		for (size_t at = 0; at < TXN_SIZE; at++)
			(void)sscanf(one->gid + strlen(PREFIX) + 2 * at, "%2hhx", &one->txn[at]);
	}
	*ret = all;
	*ret_n = pg_rows(result);
	return 0;
}

/* Ask who decides, and do as it says. Who cannot be asked is asked again. */
static void resolve(struct cell_call *call, struct postgres *postgres, struct pg_session *session,
		    const struct in_doubt *one)
{
	const struct txn_outcome_request in = { .n_txn = TXN_SIZE, .txn = one->txn };
	struct txn_outcome_reply reply;
	uint64_t version;

	if (txn_outcome(cell_to(cell_within_ms(call, 1000), one->coordinator, 0), &in, &reply) ||
	    reply.state == TXN_STATE_PENDING)
		return;
	if (carry_out(call, postgres, session, one->gid, one->xid,
		      reply.state == TXN_STATE_COMMITTED, &version) == 0) {
		cell_log(CELL_LOG_INFO, "txn", "resolved", "gid=%s outcome=%s age_ms=%llu", one->gid,
			 reply.state == TXN_STATE_COMMITTED ? "committed" : "aborted",
			 (unsigned long long)one->age_ms);
		watch_changed(postgres);
	}
}

void twophase_recover(struct cell_call *call, struct postgres *postgres)
{
	struct pg_session *session;
	struct in_doubt *all;
	size_t n;

	if (pg_take(call, postgres->pg, false, &session))
		return;
	if (twophase_list(call, session, 1000, &all, &n) == 0)
		for (size_t i = 0; i < n && !cell_call_is_cancelled(call); i++)
			resolve(call, postgres, session, &all[i]);
	pg_give(session);
}
