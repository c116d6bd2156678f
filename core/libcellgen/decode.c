#include <string.h>

#include <cell/internal/gen.h>

static const char *linkage(const struct gen_message *m)
{
	return m->linkage ? m->linkage : m->is_entry ? "static " : "";
}

/* --- init: what a message holds before anything is decoded into it ------ */

void gen_emit_init(struct gen_text *out, const struct gen_message *m)
{
	bool any = false;

	gen_put(out, "%svoid cell_%s_init(void *message)\n{\n", linkage(m), m->tag);
	if (!m->n_fields) {
		gen_add(out, "\t(void)message;\n}\n\n");
		return;
	}
	gen_put(out, "\t*(%s *)message = (%s){", gen_message_type(m), gen_message_type(m));
	for (size_t i = 0; i < m->n_fields; i++) {
		const struct gen_field *field = &m->fields[i];

		if (field->kind != GEN_STRING || field->is_repeated || field->length)
			continue;
		gen_put(out, "\n\t\t.%s = \"\",", field->member);
		any = true;
	}
	gen_add(out, any ? "\n\t};\n" : " 0 };\n");
	for (size_t i = 0; i < m->n_fields; i++)
		if (m->fields[i].is_inside)
			gen_put(out, "\tcell_%s_init(&((%s *)message)->%s);\n",
				m->fields[i].message->tag, gen_message_type(m),
				m->fields[i].member);
	gen_add(out, "}\n\n");
}

/* --- merge: one case for each tag --------------------------------------- */

/* One member of a oneof is there at most: all go before one is set. */
static void emit_clear(struct gen_text *out, const struct gen_message *m,
		       const struct gen_choice *choice)
{
	gen_put(out, "static void %s_clear_%s(struct %s *m)\n{\n", gen_message_own(m),
		choice->name, m->tag);
	for (size_t i = 0; i < m->n_fields; i++) {
		const struct gen_field *field = &m->fields[i];

		if (field->choice != choice)
			continue;
		if (field->kind == GEN_MESSAGE) {
			gen_put(out, "\tm->%s = NULL;\n", field->member);
			continue;
		}
		gen_put(out, "\tm->has_%s = false;\n", field->name);
		if (field->kind == GEN_BYTES)
			gen_put(out, "\tm->n_%s = 0;\n\tm->%s = NULL;\n", field->name,
				field->member);
		else if (field->kind == GEN_STRING)
			gen_put(out, "\tm->%s = \"\";\n", field->member);
		else if (field->kind == GEN_ENUM)
			gen_put(out, "\tm->%s = (enum %s)0;\n", field->member,
				field->enumeration->tag);
		else
			gen_put(out, "\tm->%s = 0;\n", field->member);
	}
	gen_add(out, "}\n\n");
}

static void put_case(struct gen_text *out, const struct gen_field *field, bool as_packed)
{
	gen_put(out, "\t\tcase %u: /* %s */\n", gen_field_tag(field, as_packed), field->name);
}

/* VALUE is where the decoded value goes, as an lvalue. */
static const char *call_one(const struct gen_field *field, const char *value)
{
	if (field->kind == GEN_STRING)
		return gen_printf("cell_decode_string(d, at, end, &%s)", value);
	return gen_printf("cell_decode_%s(at, end, %s&%s)",
			  gen_kind_scalar(field->kind)->codec,
			  field->kind == GEN_ENUM ? "(int32_t *)" : "", value);
}

static void put_message(struct gen_text *out, const struct gen_message *m,
			const struct gen_field *field)
{
	const char *tag = field->message->tag;

	gen_add(out, "\t\t\tat = cell_decode_length(d, at, end, &stop);\n");
	if (field->is_inside) {
		gen_put(out,
			"\t\t\tif (at)\n\t\t\t\tat = cell_%s_merge(d, at, stop, &m->%s);\n"
			"\t\t\tbreak;\n",
			tag, field->member);
		return;
	}
	gen_put(out, "\t\t\tif (at && !m->%s) {\n", field->member);
	if (field->choice)
		gen_put(out, "\t\t\t\t%s_clear_%s(m);\n", gen_message_own(m),
			field->choice->name);
	gen_put(out, "\t\t\t\tinner = cell_decode_new(d, sizeof *m->%s);\n", field->member);
	gen_put(out, "\t\t\t\tif (inner)\n\t\t\t\t\tcell_%s_init(inner);\n", tag);
	gen_add(out, "\t\t\t\telse\n\t\t\t\t\tat = NULL;\n");
	gen_put(out, "\t\t\t\tm->%s = inner;\n\t\t\t}\n", field->member);
	gen_put(out,
		"\t\t\tif (at)\n\t\t\t\tat = cell_%s_merge(d, at, stop, (void *)m->%s);\n",
		tag, field->member);
	gen_add(out, "\t\t\tbreak;\n");
}

