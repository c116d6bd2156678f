/*
 * What a message is on the wire, in a line: what another's idea of it is held against where
 * both are in one program (core/libcell/linked.c).
 */
#include <cell/internal/gen.h>

static const char *const kinds[] = {
	[GEN_INT32] = "int32",       [GEN_INT64] = "int64",       [GEN_UINT32] = "uint32",
	[GEN_UINT64] = "uint64",     [GEN_SINT32] = "sint32",     [GEN_SINT64] = "sint64",
	[GEN_FIXED32] = "fixed32",   [GEN_FIXED64] = "fixed64",   [GEN_SFIXED32] = "sfixed32",
	[GEN_SFIXED64] = "sfixed64", [GEN_FLOAT] = "float",       [GEN_DOUBLE] = "double",
	[GEN_BOOL] = "bool",         [GEN_ENUM] = "enum",         [GEN_STRING] = "string",
	[GEN_BYTES] = "bytes",       [GEN_MESSAGE] = "message",
};

static bool is_map(const struct gen_field *field)
{
	return field->message && field->is_repeated &&
	       (field->is_map || field->message->is_entry);
}

static void put_field(struct gen_text *out, const struct gen_field *field, bool is_first)
{
	const char *kind = kinds[field->kind];

	gen_put(out, "%s%u ", is_first ? "" : "; ", field->number);
	if (is_map(field))
		gen_put(out, "map<%s, %s>", kinds[field->message->by_number[0]->kind],
			kinds[field->message->by_number[1]->kind]);
	else if (field->is_repeated && (!field->length || field->kind < GEN_STRING))
		gen_put(out, "repeated %s", kind);
	else
		gen_put(out, "%s%s", field->has_presence ? "optional " : "", kind);
	gen_put(out, " %s", field->name);
}

/* The message whose fields follow where the shape says "message". */
static const struct gen_message *part_of(const struct gen_field *field)
{
	return is_map(field) ? field->message->by_number[1]->message : field->message;
}

const char *gen_emit_shape(struct gen_text *out, const struct gen_message *m)
{
	struct gen_text shape = { .len = 0 }, parts = { .len = 0 };
	const char *own = gen_message_own(m);

	for (size_t i = 0; i < m->n_fields; i++) {
		const struct gen_message *part = part_of(m->by_number[i]);

		put_field(&shape, m->by_number[i], i == 0);
		if (part)
			gen_put(&parts, "\t&%s_type,\n", gen_message_own(part));
	}
	gen_put(&shape, "%s", "");
	if (!parts.len)
		return gen_printf("\t.shape = \"%s\",\n", shape.bytes);
	gen_put(out, "static const struct cell_message_type *const %s_parts[] = {\n%s};\n\n", own,
		parts.bytes);
	return gen_printf("\t.shape = \"%s\",\n\t.parts = %s_parts,\n", shape.bytes, own);
}
