#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cell/cell.h>

#include "checksum.h"

#define FILES 2
#define MAGIC UINT64_C(0x6a6c6c65632e3176)

static const char *const names[FILES] = { "journal.0", "journal.1" };

/*
 * A record without a commit is a mark. At the start of a file: nothing in it counts any
 * longer. At the end: nothing in the other one does, which is about to be written anew. So a
 * first record that was not written to its end is told from one that is damaged.
 */
#define NO_COMMIT 0
/* What journal_void() and the next record go on by. */
#define GENERATIONS_MORE 2

/* What a file may take of records; then there is room for its mark. */
static size_t room_bytes(const struct journal *journal)
{
	return journal->file_bytes - JOURNAL_BLOCK;
}

struct header {
	uint64_t magic;
	uint64_t checksum; /* of what follows in the header, and of the body */
	uint64_t generation;
	uint64_t commit;
	uint64_t body_len;
};

struct change_header {
	uint32_t key_len;
	uint32_t stored_len;
};

static int fail(struct cell_error *err, const char *doing, const struct folder *folder,
		const char *name, int error)
{
	bool is_full = error == ENOSPC || error == EDQUOT;

	return cell_fail(err, is_full ? CELL_RESOURCE_EXHAUSTED : -error, "%s '%s/%s': %s%s",
			 doing, folder->path, name, strerror(error),
			 is_full ? "; make room on that disk" : "");
}

