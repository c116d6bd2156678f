#include "format.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC   0xBEEFC0DE
#define VERSION 1
/* Flags of the tree of free pages: numbers as keys; one more says how the file was opened. */
#define FREE_FLAGS     0x08
#define NO_FOLDER_FLAG 0x4000
#define DEPTH_MAX      32

static_assert(sizeof(struct format_page) == FORMAT_PAGE_HEADER, "LMDB's page header");
static_assert(sizeof(struct format_node) == 8, "LMDB's node header");
static_assert(sizeof(struct format_tree) == 48, "LMDB's MDB_db");
static_assert(sizeof(struct format_meta) == 136, "LMDB's MDB_meta");

static const char restore[] = "restore it from a backup";

static int read_at(int fd, const char *path, void *out, size_t size, uint64_t at,
		   struct cell_error *err)
{
	ssize_t n = pread(fd, out, size, (off_t)at);

	if (n < 0)
		return cell_fail(err, -errno, "reading '%s': %s", path, strerror(errno));
	if ((size_t)n < size)
		return cell_fail(err, CELL_DATA_LOSS,
				 "'%s' is cut short: it ends at byte %llu, inside its first "
				 "pages; %s",
				 path, (unsigned long long)at + (unsigned long long)n,
				 restore);
	return 0;
}

static bool tree_is_possible(const struct format_tree *tree, uint64_t last_page)
{
	if (tree->root == FORMAT_NO_PAGE)
		return tree->entries == 0 && tree->depth == 0;
	return tree->root > 1 && tree->root <= last_page && tree->depth > 0 &&
	       tree->depth <= DEPTH_MAX;
}

static bool page_is_possible(const struct format_meta *meta)
{
	size_t page = format_page_bytes(meta);

	return page >= FORMAT_PAGE_MIN && page <= FORMAT_PAGE_MAX && !(page & (page - 1));
}

static bool meta_is_possible(const struct format_meta *meta)
{
	return meta->last_page >= 1 &&
	       meta->last_page < INT64_MAX / format_page_bytes(meta) &&
	       (meta->free.flags & ~NO_FOLDER_FLAG) == FREE_FLAGS && meta->main.flags == 0 &&
	       tree_is_possible(&meta->free, meta->last_page) &&
	       tree_is_possible(&meta->main, meta->last_page);
}

static int damaged(const char *path, struct cell_error *err)
{
	return cell_fail(
		err, CELL_DATA_LOSS,
		"the first two pages of '%s', where its trees begin, are damaged; %s", path,
		restore);
}

static int read_meta(int fd, const char *path, uint64_t at, struct format_meta *ret_meta,
		     struct cell_error *err)
{
	unsigned char bytes[FORMAT_META_BYTES];
	struct format_page page;
	int r = read_at(fd, path, bytes, sizeof bytes, at, err);

	if (r < 0)
		return r;
	memcpy(&page, bytes, sizeof page);
	memcpy(ret_meta, bytes + sizeof page, sizeof *ret_meta);
	if (!(page.flags & FORMAT_META) || ret_meta->magic != MAGIC)
		return cell_fail(err, CELL_DATA_LOSS,
				 "'%s' is no store, or its start is damaged; %s", path,
				 restore);
	if (ret_meta->version != VERSION)
		return cell_fail(err, CELL_DATA_LOSS,
				 "'%s' has version %u of the format; this program knows "
				 "version %u",
				 path, ret_meta->version, VERSION);
	return 0;
}

/* Both, and that they are of one file; commit N is in page N % 2, before the first both are
 * alike. */
static int read_metas(int fd, const char *path, struct format_meta metas[static 2],
		      struct cell_error *err)
{
	const struct format_meta *newest;
	int r = read_meta(fd, path, 0, &metas[0], err);

	if (r < 0)
		return r;
	if (!page_is_possible(&metas[0]))
		return damaged(path, err);
	r = read_meta(fd, path, format_page_bytes(&metas[0]), &metas[1], err);
	if (r < 0)
		return r;
	newest = &metas[metas[0].commit < metas[1].commit];
	if (format_page_bytes(&metas[0]) != format_page_bytes(&metas[1]) ||
	    (newest->commit && newest != &metas[newest->commit % 2]))
		return damaged(path, err);
	return 0;
}

int format_read(int fd, const char *path, uint64_t commit, struct format_meta *ret_meta,
		uint64_t *ret_size, uint64_t *ret_missing, struct cell_error *err)
{
	struct format_meta metas[2] = { 0 };
	const struct format_meta *wanted;
	struct stat status;
	uint64_t counted;
	int r = read_metas(fd, path, metas, err);

	if (r < 0)
		return r;
	/*
	 * All but the number of the older one may be of a commit that failed, as LMDB takes
	 * back that alone; so it is looked at only by who knows that it was read.
	 */
	wanted = &metas[commit == FORMAT_NEWEST ? metas[0].commit < metas[1].commit
						: commit % 2];
	if (commit != FORMAT_NEWEST && wanted->commit != commit)
		return FORMAT_GONE;
	if (!meta_is_possible(wanted))
		return damaged(path, err);
	if (fstat(fd, &status) < 0)
		return cell_fail(err, -errno, "looking at '%s': %s", path, strerror(errno));

	counted = (wanted->last_page + 1) * format_page_bytes(wanted);
	*ret_size = (uint64_t)status.st_size;
	*ret_missing = counted > *ret_size ? counted - *ret_size : 0;
	*ret_meta = *wanted;
	return 0;
}
