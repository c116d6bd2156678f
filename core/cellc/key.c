#include "key.h"

#include "writer.h"

#include <cell/cell.h>
#include <sodium/crypto_generichash.h>
#include <stdlib.h>
#include <string.h>

#define HASH_SIZE 32

const char *key_hash(const void *bytes, size_t len, struct cell_arena *arena)
{
	uint8_t hash[HASH_SIZE];

	(void)crypto_generichash(hash, sizeof hash, bytes, len, NULL, 0);
	return hex_of(arena, hash, sizeof hash);
}

/* Each part with its length before it, so that no two lists of parts look alike. */
static void add(crypto_generichash_state *state, const void *bytes, size_t len)
{
	uint8_t size[8];

	for (int i = 0; i < 8; i++)
		size[i] = (uint8_t)((uint64_t)len >> 8 * i);
	(void)crypto_generichash_update(state, size, sizeof size);
	(void)crypto_generichash_update(state, bytes, len);
}

static void add_text(crypto_generichash_state *state, const char *text)
{
	add(state, text, strlen(text));
}

static int providers_order(const void *a, const void *b)
{
	return strcmp(((const struct key_provider *)a)->ns,
		      ((const struct key_provider *)b)->ns);
}

static int states_order(const void *a, const void *b)
{
	return strcmp(((const struct key_state *)a)->id, ((const struct key_state *)b)->id);
}

static void *sorted(const void *list, size_t n, size_t size,
		    int (*order)(const void *, const void *), struct cell_arena *arena)
{
	void *copy = must(cell_arena_calloc(arena, n + 1, size));

	if (n)
		memcpy(copy, list, n * size);
	qsort(copy, n, size, order);
	return copy;
}

const char *key_make(const struct macro_plan_request *request,
		     const struct key_provider *providers, size_t n_providers,
		     const struct key_state *states, size_t n_states,
		     struct cell_arena *arena)
{
	const struct key_provider *p =
		sorted(providers, n_providers, sizeof *providers, providers_order, arena);
	const struct key_state *s =
		sorted(states, n_states, sizeof *states, states_order, arena);
	size_t room = macro_plan_request_type.bound(request);
	uint8_t number[1] = { KEY_PROTOCOL }, hash[HASH_SIZE], *bytes;
	crypto_generichash_state state;

	bytes = must(cell_arena_alloc(arena, room == SIZE_MAX ? 1 : room + 1));
	(void)crypto_generichash_init(&state, NULL, 0, sizeof hash);
	add_text(&state, "cell expansion");
	add(&state, number, sizeof number);
	if (room != SIZE_MAX)
		add(&state, bytes,
		    (size_t)(macro_plan_request_type.encode(request, bytes) - bytes));
	for (size_t i = 0; i < n_providers; i++) {
		add_text(&state, p[i].ns);
		add_text(&state, p[i].cell);
		add_text(&state, p[i].key);
		add_text(&state, p[i].catalog);
	}
	add_text(&state, "states");
	for (size_t i = 0; i < n_states; i++) {
		add_text(&state, s[i].id);
		add_text(&state, s[i].digest);
	}
	(void)crypto_generichash_final(&state, hash, sizeof hash);
	return hex_of(arena, hash, sizeof hash);
}
