#include "print.h"

#include <stdlib.h>
#include <string.h>

/* ---- which types ------------------------------------------------------------------ */

static void *pushed(void *list, size_t n)
{
	/* Room doubles at powers of two. */
	void *bigger = n & (n - 1) ? list : realloc(list, (n ? 2 * n : 1) * sizeof(void *));

	if (!bigger)
		abort();
	return bigger;
}

static void add_enum(struct print_types *types, const struct schema_enum *enumeration)
{
	for (size_t i = 0; i < types->n_enums; i++)
		if (types->enums[i] == enumeration)
			return;
	types->enums = pushed(types->enums, types->n_enums);
	types->enums[types->n_enums++] = enumeration;
}

/* Whether it was new. */
static bool add_message(struct print_types *types, const struct schema_message *message)
{
	for (size_t i = 0; i < types->n_messages; i++)
		if (types->messages[i] == message)
			return false;
	types->messages = pushed(types->messages, types->n_messages);
	types->messages[types->n_messages++] = message;
	return true;
}

void print_types_add(struct print_types *types, const struct schema_message *message)
{
	size_t next = types->n_messages;

	if (!add_message(types, message))
		return;
	/* The list itself is the queue: a schema may refer to itself, and deep. */
	for (; next < types->n_messages; next++) {
		const struct schema_message *m = types->messages[next];

		for (size_t i = 0; i < m->n_fields; i++) {
			if (m->fields[i].message)
				(void)add_message(types, m->fields[i].message);
			if (m->fields[i].enumeration)
				add_enum(types, m->fields[i].enumeration);
		}
	}
}

void print_types_add_method(struct print_types *types, const struct schema_method *method)
{
	print_types_add(types, method->in);
	print_types_add(types, method->out);
}

void print_types_free(struct print_types *types)
{
	free(types->messages);
	free(types->enums);
	*types = (struct print_types){ 0 };
}

/* ---- for people ---------------------------------------------------------------------- */

static void comment_print(const struct out *out, const char *indent, const char *comment)
{
	while (*comment) {
		size_t len = strcspn(comment, "\n");

		fputs(indent, out->file);
		out_print(out, OUT_DIM, "//%s%.*s", len ? " " : "", (int)len, comment);
		fputc('\n', out->file);
		comment += len + (comment[len] == '\n');
	}
}

static void type_print(const struct out *out, const char *prefix,
		       const struct schema_message *type)
{
	fprintf(out->file, "%s%s", prefix, type->short_name);
}

static void method_line(const struct out *out, const char *indent,
			const struct schema_method *m)
{
	char name[128];

	comment_print(out, indent, m->comment);
	fprintf(out->file, "%srpc ", indent);
	out_print(out, OUT_BOLD, "%s", schema_snake(name, sizeof name, m->name));
	fputc('(', out->file);
	type_print(out, m->client_streams ? "stream " : "", m->in);
	fputs(") returns (", out->file);
	type_print(out, m->server_streams ? "stream " : "", m->out);
	fputs(");", out->file);
	if (m->is_idempotent)
		out_print(out, OUT_DIM, " // idempotent");
	fputc('\n', out->file);
}

void print_method(const struct out *out, const struct schema_method *method)
{
	method_line(out, "", method);
}

void print_service(const struct out *out, const struct schema_service *service)
{
	comment_print(out, "", service->comment);
	fputs("service ", out->file);
	out_print(out, OUT_BOLD, "%s", service->short_name);
	fputs(" {", out->file);
	out_print(out, OUT_DIM, " // %s", service->name);
	fputc('\n', out->file);
	for (size_t i = 0; i < service->n_methods; i++) {
		if (i && (*service->methods[i].comment || *service->methods[i - 1].comment))
			fputc('\n', out->file);
		method_line(out, "  ", &service->methods[i]);
	}
	fputs("}\n", out->file);
}

/* "string", "Part", "map<string, Part>": names of types without their package. */
static void field_type_print(const struct out *out, const struct schema_field *field)
{
	const struct schema_message *m = field->message;

	if (m && field->is_map) {
		fputs("map<", out->file);
		field_type_print(out, m->by_number[0]);
		fputs(", ", out->file);
		field_type_print(out, m->by_number[1]);
		fputc('>', out->file);
	} else if (m) {
		fputs(m->special == SCHEMA_ORDINARY ? m->short_name : m->name, out->file);
	} else if (field->enumeration) {
		fputs(field->enumeration->short_name, out->file);
	} else {
		fputs(schema_type_name(field), out->file);
	}
}

