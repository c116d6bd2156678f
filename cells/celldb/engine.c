#include "engine_inside.h"

#include "reply.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MAX    1000000ull
#define LOG_AGE_US (3600ull * 1000000)
/* Of what is old, so much goes with each transaction: nobody waits long for it. */
#define TRIM_MAX 1024

static int no_memory(struct cell_error *err)
{
	return cell_fail(err, -ENOMEM, "no memory for the database");
}

/* ---- at the start ------------------------------------------------------------------------- */

static int meta_write(struct engine *engine, struct cell_error *err)
{
	uint8_t bytes[RECORD_META_SIZE];
	struct layout_key key;

	layout_meta(&key);
	record_meta_encode(&engine->meta, bytes);
	return cell_store_put(&engine->txn, layout_bytes(&key),
			      (struct cell_store_bytes){ bytes, sizeof bytes }, err);
}

/* 0, CELL_STORE_ABSENT for an empty store, or why it cannot be read. */
static int meta_read(struct engine *engine, struct cell_error *err)
{
	struct cell_store_bytes bytes;
	struct layout_key key;
	int r;

	layout_meta(&key);
	r = cell_store_get(&engine->txn, layout_bytes(&key), &bytes, err);
	if (r == 0)
		r = record_meta_decode(&engine->durable, bytes, err);
	if (r == 0)
		engine->meta = engine->durable;
	return r;
}

static int store_begin_new(struct engine *engine, struct cell_error *err)
{
	int r = cell_store_write(engine->store, &engine->txn, err);

	engine->meta = (struct record_meta){ .generation = 1, .next_table = 1 };
	if (r == 0)
		r = meta_write(engine, err);
	if (r == 0)
		r = cell_store_commit(&engine->txn, err);
	cell_store_abort(&engine->txn);
	engine->durable = engine->meta;
	return r;
}

typedef int entry_fn(struct engine *engine, struct cell_store_bytes key,
		     struct cell_store_bytes value, struct cell_error *err);

static int each(struct engine *engine, const struct layout_key *begin, entry_fn *fn,
		struct cell_error *err)
{
	struct cell_store_bytes key, value;
	struct cell_store_cursor cursor;
	int r = cell_store_cursor_open(&engine->txn, &cursor, err);

	if (r < 0)
		return r;
	for (r = cell_store_seek(&cursor, layout_bytes(begin), false, &key, &value, err);
	     r == 0 && layout_begins(key, begin);
	     r = cell_store_next(&cursor, false, &key, &value, err)) {
		r = fn(engine, key, value, err);
		if (r < 0)
			break;
	}
	cell_store_cursor_close(&cursor);
	return r < 0 ? r : 0;
}

static int on_prepared(struct engine *engine, struct cell_store_bytes key,
		       struct cell_store_bytes value, struct cell_error *err)
{
	const uint8_t *txn;

	if (!layout_read_prepared(key, &txn))
		return cell_fail(err, CELL_DATA_LOSS, "a prepared transaction without its id");
	return participants_add(engine->participants, txn, value, err);
}

static int on_answer(struct engine *engine, struct cell_store_bytes key,
		     struct cell_store_bytes value, struct cell_error *err)
{
	struct record_answer answer;
	uint64_t version;
	int r = record_answer_decode(&answer, value, err);

	if (r == 0 && layout_read_answer(key, &version))
		answers_add(engine->answers, answer.id, version, answer.at_us);
	return r;
}

static int prepared_read(struct engine *engine, struct cell_error *err)
{
	struct layout_key begin;

	participants_clear(engine->participants);
	layout_all_prepared(&begin);
	return each(engine, &begin, on_prepared, err);
}

static int memory_read(struct engine *engine, struct cell_error *err)
{
	struct layout_key begin;
	int r = cell_store_read(engine->store, &engine->txn, err);

	if (r == 0)
		r = meta_read(engine, err);
	if (r == CELL_STORE_ABSENT) {
		cell_store_abort(&engine->txn);
		return store_begin_new(engine, err);
	}
	if (r == 0)
		r = prepared_read(engine, err);
	layout_answer(&begin, 0);
	begin.len = 1;
	if (r == 0)
		r = each(engine, &begin, on_answer, err);
	cell_store_abort(&engine->txn);
	return r;
}

int engine_open(struct engine **ret, struct cell_store *store, struct seal *seal,
		struct pulse *pulse, const struct engine_options *options, struct cell_error *err)
{
	struct engine *engine = calloc(1, sizeof *engine);
	int r;

