#include "rules.h"

#include <assert.h>
#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

/* Structs within structs within …; a schema does not recurse, so this is far off. */
#define DEPTH_MAX 16

/* What one value of a guarded member is. */
enum what {
	WHAT_OTHER,
	WHAT_SIGNED,
	WHAT_UNSIGNED,
	WHAT_FLOAT,
	WHAT_ENUM,
	WHAT_STRING,     /* const char * */
	WHAT_CHARACTERS, /* char [N] */
	WHAT_BYTES,      /* n_x and const uint8_t * */
	WHAT_STRUCT
};

/* A member as the conventions of cell-message(7) see it. */
struct subject {
	const struct macro_member *member;
	const struct macro_type *type;  /* the member's own, without typedefs */
	const struct macro_type *value; /* of one item */
	enum what what;
	bool has_presence; /* `bool has_x` stands before it */
	bool is_repeated;  /* `size_t n_x` stands before it */
	bool is_pointer;   /* to one struct: NULL = absent */
};

/* ---- members --------------------------------------------------------------------------- */

static bool is_named(const struct macro_member *member, const char *prefix, const char *name)
{
	size_t len = strlen(prefix);

	return strncmp(member->name, prefix, len) == 0 && strcmp(member->name + len, name) == 0;
}

static enum what what_of(const struct macro_type *type)
{
	switch (type ? type->kind : MACRO_TYPE_KIND_UNKNOWN) {
	case MACRO_TYPE_KIND_SIGNED:
		return WHAT_SIGNED;
	case MACRO_TYPE_KIND_UNSIGNED:
		return WHAT_UNSIGNED;
	case MACRO_TYPE_KIND_FLOAT:
		return WHAT_FLOAT;
	case MACRO_TYPE_KIND_ENUM:
		return WHAT_ENUM;
	case MACRO_TYPE_KIND_STRUCT:
		return WHAT_STRUCT;
	default:
		return WHAT_OTHER;
	}
}

static bool is_char(struct cell_macro_work *work, uint32_t type)
{
	const struct macro_type *plain = cell_macro_plain_type(work, type);

	return plain && plain->kind == MACRO_TYPE_KIND_CHAR;
}

static bool is_byte(const struct macro_type *type)
{
	return type && type->kind == MACRO_TYPE_KIND_UNSIGNED && type->size == 1;
}

static struct subject subject_of(struct cell_macro_work *work, const struct macro_type *type,
				 size_t i)
{
	struct subject s = { .member = &type->members[i] };
	const struct macro_member *before = i ? &type->members[i - 1] : NULL;

	s.type = s.value = cell_macro_plain_type(work, s.member->type);
	s.has_presence = before && is_named(before, "has_", s.member->name);
	s.is_repeated = before && is_named(before, "n_", s.member->name);
	if (s.type && s.type->kind == MACRO_TYPE_KIND_ARRAY && is_char(work, s.type->element)) {
		s.what = WHAT_CHARACTERS;
		return s;
	}
	if (!s.type || s.type->kind != MACRO_TYPE_KIND_POINTER) {
		s.what = what_of(s.type);
		return s;
	}
	if (!s.is_repeated && is_char(work, s.type->element)) {
		s.what = WHAT_STRING;
		return s;
	}
	s.value = cell_macro_plain_type(work, s.type->element);
	if (s.is_repeated && is_byte(s.value)) {
		s.what = WHAT_BYTES;
	} else if (s.is_repeated && s.value && s.value->kind == MACRO_TYPE_KIND_POINTER &&
		   is_char(work, s.value->element)) {
		s.what = WHAT_STRING;
	} else {
		s.what = what_of(s.value);
		s.is_pointer = !s.is_repeated;
	}
	return s;
}

/* ---- which guards there are ------------------------------------------------------------- */

static bool is_guard(const struct macro_attribute *attribute)
{
	return strcmp(attribute->ns, "validate") == 0;
}

bool rules_are_on(const struct macro_type *type)
{
	for (size_t i = 0; i < type->n_members; i++)
		for (size_t a = 0; a < type->members[i].n_attributes; a++)
			if (is_guard(&type->members[i].attributes[a]))
				return true;
	return false;
}

