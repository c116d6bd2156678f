/*
 * What a struct of a program is as a protobuf message: a descriptor that travels in the
 * program and becomes part of its services' schema (core/libcell/fileset.c).
 */
#include <cell/internal/gen.h>
#include <string.h>

#include "google/protobuf/descriptor.pb-c.h"

typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;
typedef Google__Protobuf__EnumValueDescriptorProto value_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;
typedef Google__Protobuf__OneofDescriptorProto oneof_proto;

#define PROTO_TYPE(name)  GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##name
#define PROTO_LABEL(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_##name
#define BYTES_PER_LINE    20

static const Google__Protobuf__FieldDescriptorProto__Type proto_types[] = {
	[GEN_INT32] = PROTO_TYPE(INT32),       [GEN_INT64] = PROTO_TYPE(INT64),
	[GEN_UINT32] = PROTO_TYPE(UINT32),     [GEN_UINT64] = PROTO_TYPE(UINT64),
	[GEN_SINT32] = PROTO_TYPE(SINT32),     [GEN_SINT64] = PROTO_TYPE(SINT64),
	[GEN_FIXED32] = PROTO_TYPE(FIXED32),   [GEN_FIXED64] = PROTO_TYPE(FIXED64),
	[GEN_SFIXED32] = PROTO_TYPE(SFIXED32), [GEN_SFIXED64] = PROTO_TYPE(SFIXED64),
	[GEN_FLOAT] = PROTO_TYPE(FLOAT),       [GEN_DOUBLE] = PROTO_TYPE(DOUBLE),
	[GEN_BOOL] = PROTO_TYPE(BOOL),         [GEN_ENUM] = PROTO_TYPE(ENUM),
	[GEN_STRING] = PROTO_TYPE(STRING),     [GEN_BYTES] = PROTO_TYPE(BYTES),
	[GEN_MESSAGE] = PROTO_TYPE(MESSAGE),
};

static field_proto *field_new(const struct gen_field *field)
{
	field_proto *proto = gen_take(sizeof *proto);

	google__protobuf__field_descriptor_proto__init(proto);
	proto->name = (char *)field->name;
	proto->has_number = 1;
	proto->number = (int32_t)field->number;
	proto->has_label = 1;
	proto->label = field->is_repeated ? PROTO_LABEL(REPEATED) : PROTO_LABEL(OPTIONAL);
	proto->has_type = 1;
	proto->type = proto_types[field->kind];
	if (field->kind == GEN_MESSAGE)
		proto->type_name = (char *)field->message->full_name + 1;
	if (field->kind == GEN_ENUM)
		proto->type_name = (char *)field->enumeration->full_name + 1;
	return proto;
}

/* map<K, V> is a repeated message of the outer one's own, marked as such. */
static message_proto *entry_new(const struct gen_field *field, const char *name)
{
	message_proto *entry = gen_take(sizeof *entry);

	google__protobuf__descriptor_proto__init(entry);
	entry->name = (char *)name;
	entry->n_field = field->message->n_fields;
	entry->field = gen_take(entry->n_field * sizeof *entry->field);
	for (size_t i = 0; i < entry->n_field; i++)
		entry->field[i] = field_new(field->message->by_number[i]);
	entry->options = gen_take(sizeof *entry->options);
	google__protobuf__message_options__init(entry->options);
	entry->options->has_map_entry = 1;
	entry->options->map_entry = 1;
	return entry;
}

static message_proto *message_new(const struct gen_message *m)
{
	message_proto *proto = gen_take(sizeof *proto);

	google__protobuf__descriptor_proto__init(proto);
	proto->name = (char *)m->full_name + 1;
	proto->field = gen_take(m->n_fields * sizeof *proto->field);
	proto->nested_type = gen_take(m->n_fields * sizeof *proto->nested_type);
	proto->oneof_decl = gen_take(m->n_fields * sizeof *proto->oneof_decl);
	for (size_t i = 0; i < m->n_fields; i++) {
		const struct gen_field *field = &m->fields[i];
		field_proto *one = field_new(field);

		proto->field[proto->n_field++] = one;
		if (field->is_map) {
			const char *name = gen_printf("%sEntry", gen_name_camel(field->name));

			proto->nested_type[proto->n_nested_type++] = entry_new(field, name);
			one->type_name = gen_printf("%s.%s", m->full_name + 1, name);
		}
		if (field->has_presence) { /* proto3 says optional by a oneof of one */
			oneof_proto *oneof = gen_take(sizeof *oneof);

			google__protobuf__oneof_descriptor_proto__init(oneof);
			oneof->name = gen_printf("_%s", field->name);
			one->has_proto3_optional = one->has_oneof_index = 1;
			one->proto3_optional = 1;
			one->oneof_index = (int32_t)proto->n_oneof_decl;
			proto->oneof_decl[proto->n_oneof_decl++] = oneof;
		}
	}
	return proto;
}

static enum_proto *enum_new(const struct gen_enumeration *e)
{
	enum_proto *proto = gen_take(sizeof *proto);

	google__protobuf__enum_descriptor_proto__init(proto);
	proto->name = (char *)e->full_name + 1;
	proto->n_value = e->n_values;
	proto->value = gen_take(e->n_values * sizeof *proto->value);
	for (size_t i = 0; i < e->n_values; i++) {
		value_proto *value = gen_take(sizeof *value);

		google__protobuf__enum_value_descriptor_proto__init(value);
		value->name = (char *)e->values[i].name;
		value->has_number = 1;
		value->number = e->values[i].number;
		proto->value[i] = value;
		for (size_t j = 0; j < i && !proto->options; j++) {
			if (e->values[j].number != e->values[i].number)
				continue;
			proto->options = gen_take(sizeof *proto->options);
			google__protobuf__enum_options__init(proto->options);
			proto->options->has_allow_alias = 1;
			proto->options->allow_alias = 1;
		}
	}
	return proto;
}