	if (!engine)
		return no_memory(err);
	engine->store = store;
	engine->seal = seal;
	engine->pulse = pulse;
	engine->options = *options;
	if (!engine->options.log_max)
		engine->options.log_max = LOG_MAX;
	if (!engine->options.log_age_us)
		engine->options.log_age_us = LOG_AGE_US;
	engine->participants = participants_new();
	engine->answers = answers_new();
	r = engine->participants && engine->answers ? memory_read(engine, err) : no_memory(err);
	if (r < 0) {
		engine_close(engine);
		return r;
	}
	*ret = engine;
	return 0;
}

void engine_close(struct engine *engine)
{
	if (!engine)
		return;
	cell_store_abort(&engine->txn);
	catalog_unref(engine->view.catalog);
	participants_free(engine->participants);
	answers_free(engine->answers);
	free(engine);
}

/* ---- transactions of the store --------------------------------------------------------------- */

static int catalog_refresh(struct engine *engine, struct cell_error *err)
{
	struct catalog *catalog = engine->view.catalog, *fresh;
	int r;

	if (catalog && catalog_generation(catalog) == engine->meta.generation)
		return 0;
	r = catalog_load(&fresh, &engine->txn, catalog, err);
	if (r < 0)
		return r;
	catalog_unref(catalog);
	engine->view.catalog = fresh;
	return 0;
}

int engine_begin(struct engine *engine, int64_t now_us, struct cell_error *err)
{
	int r = cell_store_write(engine->store, &engine->txn, err);

	if (r < 0)
		return r;
	if (now_us > engine->now_us)
		engine->now_us = now_us;
	engine->view.txn = &engine->txn;
	engine->view.seal = engine->seal;
	engine->is_dirty = engine->has_prepared = engine->has_altered = false;
	r = catalog_refresh(engine, err);
	if (r < 0)
		cell_store_abort(&engine->txn);
	return r;
}

bool engine_is_broken(const struct engine *engine)
{
	return engine->txn.failed != 0;
}

/* As the store has it. */
static void undo(struct engine *engine)
{
	struct cell_error err;

	engine->meta = engine->durable;
	answers_undo(engine->answers, engine->durable.version);
	if (engine->has_altered) {
		catalog_unref(engine->view.catalog);
		engine->view.catalog = NULL;
	}
	if (!engine->has_prepared)
		return;
	if (cell_store_read(engine->store, &engine->txn, &err) < 0 || prepared_read(engine, &err) < 0)
		cell_log(CELL_LOG_ERR, "engine", "prepared_unknown", "reason=\"%s\"", err.text);
	cell_store_abort(&engine->txn);
}

void engine_abort(struct engine *engine)
{
	cell_store_abort(&engine->txn);
	undo(engine);
}

/* Changes that are too many or too old. */
static int log_trim(struct engine *engine, struct cell_error *err)
{
	uint64_t until = (uint64_t)engine->now_us - engine->options.log_age_us;
	struct cell_store_bytes key, value;
	struct cell_store_cursor cursor;
	struct layout_key begin;
	int r;

	layout_change(&begin, 0, 0);
	r = cell_store_cursor_open(&engine->txn, &cursor, err);
	if (r < 0)
		return r;
	r = cell_store_seek(&cursor, layout_bytes(&begin), false, &key, &value, err);
	for (unsigned i = 0; r == 0 && i < TRIM_MAX; i++) {
		struct record_change change;
		struct layout_key place = { .len = 0 };
		uint64_t version;
		uint32_t n;

		if (!layout_read_change(key, &version, &n))
			break;
		r = record_change_decode(&change, value, err);
		if (r < 0 || (engine->meta.log_entries <= engine->options.log_max &&
			      change.at_us > until))
			break;
		(void)layout_append(&place, key.at, key.len);
		r = cell_store_delete(&engine->txn, layout_bytes(&place), err);
		if (r < 0)
			break;
		engine->meta.log_from = version;
		engine->meta.log_entries--;
		r = cell_store_next(&cursor, false, &key, &value, err);
	}
	cell_store_cursor_close(&cursor);
	return r < 0 ? r : 0;
}

static int answers_trim(struct engine *engine, struct cell_error *err)
{
	uint64_t version;
	int r = 0;

	for (unsigned i = 0; r >= 0 && i < TRIM_MAX; i++) {
		struct layout_key key;

		version = answers_expire(engine->answers, (uint64_t)engine->now_us);
		if (!version)
			break;
		layout_answer(&key, version);
		r = cell_store_delete(&engine->txn, layout_bytes(&key), err);
		if (version > engine->meta.answers_from)
			engine->meta.answers_from = version;
	}
	return r < 0 ? r : 0;
}

