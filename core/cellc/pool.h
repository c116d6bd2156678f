/*
 * What cellc remembers for itself: entries below $XDG_CACHE_HOME/cell/cellc, each named by a
 * hash of what it is about. They are written beside and renamed into place, so that a reader
 * sees all of one or nothing, whoever writes meanwhile; when a folder has too much, the
 * oldest go.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_HASH_SIZE 32

struct pool_limits {
	size_t entries; /* in one of 256 folders */
	size_t bytes;   /* in one of 256 folders */
	size_t entry;   /* bytes of one */
};

struct pool_entry {
	const char *folder; /* NULL: nothing is found or kept */
	const char *path;
	struct pool_limits limits;
};

/* $XDG_CACHE_HOME, else $HOME/.cache; NULL if neither is absolute. */
const char *pool_home(struct cell_arena *arena);

/*
 * Where the entry HASH of KIND ("seen") is: HOME/cell/cellc/KIND/HH/HASH. HOME may be NULL:
 * there are no entries. Strings live in ARENA.
 */
void pool_locate(struct pool_entry *ret, const char *home, const char *kind,
		 const uint8_t hash[POOL_HASH_SIZE], const struct pool_limits *limits,
		 struct cell_arena *arena);

/* All of it, in ARENA; false if there is none. *RET_LEN is at least 1. */
bool pool_read(const struct pool_entry *entry, struct cell_arena *arena,
	       const uint8_t **ret_bytes, size_t *ret_len);

/* It was of use: others are older now. */
void pool_touch(const struct pool_entry *entry);

/* Put it there, or not: what cannot be kept is forgotten. */
void pool_put(const struct pool_entry *entry, const void *bytes, size_t len);
