/*
 * The lock has "column NAME" = "N" for each column, and "reserved N" = "NAME" for those that
 * are gone. A live table knows better than the lock: others may have made columns in it.
 */
#include "number.h"

#include "../libcell/macro_work.h"

#include <assert.h>
#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 536870911u /* of fields in protobuf */

struct numbering {
	struct read *read;
	const struct table_table *live; /* NULL = there is none yet */
	const struct macro_kept *kept;  /* of the lock */
	size_t n_kept;
};

static const char *after(const char *key, const char *word)
{
	size_t len = strlen(word);

	return strncmp(key, word, len) == 0 ? key + len : NULL;
}

static uint32_t number_of(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	return *end || end == text || number > NUMBER_MAX ? 0 : (uint32_t)number;
}

/* --- the lock ------------------------------------------------------------------------ */

static void kept_find(struct numbering *n)
{
	const struct macro_plan_request *request = cell_macro_request(n->read->work);

	for (size_t i = 0; i < request->n_kept; i++)
		if (strcmp(request->kept[i].ns, n->read->provider->ns) == 0) {
			n->kept = request->kept[i].kept;
			n->n_kept = request->kept[i].n_kept;
			return;
		}
}

static uint32_t kept_number(const struct numbering *n, const char *column)
{
	for (size_t i = 0; *column && i < n->n_kept; i++) {
		const char *name = after(n->kept[i].key, "column ");

		if (name && strcmp(name, column) == 0)
			return number_of(n->kept[i].value);
	}
	return 0;
}

/* The number and name of entry I, whichever kind it is of; 0 if it is neither. */
static uint32_t kept_entry(const struct numbering *n, size_t i, const char **ret_name)
{
	const char *name = after(n->kept[i].key, "column ");
	const char *number = after(n->kept[i].key, "reserved ");

	*ret_name = name ? name : n->kept[i].value;
	return name ? number_of(n->kept[i].value) : number ? number_of(number) : 0;
}

/* Two branches may have been merged. */
static int kept_check(const struct numbering *n)
{
	struct read *read = n->read;
	const char *ns = read->provider->ns;

	for (size_t i = 0; i < n->n_kept; i++) {
		const char *name, *other;
		uint32_t number = kept_entry(n, i, &name);

		if (!number)
			return READ_REFUSE(
				read, read->mine, NULL,
				"'%s = %s' in .cell/%s.schema.lock is no column number",
				n->kept[i].key, n->kept[i].value, ns);
		for (size_t j = 0; j < i; j++) {
			if (kept_entry(n, j, &other) == number && strcmp(other, name) != 0)
				(void)READ_REFUSE(
					read, read->mine, NULL,
					"%s.%s: both column %u ('%s', '%s') in .cell/%s.schema.lock",
					read->name, other, number, other, name, ns);
			else if (strcmp(n->kept[i].key, n->kept[j].key) == 0)
				(void)READ_REFUSE(
					read, read->mine, NULL,
					"%s.%s: both column %s and column %s in .cell/%s.schema.lock",
					read->name, name, n->kept[j].value, n->kept[i].value,
					ns);
			else
				continue;
			cell_macro_note(
				read->work,
				"keep the one already deployed, delete the other line");
			return CELL_INVALID_ARGUMENT;
		}
	}
	return 0;
}

/* --- numbers ------------------------------------------------------------------------- */

static uint32_t live_number(const struct numbering *n, const char *column)
{
	for (size_t i = 0; n->live && *column && i < n->live->n_columns; i++)
		if (strcmp(n->live->columns[i].name, column) == 0)
			return n->live->columns[i].number;
	return 0;
}

static bool is_given(const struct numbering *n, uint32_t number)
{
	for (size_t i = 0; i < n->read->n_columns; i++)
		if (n->read->columns[i].column.number == number)
			return true;
	return false;
}

static bool is_live(const struct numbering *n, uint32_t number)
{
	for (size_t i = 0; n->live && i < n->live->n_columns; i++)
		if (n->live->columns[i].number == number)
			return true;
	return false;
}

