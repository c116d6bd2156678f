/* Layout and descriptor. */
#include "emit.h"

#include <cell/cell.h>
#include <inttypes.h>
#include <string.h>

/* --- layout -------------------------------------------------------------------------- */

/* Whether somebody else may add members to the struct. */
static bool is_shared(const struct read *read)
{
	const struct macro_plan_request *request = cell_macro_request(read->work);

	for (size_t i = 0; i < request->n_attributes; i++)
		if (strcmp(request->attributes[i].ns, "cell") != 0 &&
		    strcmp(request->attributes[i].ns, read->provider->ns) != 0)
			return true;
	return false;
}

void emit_layout(struct text *out, const struct read *read)
{
	const struct macro_type *type = read->type;

	text_put(out, "_Static_assert(sizeof(struct %s) %s %" PRIu64, type->tag,
		 is_shared(read) ? ">=" : "==", type->size);
	for (size_t i = 0; i < type->n_members; i++)
		text_put(out, " &&\n\t__builtin_offsetof(struct %s, %s) == %" PRIu64,
			 type->tag, type->members[i].name, type->members[i].offset_bits / 8);
	text_put(out, ",\n\t\"struct %s is laid out otherwise than cellc saw it\");\n",
		 type->tag);
	text_put(out, "extern const struct cell_table cell_%s_table;\n", read->noun);
}

/* --- columns ------------------------------------------------------------------------- */

static const char *const kinds[] = {
	[CELL_MEMBER_BOOL] = "BOOL",      [CELL_MEMBER_INT32] = "INT32",
	[CELL_MEMBER_UINT32] = "UINT32",  [CELL_MEMBER_INT64] = "INT64",
	[CELL_MEMBER_UINT64] = "UINT64",  [CELL_MEMBER_FLOAT] = "FLOAT",
	[CELL_MEMBER_DOUBLE] = "DOUBLE",  [CELL_MEMBER_ENUM] = "ENUM",
	[CELL_MEMBER_TEXT] = "TEXT",      [CELL_MEMBER_CHARS] = "CHARS",
	[CELL_MEMBER_BYTES] = "BYTES",    [CELL_MEMBER_BLOCK] = "BLOCK",
	[CELL_MEMBER_STRUCT] = "MESSAGE",
};

static void put_flags(struct text *out, const struct table_column *c)
{
	const struct {
		bool is_set;
		const char *name;
	} flags[] = {
		{ c->repeated, "REPEATED" },
		{ c->serial, "SERIAL" },
		{ *c->computed, "COMPUTED" },
		{ strcmp(c->fallback, "now()") == 0, "NOW" },
		{ strcmp(c->fallback, "uuid()") == 0, "UUID" },
	};
	const char *before = "\n\t  .flags = ";

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (flags[i].is_set) {
			text_put(out, "%sCELL_COLUMN_%s", before, flags[i].name);
			before = " | ";
		}
	if (*before == ' ')
		text_add(out, ",");
}

/* BYTES as a string of C; LEN of them. */
static void put_string(struct text *out, const struct value *value)
{
	text_add(out, "\"");
	for (size_t i = 0; i < value->len; i++)
		if (value->bytes[i] < ' ' || strchr("\"\\?$\x7f", value->bytes[i]))
			text_put(out, "\\%03o", value->bytes[i]);
		else
			text_put(out, "%c", value->bytes[i]);
	text_add(out, "\"");
}

static void put_integer(struct text *out, const char *type, const struct value *value)
{
	if (value->kind == VALUE_UINT)
		text_put(out, "&(const %s){ %" PRIu64 "u }", type, value->natural);
	else if (value->integer == INT64_MIN)
		text_put(out, "&(const %s){ -%" PRId64 " - 1 }", type, INT64_MAX);
	else
		text_put(out, "&(const %s){ %" PRId64 " }", type, value->integer);
}

