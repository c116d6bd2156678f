#include "read.h"

#include "../libcell/guess.h"
#include "../libcell/macro_work.h"

#include <cell/cell.h>
#include <inttypes.h>
#include <string.h>

/* --- helpers ------------------------------------------------------------------------- */

void *read_take(const struct read *read, size_t n, size_t size)
{
	void *memory =
		cell_arena_calloc(cell_arena(cell_macro_call(read->work)), n ? n : 1, size);

	if (!memory)
		read->work->is_out_of_memory = true;
	return memory;
}

const struct macro_attribute *read_find(const struct read *read,
					const struct macro_attribute *attributes, size_t n,
					const char *name)
{
	return cell_macro_find(attributes, n, read->provider->ns, name);
}

int read_column_by_name(const struct read *read, const char *name)
{
	for (size_t i = 0; i < read->n_columns; i++)
		if (strcmp(read->columns[i].column.name, name) == 0)
			return (int)i;
	return -1;
}

int read_no_column(struct read *read, const struct macro_attribute *at,
		   const struct macro_value *value, const char *name)
{
	struct guess guess = { .word = name };

	for (size_t i = 0; i < read->n_columns; i++)
		guess_try(&guess, read->columns[i].column.name);
	if (guess.best)
		return READ_REFUSE(read, at, value, "no column '%s' (did you mean '%s'?)",
				   name, guess.best);
	return READ_REFUSE(read, at, value, "no column '%s'", name);
}

/* Tokens come with a space between each two: "length ( owner ) <= 40". */
static char *tidy(const struct read *read, const char *tokens)
{
	char *text = read_take(read, strlen(tokens) + 1, 1), *to = text, quote = 0;

	for (const char *at = tokens; text && *at; at++) {
		if (quote) {
			*to++ = *at;
			if (*at == '\\' && at[1])
				*to++ = *++at;
			else if (*at == quote)
				quote = 0;
			continue;
		}
		if (*at == '"' || *at == '\'')
			quote = *at;
		if (*at == ' ' && to > text &&
		    (to[-1] == '(' || at[1] == ')' || at[1] == ',' ||
		     (at[1] == '(' &&
		      (strchr("_)", to[-1]) || (to[-1] >= '0' && to[-1] <= '9') ||
		       (to[-1] >= 'a' && to[-1] <= 'z') ||
		       (to[-1] >= 'A' && to[-1] <= 'Z')))))
			continue;
		*to++ = *at;
	}
	return text ? text : (char *)(uintptr_t) "";
}

/* TEXT in quotes, as a string of C. */
static const char *quoted(const struct read *read, const char *text)
{
	char *out = read_take(read, strlen(text) * 4 + 3, 1), *to = out;

	if (!out)
		return "";
	*to++ = '"';
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			*to++ = '\\';
			*to++ = (char)c;
		} else if (c < ' ' || c == 0x7f) {
			*to++ = '\\';
			*to++ = (char)('0' + (c >> 6));
			*to++ = (char)('0' + (c >> 3 & 7));
			*to++ = (char)('0' + (c & 7));
		} else {
			*to++ = (char)c;
		}
	}
	*to = '"';
	return out;
}

const char *read_literal(const struct read *read, const struct macro_value *value)
{
	const char *text;

	switch (value->kind) {
	case MACRO_VALUE_KIND_STRING: return quoted(read, value->text);
	case MACRO_VALUE_KIND_INTEGER:
		text = cell_macro_printf(read->work, "%" PRId64, value->integer);
		return text ? text : "";
	case MACRO_VALUE_KIND_BOOL: return value->integer ? "true" : "false";
	case MACRO_VALUE_KIND_NULL: return "NULL";
	case MACRO_VALUE_KIND_TOKENS: return tidy(read, value->text);
	default: return value->text;
	}
}

/* --- columns ------------------------------------------------------------------------- */

