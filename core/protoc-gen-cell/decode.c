#include <string.h>

#include "emit.h"

static const char *linkage(const struct message *m)
{
	return m->is_entry ? "static " : "";
}

/* --- init: what a message holds before anything is decoded into it ------ */

void emit_init(struct text *out, const struct message *m)
{
	bool any = false;

	text_put(out, "%svoid cell_%s_init(void *message)\n{\n", linkage(m), m->tag);
	if (!m->n_fields) {
		text_add(out, "\t(void)message;\n}\n\n");
		return;
	}
	text_put(out, "\t*(struct %s *)message = (struct %s){", m->tag, m->tag);
	for (size_t i = 0; i < m->n_fields; i++) {
		const struct field *field = &m->fields[i];

		if (field->kind != KIND_STRING || field->is_repeated)
			continue;
		text_put(out, "\n\t\t.%s = \"\",", field->member);
		any = true;
	}
	text_add(out, any ? "\n\t};\n}\n\n" : " 0 };\n}\n\n");
}

/* --- merge: one case for each tag --------------------------------------- */

/* One member of a oneof is there at most: all go before one is set. */
static void emit_clear(struct text *out, const struct message *m, const struct choice *choice)
{
	text_put(out, "static void %s_clear_%s(struct %s *m)\n{\n", m->tag, choice->name,
		 m->tag);
	for (size_t i = 0; i < m->n_fields; i++) {
		const struct field *field = &m->fields[i];

		if (field->choice != choice)
			continue;
		if (field->kind == KIND_MESSAGE) {
			text_put(out, "\tm->%s = NULL;\n", field->member);
			continue;
		}
		text_put(out, "\tm->has_%s = false;\n", field->name);
		if (field->kind == KIND_BYTES)
			text_put(out, "\tm->n_%s = 0;\n\tm->%s = NULL;\n", field->name,
				 field->member);
		else if (field->kind == KIND_STRING)
			text_put(out, "\tm->%s = \"\";\n", field->member);
		else if (field->kind == KIND_ENUM)
			text_put(out, "\tm->%s = (enum %s)0;\n", field->member,
				 field->enumeration->tag);
		else
			text_put(out, "\tm->%s = 0;\n", field->member);
	}
	text_add(out, "}\n\n");
}

static void put_case(struct text *out, const struct field *field, bool as_packed)
{
	text_put(out, "\t\tcase %u: /* %s */\n", field_tag(field, as_packed), field->name);
}

/* VALUE is where the decoded value goes, as an lvalue. */
static const char *call_one(const struct field *field, const char *value)
{
	if (field->kind == KIND_STRING)
		return take_printf("cell_decode_string(d, at, end, &%s)", value);
	return take_printf("cell_decode_%s(at, end, %s&%s)", kind_scalar(field->kind)->codec,
			   field->kind == KIND_ENUM ? "(int32_t *)" : "", value);
}

static void put_message(struct text *out, const struct message *m, const struct field *field)
{
	const char *tag = field->message->tag;

	text_add(out, "\t\t\tat = cell_decode_length(d, at, end, &stop);\n");
	text_put(out, "\t\t\tif (at && !m->%s) {\n", field->member);
	if (field->choice)
		text_put(out, "\t\t\t\t%s_clear_%s(m);\n", m->tag, field->choice->name);
	text_put(out, "\t\t\t\tinner = cell_decode_new(d, sizeof *m->%s);\n", field->member);
	text_put(out, "\t\t\t\tif (inner)\n\t\t\t\t\tcell_%s_init(inner);\n", tag);
	text_add(out, "\t\t\t\telse\n\t\t\t\t\tat = NULL;\n");
	text_put(out, "\t\t\t\tm->%s = inner;\n\t\t\t}\n", field->member);
	text_put(out,
		 "\t\t\tif (at)\n\t\t\t\tat = cell_%s_merge(d, at, stop, (void *)m->%s);\n",
		 tag, field->member);
	text_add(out, "\t\t\tbreak;\n");
}

static void put_singular(struct text *out, const struct message *m, const struct field *field)
{
	put_case(out, field, false);
	if (field->kind == KIND_MESSAGE) {
		put_message(out, m, field);
		return;
	}
	if (field->choice)
		text_put(out, "\t\t\t%s_clear_%s(m);\n", m->tag, field->choice->name);
	if (field->has_presence)
		text_put(out, "\t\t\tm->has_%s = true;\n", field->name);
	if (field->kind == KIND_BYTES)
		text_put(out, "\t\t\tat = cell_decode_bytes(d, at, end, &m->n_%s, &m->%s);\n",
			 field->name, field->member);
	else
		text_put(out, "\t\t\tat = %s;\n",
			 call_one(field, take_printf("m->%s", field->member)));
	text_add(out, "\t\t\tbreak;\n");
}

static void put_list_begin(struct text *out, const struct field *field)
{
	text_put(out, "\t\t\tlist.n = m->n_%s;\n\t\t\tlist.items = (void *)m->%s;\n",
		 field->name, field->member);
}

static void put_list_end(struct text *out, const struct field *field)
{
	text_put(out, "\t\t\tm->n_%s = list.n;\n\t\t\tm->%s = list.items;\n\t\t\tbreak;\n",
		 field->name, field->member);
}

/* "const char *" → the type of an item as the decoder writes it. */
static const char *item_type(const struct field *field)
{
	if (field->kind == KIND_BYTES)
		return "struct cell_bytes ";
	return field_type(field);
}

