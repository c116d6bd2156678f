/*
 * A hash table of stated capacity, from a number or a string to a pointer. All memory is
 * taken by table_init(); what does not fit is refused, as is everything that a peer can
 * make us hold. The hash is seeded, so nobody can choose keys that collide.
 */
#pragma once

#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum table_kind {
	TABLE_NUMBERS, /* keys are uint64_t: table_put(), table_get(), table_remove() */
	TABLE_STRINGS  /* keys are strings, not copied: they live as long as their entry */
};

/* Most entries a table may be made for. */
#define TABLE_CAPACITY_MAX (1u << 24)

struct table_slot {
	union {
		uint64_t number;
		const char *string;
	} key;
	void *value; /* NULL: empty */
};

struct table {
	struct table_slot *slots;
	size_t mask; /* slots - 1 */
	size_t n;    /* entries */
	size_t capacity;
	uint64_t seed;
	enum table_kind kind;
};

/* A table for CAPACITY entries (1 to TABLE_CAPACITY_MAX). Returns 0 or -ENOMEM. */
int table_init(struct table *table, enum table_kind kind, size_t capacity,
	       struct cell_error *err);
/* The values stay whose they are. Accepts a zeroed table. */
void table_deinit(struct table *table);

/* VALUE is not NULL. Returns 0, CELL_ALREADY_EXISTS or CELL_RESOURCE_EXHAUSTED; no text. */
int table_put(struct table *table, uint64_t key, void *value);
int table_put_string(struct table *table, const char *key, void *value);

/* The value, or NULL if there is none. */
void *table_get(const struct table *table, uint64_t key);
void *table_get_string(const struct table *table, const char *key);

/* Take the entry out and return its value, or NULL if there was none. */
void *table_remove(struct table *table, uint64_t key);
void *table_remove_string(struct table *table, const char *key);

/*
 * All values, in no order:
 *
 *	struct table_at at = table_begin(table);
 *	while ((value = table_next(table, &at)))
 *		...
 *
 * Meanwhile only the entry got last may be removed, and none be put.
 */
struct table_at {
	size_t i;
	size_t left; /* slots to look at */
};

struct table_at table_begin(const struct table *table);
void *table_next(const struct table *table, struct table_at *at);
