#include "builtin_part.h"

#include <cell/cell.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * From the members of a struct to the fields of a message. What a member is follows from its
 * type and from the `bool has_x` or `size_t n_x` that stands directly before it; everything
 * that has no one meaning on the wire is refused with the type to use instead.
 */

struct member {
	const struct macro_member *at;
	const struct macro_type *type; /* behind typedefs */
	bool has_presence, has_count;
};

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

static const struct {
	const char *name;
	enum gen_kind kind;
} fixed_names[] = {
	{ "int32_t", GEN_INT32 }, { "uint32_t", GEN_UINT32 },
	{ "int64_t", GEN_INT64 }, { "uint64_t", GEN_UINT64 },
};

/* The first typedef on the way says what the user wrote; a fixed one settles the kind. */
static bool fixed_kind(struct reading *reading, uint32_t index, enum gen_kind *ret,
		       const char **ret_name)
{
	const struct macro_type *type = cell_macro_type(reading->work, index);

	*ret_name = type && type->kind == MACRO_TYPE_KIND_TYPEDEF ? type->tag : NULL;
	while (type && type->kind == MACRO_TYPE_KIND_TYPEDEF) {
		for (size_t i = 0; i < sizeof fixed_names / sizeof *fixed_names; i++)
			if (strcmp(type->tag, fixed_names[i].name) == 0) {
				*ret = fixed_names[i].kind;
				return true;
			}
		type = cell_macro_type(reading->work, type->element);
	}
	if (!*ret_name)
		*ret_name = type ? type->spelling : "?";
	return false;
}

/* "const long" is said as "long". */
static const char *bare(const char *spelling)
{
	return strncmp(spelling, "const ", 6) == 0 ? spelling + 6 : spelling;
}

static bool integer_kind(struct reading *reading, const char *member, uint32_t index,
			 const struct macro_type *type, enum gen_kind *ret)
{
	const bool is_signed = type->kind == MACRO_TYPE_KIND_SIGNED;
	const char *name;

	if (fixed_kind(reading, index, ret, &name))
		return true;
	name = bare(name);
	if (type->size < 4) {
		(void)wrong(reading, member, "'%s' is smaller than any number on the wire", name);
		return note(reading, is_signed ? "use int32_t" : "use uint32_t");
	}
	/* What was a typedef, or has a size of the platform's choice, says so now. */
	if (strncmp(bare(type->spelling), "long long", 9) == 0 ||
	    strncmp(bare(type->spelling), "unsigned long long", 18) == 0) {
		*ret = is_signed ? GEN_INT64 : GEN_UINT64;
		return true;
	}
	if (type->size == 4 && !strstr(type->spelling, "long")) {
		*ret = is_signed ? GEN_INT32 : GEN_UINT32;
		return true;
	}
	if (type->size > 8) {
		(void)wrong(reading, member, "'%s' is larger than any number on the wire", name);
		return note(reading, "use uint8_t x[16] for its bytes");
	}
	(void)wrong(reading, member, "'%s' has no fixed size on the wire", name);
	return note(reading, is_signed ? "use int64_t" : "use uint64_t");
}

static struct gen_origin origin_of(const char *doc)
{
	return (struct gen_origin){ .file = "", .doc = doc ? doc : "", .note = "" };
}

/* The typedef's name of an enum that has no tag of its own. */
static const char *typedef_of(struct reading *reading, uint32_t index)
{
	const struct macro_type *type = cell_macro_type(reading->work, index), *last = NULL;

	for (; type && type->kind == MACRO_TYPE_KIND_TYPEDEF;
	     type = cell_macro_type(reading->work, type->element))
		last = type;
	return last ? last->tag : NULL;
}