static bool is_taken(const struct numbering *n, uint32_t number)
{
	const char *name;

	for (size_t i = 0; i < n->n_kept; i++)
		if (kept_entry(n, i, &name) == number)
			return true;
	return is_given(n, number) || is_live(n, number);
}

static void give_known(const struct numbering *n)
{
	struct read *read = n->read;

	for (size_t i = 0; i < read->n_columns; i++) {
		struct table_column *c = &read->columns[i].column;

		c->number = live_number(n, c->name);
		if (!c->number)
			c->number = live_number(n, c->renamed_from);
	}
	for (size_t i = 0; i < read->n_columns; i++) {
		struct table_column *c = &read->columns[i].column;
		uint32_t number = kept_number(n, c->name);

		if (!number)
			number = kept_number(n, c->renamed_from);
		if (!c->number && number && !is_live(n, number) && !is_given(n, number))
			c->number = number;
	}
}

static void give_next(const struct numbering *n)
{
	uint32_t next = 1;

	for (size_t i = 0; i < n->read->n_columns; i++) {
		if (n->read->columns[i].column.number)
			continue;
		while (is_taken(n, next))
			next++;
		n->read->columns[i].column.number = next;
	}
}

static void reserve(const struct numbering *n, uint32_t number, const char *name)
{
	const char *key = cell_macro_printf(n->read->work, "reserved %u", number);

	if (key && !is_given(n, number))
		(void)cell_macro_keep(n->read->work, key, name);
}

static void keep(const struct numbering *n)
{
	struct read *read = n->read;

	for (size_t i = 0; i < read->n_columns; i++) {
		const struct table_column *c = &read->columns[i].column;
		const char *key = cell_macro_printf(read->work, "column %s", c->name);
		const char *value = cell_macro_printf(read->work, "%u", c->number);

		if (key && value)
			(void)cell_macro_keep(read->work, key, value);
	}
	for (size_t i = 0; i < n->n_kept; i++) {
		const char *name;
		uint32_t number = kept_entry(n, i, &name);

		reserve(n, number, name);
	}
	for (size_t i = 0; n->live && i < n->live->n_columns; i++)
		reserve(n, n->live->columns[i].number, n->live->columns[i].name);
}

static int look(struct numbering *n)
{
	struct read *read = n->read;
	struct cell_call *call = cell_macro_call(read->work);
	const char *id = table_state_id(cell_arena(call), read->store, read->name);
	uint8_t digest[TABLE_DIGEST_SIZE];
	int r = read->provider->live(call, cell_macro_self(read->work), read->store,
				     read->name, &n->live);

	if (r < 0)
		return READ_REFUSE(read, read->mine, NULL,
				   "table %s/%s cannot be looked at: %s", read->store,
				   read->name, cell_error(call)->text);
	if (!id || table_state_digest(cell_arena(call), n->live, digest) < 0) {
		read->work->is_out_of_memory = true;
		return -ENOMEM;
	}
	return cell_macro_depends(read->work, id, digest, sizeof digest);
}

int numbers_give(struct read *read)
{
	struct numbering n = { .read = read };
	int r = look(&n);

	kept_find(&n);
	if (r == 0)
		r = kept_check(&n);
	if (r < 0)
		return r;
	give_known(&n);
	give_next(&n);
	keep(&n);
	return 0;
}

/* --- states -------------------------------------------------------------------------- */

const char *table_state_id(struct cell_arena *arena, const char *store, const char *name)
{
	return cell_arena_printf(arena, "table %s/%s", store, name);
}

int table_state_digest(struct cell_arena *arena, const struct table_table *table,
		       uint8_t digest[static TABLE_DIGEST_SIZE])
{
	static_assert(TABLE_DIGEST_SIZE == MACRO_DIGEST_SIZE, "one kind of digest");
	memset(digest, 0, TABLE_DIGEST_SIZE);
	return table ? macro_digest(arena, &table_table_type, table, digest) : 0;
}