static void field_print(const struct out *out, const char *indent,
			const struct schema_field *field)
{
	bool is_short = strlen(field->comment) <= 40 && !strchr(field->comment, '\n');

	if (!is_short)
		comment_print(out, indent, field->comment);
	fputs(indent, out->file);
	if (field->is_repeated && !field->is_map)
		fputs("repeated ", out->file);
	else if (field->has_presence && !field->message && !field->oneof)
		fputs("optional ", out->file);
	field_type_print(out, field);
	fputc(' ', out->file);
	out_print(out, OUT_BOLD, "%s", field->name);
	fprintf(out->file, " = %u;", field->number);
	if (is_short && *field->comment)
		out_print(out, OUT_DIM, " // %s", field->comment);
	fputc('\n', out->file);
}

void print_message(const struct out *out, const struct schema_message *message)
{
	const struct schema_oneof *oneof = NULL;

	comment_print(out, "", message->comment);
	fputs("message ", out->file);
	out_print(out, OUT_BOLD, "%s", message->short_name);
	fputs(message->n_fields ? " {\n" : " {", out->file);
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct schema_field *field = &message->fields[i];

		if (oneof && field->oneof != oneof)
			fputs("  }\n", out->file);
		if (field->oneof && field->oneof != oneof) {
			comment_print(out, "  ", field->oneof->comment);
			fprintf(out->file, "  oneof %s {\n", field->oneof->name);
		}
		oneof = field->oneof;
		field_print(out, oneof ? "    " : "  ", field);
	}
	fputs(oneof ? "  }\n}\n" : "}\n", out->file);
}

void print_enum(const struct out *out, const struct schema_enum *e)
{
	comment_print(out, "", e->comment);
	fputs("enum ", out->file);
	out_print(out, OUT_BOLD, "%s", e->short_name);
	fputs(" {\n", out->file);
	for (size_t i = 0; i < e->n_values; i++) {
		fprintf(out->file, "  %s = %d;", e->values[i].name, e->values[i].number);
		if (*e->values[i].comment)
			out_print(out, OUT_DIM, " // %.*s",
				  (int)strcspn(e->values[i].comment, "\n"),
				  e->values[i].comment);
		fputc('\n', out->file);
	}
	fputs("}\n", out->file);
}

/* ---- for programs ---------------------------------------------------------------------- */

json_t *print_method_json(const struct schema_method *m)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b}", "name", m->name,
			 "full_name", m->full_name, "comment", m->comment, "request",
			 m->in->name, "reply", m->out->name, "client_streams",
			 m->client_streams, "server_streams", m->server_streams, "idempotent",
			 m->is_idempotent);
}

json_t *print_service_json(const struct schema_service *service)
{
	json_t *methods = json_array();

	for (size_t i = 0; i < service->n_methods; i++)
		(void)json_array_append_new(methods, print_method_json(&service->methods[i]));
	return json_pack("{s:s, s:s, s:o}", "name", service->name, "comment",
			 service->comment, "methods", methods);
}

static json_t *field_json(const struct schema_field *f)
{
	json_t *field = json_pack("{s:s, s:s, s:I, s:s, s:s}", "name", f->name, "json_name",
				  f->json_name, "number", (json_int_t)f->number, "label",
				  f->is_map         ? "map"
				  : f->is_repeated  ? "repeated"
				  : f->has_presence ? "optional"
						    : "singular",
				  "comment", f->comment);
	const struct schema_field *value = f->is_map ? f->message->by_number[1] : f;

	(void)json_object_set_new(field, "type", json_string(schema_type_name(value)));
	if (f->is_map)
		(void)json_object_set_new(field, "key_type",
					  json_string(schema_type_name(
						  f->message->by_number[0])));
	if (f->oneof)
		(void)json_object_set_new(field, "oneof", json_string(f->oneof->name));
	return field;
}

json_t *print_message_json(const struct schema_message *message)
{
	json_t *fields = json_array();

	for (size_t i = 0; i < message->n_fields; i++)
		(void)json_array_append_new(fields, field_json(&message->fields[i]));
	return json_pack("{s:s, s:s, s:o}", "name", message->name, "comment",
			 message->comment, "fields", fields);
}

json_t *print_enum_json(const struct schema_enum *e)
{
	json_t *values = json_array();

	for (size_t i = 0; i < e->n_values; i++)
		(void)json_array_append_new(values,
					    json_pack("{s:s, s:i, s:s}", "name",
						      e->values[i].name, "number",
						      (int)e->values[i].number, "comment",
						      e->values[i].comment));
	return json_pack("{s:s, s:s, s:o}", "name", e->name, "comment", e->comment, "values",
			 values);
}