static size_t padded(size_t bytes)
{
	return (bytes + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

static uint64_t checksum(const struct header *header, const uint8_t *body)
{
	struct cell_store_bytes told = {
		&header->generation, sizeof *header - offsetof(struct header, generation)
	};

	return checksum_of(told, (struct cell_store_bytes){ body, header->body_len });
}

/* ---- Writing ------------------------------------------------------------------------ */

static int write_all(int fd, const uint8_t *bytes, size_t len, size_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, bytes, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		bytes += n;
		len -= (size_t)n;
		at += (size_t)n;
	}
	return 0;
}

/*
 * Written to its end once, so that a record changes no more of the file than its own bytes:
 * then a write waits for the disk once, where a file that grows waits for its inode as well.
 */
static int file_make(const struct folder *folder, const char *name, const uint8_t *zeros,
		     size_t len)
{
	int flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC;
	int r, fd = openat(folder->fd, name, flags, 0600);

	if (fd < 0)
		return -errno;
	r = write_all(fd, zeros, len, 0);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

/* Past the page cache where the file system can: nobody reads it, and it is a copy less. */
static int file_open(const struct folder *folder, const char *name)
{
	int flags = O_WRONLY | O_DSYNC | O_CLOEXEC;
	int fd = openat(folder->fd, name, flags | O_DIRECT);

	if (fd < 0 && errno == EINVAL)
		fd = openat(folder->fd, name, flags);
	return fd < 0 ? -errno : fd;
}

/* Some that open a file so do not write it so: their blocks are larger than ours. */
static int file_open_tried(const struct folder *folder, const char *name,
			   const uint8_t *zeros)
{
	int flags, fd = file_open(folder, name);
	int r = fd < 0 ? fd : write_all(fd, zeros, JOURNAL_BLOCK, 0);

	if (r == -EINVAL && fd >= 0) {
		flags = fcntl(fd, F_GETFL);
		r = flags < 0 || fcntl(fd, F_SETFL, flags & ~O_DIRECT) < 0
			    ? -errno
			    : write_all(fd, zeros, JOURNAL_BLOCK, 0);
	}
	if (r == 0 || fd < 0)
		return fd;
	(void)close(fd);
	return r;
}

/*
 * Values are somebody's, and lie in records as they are: what nobody can know does not look
 * like a record of ours, wherever it comes to lie.
 */
static uint64_t generation_first(void)
{
	uint64_t random = 0;

	while (getrandom(&random, sizeof random, 0) != sizeof random)
		continue;
	return (random >> 2) + 1;
}

/* Put the header before the body of LEN bytes at RECORD, and zeros behind it. */
static void record_finish(const struct journal *journal, uint8_t *record, size_t body_len,
			  uint64_t commit)
{
	struct header header = { .magic = MAGIC,
				 .generation = journal->generation,
				 .commit = commit,
				 .body_len = body_len };
	size_t end = sizeof header + body_len;

	header.checksum = checksum(&header, record + sizeof header);
	memcpy(record, &header, sizeof header);
	memset(record + end, 0, padded(end) - end);
}

static int mark_write(struct journal *journal, unsigned file, size_t at)
{
	uint8_t *mark = journal->record + journal->file_bytes;

	record_finish(journal, mark, 0, NO_COMMIT);
	return write_all(journal->fds[file], mark, JOURNAL_BLOCK, at);
}

int journal_open(struct journal *journal, const struct folder *folder, size_t bytes,
		 struct cell_error *err)
{
	int r = 0;

	bytes = bytes < JOURNAL_MIN ? JOURNAL_MIN : bytes > JOURNAL_MAX ? JOURNAL_MAX : bytes;
	bytes = padded(bytes);

	*journal = (struct journal){
		.fds = { -1, -1 },
		.file_bytes = bytes,
		.generation = generation_first(),
		.is_void = true,
	};
	journal->record = aligned_alloc(JOURNAL_BLOCK, bytes + JOURNAL_BLOCK);
	if (!journal->record)
		return cell_fail(err, -ENOMEM, "opening '%s/%s'", folder->path, names[0]);
	memset(journal->record, 0, bytes + JOURNAL_BLOCK);
	for (int i = 0; i < FILES; i++) {
		r = file_make(folder, names[i], journal->record, bytes);
		if (r == 0)
			r = journal->fds[i] =
				file_open_tried(folder, names[i], journal->record);
		if (r < 0)
			return fail(err, "making", folder, names[i], -r);
	}
	/* So that a first record that is torn is told from one that is damaged. */
	r = mark_write(journal, journal->current ^ 1, 0);
	if (r < 0)
		return fail(err, "writing", folder, names[journal->current ^ 1], -r);
	journal->generation++;
	return fsync(folder->fd) < 0 ? fail(err, "syncing", folder, "", errno) : 0;
}

void journal_close(struct journal *journal)
{
	if (!journal->record)
		return;
	for (int i = 0; i < FILES; i++)
		if (journal->fds[i] >= 0)
			(void)close(journal->fds[i]);
	free(journal->record);
	*journal = (struct journal){ .fds = { -1, -1 } };
}

bool journal_make(struct journal *journal, uint64_t commit, const struct change *last)
{
	journal->used = sizeof(struct header);
	for (const struct change *change = last; change; change = change->earlier) {
		struct change_header told = { change->key_len, change->stored_len };
		size_t len = (size_t)told.key_len + told.stored_len;
		uint8_t *out = journal->record + journal->used;

		if (atomic_load_explicit(&change->commit, memory_order_relaxed) != commit)
			continue;
		if (len > room_bytes(journal) - journal->used ||
		    sizeof told > room_bytes(journal) - journal->used - len)
			return false;
		memcpy(out, &told, sizeof told);
		/* What is stored follows the key, as in the record. */
		memcpy(out + sizeof told, change_key(change).at, len);
		journal->used += sizeof told + len;
	}
	record_finish(journal, journal->record, journal->used - sizeof(struct header),
		      commit);
	return true;
}

bool journal_has_room(const struct journal *journal)
{
	return padded(journal->used) <= room_bytes(journal) - journal->at;
}

static int as_full(int r)
{
	return r == -EDQUOT || r == -EFBIG ? -ENOSPC : r;
}

int journal_turn(struct journal *journal)
{
	int r = mark_write(journal, journal->current, journal->at);
	uint64_t commit;

	if (r < 0)
		return as_full(r);
	journal->current ^= 1;
	journal->at = 0;
	journal->generation++;
	memcpy(&commit, journal->record + offsetof(struct header, commit), sizeof commit);
	record_finish(journal, journal->record, journal->used - sizeof(struct header),
		      commit);
	return 0;
}

/* A record that is told not to be there must not be, whatever came of writing it. */
static int unwrite(struct journal *journal, int r)
{
	uint8_t *zeros = journal->record + journal->file_bytes;
	int undone;

	if (r != -ENOSPC)
		return r;
	memset(zeros, 0, JOURNAL_BLOCK);
	undone = write_all(journal->fds[journal->current], zeros, JOURNAL_BLOCK, journal->at);
	/* Nor is there room for that: then it took nothing before, either. */
	return undone < 0 && as_full(undone) != -ENOSPC ? undone : r;
}

int journal_write(struct journal *journal)
{
	size_t len = padded(journal->used);
	int r = write_all(journal->fds[journal->current], journal->record, len, journal->at);

	if (r < 0)
		return unwrite(journal, as_full(r));
	journal->at += len;
	journal->is_void = false;
	return 0;
}

/* The older file first: newer commits must not be void while older ones count. */
int journal_void(struct journal *journal)
{
	int r;

	journal->generation++;
	r = mark_write(journal, journal->current ^ 1, 0);
	if (r == 0)
		r = mark_write(journal, journal->current, 0);
	if (r < 0)
		return r;
	journal->generation++;
	journal->at = 0;
	journal->is_void = true;
	return 0;
}

/* ---- Reading ------------------------------------------------------------------------ */

struct file {
	uint8_t *bytes;
	size_t len;
	uint64_t generation;  /* 0: there is no record in it */
	uint64_t first, last; /* commits; NO_COMMIT = none */
	size_t end;           /* of the last one */
	bool is_marked;       /* see NO_COMMIT */
};

static int file_read(struct file *file, const struct folder *folder, const char *name,
		     struct cell_error *err)
{
	int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC);
	struct stat status;
	size_t size;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? 0 : fail(err, "opening", folder, name, errno);
	size = fstat(fd, &status) == 0 && status.st_size > 0 ? (size_t)status.st_size : 1;
	size = size < JOURNAL_MAX ? size : JOURNAL_MAX;
	file->bytes = malloc(size);
	if (!file->bytes) {
		(void)close(fd);
		return cell_fail(err, -ENOMEM, "reading '%s/%s'", folder->path, name);
	}
	while (file->len < size && (n = pread(fd, file->bytes + file->len, size - file->len,
					      (off_t)file->len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int error = errno;

			(void)close(fd);
			return fail(err, "reading", folder, name, error);
		}
		file->len += (size_t)n;
	}
	(void)close(fd);
	return 0;
}

/* Whether a whole record is at AT. */
static bool record_at(const struct file *file, size_t at, struct header *ret_header)
{
	if (at > file->len || file->len - at < sizeof *ret_header)
		return false;
	memcpy(ret_header, file->bytes + at, sizeof *ret_header);
	return ret_header->magic == MAGIC &&
	       ret_header->body_len <= file->len - at - sizeof *ret_header &&
	       ret_header->checksum ==
		       checksum(ret_header, file->bytes + at + sizeof *ret_header);
}

static void file_scan(struct file *file)
{
	struct header header;

	while (!file->is_marked && record_at(file, file->end, &header)) {
		bool is_first = file->end == 0;

		file->is_marked = header.commit == NO_COMMIT;
		if (!is_first && (header.generation != file->generation ||
				  (!file->is_marked && header.commit != file->last + 1))) {
			file->is_marked = false;
			return;
		}
		file->generation = header.generation;
		if (file->is_marked)
			return;
		if (is_first)
			file->first = header.commit;
		file->last = header.commit;
		file->end += padded(sizeof header + header.body_len);
	}
}

/* Whether there is a record behind the end, of a generation after BEFORE, up to LAST. */
static bool has_more(const struct file *file, uint64_t before, uint64_t last)
{
	struct header header;

	for (size_t at = file->end; at < file->len; at += JOURNAL_BLOCK)
		if (record_at(file, at, &header) && header.generation > before &&
		    header.generation <= last)
			return true;
	return false;
}

static int lost(struct cell_error *err, const struct folder *folder)
{
	return cell_fail(
		err, CELL_DATA_LOSS,
		"the journal in '%s' is damaged: commits are missing in it; restore "
		"the store from a backup, or remove journal.0 and journal.1 to go on "
		"without the last ones",
		folder->path);
}

/*
 * The older one comes first. Records are written one after the other: so a whole one behind
 * one that is not means that the latter was whole once.
 */
static int files_check(struct file files[FILES], const struct folder *folder,
		       struct cell_error *err)
{
	struct file *older = &files[0], *newer = &files[1];
	uint64_t before, last;

	if (older->generation > newer->generation) {
		struct file other = *older;

		*older = *newer;
		*newer = other;
	}
	/* A generation that was begun when the newer file's first record was damaged. */
	last = newer->generation ? newer->generation + GENERATIONS_MORE : UINT64_MAX;
	if (!newer->is_marked &&
	    has_more(newer, newer->generation - (newer->generation > 0), last))
		return lost(err, folder);
	/* What the older one has is needed for as long as the newer one is not marked. */
	before = newer->generation;
	if (!newer->is_marked)
		before -= before < 2 ? before : 2;
	if (!older->is_marked && has_more(older, before, last))
		return lost(err, folder);
	if (older->last != NO_COMMIT && newer->last != NO_COMMIT &&
	    older->last + 1 != newer->first)
		return lost(err, folder);
	return 0;
}

static int record_replay(const uint8_t *body, size_t body_len, journal_change_fn *on_change,
			 void *userdata, uint64_t *n, struct cell_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < body_len; (*n)++) {
		const uint8_t *key = body + i + sizeof(struct change_header);
		struct change_header told = { 0 };
		size_t len;

		if (body_len - i >= sizeof told)
			memcpy(&told, body + i, sizeof told);
		len = (size_t)told.key_len + told.stored_len;
		if (told.key_len == 0 || len > body_len - i - sizeof told)
			return cell_fail(err, CELL_DATA_LOSS,
					 "a commit in the journal has impossible lengths");
		r = on_change(userdata, (struct cell_store_bytes){ key, told.key_len },
			      (struct cell_store_bytes){ key + told.key_len,
							 told.stored_len },
			      err);
		i += sizeof told + len;
	}
	return r;
}

static int file_replay(const struct file *file, journal_change_fn *on_change, void *userdata,
		       uint64_t *n, struct cell_error *err)
{
	struct header header;
	int r = 0;

	if (file->last == NO_COMMIT)
		return 0;
	for (size_t at = 0; r == 0 && at < file->end;) {
		memcpy(&header, file->bytes + at, sizeof header);
		r = record_replay(file->bytes + at + sizeof header, header.body_len,
				  on_change, userdata, n, err);
		at += padded(sizeof header + header.body_len);
	}
	return r;
}

int journal_replay(const struct folder *folder, journal_change_fn *on_change, void *userdata,
		   uint64_t *ret_n, struct cell_error *err)
{
	struct file files[FILES] = { 0 };
	int r = 0;

	*ret_n = 0;
	for (int i = 0; r == 0 && i < FILES; i++) {
		r = file_read(&files[i], folder, names[i], err);
		if (r == 0)
			file_scan(&files[i]);
	}
	if (r == 0)
		r = files_check(files, folder, err);
	for (int i = 0; r == 0 && i < FILES; i++)
		r = file_replay(&files[i], on_change, userdata, ret_n, err);
	for (int i = 0; i < FILES; i++)
		free(files[i].bytes);
	return r;
}

/* ---- Removing ----------------------------------------------------------------------- */

/* The generation that the file begins with; 0: there is no record, or no file. */
static uint64_t generation_of(const struct folder *folder, const char *name)
{
	int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC);
	struct header header = { 0 };

	if (fd < 0)
		return 0;
	if (pread(fd, &header, sizeof header, 0) != sizeof header || header.magic != MAGIC)
		header.generation = 0;
	(void)close(fd);
	return header.generation;
}

/* The older one first: alone it would bring back what the newer one has changed. */
int journal_remove(const struct folder *folder, struct cell_error *err)
{
	int older = generation_of(folder, names[0]) > generation_of(folder, names[1]);

	for (int i = 0; i < FILES; i++) {
		const char *name = names[older ^ i];

		if (unlinkat(folder->fd, name, 0) < 0) {
			if (errno == ENOENT)
				continue;
			return fail(err, "removing", folder, name, errno);
		}
		if (fsync(folder->fd) < 0)
			return fail(err, "syncing", folder, "", errno);
	}
	return 0;
}
