#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096

struct disk disk;

/* One call at a time: a store may have threads of its own. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* What a call is about to write; of a sync nothing. */
struct piece {
	const unsigned char *bytes;
	size_t len;
	off_t at;
};

/* What was written and not synced, in pages; only where power may be lost. */
struct pending {
	struct pending *next;
	off_t at;
	size_t len;
	unsigned char bytes[PAGE];
};
static struct pending *pending;
static struct pending **pending_end = &pending;
static char image_of[256]; /* the data file; what is on the disk is beside it, ".disk" */

static bool is_file(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

static bool is_data(int fd)
{
	char link[64], path[256];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n < 9)
		return false;
	path[n] = '\0';
	if (strcmp(path + n - 9, "/data.mdb") != 0)
		return false;
	memcpy(image_of, path, (size_t)n + 1);
	return true;
}

static int image_open(void)
{
	char path[300];

	snprintf(path, sizeof path, "%s.disk", image_of);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static void image_write(int image, const void *bytes, size_t len, off_t at)
{
	if (syscall(SYS_pwrite64, image, bytes, len, at) != (long)len)
		abort();
}

/* The first page of PIECE, which is taken from it. */
static struct piece page_take(struct piece *piece)
{
	struct piece page = *piece;

	page.len = piece->len < PAGE ? piece->len : PAGE;
	piece->bytes += page.len;
	piece->at += (off_t)page.len;
	piece->len -= page.len;
	return page;
}

static void pend(struct piece piece)
{
	while (piece.len) {
		struct piece page = page_take(&piece);
		struct pending *added = malloc(sizeof *added);

		if (!added)
			abort();
		*added = (struct pending){ .at = page.at, .len = page.len };
		memcpy(added->bytes, page.bytes, page.len);
		*pending_end = added;
		pending_end = &added->next;
	}
}

/* It was written to the data file: as far as the system knows, or on the disk. */
static void remember(int fd, struct piece piece)
{
	int image;

	if (disk.trouble != DISK_LOSES_POWER || !is_data(fd))
		return;
	if (!(fcntl(fd, F_GETFL) & O_DSYNC)) {
		pend(piece);
		return;
	}
	image = image_open();
	image_write(image, piece.bytes, piece.len, piece.at);
	(void)close(image);
}

/* Pending pages reach the disk: all, or those that a coin is for. */
static void settle(bool all)
{
	int image = image_open();

	while (pending) {
		struct pending *page = pending;

		if (all || rand_r(&disk.seed) % 2)
			image_write(image, page->bytes, page->len, page->at);
		pending = page->next;
		free(page);
	}
	pending_end = &pending;
	(void)close(image);
}

/* In the middle of a write of PIECE to FD, of which some pages are on the disk. */
static _Noreturn void lose_power(int fd, struct piece piece)
{
	char path[300];

	if (is_data(fd))
		pend(piece);
	while (!is_data(fd) && piece.len) {
		struct piece page = page_take(&piece);

		if (rand_r(&disk.seed) % 2)
			(void)syscall(SYS_pwrite64, fd, page.bytes, page.len, page.at);
	}
	settle(false);
	snprintf(path, sizeof path, "%s.disk", image_of);
	(void)rename(path, image_of);
	(void)raise(SIGKILL);
	abort();
}

/* Whether this call goes wrong before it does anything; some never return. */
static bool is_time(int fd, enum disk_calls call, struct piece piece)
{
	if (!disk.at || !(disk.calls & call) || !is_file(fd))
		return false;
	/* Before there is a data file there is nothing to lose. */
	if (disk.trouble == DISK_LOSES_POWER && !image_of[0] && !is_data(fd))
		return false;
	disk.count++;
	if (disk.stays ? disk.count < disk.at : disk.count != disk.at)
		return false;
	disk.happened = true;
	if (disk.trouble == DISK_KILLS)
		(void)raise(SIGKILL);
	if (disk.trouble == DISK_LOSES_POWER)
		lose_power(fd, piece);
	errno = disk.error;
	return true;
}

static void is_over(void)
{
	if (disk.happened && disk.trouble == DISK_KILLS_LATE)
		(void)raise(SIGKILL);
}

static size_t half(size_t len)
{
	return len > PAGE ? len / PAGE / 2 * PAGE : len / 2;
}

static ssize_t write_at(int fd, struct piece piece)
{
	long n;

	if (is_time(fd, DISK_WRITES, piece) && disk.trouble == DISK_FAILS)
		return -1;
	if (disk.happened && disk.trouble == DISK_CUTS && disk.count == disk.at && piece.len)
		piece.len = half(piece.len);
	n = syscall(SYS_pwrite64, fd, piece.bytes, piece.len, piece.at);
	if (n > 0)
		remember(fd, (struct piece){ piece.bytes, (size_t)n, piece.at });
	is_over();
	return n;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	ssize_t n;

	pthread_mutex_lock(&lock);
	n = write_at(fd, (struct piece){ bytes, len, at });
	pthread_mutex_unlock(&lock);
	return n;
}

static ssize_t write_parts(int fd, const struct iovec *parts, int n)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	ssize_t sum;

	/* Of several that are under way the first will do. */
	if (is_time(fd, DISK_WRITES,
		    (struct piece){ parts[0].iov_base, parts[0].iov_len, at }) &&
	    disk.trouble == DISK_FAILS)
		return -1;
	if (disk.happened && disk.trouble == DISK_CUTS && disk.count == disk.at)
		n = (n + 1) / 2;
	sum = syscall(SYS_writev, fd, parts, n);
	for (int i = 0; sum > 0 && i < n; at += (off_t)parts[i++].iov_len)
		remember(fd, (struct piece){ parts[i].iov_base, parts[i].iov_len, at });
	is_over();
	return sum;
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
	ssize_t sum;

	pthread_mutex_lock(&lock);
	sum = write_parts(fd, parts, n);
	pthread_mutex_unlock(&lock);
	return sum;
}

int ftruncate(int fd, off_t len)
{
	int r = -1;

	pthread_mutex_lock(&lock);
	if (!is_time(fd, DISK_WRITES, (struct piece){ 0 }) || disk.trouble > DISK_CUTS) {
		r = (int)syscall(SYS_ftruncate, fd, len);
		is_over();
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int sync_with(int fd, long number)
{
	int r = -1;

	pthread_mutex_lock(&lock);
	if (!is_time(fd, DISK_SYNCS, (struct piece){ 0 }) || disk.trouble > DISK_CUTS) {
		r = (int)syscall(number, fd);
		if (r == 0 && disk.trouble == DISK_LOSES_POWER && is_data(fd))
			settle(true);
		is_over();
	}
	pthread_mutex_unlock(&lock);
	return r;
}

int fsync(int fd)
{
	return sync_with(fd, SYS_fsync);
}

int fdatasync(int fd)
{
	return sync_with(fd, SYS_fdatasync);
}
