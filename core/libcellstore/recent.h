/*
 * What was committed lately: an ordered table in memory, in front of the map in the file.
 *
 * Each change of a key is an entry of its own, with the number of its commit, so that readers
 * see the table as it was when they began. One thread at a time adds; any number read beside
 * it without a lock: entries are linked in when they are complete, and stay until the table
 * goes (the skip list of Pugh, "Skip lists: a probabilistic alternative to balanced trees",
 * CACM 33(6), 1990, as LevelDB's memtable uses it).
 */
#pragma once

#include <stdatomic.h>

#include <cell/store.h>

/* Nobody's: a change that was given up, or done anew by the same transaction. */
#define RECENT_NO_COMMIT UINT64_MAX

struct change {
	_Atomic uint64_t commit;
	struct change *earlier; /* of the same transaction */
	uint32_t stored_len;    /* checksum and value; 0: deleted */
	uint16_t key_len;
	uint8_t levels;
	_Atomic(struct change *) next[]; /* then the key, then what is stored */
};

struct recent;

/* MEMORY counts what its entries take, with those of others; it outlives the table. */
struct recent *recent_new(atomic_size_t *memory);
/* Of those that point to it; the last one frees it. To be called under one lock, as _unref(). */
void recent_ref(struct recent *recent);
void recent_unref(struct recent *recent);

bool recent_is_empty(const struct recent *recent);
/* Whether others point to it. To be called under the lock, too. */
bool recent_is_shared(const struct recent *recent);
/* Changes that were added; by the one that adds. */
size_t recent_count(const struct recent *recent);

/*
 * Add that COMMIT put VALUE, or (IS_GONE) deleted KEY; EARLIER is the change that the same
 * transaction added before. A change of KEY by the same COMMIT counts no longer. NULL: out of
 * memory.
 */
struct change *recent_add(struct recent *recent, uint64_t commit, struct cell_store_bytes key,
			  struct cell_store_bytes value, bool is_gone, struct change *earlier);

/* The newest change of KEY up to COMMIT; NULL = none. */
const struct change *recent_find(const struct recent *recent, struct cell_store_bytes key,
				 uint64_t commit);
/*
 * The newest change of the first key at or behind KEY that has one up to COMMIT; STRICTLY
 * behind it. No length: from the start.
 */
const struct change *recent_after(const struct recent *recent, struct cell_store_bytes key,
				  bool strictly, uint64_t commit);
/* The same of the first key behind that of CHANGE: for going through all. */
const struct change *recent_next(const struct change *change, uint64_t commit);
/* The same of the last key at or before KEY. NULL: from the end. */
const struct change *recent_before(const struct recent *recent,
				   const struct cell_store_bytes *key, bool strictly,
				   uint64_t commit);

static inline bool change_is_gone(const struct change *change)
{
	return change->stored_len == 0;
}

static inline struct cell_store_bytes change_key(const struct change *change)
{
	return (struct cell_store_bytes){ change->next + change->levels, change->key_len };
}

static inline struct cell_store_bytes change_stored(const struct change *change)
{
	const char *key = (const char *)(change->next + change->levels);

	return (struct cell_store_bytes){ key + change->key_len, change->stored_len };
}

/* As memcmp() has it; what is shorter comes first. */
int bytes_compare(struct cell_store_bytes a, struct cell_store_bytes b);