static void put_repeated(struct text *out, const struct field *field)
{
	const char *item = take_printf("((%s*)list.items)[list.n++]", item_type(field));

	put_case(out, field, false);
	put_list_begin(out, field);
	text_put(out,
		 "\t\t\tif (!cell_decode_room(d, &list, sizeof *m->%s, at, end, tag))\n"
		 "\t\t\t\tat = NULL;\n",
		 field->member);
	if (field->kind == KIND_MESSAGE) {
		text_add(out,
			 "\t\t\telse\n\t\t\t\tat = cell_decode_length(d, at, end, &stop);\n");
		text_add(out, "\t\t\tif (at) {\n");
		text_put(out, "\t\t\t\tinner = &%s;\n", item);
		text_put(out, "\t\t\t\tcell_%s_init(inner);\n", field->message->tag);
		text_put(out, "\t\t\t\tat = cell_%s_merge(d, at, stop, inner);\n\t\t\t}\n",
			 field->message->tag);
	} else if (field->kind == KIND_BYTES) {
		text_add(out, "\t\t\telse\n");
		text_add(out, "\t\t\t\tat = cell_decode_bytes(d, at, end,\n");
		text_add(out, "\t\t\t\t\t&((struct cell_bytes *)list.items)[list.n].len,\n");
		text_add(out, "\t\t\t\t\t&((struct cell_bytes *)list.items)[list.n].at);\n");
		text_add(out, "\t\t\tlist.n += at != NULL;\n");
	} else {
		text_put(out, "\t\t\telse\n\t\t\t\tat = %s;\n", call_one(field, item));
	}
	put_list_end(out, field);
	if (field->kind >= KIND_STRING)
		return;

	put_case(out, field, true);
	put_list_begin(out, field);
	text_put(out, "\t\t\tat = cell_decode_packed_%s(d, at, end, &list);\n",
		 kind_scalar(field->kind)->packed);
	put_list_end(out, field);
}

/* "name\0" "1:field 2:field ": what cell_decode_fail() reads. */
static void put_names(struct text *out, const struct message *m)
{
	text_put(out, "static const char %s_names[] =\n\t\"%s\\0\"", m->tag,
		 m->full_name + 1);
	for (size_t i = 0; i < m->n_fields; i++)
		text_put(out, "\n\t\"%u:%s \"", m->by_number[i]->number,
			 m->by_number[i]->name);
	text_add(out, ";\n\n");
}

static void put_locals(struct text *out, const struct message *m)
{
	bool lists = false, messages = false;

	for (size_t i = 0; i < m->n_fields; i++) {
		lists |= m->fields[i].is_repeated;
		messages |= m->fields[i].kind == KIND_MESSAGE;
	}
	if (m->n_fields)
		text_put(out, "\tstruct %s *m = message;\n", m->tag);
	if (lists)
		text_add(out, "\tstruct cell_list list;\n");
	if (messages)
		text_add(out, "\tconst uint8_t *stop = NULL;\n\tvoid *inner;\n");
	text_add(out, "\tuint32_t tag;\n\n");
	if (!m->n_fields)
		text_add(out, "\t(void)message;\n");
}

void emit_merge(struct text *out, const struct message *m)
{
	/* A tag above 127 takes two bytes or more: all fields from 16 on. */
	const bool long_tags = m->n_fields && m->by_number[m->n_fields - 1]->number > 15;

	put_names(out, m);
	for (size_t i = 0; i < m->n_choices; i++)
		if (m->choices[i].members)
			emit_clear(out, m, &m->choices[i]);
	text_put_call(out, take_printf("%sconst uint8_t *cell_%s_merge", linkage(m), m->tag),
		      (const char *const[]){ "struct cell_decoder *d", "const uint8_t *at",
					     "const uint8_t *end", "void *message" },
		      4, "\n{\n");
	put_locals(out, m);
	text_add(out, "\twhile (at < end) {\n\t\ttag = *at++;\n\t\t*d->late = 0;\n");
	if (long_tags)
		text_put(out,
			 "\t\tif (tag >= 0x80) {\n"
			 "\t\t\tuint32_t whole = tag;\n\n"
			 "\t\t\tat = cell_decode_tag(d, at, end, &whole);\n"
			 "\t\t\tif (CELL_UNLIKELY(!at))\n"
			 "\t\t\t\treturn cell_decode_fail(d, %s_names, 0);\n"
			 "\t\t\ttag = whole;\n\t\t}\n",
			 m->tag);
	text_add(out, "\t\tswitch (tag) {\n");
	for (size_t i = 0; i < m->n_fields; i++) {
		if (m->by_number[i]->is_repeated)
			put_repeated(out, m->by_number[i]);
		else
			put_singular(out, m, m->by_number[i]);
	}
	text_put(out,
		 "\t\tdefault:\n\t\t\tat = %s(d, at, end, %stag);\n\t\t\tbreak;\n\t\t}\n",
		 long_tags ? "cell_decode_skip" : "cell_decode_unknown",
		 long_tags ? "" : "(uint8_t)");
	text_add(out, "\t\tif (CELL_UNLIKELY(!at))\n");
	text_put(out,
		 "\t\t\treturn cell_decode_fail(d, %s_names, tag);\n\t}\n\treturn at;\n}\n\n",
		 m->tag);
}
