#include "folder.h"

#include "writer.h"

#include <cell/cell.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static int failed(struct cell_error *err, const char *path)
{
	int e = errno;

	return cell_fail(err, -e, "%s: %s", path, strerror(e));
}

static int read_all(int fd, char *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(fd, bytes + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

int folder_read(const char *path, size_t max, struct cell_arena *arena, char **ret_text,
		size_t *ret_len, struct cell_error *err)
{
	cell_cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t len;
	char *text;
	int r;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : failed(err, path);
	if (fstat(fd, &st) < 0)
		return failed(err, path);
	if (!S_ISREG(st.st_mode))
		return cell_fail(err, -EINVAL, "%s: no file", path);
	if ((uint64_t)st.st_size > max)
		return cell_fail(err, -EFBIG, "%s: %lld bytes, limit %zu", path,
				 (long long)st.st_size, max);
	len = (size_t)st.st_size;
	text = must(cell_arena_alloc(arena, len + 1));
	r = read_all(fd, text, len);
	if (r < 0)
		return cell_fail(err, r, "%s: %s", path, strerror(-r));
	text[len] = 0;
	*ret_text = text;
	*ret_len = len;
	return 0;
}

static bool is_same(const char *path, const char *text, size_t len)
{
	struct cell_arena arena;
	size_t old_len;
	char *old;
	bool same;

	cell_arena_init(&arena, 0);
	same = folder_read(path, len, &arena, &old, &old_len, NULL) == 0 && old_len == len &&
	       memcmp(old, text, len) == 0;
	cell_arena_deinit(&arena);
	return same;
}

/* Every folder above PATH. */
static int make_above(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = 0;
		r = mkdir(path, 0777);
		*slash = '/';
		if (r < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Of what is at PATH; nothing there: of now. */
static void take_time(int fd, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0)
		(void)futimens(fd, (struct timespec[2]){ st.st_atim, st.st_mtim });
}

static int replace(char *path, char *temporary, const char *text, size_t len, bool is_quiet)
{
	cell_cleanup(close_fd) int fd = -1;
	int r = make_above(path);

	if (r == 0) {
		fd = mkostemp(temporary, O_CLOEXEC);
		if (fd < 0)
			return -errno;
		r = write_all(fd, text, len);
		if (r == 0 && fchmod(fd, 0644) < 0)
			r = -errno;
		if (r == 0 && is_quiet)
			take_time(fd, path);
		if (r == 0 && rename(temporary, path) < 0)
			r = -errno;
		if (r < 0)
			(void)unlink(temporary);
	}
	return r;
}

static int update(const char *path, const char *text, size_t len, bool is_quiet,
		  struct cell_error *err)
{
	struct cell_arena arena;
	int r;

	if (is_same(path, text, len))
		return 0;
	cell_arena_init(&arena, 0);
	r = replace(must_printf(&arena, "%s", path), must_printf(&arena, "%s.XXXXXX", path),
		    text, len, is_quiet);
	cell_arena_deinit(&arena);
	return r < 0 ? cell_fail(err, r, "%s: %s", path, strerror(-r)) : 0;
}

int folder_write(const char *path, const char *text, size_t len, struct cell_error *err)
{
	return update(path, text, len, false, err);
}

int folder_write_quietly(const char *path, const char *text, size_t len,
			 struct cell_error *err)
{
	return update(path, text, len, true, err);
}

static int names_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int folder_list(const char *path, const char *suffix, struct cell_arena *arena,
		const char ***ret_names, size_t *ret_n, struct cell_error *err)
{
	DIR *folder = opendir(path);
	const char **names = NULL;
	struct dirent *entry;
	size_t n = 0, tail = strlen(suffix);

	if (!folder && errno != ENOENT)
		return failed(err, path);
	while (folder && (entry = readdir(folder))) {
		size_t len = strlen(entry->d_name);

		if (len > tail && strcmp(entry->d_name + len - tail, suffix) == 0)
			*must_add(arena, names, n) =
				must(cell_arena_strdup(arena, entry->d_name));
	}
	if (folder)
		(void)closedir(folder);
	if (n)
		qsort((void *)names, n, sizeof *names, names_order);
	*ret_names = names;
	*ret_n = n;
	return 0;
}

int folder_lock(const char *path, struct cell_error *err)
{
	int fd;

	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		return failed(err, path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return failed(err, path);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR) {
			int r = failed(err, path);

			(void)close(fd);
			return r;
		}
	return fd;
}

void folder_remove(const char *folder, const char *stem)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t len = strlen(stem);

	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, stem, len) == 0)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		(void)closedir(dir);
}
