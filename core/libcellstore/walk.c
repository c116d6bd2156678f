#include "walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"

/* One of the two trees of the file, and what is special about it. */
struct walk_tree {
	const char *name;
	const struct format_tree *root;
	unsigned
		branch_keys_min; /* LMDB leaves one key in a branch of the free pages' tree */
	size_t key_min, key_max;
	int (*compare)(struct cell_store_bytes a, struct cell_store_bytes b);
	int (*on_entry)(struct walk *walk, uint64_t page, struct cell_store_bytes key,
			struct cell_store_bytes value, struct cell_error *err);
};

static int damaged(struct walk *walk, uint64_t page, const char *what, struct cell_error *err)
{
	return cell_fail(err, CELL_DATA_LOSS,
			 "page %llu of '%s' is damaged: %s; restore it from a backup",
			 (unsigned long long)page, walk->path, what);
}

static size_t page_bytes(const struct walk *walk)
{
	return format_page_bytes(&walk->meta);
}

static bool is_used(const struct walk *walk, uint64_t page)
{
	return walk->used[page / 64] >> (page % 64) & 1;
}

/* Page is somebody's now; says no if it is somebody's already, or there is no such page. */
static int use(struct walk *walk, uint64_t from, uint64_t page, struct cell_error *err)
{
	if (page < 2 || page > walk->meta.last_page)
		return damaged(walk, from, "it names a page that there is not", err);
	if (is_used(walk, page))
		return damaged(walk, from, "it names a page that something else uses", err);
	walk->used[page / 64] |= UINT64_C(1) << (page % 64);
	return 0;
}

/* The bytes of N pages from PAGE on, marked as used; FROM is who names them. */
static int take(struct walk *walk, uint64_t from, uint64_t page, uint64_t n,
		const unsigned char **ret_bytes, struct cell_error *err)
{
	int r = 0;

	if (n > walk->meta.last_page)
		return damaged(walk, from, "it names more pages than there are", err);
	for (uint64_t i = 0; r == 0 && i < n; i++)
		r = use(walk, from, page + i, err);
	if (r < 0)
		return r;
	if ((page + n) * page_bytes(walk) > walk->size)
		return cell_fail(err, CELL_DATA_LOSS,
				 "'%s' is cut short: page %llu is behind its end; restore it "
				 "from a backup",
				 walk->path, (unsigned long long)page);
	*ret_bytes = walk->file + page * page_bytes(walk);
	walk->pages += n;
	return walk->on_page && !walk->on_page(walk) ? WALK_STOPPED : 0;
}

