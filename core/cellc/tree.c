#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Editors write several files for one change. */
#define QUIET_MS 100
#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_CREATE)
#define FOLDERS_MAX 4096
#define DEPTH_MAX   32

struct tree {
	int fd;
	/* Folder of each watch; their numbers rise from 1. */
	char **folders;
	int n_folders;
};

static bool is_of_interest(const char *name)
{
	static const char *const endings[] = { ".o", ".d", ".a", ".so", ".swp", "~" };
	size_t len = strlen(name);

	if (name[0] == '.' || strcmp(name, "build") == 0)
		return false;
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
		size_t n = strlen(endings[i]);

		if (len >= n && strcmp(name + len - n, endings[i]) == 0)
			return false;
	}
	return true;
}

/* Whether a change of NAME in a folder called IN counts: all do but the noise, and .cell/project. */
static bool counts(const char *in, const char *name)
{
	const char *last = strrchr(in, '/');

	if (last && strcmp(last, "/.cell") == 0)
		return strcmp(name, "project") == 0;
	return is_of_interest(name);
}

static int folder_add(struct tree *tree, const char *path, int depth, struct cell_error *err)
{
	struct dirent *entry;
	DIR *dir;
	int watch, r = 0;

	watch = inotify_add_watch(tree->fd, path, EVENTS | IN_ONLYDIR | IN_DONT_FOLLOW);
	if (watch < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : cell_fail(err, -errno, "watching %s: %s", path, strerror(errno));
	if (watch >= FOLDERS_MAX)
		return cell_fail(err, -ENOSPC, "more than %d folders", FOLDERS_MAX);
	if (watch > tree->n_folders || !tree->folders[watch - 1]) {
		tree->folders[watch - 1] = strdup(path);
		if (!tree->folders[watch - 1])
			return cell_fail(err, -ENOMEM, "watching %s", path);
		if (watch > tree->n_folders)
			tree->n_folders = watch;
	}
	dir = depth < DEPTH_MAX ? opendir(path) : NULL;
	while (dir && r == 0 && (entry = readdir(dir))) {
		char below[PATH_MAX];

		if (entry->d_type != DT_DIR || (!is_of_interest(entry->d_name) &&
						!(depth == 0 && strcmp(entry->d_name, ".cell") == 0)))
			continue;
		if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) >=
		    (int)sizeof below)
			continue;
		/* Of .cell only the settings are of interest, not what is below it. */
		r = folder_add(tree, below,
			       strcmp(entry->d_name, ".cell") == 0 ? DEPTH_MAX : depth + 1, err);
	}
	if (dir)
		(void)closedir(dir);
	return r;
}

int tree_watch(struct tree **ret, const char *root, struct cell_error *err)
{
	struct tree *tree = calloc(1, sizeof *tree);
	int r;

	*ret = NULL;
	if (tree)
		tree->folders = calloc(FOLDERS_MAX, sizeof *tree->folders);
	if (!tree || !tree->folders) {
		free(tree);
		return cell_fail(err, -ENOMEM, "watching %s", root);
	}
	tree->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	r = tree->fd < 0 ? cell_fail(err, -errno, "inotify: %s", strerror(errno))
			 : folder_add(tree, root, 0, err);
	if (r < 0) {
		tree_free(tree);
		return r;
	}
	*ret = tree;
	return 0;
}

/* Take what is there; new folders are watched, too. Whether anything of it counts. */
static int events_take(struct tree *tree, bool *ret_counts, struct cell_error *err)
{
	_Alignas(struct inotify_event) char buffer[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read(tree->fd, buffer, sizeof buffer)) > 0) {
		for (char *at = buffer; r == 0 && at < buffer + n;) {
			const struct inotify_event *event = (void *)at;
			const char *in = event->wd >= 1 && event->wd <= tree->n_folders
						 ? tree->folders[event->wd - 1]
						 : NULL;
			char path[PATH_MAX];

			at += sizeof *event + event->len;
			if (event->mask & IN_Q_OVERFLOW)
				*ret_counts = true;
			if (!in || !event->len || !counts(in, event->name))
				continue;
			/* A file is of interest when it has been written, not when it is made. */
			if (!(event->mask & IN_CREATE) || event->mask & IN_ISDIR)
				*ret_counts = true;
			if (event->mask & IN_ISDIR && event->mask & (IN_CREATE | IN_MOVED_TO) &&
			    snprintf(path, sizeof path, "%s/%s", in, event->name) < (int)sizeof path)
				r = folder_add(tree, path, 1, err);
		}
	}
	return r;
}

int tree_wait(struct tree *tree, int cancel_fd, struct cell_error *err)
{
	struct pollfd fds[2] = { { .fd = tree->fd, .events = POLLIN },
				 { .fd = cancel_fd, .events = POLLIN } };
	bool changed = false;

	for (;;) {
		int n = poll(fds, 2, changed ? QUIET_MS : -1);
		int r;

		if (n < 0 && errno != EINTR)
			return cell_fail(err, -errno, "waiting for a change: %s", strerror(errno));
		if (n > 0 && fds[1].revents)
			return cell_fail(err, CELL_CANCELLED, "interrupted");
		if (n == 0)
			return 0;
		if (n < 0)
			continue;
		r = events_take(tree, &changed, err);
		if (r < 0)
			return r;
	}
}

void tree_free(struct tree *tree)
{
	if (!tree)
		return;
	if (tree->fd >= 0)
		(void)close(tree->fd);
	for (int i = 0; i < tree->n_folders; i++)
		free(tree->folders[i]);
	free(tree->folders);
	free(tree);
}
