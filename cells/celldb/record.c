#include "record.h"

#include <cell/bytes.h>
#include <errno.h>
#include <string.h>

#define ABSENT UINT32_MAX /* the length of bytes that are not there */

static int damaged(struct cell_error *err, const char *what)
{
	return cell_fail(err, CELL_DATA_LOSS, "the store's %s makes no sense", what);
}

static int no_memory(struct cell_error *err)
{
	return cell_fail(err, -ENOMEM, "no memory for a record of the store");
}

/* ---- parts ------------------------------------------------------------------------------ */

static size_t part_size(struct cell_store_bytes bytes)
{
	return 4 + (bytes.at ? bytes.len : 0);
}

static void part_put(struct cell_writer *writer, struct cell_store_bytes bytes)
{
	uint8_t *room;

	cell_write_u32(writer, bytes.at ? (uint32_t)bytes.len : ABSENT);
	room = bytes.at ? cell_write_room(writer, bytes.len) : NULL;
	if (room && bytes.len)
		memcpy(room, bytes.at, bytes.len);
}

static struct cell_store_bytes part_get(struct cell_reader *reader)
{
	uint32_t len = cell_read_u32(reader);

	if (reader->failed || len == ABSENT)
		return (struct cell_store_bytes){ NULL, 0 };
	return (struct cell_store_bytes){ cell_read_bytes(reader, len), len };
}

static struct cell_writer writer_of(struct cell_arena *arena, size_t size)
{
	uint8_t *at = cell_arena_alloc(arena, size);
	struct cell_writer none = { NULL, NULL, true };

	return at ? cell_writer(at, size) : none;
}

static struct cell_store_bytes written(const struct cell_writer *writer, size_t size)
{
	if (writer->failed)
		return (struct cell_store_bytes){ NULL, 0 };
	return (struct cell_store_bytes){ writer->at - size, size };
}

/* ---- what the store is -------------------------------------------------------------------- */

void record_meta_encode(const struct record_meta *meta, uint8_t out[static RECORD_META_SIZE])
{
	struct cell_writer writer = cell_writer(out, RECORD_META_SIZE);

	cell_write_u32(&writer, RECORD_FORMAT);
	cell_write_u64(&writer, meta->generation);
	cell_write_u64(&writer, meta->version);
	cell_write_u64(&writer, meta->log_from);
	cell_write_u64(&writer, meta->log_entries);
	cell_write_u64(&writer, meta->answers_from);
	cell_write_u32(&writer, meta->next_table);
}

int record_meta_decode(struct record_meta *ret, struct cell_store_bytes bytes,
		       struct cell_error *err)
{
	struct cell_reader reader = cell_reader(bytes.at, bytes.len);
	uint32_t format = cell_read_u32(&reader);
	struct record_meta meta;

	if (!reader.failed && format != RECORD_FORMAT)
		return cell_fail(err, CELL_DATA_LOSS, "the store is of format %u, this is %u",
				 format, RECORD_FORMAT);
	meta.generation = cell_read_u64(&reader);
	meta.version = cell_read_u64(&reader);
	meta.log_from = cell_read_u64(&reader);
	meta.log_entries = cell_read_u64(&reader);
	meta.answers_from = cell_read_u64(&reader);
	meta.next_table = cell_read_u32(&reader);
	if (!cell_reader_is_done(&reader))
		return damaged(err, "head");
	*ret = meta;
	return 0;
}

/* ---- tables ------------------------------------------------------------------------------- */

static size_t table_size(const struct record_table *table)
{
	size_t size = 1 + LAYOUT_DIGEST + 8 + 2 + 2;

	for (size_t i = 0; i < table->n_indexes; i++)
		size += 2 + 1 + 2 + 4u * table->indexes[i].n;
	return size;
}

struct cell_store_bytes record_table_encode(const struct record_table *table,
					    struct cell_arena *arena)
{
	size_t size = table_size(table);
	struct cell_writer writer = writer_of(arena, size);
	uint8_t *digest;

	cell_write_u8(&writer, table->is_shared);
	digest = cell_write_room(&writer, LAYOUT_DIGEST);
	if (digest)
		memcpy(digest, table->digest, LAYOUT_DIGEST);
	cell_write_u64(&writer, table->log_from);
	cell_write_u16(&writer, table->next_index);
	cell_write_u16(&writer, (uint16_t)table->n_indexes);
	for (size_t i = 0; i < table->n_indexes; i++) {
		const struct record_index *index = &table->indexes[i];

		cell_write_u16(&writer, index->id);
		cell_write_u8(&writer, index->is_unique);
		cell_write_u16(&writer, index->n);
		for (size_t j = 0; j < index->n; j++)
			cell_write_u32(&writer, index->columns[j]);
	}
	return written(&writer, size);
}

