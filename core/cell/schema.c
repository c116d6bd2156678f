#include "schema.h"

#include "schema_index.h"

#include <cell/cell.h>
#include <cell/codec.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "google/protobuf/descriptor.pb-c.h"

typedef Google__Protobuf__FileDescriptorSet SetProto;
typedef Google__Protobuf__FileDescriptorProto FileProto;
typedef Google__Protobuf__DescriptorProto MessageProto;
typedef Google__Protobuf__FieldDescriptorProto FieldProto;
typedef Google__Protobuf__EnumDescriptorProto EnumProto;
typedef Google__Protobuf__ServiceDescriptorProto ServiceProto;
typedef Google__Protobuf__MethodDescriptorProto MethodProto;
typedef Google__Protobuf__SourceCodeInfo__Location Location;

/* Field numbers of descriptor.proto that paths of comments, and the depth check, go by. */
enum {
	SET_FILE = 1,
	FILE_MESSAGE = 4,
	FILE_ENUM = 5,
	FILE_SERVICE = 6,
	MESSAGE_FIELD = 2,
	MESSAGE_NESTED = 3,
	MESSAGE_ENUM = 4,
	MESSAGE_ONEOF = 8,
	ENUM_VALUE = 2,
	SERVICE_METHOD = 2
};

#define FIELD_NUMBER_MAX 536870911

struct parser {
	struct schema *schema;
	struct cell_arena *arena;
	struct cell_error *err;
	bool is_proto2;
};

/* ---- memory ------------------------------------------------------------------------ */

static void *on_alloc(void *userdata, size_t size)
{
	return cell_arena_alloc(userdata, size);
}

static void on_free(void *userdata, void *pointer)
{
	(void)userdata;
	(void)pointer;
}

static int no_memory(struct parser *p)
{
	return cell_fail(p->err, -ENOMEM,
			 "schema: no memory, or more than %u MiB of it needed",
			 SCHEMA_MEMORY_MAX >> 20);
}

/* N zeroed elements into *RET; false if there is no memory. */
static bool array_new(struct parser *p, void *ret, size_t n, size_t size)
{
	void *items = cell_arena_calloc(p->arena, n ? n : 1, size);

	memcpy(ret, &items, sizeof items);
	return items;
}

/* ---- checks ------------------------------------------------------------------------- */

static bool is_identifier(const char *text)
{
	if (!text || (!isalpha((unsigned char)*text) && *text != '_'))
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && *text != '_')
			return false;
	return true;
}

/* Identifiers with dots between them; "" too. */
static bool is_package(const char *text)
{
	bool at_start = true;

	if (!text || !*text)
		return text;
	for (; *text; text++) {
		if (*text == '.' && !at_start)
			at_start = true;
		else if (isalpha((unsigned char)*text) || *text == '_' ||
			 (!at_start && isdigit((unsigned char)*text)))
			at_start = false;
		else
			return false;
	}
	return !at_start;
}

/*
 * Unpacking recurses for messages in messages, and a hostile set could nest them until
 * the stack ends; so their depth is counted first. Whatever is malformed on the way is not
 * shallow, as the two parsers might see different things in it. LEVEL 0 is the set, 1 a file.
 */
static bool is_shallow(const uint8_t *at, const uint8_t *end, unsigned level)
{
	uint32_t wanted = level == 0 ? SET_FILE : level == 1 ? FILE_MESSAGE : MESSAGE_NESTED;
	struct cell_decoder d;

	if (level > SCHEMA_NESTING_MAX + 2)
		return false;
	cell_decode_begin(&d, 0, NULL, NULL);
	while (at && at < end) {
		struct cell_varint tag = cell_decode_varint(at, end);
		const uint8_t *stop = NULL;

		if (!tag.at || tag.value > UINT32_MAX || tag.value >> 3 == 0)
			return false;
		if (tag.value != (wanted << 3 | 2)) {
			at = cell_decode_skip(&d, tag.at, end, (uint32_t)tag.value);
			continue;
		}
		at = cell_decode_length(&d, tag.at, end, &stop);
		if (!at || !is_shallow(at, stop, level + 1))
			return false;
		at = stop;
	}
	return at;
}

