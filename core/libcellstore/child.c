#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "walk.h"

#define SILENCE_MS 10000
#define BEAT_MS    250
/* Pages between two looks at the clock. */
#define CLOCK_EVERY 64
/* Commits that may pass between pinning one and reading the page that tells of it. */
#define PIN_TRIES 100
/* Of a map, beside the file. */
#define MAP_SPARE ((size_t)64 << 20)

/* What the child says: it goes on, or it is done. Smaller than PIPE_BUF, so never in parts.
 */
struct word {
	bool is_done;
	bool is_partial;
	uint64_t entries;
	struct cell_error err;
};

struct work {
	const char *path; /* of the data file, for texts */
	int pipe;
	int dir_fd;
	uint64_t began_ms, beat_ms;
	unsigned budget_ms;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- The child ----------------------------------------------------------------------------
 */

static bool on_page(struct walk *walk)
{
	struct work *work = walk->data;
	struct word word = { .entries = walk->entries };
	uint64_t now;

	if (walk->pages % CLOCK_EVERY)
		return true;
	now = now_ms();
	if (now - work->beat_ms >= BEAT_MS) {
		work->beat_ms = now;
		/* Nobody listens any more: there is no use in going on. */
		if (write(work->pipe, &word, sizeof word) < 0)
			_exit(1);
	}
	return !work->budget_ms || now - work->began_ms < work->budget_ms;
}

/* Walk the commit that META tells of, in the file open as FD. */
static int walk_mapped(struct work *work, int fd, const struct format_meta *meta,
		       uint64_t size, struct word *word)
{
	struct walk walk = { .path = work->path,
			     .size = size,
			     .meta = *meta,
			     .on_page = on_page,
			     .data = work };
	void *file = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	int r;

	if (file == MAP_FAILED)
		return cell_fail(&word->err, -errno, "mapping '%s': %s", work->path,
				 strerror(errno));
	walk.file = file;
	r = walk_file(&walk, &word->err);
	word->is_partial = r == WALK_STOPPED;
	word->entries = walk.entries;
	return r < 0 ? r : 0;
}

/*
 * A map of what the file is and will be soon; by itself LMDB maps what its writer does, which
 * may be more than there is room for here.
 */
static size_t room_for(int fd)
{
	struct stat status;
	size_t room = MAP_SPARE;

	if (fstat(fd, &status) == 0)
		room += (size_t)status.st_size * 2;
	return room / MAP_SPARE * MAP_SPARE;
}

static int open_env(MDB_env **ret_env, const char *dir, int fd, unsigned flags)
{
	int rc = mdb_env_create(ret_env);

	if (rc)
		return rc;
	rc = mdb_env_set_mapsize(*ret_env, room_for(fd));
	if (!rc)
		rc = mdb_env_open(*ret_env, dir, MDB_RDONLY | MDB_NOTLS | flags, 0600);
	if (rc)
		mdb_env_close(*ret_env);
	return rc;
}

/* Begin reading; it may have grown out of the map. */
static int begin(MDB_env *env, int fd, MDB_txn **ret_txn)
{
	int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, ret_txn);

	if (rc != MDB_MAP_RESIZED)
		return rc;
	rc = mdb_env_set_mapsize(env, room_for(fd));
	return rc ? rc : mdb_txn_begin(env, NULL, MDB_RDONLY, ret_txn);
}

/*
 * A read transaction keeps the pages of its commit from being used again. The page that tells
 * of that commit is one of the first two, for as long as it takes to make two more; it is not
 * the newest while another is being synced, which takes most of a writer's time. Of the data,
 * LMDB touches those two alone.
 */
static int pin(struct work *work, int fd, struct format_meta *ret_meta, uint64_t *ret_size,
	       struct cell_error *err)
{
	char dir[32];
	uint64_t missing;
	MDB_env *env;
	MDB_txn *txn;
	int r, rc;

	(void)snprintf(dir, sizeof dir, "/proc/self/fd/%d", work->dir_fd);
	rc = open_env(&env, dir, fd, 0);
	/* No table of readers can be had on a disk that is not written; nor is there a
	 * writer. */
	if (rc == EACCES || rc == EROFS)
		rc = open_env(&env, dir, fd, MDB_NOLOCK);
	for (unsigned i = 0; !rc && i < PIN_TRIES; i++) {
		rc = begin(env, fd, &txn);
		if (rc)
			break;
		r = format_read(fd, work->path, mdb_txn_id(txn), ret_meta, ret_size, &missing,
				err);
		if (r <= 0)
			return r;
		mdb_txn_abort(txn);
	}
	if (rc)
		return cell_fail(err, CELL_DATA_LOSS, "opening '%s': %s", work->path,
				 mdb_strerror(rc));
	return cell_fail(err, CELL_UNAVAILABLE, "'%s' is written too fast to be looked at",
			 work->path);
}

