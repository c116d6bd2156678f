/* table, and the macros that only say something to it. */
#include "macros.h"

#include "declare.h"
#include "number.h"

#include <cell/cell.h>
#include <cell/internal/ctext.h>
#include <string.h>

/* --- shared -------------------------------------------------------------------------- */

int macro_part_plan(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct table_provider *provider = cell_macro_self(work);
	const char *tag = cell_macro_declaration(work)->name;

	if (cell_macro_has(work, provider->ns, "table") ||
	    cell_macro_has(work, provider->ns, "persist"))
		return 0;
	(void)cell_macro_refuse(work, mine, NULL, "'%s' is no table", tag);
	cell_macro_note(work, "write: struct [[%s::table]] %s {", provider->ns, tag);
	return CELL_INVALID_ARGUMENT;
}

int macro_plan_uses(const struct read *read)
{
	struct cell_macro_work *work = read->work;
	const char *state =
		table_state_id(cell_arena(cell_macro_call(work)), read->store, read->name);
	int r = state ? cell_plan_reads(work, state) : -ENOMEM;

	if (r == 0)
		r = cell_plan_use(work, read->mine, read->provider->cell, "app");
	if (r == 0)
		r = cell_plan_use(work, read->mine, read->provider->cell, "macro");
	return r;
}

int macro_describe(struct read *read, struct text *once)
{
	struct declared declared;
	const char *name = cell_macro_printf(read->work, "table %s", read->name);
	int r = numbers_give(read);

	if (r == 0)
		r = declared_make(read, &declared);
	if (r == 0 && name)
		r = cell_macro_declare(read->work, read->mine, name, declared.body,
				       declared.len);
	if (r == 0 && read->provider->declared)
		read->provider->declared(read->work, read->store, read->name, declared.body,
					 declared.len);
	if (r == 0)
		emit_descriptor(once, read, declared.version);
	return r;
}

const struct macro_attribute *macro_cell_attribute(const struct cell_macro_work *work,
						   const char *name)
{
	const struct macro_type *type =
		cell_macro_plain_type(work, cell_macro_declaration(work)->type);

	return type ? cell_macro_find(type->attributes, type->n_attributes, "cell", name)
		    : NULL;
}

const char *macro_cell_argument(const struct macro_attribute *at, const char *argument)
{
	for (size_t i = 0; i < at->n_values; i++)
		if (!at->values[i].parent &&
		    (!*at->values[i].name || strcmp(at->values[i].name, argument) == 0))
			return at->values[i].text;
	return NULL;
}

const char *macro_word(struct cell_macro_work *work, const char *name)
{
	char word[SCHEMA_NAME_MAX + 1];
	size_t n = 0;

	for (; name[n] && n < SCHEMA_NAME_MAX; n++)
		word[n] = name[n] == '-' ? '_' : name[n];
	word[n] = '\0';
	return cell_macro_printf(work, "%s", word);
}

const char *macro_camel(struct cell_macro_work *work, const char *name)
{
	char text[SCHEMA_NAME_MAX + 1];
	bool begins = true;
	size_t n = 0;

	for (; *name && n < SCHEMA_NAME_MAX; name++) {
		bool is_gap = *name == '_' || *name == '-';

		if (!is_gap)
			text[n++] = begins && *name >= 'a' && *name <= 'z'
					    ? (char)(*name - 'a' + 'A')
					    : *name;
		begins = is_gap;
	}
	text[n] = '\0';
	return cell_macro_printf(work, "%s", text);
}

/* --- planning ------------------------------------------------------------------------ */

/* Names that were seen in the text so far: two indexes may want the same ones. */
struct seen {
	struct read *read;
	const char *names[4096];
	size_t n;
};

