#include "reply.h"

#include <errno.h>
#include <string.h>

/* Before what is sealed: no message begins with it, as no field has number 0. */
#define SEALED 0

static const struct table_column column = { .name = "reply",
					    .type = TABLE_COLUMN_TYPE_BYTES,
					    .fallback = "",
					    .computed = "",
					    .native = "",
					    .renamed_from = "" };

static struct seal_place place_of(const uint8_t *id)
{
	return (struct seal_place){ .store = "", .table = "", .key = id, .key_len = LAYOUT_ID };
}

static bool has_encrypted(const struct commit *commit)
{
	for (size_t i = 0; commit->in->want_rows && i < commit->in->n_writes; i++)
		if (commit->rows[i]->table->has_sealed)
			return true;
	return false;
}

int reply_keep(const struct commit *commit, const struct seal *seal,
	       const uint8_t id[static LAYOUT_ID], struct cell_store_bytes reply,
	       struct cell_store_bytes *ret, struct cell_arena *arena, struct cell_error *err)
{
	const struct value value = { .kind = VALUE_BYTES, .bytes = reply.at, .len = reply.len };
	struct seal_place place = place_of(id);
	struct value sealed;
	uint8_t *bytes;
	int r;

	*ret = reply;
	if (!has_encrypted(commit))
		return 0;
	r = seal_value(seal, &place, &column, &value, &sealed, arena, err);
	if (r < 0)
		return r;
	bytes = cell_arena_alloc(arena, sealed.len + 1);
	if (!bytes)
		return cell_fail(err, -ENOMEM, "no memory for an answer");
	bytes[0] = SEALED;
	memcpy(bytes + 1, sealed.bytes, sealed.len);
	*ret = (struct cell_store_bytes){ bytes, sealed.len + 1 };
	return 0;
}

int reply_take(const struct seal *seal, const uint8_t id[static LAYOUT_ID],
	       struct cell_store_bytes kept, struct cell_store_bytes *ret,
	       struct cell_arena *arena, struct cell_error *err)
{
	const uint8_t *bytes = kept.at;
	struct seal_place place = place_of(id);
	struct value sealed, value;
	int r;

	*ret = kept;
	if (kept.len == 0 || bytes[0] != SEALED)
		return 0;
	sealed = (struct value){ .kind = VALUE_BYTES, .bytes = bytes + 1, .len = kept.len - 1 };
	r = unseal_value(seal, &place, &column, &sealed, &value, arena, err);
	if (r < 0)
		return cell_wrap(err, r, "it was committed, and its answer is lost");
	*ret = (struct cell_store_bytes){ value.bytes, value.len };
	return 0;
}