static int index_get(struct record_index *index, struct cell_reader *reader,
		     struct cell_arena *arena, struct cell_error *err)
{
	uint32_t *columns;

	index->id = cell_read_u16(reader);
	index->is_unique = cell_read_u8(reader);
	index->n = cell_read_u16(reader);
	if (reader->failed || index->n > (size_t)(reader->end - reader->at) / 4)
		return damaged(err, "record of a table");
	columns = cell_arena_calloc(arena, index->n, sizeof *columns);
	if (!columns)
		return no_memory(err);
	for (size_t i = 0; i < index->n; i++)
		columns[i] = cell_read_u32(reader);
	index->columns = columns;
	return 0;
}

int record_table_decode(struct record_table *ret, struct cell_store_bytes bytes,
			struct cell_arena *arena, struct cell_error *err)
{
	struct cell_reader reader = cell_reader(bytes.at, bytes.len);
	struct record_table table = { .is_shared = cell_read_u8(&reader) };
	const uint8_t *digest = cell_read_bytes(&reader, LAYOUT_DIGEST);
	struct record_index *indexes;
	int r = 0;

	if (digest)
		memcpy(table.digest, digest, LAYOUT_DIGEST);
	table.log_from = cell_read_u64(&reader);
	table.next_index = cell_read_u16(&reader);
	table.n_indexes = cell_read_u16(&reader);
	indexes = cell_arena_calloc(arena, table.n_indexes, sizeof *indexes);
	if (!indexes)
		return no_memory(err);
	for (size_t i = 0; r == 0 && i < table.n_indexes; i++)
		r = index_get(&indexes[i], &reader, arena, err);
	table.indexes = indexes;
	if (r == 0 && !cell_reader_is_done(&reader))
		r = damaged(err, "record of a table");
	if (r == 0)
		*ret = table;
	return r;
}

/* ---- changes and answers ------------------------------------------------------------------ */

static size_t change_size(const struct record_change *change)
{
	return 8 + 4 + part_size(change->key) + part_size(change->before) + part_size(change->after);
}

static void change_put(struct cell_writer *writer, const struct record_change *change)
{
	cell_write_u64(writer, change->at_us);
	cell_write_u32(writer, change->table);
	part_put(writer, change->key);
	part_put(writer, change->before);
	part_put(writer, change->after);
}

static struct record_change change_get(struct cell_reader *reader)
{
	struct record_change change = { .at_us = cell_read_u64(reader) };

	change.table = cell_read_u32(reader);
	change.key = part_get(reader);
	change.before = part_get(reader);
	change.after = part_get(reader);
	return change;
}

struct cell_store_bytes record_change_encode(const struct record_change *change,
					     struct cell_arena *arena)
{
	size_t size = change_size(change);
	struct cell_writer writer = writer_of(arena, size);

	change_put(&writer, change);
	return written(&writer, size);
}

int record_change_decode(struct record_change *ret, struct cell_store_bytes bytes,
			 struct cell_error *err)
{
	struct cell_reader reader = cell_reader(bytes.at, bytes.len);
	struct record_change change = change_get(&reader);

	if (!cell_reader_is_done(&reader))
		return damaged(err, "log of changes");
	*ret = change;
	return 0;
}

struct cell_store_bytes record_answer_encode(const struct record_answer *answer,
					     struct cell_arena *arena)
{
	size_t size = 8 + LAYOUT_ID + part_size(answer->reply);
	struct cell_writer writer = writer_of(arena, size);
	uint8_t *id;

	cell_write_u64(&writer, answer->at_us);
	id = cell_write_room(&writer, LAYOUT_ID);
	if (id)
		memcpy(id, answer->id, LAYOUT_ID);
	part_put(&writer, answer->reply);
	return written(&writer, size);
}

int record_answer_decode(struct record_answer *ret, struct cell_store_bytes bytes,
			 struct cell_error *err)
{
	struct cell_reader reader = cell_reader(bytes.at, bytes.len);
	struct record_answer answer = { .at_us = cell_read_u64(&reader) };
	const uint8_t *id = cell_read_bytes(&reader, LAYOUT_ID);