static const struct macro_attribute *index_of(const struct read *read, const char *name)
{
	size_t noun = strlen(read->noun) + 4; /* "account_by_" */
	const struct macro_attribute *at = read->mine;
	size_t best = 0;

	for (size_t i = 1; i < read->n_keys && strlen(name) > noun; i++) {
		size_t len = strlen(read->keys[i].name);

		if (len > best && strncmp(name + noun, read->keys[i].name, len) == 0) {
			best = len;
			at = read->keys[i].at;
		}
	}
	return at;
}

static int on_name(void *userdata, enum ctext_role role, const char *name, size_t len,
		   unsigned line)
{
	struct seen *seen = userdata;
	struct read *read = seen->read;
	const char *own = cell_macro_printf(read->work, "%.*s", (int)len, name);

	(void)line;
	if (role != CTEXT_ORDINARY || !own)
		return 0;
	for (size_t i = 0; i < seen->n; i++)
		if (strcmp(seen->names[i], own) == 0) {
			(void)READ_REFUSE(read, index_of(read, own), NULL,
					  "it makes '%s', which another index makes, too",
					  own);
			cell_macro_note(read->work,
					"give one of them another name: %s::index(\"…\")",
					read->provider->ns);
			return CELL_INVALID_ARGUMENT;
		}
	if (seen->n < sizeof seen->names / sizeof *seen->names)
		seen->names[seen->n++] = own;
	return 0;
}

static int check_names(struct read *read, const struct text *functions)
{
	struct seen *seen = read_take(read, 1, sizeof *seen);

	if (!seen)
		return -ENOMEM;
	seen->read = read;
	return ctext_declared(functions->bytes, on_name, seen, NULL, NULL);
}

int macro_table_plan(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	struct text declarations = { .work = work }, functions = { .work = work };
	struct read read;
	int r = read_declaration(&read, work, mine, READ_TABLE);

	if (r < 0)
		return r;
	emit_declarations(&declarations, &read);
	emit_functions(&functions, &read);
	r = check_names(&read, &functions);
	if (r == 0)
		r = cell_plan_text(work, mine, MACRO_PIECE_KIND_DECL, declarations.bytes);
	if (r == 0)
		r = cell_plan_text(work, mine, MACRO_PIECE_KIND_INLINE, functions.bytes);
	return r == 0 ? macro_plan_uses(&read) : r;
}

int macro_table_expand(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	struct text declarations = { .work = work }, functions = { .work = work },
		    once = { .work = work };
	struct read read;
	int r = read_declaration(&read, work, mine, READ_TABLE);

	if (r == 0)
		r = macro_describe(&read, &once);
	if (r < 0)
		return r;
	emit_declarations(&declarations, &read);
	emit_functions(&functions, &read);
	text_piece(&declarations, mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_DECL);
	text_piece(&functions, mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_INLINE);
	text_piece(&once, mine, MACRO_ANCHOR_END, MACRO_PIECE_KIND_ONCE);
	return 0;
}

/* --- for macros of the provider's own ------------------------------------------------ */

int table_columns_of(struct cell_macro_work *work, const struct macro_type *type,
		     const struct table_column **ret_columns, size_t *ret_n)
{
	struct table_column *columns;
	struct read read;
	int r = read_columns(&read, work, type);

	if (r < 0)
		return r;
	columns = read_take(&read, read.n_columns, sizeof *columns);
	if (!columns)
		return -ENOMEM;
	for (size_t i = 0; i < read.n_columns; i++)
		columns[i] = read.columns[i].column;
	*ret_columns = columns;
	*ret_n = read.n_columns;
	return 0;
}

void table_put_columns(struct cell_macro_work *work, struct cell_piece *piece,
		       const char *name, const struct macro_type *type,
		       const struct table_column *columns, size_t n)
{
	struct text text = { .work = work };
	struct read read;

	if (read_columns(&read, work, type) < 0)
		return;
	for (size_t i = 0; i < n && i < read.n_columns; i++)
		read.columns[i].column = columns[i];
	emit_columns(&text, &read, name);
	if (text.len)
		cell_piece_put(piece, "%s", text.bytes);
}