static bool enum_read(struct reading *reading, const char *member, uint32_t index,
		      const struct macro_type *type, struct gen_field *field)
{
	const char *name = *type->tag ? type->tag : typedef_of(reading, index);
	struct gen_enumeration *e = gen_take(sizeof *e);

	if (!name) {
		(void)wrong(reading, member, "its enum has no name");
		return note(reading, "give it a tag: enum kind { … }");
	}
	if (!type->n_enumerators || type->enumerators[0].value != 0) {
		if (type->n_enumerators)
			(void)wrong(reading, member,
				    "the first value of %s is %lld; what is not set is 0",
				    type->spelling, (long long)type->enumerators[0].value);
		else
			(void)wrong(reading, member, "%s is not defined here", type->spelling);
		return note(reading, "put an enumerator with the value 0 first");
	}
	e->tag = name;
	e->type = *type->tag ? NULL : name;
	e->full_name = gen_printf(".%s", gen_name_camel(name));
	e->origin = origin_of(type->doc);
	e->n_values = type->n_enumerators;
	e->values = gen_take(e->n_values * sizeof *e->values);
	for (size_t i = 0; i < e->n_values; i++) {
		const struct macro_enumerator *value = &type->enumerators[i];

		if (value->value < INT32_MIN || value->value > INT32_MAX)
			return wrong(reading, member, "%s = %lld does not fit 32 bits", value->name,
				     (long long)value->value);
		e->values[i] = (struct gen_enum_value){ .name = value->name,
							.number = (int32_t)value->value,
							.origin = origin_of(value->doc) };
	}
	field->kind = GEN_ENUM;
	field->enumeration = e;
	return true;
}

/* A number, bool or enum; false after a refusal. */
static bool scalar_read(struct reading *reading, const char *member, uint32_t index,
			struct gen_field *field)
{
	const struct macro_type *type = cell_macro_plain_type(reading->work, index);

	switch (type->kind) {
	case MACRO_TYPE_KIND_BOOL: field->kind = GEN_BOOL; return true;
	case MACRO_TYPE_KIND_SIGNED:
	case MACRO_TYPE_KIND_UNSIGNED:
		return integer_kind(reading, member, index, type, &field->kind);
	case MACRO_TYPE_KIND_ENUM: return enum_read(reading, member, index, type, field);
	case MACRO_TYPE_KIND_FLOAT:
		if (type->size == 4 || (type->size == 8 && !strstr(type->spelling, "long"))) {
			field->kind = type->size == 4 ? GEN_FLOAT : GEN_DOUBLE;
			return true;
		}
		(void)wrong(reading, member, "'%s' has no form on the wire",
			    bare(type->spelling));
		return note(reading, "use double");
	case MACRO_TYPE_KIND_CHAR:
		(void)wrong(reading, member, "'char' is neither text nor a number on the wire");
		return note(reading, "use char x[N] or const char * for text, int32_t for a number");
	default:
		(void)wrong(reading, member, "'%s' has no form on the wire", type->spelling);
		return note(reading, "use a number, bool, enum, text, bytes or a message");
	}
}

/* --- messages --------------------------------------------------------------------------- */

static struct gen_message *message_read(struct reading *reading, uint32_t index,
					const struct macro_attribute *attribute);

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

static bool is_byte(const struct macro_type *type)
{
	return type->kind == MACRO_TYPE_KIND_UNSIGNED && type->size == 1;
}

static bool needs_count(struct reading *reading, const struct member *m)
{
	if (m->has_count)
		return true;
	(void)wrong(reading, m->at->name, "'%s' needs its count", m->at->name);
	cell_macro_note(reading->work, "put \"size_t n_%s;\" before it", m->at->name);
	return false;
}

static bool no_presence(struct reading *reading, const struct member *m, const char *instead)
{
	if (!m->has_presence)
		return true;
	(void)wrong(reading, m->at->name, "'has_%s' says nothing here", m->at->name);
	return note(reading, instead);
}

static bool no_count(struct reading *reading, const struct member *m, const char *instead)
{
	if (!m->has_count)
		return true;
	(void)wrong(reading, m->at->name, "'n_%s' counts nothing: '%s' is no list", m->at->name,
		    m->at->name);
	return note(reading, instead);
}

static bool is_const_pointee(struct reading *reading, uint32_t element)
{
	const struct macro_type *type = cell_macro_type(reading->work, element);

	return (type && type->is_const) || cell_macro_plain_type(reading->work, element)->is_const;
}

static bool must_be(struct reading *reading, const struct member *m, const char *use)
{
	(void)wrong(reading, m->at->name, "'%s' could be written through",
		    cell_macro_type(reading->work, m->at->type)->spelling);
	cell_macro_note(reading->work, "use %s%s", use, m->at->name);
	return false;
}

