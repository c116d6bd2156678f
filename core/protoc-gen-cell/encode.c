#include <string.h>

#include <cell/message.h>

#include "emit.h"

uint32_t field_tag(const struct field *field, bool as_packed)
{
	return field->number << 3 | (as_packed ? 2 : kind_scalar(field->kind)->wire);
}

unsigned tag_size(uint32_t tag)
{
	unsigned n = 1;

	for (; tag >= 0x80; tag >>= 7)
		n++;
	return n;
}

static const char *linkage(const struct message *m)
{
	return m->is_entry ? "static " : "";
}

/* --- bound -------------------------------------------------------------- */

/* Bytes before a value that has a length: its tag, and the length of at most 2^31. */
static unsigned field_head(const struct field *field)
{
	return tag_size(field_tag(field, field->is_packed)) + 5;
}

/* What FIELD may take whatever it holds. */
static uint64_t bound_fixed(const struct field *field)
{
	const struct scalar *scalar = kind_scalar(field->kind);

	if (field->is_repeated)
		return field->is_packed ? field_head(field) : 0;
	if (field->kind == KIND_MESSAGE)
		return 0;
	if (field->kind >= KIND_STRING)
		return field_head(field);
	return tag_size(field_tag(field, false)) + scalar->size_max;
}

static void bound_message(struct text *out, const struct field *field)
{
	if (!field->is_repeated) {
		text_put(out, "\tif (m->%s)\n", field->member);
		text_put(out, "\t\tsize += %u + cell_bound_size(cell_%s_bound(m->%s));\n",
			 field_head(field), field->message->tag, field->member);
		return;
	}
	text_put(out,
		 "\tfor (size_t i = 0; i < m->n_%s && size <= CELL_MESSAGE_SIZE_MAX; i++)\n",
		 field->name);
	text_put(out, "\t\tsize += %u + cell_bound_size(cell_%s_bound(&m->%s[i]));\n",
		 field_head(field), field->message->tag, field->member);
}

static bool is_piece(const struct field *field)
{
	return field->kind == KIND_BYTES && !field->is_repeated;
}

bool message_has_chunks(const struct message *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_fields; i++)
		n += is_piece(&m->fields[i]);
	return !m->is_entry && n > 0 && n <= CELL_CHUNKS_MAX;
}

/* AROUND: large bytes fields are not part of it. */
static void bound_variable(struct text *out, const struct field *field, bool around)
{
	unsigned each = kind_scalar(field->kind)->size_max +
			(field->is_packed ? 0 : tag_size(field_tag(field, false)));

	if (field->kind == KIND_MESSAGE)
		bound_message(out, field);
	else if (field->is_repeated && field->kind >= KIND_STRING)
		text_put(out, "\tsize += cell_bound_%s(m->%s, m->n_%s, %u);\n",
			 field->kind == KIND_STRING ? "strings" : "bytes_list", field->member,
			 field->name, tag_size(field_tag(field, false)));
	else if (field->is_repeated)
		text_put(out, "\tsize += %u * cell_bound_size(m->n_%s);\n", each,
			 field->name);
	else if (field->kind == KIND_STRING)
		text_put(out, "\tsize += cell_bound_string(m->%s);\n", field->member);
	else if (field->kind == KIND_BYTES)
		text_put(out, "\tsize += cell_bound_%s(m->n_%s);\n", around ? "chunk" : "size",
			 field->name);
}

static bool is_variable(const struct field *field)
{
	return field->is_repeated || field->kind >= KIND_STRING;
}

static void put_bound(struct text *out, const struct message *m, bool around)
{
	uint64_t fixed = 0;
	bool variable = false;

	for (size_t i = 0; i < m->n_fields; i++) {
		fixed += bound_fixed(&m->fields[i]);
		variable |= is_variable(&m->fields[i]);
	}
	text_put(out, around ? "%ssize_t %s_bound_around" : "%ssize_t cell_%s_bound",
		 around ? "static " : linkage(m), m->tag);
	text_add(out, "(const void *message)\n{\n");
	if (!variable) {
		text_put(out, "\t(void)message;\n\treturn %llu;\n}\n\n",
			 (unsigned long long)fixed);
		return;
	}
	text_put(out, "\tconst struct %s *m = message;\n", m->tag);
	text_put(out, "\tuint64_t size = %llu;\n\n", (unsigned long long)fixed);
	for (size_t i = 0; i < m->n_fields; i++)
		bound_variable(out, m->by_number[i], around);
	text_add(out, "\treturn cell_bound_end(size);\n}\n\n");
}

void emit_bound(struct text *out, const struct message *m)
{
	put_bound(out, m, false);
}

/* --- encode ------------------------------------------------------------- */

static void put_tag(struct text *out, const char *indent, uint32_t tag)
{
	for (; tag >= 0x80; tag >>= 7)
		text_put(out, "%s*out++ = %u;\n", indent, (tag & 0x7f) | 0x80);
	text_put(out, "%s*out++ = %u;\n", indent, tag);
}

/*
 * Bytes that a nested message has at least, as an expression; "0" if only a walk could
 * tell. A body of a megabyte is then not moved to make room for its length.
 */
static const char *body_hint(const struct message *m, const char *value, const char *access)
{
	const char *hint = NULL;

	for (size_t i = 0; i < m->n_fields; i++) {
		const struct field *field = &m->fields[i];
		const char *one;

		if (field->kind != KIND_BYTES || field->is_repeated || field->has_presence)
			continue;
		one = take_printf("%s%sn_%s", value, access, field->name);
		hint = hint ? take_printf("%s + %s", hint, one) : one;
	}
	return hint;
}

