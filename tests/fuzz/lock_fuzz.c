/*
 * Lock files and plan files are committed, so they come from whoever sent a change, and from
 * merges. What is accepted must be written as it can be read again, to the same text.
 */
#include "cellc/cache.h"
#include "cellc/lock.h"

#include "cellc/accept.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)          \
	do {                     \
		if (!(condition)) \
			abort(); \
	} while (0)

static void try_lock(const char *text, size_t len, struct cell_arena *arena)
{
	struct cell_error err = { .code = 0 };
	struct lock lock, again;
	const char *written;

	if (lock_parse(&lock, "db", text, len, "x.lock", arena, &err) < 0) {
		MUST(strncmp(err.text, "x.lock:", 7) == 0);
		return;
	}
	written = lock_text(&lock, arena);
	MUST(lock_parse(&again, "db", written, strlen(written), "again", arena, &err) == 0);
	MUST(strcmp(lock_text(&again, arena), written) == 0);
	for (size_t i = 0; i < lock.n_uses; i++) {
		MUST(strlen(lock.uses[i].key) == 64 && strlen(lock.uses[i].plan) == 64);
		MUST(lock_find_use(&again, lock.uses[i].file, lock.uses[i].declaration));
	}
	lock_keep_uses(&again, "bank.c", NULL, 0);
	lock_trim_states(&again);
	lock_set_kept(&again, "bank.c", "struct:a", NULL, 0, arena);
	(void)lock_text(&again, arena);
}

static void try_plan(const char *text, size_t len, struct cell_arena *arena)
{
	struct cell_error err = { .code = 0 };
	struct cached cached, again;
	const char *written;

	if (cache_parse(&cached, text, len, "x.plan", arena, &err) < 0) {
		MUST(strncmp(err.text, "x.plan:", 7) == 0);
		return;
	}
	for (size_t i = 0; i < cached.code.n_pieces; i++)
		MUST(accept_path(cached.paths[i]) && strlen(cached.hashes[i]) == 64);
	for (size_t i = 0; i < cached.code.n_files; i++)
		MUST(accept_path(cached.code.files[i].path));
	for (size_t i = 0; i < cached.plan.n_link; i++)
		MUST(accept_link(cached.plan.link[i]));
	written = cache_text(&cached, arena);
	MUST(cache_parse(&again, written, strlen(written), "again", arena, &err) == 0);
	MUST(strcmp(cache_text(&again, arena), written) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cell_arena arena;

	cell_arena_init(&arena, 0);
	try_lock((const char *)data, size, &arena);
	try_plan((const char *)data, size, &arena);
	cell_arena_deinit(&arena);
	return 0;
}