static void put_bytes(struct gen_text *out, const char *name, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = gen_take(len);

	(void)protobuf_c_message_pack(message, bytes);
	gen_put(out, "static const uint8_t %s_descriptor[%zu] = {", name, len);
	for (size_t i = 0; i < len; i++)
		gen_put(out, "%s%u,", i % BYTES_PER_LINE ? "" : "\n\t", bytes[i]);
	gen_add(out, "\n};\n\n");
}

static void put_literal(struct gen_text *out, const char *text)
{
	gen_add(out, "\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\' || *text == '?')
			gen_put(out, "\\%c", *text);
		else if (*text == '\n')
			gen_add(out, text[1] ? "\\n\"\n\t\t\"" : "\\n");
		else if ((unsigned char)*text < ' ')
			gen_put(out, "\\%03o", (unsigned char)*text);
		else
			gen_put(out, "%c", *text);
	}
	gen_add(out, "\"");
}

static void put_doc(struct gen_text *out, const struct gen_origin *origin)
{
	gen_add(out, "\t");
	if (origin->doc && *origin->doc)
		put_literal(out, origin->doc);
	else
		gen_add(out, "(const char *)0");
	gen_add(out, ",\n");
}

static void put_docs(struct gen_text *out, const char *name, const struct gen_origin *first)
{
	gen_put(out, "static const char *const %s_docs[] = {\n", name);
	put_doc(out, first);
}

static bool is_first(const struct gen_message *m, size_t at, const void *of)
{
	for (size_t i = 0; i < at; i++)
		if (m->fields[i].message == of || m->fields[i].enumeration == of)
			return false;
	return of != NULL;
}

static void put_enum(struct gen_text *out, const char *name, const struct gen_enumeration *e)
{
	put_bytes(out, name, &enum_new(e)->base);
	put_docs(out, name, &e->origin);
	for (size_t i = 0; i < e->n_values; i++)
		put_doc(out, &e->values[i].origin);
	gen_put(out, "};\n\nstatic const struct cell_enum_schema %s_schema = {\n", name);
	gen_put(out, "\t.name = \"%s\",\n\t.descriptor = %s_descriptor,\n", e->full_name + 1,
		name);
	gen_put(out, "\t.descriptor_len = sizeof %s_descriptor,\n", name);
	gen_put(out, "\t.docs = %s_docs,\n\t.n_docs = %zu,\n};\n\n", name, e->n_values + 1);
}

/* The types of M's fields, as tables of pointers; entries of maps stand for their value. */
static size_t put_uses(struct gen_text *out, const struct gen_message *m)
{
	struct gen_text list = { .len = 0 };
	size_t n = 0;

	for (size_t i = 0; i < m->n_fields; i++) {
		const struct gen_message *used = m->fields[i].message;

		if (!is_first(m, i, used))
			continue;
		for (size_t j = 0; m->fields[i].is_map && j < used->n_fields; j++) {
			if (!used->fields[j].message)
				continue;
			gen_put(&list, "\t&%s_type,\n",
				gen_message_own(used->fields[j].message));
			n++;
		}
		if (m->fields[i].is_map)
			continue;
		gen_put(&list, "\t&%s_type,\n", gen_message_own(used));
		n++;
	}
	if (n)
		gen_put(out,
			"static const struct cell_message_type *const %s_uses[] = {\n%s};\n\n",
			gen_message_own(m), list.bytes);
	return n;
}

static size_t put_enums(struct gen_text *out, const struct gen_message *m)
{
	struct gen_text list = { .len = 0 };
	size_t n = 0;

	for (size_t i = 0; i < m->n_fields; i++) {
		const struct gen_field *field = &m->fields[i];
		const struct gen_enumeration *used = field->enumeration;
		const char *name;

		for (size_t j = 0; field->is_map && j < field->message->n_fields && !used;
		     j++)
			used = field->message->fields[j].enumeration;
		if (!used || (!field->is_map && !is_first(m, i, used)))
			continue;
		name = gen_printf("%s_enum_%zu", gen_message_own(m), n++);
		put_enum(out, name, used);
		gen_put(&list, "\t&%s_schema,\n", name);
	}
	if (n)
		gen_put(out,
			"static const struct cell_enum_schema *const %s_enums[] = {\n%s};\n\n",
			gen_message_own(m), list.bytes);
	return n;
}

void gen_emit_description(struct gen_text *out, const struct gen_message *m)
{
	const char *own = gen_message_own(m);
	size_t n_uses, n_enums;

	put_bytes(out, own, &message_new(m)->base);
	put_docs(out, own, &m->origin);
	for (size_t i = 0; i < m->n_fields; i++)
		put_doc(out, &m->fields[i].origin);
	gen_add(out, "};\n\n");
	n_uses = put_uses(out, m);
	n_enums = put_enums(out, m);
	gen_put(out, "static const struct cell_message_schema %s_schema = {\n", own);
	gen_put(out,
		"\t.descriptor = %s_descriptor,\n\t.descriptor_len = sizeof %s_descriptor,\n",
		own, own);
	gen_put(out, "\t.docs = %s_docs,\n\t.n_docs = %zu,\n", own, m->n_fields + 1);
	if (n_uses)
		gen_put(out, "\t.messages = %s_uses,\n\t.n_messages = %zu,\n", own, n_uses);
	if (n_enums)
		gen_put(out, "\t.enums = %s_enums,\n\t.n_enums = %zu,\n", own, n_enums);
	gen_add(out, "};\n\n");
}
