/*
 * Members of structs. What one is follows from its type and from the `bool has_x` or
 * `size_t n_x` that stands directly before it; everything that has no one meaning on the wire
 * is refused with the type to use instead.
 */
#include <cell/macro.h>

#include <cell/cell.h>
#include <string.h>

struct reader {
	struct cell_macro_work *work;
	struct cell_macro_member *m;
	const struct macro_type *type; /* of the member, behind typedefs */
};

#define WRONG(reader, ...)                                                                   \
	cell_macro_refuse_member((reader)->work, (reader)->m->at->name, __VA_ARGS__)

static int note(struct reader *r, const char *text)
{
	cell_macro_note(r->work, "%s", text);
	return CELL_INVALID_ARGUMENT;
}

/* --- scalars ------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum cell_member_kind kind;
} fixed_names[] = {
	{ "int32_t", CELL_MEMBER_INT32 },
	{ "uint32_t", CELL_MEMBER_UINT32 },
	{ "int64_t", CELL_MEMBER_INT64 },
	{ "uint64_t", CELL_MEMBER_UINT64 },
};

/* The first typedef on the way says what the user wrote; a fixed one settles the kind. */
static bool fixed_kind(struct reader *r, uint32_t index, enum cell_member_kind *ret,
		       const char **ret_name)
{
	const struct macro_type *type = cell_macro_type(r->work, index);

	*ret_name = type && type->kind == MACRO_TYPE_KIND_TYPEDEF ? type->tag : NULL;
	while (type && type->kind == MACRO_TYPE_KIND_TYPEDEF) {
		for (size_t i = 0; i < sizeof fixed_names / sizeof *fixed_names; i++)
			if (strcmp(type->tag, fixed_names[i].name) == 0) {
				*ret = fixed_names[i].kind;
				return true;
			}
		type = cell_macro_type(r->work, type->element);
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

static int integer_read(struct reader *r, uint32_t index, const struct macro_type *type)
{
	const bool is_signed = type->kind == MACRO_TYPE_KIND_SIGNED;
	const char *name;

	if (fixed_kind(r, index, &r->m->kind, &name))
		return 0;
	name = bare(name);
	if (type->size < 4) {
		(void)WRONG(r, "'%s' is smaller than any number on the wire", name);
		return note(r, is_signed ? "use int32_t" : "use uint32_t");
	}
	/* What was a typedef, or has a size of the platform's choice, says so now. */
	if (strncmp(bare(type->spelling), "long long", 9) == 0 ||
	    strncmp(bare(type->spelling), "unsigned long long", 18) == 0) {
		r->m->kind = is_signed ? CELL_MEMBER_INT64 : CELL_MEMBER_UINT64;
		return 0;
	}
	if (type->size == 4 && !strstr(type->spelling, "long")) {
		r->m->kind = is_signed ? CELL_MEMBER_INT32 : CELL_MEMBER_UINT32;
		return 0;
	}
	if (type->size > 8) {
		(void)WRONG(r, "'%s' is larger than any number on the wire", name);
		return note(r, "use uint8_t x[16] for its bytes");
	}
	(void)WRONG(r, "'%s' has no fixed size on the wire", name);
	return note(r, is_signed ? "use int64_t" : "use uint64_t");
}

/* The typedef's name of an enum that has no tag of its own. */
static const char *typedef_of(struct reader *r, uint32_t index)
{
	const struct macro_type *type = cell_macro_type(r->work, index), *last = NULL;

	for (; type && type->kind == MACRO_TYPE_KIND_TYPEDEF;
	     type = cell_macro_type(r->work, type->element))
		last = type;
	return last ? last->tag : NULL;
}

static int enum_read(struct reader *r, uint32_t index, const struct macro_type *type)
{
	r->m->enum_name = *type->tag ? type->tag : typedef_of(r, index);
	if (!r->m->enum_name) {
		(void)WRONG(r, "its enum has no name");
		return note(r, "give it a tag: enum kind { … }");
	}
	if (!type->n_enumerators || type->enumerators[0].value != 0) {
		if (type->n_enumerators)
			(void)WRONG(r, "the first value of %s is %lld; what is not set is 0",
				    type->spelling, (long long)type->enumerators[0].value);
		else
			(void)WRONG(r, "%s is not defined here", type->spelling);
		return note(r, "put an enumerator with the value 0 first");
	}
	for (size_t i = 0; i < type->n_enumerators; i++)
		if (type->enumerators[i].value < INT32_MIN ||
		    type->enumerators[i].value > INT32_MAX)
			return WRONG(r, "%s = %lld does not fit 32 bits",
				     type->enumerators[i].name,
				     (long long)type->enumerators[i].value);
	r->m->kind = CELL_MEMBER_ENUM;
	return 0;
}

/* A number, bool or enum. */
static int scalar_read(struct reader *r, uint32_t index)
{
	const struct macro_type *type = cell_macro_plain_type(r->work, index);

	r->m->value = index;
	switch (type->kind) {
	case MACRO_TYPE_KIND_BOOL: r->m->kind = CELL_MEMBER_BOOL; return 0;
	case MACRO_TYPE_KIND_SIGNED:
	case MACRO_TYPE_KIND_UNSIGNED: return integer_read(r, index, type);
	case MACRO_TYPE_KIND_ENUM: return enum_read(r, index, type);
	case MACRO_TYPE_KIND_FLOAT:
		if (type->size == 4 || (type->size == 8 && !strstr(type->spelling, "long"))) {
			r->m->kind = type->size == 4 ? CELL_MEMBER_FLOAT : CELL_MEMBER_DOUBLE;
			return 0;
		}
		(void)WRONG(r, "'%s' has no form on the wire", bare(type->spelling));
		return note(r, "use double");
	case MACRO_TYPE_KIND_CHAR:
		(void)WRONG(r, "'char' is neither text nor a number on the wire");
		return note(r,
			    "use char x[N] or const char * for text, int32_t for a number");
	default:
		(void)WRONG(r, "'%s' has no form on the wire", type->spelling);
		return note(r, "use a number, bool, enum, text, bytes or a message");
	}
}

/* --- has_ and n_ --------------------------------------------------------------------- */

static int needs_count(struct reader *r)
{
	if (r->m->count)
		return 0;
	(void)WRONG(r, "'%s' needs its count", r->m->at->name);
	cell_macro_note(r->work, "put \"size_t n_%s;\" before it", r->m->at->name);
	return CELL_INVALID_ARGUMENT;
}

static int no_presence(struct reader *r, const char *instead)
{
	if (!r->m->has)
		return 0;
	(void)WRONG(r, "'has_%s' says nothing here", r->m->at->name);
	return note(r, instead);
}

static int no_count(struct reader *r, const char *instead)
{
	if (!r->m->count)
		return 0;
	(void)WRONG(r, "'n_%s' counts nothing: '%s' is no list", r->m->at->name,
		    r->m->at->name);
	return note(r, instead);
}

static int a_list(struct reader *r)
{
	int err = needs_count(r);

	r->m->is_repeated = true;
	return err ? err : no_presence(r, "an empty list is none");
}

/* --- pointers and arrays ------------------------------------------------------------- */

static bool is_byte(const struct macro_type *type)
{
	return type->kind == MACRO_TYPE_KIND_UNSIGNED && type->size == 1;
}

static bool is_const(struct reader *r, uint32_t index)
{
	const struct macro_type *type = cell_macro_type(r->work, index);

	return (type && type->is_const) || cell_macro_plain_type(r->work, index)->is_const;
}

static const char *own_spelling(struct reader *r)
{
	return cell_macro_type(r->work, r->m->at->type)->spelling;
}

static int must_be(struct reader *r, const char *use)
{
	(void)WRONG(r, "'%s' could be written through", own_spelling(r));
	cell_macro_note(r->work, "use %s%s", use, r->m->at->name);
	return CELL_INVALID_ARGUMENT;
}

static int strings_read(struct reader *r, const struct macro_type *inner)
{
	const struct macro_type *text = cell_macro_plain_type(r->work, inner->element);

	if (!text || text->kind != MACRO_TYPE_KIND_CHAR) {
		(void)WRONG(r, "'%s' points to pointers", own_spelling(r));
		return note(r, "put what they point to into a message");
	}
	if (!is_const(r, inner->element) || !is_const(r, r->type->element))
		return must_be(r, "const char *const *");
	r->m->kind = CELL_MEMBER_TEXT;
	return a_list(r);
}

static int struct_pointer_read(struct reader *r, const struct macro_type *type)
{
	if (strcmp(type->tag, "cell_bytes") == 0) {
		r->m->kind = CELL_MEMBER_BYTES;
		r->m->is_repeated = true;
		return needs_count(r);
	}
	r->m->value = r->type->element;
	r->m->is_repeated = r->m->count != NULL;
	r->m->kind = r->m->count ? CELL_MEMBER_STRUCT : CELL_MEMBER_POINTER;
	return no_presence(r, "a pointer that is NULL says that it is absent");
}

static int pointer_read(struct reader *r)
{
	const uint32_t element = r->type->element;
	const struct macro_type *type = cell_macro_plain_type(r->work, element);
	int err;

	switch (type ? type->kind : MACRO_TYPE_KIND_VOID) {
	case MACRO_TYPE_KIND_CHAR:
		if (!is_const(r, element))
			return must_be(r, "const char *");
		r->m->kind = CELL_MEMBER_TEXT;
		return no_count(r, "text ends with a NUL; for bytes use const uint8_t *");
	case MACRO_TYPE_KIND_POINTER: return strings_read(r, type);
	case MACRO_TYPE_KIND_STRUCT: return struct_pointer_read(r, type);
	case MACRO_TYPE_KIND_UNSIGNED:
		if (!is_byte(type))
			break;
		if (!is_const(r, element))
			return must_be(r, "const uint8_t *");
		r->m->kind = CELL_MEMBER_BYTES;
		return needs_count(r);
	case MACRO_TYPE_KIND_BOOL:
	case MACRO_TYPE_KIND_SIGNED:
	case MACRO_TYPE_KIND_FLOAT:
	case MACRO_TYPE_KIND_ENUM: break;
	case MACRO_TYPE_KIND_VOID:
	default:
		(void)WRONG(r, "'%s' points to nothing that has a form on the wire",
			    own_spelling(r));
		return note(r, "use size_t n_x; const uint8_t *x; for bytes, or a message");
	}
	err = a_list(r);
	return err ? err : scalar_read(r, element);
}

static int use_pointer(struct reader *r)
{
	cell_macro_note(r->work, "use \"size_t n_%s;\" and a pointer", r->m->at->name);
	return CELL_INVALID_ARGUMENT;
}

static int array_read(struct reader *r)
{
	const uint32_t element = r->type->element;
	const struct macro_type *type = cell_macro_plain_type(r->work, element);
	int err;

	if (r->type->is_flexible || !r->type->length) {
		(void)WRONG(r, "'%s' has no length", r->m->at->name);
		return use_pointer(r);
	}
	err = no_count(r, "leave out the count, or use a pointer for a list");
	if (err)
		return err;
	if (!type)
		return WRONG(r, "its type is not known");
	r->m->length = r->type->length;
	if (type->kind == MACRO_TYPE_KIND_CHAR || is_byte(type)) {
		r->m->kind = is_byte(type) ? CELL_MEMBER_BLOCK : CELL_MEMBER_CHARS;
		return 0;
	}
	if (type->kind == MACRO_TYPE_KIND_STRUCT || type->kind == MACRO_TYPE_KIND_POINTER ||
	    type->kind == MACRO_TYPE_KIND_ARRAY || type->kind == MACRO_TYPE_KIND_UNION) {
		(void)WRONG(r, "an array of '%s' has no form on the wire", type->spelling);
		return use_pointer(r);
	}
	r->m->is_repeated = true;
	err = no_presence(r, "an array is always there");
	return err ? err : scalar_read(r, element);
}

/* --- one member ---------------------------------------------------------------------- */

static int type_read(struct reader *r)
{
	int err;

	if (r->m->at->bits) {
		(void)WRONG(r, "bit-fields have no place of their own");
		return note(r, r->m->at->bits == 1 ? "use bool" : "use uint32_t");
	}
	switch (r->type->kind) {
	case MACRO_TYPE_KIND_POINTER: return pointer_read(r);
	case MACRO_TYPE_KIND_ARRAY: return array_read(r);
	case MACRO_TYPE_KIND_STRUCT:
		r->m->kind = CELL_MEMBER_STRUCT;
		r->m->value = r->m->at->type;
		err = no_count(r, "use a pointer");
		return err ? err
			   : no_presence(r, "use a pointer: NULL says that it is absent");
	case MACRO_TYPE_KIND_UNION:
		(void)WRONG(r, "a union does not say which of its members is meant");
		return note(r, "use a pointer for each, of which one is not NULL");
	default:
		err = no_count(r, "leave it out");
		return err ? err : scalar_read(r, r->m->at->type);
	}
}

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

static bool is_presence(struct reader *r, const struct macro_member *member)
{
	const struct macro_type *type = cell_macro_plain_type(r->work, member->type);

	return strncmp(member->name, "has_", 4) == 0 && type &&
	       type->kind == MACRO_TYPE_KIND_BOOL;
}

static bool is_count(struct reader *r, const struct macro_member *member)
{
	const struct macro_type *type = cell_macro_type(r->work, member->type);

	return strncmp(member->name, "n_", 2) == 0 && type &&
	       type->kind == MACRO_TYPE_KIND_TYPEDEF && strcmp(type->tag, "size_t") == 0;
}

static int misplaced(struct reader *r, const char *name)
{
	return WRONG(r, "'%s' must stand directly before '%s'", r->m->at->name, name);
}

/* `has_x` at *I, with x or n_x and x behind it. */
static int presence_skip(struct reader *r, const struct macro_type *type, size_t *i)
{
	const struct macro_member *at = &type->members[*i];
	const char *name = at->name + 4;
	bool follows = *i + 1 < type->n_members && is_named(at + 1, name);

	follows |= *i + 2 < type->n_members && is_named(at + 2, name) &&
		   strncmp(at[1].name, "n_", 2) == 0 && is_named(at + 2, at[1].name + 2);
	if (!follows)
		return has_member(type, name) ? misplaced(r, name) : 0;
	r->m->has = at;
	r->m->at = &type->members[++*i];
	return 0;
}

static int count_skip(struct reader *r, const struct macro_type *type, size_t *i)
{
	const struct macro_member *at = &type->members[*i];
	const char *name = at->name + 2;

	if (*i + 1 >= type->n_members || !is_named(at + 1, name))
		return has_member(type, name) ? misplaced(r, name) : 0;
	r->m->count = at;
	r->m->at = &type->members[++*i];
	return 0;
}

static int pairs_skip(struct reader *r, const struct macro_type *type, size_t *i)
{
	int err = 0;

	if (is_presence(r, r->m->at))
		err = presence_skip(r, type, i);
	if (!err && is_count(r, r->m->at))
		err = count_skip(r, type, i);
	return err;
}

int cell_macro_member(struct cell_macro_work *work, const struct macro_type *type, size_t *i,
		      struct cell_macro_member *ret_member)
{
	struct cell_macro_member member = { .at = &type->members[*i] };
	struct reader r = { .work = work, .m = &member };
	int err = 0;

	if (!*member.at->name) {
		(void)WRONG(&r, "a member without a name has no name on the wire");
		err = note(&r, "give it one");
	}
	if (!err)
		err = pairs_skip(&r, type, i);
	++*i;
	if (err)
		return err;
	r.type = cell_macro_plain_type(work, member.at->type);
	err = r.type ? type_read(&r) : WRONG(&r, "its type is not known");
	if (!err)
		*ret_member = member;
	return err;
}