/* ---- names --------------------------------------------------------------------------- */

/* SCOPE.NAME in the arena, or just NAME. *RET_SHORT is where NAME begins in it. */
static int name_join(struct parser *p, const char *scope, const char *name,
		     const char **ret_full, const char **ret_short)
{
	char *full;

	if (!is_identifier(name))
		return cell_fail(p->err, -EPROTO,
				 "schema: a definition in '%.100s' has no valid name", scope);
	full = *scope ? cell_arena_printf(p->arena, "%s.%s", scope, name)
		      : cell_arena_strdup(p->arena, name);
	if (!full)
		return no_memory(p);
	*ret_full = full;
	if (ret_short)
		*ret_short = full + strlen(full) - strlen(name);
	return 0;
}

/* protoc's rule: an underscore goes, and the letter behind it is raised. */
static const char *json_name_make(struct cell_arena *arena, const char *name)
{
	char *out = cell_arena_strdup(arena, name), *to = out;
	bool raise = false;

	if (!out)
		return NULL;
	for (; *name; name++) {
		if (*name == '_') {
			raise = true;
			continue;
		}
		*to++ = raise ? (char)toupper((unsigned char)*name) : *name;
		raise = false;
	}
	*to = '\0';
	return out;
}

static enum schema_special special_find(const char *name)
{
	static const char prefix[] = "google.protobuf.";
	static const char *const wrappers[] = {
		"DoubleValue", "FloatValue", "Int64Value",  "UInt64Value", "Int32Value",
		"UInt32Value", "BoolValue",  "StringValue", "BytesValue",
	};

	if (strncmp(name, prefix, sizeof prefix - 1) != 0)
		return SCHEMA_ORDINARY;
	name += sizeof prefix - 1;
	if (strcmp(name, "Timestamp") == 0)
		return SCHEMA_TIMESTAMP;
	if (strcmp(name, "Duration") == 0)
		return SCHEMA_DURATION;
	for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++)
		if (strcmp(name, wrappers[i]) == 0)
			return SCHEMA_WRAPPER;
	return SCHEMA_ORDINARY;
}

/* ---- definitions, without their references ------------------------------------------------
 */

static int enum_make(struct parser *p, struct schema_enum *e, const EnumProto *proto,
		     const char *scope)
{
	int r = name_join(p, scope, proto->name, &e->name, &e->short_name);

	if (r < 0)
		return r;
	if (proto->n_value == 0)
		return cell_fail(p->err, -EPROTO, "schema: enum %.100s has no values",
				 e->name);
	e->comment = "";
	e->n_values = proto->n_value;
	if (!array_new(p, &e->values, e->n_values, sizeof *e->values))
		return no_memory(p);
	for (size_t i = 0; i < e->n_values; i++) {
		if (!is_identifier(proto->value[i]->name))
			return cell_fail(p->err, -EPROTO,
					 "schema: enum %.100s: a value has no name", e->name);
		e->values[i] = (struct schema_value){ .name = proto->value[i]->name,
						      .comment = "",
						      .number = proto->value[i]->number };
	}
	p->schema->private->enums.n++;
	return 0;
}

static int field_make(struct parser *p, const struct schema_message *message,
		      struct schema_field *field, const FieldProto *proto)
{
	int type = (int)proto->type;
	bool is_packable;

	if (!is_identifier(proto->name))
		return cell_fail(p->err, -EPROTO, "schema: %.100s: a field has no valid name",
				 message->name);
	if (proto->number < 1 || proto->number > FIELD_NUMBER_MAX)
		return cell_fail(p->err, -EPROTO, "schema: %.100s.%.60s: field number %d",
				 message->name, proto->name, proto->number);
	if (type < (int)SCHEMA_DOUBLE || type > (int)SCHEMA_SINT64 ||
	    type == (int)SCHEMA_GROUP)
		return cell_fail(p->err, -EPROTO,
				 "schema: %.100s.%.60s: fields of type %d are not known",
				 message->name, proto->name, type);
	if (proto->has_oneof_index &&
	    (proto->oneof_index < 0 || (size_t)proto->oneof_index >= message->n_oneofs))
		return cell_fail(p->err, -EPROTO, "schema: %.100s.%.60s: no oneof %d",
				 message->name, proto->name, proto->oneof_index);

