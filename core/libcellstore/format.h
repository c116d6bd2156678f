/*
 * The data file of LMDB 0.9, data version 1, as bytes: what its first two pages say, checked
 * without trusting any of it. LMDB itself looks at magic and version alone, and then maps the
 * file: what lies behind its end is a SIGBUS.
 *
 * Numbers are the machine's own, as LMDB writes them: 64 bits, in its byte order.
 */
#pragma once

#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORMAT_PAGE_HEADER 16
#define FORMAT_PAGE_MIN    512
#define FORMAT_PAGE_MAX    65536
/* Bytes at the start of a page that format_meta_parse() wants. */
#define FORMAT_META_BYTES (FORMAT_PAGE_HEADER + sizeof(struct format_meta))
#define FORMAT_NO_PAGE    UINT64_MAX

enum format_page_flags {
	FORMAT_BRANCH = 0x01,
	FORMAT_LEAF = 0x02,
	FORMAT_OVERFLOW = 0x04,
	FORMAT_META = 0x08,
	FORMAT_DIRTY = 0x10 /* in memory only */
};

struct format_page {
	uint64_t number;
	uint16_t pad;
	uint16_t flags;
	union {
		struct {
			uint16_t lower; /* end of the offsets that follow the header */
			uint16_t upper; /* start of the nodes */
		};
		uint32_t pages; /* of an overflow page: how many belong together */
	};
};

/* Flags of a node; all others are of databases that a store does not have. */
#define FORMAT_NODE_BIG 0x01 /* its value is on overflow pages */

struct format_node {
	uint16_t low,
		high; /* bytes of the value; of a branch with FLAGS the child's number */
	uint16_t flags;
	uint16_t key_len;
};

struct format_tree {
	uint32_t pad; /* of the first tree: the page size */
	uint16_t flags;
	uint16_t depth;
	uint64_t branch_pages, leaf_pages, overflow_pages;
	uint64_t entries;
	uint64_t root; /* FORMAT_NO_PAGE = it is empty */
};

struct format_meta {
	uint32_t magic, version;
	uint64_t address;
	uint64_t map_bytes;
	struct format_tree free; /* of pages: commit → their numbers, how many first */
	struct format_tree main;
	uint64_t last_page;
	uint64_t commit;
};

#define FORMAT_NEWEST UINT64_MAX

enum format_outcome {
	FORMAT_GONE = 1 /* none of the two metas is of that commit, any more */
};

/*
 * Read both metas of the data file open as FD, whose PATH is for texts, and take that of
 * COMMIT, or the newest. *ret_size is the file's; *ret_missing, how many bytes it has less
 * than that meta counts pages: which is allowed if those pages are free.
 *
 * Returns 0, FORMAT_GONE, CELL_DATA_LOSS, or -errno.
 */
int format_read(int fd, const char *path, uint64_t commit, struct format_meta *ret_meta,
		uint64_t *ret_size, uint64_t *ret_missing, struct cell_error *err);

static inline size_t format_page_bytes(const struct format_meta *meta)
{
	return meta->free.pad;
}