static bool strings_read(struct reading *reading, const struct member *m,
			 const struct macro_type *inner, struct gen_field *field)
{
	const struct macro_type *text = cell_macro_plain_type(reading->work, inner->element);

	if (!text || text->kind != MACRO_TYPE_KIND_CHAR) {
		(void)wrong(reading, m->at->name, "'%s' points to pointers",
			    cell_macro_type(reading->work, m->at->type)->spelling);
		return note(reading, "put what they point to into a message");
	}
	if (!is_const_pointee(reading, inner->element) ||
	    !is_const_pointee(reading, m->type->element))
		return must_be(reading, m, "const char *const *");
	field->is_repeated = true;
	field->kind = GEN_STRING;
	return needs_count(reading, m) && no_presence(reading, m, "an empty list is none");
}

static bool pointer_read(struct reading *reading, const struct member *m, struct gen_field *field)
{
	const uint32_t element = m->type->element;
	const struct macro_type *type = cell_macro_plain_type(reading->work, element);

	switch (type ? type->kind : MACRO_TYPE_KIND_VOID) {
	case MACRO_TYPE_KIND_CHAR:
		if (!is_const_pointee(reading, element))
			return must_be(reading, m, "const char *");
		field->kind = GEN_STRING;
		field->has_presence = m->has_presence;
		return no_count(reading, m, "text ends with a NUL; for bytes use const uint8_t *");
	case MACRO_TYPE_KIND_POINTER: return strings_read(reading, m, type, field);
	case MACRO_TYPE_KIND_STRUCT:
		if (strcmp(type->tag, "cell_bytes") == 0) {
			field->kind = GEN_BYTES;
			field->is_repeated = true;
			return needs_count(reading, m);
		}
		field->is_repeated = m->has_count;
		return no_presence(reading, m, "a pointer that is NULL says that it is absent") &&
		       message_field(reading, m->at->name, element, field);
	case MACRO_TYPE_KIND_UNSIGNED:
		if (!is_byte(type))
			break;
		if (!is_const_pointee(reading, element))
			return must_be(reading, m, "const uint8_t *");
		field->kind = GEN_BYTES;
		field->has_presence = m->has_presence;
		return needs_count(reading, m);
	case MACRO_TYPE_KIND_BOOL:
	case MACRO_TYPE_KIND_SIGNED:
	case MACRO_TYPE_KIND_FLOAT:
	case MACRO_TYPE_KIND_ENUM: break;
	case MACRO_TYPE_KIND_VOID:
	default:
		(void)wrong(reading, m->at->name, "'%s' points to nothing that has a form on the wire",
			    cell_macro_type(reading->work, m->at->type)->spelling);
		return note(reading, "use size_t n_x; const uint8_t *x; for bytes, or a message");
	}
	field->is_repeated = field->is_packed = true;
	return needs_count(reading, m) && no_presence(reading, m, "an empty list is none") &&
	       scalar_read(reading, m->at->name, element, field);
}

static bool array_read(struct reading *reading, const struct member *m, struct gen_field *field)
{
	const uint32_t element = m->type->element;
	const struct macro_type *type = cell_macro_plain_type(reading->work, element);

	if (m->type->is_flexible || !m->type->length) {
		(void)wrong(reading, m->at->name, "'%s' has no length", m->at->name);
		cell_macro_note(reading->work, "use \"size_t n_%s;\" and a pointer", m->at->name);
		return false;
	}
	if (!no_count(reading, m, "leave out the count, or use a pointer for a list"))
		return false;
	field->length = m->type->length;
	if (type->kind == MACRO_TYPE_KIND_CHAR || is_byte(type)) {
		field->kind = is_byte(type) ? GEN_BYTES : GEN_STRING;
		field->has_presence = m->has_presence;
		return true;
	}
	if (type->kind == MACRO_TYPE_KIND_STRUCT || type->kind == MACRO_TYPE_KIND_POINTER ||
	    type->kind == MACRO_TYPE_KIND_ARRAY || type->kind == MACRO_TYPE_KIND_UNION) {
		(void)wrong(reading, m->at->name, "an array of '%s' has no form on the wire",
			    type->spelling);
		cell_macro_note(reading->work, "use \"size_t n_%s;\" and a pointer", m->at->name);
		return false;
	}
	field->is_repeated = field->is_packed = true;
	return no_presence(reading, m, "an array is always there") &&
	       scalar_read(reading, m->at->name, element, field);
}