static void put_fallback(struct text *out, const struct read_column *c)
{
	const struct value *value = &c->fallback;

	text_add(out, "\n\t  .fallback = ");
	switch (c->member.kind) {
	case CELL_MEMBER_BOOL: text_put(out, "&(const _Bool){ %d }", value->boolean); break;
	case CELL_MEMBER_INT32: put_integer(out, "int32_t", value); break;
	case CELL_MEMBER_UINT32: put_integer(out, "uint32_t", value); break;
	case CELL_MEMBER_INT64: put_integer(out, "int64_t", value); break;
	case CELL_MEMBER_UINT64: put_integer(out, "uint64_t", value); break;
	case CELL_MEMBER_ENUM: put_integer(out, "int", value); break;
	case CELL_MEMBER_FLOAT:
		text_put(out, "&(const float){ (float)%a }", value->real);
		break;
	case CELL_MEMBER_DOUBLE: text_put(out, "&(const double){ %a }", value->real); break;
	case CELL_MEMBER_TEXT:
		text_add(out, "&(const char *const){ ");
		put_string(out, value);
		text_add(out, " }");
		break;
	case CELL_MEMBER_CHARS:
		text_put(out, "&(const char[%" PRIu64 "]){ ", c->member.length);
		put_string(out, value);
		text_add(out, " }");
		break;
	case CELL_MEMBER_BLOCK:
		text_put(out, "&(const uint8_t[%" PRIu64 "]){ ", c->member.length);
		for (size_t i = 0; i < value->len; i++)
			text_put(out, "%s%d", i ? ", " : "", value->bytes[i]);
		text_add(out, " }");
		break;
	case CELL_MEMBER_BYTES:
	case CELL_MEMBER_STRUCT:
	case CELL_MEMBER_POINTER:
	default: text_add(out, "0"); /* refused when it was read */
	}
	text_add(out, ",");
}

static void put_offset(struct text *out, const struct read *read, const char *field,
		       const struct macro_member *member)
{
	if (member)
		text_put(out, " .%s = __builtin_offsetof(struct %s, %s),", field, read->tag,
			 member->name);
	else
		text_put(out, " .%s = 0xffffffffu,", field);
}

static void put_column(struct text *out, const struct read *read, const struct read_column *c)
{
	text_put(out, "\t{ .name = \"%s\", .number = %u, .kind = CELL_COLUMN_%s,",
		 c->column.name, c->column.number, kinds[c->member.kind]);
	put_flags(out, &c->column);
	text_add(out, "\n\t ");
	put_offset(out, read, "offset", c->member.at);
	text_put(out, " .size = sizeof(((struct %s *)0)->%s),\n\t ", read->tag,
		 c->column.name);
	put_offset(out, read, "has_offset", c->member.has);
	put_offset(out, read, "count_offset", c->member.count);
	if (c->message)
		text_put(out, "\n\t  .message = &cell_%s_type,", c->message);
	if (c->has_fallback)
		put_fallback(out, c);
	text_add(out, " },\n");
}

void emit_columns(struct text *out, const struct read *read, const char *name)
{
	text_put(out, "static const struct cell_column %s[] = {\n", name);
	for (size_t i = 0; i < read->n_columns; i++)
		put_column(out, read, &read->columns[i]);
	text_add(out, "};\n");
}

/* --- the whole ----------------------------------------------------------------------- */

static void put_keys(struct text *out, const struct read *read)
{
	for (size_t i = 0; i < read->n_keys; i++) {
		const struct read_key *key = &read->keys[i];

		if (!key->n)
			continue;
		text_put(out, "static const uint16_t cell_%s_key_%zu[] = { ", read->noun, i);
		for (size_t k = 0; k < key->n; k++)
			text_put(out, "%s%u", k ? ", " : "", key->columns[k]);
		text_add(out, " };\n");
	}
	text_put(out, "static const struct cell_table_key cell_%s_keys[] = {\n", read->noun);
	for (size_t i = 0; i < read->n_keys; i++) {
		const struct read_key *key = &read->keys[i];

		text_put(out, "\t{ .name = \"%s\", ",
			 emit_names(read, key, key->n, ", ", ", "));
		if (key->n)
			text_put(out, ".columns = cell_%s_key_%zu, .n = %u, ", read->noun, i,
				 key->n);
		text_put(out, ".is_unique = %d },\n", key->is_unique);
	}
	text_add(out, "};\n");
}

void emit_descriptor(struct text *out, const struct read *read, uint64_t version)
{
	const char *noun = read->noun;

	text_put(out, "static struct cell_ref cell_%s_ref = CELL_REF(\"%s\");\n", noun,
		 read->provider->cell);
	emit_columns(out, read, cell_macro_printf(read->work, "cell_%s_columns", noun));
	put_keys(out, read);
	text_put(out, "__attribute__((weak)) const struct cell_table cell_%s_table = {\n",
		 noun);
	text_put(out, "\t.ref = &cell_%s_ref,\n\t.store = ", noun);
	text_literal(out, read->store);
	text_put(out, ",\n\t.name = \"%s\",\n\t.version = 0x%016" PRIx64 "u,\n", read->name,
		 version);
	text_put(out, "\t.row_size = sizeof(struct %s),\n", read->tag);
	text_put(out, "\t.columns = cell_%s_columns,\n\t.n_columns = %zu,\n", noun,
		 read->n_columns);
	text_put(out, "\t.keys = cell_%s_keys,\n\t.n_keys = %zu,\n};\n", noun, read->n_keys);
}
