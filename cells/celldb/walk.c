#include "walk.h"

#include <cell/cell.h>

int walk_open(struct walk *walk, struct cell_store_txn *txn, const struct range *range,
	      bool backwards, struct cell_error *err)
{
	*walk = (struct walk){ .range = range, .backwards = backwards };
	return cell_store_cursor_open(txn, &walk->cursor, err);
}

void walk_close(struct walk *walk)
{
	cell_store_cursor_close(&walk->cursor);
}

static int step(struct walk *walk, struct cell_store_bytes *key, struct cell_store_bytes *value,
		struct cell_error *err)
{
	struct layout_key from;

	if (walk->has_begun)
		return cell_store_next(&walk->cursor, walk->backwards, key, value, err);
	walk->has_begun = true;
	from = walk->backwards ? walk->range->high : walk->range->low;
	if (walk->backwards)
		layout_fill(&from);
	return cell_store_seek(&walk->cursor, layout_bytes(&from), walk->backwards, key, value, err);
}

int walk_next(struct walk *walk, const struct view *view, struct walk_row *ret,
	      struct cell_error *err)
{
	struct cell_store_bytes key, value;
	int r = step(walk, &key, &value, err);

	if (r)
		return r;
	if (range_is_past(walk->range, walk->backwards, key))
		return CELL_STORE_ABSENT;
	if (!ret)
		return 0;
	if (walk->range->index == 0) {
		ret->key = (struct cell_store_bytes){ (const uint8_t *)key.at + LAYOUT_ROWS_SIZE,
						      key.len - LAYOUT_ROWS_SIZE };
		return rows_split(value, &ret->row, err);
	}
	ret->key = value;
	r = rows_get(view, walk->range->table, value, &ret->row, err);
	if (r == CELL_STORE_ABSENT)
		return cell_fail(err, CELL_DATA_LOSS, "%s: an index has a row that is not there",
				 walk->range->table->name);
	return r;
}