	field->name = proto->name;
	field->json_name = proto->json_name && *proto->json_name
				   ? proto->json_name
				   : json_name_make(p->arena, proto->name);
	if (!field->json_name)
		return no_memory(p);
	field->comment = "";
	field->number = (uint32_t)proto->number;
	field->type = (enum schema_type)type;
	field->is_repeated = proto->label ==
			     GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED;
	if (proto->has_oneof_index && !proto->proto3_optional)
		field->oneof = &message->oneofs[proto->oneof_index];
	field->has_presence =
		!field->is_repeated &&
		(p->is_proto2 || proto->has_oneof_index || field->type == SCHEMA_MESSAGE);
	is_packable = field->is_repeated && field->type != SCHEMA_STRING &&
		      field->type != SCHEMA_BYTES && field->type != SCHEMA_MESSAGE;
	field->is_packed = is_packable && (proto->options && proto->options->has_packed
						   ? proto->options->packed
						   : !p->is_proto2);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct schema_field *const *x = a, *const *y = b;

	return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

static int fields_make(struct parser *p, struct schema_message *m, const MessageProto *proto)
{
	int r;

	m->n_fields = proto->n_field;
	if (!array_new(p, &m->fields, m->n_fields, sizeof *m->fields) ||
	    !array_new(p, &m->by_number, m->n_fields, sizeof(void *)))
		return no_memory(p);
	for (size_t i = 0; i < m->n_fields; i++) {
		r = field_make(p, m, &m->fields[i], proto->field[i]);
		if (r < 0)
			return r;
		m->by_number[i] = &m->fields[i];
	}
	qsort(m->by_number, m->n_fields, sizeof(void *), by_number);
	for (size_t i = 1; i < m->n_fields; i++)
		if (m->by_number[i]->number == m->by_number[i - 1]->number)
			return cell_fail(
				p->err, -EPROTO,
				"schema: %.80s: fields '%.50s' and '%.50s' both have number %u",
				m->name, m->by_number[i - 1]->name, m->by_number[i]->name,
				m->by_number[i]->number);
	return 0;
}

/* LEVEL was bounded by is_shallow(). */
static int message_make(struct parser *p, struct schema_message *m, const MessageProto *proto,
			const char *scope)
{
	int r = name_join(p, scope, proto->name, &m->name, &m->short_name);

	if (r < 0)
		return r;
	m->comment = "";
	m->special = special_find(m->name);
	m->is_map_entry = proto->options && proto->options->map_entry;
	m->n_oneofs = proto->n_oneof_decl;
	m->n_nested = proto->n_nested_type;
	m->n_enums = proto->n_enum_type;
	if (!array_new(p, &m->oneofs, m->n_oneofs, sizeof *m->oneofs) ||
	    !array_new(p, &m->nested, m->n_nested, sizeof *m->nested) ||
	    !array_new(p, &m->enums, m->n_enums, sizeof *m->enums))
		return no_memory(p);
	for (size_t i = 0; i < m->n_oneofs; i++) {
		if (!is_identifier(proto->oneof_decl[i]->name))
			return cell_fail(p->err, -EPROTO,
					 "schema: %.100s: a oneof has no name", m->name);
		m->oneofs[i] = (struct schema_oneof){ proto->oneof_decl[i]->name, "" };
	}
	r = fields_make(p, m, proto);
	for (size_t i = 0; r == 0 && i < m->n_nested; i++)
		r = message_make(p, &m->nested[i], proto->nested_type[i], m->name);
	for (size_t i = 0; r == 0 && i < m->n_enums; i++)
		r = enum_make(p, &m->enums[i], proto->enum_type[i], m->name);
	p->schema->private->messages.n++;
	return r;
}

static int service_make(struct parser *p, struct schema_service *s, const ServiceProto *proto,
			const char *scope)
{
	int r = name_join(p, scope, proto->name, &s->name, &s->short_name);

	if (r < 0)
		return r;
	s->comment = "";
	s->n_methods = proto->n_method;
	if (!array_new(p, &s->methods, s->n_methods, sizeof *s->methods))
		return no_memory(p);
	for (size_t i = 0; i < s->n_methods; i++) {
		const MethodProto *method = proto->method[i];

		if (!is_identifier(method->name))
			return cell_fail(p->err, -EPROTO,
					 "schema: %.100s: a method has no name", s->name);
		s->methods[i] = (struct schema_method){
			.name = method->name,
			.full_name =
				cell_arena_printf(p->arena, "%s/%s", s->name, method->name),
			.comment = "",
			.service = s,
			.client_streams = method->client_streaming,
			.server_streams = method->server_streaming,
			.is_idempotent =
				method->options && method->options->has_idempotency_level &&
				method->options->idempotency_level !=
					GOOGLE__PROTOBUF__METHOD_OPTIONS__IDEMPOTENCY_LEVEL__IDEMPOTENCY_UNKNOWN,
		};
		if (!s->methods[i].full_name)
			return no_memory(p);
	}
	p->schema->private->services.n++;
	return 0;
}

static int file_make(struct parser *p, struct schema_file *file, const FileProto *proto)
{
	int r = 0;

	file->name = proto->name ? proto->name : "";
	file->package = proto->package ? proto->package : "";
	if (!is_package(file->package))
		return cell_fail(p->err, -EPROTO, "schema: a file has no valid package name");
	p->is_proto2 = !proto->syntax || strcmp(proto->syntax, "proto2") == 0;
	file->n_messages = proto->n_message_type;
	file->n_enums = proto->n_enum_type;
	file->n_services = proto->n_service;
	if (!array_new(p, &file->messages, file->n_messages, sizeof *file->messages) ||
	    !array_new(p, &file->enums, file->n_enums, sizeof *file->enums) ||
	    !array_new(p, &file->services, file->n_services, sizeof *file->services))
		return no_memory(p);
	for (size_t i = 0; r == 0 && i < file->n_messages; i++)
		r = message_make(p, &file->messages[i], proto->message_type[i],
				 file->package);
	for (size_t i = 0; r == 0 && i < file->n_enums; i++)
		r = enum_make(p, &file->enums[i], proto->enum_type[i], file->package);
	for (size_t i = 0; r == 0 && i < file->n_services; i++)
		r = service_make(p, &file->services[i], proto->service[i], file->package);
	return r;
}

/* ---- the index
 * ----------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	void *const *x = a, *const *y = b;

	return strcmp(schema_index_name(*x), schema_index_name(*y));
}

static int index_sort(struct parser *p, struct schema_index *index)
{
	qsort(index->items, index->n, sizeof index->items[0], by_name);
	for (size_t i = 1; i < index->n; i++)
		if (strcmp(schema_index_name(index->items[i - 1]),
			   schema_index_name(index->items[i])) == 0)
			return cell_fail(p->err, -EPROTO, "schema: %.150s is defined twice",
					 schema_index_name(index->items[i]));
	return 0;
}

static void index_add(struct schema_index *index, void *item)
{
	index->items[index->n++] = item;
}

static void message_index(struct schema_private *private, struct schema_message *m)
{
	index_add(&private->messages, m);
	for (size_t i = 0; i < m->n_nested; i++)
		message_index(private, &m->nested[i]);
	for (size_t i = 0; i < m->n_enums; i++)
		index_add(&private->enums, &m->enums[i]);
}

static int index_make(struct parser *p)
{
	struct schema_private *private = p->schema->private;
	struct schema_index *all[] = { &private->messages, &private->enums,
				       &private->services };
	int r = 0;

	for (size_t i = 0; i < 3; i++) {
		if (!array_new(p, &all[i]->items, all[i]->n, sizeof all[i]->items[0]))
			return no_memory(p);
		all[i]->n = 0;
	}
	for (size_t i = 0; i < p->schema->n_files; i++) {
		struct schema_file *file = &p->schema->files[i];

		for (size_t k = 0; k < file->n_messages; k++)
			message_index(private, &file->messages[k]);
		for (size_t k = 0; k < file->n_enums; k++)
			index_add(&private->enums, &file->enums[k]);
		for (size_t k = 0; k < file->n_services; k++)
			index_add(&private->services, &file->services[k]);
	}
	for (size_t i = 0; r == 0 && i < 3; i++)
		r = index_sort(p, all[i]);
	return r;
}

/* ---- references
 * ------------------------------------------------------------------------------ */

static int reference_fail(struct parser *p, const char *where, const char *what)
{
	return cell_fail(p->err, -EPROTO,
			 "schema: %.100s refers to '%.100s', which is not in it", where,
			 what ? what : "");
}

/* protoc always writes references in full, with a dot in front. */
static const char *reference_name(const char *name)
{
	return name && *name == '.' ? name + 1 : "";
}

static bool is_map_key(const struct schema_field *key)
{
	return !key->is_repeated && key->type != SCHEMA_DOUBLE && key->type != SCHEMA_FLOAT &&
	       key->type != SCHEMA_BYTES && key->type != SCHEMA_MESSAGE &&
	       key->type != SCHEMA_ENUM;
}

static int field_resolve(struct parser *p, struct schema_message *m,
			 struct schema_field *field, const FieldProto *proto)
{
	const char *name = reference_name(proto->type_name);
	const struct schema_message *entry;

