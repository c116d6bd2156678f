/* Whom a cell runs as, what that user can reach, and becoming it for good. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include <cell/error.h>

struct user {
	char name[33];
	uid_t uid;
	gid_t gid;
	bool is_change; /* we are root and will become this user */
};

/*
 * Started by root: the user NAME (or number); without NAME "cell", else, with a log line,
 * "nobody". Never uid 0. Started by anyone else: who we are.
 *
 * Returns 0; -ENOENT if there is no user NAME; CELL_PERMISSION_DENIED if it is root by
 * another name.
 */
int user_find(struct user *ret, const char *name, struct cell_error *err);

/* Whether USER may use PATH in the ways of MODE (R_OK | W_OK | X_OK). */
bool user_reaches(const struct user *user, const char *path, int mode);

/*
 * Give the directory DIR_FD, and what its owner has in it, to USER. Does nothing if it is
 * USER's already, or if we are not root. Links are not followed. Returns 0 or -errno.
 */
int user_gets_folder(const struct user *user, int dir_fd, struct cell_error *err);

/* Become USER, without a way back. Returns 0 or -errno. */
int user_become(const struct user *user, struct cell_error *err);
