/*
 * Keys of the cache: a hash of all that an expansion can depend on. Pure.
 */
#pragma once

#include <cell/arena.h>
#include "macro.cell.h"

#define KEY_PROTOCOL 1

struct key_provider {
	const char *ns;
	const char *cell;
	const char *key;     /* "local", "ed25519:…" */
	const char *catalog; /* digest, hexadecimal */
};

struct key_state {
	const char *id;
	const char *digest; /* hexadecimal */
};

/*
 * 64 hexadecimal digits in ARENA. REQUEST is canonical, with `kept` as it is after the
 * expansion: asking again with that gives the same. PROVIDERS and STATES may be in any order.
 */
const char *key_make(const struct macro_plan_request *request,
		     const struct key_provider *providers, size_t n_providers,
		     const struct key_state *states, size_t n_states,
		     struct cell_arena *arena);

/* BLAKE2b-256 of LEN bytes, as 64 digits in ARENA. */
const char *key_hash(const void *bytes, size_t len, struct cell_arena *arena);
