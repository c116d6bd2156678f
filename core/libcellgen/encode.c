#include <string.h>

#include <cell/internal/gen.h>
#include <cell/message.h>

uint32_t gen_field_tag(const struct gen_field *field, bool as_packed)
{
	return field->number << 3 | (as_packed ? 2 : gen_kind_scalar(field->kind)->wire);
}

unsigned gen_tag_size(uint32_t tag)
{
	unsigned n = 1;

	for (; tag >= 0x80; tag >>= 7)
		n++;
	return n;
}

static const char *linkage(const struct gen_message *m)
{
	return m->linkage ? m->linkage : m->is_entry ? "static " : "";
}

/* --- bound -------------------------------------------------------------- */

/* Bytes before a value that has a length: its tag, and the length of at most 2^31. */
static unsigned field_head(const struct gen_field *field)
{
	return gen_tag_size(gen_field_tag(field, field->is_packed)) + 5;
}

/* What FIELD may gen_take whatever it holds. */
static uint64_t bound_fixed(const struct gen_field *field)
{
	const struct gen_scalar *scalar = gen_kind_scalar(field->kind);

	if (field->is_repeated && field->length)
		return field_head(field) + field->length * scalar->size_max;
	if (field->is_repeated)
		return field->is_packed ? field_head(field) : 0;
	if (field->kind == GEN_MESSAGE)
		return 0;
	if (field->kind >= GEN_STRING)
		return field_head(field) + field->length;
	return gen_tag_size(gen_field_tag(field, false)) + scalar->size_max;
}

static void bound_message(struct gen_text *out, const struct gen_field *field)
{
	if (field->is_inside) {
		gen_put(out, "\tsize += %u + cell_bound_size(cell_%s_bound(&m->%s));\n",
			field_head(field), field->message->tag, field->member);
		return;
	}
	if (!field->is_repeated) {
		gen_put(out, "\tif (m->%s)\n", field->member);
		gen_put(out, "\t\tsize += %u + cell_bound_size(cell_%s_bound(m->%s));\n",
			field_head(field), field->message->tag, field->member);
		return;
	}
	gen_put(out,
		"\tfor (size_t i = 0; i < m->n_%s && size <= CELL_MESSAGE_SIZE_MAX; i++)\n",
		field->name);
	gen_put(out, "\t\tsize += %u + cell_bound_size(cell_%s_bound(&m->%s[i]));\n",
		field_head(field), field->message->tag, field->member);
}

static bool is_chunk(const struct gen_field *field)
{
	return field->kind == GEN_BYTES && !field->is_repeated && !field->length;
}

bool gen_message_has_chunks(const struct gen_message *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_fields; i++)
		n += is_chunk(&m->fields[i]);
	return !m->is_entry && n > 0 && n <= CELL_CHUNKS_MAX;
}

/* AROUND: large bytes fields are not part of it. */
static void bound_variable(struct gen_text *out, const struct gen_field *field, bool around)
{
	unsigned each = gen_kind_scalar(field->kind)->size_max +
			(field->is_packed ? 0 : gen_tag_size(gen_field_tag(field, false)));

	if (field->kind == GEN_MESSAGE)
		bound_message(out, field);
	else if (field->length)
		return; /* has a size of its own */
	else if (field->is_repeated && field->kind >= GEN_STRING)
		gen_put(out, "\tsize += cell_bound_%s(m->%s, m->n_%s, %u);\n",
			field->kind == GEN_STRING ? "strings" : "bytes_list", field->member,
			field->name, gen_tag_size(gen_field_tag(field, false)));
	else if (field->is_repeated)
		gen_put(out, "\tsize += %u * cell_bound_size(m->n_%s);\n", each, field->name);
	else if (field->kind == GEN_STRING)
		gen_put(out, "\tsize += cell_bound_string(m->%s);\n", field->member);
	else if (field->kind == GEN_BYTES)
		gen_put(out, "\tsize += cell_bound_%s(m->n_%s);\n", around ? "chunk" : "size",
			field->name);
}

static bool is_variable(const struct gen_field *field)
{
	return !field->length && (field->is_repeated || field->kind >= GEN_STRING);
}