bool rules_want_email(const struct macro_type *type)
{
	for (size_t i = 0; i < type->n_members; i++)
		if (cell_macro_find(type->members[i].attributes, type->members[i].n_attributes,
				    "validate", "email"))
			return true;
	return false;
}

/* ---- whether they make sense -------------------------------------------------------------- */

static bool is_number(const struct macro_value *value)
{
	return value->kind == MACRO_VALUE_KIND_INTEGER || value->kind == MACRO_VALUE_KIND_FLOAT;
}

static double number_of(const struct macro_value *value)
{
	return value->kind == MACRO_VALUE_KIND_FLOAT ? strtod(value->text, NULL)
						     : (double)value->integer;
}

static int range_check(struct cell_macro_work *work, const struct subject *s,
		       const struct macro_attribute *mine)
{
	const struct macro_value *bounds[2] = { cell_macro_argument(work, mine, "min"),
						cell_macro_argument(work, mine, "max") };
	int n = 0;

	if (s->what != WHAT_SIGNED && s->what != WHAT_UNSIGNED && s->what != WHAT_FLOAT) {
		(void)cell_macro_refuse(work, mine, NULL, "'%s' is not a number", s->member->name);
		cell_macro_note(work, "strings and repeated members have validate::length");
		return CELL_INVALID_ARGUMENT;
	}
	for (int i = 0; i < 2; i++) {
		if (!bounds[i] || bounds[i]->kind == MACRO_VALUE_KIND_NULL)
			continue;
		n++;
		if (!is_number(bounds[i]))
			return cell_macro_refuse(work, mine, bounds[i], "a bound is a number, or null");
		if (bounds[i]->kind == MACRO_VALUE_KIND_FLOAT && s->what != WHAT_FLOAT)
			return cell_macro_refuse(work, mine, bounds[i],
						 "'%s' is an integer, and so are its bounds",
						 s->member->name);
		if (s->what == WHAT_UNSIGNED && bounds[i]->integer < 0)
			return cell_macro_refuse(work, mine, bounds[i], "'%s' is never negative",
						 s->member->name);
	}
	if (!n)
		return cell_macro_refuse(work, mine, NULL, "validate::range without a bound");
	if (n == 2 && number_of(bounds[0]) > number_of(bounds[1]))
		return cell_macro_refuse(work, mine, bounds[1],
					 "nothing is within these bounds: the first is the larger");
	return 0;
}

static int length_check(struct cell_macro_work *work, const struct subject *s,
			const struct macro_attribute *mine)
{
	int64_t min = cell_macro_integer(work, mine, "min", 0);
	int64_t max = cell_macro_integer(work, mine, "max", INT64_MAX);

	if (!s->is_repeated && s->what != WHAT_STRING && s->what != WHAT_CHARACTERS) {
		(void)cell_macro_refuse(work, mine, NULL, "'%s' has no length", s->member->name);
		cell_macro_note(work, "numbers have validate::range");
		return CELL_INVALID_ARGUMENT;
	}
	if (min < 0 || max < 0)
		return cell_macro_refuse(work, mine,
					 cell_macro_argument(work, mine, min < 0 ? "min" : "max"),
					 "a length is never negative");
	if (min > max)
		return cell_macro_refuse(work, mine, cell_macro_argument(work, mine, "max"),
					 "nothing is as long: the first bound is the larger");
	if (s->what == WHAT_CHARACTERS && (uint64_t)min > s->type->length)
		return cell_macro_refuse(work, mine, cell_macro_argument(work, mine, "min"),
					 "'%s' has room for %llu bytes", s->member->name,
					 (unsigned long long)s->type->length);
	return 0;
}

static int email_check(struct cell_macro_work *work, const struct subject *s,
		       const struct macro_attribute *mine)
{
	if (s->what == WHAT_STRING)
		return 0;
	return cell_macro_refuse(work, mine, NULL, "'%s' is not a string", s->member->name);
}

static bool has_enumerator(const struct macro_type *type, const char *name)
{
	for (size_t i = 0; i < type->n_enumerators; i++)
		if (strcmp(type->enumerators[i].name, name) == 0)
			return true;
	return false;
}

