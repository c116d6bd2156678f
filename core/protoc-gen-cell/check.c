#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "origin.h"

void complain(struct model *model, const struct origin *origin, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (model->errors.len)
		text_add(&model->errors, "\n");
	if (origin->line)
		text_put(&model->errors, "%s:%d:%d: %s", origin->file, origin->line,
			 origin->column, text);
	else
		text_put(&model->errors, "%s: %s", origin->file, text);
}

/* --- form --------------------------------------------------------------- */

static void message_check_form(struct model *model, const struct file *file,
			       const Google__Protobuf__DescriptorProto *proto)
{
	const struct origin at = { .file = file->name };

	if (proto->n_extension || proto->n_extension_range)
		complain(model, &at, "%s: extensions are not supported", proto->name);
	for (size_t i = 0; i < proto->n_nested_type; i++)
		message_check_form(model, file, proto->nested_type[i]);
}

void file_check_form(struct model *model, const struct file *file)
{
	const Google__Protobuf__FileDescriptorProto *proto = file->proto;
	const struct origin at = { .file = file->name };

	if (!proto->syntax || strcmp(proto->syntax, "proto3"))
		complain(model, &at, "proto2 is not supported; say: syntax = \"proto3\";");
	if (!file->cell[0])
		complain(
			model, &at,
			"needs a package that names the cell, as in: package cell.greeter.v1;");
	if (proto->n_extension)
		complain(model, &at, "extensions are not supported");
	for (size_t i = 0; i < proto->n_message_type; i++)
		message_check_form(model, file, proto->message_type[i]);
}

/* --- recursion ---------------------------------------------------------- */

enum { NOT_VISITED, IN_VISIT, VISITED };

/*
 * Schemas do not recurse: this is what bounds the stack of a decoder, whatever a peer
 * sends. TRAIL says how we came to M.
 */
static bool message_recurses(struct model *model, struct message *m, const char *trail)
{
	if (m->visit == IN_VISIT) {
		complain(model, &m->origin,
			 "%s contains itself (%s); schemas do not recurse: "
			 "use a list of items that name each other by number",
			 m->full_name + 1, trail);
		return true;
	}
	if (m->visit == VISITED)
		return false;
	m->visit = IN_VISIT;
	for (size_t i = 0; i < m->n_fields; i++) {
		const struct field *field = &m->fields[i];

		if (field->message &&
		    message_recurses(model, field->message,
				     *trail ? take_printf("%s.%s", trail, field->name)
					    : field->name))
			return true;
	}
	m->visit = VISITED;
	return false;
}

