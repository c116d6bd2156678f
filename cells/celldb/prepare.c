/* Transactions over several cells: what is promised, and what became of it. */
#include "engine_inside.h"

#include "reply.h"

#include <cell/cell.h>
#include <string.h>

/* A cell's name. */
#define ENGINE_COORDINATOR_MAX 63

static int no_memory(struct cell_error *err)
{
	return cell_fail(err, -ENOMEM, "no memory for a prepared transaction");
}

static int prepared_before(struct engine *engine, const struct participant *participant,
			   const uint8_t *txn, struct table_prepared *out,
			   struct cell_arena *arena, struct cell_error *err)
{
	struct cell_store_bytes reply;
	int r = reply_take(engine->seal, txn, participant->record.reply, &reply, arena, err);

	return r < 0 ? r : table_prepared_type.decode(out, reply.at, reply.len, 0, arena, err);
}

static int prepared_write(struct engine *engine, const struct table_prepare_request *in,
			  const struct commit *commit, struct record_prepared *record,
			  const struct table_prepared *out, struct cell_arena *arena,
			  struct cell_error *err)
{
	uint8_t *reply = cell_arena_alloc(arena, table_prepared_type.bound(out));
	const struct draft *draft = &commit->draft;
	struct cell_store_bytes bytes;
	struct layout_key key;
	int r;

	if (!reply)
		return no_memory(err);
	record->coordinator = in->coordinator;
	record->at_us = (uint64_t)engine->now_us;
	record->reply = (struct cell_store_bytes){
		reply, (size_t)(table_prepared_type.encode(out, reply) - reply)
	};
	r = reply_keep(commit, engine->seal, in->txn, record->reply, &record->reply, arena, err);
	if (r < 0)
		return r;
	record->locks = draft->locks.items;
	record->n_locks = draft->locks.n;
	record->ranges = draft->ranges;
	record->n_ranges = draft->n_ranges;
	bytes = record_prepared_encode(record, arena);
	if (!bytes.at)
		return no_memory(err);
	r = participants_add(engine->participants, in->txn, bytes, err);
	if (r < 0)
		return r;
	engine->has_prepared = engine->is_dirty = true;
	layout_prepared(&key, in->txn);
	return cell_store_put(&engine->txn, layout_bytes(&key), bytes, err);
}

int engine_prepare(struct engine *engine, const struct catalog_peer *peer,
		   const struct table_prepare_request *in, struct table_prepared *out,
		   struct cell_arena *arena, struct cell_error *err)
{
	struct draft_moment moment = engine_moment(engine);
	struct record_prepared record = { 0 };
	const struct participant *before;
	struct commit commit;
	int r;

	if (in->n_txn != LAYOUT_ID || !in->commit || !*in->coordinator ||
	    strlen(in->coordinator) > ENGINE_COORDINATOR_MAX)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "a transaction needs its id of %d bytes, its coordinator and a commit",
				 LAYOUT_ID);
	before = participants_find(engine->participants, in->txn);
	if (before)
		return prepared_before(engine, before, in->txn, out, arena, err);
	r = draft_init(&commit.draft, &engine->view, engine->participants, arena, err);
	commit.draft.takes_locks = true;
	if (r == 0)
		r = commit_check(&commit, in->commit, peer, engine->meta.log_from, &moment, err);
	if (r == 0)
		r = commit_rows(&commit, &out->rows, &out->n_rows, err);
	if (r == 0)
		r = apply_records(&commit.draft, engine->now_us, &record.changes, &record.n_changes,
				  err);
	if (r == 0)
		r = prepared_write(engine, in, &commit, &record, out, arena, err);
	return r;
}

int engine_decide(struct engine *engine, const struct catalog_peer *peer,
		  const struct table_decision *in, struct table_decided *out,
		  struct cell_arena *arena, struct cell_error *err)
{
	const struct participant *participant =
		in->n_txn == LAYOUT_ID ? participants_find(engine->participants, in->txn) : NULL;
	struct layout_key key;
	struct draft draft;
	int r = 0;

	if (in->n_txn != LAYOUT_ID)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "a transaction's id has %zu bytes, not %d",
				 in->n_txn, LAYOUT_ID);
	if (!participant)
		return 0;
	if (peer && strcmp(peer->cell, participant->record.coordinator) != 0)
		return cell_fail(err, CELL_PERMISSION_DENIED,
				 "the transaction is decided by '%s', not by '%s'",
				 participant->record.coordinator, peer->cell);
	if (in->commit) {
		r = draft_init(&draft, &engine->view, engine->participants, arena, err);
		if (r == 0)
			r = apply_prepared(&draft, &participant->record, err);
		if (r == 0)
			r = engine_write(engine, &draft, err);
		if (r < 0)
			return r;
		out->version = engine->meta.version;
	}
	engine->is_dirty = engine->has_prepared = true;
	layout_prepared(&key, in->txn);
	r = cell_store_delete(&engine->txn, layout_bytes(&key), err);
	participants_remove(engine->participants, in->txn);
	return r < 0 ? r : 0;
}
