#include "pool.h"

#include "writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* One that is being written, and whose writer may have died, counts as old after so long. */
#define ABANDONED_S 3600

const char *pool_home(struct cell_arena *arena)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (cache && *cache == '/')
		return cache;
	return home && *home == '/' ? must_printf(arena, "%s/.cache", home) : NULL;
}

void pool_locate(struct pool_entry *ret, const char *home, const char *kind,
		 const uint8_t hash[POOL_HASH_SIZE], const struct pool_limits *limits,
		 struct cell_arena *arena)
{
	const char *hex = hex_of(arena, hash, POOL_HASH_SIZE);

	*ret = (struct pool_entry){ .limits = *limits };
	if (!home)
		return;
	ret->folder = must_printf(arena, "%s/cell/cellc/%s/%.2s", home, kind, hex);
	ret->path = must_printf(arena, "%s/%s", ret->folder, hex + 2);
}

bool pool_read(const struct pool_entry *entry, struct cell_arena *arena,
	       const uint8_t **ret_bytes, size_t *ret_len)
{
	int fd = entry->folder ? open(entry->path, O_RDONLY | O_CLOEXEC) : -1;
	uint8_t *bytes = NULL;
	struct stat st;
	bool ok;

	if (fd < 0)
		return false;
	ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	     (size_t)st.st_size <= entry->limits.entry;
	if (ok)
		bytes = cell_arena_alloc(arena, (size_t)st.st_size);
	ok = bytes && read(fd, bytes, (size_t)st.st_size) == st.st_size;
	(void)close(fd);
	if (ok) {
		*ret_bytes = bytes;
		*ret_len = (size_t)st.st_size;
	}
	return ok;
}

void pool_touch(const struct pool_entry *entry)
{
	(void)utimensat(AT_FDCWD, entry->path, NULL, 0);
}

/* PATH and the folders above it that are not there. */
static bool folders_make(char *path)
{
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool is_older(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* The oldest entry goes when there is too much; then true. */
static bool folder_trim(const struct pool_entry *entry)
{
	char oldest[NAME_MAX + 1] = "";
	struct timespec oldest_time = { 0 }, now;
	DIR *dir = opendir(entry->folder);
	size_t n = 0, bytes = 0;
	bool went;

	if (!dir)
		return false;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	for (struct dirent *one; (one = readdir(dir));) {
		struct stat st;

		if (fstatat(dirfd(dir), one->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (one->d_name[0] == '.') {
			if (now.tv_sec - st.st_mtim.tv_sec > ABANDONED_S)
				(void)unlinkat(dirfd(dir), one->d_name, 0);
			continue;
		}
		n++;
		bytes += (size_t)st.st_size;
		if (!oldest[0] || is_older(&st.st_mtim, &oldest_time)) {
			oldest_time = st.st_mtim;
			(void)snprintf(oldest, sizeof oldest, "%s", one->d_name);
		}
	}
	went = (n > entry->limits.entries || bytes > entry->limits.bytes) &&
	       unlinkat(dirfd(dir), oldest, 0) == 0;
	(void)closedir(dir);
	return went;
}

void pool_put(const struct pool_entry *entry, const void *bytes, size_t len)
{
	char folder[PATH_MAX], temp[PATH_MAX + 16];
	ssize_t n;
	int fd;

	if (!entry->folder || len > entry->limits.entry || strlen(entry->folder) >= PATH_MAX)
		return;
	(void)snprintf(folder, sizeof folder, "%s", entry->folder);
	(void)snprintf(temp, sizeof temp, "%s/.new-XXXXXX", folder);
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && folders_make(folder)) {
		(void)snprintf(temp, sizeof temp, "%s/.new-XXXXXX", folder);
		fd = mkostemp(temp, O_CLOEXEC);
	}
	if (fd < 0)
		return;
	n = write(fd, bytes, len);
	(void)close(fd);
	if (n != (ssize_t)len || rename(temp, entry->path) < 0)
		(void)unlink(temp);
	else
		while (folder_trim(entry))
			;
}
