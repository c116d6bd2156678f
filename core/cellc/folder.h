/*
 * The files below .cell: read, replaced as a whole, and left alone if nothing changes, as
 * make looks at their times.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The content of PATH, NUL-terminated, in ARENA. Returns 0, -ENOENT without a text in ERR,
 * -EFBIG if it has more than MAX bytes, or -errno.
 */
int folder_read(const char *path, size_t max, struct cell_arena *arena, char **ret_text,
		size_t *ret_len, struct cell_error *err);

/*
 * Let PATH hold LEN bytes at TEXT: through a temporary file beside it and rename(), folders
 * above are made. Nothing is done if it holds them already. 0 or -errno.
 */
int folder_write(const char *path, const char *text, size_t len, struct cell_error *err);

/* The same, but make sees no change: PATH keeps the time of the file that it replaces. */
int folder_write_quietly(const char *path, const char *text, size_t len,
			 struct cell_error *err);

/* Names in PATH that end in SUFFIX, sorted; an absent folder has none. */
int folder_list(const char *path, const char *suffix, struct cell_arena *arena,
		const char ***ret_names, size_t *ret_n, struct cell_error *err);

/*
 * Make PATH if it is absent, and hold its lock until the descriptor is closed: others wait.
 * Returns the descriptor, or -errno.
 */
int folder_lock(const char *path, struct cell_error *err);

/* Remove files in FOLDER whose name begins with STEM. */
void folder_remove(const char *folder, const char *stem);