static bool map_check(struct reading *reading, const struct member *m, struct gen_field *field)
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

static bool member_read(struct reading *reading, const struct member *m, struct gen_field *field)
{
	const char *name = m->at->name;

	*field = (struct gen_field){ .name = name, .member = name, .origin = origin_of(m->at->doc) };
	if (m->at->bits) {
		(void)wrong(reading, name, "bit-fields have no place of their own");
		return note(reading, m->at->bits == 1 ? "use bool" : "use uint32_t");
	}
	switch (m->type->kind) {
	case MACRO_TYPE_KIND_POINTER:
		return pointer_read(reading, m, field) && map_check(reading, m, field);
	case MACRO_TYPE_KIND_ARRAY: return array_read(reading, m, field);
	case MACRO_TYPE_KIND_STRUCT:
		field->is_inside = true;
		return no_count(reading, m, "use a pointer") &&
		       no_presence(reading, m, "use a pointer: NULL says that it is absent") &&
		       message_field(reading, name, m->at->type, field);
	case MACRO_TYPE_KIND_UNION:
		(void)wrong(reading, name, "a union does not say which of its members is meant");
		return note(reading, "use a pointer for each, of which one is not NULL");
	default:
		field->has_presence = m->has_presence;
		return no_count(reading, m, "leave it out") &&
		       scalar_read(reading, name, m->at->type, field);
	}
}

/* --- a struct --------------------------------------------------------------------------- */

static bool is_named(const struct macro_member *member, const char *name)
{
	return strcmp(member->name, name) == 0;
}

static bool has_member(const struct macro_type *type, const char *name)
{
	for (size_t i = 0; i < type->n_members; i++)
		if (is_named(&type->members[i], name))
			return true;
	return false;
}

static bool is_size(struct reading *reading, const struct macro_member *member)
{
	const struct macro_type *type = cell_macro_type(reading->work, member->type);

	return type && type->kind == MACRO_TYPE_KIND_TYPEDEF && strcmp(type->tag, "size_t") == 0;
}

static bool is_bool(struct reading *reading, const struct macro_member *member)
{
	const struct macro_type *type = cell_macro_plain_type(reading->work, member->type);

	return type && type->kind == MACRO_TYPE_KIND_BOOL;
}

/*
 * Member I of TYPE, together with the has_ and n_ before it; *I becomes the last of them.
 * False after a refusal.
 */
static bool member_next(struct reading *reading, const struct macro_type *type, size_t *i,
			struct member *ret)
{
	const struct macro_member *at = &type->members[*i];

	*ret = (struct member){ .at = at };
	if (!*at->name) {
		(void)wrong(reading, at->name, "a member without a name has no name on the wire");
		return note(reading, "give it one");
	}
	if (strncmp(at->name, "has_", 4) == 0 && is_bool(reading, at)) {
		const char *name = at->name + 4;
		bool follows = *i + 1 < type->n_members && is_named(at + 1, name);

		follows |= *i + 2 < type->n_members && is_named(at + 2, name) &&
			   strncmp(at[1].name, "n_", 2) == 0 && is_named(at + 2, at[1].name + 2);
		if (!follows && has_member(type, name)) {
			(void)wrong(reading, at->name, "'%s' must stand directly before '%s'",
				    at->name, name);
			return false;
		}
		if (follows) {
			ret->has_presence = true;
			at = &type->members[++*i];
		}
	}
	if (strncmp(at->name, "n_", 2) == 0 && is_size(reading, at)) {
		const char *name = at->name + 2;

		if (*i + 1 < type->n_members && is_named(at + 1, name)) {
			ret->has_count = true;
			at = &type->members[++*i];
		} else if (has_member(type, name)) {
			return wrong(reading, at->name, "'%s' must stand directly before '%s'",
				     at->name, name);
		}
	}
	ret->at = at;
	ret->type = cell_macro_plain_type(reading->work, at->type);
	return ret->type || wrong(reading, at->name, "its type is not known");
}

static void fields_read(struct reading *reading, const struct macro_type *type,
			struct gen_message *m)
{
	m->fields = gen_take(type->n_members * sizeof *m->fields);
	for (size_t i = 0; i < type->n_members; i++) {
		struct member member;

		if (member_next(reading, type, &i, &member) &&
		    member_read(reading, &member, &m->fields[m->n_fields]))
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