static int compare_bytes(struct cell_store_bytes a, struct cell_store_bytes b)
{
	int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static uint64_t number_at(const void *at)
{
	uint64_t number;

	memcpy(&number, at, sizeof number);
	return number;
}

static int compare_numbers(struct cell_store_bytes a, struct cell_store_bytes b)
{
	uint64_t x = number_at(a.at), y = number_at(b.at);

	return (x > y) - (x < y);
}

/*
 * KEY is one that can be and comes behind those before; a branch's key may come again as the
 * first of its child.
 */
static int check_key(struct walk *walk, uint64_t page, struct cell_store_bytes key,
		     bool is_floor, struct cell_error *err)
{
	int order = 1;

	if (key.len < walk->tree->key_min || key.len > walk->tree->key_max)
		return damaged(walk, page, "a key has an impossible length", err);
	if (walk->last.at)
		order = walk->tree->compare(key, walk->last);
	if (order < 0 || (order == 0 && !walk->last_is_floor))
		return damaged(walk, page, "its keys are not in order", err);
	walk->last = key;
	walk->last_is_floor = is_floor;
	return 0;
}

/* Node I of the page: its header, its key, and the rest of the page. */
static int read_node(struct walk *walk, uint64_t page, const unsigned char *bytes, size_t i,
		     struct format_node *ret_node, struct cell_store_bytes *ret_key,
		     struct cell_store_bytes *ret_rest, struct cell_error *err)
{
	struct format_page header;
	size_t room;
	uint16_t at;

	memcpy(&header, bytes, sizeof header);
	memcpy(&at, bytes + sizeof header + i * sizeof at, sizeof at);
	if (at % 2 || at < header.upper || at + sizeof *ret_node > page_bytes(walk))
		return damaged(walk, page, "an entry lies outside of it", err);
	memcpy(ret_node, bytes + at, sizeof *ret_node);
	room = page_bytes(walk) - at - sizeof *ret_node;
	if (ret_node->key_len > room)
		return damaged(walk, page, "a key lies outside of it", err);
	bytes += at + sizeof *ret_node;
	*ret_key = (struct cell_store_bytes){ bytes, ret_node->key_len };
	*ret_rest = (struct cell_store_bytes){ bytes + ret_node->key_len,
					       room - ret_node->key_len };
	return 0;
}

/* A value on pages of its own, of which PAGE names the first. */
static int read_long(struct walk *walk, uint64_t page, uint64_t first, size_t len,
		     struct cell_store_bytes *ret_value, struct cell_error *err)
{
	uint64_t n = (FORMAT_PAGE_HEADER - 1 + (uint64_t)len) / page_bytes(walk) + 1;
	const unsigned char *bytes = NULL;
	struct format_page header;
	int r = take(walk, page, first, n, &bytes, err);

	if (r)
		return r;
	memcpy(&header, bytes, sizeof header);
	if (header.number != first || header.flags != FORMAT_OVERFLOW || header.pages != n)
		return damaged(walk, first, "it should begin a long value, and does not",
			       err);
	*ret_value = (struct cell_store_bytes){ bytes + FORMAT_PAGE_HEADER, len };
	return 0;
}

/* The value of a leaf's node; REST of the page is behind its key. */
static int read_value(struct walk *walk, uint64_t page, const struct format_node *node,
		      struct cell_store_bytes rest, struct cell_store_bytes *ret_value,
		      struct cell_error *err)
{
	size_t len = node->low | (size_t)node->high << 16;
	bool is_long = node->flags & FORMAT_NODE_BIG;

	if (node->flags & ~FORMAT_NODE_BIG)
		return damaged(walk, page, "an entry is of no kind that a store has", err);
	if ((is_long ? sizeof(uint64_t) : len) > rest.len)
		return damaged(walk, page, "a value lies outside of it", err);
	if (is_long)
		return read_long(walk, page, number_at(rest.at), len, ret_value, err);
	*ret_value = (struct cell_store_bytes){ rest.at, len };
	return 0;
}

static int walk_leaf(struct walk *walk, uint64_t page, const unsigned char *bytes, size_t n,
		     struct cell_error *err)
{
	struct cell_store_bytes key, rest, value = { 0 };
	struct format_node node;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = read_node(walk, page, bytes, i, &node, &key, &rest, err);
		if (r == 0)
			r = check_key(walk, page, key, false, err);
		if (r == 0)
			r = read_value(walk, page, &node, rest, &value, err);
		if (r == 0)
			r = walk->tree->on_entry(walk, page, key, value, err);
		walk->tree_entries += r == 0;
	}
	return r;
}

static int walk_page(struct walk *walk, uint64_t from, uint64_t page, unsigned level,
		     struct cell_error *err);

static int walk_branch(struct walk *walk, uint64_t page, const unsigned char *bytes, size_t n,
		       unsigned level, struct cell_error *err)
{
	struct cell_store_bytes key, rest;
	struct format_node node;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = read_node(walk, page, bytes, i, &node, &key, &rest, err);
		/* The key of the first is never looked at. */
		if (r == 0 && i > 0)
			r = check_key(walk, page, key, true, err);
		if (r == 0)
			r = walk_page(walk, page,
				      node.low | (uint64_t)node.high << 16 |
					      (uint64_t)node.flags << 32,
				      level + 1, err);
	}
	return r;
}

/* LEVEL 1 is the root; the tree is as deep at each of its leaves, so this ends. */
static int walk_page(struct walk *walk, uint64_t from, uint64_t page, unsigned level,
		     struct cell_error *err)
{
	bool is_leaf = level == walk->tree->root->depth;
	struct format_page header;
	const unsigned char *bytes;
	size_t n;
	int r = take(walk, from, page, 1, &bytes, err);

