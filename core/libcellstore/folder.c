#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cell/cell.h>

#define DATA_NAME  "data.mdb"
#define STATE_NAME "state"

static const char *const state_words[] = {
	[FOLDER_NEW] = "new\n",
	[FOLDER_OPEN] = "open\n",
	[FOLDER_CLOSED] = "closed\n",
};

/* What the user can do about ERROR, behind the name of the file. */
static const char *help_of(int error)
{
	switch (error) {
	case EACCES:
	case EPERM: return "; it must belong to the user who opens the store";
	case EROFS: return "; the store must be on a disk that can be written";
	case ENOENT: return "; make the folder above it first";
	case ENOSPC:
	case EDQUOT: return "; make room on that disk";
	default: return "";
	}
}

static int fail(struct cell_error *err, const char *doing, const char *path, const char *name)
{
	int error = errno;
	bool is_full = error == ENOSPC || error == EDQUOT;

	return cell_fail(err, is_full ? CELL_RESOURCE_EXHAUSTED : -error, "%s '%s%s%s': %s%s",
			 doing, path, *name ? "/" : "", name, strerror(error),
			 help_of(error));
}

/* PATH's own entry in the folder above it survives a power cut. */
static int keep_entry(const char *path, struct cell_error *err)
{
	char *above = NULL;
	int fd, r = 0;

	if (asprintf(&above, "%s/..", path) < 0)
		return cell_fail(err, -ENOMEM, "opening store '%s'", path);
	fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		r = fail(err, "syncing", above, "");
	if (fd >= 0)
		close(fd);
	free(above);
	return r;
}

static int read_state(struct folder *folder, struct cell_error *err)
{
	char text[16] = "";
	ssize_t n;
	int fd = openat(folder->fd, STATE_NAME, O_RDONLY | O_CLOEXEC);

	folder->state = FOLDER_UNMARKED;
	if (fd < 0)
		return errno == ENOENT ? 0 : fail(err, "opening", folder->path, STATE_NAME);
	n = pread(fd, text, sizeof text - 1, 0);
	close(fd);
	if (n < 0)
		return fail(err, "reading", folder->path, STATE_NAME);
	/* A word that was not written to its end is as none: what is there is looked at. */
	for (enum folder_state s = FOLDER_NEW; s <= FOLDER_CLOSED; s++)
		if (strcmp(text, state_words[s]) == 0)
			folder->state = s;
	return 0;
}

static int open_and_lock(struct folder *folder, bool writable, struct cell_error *err)
{
	bool is_new = writable && mkdir(folder->path, 0700) == 0;

	if (writable && !is_new && errno != EEXIST)
		return fail(err, "making", folder->path, "");
	folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder->fd < 0)
		return fail(err, "opening", folder->path, "");
	if (flock(folder->fd, (writable ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? cell_fail(err, CELL_ALREADY_EXISTS,
					   "another process has the store '%s' open; "
					   "only one may",
					   folder->path)
			       : fail(err, "locking", folder->path, "");
	return is_new ? keep_entry(folder->path, err) : 0;
}

int folder_open(struct folder *folder, const char *path, bool writable,
		struct cell_error *err)
{
	int r;

	*folder = (struct folder){ .fd = -1, .data_fd = -1 };
	folder->path = strdup(path);
	if (!folder->path || asprintf(&folder->data_path, "%s/" DATA_NAME, path) < 0) {
		folder->data_path = NULL;
		folder_close(folder);
		return cell_fail(err, -ENOMEM, "opening store '%s'", path);
	}
	r = open_and_lock(folder, writable, err);
	if (r == 0)
		r = read_state(folder, err);
	if (r < 0)
		folder_close(folder);
	return r;
}

void folder_close(struct folder *folder)
{
	if (!folder->path)
		return;
	if (folder->data_fd >= 0)
		close(folder->data_fd);
	if (folder->fd >= 0)
		close(folder->fd);
	free(folder->data_path);
	free(folder->path);
	*folder = (struct folder){ .fd = -1, .data_fd = -1 };
}

int folder_mark(struct folder *folder, enum folder_state state, struct cell_error *err)
{
	const char *word = state_words[state];
	size_t len = strlen(word);
	int r = 0, fd = openat(folder->fd, STATE_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(err, "writing", folder->path, STATE_NAME);
	if (pwrite(fd, word, len, 0) != (ssize_t)len || ftruncate(fd, (off_t)len) < 0 ||
	    fsync(fd) < 0)
		r = fail(err, "writing", folder->path, STATE_NAME);
	close(fd);
	if (r == 0 && folder->state == FOLDER_UNMARKED && fsync(folder->fd) < 0)
		r = fail(err, "syncing", folder->path, "");
	if (r == 0)
		folder->state = state;
	return r;
}

int folder_open_data(struct folder *folder, struct cell_error *err)
{
	folder->data_fd = openat(folder->fd, DATA_NAME, O_RDWR | O_CLOEXEC);
	if (folder->data_fd < 0 && (errno == EACCES || errno == EROFS))
		folder->data_fd = openat(folder->fd, DATA_NAME, O_RDONLY | O_CLOEXEC);
	return folder->data_fd < 0 ? fail(err, "opening", folder->path, DATA_NAME) : 0;
}

int folder_remove_data(struct folder *folder, struct cell_error *err)
{
	if (unlinkat(folder->fd, DATA_NAME, 0) < 0 && errno != ENOENT)
		return fail(err, "removing", folder->path, DATA_NAME);
	return 0;
}

int folder_keep_data(struct folder *folder, struct cell_error *err)
{
	int r = folder_open_data(folder, err);

	if (r < 0)
		return r;
	if (fsync(folder->data_fd) < 0)
		return fail(err, "syncing", folder->path, DATA_NAME);
	if (fsync(folder->fd) < 0)
		return fail(err, "syncing", folder->path, "");
	return 0;
}
