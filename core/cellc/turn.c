#include "turn.h"

#include "writer.h"

#include <cell/cell.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* Longer than a whole file's expansion may take. */
#define TURN_MS 35000
#define LOOK_MS 3

static int order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* flock() has no deadline of its own, and a signal for it would be everybody's. */
static void wait_for(int fd, unsigned *left_ms)
{
	const struct timespec look = { .tv_nsec = LOOK_MS * 1000000 };

	while (flock(fd, LOCK_EX | LOCK_NB) < 0 && (errno == EWOULDBLOCK || errno == EINTR) &&
	       *left_ms >= LOOK_MS) {
		(void)nanosleep(&look, NULL);
		*left_ms -= LOOK_MS;
	}
}

void turn_take(struct turn *ret, const char **paths, size_t n, struct cell_arena *arena)
{
	unsigned left_ms = TURN_MS;

	*ret = (struct turn){ .fds = must_new(arena, int, n) };
	/* All in the same order, so that no two wait for each other. */
	if (n)
		qsort(paths, n, sizeof *paths, order);
	for (size_t i = 0; i < n; i++) {
		int fd;

		if (i && strcmp(paths[i], paths[i - 1]) == 0)
			continue;
		/* The header itself is what is locked: that leaves no file behind. */
		fd = open(paths[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			continue;
		wait_for(fd, &left_ms);
		ret->fds[ret->n++] = fd;
	}
}

void turn_end(struct turn *turn)
{
	while (turn->n > 0)
		(void)close(turn->fds[--turn->n]);
}
