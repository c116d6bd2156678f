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

/* Of all below: a store with a journal writes from two threads. Who loses power keeps it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

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

static void remember_locked(int fd, const unsigned char *bytes, size_t len, off_t at)
{
	if (!is_data(fd))
		return;
	if (fcntl(fd, F_GETFL) & O_DSYNC) {
		int image = image_open();

		image_write(image, bytes, len, at);
		(void)close(image);
		return;
	}
	while (len) {
		struct pending *page = malloc(sizeof *page);

		if (!page)
			abort();
		*page = (struct pending){ .at = at, .len = len < PAGE ? len : PAGE };
		memcpy(page->bytes, bytes, page->len);
		*pending_end = page;
		pending_end = &page->next;
		bytes += page->len;
		at += (off_t)page->len;
		len -= page->len;
	}
}

static void remember(int fd, const unsigned char *bytes, size_t len, off_t at)
{
	if (disk.trouble != DISK_LOSES_POWER)
		return;
	(void)pthread_mutex_lock(&lock);
	remember_locked(fd, bytes, len, at);
	(void)pthread_mutex_unlock(&lock);
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

static _Noreturn void lose_power(void)
{
	char path[300];

	settle(false);
	snprintf(path, sizeof path, "%s.disk", image_of);
	(void)rename(path, image_of);
	(void)raise(SIGKILL);
	abort();
}

/* Whether this call goes wrong before it does anything; some never return. */
static bool is_time_locked(int fd)
{
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
		lose_power();
	return true;
}

static bool is_time(int fd, enum disk_calls call)
{
	bool is;

	if (!disk.at || !(disk.calls & call) || !is_file(fd))
		return false;
	(void)pthread_mutex_lock(&lock);
	is = is_time_locked(fd);
	(void)pthread_mutex_unlock(&lock);
	if (is)
		errno = disk.error;
	return is;
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

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	long n;

	if (is_time(fd, DISK_WRITES) && disk.trouble == DISK_FAILS)
		return -1;
	if (disk.happened && disk.trouble == DISK_CUTS && disk.count == disk.at && len)
		len = half(len);
	n = syscall(SYS_pwrite64, fd, bytes, len, at);
	if (n > 0)
		remember(fd, bytes, (size_t)n, at);
	is_over();
	return n;
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	ssize_t sum = 0;

	if (is_time(fd, DISK_WRITES) && disk.trouble == DISK_FAILS)
		return -1;
	if (disk.happened && disk.trouble == DISK_CUTS && disk.count == disk.at)
		n = (n + 1) / 2;
	sum = syscall(SYS_writev, fd, parts, n);
	for (int i = 0; sum > 0 && i < n; at += (off_t)parts[i++].iov_len)
		remember(fd, parts[i].iov_base, parts[i].iov_len, at);
	is_over();
	return sum;
}

int ftruncate(int fd, off_t len)
{
	int r;

	if (is_time(fd, DISK_WRITES) && disk.trouble <= DISK_CUTS)
		return -1;
	r = (int)syscall(SYS_ftruncate, fd, len);
	is_over();
	return r;
}

static int sync_with(int fd, long number)
{
	int r;

	if (is_time(fd, DISK_SYNCS) && disk.trouble <= DISK_CUTS)
		return -1;
	r = (int)syscall(number, fd);
	if (r == 0 && disk.trouble == DISK_LOSES_POWER) {
		(void)pthread_mutex_lock(&lock);
		if (is_data(fd))
			settle(true);
		(void)pthread_mutex_unlock(&lock);
	}
	is_over();
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