static void put_bound(struct gen_text *out, const struct gen_message *m, bool around)
{
	uint64_t fixed = 0;
	bool variable = false;

	for (size_t i = 0; i < m->n_fields; i++) {
		fixed += bound_fixed(&m->fields[i]);
		variable |= is_variable(&m->fields[i]);
	}
	gen_put(out, around ? "%ssize_t %s_bound_around" : "%ssize_t cell_%s_bound",
		around ? "static " : linkage(m), around ? gen_message_own(m) : m->tag);
	gen_add(out, "(const void *message)\n{\n");
	if (!variable) {
		gen_put(out, "\t(void)message;\n\treturn %llu;\n}\n\n",
			(unsigned long long)fixed);
		return;
	}
	gen_put(out, "\tconst %s *m = message;\n", gen_message_type(m));
	gen_put(out, "\tuint64_t size = %llu;\n\n", (unsigned long long)fixed);
	for (size_t i = 0; i < m->n_fields; i++)
		bound_variable(out, m->by_number[i], around);
	gen_add(out, "\treturn cell_bound_end(size);\n}\n\n");
}

void gen_emit_bound(struct gen_text *out, const struct gen_message *m)
{
	put_bound(out, m, false);
}

/* --- encode ------------------------------------------------------------- */

static void put_tag(struct gen_text *out, const char *indent, uint32_t tag)
{
	for (; tag >= 0x80; tag >>= 7)
		gen_put(out, "%s*out++ = %u;\n", indent, (tag & 0x7f) | 0x80);
	gen_put(out, "%s*out++ = %u;\n", indent, tag);
}

/*
 * Bytes that a nested message has at least, as an expression; "0" if only a walk could
 * tell. A body of a megabyte is then not moved to make room for its length.
 */
static const char *body_hint(const struct gen_message *m, const char *value,
			     const char *access)
{
	const char *hint = NULL;

	for (size_t i = 0; i < m->n_fields; i++) {
		const struct gen_field *field = &m->fields[i];
		const char *one;

		if (field->kind != GEN_BYTES || field->is_repeated || field->has_presence ||
		    field->length)
			continue;
		one = gen_printf("%s%sn_%s", value, access, field->name);
		hint = hint ? gen_printf("%s + %s", hint, one) : one;
	}
	return hint;
}

static void put_message(struct gen_text *out, const char *indent,
			const struct gen_field *field)
{
	const struct gen_message *inner = field->message;
	const bool is_object = field->is_repeated || field->is_inside;
	const char *value = field->is_repeated ? gen_printf("m->%s[i]", field->member)
					       : gen_printf("m->%s", field->member);
	const char *hint = body_hint(inner, value, is_object ? "." : "->");

	put_tag(out, indent, gen_field_tag(field, false));
	if (hint)
		gen_put(out, "%sbody = cell_encode_open(out, %s);\n", indent, hint);
	else
		gen_put(out, "%sbody = out + 1;\n", indent);
	gen_put(out, "%sout = cell_encode_close(out, body, cell_%s_encode(%s%s, body));\n",
		indent, inner->tag, is_object ? "&" : "", value);
}

/* One value: VALUE is an expression. */
static void put_value(struct gen_text *out, const char *indent, const struct gen_field *field,
		      const char *value)
{
	put_tag(out, indent, gen_field_tag(field, false));
	if (field->kind == GEN_STRING)
		gen_put(out, "%sout = cell_encode_string(out, %s);\n", indent, value);
	else
		gen_put(out, "%sout = cell_encode_%s(out, %s%s);\n", indent,
			gen_kind_scalar(field->kind)->codec,
			field->kind == GEN_ENUM ? "(int32_t)" : "", value);
}

static void put_repeated(struct gen_text *out, const struct gen_field *field)
{
	if (field->length) {
		gen_put(out, "\tif (!cell_bytes_are_zero(m->%s, sizeof m->%s)) {\n",
			field->member, field->member);
		put_tag(out, "\t\t", gen_field_tag(field, true));
		gen_put(out, "\t\tout = cell_encode_packed_%s(out, m->%s, %llu);\n\t}\n",
			gen_kind_scalar(field->kind)->packed, field->member,
			(unsigned long long)field->length);
		return;
	}
	if (field->is_packed) {
		gen_put(out, "\tif (m->n_%s) {\n", field->name);
		put_tag(out, "\t\t", gen_field_tag(field, true));
		gen_put(out, "\t\tout = cell_encode_packed_%s(out, m->%s, m->n_%s);\n\t}\n",
			gen_kind_scalar(field->kind)->packed, field->member, field->name);
		return;
	}
	gen_put(out, "\tfor (size_t i = 0; i < m->n_%s; i++) {\n", field->name);
	if (field->kind == GEN_MESSAGE) {
		put_message(out, "\t\t", field);
	} else if (field->kind == GEN_BYTES) {
		put_tag(out, "\t\t", gen_field_tag(field, false));
		gen_put(out, "\t\tout = cell_encode_bytes(out, m->%s[i].at, m->%s[i].len);\n",
			field->member, field->member);
	} else {
		put_value(out, "\t\t", field, gen_printf("m->%s[i]", field->member));
	}
	gen_add(out, "\t}\n");
}

