#include "builtin_part.h"

#include <cell/cell.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * From the members of a struct to the fields of a message. What a member is libcell says, as
 * for all providers; here it becomes a field, and structs in it messages.
 */

struct reading reading_begin(struct cell_macro_work *work)
{
	size_t n = cell_macro_request(work)->n_types;

	return (struct reading){ .work = work,
				 .by_type = gen_take((n + 1) * sizeof(struct gen_message *)) };
}

__attribute__((format(printf, 3, 4))) static bool wrong(struct reading *reading,
							const char *member, const char *format,
							...)
{
	va_list args, again;
	char *text;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	text = gen_take((size_t)(len < 0 ? 0 : len) + 1);
	(void)vsnprintf(text, (size_t)(len < 0 ? 0 : len) + 1, format, args);
	va_end(args);
	(void)cell_macro_refuse_member(reading->work, member, "%s", text);
	reading->n_errors++;
	return false;
}

static bool note(struct reading *reading, const char *text)
{
	cell_macro_note(reading->work, "%s", text);
	return false;
}

/* --- scalars ---------------------------------------------------------------------------- */

static const enum gen_kind kinds[] = {
	[CELL_MEMBER_BOOL] = GEN_BOOL,       [CELL_MEMBER_INT32] = GEN_INT32,
	[CELL_MEMBER_UINT32] = GEN_UINT32,   [CELL_MEMBER_INT64] = GEN_INT64,
	[CELL_MEMBER_UINT64] = GEN_UINT64,   [CELL_MEMBER_FLOAT] = GEN_FLOAT,
	[CELL_MEMBER_DOUBLE] = GEN_DOUBLE,   [CELL_MEMBER_ENUM] = GEN_ENUM,
	[CELL_MEMBER_TEXT] = GEN_STRING,     [CELL_MEMBER_CHARS] = GEN_STRING,
	[CELL_MEMBER_BYTES] = GEN_BYTES,     [CELL_MEMBER_BLOCK] = GEN_BYTES,
	[CELL_MEMBER_STRUCT] = GEN_MESSAGE,  [CELL_MEMBER_POINTER] = GEN_MESSAGE,
};

static struct gen_origin origin_of(const char *doc)
{
	return (struct gen_origin){ .file = "", .doc = doc ? doc : "", .note = "" };
}

static struct gen_enumeration *enum_read(struct reading *reading,
					 const struct cell_macro_member *m)
{
	const struct macro_type *type = cell_macro_plain_type(reading->work, m->value);
	struct gen_enumeration *e = gen_take(sizeof *e);

	e->tag = m->enum_name;
	e->type = *type->tag ? NULL : m->enum_name;
	e->full_name = gen_printf(".%s", gen_name_camel(e->tag));
	e->origin = origin_of(type->doc);
	e->n_values = type->n_enumerators;
	e->values = gen_take(e->n_values * sizeof *e->values);
	for (size_t i = 0; i < e->n_values; i++)
		e->values[i] = (struct gen_enum_value){
			.name = type->enumerators[i].name,
			.number = (int32_t)type->enumerators[i].value,
			.origin = origin_of(type->enumerators[i].doc),
		};
	return e;
}

/* --- messages --------------------------------------------------------------------------- */

static struct gen_message *message_read(struct reading *reading, uint32_t index,
					const struct macro_attribute *attribute);

/* "const struct x" is said as "struct x". */
static const char *bare(const char *spelling)
{
	return strncmp(spelling, "const ", 6) == 0 ? spelling + 6 : spelling;
}

/* A struct within: it is a message that says so itself. */
static bool message_field(struct reading *reading, const char *member, uint32_t index,
			  struct gen_field *field)
{
	const struct macro_type *type = cell_macro_plain_type(reading->work, index);
	const struct macro_attribute *attribute = type_attribute(type, "message");
	uint32_t at = index;
	const struct macro_type *step;

	if (!attribute) {
		(void)wrong(reading, member, "'%s' is no message", bare(type->spelling));
		cell_macro_note(reading->work, "write: struct [[cell::message]] %s {",
				*type->tag ? type->tag : "name");
		return false;
	}
	while ((step = cell_macro_type(reading->work, at)) &&
	       step->kind == MACRO_TYPE_KIND_TYPEDEF)
		at = step->element;
	field->kind = GEN_MESSAGE;
	field->message = message_read(reading, at, attribute);
	if (field->message)
		return true;
	(void)wrong(reading, member, "'%s' contains itself; messages do not", bare(type->spelling));
	return note(reading, "use a list of items that name each other by number");
}

/* --- one member ------------------------------------------------------------------------- */