static const enum table_column_type types[] = {
	[CELL_MEMBER_BOOL] = TABLE_COLUMN_TYPE_BOOL,
	[CELL_MEMBER_INT32] = TABLE_COLUMN_TYPE_INT32,
	[CELL_MEMBER_UINT32] = TABLE_COLUMN_TYPE_UINT32,
	[CELL_MEMBER_INT64] = TABLE_COLUMN_TYPE_INT64,
	[CELL_MEMBER_UINT64] = TABLE_COLUMN_TYPE_UINT64,
	[CELL_MEMBER_FLOAT] = TABLE_COLUMN_TYPE_FLOAT,
	[CELL_MEMBER_DOUBLE] = TABLE_COLUMN_TYPE_DOUBLE,
	[CELL_MEMBER_ENUM] = TABLE_COLUMN_TYPE_ENUM,
	[CELL_MEMBER_TEXT] = TABLE_COLUMN_TYPE_TEXT,
	[CELL_MEMBER_CHARS] = TABLE_COLUMN_TYPE_TEXT,
	[CELL_MEMBER_BYTES] = TABLE_COLUMN_TYPE_BYTES,
	[CELL_MEMBER_BLOCK] = TABLE_COLUMN_TYPE_BYTES,
	[CELL_MEMBER_STRUCT] = TABLE_COLUMN_TYPE_MESSAGE,
	[CELL_MEMBER_POINTER] = TABLE_COLUMN_TYPE_MESSAGE,
};

static int refuse_form(struct read *read, const struct cell_macro_member *m, const char *what,
		       const char *instead)
{
	(void)READ_REFUSE_MEMBER(read, m->at->name, "'%s' is %s, which no column holds",
				 m->at->name, what);
	cell_macro_note(read->work, "%s", instead);
	return CELL_INVALID_ARGUMENT;
}

/* What messages can have and tables cannot. */
static int check_form(struct read *read, const struct cell_macro_member *m)
{
	const struct macro_type *type = cell_macro_type(read->work, m->at->type);

	if (type->is_const) {
		(void)READ_REFUSE_MEMBER(read, m->at->name,
					 "'%s' is const: no row could be read into it",
					 m->at->name);
		cell_macro_note(read->work, "leave out the const of the member itself");
		return CELL_INVALID_ARGUMENT;
	}
	if (m->kind == CELL_MEMBER_POINTER)
		return refuse_form(read, m, "a pointer to a struct",
				   "put the struct itself there; it is then always there");
	if (m->is_repeated && m->kind == CELL_MEMBER_STRUCT)
		return refuse_form(
			read, m, "a list of structs",
			"make it a table of its own, whose rows refer to this one");
	if (m->is_repeated && m->kind == CELL_MEMBER_BYTES)
		return refuse_form(
			read, m, "a list of bytes",
			"make it a table of its own, whose rows refer to this one");
	if (m->is_repeated && m->length)
		return refuse_form(read, m, "an array of numbers",
				   cell_macro_printf(read->work, "write \"size_t n_%s; const %s *%s;\"",
						     m->at->name,
						     cell_macro_type(read->work, m->value)->spelling,
						     m->at->name));
	if (m->kind == CELL_MEMBER_ENUM &&
	    cell_macro_plain_type(read->work, m->value)->size != 4)
		return refuse_form(read, m, "an enum of other than four bytes",
				   "compile without -fshort-enums");
	return 0;
}

/* A struct within: it is a message, and says so. */
static int read_message(struct read *read, struct read_column *c)
{
	const struct macro_type *type = cell_macro_plain_type(read->work, c->member.value);
	const struct macro_attribute *message =
		cell_macro_find(type->attributes, type->n_attributes, "cell", "message");
	const char *spelling = type->spelling;

	if (message) {
		c->message = type->tag;
		for (size_t i = 0; i < message->n_values; i++)
			if (strcmp(message->values[i].name, "prefix") == 0)
				c->message = message->values[i].text;
		return 0;
	}
	if (strncmp(spelling, "const ", 6) == 0)
		spelling += 6;
	(void)READ_REFUSE_MEMBER(read, c->member.at->name, "'%s' is no message", spelling);
	cell_macro_note(read->work, "write: struct [[cell::message]] %s {",
			*type->tag ? type->tag : "name");
	return CELL_INVALID_ARGUMENT;
}