	if (r)
		return r;
	memcpy(&header, bytes, sizeof header);
	if (header.number != page)
		return damaged(walk, page, "it says that it is another", err);
	if (header.flags != (is_leaf ? FORMAT_LEAF : FORMAT_BRANCH))
		return damaged(walk, page, "it is of the wrong kind", err);
	if (header.lower < sizeof header || header.lower % 2 || header.lower > header.upper ||
	    header.upper > page_bytes(walk))
		return damaged(walk, page, "its bounds are impossible", err);
	n = (header.lower - sizeof header) / sizeof(uint16_t);
	if (n < (is_leaf ? 1 : walk->tree->branch_keys_min))
		return damaged(walk, page, "it has too few entries", err);
	return is_leaf ? walk_leaf(walk, page, bytes, n, err)
		       : walk_branch(walk, page, bytes, n, level, err);
}

/* A list of pages that are free: how many, then their numbers, falling. */
static int on_free_entry(struct walk *walk, uint64_t page, struct cell_store_bytes key,
			 struct cell_store_bytes value, struct cell_error *err)
{
	uint64_t n, number, last = UINT64_MAX;
	int r = 0;

	(void)key;
	n = value.len < sizeof n ? 0 : number_at(value.at);
	if (value.len < sizeof n || n > value.len / sizeof n - 1)
		return damaged(walk, page, "a list of free pages is longer than its place",
			       err);
	for (uint64_t i = 1; r == 0 && i <= n; i++, last = number) {
		number = number_at((const unsigned char *)value.at + i * sizeof n);
		if (number >= last)
			return damaged(walk, page, "a list of free pages is not in order",
				       err);
		r = use(walk, page, number, err);
	}
	return r;
}

static int on_map_entry(struct walk *walk, uint64_t page, struct cell_store_bytes key,
			struct cell_store_bytes value, struct cell_error *err)
{
	struct cell_store_bytes taken;

	if (!checksum_take(key, value, &taken))
		return damaged(walk, page, "a value has another checksum", err);
	walk->entries++;
	return 0;
}

static int walk_tree(struct walk *walk, const struct walk_tree *tree, struct cell_error *err)
{
	int r = 0;

	walk->tree = tree;
	walk->last = (struct cell_store_bytes){ 0 };
	walk->tree_entries = 0;
	if (tree->root->root != FORMAT_NO_PAGE)
		r = walk_page(walk, walk->meta.commit % 2, tree->root->root, 1, err);
	if (r == 0 && walk->tree_entries != tree->root->entries)
		return cell_fail(
			err, CELL_DATA_LOSS,
			"'%s' is damaged: the tree of %s has %llu entries, and should "
			"have %llu; restore it from a backup",
			walk->path, tree->name, (unsigned long long)walk->tree_entries,
			(unsigned long long)tree->root->entries);
	return r;
}

/* Pages behind the end of the file were never written, which is right if they are free. */
static int check_end(struct walk *walk, struct cell_error *err)
{
	for (uint64_t page = walk->size / page_bytes(walk); page <= walk->meta.last_page;
	     page++)
		if (!is_used(walk, page))
			return cell_fail(
				err, CELL_DATA_LOSS,
				"'%s' is cut short: it has %llu bytes of %llu; restore "
				"it from a backup",
				walk->path, (unsigned long long)walk->size,
				(unsigned long long)(walk->meta.last_page + 1) *
					page_bytes(walk));
	return 0;
}

int walk_file(struct walk *walk, struct cell_error *err)
{
	struct walk_tree free_tree = { "free pages",     &walk->meta.free, 1,
				       sizeof(uint64_t), sizeof(uint64_t), compare_numbers,
				       on_free_entry };
	struct walk_tree map_tree = { "the map",          &walk->meta.main, 2,           1,
				      CELL_STORE_KEY_MAX, compare_bytes,    on_map_entry };
	int r;

	walk->used = calloc(walk->meta.last_page / 64 + 1, sizeof *walk->used);
	if (!walk->used)
		return cell_fail(err, -ENOMEM, "walking '%s'", walk->path);
	r = walk_tree(walk, &free_tree, err);
	if (r == 0)
		r = check_end(walk, err);
	if (r == 0)
		r = walk_tree(walk, &map_tree, err);
	free(walk->used);
	walk->used = NULL;
	return r;
}
