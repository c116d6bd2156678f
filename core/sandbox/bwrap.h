/* bubblewrap on this machine: where it is, what it knows, and why it may not work. */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include <cell/error.h>

struct bwrap {
	char path[PATH_MAX];
	bool is_setuid; /* needs no user namespaces of ours */
	bool has_disable_userns;
	bool has_size;
};

/* Find it in $PATH. Returns 0, or -ENOENT with the way out in ERR. */
int bwrap_find(struct bwrap *ret, struct cell_error *err);

/*
 * Whether this process, as the user it now is, may make the namespaces bwrap will ask for.
 * Takes a quarter of a millisecond.
 *
 * Returns 0, or CELL_PERMISSION_DENIED with the setting that forbids it, and the way out.
 */
int bwrap_probe(const struct bwrap *bwrap, struct cell_error *err);

/*
 * The whole truth: run `true` in a sandbox. Its complaints go to stderr. Returns as
 * bwrap_probe() does.
 */
int bwrap_try(const struct bwrap *bwrap, struct cell_error *err);