static void put_singular(struct gen_text *out, const struct gen_message *m,
			 const struct gen_field *field)
{
	put_case(out, field, false);
	if (field->kind == GEN_MESSAGE) {
		put_message(out, m, field);
		return;
	}
	if (field->choice)
		gen_put(out, "\t\t\t%s_clear_%s(m);\n", gen_message_own(m),
			field->choice->name);
	if (field->has_presence)
		gen_put(out, "\t\t\tm->has_%s = true;\n", field->name);
	if (field->length)
		gen_put(out, "\t\t\tat = cell_decode_%s(d, at, end, m->%s, sizeof m->%s);\n",
			field->kind == GEN_STRING ? "chars" : "block", field->member,
			field->member);
	else if (field->kind == GEN_BYTES)
		gen_put(out, "\t\t\tat = cell_decode_bytes(d, at, end, &m->n_%s, &m->%s);\n",
			field->name, field->member);
	else
		gen_put(out, "\t\t\tat = %s;\n",
			call_one(field, gen_printf("m->%s", field->member)));
	gen_add(out, "\t\t\tbreak;\n");
}

static void put_list_begin(struct gen_text *out, const struct gen_field *field)
{
	gen_put(out, "\t\t\tlist.n = m->n_%s;\n\t\t\tlist.items = (void *)m->%s;\n",
		field->name, field->member);
}

static void put_list_end(struct gen_text *out, const struct gen_field *field)
{
	gen_put(out, "\t\t\tm->n_%s = list.n;\n\t\t\tm->%s = list.items;\n\t\t\tbreak;\n",
		field->name, field->member);
}

/* "const char *" → the type of an item as the decoder writes it. */
static const char *item_type(const struct gen_field *field)
{
	if (field->kind == GEN_BYTES)
		return "struct cell_bytes ";
	return gen_field_type(field);
}

/* T x[N]: counted, in a local, so that there are N in the end or none. */
static void put_array(struct gen_text *out, const struct gen_field *field)
{
	const unsigned long long length = field->length;

	put_case(out, field, false);
	gen_put(out, "\t\t\tif (n_%s < %llu)\n\t\t\t\tat = %s;\n", field->name, length,
		call_one(field, gen_printf("m->%s[n_%s]", field->member, field->name)));
	gen_put(out,
		"\t\t\telse\n\t\t\t\tat = cell_decode_not_n(d);\n\t\t\tn_%s++;\n\t\t\tbreak;\n",
		field->name);
	put_case(out, field, true);
	gen_add(out, "\t\t\tlist.n = 0;\n\t\t\tlist.items = NULL;\n");
	gen_put(out, "\t\t\tat = cell_decode_packed_%s(d, at, end, &list);\n",
		gen_kind_scalar(field->kind)->packed);
	gen_put(out,
		"\t\t\tif (at)\n\t\t\t\tat = cell_decode_array(d, at, &list, m->%s, sizeof m->%s[0],\n"
		"\t\t\t\t\t%llu, &n_%s);\n\t\t\tbreak;\n",
		field->member, field->member, length, field->name);
}

static void put_array_ends(struct gen_text *out, const struct gen_message *m)
{
	for (size_t i = 0; i < m->n_fields; i++) {
		const struct gen_field *field = m->by_number[i];

		if (!field->is_repeated || !field->length)
			continue;
		gen_put(out,
			"\tif (n_%s && n_%s != %llu) {\n\t\t(void)cell_decode_not_n(d);\n",
			field->name, field->name, (unsigned long long)field->length);
		gen_put(out, "\t\treturn cell_decode_fail(d, %s_names, %u);\n\t}\n",
			gen_message_own(m), gen_field_tag(field, true));
	}
}

static void put_repeated(struct gen_text *out, const struct gen_field *field)
{
	const char *item = gen_printf("((%s*)list.items)[list.n++]", item_type(field));

	if (field->length) {
		put_array(out, field);
		return;
	}
	put_case(out, field, false);
	put_list_begin(out, field);
	gen_put(out,
		"\t\t\tif (!cell_decode_room(d, &list, sizeof *m->%s, at, end, tag))\n"
		"\t\t\t\tat = NULL;\n",
		field->member);
	if (field->kind == GEN_MESSAGE) {
		gen_add(out,
			"\t\t\telse\n\t\t\t\tat = cell_decode_length(d, at, end, &stop);\n");
		gen_add(out, "\t\t\tif (at) {\n");
		gen_put(out, "\t\t\t\tinner = &%s;\n", item);
		gen_put(out, "\t\t\t\tcell_%s_init(inner);\n", field->message->tag);
		gen_put(out, "\t\t\t\tat = cell_%s_merge(d, at, stop, inner);\n\t\t\t}\n",
			field->message->tag);
	} else if (field->kind == GEN_BYTES) {
		gen_add(out, "\t\t\telse\n");
		gen_add(out, "\t\t\t\tat = cell_decode_bytes(d, at, end,\n");
		gen_add(out, "\t\t\t\t\t&((struct cell_bytes *)list.items)[list.n].len,\n");
		gen_add(out, "\t\t\t\t\t&((struct cell_bytes *)list.items)[list.n].at);\n");
		gen_add(out, "\t\t\tlist.n += at != NULL;\n");
	} else {
		gen_put(out, "\t\t\telse\n\t\t\t\tat = %s;\n", call_one(field, item));
	}
	put_list_end(out, field);
	if (field->kind >= GEN_STRING)
		return;

	put_case(out, field, true);
	put_list_begin(out, field);
	gen_put(out, "\t\t\tat = cell_decode_packed_%s(d, at, end, &list);\n",
		gen_kind_scalar(field->kind)->packed);
	put_list_end(out, field);
}