/* When a field is written; NULL: always. Entries of maps write both of theirs. */
static const char *written_when(const struct gen_message *m, const struct gen_field *field)
{
	if (field->is_inside)
		return NULL;
	if (field->kind == GEN_MESSAGE)
		return gen_printf("m->%s", field->member);
	if (field->has_presence)
		return gen_printf("m->has_%s", field->name);
	if (m->is_entry)
		return NULL;
	if (field->length && field->kind == GEN_STRING)
		return gen_printf("m->%s[0]", field->member);
	if (field->length)
		return gen_printf("!cell_bytes_are_zero(m->%s, sizeof m->%s)", field->member,
				  field->member);
	switch (field->kind) {
	case GEN_STRING: return gen_printf("m->%s && *m->%s", field->member, field->member);
	case GEN_BYTES: return gen_printf("m->n_%s", field->name);
	case GEN_FLOAT:
	case GEN_DOUBLE:
		return gen_printf("cell_%s_bits(m->%s)", gen_kind_scalar(field->kind)->codec,
				  field->member);
	default: return gen_printf("m->%s", field->member);
	}
}

static void put_singular(struct gen_text *out, const struct gen_message *m,
			 const struct gen_field *field, bool around)
{
	const char *when = written_when(m, field);
	const char *indent = when ? "\t\t" : "\t";

	if (when)
		gen_put(out, "\tif (%s) {\n", when);
	if (field->kind == GEN_MESSAGE) {
		put_message(out, indent, field);
	} else if (field->length) {
		put_tag(out, indent, gen_field_tag(field, false));
		gen_put(out, "%sout = cell_encode_%s(out, m->%s, sizeof m->%s);\n", indent,
			field->kind == GEN_STRING ? "chars" : "bytes", field->member,
			field->member);
	} else if (field->kind == GEN_BYTES) {
		put_tag(out, indent, gen_field_tag(field, false));
		gen_put(out, "%sout = cell_encode_%s(out, m->%s, m->n_%s%s);\n", indent,
			around ? "chunk" : "bytes", field->member, field->name,
			around ? ", chunks" : "");
	} else {
		put_value(out, indent, field, gen_printf("m->%s", field->member));
	}
	if (when)
		gen_add(out, "\t}\n");
}

static void put_encode(struct gen_text *out, const struct gen_message *m, bool around)
{
	bool nests = false;

	for (size_t i = 0; i < m->n_fields; i++)
		nests |= m->fields[i].kind == GEN_MESSAGE;
	if (around)
		gen_put_call(out, gen_printf("static uint8_t *%s_encode_around", gen_message_own(m)),
			     (const char *const[]){ "const void *message", "uint8_t *out",
						    "struct cell_chunks *chunks" },
			     3, "\n{\n");
	else
		gen_put(out, "%suint8_t *cell_%s_encode(const void *message, uint8_t *out)\n{\n",
			linkage(m), m->tag);
	if (m->n_fields)
		gen_put(out, "\tconst %s *m = message;\n", gen_message_type(m));
	gen_add(out, nests ? "\tuint8_t *body;\n" : "");
	gen_add(out, m->n_fields ? "\n" : "\t(void)message;\n");
	for (size_t i = 0; i < m->n_fields; i++) {
		if (m->by_number[i]->is_repeated)
			put_repeated(out, m->by_number[i]);
		else
			put_singular(out, m, m->by_number[i], around);
	}
	gen_add(out, "\treturn out;\n}\n\n");
}

void gen_emit_encode(struct gen_text *out, const struct gen_message *m)
{
	put_encode(out, m, false);
}

void gen_emit_around(struct gen_text *out, const struct gen_message *m)
{
	put_bound(out, m, true);
	put_encode(out, m, true);
}