static void message_check(struct model *model, struct message *m)
{
	for (size_t i = 0; i < m->n_fields; i++) {
		const struct file *other = m->fields[i].message ? m->fields[i].message->file
					   : m->fields[i].enumeration
						   ? m->fields[i].enumeration->file
						   : NULL;

		if (other &&
		    strcmp(other->proto->syntax ? other->proto->syntax : "", "proto3"))
			complain(
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
struct name_set {
	const char **names;
	const char **meanings;
	size_t n;
	size_t room;
};

/* False, and an error noted, if NAME is taken. */
static bool name_add(struct model *model, struct name_set *set, const struct origin *origin,
		     const char *name, const char *meaning)
{
	for (size_t i = 0; i < set->n; i++)
		if (!strcmp(set->names[i], name)) {
			complain(model, origin,
				 "%s would be called '%s' in C, as %s is; "
				 "rename one",
				 meaning, name, set->meanings[i]);
			return false;
		}
	if (set->n == set->room) {
		size_t room = 2 * set->room + 64;
		const char **names = take(room * sizeof *names);
		const char **meanings = take(room * sizeof *meanings);

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

static void members_check(struct model *model, const struct message *m)
{
	struct name_set members = { .n = 0 };

	for (size_t i = 0; i < m->n_fields; i++) {
		const struct field *field = &m->fields[i];
		const char *meaning = take_printf("field '%s'", field->name);

		if (field->has_presence)
			name_add(model, &members, &field->origin,
				 take_printf("has_%s", field->name), meaning);
		if (field->is_repeated || field->kind == KIND_BYTES)
			name_add(model, &members, &field->origin,
				 take_printf("n_%s", field->name), meaning);
		name_add(model, &members, &field->origin, field->member, meaning);
	}
}

/* What the header defines for a method, beside the stub itself. */
static void method_names(struct model *model, struct name_set *tags, struct name_set *others,
			 const struct method *method)
{
	static const char *const unary[] = { "_start", "_wait", "_post", NULL };
	static const char *const server[] = { "_next", "_end", NULL };
	static const char *const client[] = { "_open", "_send", "_close", NULL };
	static const char *const both[] = { "_open",       "_send",  "_recv",
					    "_close_send", "_close", NULL };
	const char *meaning = take_printf("method '%s'", method->full_name);
	const char *const *endings = method->client_streams && method->server_streams ? both
				     : method->client_streams                         ? client
				     : method->server_streams                         ? server
										      : unary;
	const char *object = method->client_streams   ? "stream"
			     : method->server_streams ? "cursor"
						      : "future";

	name_add(model, tags, &method->origin, take_printf("%s_%s", method->noun, object),
		 meaning);
	if (!method->client_streams)
		name_add(model, others, &method->origin, method->noun, meaning);
	for (; *endings; endings++)
		name_add(model, others, &method->origin,
			 take_printf("%s%s", method->noun, *endings), meaning);
}

static void streamed_names(struct model *model, struct name_set *tags,
			   struct name_set *others, const struct message *m,
			   const char *object, const char *verb)
{
	const char *tag = take_printf("%s_%s", m->tag, object);
	const char *meaning = take_printf("the %s of message '%s'", object, m->full_name + 1);

	for (size_t i = 0; i < tags->n; i++)
		if (!strcmp(tags->names[i], tag) && !strcmp(tags->meanings[i], meaning))
			return;
	name_add(model, tags, &m->origin, tag, meaning);
	name_add(model, others, &m->origin, take_printf("%s_%s", m->tag, verb), meaning);
}

static void service_check(struct model *model, const struct file *file, size_t at,
			  struct name_set *tags, struct name_set *others)
{
	const struct service *service = &file->services[at];
	const char *meaning = take_printf("service '%s'", service->name);

	name_add(model, tags, &service->origin, take_printf("%s_handlers", service->prefix),
		 meaning);
	name_add(model, others, &service->origin, take_printf("%s_ref", service->prefix),
		 meaning);
	name_add(model, others, &service->origin, take_printf("%s_methods", service->prefix),
		 meaning);
	name_add(model, others, &service->origin, take_printf("%s_service", service->prefix),
		 meaning);
	for (size_t i = 0; i < service->n_methods; i++) {
		const struct method *method = &service->methods[i];

		method_names(model, tags, others, method);
		if (method->client_streams)
			streamed_names(model, tags, others, method->in, "source", "recv");
		if (method->server_streams)
			streamed_names(model, tags, others, method->out, "sink", "send");
	}
}

static void hashes_check(struct model *model, const struct file *file)
{
	for (size_t s = 0; s < file->n_services; s++)
		for (size_t i = 0; i < file->services[s].n_methods; i++) {
			const struct method *method = &file->services[s].methods[i];

			for (size_t t = 0; t <= s; t++)
				for (size_t j = 0;
				     j < (t < s ? file->services[t].n_methods : i); j++)
					if (file->services[t].methods[j].hash == method->hash)
						complain(
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

void file_check_sense(struct model *model, const struct file *file)
{
	struct name_set tags = { .n = 0 }, others = { .n = 0 };

	for (size_t i = 0; i < file->n_enums; i++) {
		const struct enumeration *e = file->enums[i];
		const char *meaning = take_printf("enum '%s'", e->full_name + 1);

		name_add(model, &tags, &e->origin, e->tag, meaning);
		for (size_t v = 0; v < e->n_values; v++)
			name_add(model, &others, &e->values[v].origin, e->values[v].name,
				 take_printf("a value of enum '%s'", e->full_name + 1));
	}
	for (size_t i = 0; i < file->n_messages; i++) {
		struct message *m = file->messages[i];
		const char *meaning = take_printf("message '%s'", m->full_name + 1);

		message_check(model, m);
		members_check(model, m);
		if (name_add(model, &tags, &m->origin, m->tag, meaning))
			name_add(model, &others, &m->origin, take_printf("%s_type", m->tag),
				 meaning);
	}
	for (size_t s = 0; s < file->n_services; s++)
		service_check(model, file, s, &tags, &others);
	hashes_check(model, file);
}
