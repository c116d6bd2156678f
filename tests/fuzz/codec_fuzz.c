/*
 * Arbitrary bytes as messages of every kind. The first byte says which kind.
 *
 * What decodes must encode, within its bound, to bytes that decode and encode to the
 * same again; strings in place, copied, and bytes left in place must all mean the same.
 */
#include <cell/codec.h>
#include <cell/error.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kinds.cell.h"
#include "kinds_leaf.cell.h"
#include "kinds_optional.cell.h"

#define MEMORY_MAX ((size_t)256 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cell_message_type *const types[] = {
	&kinds_scalars_type, &kinds_lists_type,        &kinds_unpacked_type,
	&kinds_tree_type,    &kinds_choice_type,       &kinds_maps_type,
	&kinds_wide_type,    &kinds_narrow_type,       &kinds_nothing_type,
	&leaf_leaf_type,     &optional_optionals_type, &optional_words_type,
};

struct bytes {
	uint8_t *at;
	size_t len;
};

static void require(int claim)
{
	if (!claim)
		abort();
}

static void *exactly(size_t size)
{
	void *at = malloc(size ? size : 1);

	require(at != NULL);
	return at;
}

/* Decode a copy of just the size that was promised, and encode into just bound() bytes. */
static int recode(const struct cell_message_type *type, const uint8_t *bytes, size_t len,
		  unsigned flags, struct bytes *ret)
{
	size_t spare = flags & CELL_DECODE_IN_PLACE ? 1 : 0;
	uint8_t *copy = exactly(len + spare);
	void *message = exactly(type->size);
	struct cell_error err = { .code = 0 };
	struct cell_arena arena;
	int r;

	*ret = (struct bytes){ NULL, 0 };
	memcpy(copy, bytes, len);
	memset(message, 0xaa, type->size);
	cell_arena_init(&arena, MEMORY_MAX);
	r = type->decode(message, copy, len, flags, &arena, &err);
	if (r) {
		require(r < 0 && err.code == r && err.text[0]);
	} else {
		size_t bound = type->bound(message);

		require(bound != SIZE_MAX);
		ret->at = exactly(bound);
		ret->len = (size_t)(type->encode(message, ret->at) - ret->at);
		require(ret->len <= bound);
	}
	cell_arena_deinit(&arena);
	free(message);
	free(copy);
	return r;
}

static void same(struct bytes a, struct bytes b)
{
	require(a.len == b.len && (!a.len || !memcmp(a.at, b.at, a.len)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cell_message_type *type;
	struct bytes placed, copied, stayed, again;
	int r;

	if (!size)
		return 0;
	type = types[data[0] % (sizeof types / sizeof types[0])];
	r = recode(type, data + 1, size - 1, CELL_DECODE_IN_PLACE, &placed);
	require(recode(type, data + 1, size - 1, 0, &copied) == r);
	require(recode(type, data + 1, size - 1, CELL_DECODE_BYTES_STAY, &stayed) == r);
	same(placed, copied);
	same(placed, stayed);
	if (!r) {
		require(recode(type, placed.at, placed.len, CELL_DECODE_IN_PLACE, &again) ==
			0);
		same(placed, again);
		free(again.at);
	}
	free(placed.at);
	free(copied.at);
	free(stayed.at);
	return 0;
}
