#include "inside.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cell/log.h>

/* With less than this on the disk a write that was cut short has met its end. */
#define DISK_FULL_BYTES (1024 * 1024)

static int full(struct cell_error *err, const struct cell_store *store, const char *doing)
{
	return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
			 "%s '%s': no room on its disk; make some and try again, nothing was "
			 "changed",
			 doing, store->folder.data_path);
}

static int damaged(struct cell_error *err, const struct cell_store *store, int rc,
		   const char *doing)
{
	return cell_fail(err, CELL_DATA_LOSS,
			 "%s '%s': the file is damaged (%s); restore it from "
			 "a backup",
			 doing, store->folder.data_path, mdb_strerror(rc));
}

static int fail_by_system(struct cell_error *err, const struct cell_store *store, int error,
			  const char *doing)
{
	const char *help = "";

	if (error == ENOSPC || error == EDQUOT || error == EFBIG)
		return full(err, store, doing);
	if (error == EACCES || error == EPERM)
		help = "; it must belong to the user who opens the store";
	else if (error == EROFS)
		help = "; the store must be on a disk that can be written";
	return cell_fail(err, error > 0 ? -error : CELL_INTERNAL, "%s '%s': %s%s", doing,
			 store->folder.data_path, mdb_strerror(error), help);
}

int store_fail(struct cell_error *err, const struct cell_store *store, int rc,
	       const char *doing)
{
	const char *path = store->folder.data_path;

	switch (rc) {
	case MDB_MAP_FULL:
		return cell_fail(
			err, CELL_RESOURCE_EXHAUSTED,
			"%s '%s': the store has %llu bytes, which is its limit; open "
			"it with a higher one",
			doing, path, (unsigned long long)store->max_bytes);
	case MDB_READERS_FULL:
		return cell_fail(
			err, CELL_RESOURCE_EXHAUSTED,
			"%s '%s': there are %u read transactions, which is the limit", doing,
			path, store->readers_max);
	case MDB_TXN_FULL:
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
				 "%s '%s': one transaction changes more than fits into one",
				 doing, path);
	case MDB_BAD_VALSIZE:
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "%s '%s': the size of key or value is not allowed", doing,
				 path);
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_CURSOR_FULL:
	case MDB_PAGE_FULL: return damaged(err, store, rc, doing);
	default: return fail_by_system(err, store, rc, doing);
	}
}

int store_broken(struct cell_error *err, struct cell_store *store)
{
	int code = atomic_load_explicit(&store->broken, memory_order_acquire);

	if (code && err)
		*err = store->broken_text;
	return code;
}

/* From here on nothing is written: the text once, then the code for all to see. */
int store_break(struct cell_error *err, struct cell_store *store, int rc)
{
	struct cell_error text;
	int code = store_fail(&text, store, rc, "writing to");

	/* Who commits and who settles may both meet the end of a disk. */
	pthread_mutex_lock(&store->lock);
	if (!atomic_load_explicit(&store->broken, memory_order_relaxed)) {
		code = cell_fail(
			&store->broken_text, code == CELL_RESOURCE_EXHAUSTED ? -EIO : code,
			"%s; what the disk holds is not known, so nothing more is written "
			"until the store is opened again",
			text.text);
		atomic_store_explicit(&store->broken, code, memory_order_release);
	}
	pthread_mutex_unlock(&store->lock);
	return store_broken(err, store);
}

/* Whether the file cannot grow: LMDB calls a write that was cut short EIO. */
static bool is_full(const struct cell_store *store)
{
	struct rlimit limit;
	struct statvfs disk;
	struct stat file;

	if (fstatvfs(store->folder.data_fd, &disk) == 0 &&
	    (uint64_t)disk.f_bavail * disk.f_frsize < DISK_FULL_BYTES)
		return true;
	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	       fstat(store->folder.data_fd, &file) == 0 &&
	       (uint64_t)file.st_size + DISK_FULL_BYTES > limit.rlim_cur;
}

/* LMDB itself gave up: its meta page may not be on the disk. */
static bool is_given_up(struct cell_store *store)
{
	MDB_txn *probe;
	int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &probe);

	if (rc == 0)
		mdb_txn_abort(probe);
	return rc == MDB_PANIC;
}

/*
 * A commit that failed before it wrote anything (the map is full), or while it wrote pages
 * that nothing points to (the disk is full), has changed nothing. All else may have happened
 * while syncing, and a second fsync() says that all is well. Each description of a file is
 * told of a failed write once, so ours, which LMDB does not use, knows whether it was that.
 */
int store_commit_fail(struct cell_error *err, struct cell_store *store, int rc)
{
	switch (rc) {
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
	case MDB_BAD_TXN:
	case ENOMEM: return store_fail(err, store, rc, "committing to");
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case EIO: break;
	default: return store_break(err, store, rc);
	}
	if (rc == EIO && !is_full(store))
		return store_break(err, store, rc);
	if (fdatasync(store->folder.data_fd) < 0)
		return store_break(err, store, errno);
	if (is_given_up(store))
		return store_break(err, store, rc);
	return full(err, store, "committing to");
}