	if (field->type == SCHEMA_ENUM) {
		field->enumeration = schema_index_find(&p->schema->private->enums, name);
		return field->enumeration ? 0 : reference_fail(p, m->name, proto->type_name);
	}
	if (field->type != SCHEMA_MESSAGE)
		return 0;
	field->message = entry = schema_index_find(&p->schema->private->messages, name);
	if (!entry)
		return reference_fail(p, m->name, proto->type_name);
	field->is_map = entry->is_map_entry && field->is_repeated;
	if (entry->is_map_entry &&
	    (!field->is_map || entry->n_fields != 2 || entry->by_number[0]->number != 1 ||
	     entry->by_number[1]->number != 2 || !is_map_key(entry->by_number[0]) ||
	     entry->by_number[1]->is_repeated))
		return cell_fail(p->err, -EPROTO, "schema: %.100s.%.60s is no valid map",
				 m->name, field->name);
	return 0;
}

/* What the special mappings rely on. */
static bool special_is_sane(const struct schema_message *m)
{
	bool is_time = m->special == SCHEMA_TIMESTAMP || m->special == SCHEMA_DURATION;

	if (m->special == SCHEMA_WRAPPER)
		return m->n_fields == 1 && m->fields[0].number == 1 &&
		       !m->fields[0].is_repeated && m->fields[0].type != SCHEMA_MESSAGE &&
		       m->fields[0].type != SCHEMA_ENUM;
	return !is_time ||
	       (m->n_fields == 2 && m->by_number[0]->number == 1 &&
		m->by_number[1]->number == 2 && m->by_number[0]->type == SCHEMA_INT64 &&
		m->by_number[1]->type == SCHEMA_INT32 && !m->by_number[0]->is_repeated &&
		!m->by_number[1]->is_repeated);
}

static int message_resolve(struct parser *p, struct schema_message *m,
			   const MessageProto *proto)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->n_fields; i++)
		r = field_resolve(p, m, &m->fields[i], proto->field[i]);
	if (r == 0 && !special_is_sane(m))
		return cell_fail(p->err, -EPROTO, "schema: %s is not what it is known to be",
				 m->name);
	for (size_t i = 0; r == 0 && i < m->n_nested; i++)
		r = message_resolve(p, &m->nested[i], proto->nested_type[i]);
	return r;
}

