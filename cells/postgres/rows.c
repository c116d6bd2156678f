/* Rows: from the wire to PostgreSQL and back. Pure. */
#include "postgres.h"

#include <cell/cell.h>
#include <cell/internal/table/row.h>
#include <string.h>

/* A key of a table that has encrypted columns; longer ones are refused. */
#define SEALED_KEY_MAX 2048

int rows_decode(struct cell_call *call, const struct view *view, const uint8_t *bytes, size_t len,
		struct value **ret_values)
{
	*ret_values = cell_arena_calloc(cell_arena(call), view->schema->n_columns + 1,
					sizeof **ret_values);
	if (!*ret_values)
		return cell_refuse(call, -ENOMEM, "a row of %s", view->schema->told->name);
	return row_decode(view->schema, bytes, len, *ret_values, cell_arena(call),
			  cell_error_slot(call));
}

int rows_encode(struct cell_call *call, const struct view *view, const struct value *values,
		const uint8_t **ret_bytes, size_t *ret_len)
{
	uint8_t *bytes = cell_arena_alloc(cell_arena(call), row_bound(view->schema, values));

	if (!bytes)
		return cell_refuse(call, -ENOMEM, "a row of %s", view->schema->told->name);
	*ret_bytes = bytes;
	*ret_len = (size_t)(row_encode(view->schema, values, bytes) - bytes);
	return 0;
}

/*
 * The difference to the last number that was seen has a sign: the server may be further than
 * we know. Rows that were written two thousand million transactions ago look younger, but the
 * same in each reading.
 */
uint64_t rows_version(const struct postgres *postgres, uint32_t xmin)
{
	uint64_t seen = pg_transaction_seen(postgres->pg);
	int32_t apart = (int32_t)(xmin - (uint32_t)seen);

	if (apart < 0 && (uint64_t)-(int64_t)apart >= seen)
		return xmin;
	return seen + (uint64_t)(int64_t)apart;
}

/* ---- encrypted columns ------------------------------------------------------------------------- */

static bool has_encrypted(const struct view *view)
{
	for (size_t i = 0; i < view->schema->n_columns; i++)
		if (view->columns[i].told->encrypted)
			return true;
	return false;
}

/* Where values of the row with these VALUES belong. */
static int place_of(struct cell_call *call, const struct view *view, const struct value *values,
		    struct seal_place *ret)
{
	const struct schema_key *key = &view->schema->keys[0];
	uint8_t *bytes = cell_arena_alloc(cell_arena(call), SEALED_KEY_MAX);

	if (!bytes)
		return cell_refuse(call, -ENOMEM, "a key of %s", view->schema->told->name);
	*ret = (struct seal_place){ .store = view->schema->told->store,
				    .table = view->schema->told->name, .key = bytes };
	return row_key(view->schema, key, values, key->n, false, bytes, SEALED_KEY_MAX, &ret->key_len,
		       cell_error_slot(call));
}

static const struct table_column sealed_column = {
	.name = "", .type = TABLE_COLUMN_TYPE_BYTES, .fallback = "", .computed = "", .native = "",
	.renamed_from = "",
};

static int unseal(struct cell_call *call, const struct postgres *postgres, const struct view *view,
		  struct value *values)
{
	struct seal_place place;
	int r = place_of(call, view, values, &place);

	for (size_t i = 0; !r && i < view->schema->n_columns; i++) {
		const struct table_column *told = view->columns[i].told;

		place.column = told->number;
		if (told->encrypted && values[i].kind == VALUE_BYTES)
			r = unseal_value(postgres->seal, &place, told, &values[i], &values[i],
					 cell_arena(call), cell_error_slot(call));
	}
	return r;
}

int rows_for_log(struct cell_call *call, const struct postgres *postgres, const struct view *view,
		 const struct value *values, const uint8_t **ret_bytes, size_t *ret_len)
{
	int r = rows_encode(call, view, values, ret_bytes, ret_len);
	struct seal_place place = { .store = view->schema->told->store,
				    .table = view->schema->told->name };
	struct value row, sealed;

	if (r || !has_encrypted(view))
		return r;
	row = (struct value){ .kind = VALUE_BYTES, { .bytes = *ret_bytes, .len = *ret_len } };
	r = seal_value(postgres->seal, &place, &sealed_column, &row, &sealed, cell_arena(call),
		       cell_error_slot(call));
	*ret_bytes = sealed.bytes;
	*ret_len = sealed.len;
	return r;
}

