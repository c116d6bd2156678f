/* Cursors: what goes over the primary key and over indexes, whole or in part. */
#include "emit.h"

#include <cell/cell.h>
#include <inttypes.h>
#include <string.h>

const char *emit_names(const struct read *read, const struct read_key *key, size_t n,
		       const char *between, const char *last)
{
	const char *names = "";

	for (size_t i = 0; names && i < n; i++)
		names = cell_macro_printf(read->work, "%s%s%s", names,
					  !i           ? ""
					  : i + 1 == n ? last
						       : between,
					  read->columns[key->columns[i]].column.name);
	return names ? names : "";
}

/* --- parameters ---------------------------------------------------------------------- */

static const struct read_column *column_of(const struct emit_part *part, size_t i)
{
	return &part->read->columns[part->key->columns[i]];
}

/* What column I is called as a parameter; one may be called as a parameter of ours is. */
static const char *parameter(const struct emit_part *part, size_t i)
{
	const char *column = column_of(part, i)->column.name;
	const char *own = cell_macro_printf(part->read->work, "ret_%s", part->read->noun);
	const char *after = part->is_prefix && i + 1 == part->n ? "_prefix" : "", *name;

	if (!*part->before &&
	    (strcmp(column, "call") == 0 || (own && strcmp(column, own) == 0)))
		after = "_";
	name = cell_macro_printf(part->read->work, "%s%s%s", part->before, column, after);
	return name ? name : "";
}

void emit_parameters(struct text *out, const struct emit_part *part)
{
	for (size_t i = 0; i < part->n; i++) {
		const struct read_column *c = column_of(part, i);
		const char *name = parameter(part, i);

		switch (c->member.kind) {
		case CELL_MEMBER_TEXT:
		case CELL_MEMBER_CHARS: text_put(out, ", const char *%s", name); break;
		case CELL_MEMBER_BYTES:
			text_put(out, ", size_t n_%s, const uint8_t *%s", name, name);
			break;
		case CELL_MEMBER_BLOCK:
			text_put(out, ", const uint8_t %s[%" PRIu64 "]", name,
				 c->member.length);
			break;
		default:
			text_put(out, ", %s %s",
				 cell_macro_type(part->read->work, c->member.at->type)
					 ->spelling,
				 name);
		}
	}
}

/* --- rows that are keys -------------------------------------------------------------- */

static bool is_copied(const struct read_column *c)
{
	return c->member.kind == CELL_MEMBER_CHARS || c->member.kind == CELL_MEMBER_BLOCK;
}

/* What an initialiser can say. */
void emit_row(struct text *out, const struct emit_part *part)
{
	const char *before = " ";

	text_put(out, "\tstruct %s %s = {", part->read->tag, part->row);
	for (size_t i = 0; i < part->n; i++) {
		const struct read_column *c = column_of(part, i);
		const char *name = c->column.name, *from = parameter(part, i);

		if (c->member.has) {
			text_put(out, "%s.has_%s = 1", before, name);
			before = ", ";
		}
		if (is_copied(c))
			continue;
		if (c->member.count)
			text_put(out, "%s.n_%s = n_%s, ", before, name, from);
		else
			text_add(out, before);
		text_put(out, ".%s = %s", name, from);
		before = ", ";
	}
	text_add(out, *before == ' ' ? " 0 };\n" : " };\n");
}

void emit_copies(struct text *out, const struct emit_part *part)
{
	for (size_t i = 0; i < part->n; i++) {
		const struct read_column *c = column_of(part, i);
		const char *const words[] = {
			"row",
			part->row,
			"name",
			c->column.name,
			"from",
			parameter(part, i),
			"size",
			cell_macro_printf(part->read->work, "%" PRIu64, c->member.length),
			"table",
			part->read->name,
			"open",
			part->open,
			"close",
			part->close,
			NULL
		};

		if (c->member.kind == CELL_MEMBER_BLOCK)
			text_template(out,
				      "\t__builtin_memcpy($row$.$name$, $from$, $size$);\n",
				      words);
		if (c->member.kind == CELL_MEMBER_CHARS)
			text_template(
				out,
				"\tif (__builtin_strlen($from$) > $size$)\n"
				"\t\treturn $open$cell_refuse(call, CELL_INVALID_ARGUMENT,\n"
				"\t\t\t\"$table$.$name$ has at most $size$ bytes\")$close$;\n"
				"\t__builtin_memcpy($row$.$name$, $from$, __builtin_strlen($from$));\n",
				words);
	}
}

/* --- one cursor ---------------------------------------------------------------------- */

struct cursor {
	const char *name; /* behind the noun */
	const char *comment;
	size_t n_from, n_to; /* columns of the key; TO of the same row unless it is BETWEEN */
	bool is_between, is_prefix, is_backwards;
};

