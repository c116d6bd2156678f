#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "origin.h"

void gen_complain(struct gen_model *model, const struct gen_origin *origin,
		  const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (model->errors.len)
		gen_add(&model->errors, "\n");
	if (origin->line)
		gen_put(&model->errors, "%s:%d:%d: %s", origin->file, origin->line,
			origin->column, text);
	else
		gen_put(&model->errors, "%s: %s", origin->file, text);
}

/* --- form --------------------------------------------------------------- */

static void message_check_form(struct gen_model *model, const struct gen_file *file,
			       const Google__Protobuf__DescriptorProto *proto)
{
	const struct gen_origin at = { .file = file->name };

	if (proto->n_extension || proto->n_extension_range)
		gen_complain(model, &at, "%s: extensions are not supported", proto->name);
	for (size_t i = 0; i < proto->n_nested_type; i++)
		message_check_form(model, file, proto->nested_type[i]);
}

void gen_file_check_form(struct gen_model *model, const struct gen_file *file)
{
	const Google__Protobuf__FileDescriptorProto *proto = file->proto;
	const struct gen_origin at = { .file = file->name };

	if (!proto->syntax || strcmp(proto->syntax, "proto3"))
		gen_complain(model, &at,
			     "proto2 is not supported; say: syntax = \"proto3\";");
	if (!file->cell[0])
		gen_complain(
			model, &at,
			"needs a package that names the cell, as in: package cell.greeter.v1;");
	if (proto->n_extension)
		gen_complain(model, &at, "extensions are not supported");
	for (size_t i = 0; i < proto->n_message_type; i++)
		message_check_form(model, file, proto->message_type[i]);
}

/* --- recursion ---------------------------------------------------------- */

enum { NOT_VISITED, IN_VISIT, VISITED };

/*
 * Schemas do not recurse: this is what bounds the stack of a decoder, whatever a peer
 * sends. TRAIL says how we came to M.
 */
static bool message_recurses(struct gen_model *model, struct gen_message *m,
			     const char *trail)
{
	if (m->visit == IN_VISIT) {
		gen_complain(model, &m->origin,
			     "%s contains itself (%s); schemas do not recurse: "
			     "use a list of items that name each other by number",
			     m->full_name + 1, trail);
		return true;
	}
	if (m->visit == VISITED)
		return false;
	m->visit = IN_VISIT;
	for (size_t i = 0; i < m->n_fields; i++) {
		const struct gen_field *field = &m->fields[i];

		if (field->message &&
		    message_recurses(model, field->message,
				     *trail ? gen_printf("%s.%s", trail, field->name)
					    : field->name))
			return true;
	}
	m->visit = VISITED;
	return false;
}

static void message_check(struct gen_model *model, struct gen_message *m)
{
	for (size_t i = 0; i < m->n_fields; i++) {
		const struct gen_file *other =
			m->fields[i].message       ? m->fields[i].message->file
			: m->fields[i].enumeration ? m->fields[i].enumeration->file
						   : NULL;

		if (other &&
		    strcmp(other->proto->syntax ? other->proto->syntax : "", "proto3"))
			gen_complain(
				model, &m->fields[i].origin,
				"%s: its type is defined in proto2 (%s), which is not supported",
				m->fields[i].name, other->name);
	}
	/* One that is still IN_VISIT is part of a cycle that was reported. */
	if (m->visit == NOT_VISITED)
		(void)message_recurses(model, m, "");
}

/* --- clashes ------------------------------------------------------------ */

/* Names in use among tags, members or all others, with what they stand for. */
struct gen_name_set {
	const char **names;
	const char **meanings;
	size_t n;
	size_t room;
};

/* False, and an error noted, if NAME is taken. */
static bool name_add(struct gen_model *model, struct gen_name_set *set,
		     const struct gen_origin *origin, const char *name, const char *meaning)
{
	for (size_t i = 0; i < set->n; i++)
		if (!strcmp(set->names[i], name)) {
			gen_complain(model, origin,
				     "%s would be called '%s' in C, as %s is; "
				     "rename one",
				     meaning, name, set->meanings[i]);
			return false;
		}
	if (set->n == set->room) {
		size_t room = 2 * set->room + 64;
		const char **names = gen_take(room * sizeof *names);
		const char **meanings = gen_take(room * sizeof *meanings);

		if (set->n) {
			memcpy(names, set->names, set->n * sizeof *names);
			memcpy(meanings, set->meanings, set->n * sizeof *meanings);
		}
		set->names = names;
		set->meanings = meanings;
		set->room = room;
	}
	set->names[set->n] = name;
	set->meanings[set->n++] = meaning;
	return true;
}

static void members_check(struct gen_model *model, const struct gen_message *m)
{
	struct gen_name_set members = { .n = 0 };

	for (size_t i = 0; i < m->n_fields; i++) {
		const struct gen_field *field = &m->fields[i];
		const char *meaning = gen_printf("field '%s'", field->name);

		if (field->has_presence)
			name_add(model, &members, &field->origin,
				 gen_printf("has_%s", field->name), meaning);
		if (field->is_repeated || field->kind == GEN_BYTES)
			name_add(model, &members, &field->origin,
				 gen_printf("n_%s", field->name), meaning);
		name_add(model, &members, &field->origin, field->member, meaning);
	}
}