int engine_end(struct engine *engine, struct cell_error *err)
{
	bool has_altered = engine->has_altered;
	int r = engine->txn.failed;

	if (!engine->is_dirty && r == 0) {
		cell_store_abort(&engine->txn);
		return 0;
	}
	if (r == 0)
		r = log_trim(engine, err);
	if (r == 0)
		r = answers_trim(engine, err);
	if (r == 0)
		r = meta_write(engine, err);
	if (has_altered)
		atomic_fetch_add(&engine->pulse->catalog, 1);
	/* Also when it is inert: the store knows why. */
	r = cell_store_commit(&engine->txn, err);
	if (r == 0) {
		engine->durable = engine->meta;
		atomic_fetch_add(&engine->pulse->commits, 1);
	}
	if (has_altered)
		atomic_fetch_add(&engine->pulse->catalog, 1);
	if (r < 0)
		engine_abort(engine);
	return r;
}

/* ---- commits ------------------------------------------------------------------------------ */

struct draft_moment engine_moment(const struct engine *engine)
{
	return (struct draft_moment){ .now_us = engine->now_us,
				      .fill_random = engine->options.fill_random };
}

static int answered_before(struct engine *engine, const uint8_t *id, uint64_t version,
			   struct table_committed *out, struct cell_arena *arena,
			   struct cell_error *err)
{
	struct cell_store_bytes bytes;
	struct record_answer answer;
	struct layout_key key;
	int r;

	layout_answer(&key, version);
	r = cell_store_get(&engine->txn, layout_bytes(&key), &bytes, err);
	if (r == CELL_STORE_ABSENT)
		return cell_fail(err, CELL_DATA_LOSS, "commit %" PRIu64 " has lost its answer",
				 version);
	if (r == 0)
		r = record_answer_decode(&answer, bytes, err);
	if (r == 0)
		r = reply_take(engine->seal, id, answer.reply, &answer.reply, arena, err);
	if (r == 0)
		r = table_committed_type.decode(out, answer.reply.at, answer.reply.len, 0, arena,
						err);
	return r;
}

static int answer_write(struct engine *engine, const struct commit *commit,
			const struct table_committed *out, struct cell_arena *arena,
			struct cell_error *err)
{
	struct record_answer answer = { .at_us = (uint64_t)engine->now_us };
	uint8_t *reply = cell_arena_alloc(arena, table_committed_type.bound(out));
	struct cell_store_bytes bytes;
	struct layout_key key;
	int r;

	if (!reply)
		return no_memory(err);
	answer.reply = (struct cell_store_bytes){
		reply, (size_t)(table_committed_type.encode(out, reply) - reply)
	};
	memcpy(answer.id, commit->in->id, LAYOUT_ID);
	r = reply_keep(commit, engine->seal, answer.id, answer.reply, &answer.reply, arena, err);
	if (r < 0)
		return r;
	bytes = record_answer_encode(&answer, arena);
	if (!bytes.at)
		return no_memory(err);
	layout_answer(&key, out->version);
	return cell_store_put(&engine->txn, layout_bytes(&key), bytes, err);
}

int engine_write(struct engine *engine, struct draft *draft, struct cell_error *err)
{
	uint64_t changes;
	int r;

	engine->meta.version++;
	engine->is_dirty = true;
	r = apply_draft(draft, engine->meta.version, engine->now_us, &changes, err);
	if (r == 0)
		engine->meta.log_entries += changes;
	else if (!engine_is_broken(engine))
		/* Half of it is written: the whole transaction has to go. */
		engine->txn.failed = r;
	return r;
}

int engine_commit(struct engine *engine, const struct catalog_peer *peer,
		  const struct table_commit_request *in, struct table_committed *out,
		  struct cell_arena *arena, struct cell_error *err)
{
	struct draft_moment moment = engine_moment(engine);
	struct commit commit;
	uint64_t version;
	int r;

	if (in->n_id != LAYOUT_ID)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "a commit's id has %zu bytes, not %d",
				 in->n_id, LAYOUT_ID);
	version = answers_find(engine->answers, in->id);
	if (version)
		return answered_before(engine, in->id, version, out, arena, err);
	r = draft_init(&commit.draft, &engine->view, engine->participants, arena, err);
	if (r == 0)
		r = commit_check(&commit, in, peer, engine->meta.log_from, &moment, err);
	if (r == 0)
		r = commit_rows(&commit, &out->rows, &out->n_rows, err);
	if (r < 0)
		return r;
	out->version = engine->meta.version;
	if (!commit.draft.n_changed)
		return 0;
	r = engine_write(engine, &commit.draft, err);
	out->version = engine->meta.version;
	if (r == 0)
		r = answer_write(engine, &commit, out, arena, err);
	if (r == 0)
		answers_add(engine->answers, in->id, out->version, (uint64_t)engine->now_us);
	return r;
}