int rows_from_log(struct cell_call *call, const struct postgres *postgres, const struct view *view,
		  const uint8_t *bytes, size_t len, const uint8_t **ret_bytes, size_t *ret_len)
{
	const struct seal_place place = { .store = view->schema->told->store,
					  .table = view->schema->told->name };
	const struct value sealed = { .kind = VALUE_BYTES, { .bytes = bytes, .len = len } };
	struct value row = sealed;
	int r = 0;

	if (len && has_encrypted(view))
		r = unseal_value(postgres->seal, &place, &sealed_column, &sealed, &row,
				 cell_arena(call), cell_error_slot(call));
	*ret_bytes = row.bytes;
	*ret_len = row.len;
	return r;
}

/* ---- from results ---------------------------------------------------------------------------------- */

int rows_values(struct cell_call *call, const struct postgres *postgres, const struct view *view,
		const struct pg_result *result, size_t row, size_t first, struct value **ret_values)
{
	static const struct type bytea = { .oid = 17, .codec = TYPE_BYTEA, .name = "bytea" };
	size_t n = view->schema->n_columns;
	struct value *values = cell_arena_calloc(cell_arena(call), n + 1, sizeof *values);
	int r = 0;

	if (!values)
		return cell_refuse(call, -ENOMEM, "a row of %s", view->schema->told->name);
	for (size_t i = 0; !r && i < n; i++) {
		const struct view_column *column = &view->columns[i];
		bool is_sealed = column->told->encrypted;
		size_t len = 0;
		const uint8_t *bytes = pg_cell(result, row, first + i, &len);

		r = type_decode(&values[i], is_sealed ? &bytea : &column->type,
				is_sealed ? &sealed_column : column->told, bytes, len,
				cell_arena(call), cell_error_slot(call));
	}
	if (!r && has_encrypted(view))
		r = unseal(call, postgres, view, values);
	*ret_values = values;
	return r;
}

/* ---- to parameters --------------------------------------------------------------------------------- */

static int parameter(struct cell_call *call, const struct postgres *postgres, const struct view *view,
		     size_t i, const struct value *values, struct seal_place *place,
		     struct pg_value *out)
{
	const struct view_column *column = &view->columns[i];
	const struct table_column *told = column->told;
	struct value sealed;
	int r;

	if (!told->encrypted || values[i].kind == VALUE_NULL)
		return type_encode(out, &column->type, told, &values[i], cell_arena(call),
				   cell_error_slot(call));
	place->column = told->number;
	r = seal_value(postgres->seal, place, told, &values[i], &sealed, cell_arena(call),
		       cell_error_slot(call));
	return r ? r
		 : type_encode(out, &column->type, &sealed_column, &sealed, cell_arena(call),
			       cell_error_slot(call));
}

int rows_parameters(struct cell_call *call, const struct postgres *postgres,
		    const struct view *view, const struct value *values,
		    struct pg_value **ret_parameters, size_t *ret_n)
{
	size_t n_columns = view->schema->n_columns, n = 0;
	struct pg_value *out = cell_arena_calloc(cell_arena(call), n_columns + 1, sizeof *out);
	struct seal_place place = { .column = 0 };
	int r = out ? 0 : cell_refuse(call, -ENOMEM, "a row of %s", view->schema->told->name);

	if (!r && has_encrypted(view))
		r = place_of(call, view, values, &place);
	for (size_t i = 0; !r && i < n_columns; i++)
		if (!view->columns[i].is_generated)
			r = parameter(call, postgres, view, i, values, &place, &out[n++]);
	*ret_parameters = out;
	*ret_n = n;
	return r;
}

int rows_key(struct cell_call *call, const struct view *view, const struct schema_key *key,
	     const struct value *values, size_t n, struct pg_value *out)
{
	int r = 0;

	for (size_t i = 0; !r && i < n; i++) {
		const struct view_column *column = &view->columns[key->columns[i]];

		r = type_encode(&out[i], &column->type, column->told, &values[key->columns[i]],
				cell_arena(call), cell_error_slot(call));
	}
	return r;
}