/* What the header defines for a method, beside the stub itself. */
static void method_names(struct gen_model *model, struct gen_name_set *tags,
			 struct gen_name_set *others, const struct gen_method *method)
{
	static const char *const unary[] = { "_start", "_wait", "_post", NULL };
	static const char *const server[] = { "_next", "_end", NULL };
	static const char *const client[] = { "_open", "_send", "_close", NULL };
	static const char *const both[] = { "_open",       "_send",  "_recv",
					    "_close_send", "_close", NULL };
	const char *meaning = gen_printf("method '%s'", method->full_name);
	const char *const *endings = method->client_streams && method->server_streams ? both
				     : method->client_streams                         ? client
				     : method->server_streams                         ? server
										      : unary;
	const char *object = method->client_streams   ? "stream"
			     : method->server_streams ? "cursor"
						      : "future";

	name_add(model, tags, &method->origin, gen_printf("%s_%s", method->noun, object),
		 meaning);
	if (!method->client_streams)
		name_add(model, others, &method->origin, method->noun, meaning);
	for (; *endings; endings++)
		name_add(model, others, &method->origin,
			 gen_printf("%s%s", method->noun, *endings), meaning);
}

static void streamed_names(struct gen_model *model, struct gen_name_set *tags,
			   struct gen_name_set *others, const struct gen_message *m,
			   const char *object, const char *verb)
{
	const char *tag = gen_printf("%s_%s", m->tag, object);
	const char *meaning = gen_printf("the %s of message '%s'", object, m->full_name + 1);

	for (size_t i = 0; i < tags->n; i++)
		if (!strcmp(tags->names[i], tag) && !strcmp(tags->meanings[i], meaning))
			return;
	name_add(model, tags, &m->origin, tag, meaning);
	name_add(model, others, &m->origin, gen_printf("%s_%s", m->tag, verb), meaning);
}

static void service_check(struct gen_model *model, const struct gen_file *file, size_t at,
			  struct gen_name_set *tags, struct gen_name_set *others)
{
	const struct gen_service *service = &file->services[at];
	const char *meaning = gen_printf("service '%s'", service->name);

	name_add(model, tags, &service->origin, gen_printf("%s_handlers", service->prefix),
		 meaning);
	name_add(model, others, &service->origin, gen_printf("%s_ref", service->prefix),
		 meaning);
	name_add(model, others, &service->origin, gen_printf("%s_methods", service->prefix),
		 meaning);
	name_add(model, others, &service->origin, gen_printf("%s_service", service->prefix),
		 meaning);
	for (size_t i = 0; i < service->n_methods; i++) {
		const struct gen_method *method = &service->methods[i];

		method_names(model, tags, others, method);
		if (method->client_streams)
			streamed_names(model, tags, others, method->in, "source", "recv");
		if (method->server_streams)
			streamed_names(model, tags, others, method->out, "sink", "send");
	}
}

static void hashes_check(struct gen_model *model, const struct gen_file *file)
{
	for (size_t s = 0; s < file->n_services; s++)
		for (size_t i = 0; i < file->services[s].n_methods; i++) {
			const struct gen_method *method = &file->services[s].methods[i];

			for (size_t t = 0; t <= s; t++)
				for (size_t j = 0;
				     j < (t < s ? file->services[t].n_methods : i); j++)
					if (file->services[t].methods[j].hash == method->hash)
						gen_complain(
							model, &method->origin,
							"method '%s' has the same hash as '%s' "
							"(%08x); rename one",
							method->full_name,
							file->services[t]
								.methods[j]
								.full_name,
							method->hash);
		}
}

void gen_file_check_sense(struct gen_model *model, const struct gen_file *file)
{
	struct gen_name_set tags = { .n = 0 }, others = { .n = 0 };

	for (size_t i = 0; i < file->n_enums; i++) {
		const struct gen_enumeration *e = file->enums[i];
		const char *meaning = gen_printf("enum '%s'", e->full_name + 1);

		name_add(model, &tags, &e->origin, e->tag, meaning);
		for (size_t v = 0; v < e->n_values; v++)
			name_add(model, &others, &e->values[v].origin, e->values[v].name,
				 gen_printf("a value of enum '%s'", e->full_name + 1));
	}
	for (size_t i = 0; i < file->n_messages; i++) {
		struct gen_message *m = file->messages[i];
		const char *meaning = gen_printf("message '%s'", m->full_name + 1);

		message_check(model, m);
		members_check(model, m);
		if (name_add(model, &tags, &m->origin, m->tag, meaning))
			name_add(model, &others, &m->origin, gen_printf("%s_type", m->tag),
				 meaning);
	}
	for (size_t s = 0; s < file->n_services; s++)
		service_check(model, file, s, &tags, &others);
	hashes_check(model, file);
}