static int service_resolve(struct parser *p, struct schema_service *s,
			   const ServiceProto *proto)
{
	const struct schema_index *messages = &p->schema->private->messages;

	for (size_t i = 0; i < s->n_methods; i++) {
		struct schema_method *method = &s->methods[i];
		const MethodProto *m = proto->method[i];

		method->in = schema_index_find(messages, reference_name(m->input_type));
		method->out = schema_index_find(messages, reference_name(m->output_type));
		if (!method->in || !method->out)
			return reference_fail(p, method->full_name,
					      method->in ? m->output_type : m->input_type);
	}
	return 0;
}

/* ---- comments
 * ------------------------------------------------------------------------------- */

/* Each line loses the blank that follows the comment marker, and the end its newlines. */
static const char *comment_clean(struct parser *p, const char *text)
{
	char *out = cell_arena_strdup(p->arena, text), *to = out;
	bool at_start = true;

	if (!out)
		return "";
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (at_start && c == ' ') {
			at_start = false;
			continue;
		}
		at_start = c == '\n';
		/* It will be shown on a terminal: nothing in it may steer that. */
		*to++ = c == '\n' || c == '\t' || (c >= ' ' && c != 0x7f) ? (char)c : '?';
	}
	while (to > out && isspace((unsigned char)to[-1]))
		to--;
	*to = '\0';
	return out;
}