static int one_of_check(struct cell_macro_work *work, const struct subject *s,
			const struct macro_attribute *mine)
{
	const struct macro_value *value = NULL;
	bool is_text = s->what == WHAT_STRING || s->what == WHAT_CHARACTERS;

	if (!is_text && s->what != WHAT_ENUM && s->what != WHAT_SIGNED && s->what != WHAT_UNSIGNED)
		return cell_macro_refuse(work, mine, NULL,
					 "'%s' is neither a string, an integer nor an enum",
					 s->member->name);
	if (!cell_macro_next(mine, NULL, NULL))
		return cell_macro_refuse(work, mine, NULL, "validate::one_of lists nothing");
	while ((value = cell_macro_next(mine, NULL, value))) {
		if (value->name && *value->name)
			return cell_macro_refuse(work, mine, value,
						 "validate::one_of takes values without names");
		if (is_text && value->kind != MACRO_VALUE_KIND_STRING)
			return cell_macro_refuse(work, mine, value, "'%s' is a string, this is not",
						 s->member->name);
		if (s->what == WHAT_ENUM && value->kind != MACRO_VALUE_KIND_IDENTIFIER)
			return cell_macro_refuse(work, mine, value,
						 "'%s' is an enum: name its values", s->member->name);
		if (s->what == WHAT_ENUM && !has_enumerator(s->value, value->text))
			return cell_macro_refuse(work, mine, value, "enum %s has no '%s'",
						 s->value->tag, value->text);
		if (!is_text && s->what != WHAT_ENUM && value->kind != MACRO_VALUE_KIND_INTEGER)
			return cell_macro_refuse(work, mine, value, "'%s' is an integer, this is not",
						 s->member->name);
		if (s->what == WHAT_UNSIGNED && value->integer < 0)
			return cell_macro_refuse(work, mine, value, "'%s' is never negative",
						 s->member->name);
	}
	return 0;
}

static const struct rule {
	const char *name;
	int (*check)(struct cell_macro_work *work, const struct subject *s,
		     const struct macro_attribute *mine);
} rules[] = {
	{ "range", range_check },
	{ "length", length_check },
	{ "email", email_check },
	{ "one_of", one_of_check },
};

static bool stands_on(const struct macro_member *member, const struct macro_attribute *mine)
{
	for (size_t a = 0; a < member->n_attributes; a++)
		if (member->attributes[a].id == mine->id)
			return true;
	return false;
}

int rules_check(struct cell_macro_work *work, const struct macro_type *type,
		const struct macro_attribute *mine)
{
	for (size_t i = 0; type && i < type->n_members; i++) {
		struct subject s;

		if (!stands_on(&type->members[i], mine))
			continue;
		s = subject_of(work, type, i);
		for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++)
			if (strcmp(rules[r].name, mine->name) == 0)
				return rules[r].check(work, &s, mine);
	}
	return cell_macro_refuse(work, mine, NULL, "validate::%s is for members of a struct",
				 mine->name);
}

/* ---- the C that checks ---------------------------------------------------------------------- */

/* Where the text goes, and what the member is called in it and in messages. */
struct place {
	struct cell_macro_work *work;
	struct cell_piece *piece;
	const char *tag;
	const char *indent;
	const char *at;   /* "it->", "it->inner." */
	const char *name; /* "", "inner." */
	int depth;
};

/* What counts the items of a repeated member: another one at each depth. */
static const char *counter_of(const struct place *p)
{
	return cell_macro_printf(p->work, "%c", "ijklmnopqrstuvwxyz"[p->depth]);
}

static_assert(DEPTH_MAX < sizeof "ijklmnopqrstuvwxyz" - 1, "a counter for each depth");

/* One value in C: the member, or item `cell_i` of it. */
static const char *value_of(const struct place *p, const struct subject *s)
{
	return cell_macro_printf(p->work, "%s%s%s", p->at, s->member->name,
				 s->is_repeated && s->what != WHAT_BYTES
					 ? cell_macro_printf(p->work, "[cell_%s]", counter_of(p))
					 : "");
}

static void put_refusal(const struct place *p, const struct subject *s, const char *text,
			const char *arguments)
{
	cell_piece_put(p->piece,
		       "%s\treturn cell_refuse(call, CELL_INVALID_ARGUMENT, \"%s%s: %s\"%s);\n",
		       p->indent, p->name, s->member->name, text, arguments);
}