/* "name\0" "1:field 2:field ": what cell_decode_fail() reads. */
static void put_names(struct gen_text *out, const struct gen_message *m)
{
	gen_put(out, "static const char %s_names[] =\n\t\"%s\\0\"", gen_message_own(m),
		m->full_name + 1);
	for (size_t i = 0; i < m->n_fields; i++)
		gen_put(out, "\n\t\"%u:%s \"", m->by_number[i]->number,
			m->by_number[i]->name);
	gen_add(out, ";\n\n");
}

static void put_locals(struct gen_text *out, const struct gen_message *m)
{
	bool lists = false, messages = false, objects = false;

	for (size_t i = 0; i < m->n_fields; i++) {
		lists |= m->fields[i].is_repeated;
		messages |= m->fields[i].kind == GEN_MESSAGE;
		objects |= m->fields[i].kind == GEN_MESSAGE && !m->fields[i].is_inside;
	}
	if (m->n_fields)
		gen_put(out, "\t%s *m = message;\n", gen_message_type(m));
	if (lists)
		gen_add(out, "\tstruct cell_list list;\n");
	if (messages)
		gen_add(out, "\tconst uint8_t *stop = NULL;\n");
	if (objects)
		gen_add(out, "\tvoid *inner;\n");
	for (size_t i = 0; i < m->n_fields; i++)
		if (m->fields[i].is_repeated && m->fields[i].length)
			gen_put(out, "\tsize_t n_%s = 0;\n", m->fields[i].name);
	gen_add(out, "\tuint32_t tag;\n\n");
	if (!m->n_fields)
		gen_add(out, "\t(void)message;\n");
}

void gen_emit_merge(struct gen_text *out, const struct gen_message *m)
{
	/* A tag above 127 takes two bytes or more: all fields from 16 on. */
	const bool long_tags = m->n_fields && m->by_number[m->n_fields - 1]->number > 15;

	put_names(out, m);
	for (size_t i = 0; i < m->n_choices; i++)
		if (m->choices[i].members)
			emit_clear(out, m, &m->choices[i]);
	gen_put_call(out, gen_printf("%sconst uint8_t *cell_%s_merge", linkage(m), m->tag),
		     (const char *const[]){ "struct cell_decoder *d", "const uint8_t *at",
					    "const uint8_t *end", "void *message" },
		     4, "\n{\n");
	put_locals(out, m);
	gen_add(out, "\twhile (at < end) {\n\t\ttag = *at++;\n\t\t*d->late = 0;\n");
	if (long_tags)
		gen_put(out,
			"\t\tif (tag >= 0x80) {\n"
			"\t\t\tuint32_t whole = tag;\n\n"
			"\t\t\tat = cell_decode_tag(d, at, end, &whole);\n"
			"\t\t\tif (CELL_UNLIKELY(!at))\n"
			"\t\t\t\treturn cell_decode_fail(d, %s_names, 0);\n"
			"\t\t\ttag = whole;\n\t\t}\n",
			gen_message_own(m));
	gen_add(out, "\t\tswitch (tag) {\n");
	for (size_t i = 0; i < m->n_fields; i++) {
		if (m->by_number[i]->is_repeated)
			put_repeated(out, m->by_number[i]);
		else
			put_singular(out, m, m->by_number[i]);
	}
	gen_put(out, "\t\tdefault:\n\t\t\tat = %s(d, at, end, %stag);\n\t\t\tbreak;\n\t\t}\n",
		long_tags ? "cell_decode_skip" : "cell_decode_unknown",
		long_tags ? "" : "(uint8_t)");
	gen_add(out, "\t\tif (CELL_UNLIKELY(!at))\n");
	gen_put(out, "\t\t\treturn cell_decode_fail(d, %s_names, tag);\n\t}\n",
		gen_message_own(m));
	put_array_ends(out, m);
	gen_add(out, "\treturn at;\n}\n\n");
}