/* Where the comment of the enum or one of its values is kept. */
static const char **enum_comment(struct schema_enum *e, const int32_t *path, size_t n)
{
	cell_assert(e);
	if (n == 0)
		return &e->comment;
	if (n == 2 && path[0] == ENUM_VALUE && (size_t)path[1] < e->n_values)
		return &e->values[path[1]].comment;
	return NULL;
}

static const char **message_comment(struct schema_message *m, const int32_t *path, size_t n)
{
	size_t at;

	for (;;) {
		cell_assert(m);
		if (n == 0)
			return &m->comment;
		if (n < 2)
			return NULL;
		at = (size_t)path[1];
		if (path[0] == MESSAGE_FIELD && n == 2 && at < m->n_fields)
			return &m->fields[at].comment;
		if (path[0] == MESSAGE_ONEOF && n == 2 && at < m->n_oneofs)
			return &m->oneofs[at].comment;
		if (path[0] == MESSAGE_ENUM && at < m->n_enums)
			return enum_comment(&m->enums[at], path + 2, n - 2);
		if (path[0] != MESSAGE_NESTED || at >= m->n_nested)
			return NULL;
		m = &m->nested[at];
		path += 2;
		n -= 2;
	}
}

static const char **file_comment(struct schema_file *file, const int32_t *path, size_t n)
{
	size_t at;

	if (n < 2)
		return NULL;
	at = (size_t)path[1];
	if (path[0] == FILE_MESSAGE && at < file->n_messages)
		return message_comment(&file->messages[at], path + 2, n - 2);
	if (path[0] == FILE_ENUM && at < file->n_enums)
		return enum_comment(&file->enums[at], path + 2, n - 2);
	if (path[0] != FILE_SERVICE || at >= file->n_services)
		return NULL;
	cell_assert(file->services);
	if (n == 2)
		return &file->services[at].comment;
	if (n == 4 && path[2] == SERVICE_METHOD &&
	    (size_t)path[3] < file->services[at].n_methods)
		return &file->services[at].methods[path[3]].comment;
	return NULL;
}

static void comments_take(struct parser *p, struct schema_file *file, const FileProto *proto)
{
	for (size_t i = 0; proto->source_code_info && i < proto->source_code_info->n_location;
	     i++) {
		const Location *location = proto->source_code_info->location[i];
		const char *text = location->leading_comments ? location->leading_comments
							      : location->trailing_comments;
		const char **comment;

		if (!text)
			continue;
		/* A negative index becomes larger than any array. */
		comment = file_comment(file, location->path, location->n_path);
		if (comment)
			*comment = comment_clean(p, text);
	}
}

/* ---- parsing
 * ---------------------------------------------------------------------------------- */