/* How a number of this member is printed, and the cast that goes with it. */
static const char *format_of(const struct subject *s)
{
	return s->what == WHAT_FLOAT ? "%g" : s->what == WHAT_UNSIGNED ? "%llu" : "%lld";
}

static const char *cast_of(const struct subject *s)
{
	return s->what == WHAT_FLOAT	  ? "(double)"
	       : s->what == WHAT_UNSIGNED ? "(unsigned long long)"
					  : "(long long)";
}

/* A bound as C has it: INT64_MIN is no literal. */
static const char *bound_of(const struct place *p, const struct macro_value *value)
{
	if (value->kind == MACRO_VALUE_KIND_FLOAT)
		return cell_macro_printf(p->work, "%s", value->text);
	if (value->integer == INT64_MIN)
		return "(-9223372036854775807LL - 1)";
	return cell_macro_printf(p->work, "%lldLL", (long long)value->integer);
}

static void put_range(const struct place *p, const struct subject *s,
		      const struct macro_attribute *mine)
{
	const struct macro_value *min = cell_macro_argument(p->work, mine, "min");
	const struct macro_value *max = cell_macro_argument(p->work, mine, "max");
	const char *value = value_of(p, s);
	const char *unsign = s->what == WHAT_UNSIGNED ? "(unsigned long long)" : "";
	const char *text;
	bool has_min, has_max;

	min = min && min->kind != MACRO_VALUE_KIND_NULL ? min : NULL;
	max = max && max->kind != MACRO_VALUE_KIND_NULL ? max : NULL;
	/* Of an unsigned number "at least 0" says nothing, and compilers say so. */
	has_min = min && !(s->what == WHAT_UNSIGNED && min->integer == 0);
	has_max = max != NULL;
	if (!has_min && !has_max)
		return;
	/* Claims that hold, negated: a NaN fails them. */
	cell_piece_put(p->piece, "%sif (!(", p->indent);
	if (has_min)
		cell_piece_put(p->piece, "%s >= %s%s", value, unsign, bound_of(p, min));
	if (has_max)
		cell_piece_put(p->piece, "%s%s <= %s%s", has_min ? " && " : "", value, unsign,
			       bound_of(p, max));
	cell_piece_put(p->piece, "))\n");
	if (min && max)
		text = cell_macro_printf(p->work, "%s is not within %s and %s", format_of(s),
					 min->kind == MACRO_VALUE_KIND_FLOAT
						 ? min->text
						 : cell_macro_printf(p->work, "%lld",
								     (long long)min->integer),
					 max->kind == MACRO_VALUE_KIND_FLOAT
						 ? max->text
						 : cell_macro_printf(p->work, "%lld",
								     (long long)max->integer));
	else
		text = cell_macro_printf(p->work, "%s is %s than %s", format_of(s),
					 min ? "less" : "more",
					 (min ? min : max)->kind == MACRO_VALUE_KIND_FLOAT
						 ? (min ? min : max)->text
						 : cell_macro_printf(p->work, "%lld",
								     (long long)(min ? min : max)->integer));
	put_refusal(p, s, text, cell_macro_printf(p->work, ", %s%s", cast_of(s), value));
}

/* An expression for the bytes of a string. */
static const char *string_length(const struct place *p, const struct subject *s)
{
	const char *value = value_of(p, s);

	if (s->what == WHAT_CHARACTERS)
		return cell_macro_printf(p->work,
					 "(__builtin_memchr(%s, 0, %llu) ? __builtin_strlen(%s) : %lluu)",
					 value, (unsigned long long)s->type->length, value,
					 (unsigned long long)s->type->length);
	return cell_macro_printf(p->work, "__builtin_strlen(%s)", value);
}