	answer.reply = part_get(&reader);
	if (!id || !cell_reader_is_done(&reader))
		return damaged(err, "answer to a commit");
	memcpy(answer.id, id, LAYOUT_ID);
	*ret = answer;
	return 0;
}

/* ---- prepared transactions ---------------------------------------------------------------- */

static struct cell_store_bytes text_part(const char *text)
{
	return (struct cell_store_bytes){ text, strlen(text) };
}

struct cell_store_bytes record_prepared_encode(const struct record_prepared *prepared,
					       struct cell_arena *arena)
{
	struct cell_store_bytes coordinator = text_part(prepared->coordinator);
	size_t size = part_size(coordinator) + 8 + part_size(prepared->reply) + 12;
	struct cell_writer writer;

	for (size_t i = 0; i < prepared->n_changes; i++)
		size += change_size(&prepared->changes[i]);
	for (size_t i = 0; i < prepared->n_locks; i++)
		size += 1 + part_size(prepared->locks[i].key);
	for (size_t i = 0; i < prepared->n_ranges; i++)
		size += 6 + part_size(prepared->ranges[i].low) + part_size(prepared->ranges[i].high);
	writer = writer_of(arena, size);
	part_put(&writer, coordinator);
	cell_write_u64(&writer, prepared->at_us);
	part_put(&writer, prepared->reply);
	cell_write_u32(&writer, (uint32_t)prepared->n_changes);
	for (size_t i = 0; i < prepared->n_changes; i++)
		change_put(&writer, &prepared->changes[i]);
	cell_write_u32(&writer, (uint32_t)prepared->n_locks);
	for (size_t i = 0; i < prepared->n_locks; i++) {
		cell_write_u8(&writer, prepared->locks[i].is_read);
		part_put(&writer, prepared->locks[i].key);
	}
	cell_write_u32(&writer, (uint32_t)prepared->n_ranges);
	for (size_t i = 0; i < prepared->n_ranges; i++) {
		cell_write_u32(&writer, prepared->ranges[i].table);
		cell_write_u16(&writer, prepared->ranges[i].index);
		part_put(&writer, prepared->ranges[i].low);
		part_put(&writer, prepared->ranges[i].high);
	}
	return written(&writer, size);
}

/* A count, and room for so many of SIZE bytes that take at least MIN bytes each. */
static void *items_get(struct cell_reader *reader, struct cell_arena *arena, size_t size, size_t min,
		       size_t *ret_n)
{
	uint32_t n = cell_read_u32(reader);

	if (reader->failed || n > (size_t)(reader->end - reader->at) / min) {
		reader->failed = true;
		n = 0;
	}
	*ret_n = n;
	return cell_arena_calloc(arena, n, size);
}

int record_prepared_decode(struct record_prepared *ret, struct cell_store_bytes bytes,
			   struct cell_arena *arena, struct cell_error *err)
{
	struct cell_reader reader = cell_reader(bytes.at, bytes.len);
	struct record_prepared prepared = { 0 };
	struct cell_store_bytes text = part_get(&reader);

	prepared.at_us = cell_read_u64(&reader);
	prepared.reply = part_get(&reader);
	prepared.changes = items_get(&reader, arena, sizeof *prepared.changes, 24,
				     &prepared.n_changes);
	for (size_t i = 0; prepared.changes && i < prepared.n_changes; i++)
		prepared.changes[i] = change_get(&reader);
	prepared.locks = items_get(&reader, arena, sizeof *prepared.locks, 5, &prepared.n_locks);
	for (size_t i = 0; prepared.locks && i < prepared.n_locks; i++) {
		prepared.locks[i].is_read = cell_read_u8(&reader);
		prepared.locks[i].key = part_get(&reader);
	}
	prepared.ranges = items_get(&reader, arena, sizeof *prepared.ranges, 14,
				    &prepared.n_ranges);
	for (size_t i = 0; prepared.ranges && i < prepared.n_ranges; i++) {
		prepared.ranges[i].table = cell_read_u32(&reader);
		prepared.ranges[i].index = cell_read_u16(&reader);
		prepared.ranges[i].low = part_get(&reader);
		prepared.ranges[i].high = part_get(&reader);
	}
	if (!text.at || !cell_reader_is_done(&reader))
		return damaged(err, "record of a prepared transaction");
	prepared.coordinator = cell_arena_strndup(arena, text.at, text.len);
	if (!prepared.coordinator || !prepared.changes || !prepared.locks || !prepared.ranges)
		return no_memory(err);
	*ret = prepared;
	return 0;
}
