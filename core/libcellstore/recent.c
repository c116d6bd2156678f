#include "recent.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"

#define LEVELS_MAX 12
#define CHUNK_MIN  ((size_t)16 * 1024)
#define CHUNK_MAX  ((size_t)256 * 1024)

/* Where what was added last under keys of one first byte stands: logs grow at their end. */
#define FINGERS 16

struct finger {
	const struct change *at;                     /* NULL = nothing yet */
	_Atomic(struct change *) *links[LEVELS_MAX]; /* that would lead to what follows it */
};

struct chunk {
	struct chunk *next;
	size_t used, size;
	alignas(max_align_t) char bytes[];
};

struct recent {
	unsigned refs;
	atomic_size_t *memory;
	size_t bytes, n;
	uint64_t random;
	struct chunk *chunks; /* the first has room, if any has */
	_Atomic(struct change *) heads[LEVELS_MAX];
	struct finger fingers[FINGERS]; /* of the one that adds */
};

int bytes_compare(struct cell_store_bytes a, struct cell_store_bytes b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len ? memcmp(a.at, b.at, len) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

struct recent *recent_new(atomic_size_t *memory)
{
	struct recent *recent = calloc(1, sizeof *recent);

	if (!recent)
		return NULL;
	recent->refs = 1;
	recent->memory = memory;
	recent->random = 0x9e3779b97f4a7c15;
	return recent;
}

void recent_ref(struct recent *recent)
{
	recent->refs++;
}

void recent_unref(struct recent *recent)
{
	if (!recent || --recent->refs > 0)
		return;
	for (struct chunk *next, *chunk = recent->chunks; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	(void)atomic_fetch_sub_explicit(recent->memory, recent->bytes, memory_order_relaxed);
	free(recent);
}

static struct change *load(const _Atomic(struct change *) *link)
{
	return atomic_load_explicit(link, memory_order_acquire);
}

bool recent_is_empty(const struct recent *recent)
{
	return !load(&recent->heads[0]);
}

bool recent_is_shared(const struct recent *recent)
{
	return recent->refs > 1;
}

size_t recent_count(const struct recent *recent)
{
	return recent->n;
}

static void *take(struct recent *recent, size_t size)
{
	struct chunk *chunk = recent->chunks;
	void *at;

	size = (size + alignof(max_align_t) - 1) / alignof(max_align_t) *
	       alignof(max_align_t);
	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = chunk ? chunk->size * 2 : CHUNK_MIN;

		room = room > CHUNK_MAX ? CHUNK_MAX : room;
		room = room > size ? room : size;

		chunk = malloc(sizeof *chunk + room);
		if (!chunk)
			return NULL;
		*chunk = (struct chunk){ .next = recent->chunks, .size = room };
		recent->chunks = chunk;
		recent->bytes += room;
		(void)atomic_fetch_add_explicit(recent->memory, room, memory_order_relaxed);
	}
	at = chunk->bytes + chunk->used;
	chunk->used += size;
	return at;
}

/* Each level has a quarter of those below it. */
static unsigned levels_draw(struct recent *recent)
{
	unsigned levels = 1;

	recent->random ^= recent->random << 13;
	recent->random ^= recent->random >> 7;
	recent->random ^= recent->random << 17;
	for (uint64_t bits = recent->random; levels < LEVELS_MAX && (bits & 3) == 0;
	     bits >>= 2)
		levels++;
	return levels;
}

/*
 * The first change of the first key at or behind KEY (STRICTLY behind it), visible or not.
 */
static struct change *position(const struct recent *recent, struct cell_store_bytes key,
			       bool strictly)
{
	const _Atomic(struct change *) *links = recent->heads;
	struct change *at = NULL;

	for (int level = LEVELS_MAX - 1; level >= 0; level--)
		while ((at = load(&links[level])) &&
		       bytes_compare(change_key(at), key) < (strictly ? 1 : 0))
			links = at->next;
	return at;
}

/* The same, for adding: RET_BEFORE has for each level the link that leads to it. */
static struct change *position_to_add(struct recent *recent, struct cell_store_bytes key,
				      const struct finger *finger,
				      _Atomic(struct change *) **ret_before)
{
	_Atomic(struct change *) *links = recent->heads;
	bool is_behind = finger->at && bytes_compare(change_key(finger->at), key) < 0;
	bool has_moved = false;
	struct change *at = NULL;

	for (int level = LEVELS_MAX - 1; level >= 0; level--) {
		_Atomic(struct change *) *link =
			is_behind && !has_moved ? finger->links[level] : &links[level];

		while ((at = load(link)) && bytes_compare(change_key(at), key) < 0) {
			has_moved = true;
			links = at->next;
			link = &links[level];
		}
		ret_before[level] = link;
	}
	return at;
}

/* Of the changes of one key, the first of which is AT, the newest up to COMMIT. */
static const struct change *visible(const struct change *at, uint64_t commit)
{
	struct cell_store_bytes key = change_key(at);

	while (at && atomic_load_explicit(&at->commit, memory_order_relaxed) > commit) {
		at = load(&at->next[0]);
		if (at && bytes_compare(change_key(at), key) != 0)
			return NULL;
	}
	return at;
}

static bool has_key(const struct change *change, struct cell_store_bytes key)
{
	return change && bytes_compare(change_key(change), key) == 0;
}

struct change *recent_add(struct recent *recent, uint64_t commit, struct cell_store_bytes key,
			  struct cell_store_bytes value, bool is_gone, struct change *earlier)
{
	size_t stored_len = is_gone ? 0 : CHECKSUM_BYTES + value.len;
	unsigned levels = levels_draw(recent);
	struct finger *finger = &recent->fingers[*(const uint8_t *)key.at % FINGERS];
	_Atomic(struct change *) *before[LEVELS_MAX];
	struct change *change, *next;
	char *bytes;

	change = take(recent,
		      sizeof *change + levels * sizeof *change->next + key.len + stored_len);
	if (!change)
		return NULL;
	atomic_init(&change->commit, commit);
	change->earlier = earlier;
	change->stored_len = (uint32_t)stored_len;
	change->key_len = (uint16_t)key.len;
	change->levels = (uint8_t)levels;
	bytes = (char *)(change->next + levels);
	memcpy(bytes, key.at, key.len);
	if (!is_gone) {
		uint64_t sum = checksum_of(key, value);

		memcpy(bytes + key.len, &sum, sizeof sum);
		if (value.len)
			memcpy(bytes + key.len + sizeof sum, value.at, value.len);
	}
	next = position_to_add(recent, key, finger, before);
	if (has_key(next, key) &&
	    atomic_load_explicit(&next->commit, memory_order_relaxed) == commit)
		atomic_store_explicit(&next->commit, RECENT_NO_COMMIT, memory_order_relaxed);
	for (unsigned level = 0; level < levels; level++) {
		atomic_init(&change->next[level],
			    atomic_load_explicit(before[level], memory_order_relaxed));
		atomic_store_explicit(before[level], change, memory_order_release);
		before[level] = &change->next[level];
	}
	recent->n++;
	finger->at = change;
	memcpy(finger->links, before, sizeof before);
	return change;
}

const struct change *recent_find(const struct recent *recent, struct cell_store_bytes key,
				 uint64_t commit)
{
	const struct change *at = position(recent, key, false);

	return has_key(at, key) ? visible(at, commit) : NULL;
}

const struct change *recent_next(const struct change *change, uint64_t commit)
{
	struct cell_store_bytes key = change_key(change);
	const struct change *at = change, *found;

	do {
		do
			at = load(&at->next[0]);
		while (at && bytes_compare(change_key(at), key) == 0);
		if (!at)
			return NULL;
		key = change_key(at);
		found = visible(at, commit);
	} while (!found);
	return found;
}

const struct change *recent_after(const struct recent *recent, struct cell_store_bytes key,
				  bool strictly, uint64_t commit)
{
	const struct change *at = position(recent, key, strictly);
	const struct change *found;

	while (at && !(found = visible(at, commit)))
		at = position(recent, change_key(at), true);
	return at ? found : NULL;
}

/* The last change before KEY (STRICTLY), or at or before it; KEY NULL: the last of all. */
static const struct change *last_before(const struct recent *recent,
					const struct cell_store_bytes *key, bool strictly)
{
	const _Atomic(struct change *) *links = recent->heads;
	const struct change *last = NULL;

	for (int level = LEVELS_MAX - 1; level >= 0; level--)
		for (struct change *at;
		     (at = load(&links[level])) &&
		     (!key || bytes_compare(change_key(at), *key) < (strictly ? 0 : 1));
		     links = at->next)
			last = at;
	return last;
}

const struct change *recent_before(const struct recent *recent,
				   const struct cell_store_bytes *key, bool strictly,
				   uint64_t commit)
{
	const struct change *last = last_before(recent, key, strictly);

	while (last) {
		struct cell_store_bytes at = change_key(last);
		const struct change *found = recent_find(recent, at, commit);

		if (found)
			return found;
		last = last_before(recent, &at, true);
	}
	return NULL;
}