/* A statement about the length: of a string, or the count of a repeated member. */
static void put_length(const struct place *p, const struct subject *s,
		       const struct macro_attribute *mine)
{
	long long min = cell_macro_integer(p->work, mine, "min", 0);
	long long max = cell_macro_integer(p->work, mine, "max", INT64_MAX);
	bool is_counted = s->is_repeated;
	const char *length = is_counted ? cell_macro_printf(p->work, "%sn_%s", p->at, s->member->name)
					: string_length(p, s);
	const char *unit = is_counted && s->what != WHAT_BYTES ? "items" : "bytes";
	const char *text;

	if (min <= 0 && max == INT64_MAX)
		return;
	cell_piece_put(p->piece, "%sif (", p->indent);
	if (min > 0)
		cell_piece_put(p->piece, "%s < %lldu", length, min);
	if (max != INT64_MAX)
		cell_piece_put(p->piece, "%s%s > %lldu", min > 0 ? " || " : "", length, max);
	cell_piece_put(p->piece, ")\n");
	if (min > 0 && max != INT64_MAX)
		text = cell_macro_printf(p->work, "%%zu %s, not %lld to %lld", unit, min, max);
	else
		text = cell_macro_printf(p->work, "%%zu %s, at %s %lld", unit,
					 min > 0 ? "least" : "most", min > 0 ? min : max);
	put_refusal(p, s, text, cell_macro_printf(p->work, ", (size_t)%s", length));
}

static void put_email(const struct place *p, const struct subject *s)
{
	const char *value = value_of(p, s);

	cell_piece_put(p->piece, "%sif (!cell_email_%s(%s))\n", p->indent, p->tag, value);
	put_refusal(p, s, "'%.80s' is no e-mail address",
		    cell_macro_printf(p->work, ", %s", value));
}

static void put_one_of(const struct place *p, const struct subject *s,
		       const struct macro_attribute *mine)
{
	const struct macro_value *value = NULL;
	const char *at = value_of(p, s);

	cell_piece_put(p->piece, "%sif (", p->indent);
	for (int i = 0; (value = cell_macro_next(mine, NULL, value)); i++) {
		cell_piece_put(p->piece, "%s", i ? " && " : "");
		if (s->what == WHAT_STRING) {
			cell_piece_put(p->piece, "__builtin_strcmp(%s, ", at);
			cell_piece_literal(p->piece, value->text);
			cell_piece_put(p->piece, ") != 0");
		} else if (s->what == WHAT_CHARACTERS) {
			cell_piece_put(p->piece, "__builtin_strncmp(%s, ", at);
			cell_piece_literal(p->piece, value->text);
			cell_piece_put(p->piece, ", %llu) != 0", (unsigned long long)s->type->length);
		} else {
			cell_piece_put(p->piece, "%s != %s", at,
				       s->what == WHAT_ENUM ? value->text : bound_of(p, value));
		}
	}
	cell_piece_put(p->piece, ")\n");
	if (s->what == WHAT_STRING || s->what == WHAT_CHARACTERS)
		put_refusal(p, s, "'%.80s' is not one of those that may be",
			    cell_macro_printf(p->work, ", %s", at));
	else
		put_refusal(p, s, "%lld is not one of those that may be",
			    cell_macro_printf(p->work, ", (long long)%s", at));
}

static void put_members(const struct place *p, const struct macro_type *type);

/* The items of a nested struct: by its own function if it has one, else here. */
static void put_struct(const struct place *p, const struct subject *s)
{
	const char *value = value_of(p, s);
	struct place inner = *p;

	if (rules_are_on(s->value)) {
		cell_piece_put(p->piece,
			       "%s{\n%s\tint cell_err = %s_check(call, %s%s);\n\n"
			       "%s\tif (cell_err)\n%s\t\treturn cell_err;\n%s}\n",
			       p->indent, p->indent, s->value->tag,
			       s->is_pointer ? "" : "&", value,
			       p->indent, p->indent, p->indent);
		return;
	}
	if (p->depth == DEPTH_MAX)
		return;
	inner.at = cell_macro_printf(p->work, "%s%s", value, s->is_pointer ? "->" : ".");
	inner.name = cell_macro_printf(p->work, "%s%s.", p->name, s->member->name);
	inner.depth++;
	put_members(&inner, s->value);
}

/* Whether there is anything to check below TYPE, itself included. */
static bool is_guarded_below(struct cell_macro_work *work, const struct macro_type *type, int depth)
{
	if (rules_are_on(type))
		return true;
	for (size_t i = 0; depth < DEPTH_MAX && i < type->n_members; i++) {
		struct subject s = subject_of(work, type, i);

		if (s.what == WHAT_STRUCT && is_guarded_below(work, s.value, depth + 1))
			return true;
	}
	return false;
}

