/*
 * Which program gave the answers in .cell: ROOT/.cell/state/programs/NS, which is this
 * machine's and not for version control. What another program answered is asked for again, as
 * its text may differ where its signatures do not.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>

struct program {
	const char *id;    /* hexadecimal; "" = none */
	const char **keys; /* of the uses that it answered */
	size_t n_keys;
};

/* What PATH says; nothing if it is not there, or is not understood. Lives in ARENA. */
struct program program_read(const char *path, struct cell_arena *arena);

/* Whether the program called ID gave the answer of KEY. */
bool program_answered(const struct program *program, const char *id, const char *key);

/*
 * Let PATH say that ID answered KEYS, too. Of what it says of the same program, keys that
 * IS_USED does not hold for are dropped; of another program, all. The caller holds the lock
 * of .cell. 0 or -errno.
 */
int program_write(const char *path, const char *id, const char *const *keys, size_t n_keys,
		  bool (*is_used)(const void *userdata, const char *key),
		  const void *userdata, struct cell_error *err);