static bool map_check(struct reading *reading, const struct cell_macro_member *m, struct gen_field *field)
{
	struct gen_message *entry = field->message;

	if (!cell_macro_find(m->at->attributes, m->at->n_attributes, "cell", "map"))
		return true;
	field->is_map = true;
	if (!field->is_repeated || field->kind != GEN_MESSAGE || entry->n_fields != 2 ||
	    strcmp(entry->fields[0].name, "key") != 0 ||
	    strcmp(entry->fields[1].name, "value") != 0) {
		(void)wrong(reading, m->at->name, "cell::map wants a list of pairs");
		return note(reading, "a message with the members key and value, and nothing else");
	}
	if (entry->fields[0].is_repeated || entry->fields[0].kind == GEN_FLOAT ||
	    entry->fields[0].kind == GEN_DOUBLE || entry->fields[0].kind == GEN_BYTES ||
	    entry->fields[0].kind >= GEN_MESSAGE || entry->fields[0].kind == GEN_ENUM) {
		(void)wrong(reading, m->at->name, "the key of a map is a whole number, a bool or text");
		return false;
	}
	if (entry->fields[1].is_repeated)
		return wrong(reading, m->at->name, "the value of a map is no list");
	entry->fields[0].number = 1;
	entry->fields[1].number = 2;
	gen_message_sort(field->message);
	return true;
}

static bool is_packed(const struct cell_macro_member *m)
{
	return m->is_repeated && m->kind <= CELL_MEMBER_ENUM;
}

static bool field_read(struct reading *reading, const struct cell_macro_member *m,
		       struct gen_field *field)
{
	const char *name = m->at->name;

	*field = (struct gen_field){
		.name = name, .member = name, .origin = origin_of(m->at->doc),
		.kind = kinds[m->kind], .is_repeated = m->is_repeated, .is_packed = is_packed(m),
		.has_presence = m->has != NULL, .length = m->length,
		.is_inside = m->kind == CELL_MEMBER_STRUCT && !m->is_repeated,
	};
	if (m->kind == CELL_MEMBER_ENUM)
		field->enumeration = enum_read(reading, m);
	if (field->kind == GEN_MESSAGE && !message_field(reading, name, m->value, field))
		return false;
	return map_check(reading, m, field);
}

/* --- a struct --------------------------------------------------------------------------- */

static void fields_read(struct reading *reading, const struct macro_type *type,
			struct gen_message *m)
{
	m->fields = gen_take(type->n_members * sizeof *m->fields);
	for (size_t i = 0; i < type->n_members;) {
		struct cell_macro_member member;

		if (cell_macro_member(reading->work, type, &i, &member) < 0)
			reading->n_errors++;
		else if (field_read(reading, &member, &m->fields[m->n_fields]))
			m->n_fields++;
	}
}

/* By its tag: the table has a struct once for each way in which it is qualified. */
static struct gen_message *message_known(struct reading *reading, const char *tag)
{
	const struct macro_plan_request *request = cell_macro_request(reading->work);

	for (size_t i = 1; i <= request->n_types; i++)
		if (reading->by_type[i] && strcmp(request->types[i - 1].tag, tag) == 0)
			return reading->by_type[i];
	return NULL;
}

/* NULL if it is being read already: it contains itself. */
static struct gen_message *message_read(struct reading *reading, uint32_t index,
					const struct macro_attribute *attribute)
{
	const struct macro_type *type = cell_macro_type(reading->work, index);
	struct gen_message *m = message_known(reading, type->tag);
	const char *name;

	if (m)
		return m->visit ? NULL : m;
	reading->by_type[index] = m = gen_take(sizeof *m);
	m->visit = 1;
	m->is_hidden = true;
	m->tag = cell_macro_text(reading->work, attribute, "prefix", type->tag);
	m->type = gen_printf("struct %s", type->tag);
	m->linkage = "__attribute__((weak)) ";
	name = cell_macro_text(reading->work, attribute, "name", NULL);
	m->full_name = gen_printf(".%s", name ? name : gen_name_camel(type->tag));
	m->origin = origin_of(type->doc);
	fields_read(reading, type, m);
	m->visit = 0;
	return m;
}

struct gen_message *reading_declared(struct reading *reading, const struct macro_attribute *mine)
{
	const struct macro_declaration *declaration = cell_macro_declaration(reading->work);
	const struct macro_type *type = cell_macro_type(reading->work, declaration->type);
	struct gen_message *m;

	if (!type || type->kind != MACRO_TYPE_KIND_STRUCT || !*type->tag || !type->size) {
		(void)cell_macro_refuse(reading->work, mine, NULL,
					"a message is a struct with a tag and members");
		return NULL;
	}
	m = message_read(reading, declaration->type, mine);
	if (!reading->n_errors && m && !m->n_fields) {
		(void)cell_macro_refuse(reading->work, mine, NULL, "'%s' has no members",
					type->spelling);
		cell_macro_note(reading->work,
				"a handler without a request leaves it out of its parameters");
		return NULL;
	}
	return reading->n_errors ? NULL : m;
}