static void read_values(struct read *read, struct read_column *c)
{
	const struct macro_type *type = cell_macro_plain_type(read->work, c->member.value);
	struct table_enum_value *values =
		read_take(read, type->n_enumerators, sizeof *values);

	for (size_t i = 0; values && i < type->n_enumerators; i++)
		values[i] = (struct table_enum_value){ type->enumerators[i].name,
						       (int32_t)type->enumerators[i].value };
	c->column.values = values;
	c->column.n_values = values ? type->n_enumerators : 0;
}

/* An attribute that stands at has_x or n_x, and is meant for x. */
static void check_pair(struct read *read, const struct macro_member *pair,
		       const struct macro_member *of)
{
	for (size_t i = 0; pair && i < pair->n_attributes; i++)
		if (strcmp(pair->attributes[i].ns, read->provider->ns) == 0)
			(void)READ_REFUSE(read, &pair->attributes[i], NULL,
					  "'%s' belongs to '%s': put %s::%s before that",
					  pair->name, of->name, read->provider->ns,
					  pair->attributes[i].name);
}

static int read_column(struct read *read, const struct cell_macro_member *m,
		       struct read_column *c)
{
	*c = (struct read_column){
		.member = *m,
		.column = { .name = m->at->name,
			    .type = types[m->kind],
			    .nullable = m->has != NULL,
			    .repeated = m->is_repeated,
			    .length = (uint32_t)m->length,
			    .fixed = m->kind == CELL_MEMBER_BLOCK,
			    .fallback = "",
			    .computed = "",
			    .native = "",
			    .renamed_from = "" },
	};
	if (check_form(read, m) < 0)
		return CELL_INVALID_ARGUMENT;
	if (m->kind == CELL_MEMBER_STRUCT && read_message(read, c) < 0)
		return CELL_INVALID_ARGUMENT;
	if (m->kind == CELL_MEMBER_ENUM)
		read_values(read, c);
	if (strlen(m->at->name) > SCHEMA_NAME_MAX)
		return READ_REFUSE_MEMBER(read, m->at->name, "'%s' has more than %d bytes",
					  m->at->name, SCHEMA_NAME_MAX);
	if (m->length > UINT32_MAX)
		return READ_REFUSE_MEMBER(read, m->at->name, "'%s' is too long for a column",
					  m->at->name);
	check_pair(read, m->has, m->at);
	check_pair(read, m->count, m->at);
	if (read->provider->native &&
	    read->provider->native(read->work, m->at, &c->column) < 0) {
		read->is_wrong = true;
		return CELL_INVALID_ARGUMENT;
	}
	read_member_rules(read, c);
	return 0;
}

static int read_members(struct read *read)
{
	const struct macro_type *type = read->type;

	read->columns = read_take(read, type->n_members, sizeof *read->columns);
	if (!read->columns)
		return -ENOMEM;
	for (size_t i = 0; i < type->n_members;) {
		struct cell_macro_member member;

		if (cell_macro_member(read->work, type, &i, &member) < 0)
			read->is_wrong = true;
		else if (read_column(read, &member, &read->columns[read->n_columns]) == 0)
			read->n_columns++;
	}
	if (read->n_columns > SCHEMA_COLUMNS_MAX)
		return READ_REFUSE(read, read->mine, NULL, "%zu columns, limit %d",
				   read->n_columns, SCHEMA_COLUMNS_MAX);
	if (!read->n_columns && !read->is_wrong)
		return READ_REFUSE(read, read->mine, NULL, "'%s' has no members",
				   type->spelling);
	return read->is_wrong ? CELL_INVALID_ARGUMENT : 0;
}

/* --- the table itself ---------------------------------------------------------------- */

