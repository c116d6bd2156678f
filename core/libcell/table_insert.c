#include "table_column.h"
#include "tables.h"

#include <cell/cell.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Inserting: what a new row gets that its struct lacks. */

/* Serial numbers are taken so many at a time when they are wanted often. */
#define SERIAL_BATCH_MAX 32u

/* --- defaults ------------------------------------------------------------------------------
 */

/* Whether an inserted row lacks COLUMN. */
static bool is_lacking(const struct cell_column *column, const void *row)
{
	if (column->has_offset != UINT32_MAX)
		return column_is_null(column, row);
	if (column->count_offset != UINT32_MAX)
		return column_count(column, row) == 0;
	if (column->kind == CELL_COLUMN_TEXT)
		return !column_pointer(column, row) ||
		       !*(const char *)column_pointer(column, row);
	return cell_bytes_are_zero(column_member(column, row), column->size);
}

/* RFC 9562, version 4. */
static int uuid_make(uint8_t *to, struct cell_error *err)
{
	if (getrandom(to, 16, 0) != 16)
		return cell_fail(err, -errno, "a random number");
	to[6] = (to[6] & 0x0f) | 0x40;
	to[8] = (to[8] & 0x3f) | 0x80;
	return 0;
}

static int column_complete(const struct cell_column *column, void *row,
			   struct cell_error *err)
{
	void *to = column_member_of(column, row);
	int r = 0;

	if (column->fallback && column->kind == CELL_COLUMN_BYTES) {
		const struct cell_bytes *bytes = column->fallback;

		*column_count_in(column, row) = bytes->len;
		memcpy(to, &bytes->at, sizeof bytes->at);
	} else if (column->fallback) {
		memcpy(to, column->fallback, column->size);
	} else if (column->flags & CELL_COLUMN_NOW) {
		struct timespec now;

		(void)clock_gettime(CLOCK_REALTIME, &now);
		*(int64_t *)to = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	} else if (column->flags & CELL_COLUMN_UUID && column->size == 16) {
		r = uuid_make(to, err);
	} else {
		return 0;
	}
	if (r == 0 && column->has_offset != UINT32_MAX)
		*(bool *)((uint8_t *)row + column->has_offset) = true;
	return r;
}

static int complete_row(const struct cell_table *table, void *row, struct cell_error *err)
{
	int r = 0;

	for (size_t i = 0; i < table->n_columns && r == 0; i++)
		if (!(table->columns[i].flags & CELL_COLUMN_COMPUTED) &&
		    is_lacking(&table->columns[i], row))
			r = column_complete(&table->columns[i], row, err);
	return r;
}

/* --- serial numbers
 * --------------------------------------------------------------------------- */

static struct serial *serial_get(struct cell_call *call, const struct cell_table *table,
				 const struct cell_column *column)
{
	struct tables *all = call->root->rt->tables;
	struct serial *serial;

	for (serial = all->serials; serial; serial = serial->next)
		if (serial->table == table && serial->column == column)
			return serial;
	serial = calloc(1, sizeof *serial);
	if (!serial) {
		(void)cell_refuse(call, -ENOMEM, "numbers of %s.%s", table->name,
				  column->name);
		return NULL;
	}
	*serial = (struct serial){
		.next = all->serials, .table = table, .column = column, .batch = 1
	};
	all->serials = serial;
	return serial;
}

static int serial_next(struct cell_call *call, const struct cell_table *table,
		       const struct cell_column *column, int64_t *ret)
{
	struct table_table_ref ref = table_ref_of(table);
	struct table_next_request request = { .table = &ref, .column = column->number };
	/* Asked again it gives other numbers: that is no harm, also in a transaction. */
	struct cell_method method = table_tables_methods[TABLES_NEXT];
	struct serial *serial;
	struct table_next_reply reply;
	int r;

	if (!call_tables_get(call))
		return -ENOMEM;
	serial = serial_get(call, table, column);
	if (!serial)
		return -ENOMEM;
	if (!serial->left) {
		request.n = serial->batch;
		method.flags |= CELL_METHOD_IDEMPOTENT;
		r = tables_invoke(call, table->ref, &method, &request, &reply);
		if (r < 0)
			return r;
		/* Another handler may have been faster: what it did not use is lost, not
		 * shared. */
		serial->at = reply.first;
		serial->left = request.n;
		if (serial->batch < SERIAL_BATCH_MAX)
			serial->batch *= 2;
	}
	serial->left--;
	*ret = serial->at++;
	return 0;
}

static bool number_is_zero(const struct cell_column *column, const void *row)
{
	const uint8_t *at = (const uint8_t *)row + column->offset;

	return cell_bytes_are_zero(at, column->size);
}

static int number_row(struct cell_call *call, const struct cell_table *table, void *row)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		const struct cell_column *column = &table->columns[i];
		int64_t number;
		int r;

		if (!(column->flags & CELL_COLUMN_SERIAL) || !number_is_zero(column, row))
			continue;
		r = serial_next(call, table, column, &number);
		if (r < 0)
			return r;
		if (column->size == 4 && (number < INT32_MIN || number > INT32_MAX))
			return cell_refuse(call, CELL_OUT_OF_RANGE,
					   "%s.%s: the number %" PRId64 " does not fit",
					   table->name, column->name, number);
		if (column->size == 4)
			memcpy((uint8_t *)row + column->offset, &(int32_t){ (int32_t)number },
			       4);
		else
			memcpy((uint8_t *)row + column->offset, &number, sizeof number);
		if (column->has_offset != UINT32_MAX)
			*(bool *)((uint8_t *)row + column->has_offset) = true;
	}
	return 0;
}

static bool has_computed(const struct cell_table *table)
{
	for (size_t i = 0; i < table->n_columns; i++)
		if (table->columns[i].flags & CELL_COLUMN_COMPUTED)
			return true;
	return false;
}

int cell_table_insert(struct cell_call *call, const struct cell_table *table, void *row)
{
	int r = number_row(call, table, row);

	if (r == 0)
		r = complete_row(table, row, &call->root->error);
	if (r < 0)
		return r;
	if (call_has_txn(call))
		return table_txn_write(call, table, TABLE_WRITE_KIND_INSERT, row);
	return has_computed(table)
		       ? table_insert_now(call, table, row)
		       : table_write_now(call, table, TABLE_WRITE_KIND_INSERT, row);
}
