/*
 * What is known about a command line from the last time: that none of its sources and their
 * headers had a cell attribute. Then the compiler is run at once.
 *
 * An entry names every file that was read, with size, times and hash, and every folder in
 * which another header could have been found first, with those of its names that matter. It
 * counts only if none of it has changed. Entries are written beside and renamed into place;
 * a damaged one is none.
 */
#pragma once

#include "compiler.h"
#include "pool.h"

#include <stdint.h>

/* Files and folders of one entry; more are not kept. */
#define SEEN_FILES_MAX   4096
#define SEEN_FOLDERS_MAX 512
/* Entries in one of 256 folders; the oldest go. A hundred MB in all, if each knows 60 files.
 */
#define SEEN_ENTRIES_MAX 64
/* A file that changed so shortly before we read it may change again at the same time. */
#define SEEN_SETTLED_NS 50000000

struct seen_file;

struct seen {
	struct cell_arena *arena;
	struct pool_entry entry;
	uint64_t started_ns; /* wall time */
	const struct command_line *line;
	struct seen_file *files;
	size_t n_files;
	uint32_t *slots; /* a hash table of them */
	bool is_spoilt;  /* not to be kept */
};

/*
 * Look where the entry for this command line is: below CACHE/cell/cellc/seen. CACHE NULL: no
 * entries at all. Everything lives in ARENA. Never fails: what goes wrong makes it forget.
 */
void seen_init(struct seen *seen, const char *cache, const struct command_line *line,
	       const struct compiler *compiler, struct cell_arena *arena);

/* Whether it is known, still, that nothing in there is for us. */
bool seen_is_clean(struct seen *seen);

/* Note the files that the line markers of preprocessed TEXT name. */
void seen_note(struct seen *seen, const char *text, size_t len);

/* Keep that nothing in the files noted is for us. */
void seen_keep(struct seen *seen);