static void put_message(struct text *out, const char *indent, const struct field *field)
{
	const struct message *inner = field->message;
	const char *value = field->is_repeated ? take_printf("m->%s[i]", field->member)
					       : take_printf("m->%s", field->member);
	const char *hint = body_hint(inner, value, field->is_repeated ? "." : "->");

	put_tag(out, indent, field_tag(field, false));
	if (hint)
		text_put(out, "%sbody = cell_encode_open(out, %s);\n", indent, hint);
	else
		text_put(out, "%sbody = out + 1;\n", indent);
	text_put(out, "%sout = cell_encode_close(out, body, cell_%s_encode(%s%s, body));\n",
		 indent, inner->tag, field->is_repeated ? "&" : "", value);
}

/* One value: VALUE is an expression. */
static void put_value(struct text *out, const char *indent, const struct field *field,
		      const char *value)
{
	put_tag(out, indent, field_tag(field, false));
	if (field->kind == KIND_STRING)
		text_put(out, "%sout = cell_encode_string(out, %s);\n", indent, value);
	else
		text_put(out, "%sout = cell_encode_%s(out, %s%s);\n", indent,
			 kind_scalar(field->kind)->codec,
			 field->kind == KIND_ENUM ? "(int32_t)" : "", value);
}

static void put_repeated(struct text *out, const struct field *field)
{
	if (field->is_packed) {
		text_put(out, "\tif (m->n_%s) {\n", field->name);
		put_tag(out, "\t\t", field_tag(field, true));
		text_put(out, "\t\tout = cell_encode_packed_%s(out, m->%s, m->n_%s);\n\t}\n",
			 kind_scalar(field->kind)->packed, field->member, field->name);
		return;
	}
	text_put(out, "\tfor (size_t i = 0; i < m->n_%s; i++) {\n", field->name);
	if (field->kind == KIND_MESSAGE) {
		put_message(out, "\t\t", field);
	} else if (field->kind == KIND_BYTES) {
		put_tag(out, "\t\t", field_tag(field, false));
		text_put(out,
			 "\t\tout = cell_encode_bytes(out, m->%s[i].at, m->%s[i].len);\n",
			 field->member, field->member);
	} else {
		put_value(out, "\t\t", field, take_printf("m->%s[i]", field->member));
	}
	text_add(out, "\t}\n");
}

/* When a field is written; NULL: always. Entries of maps write both of theirs. */
static const char *written_when(const struct message *m, const struct field *field)
{
	if (field->kind == KIND_MESSAGE)
		return take_printf("m->%s", field->member);
	if (field->has_presence)
		return take_printf("m->has_%s", field->name);
	if (m->is_entry)
		return NULL;
	switch (field->kind) {
	case KIND_STRING: return take_printf("m->%s && *m->%s", field->member, field->member);
	case KIND_BYTES: return take_printf("m->n_%s", field->name);
	case KIND_FLOAT:
	case KIND_DOUBLE:
		return take_printf("cell_%s_bits(m->%s)", kind_scalar(field->kind)->codec,
				   field->member);
	default: return take_printf("m->%s", field->member);
	}
}

static void put_singular(struct text *out, const struct message *m, const struct field *field,
			 bool around)
{
	const char *when = written_when(m, field);
	const char *indent = when ? "\t\t" : "\t";

	if (when)
		text_put(out, "\tif (%s) {\n", when);
	if (field->kind == KIND_MESSAGE) {
		put_message(out, indent, field);
	} else if (field->kind == KIND_BYTES) {
		put_tag(out, indent, field_tag(field, false));
		text_put(out, "%sout = cell_encode_%s(out, m->%s, m->n_%s%s);\n", indent,
			 around ? "chunk" : "bytes", field->member, field->name,
			 around ? ", pieces" : "");
	} else {
		put_value(out, indent, field, take_printf("m->%s", field->member));
	}
	if (when)
		text_add(out, "\t}\n");
}

static void put_encode(struct text *out, const struct message *m, bool around)
{
	bool nests = false;

	for (size_t i = 0; i < m->n_fields; i++)
		nests |= m->fields[i].kind == KIND_MESSAGE;
	if (around)
		text_put_call(out, take_printf("static uint8_t *%s_encode_around", m->tag),
			      (const char *const[]){ "const void *message", "uint8_t *out",
						     "struct cell_chunks *pieces" },
			      3, "\n{\n");
	else
		text_put(out,
			 "%suint8_t *cell_%s_encode(const void *message, uint8_t *out)\n{\n",
			 linkage(m), m->tag);
	if (m->n_fields)
		text_put(out, "\tconst struct %s *m = message;\n", m->tag);
	text_add(out, nests ? "\tuint8_t *body;\n" : "");
	text_add(out, m->n_fields ? "\n" : "\t(void)message;\n");
	for (size_t i = 0; i < m->n_fields; i++) {
		if (m->by_number[i]->is_repeated)
			put_repeated(out, m->by_number[i]);
		else
			put_singular(out, m, m->by_number[i], around);
	}
	text_add(out, "\treturn out;\n}\n\n");
}

void emit_encode(struct text *out, const struct message *m)
{
	put_encode(out, m, false);
}

void emit_around(struct text *out, const struct message *m)
{
	put_bound(out, m, true);
	put_encode(out, m, true);
}