static int check_name(struct read *read, const char *argument, const char *name)
{
	const struct macro_value *value =
		cell_macro_argument(read->work, read->mine, argument);
	bool is_store = strcmp(argument, "shared") == 0;

	if (is_store ? schema_store_is_valid(name) : schema_name_is_valid(name))
		return 0;
	(void)READ_REFUSE(read, read->mine, value, "'%s' is no name of a %s", name,
			  is_store                          ? "store"
			  : strcmp(argument, "schema") == 0 ? "schema"
							    : "table");
	cell_macro_note(read->work,
			"letters, digits and %s, at most %d bytes, no digit first",
			is_store ? "'_', '-', '.'" : "'_'", SCHEMA_NAME_MAX);
	return CELL_INVALID_ARGUMENT;
}

static bool is_word(const char *text)
{
	return *text && !(*text >= '0' && *text <= '9') &&
	       strspn(text,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
		       strlen(text);
}

/* Names that begin with cell_ are the library's: cell_cursor, cell_table_get(). */
static int check_noun(struct read *read)
{
	const struct macro_value *value = cell_macro_argument(read->work, read->mine, "prefix");

	if (!is_word(read->noun))
		return READ_REFUSE(read, read->mine, value, "'%s' is no beginning of a name",
				   read->noun);
	if (strcmp(read->noun, "cell") != 0 && strncmp(read->noun, "cell_", 5) != 0)
		return 0;
	(void)READ_REFUSE(read, read->mine, value, "names that begin with cell_ are libcell's");
	cell_macro_note(read->work, "add prefix = \"my_%s\"", read->tag);
	return CELL_INVALID_ARGUMENT;
}

static int read_head(struct read *read)
{
	const char *program = cell_macro_request(read->work)->program;
	const char *shared = cell_macro_text(read->work, read->mine, "shared", NULL);
	int r;

	read->tag = read->type->tag;
	read->noun = cell_macro_text(read->work, read->mine, "prefix", read->tag);
	read->name = cell_macro_text(read->work, read->mine, "name", read->tag);
	read->schema = cell_macro_text(read->work, read->mine, "schema", "");
	read->is_shared = shared != NULL;
	read->store = shared ? shared : program && *program ? program : "default";
	r = check_name(read, "name", read->name);
	if (r == 0 && *read->schema)
		r = check_name(read, "schema", read->schema);
	if (r == 0 && shared)
		r = check_name(read, "shared", shared);
	return r == 0 && read->kind == READ_TABLE ? check_noun(read) : r;
}

static int begin(struct read *ret, struct cell_macro_work *work, enum read_kind kind,
		 const struct macro_attribute *mine, const struct macro_type *type)
{
	*ret = (struct read){ .work = work,
			      .provider = cell_macro_self(work),
			      .kind = kind,
			      .mine = mine,
			      .type = type };
	if (type && type->kind == MACRO_TYPE_KIND_STRUCT && *type->tag && type->size)
		return 0;
	return READ_REFUSE(ret, mine, NULL, "a table is a struct with a tag and members");
}

static int finish(const struct read *read)
{
	if (read->work->is_out_of_memory)
		return -ENOMEM;
	return read->is_wrong ? CELL_INVALID_ARGUMENT : 0;
}

int read_declaration(struct read *ret, struct cell_macro_work *work,
		     const struct macro_attribute *mine, enum read_kind kind)
{
	int r = begin(ret, work, kind, mine,
		      cell_macro_plain_type(work, cell_macro_declaration(work)->type));

	if (r == 0)
		r = read_head(ret);
	if (r == 0)
		r = read_members(ret);
	if (r < 0)
		return r;
	read_keys(ret);
	if (!ret->is_wrong)
		read_rules(ret);
	return finish(ret);
}

int read_columns(struct read *ret, struct cell_macro_work *work,
		 const struct macro_type *type)
{
	int r = begin(ret, work, READ_COLUMNS, NULL, type);

	ret->tag = ret->noun = type ? type->tag : "";
	if (r == 0)
		r = read_members(ret);
	for (size_t i = 0; r == 0 && i < ret->n_columns; i++)
		ret->columns[i].column.number = (uint32_t)i + 1;
	return r < 0 ? r : finish(ret);
}