static void put_cursor(struct text *out, const struct read *read, size_t index,
		       const struct cursor *cursor)
{
	const struct read_key *key = &read->keys[index];
	const char *noun = read->noun;
	struct emit_part from = {
		.read = read,
		.key = key,
		.n = cursor->n_from,
		.row = "cell_from",
		.before = cursor->is_between ? "from_" : "",
		.is_prefix = cursor->is_prefix,
		.open = cell_macro_printf(
			read->work,
			"(struct %s_cursor){ .cursor = { .call = call, .err =\n\t\t\t", noun),
		.close = " } }",
	};
	struct emit_part to = from;

	to.n = cursor->is_between ? cursor->n_to : 0;
	to.row = "cell_to";
	to.before = "to_";
	text_put(out, "/* %s */\n", cursor->comment);
	text_put(out, "static inline struct %s_cursor %s_%s(struct cell_call *call", noun,
		 noun, cursor->name);
	emit_parameters(out, &from);
	emit_parameters(out, &to);
	text_add(out, ")\n{\n");
	if (from.n)
		emit_row(out, &from);
	if (to.n)
		emit_row(out, &to);
	text_put(out, "\tstruct cell_scan cell_range = { .key = %zu", index);
	if (from.n)
		text_put(out, ", .from = &cell_from, .n_from = %zu", from.n);
	if (cursor->n_to)
		text_put(out, ", .to = &cell_%s, .n_to = %zu", to.n ? "to" : "from",
			 cursor->n_to);
	text_put(out, "%s%s };\n\n", cursor->is_prefix ? ", .is_prefix = 1" : "",
		 cursor->is_backwards ? ", .is_backwards = 1" : "");
	emit_copies(out, &from);
	emit_copies(out, &to);
	text_put(
		out,
		"\treturn (struct %s_cursor){ .cursor = cell_table_scan(call, &cell_%s_table, &cell_range) };\n}\n",
		noun, noun);
}

static bool is_text(const struct read *read, uint16_t column)
{
	return read->columns[column].column.type == TABLE_COLUMN_TYPE_TEXT;
}

/* The cursors over part of a key: STEM is "each", or "by_owner" for an index. */
static void put_ranges(struct text *out, const struct read *read, size_t index,
		       const char *stem)
{
	struct cell_macro_work *work = read->work;
	const struct read_key *key = &read->keys[index];
	const char *all = emit_names(read, key, key->n, ", ", " and ");

	put_cursor(out, read, index,
		   &(struct cursor){
			   .name = cell_macro_printf(work, "%s_from", stem),
			   .n_from = key->n,
			   .comment = cell_macro_printf(
				   work, "The rows from this %s on, in that order.", all) });
	put_cursor(out, read, index,
		   &(struct cursor){
			   .name = cell_macro_printf(work, "%s_between", stem),
			   .n_from = key->n,
			   .n_to = key->n,
			   .is_between = true,
			   .comment = cell_macro_printf(
				   work, "The rows from one %s to another, both included.",
				   all) });
	for (size_t n = 1; n < key->n; n++)
		put_cursor(out, read, index,
			   &(struct cursor){
				   .name = cell_macro_printf(work, "%s_of_%s", stem,
							     emit_names(read, key, n, "_",
									"_")),
				   .n_from = n,
				   .n_to = n,
				   .comment = cell_macro_printf(
					   work, "The rows with this %s, ordered by %s.",
					   emit_names(read, key, n, ", ", " and "), all) });
	if (is_text(read, key->columns[key->n - 1]))
		put_cursor(
			out, read, index,
			&(struct cursor){
				.name = cell_macro_printf(work, "%s_with_prefix", stem),
				.n_from = key->n,
				.is_prefix = true,
				.comment = cell_macro_printf(
					work, "The rows whose %s begins so%s.",
					read->columns[key->columns[key->n - 1]].column.name,
					key->n > 1 ? ", of those with the rest of the key"
						   : "") });
}

/* --- indexes ------------------------------------------------------------------------- */

static void put_unique(struct text *out, const struct read *read, size_t index)
{
	const struct read_key *key = &read->keys[index];
	const struct emit_part part = { .read = read,
					.key = key,
					.n = key->n,
					.row = "cell_row",
					.before = "",
					.open = "",
					.close = "" };
	const char *const words[] = { EMIT_WORDS(read),
				      "name",
				      key->name,
				      "columns",
				      emit_names(read, key, key->n, ", ", " and "),
				      "index",
				      cell_macro_printf(read->work, "%zu", index),
				      NULL };

	text_template(
		out,
		"/* The one row with this $columns$. CELL_NOT_FOUND: there is none. */\n"
		"static inline int $noun$_by_$name$(struct cell_call *call",
		words);
	emit_parameters(out, &part);
	text_template(out, ", struct $tag$ *ret_$noun$)\n{\n", words);
	emit_row(out, &part);
	text_add(out, "\n");
	emit_copies(out, &part);
	text_template(
		out,
		"\treturn cell_table_get(call, &cell_$noun$_table, $index$, &cell_row, ret_$noun$);\n}\n",
		words);
}

static void put_index(struct text *out, const struct read *read, size_t index)
{
	const struct read_key *key = &read->keys[index];
	const char *stem = cell_macro_printf(read->work, "by_%s", key->name);

	if (key->is_unique)
		put_unique(out, read, index);
	else
		put_cursor(
			out, read, index,
			&(struct cursor){
				.name = stem,
				.n_from = key->n,
				.n_to = key->n,
				.comment = cell_macro_printf(
					read->work,
					"The rows with this %s, in the order of their keys.",
					emit_names(read, key, key->n, ", ", " and ")) });
	put_ranges(out, read, index, stem);
}

void emit_cursors(struct text *out, const struct read *read)
{
	put_cursor(out, read, 0,
		   &(struct cursor){
			   .name = "each",
			   .comment =
				   "All rows as they are now, in the order of their keys." });
	put_cursor(
		out, read, 0,
		&(struct cursor){
			.name = "each_back",
			.is_backwards = true,
			.comment =
				"All rows as they are now, from the last key to the first." });
	put_ranges(out, read, 0, "each");
	for (size_t i = 1; i < read->n_keys; i++)
		put_index(out, read, i);
}