bool rules_are_below(struct cell_macro_work *work, const struct macro_type *type)
{
	return is_guarded_below(work, type, 0);
}

static void put_guards(const struct place *p, const struct subject *s, bool of_items)
{
	for (size_t a = 0; a < s->member->n_attributes; a++) {
		const struct macro_attribute *mine = &s->member->attributes[a];
		/* The length is the member's as a whole; all else is each item's. */
		bool is_length = strcmp(mine->name, "length") == 0;

		if (!is_guard(mine) || (s->is_repeated && is_length == of_items))
			continue;
		cell_piece_from_member(p->piece, s->member->name);
		if (is_length)
			put_length(p, s, mine);
		else if (strcmp(mine->name, "range") == 0)
			put_range(p, s, mine);
		else if (strcmp(mine->name, "email") == 0)
			put_email(p, s);
		else if (strcmp(mine->name, "one_of") == 0)
			put_one_of(p, s, mine);
	}
}

/* Whether a guard is on the member; of a repeated one, on its items. */
static bool has_guards(const struct subject *s)
{
	for (size_t a = 0; a < s->member->n_attributes; a++)
		if (is_guard(&s->member->attributes[a]) &&
		    !(s->is_repeated && strcmp(s->member->attributes[a].name, "length") == 0))
			return true;
	return false;
}

static void put_member(const struct place *p, const struct subject *s)
{
	bool is_nested = s->what == WHAT_STRUCT && is_guarded_below(p->work, s->value, 0);
	struct place inner = *p;

	if (s->is_repeated) {
		put_guards(p, s, false);
		if (s->what == WHAT_BYTES || (!is_nested && !has_guards(s)))
			return;
		cell_piece_template(p->piece,
				    "$indent$for (size_t cell_$i$ = 0; cell_$i$ < $at$n_$name$; cell_$i$++) {\n",
				    (const char *const[]){ "indent", p->indent, "i", counter_of(p),
							   "at", p->at, "name", s->member->name,
							   NULL });
	} else if (s->has_presence && has_guards(s)) {
		cell_piece_put(p->piece, "%sif (%shas_%s) {\n", p->indent, p->at, s->member->name);
	} else if (s->is_pointer && is_nested) {
		cell_piece_put(p->piece, "%sif (%s%s) {\n", p->indent, p->at, s->member->name);
	} else {
		put_guards(p, s, false);
		if (is_nested)
			put_struct(p, s);
		return;
	}
	inner.indent = cell_macro_printf(p->work, "%s\t", p->indent);
	put_guards(&inner, s, true);
	if (is_nested)
		put_struct(&inner, s);
	cell_piece_put(p->piece, "%s}\n", p->indent);
}

static void put_members(const struct place *p, const struct macro_type *type)
{
	for (size_t i = 0; i < type->n_members; i++) {
		struct subject s = subject_of(p->work, type, i);

		put_member(p, &s);
	}
}

void rules_put_checks(struct cell_macro_work *work, struct cell_piece *piece,
		      const struct macro_type *type, const char *tag)
{
	const struct place p = { .work = work, .piece = piece, .tag = tag,
				 .indent = "\t", .at = "it->", .name = "" };

	put_members(&p, type);
}

void rules_put_email(struct cell_piece *piece, const char *tag)
{
	cell_piece_template(
		piece,
		"static inline bool cell_email_$tag$(const char *text)\n"
		"{\n"
		"\tconst char *at = __builtin_strchr(text, '@');\n"
		"\tsize_t len = __builtin_strlen(text);\n"
		"\tconst char *dot;\n"
		"\n"
		"\tif (!at || at == text || __builtin_strchr(at + 1, '@') || len > 254)\n"
		"\t\treturn false;\n"
		"\tfor (const char *c = text; *c; c++)\n"
		"\t\tif ((unsigned char)*c <= ' ' || *c == 127 || *c == ',' || *c == ';')\n"
		"\t\t\treturn false;\n"
		"\tdot = __builtin_strrchr(at, '.');\n"
		"\treturn dot && dot > at + 1 && dot[1];\n"
		"}\n\n",
		(const char *const[]){ "tag", tag, NULL });
}
