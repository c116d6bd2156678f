#include "range.h"

#include <cell/cell.h>
#include <string.h>

int range_index(const struct catalog_version *version, uint32_t index, size_t *ret,
		struct cell_error *err)
{
	if (index >= version->n_indexes)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "%s has no index %u",
				 version->table->name, index);
	if (version->indexes[index] == UINT16_MAX)
		return cell_fail(err, CELL_FAILED_PRECONDITION,
				 "%s: the index was dropped since the program was built",
				 version->table->name);
	*ret = version->indexes[index];
	return 0;
}

/* Put behind KEY what the row BYTES gives of the index's first columns. */
static int bound(struct range *range, struct layout_key *key, const uint8_t *bytes, size_t len,
		 bool as_prefix, struct cell_arena *arena, struct cell_error *err)
{
	const struct catalog_table *table = range->table;
	const struct schema_key *columns = &table->indexes[range->index].key;
	struct value *values;
	size_t n, written;
	int r;

	if (!len)
		return 0;
	values = rows_values(table, arena);
	if (!values)
		return cell_fail(err, -ENOMEM, "no memory for a key");
	r = row_decode(table->schema, bytes, len, values, arena, err);
	if (r < 0)
		return r;
	n = row_key_given(columns, values);
	if (n == 0)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "%s: what a scan begins or ends with is not in its index",
				 table->name);
	r = row_key(table->schema, columns, values, n, as_prefix, key->bytes + key->len,
		    sizeof key->bytes - key->len, &written, err);
	if (r == 0)
		key->len += written;
	return r;
}

int range_of(struct range *ret, const struct catalog_version *version,
	     const struct table_scan_request *scan, struct cell_arena *arena,
	     struct cell_error *err)
{
	const struct catalog_table *table = version->table;
	struct range *range = ret;
	int r;

	range->table = table;
	range->where = NULL;
	r = range_index(version, scan->index, &range->index, err);
	if (r < 0)
		return r;
	if (range->index == 0)
		layout_rows(&range->low, table->id);
	else
		layout_index(&range->low, table->id, table->indexes[range->index].id);
	range->high = range->low;
	r = bound(range, &range->low, scan->from, scan->n_from, scan->prefix, arena, err);
	if (r == 0 && scan->prefix)
		range->high = range->low;
	else if (r == 0)
		r = bound(range, &range->high, scan->to, scan->n_to, false, arena, err);
	if (r == 0 && *scan->where) {
		r = expression_parse(&range->where, scan->where, table->schema->told->columns,
				     table->schema->n_columns, arena, NULL, err);
		if (r == 0 && expression_kind(range->where) != VALUE_BOOL &&
		    expression_kind(range->where) != VALUE_NULL)
			r = cell_fail(err, CELL_INVALID_ARGUMENT, "'%s' is no condition",
				      scan->where);
	}
	return r < 0 ? cell_wrap(err, r, "scan of '%s'", table->name) : 0;
}

static bool is_before(const struct layout_key *low, struct cell_store_bytes key)
{
	size_t n = key.len < low->len ? key.len : low->len;
	int order = memcmp(key.at, low->bytes, n);

	return order < 0 || (order == 0 && key.len < low->len);
}

static bool is_behind(const struct layout_key *high, struct cell_store_bytes key)
{
	size_t n = key.len < high->len ? key.len : high->len;

	return memcmp(key.at, high->bytes, n) > 0;
}

bool range_has_key(const struct range *range, struct cell_store_bytes key)
{
	return !is_before(&range->low, key) && !is_behind(&range->high, key);
}

bool range_is_past(const struct range *range, bool backwards, struct cell_store_bytes key)
{
	return backwards ? is_before(&range->low, key) : is_behind(&range->high, key);
}

int range_matches(const struct range *range, const struct value *values, struct cell_arena *arena,
		  bool *ret, struct cell_error *err)
{
	struct value value;
	int r;

	*ret = true;
	if (!range->where)
		return 0;
	r = expression_value(range->where, values, &value, arena, err);
	if (r == 0)
		*ret = value.kind == VALUE_BOOL && value.boolean;
	return r;
}

int range_has(const struct range *range, const struct value *values, struct cell_store_bytes key,
	      struct cell_arena *arena, bool *ret, struct cell_error *err)
{
	struct layout_key place;
	int r = 0;

	if (range->index == 0)
		rows_place(range->table, key, &place);
	else
		r = rows_index_key(range->table, range->index, values, key, &place, err);
	if (r < 0)
		return r;
	*ret = range_has_key(range, layout_bytes(&place));
	return *ret ? range_matches(range, values, arena, ret, err) : 0;
}