static int walk_dir(struct work *work, bool is_alone, struct word *word)
{
	uint64_t size, missing;
	struct format_meta meta;
	int r, fd = openat(work->dir_fd, "data.mdb", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return cell_fail(&word->err, -errno, "opening '%s': %s", work->path,
				 strerror(errno));
	r = format_read(fd, work->path, FORMAT_NEWEST, &meta, &size, &missing, &word->err);
	if (r == 0 && !is_alone)
		r = pin(work, fd, &meta, &size, &word->err);
	return r < 0 ? r : walk_mapped(work, fd, &meta, size, word);
}

/*
 * Whatever a signal does in the parent, here it ends the process, without a core. What the
 * parent has open is closed: the ends of its connections are nobody else's business.
 */
static void settle(struct work *work, pid_t parent)
{
	static const int deadly[] = { SIGBUS,  SIGSEGV, SIGILL, SIGFPE, SIGABRT,
				      SIGTERM, SIGINT,  SIGHUP, SIGPIPE };
	struct rlimit none = { 0, 0 };
	sigset_t nothing;

	for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
		(void)signal(deadly[i], SIG_DFL);
	(void)sigemptyset(&nothing);
	(void)sigprocmask(SIG_SETMASK, &nothing, NULL);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	/* Out of the way of the two that they become. */
	work->pipe = dup2(fcntl(work->pipe, F_DUPFD, 5), 3);
	work->dir_fd = dup2(fcntl(work->dir_fd, F_DUPFD, 5), 4);
	if (work->pipe < 0 || work->dir_fd < 0)
		_exit(1);
	(void)close_range(5, ~0U, 0);
}

static _Noreturn void child(struct work *work, bool is_alone)
{
	struct word word = { .is_done = true };

	work->began_ms = work->beat_ms = now_ms();
	word.err.code = walk_dir(work, is_alone, &word);
	_exit(write(work->pipe, &word, sizeof word) == (ssize_t)sizeof word ? 0 : 1);
}

/* ---- The parent ---------------------------------------------------------------------------
 */

/* The last word of the child, or how it went without one. */
static int listen_to(struct work *work, struct word *ret_word, struct cell_error *err)
{
	struct pollfd readable = { .fd = work->pipe, .events = POLLIN };

	for (;;) {
		int n = poll(&readable, 1, SILENCE_MS);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cell_fail(err, -errno, "walking '%s': %s", work->path,
					 strerror(errno));
		if (n == 0)
			return cell_fail(
				err, CELL_DATA_LOSS,
				"walking '%s' came to a halt for %d s: the disk does "
				"not read it, or it is damaged; restore it from a backup",
				work->path, SILENCE_MS / 1000);
		/* Words are never in parts: what is none is the end of the pipe. */
		if (read(work->pipe, ret_word, sizeof *ret_word) != (ssize_t)sizeof *ret_word)
			return cell_fail(
				err, CELL_DATA_LOSS,
				"walking '%s' killed the process that did it: the disk "
				"does not read it, or it is damaged; restore it from a "
				"backup",
				work->path);
		if (ret_word->is_done)
			return 0;
	}
}

static void bury(pid_t child, bool is_done)
{
	if (!is_done)
		(void)kill(child, SIGKILL);
	/* A loop that watches children may have been faster. */
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		continue;
}

static int walk_in_child(struct work *work, bool is_alone, struct word *ret_word,
			 struct cell_error *err)
{
	pid_t pid, parent = getpid();
	int r, ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return cell_fail(err, -errno, "walking '%s': %s", work->path,
				 strerror(errno));
	pid = fork();
	if (pid == 0) {
		work->pipe = ends[1];
		settle(work, parent);
		child(work, is_alone);
	}
	(void)close(ends[1]);
	work->pipe = ends[0];
	r = pid < 0 ? cell_fail(err, -errno, "walking '%s': %s", work->path, strerror(errno))
		    : listen_to(work, ret_word, err);
	if (pid > 0)
		bury(pid, r == 0);
	(void)close(ends[0]);
	return r;
}

int child_walk(int dir_fd, const char *path, bool is_alone, unsigned budget_ms,
	       uint64_t *ret_entries, bool *ret_is_partial, struct cell_error *err)
{
	struct work work = { .path = path, .dir_fd = dir_fd, .budget_ms = budget_ms };
	struct word word;
	int r = walk_in_child(&work, is_alone, &word, err);

	if (r == 0 && word.err.code) {
		if (err)
			*err = word.err;
		return word.err.code;
	}
	if (r == 0) {
		*ret_entries = word.entries;
		*ret_is_partial = word.is_partial;
	}
	return r;
}