/* A cell of several services joins their sets, so a file that two of them import is there
 * twice. */
static int files_once(struct parser *p, SetProto *set)
{
	size_t n = 0;

	if (set->n_file > SCHEMA_FILES_MAX)
		return cell_fail(p->err, -EMSGSIZE, "schema: %zu files, limit %d",
				 set->n_file, SCHEMA_FILES_MAX);
	for (size_t i = 0; i < set->n_file; i++) {
		const char *name = set->file[i]->name;
		size_t k = 0;

		while (k < n &&
		       !(name && set->file[k]->name && strcmp(set->file[k]->name, name) == 0))
			k++;
		if (k == n)
			set->file[n++] = set->file[i];
	}
	set->n_file = n;
	return 0;
}

static int set_make(struct parser *p, SetProto *set)
{
	struct schema *schema = p->schema;
	int r = files_once(p, set);

	if (r < 0)
		return r;
	schema->n_files = set->n_file;
	if (!array_new(p, &schema->files, schema->n_files, sizeof *schema->files))
		return no_memory(p);
	for (size_t i = 0; r == 0 && i < set->n_file; i++)
		r = file_make(p, &schema->files[i], set->file[i]);
	if (r == 0)
		r = index_make(p);
	for (size_t i = 0; r == 0 && i < set->n_file; i++) {
		struct schema_file *file = &schema->files[i];
		const FileProto *proto = set->file[i];

		for (size_t k = 0; r == 0 && k < file->n_messages; k++)
			r = message_resolve(p, &file->messages[k], proto->message_type[k]);
		for (size_t k = 0; r == 0 && k < file->n_services; k++)
			r = service_resolve(p, &file->services[k], proto->service[k]);
		if (r == 0)
			comments_take(p, file, proto);
	}
	return r;
}

static void services_mark(struct schema *schema, const char *const *served, size_t n_served)
{
	for (size_t i = 0; i < schema->private->services.n; i++) {
		struct schema_service *service = schema->private->services.items[i];

		service->is_served = n_served == 0;
		for (size_t k = 0; k < n_served; k++)
			if (strcmp(service->name, served[k]) == 0)
				service->is_served = true;
	}
}

int schema_parse(struct schema **ret_schema, const uint8_t *bytes, size_t len,
		 const char *const *served, size_t n_served, struct cell_error *err)
{
	struct schema *schema;
	struct parser p = { .err = err };
	ProtobufCAllocator allocator;
	SetProto *set;
	int r;

	if (len > SCHEMA_BYTES_MAX)
		return cell_fail(err, -EMSGSIZE, "schema of %zu bytes, limit %u", len,
				 SCHEMA_BYTES_MAX);
	if (len && !is_shallow(bytes, bytes + len, 0))
		return cell_fail(
			err, -EPROTO,
			"schema: no FileDescriptorSet, or messages in it nest more than %d deep",
			SCHEMA_NESTING_MAX);
	schema = calloc(1, sizeof *schema + sizeof *schema->private);
	if (!schema)
		return cell_fail(err, -ENOMEM, "schema: no memory");
	schema->private = (struct schema_private *)(void *)(schema + 1);
	cell_arena_init(&schema->private->arena, SCHEMA_MEMORY_MAX);
	p.schema = schema;
	p.arena = &schema->private->arena;
	allocator = (ProtobufCAllocator){ on_alloc, on_free, p.arena };

	set = google__protobuf__file_descriptor_set__unpack(&allocator, len, bytes);
	r = set ? set_make(&p, set)
		: cell_fail(err, -EPROTO, "schema: these %zu bytes are no FileDescriptorSet",
			    len);
	if (r < 0) {
		schema_release(schema);
		return r;
	}
	services_mark(schema, served, n_served);
	*ret_schema = schema;
	return 0;
}

void schema_release(struct schema *schema)
{
	if (!schema)
		return;
	cell_arena_deinit(&schema->private->arena);
	free(schema);
}

void schema_releasep(struct schema **schema)
{
	schema_release(*schema);
	*schema = NULL;
}
