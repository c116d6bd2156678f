#include <cell/internal/gen.h>

#include <string.h>

#include "check.h"
#include "origin.h"

/* Field numbers of descriptor.proto: the steps of a path. */
enum {
	FILE_MESSAGE = 4,
	FILE_ENUM = 5,
	FILE_SERVICE = 6,
	FILE_EXTENSION = 7,
	FILE_SYNTAX = 12,
	MESSAGE_FIELD = 2,
	MESSAGE_NESTED = 3,
	MESSAGE_ENUM = 4,
	ENUM_VALUE = 2,
	SERVICE_METHOD = 2
};

typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;
typedef Google__Protobuf__ServiceDescriptorProto service_proto;
typedef Google__Protobuf__MethodDescriptorProto method_proto;

#define PROTO_TYPE(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##name

static const struct gen_scalar scalars[] = {
	[GEN_INT32] = { "int32_t", "int32", "int32", 0, 10 },
	[GEN_INT64] = { "int64_t", "int64", "uint64", 0, 10 },
	[GEN_UINT32] = { "uint32_t", "uint32", "uint32", 0, 5 },
	[GEN_UINT64] = { "uint64_t", "uint64", "uint64", 0, 10 },
	[GEN_SINT32] = { "int32_t", "sint32", "sint32", 0, 5 },
	[GEN_SINT64] = { "int64_t", "sint64", "sint64", 0, 10 },
	[GEN_FIXED32] = { "uint32_t", "fixed32", "fixed32", 5, 4 },
	[GEN_FIXED64] = { "uint64_t", "fixed64", "fixed64", 1, 8 },
	[GEN_SFIXED32] = { "int32_t", "sfixed32", "fixed32", 5, 4 },
	[GEN_SFIXED64] = { "int64_t", "sfixed64", "fixed64", 1, 8 },
	[GEN_FLOAT] = { "float", "float", "fixed32", 5, 4 },
	[GEN_DOUBLE] = { "double", "double", "fixed64", 1, 8 },
	[GEN_BOOL] = { "bool", "bool", "bool", 0, 1 },
	[GEN_ENUM] = { NULL, "int32", "int32", 0, 10 },
	[GEN_STRING] = { "const char *", NULL, NULL, 2, 0 },
	[GEN_BYTES] = { "const uint8_t *", NULL, NULL, 2, 0 },
	[GEN_MESSAGE] = { NULL, NULL, NULL, 2, 0 },
};

const struct gen_scalar *gen_kind_scalar(enum gen_kind kind)
{
	return &scalars[kind];
}

const char *gen_field_type(const struct gen_field *field)
{
	const char *type = scalars[field->kind].type;

	if (field->kind == GEN_ENUM)
		return gen_printf("%s ", gen_enum_type(field->enumeration));
	if (field->kind == GEN_MESSAGE)
		return gen_printf("%s ", gen_message_type(field->message));
	return type[strlen(type) - 1] == '*' ? type : gen_printf("%s ", type);
}

const char *gen_enum_type(const struct gen_enumeration *enumeration)
{
	return enumeration->type ? enumeration->type
				 : gen_printf("enum %s", enumeration->tag);
}

const char *gen_message_type(const struct gen_message *message)
{
	return message->type ? message->type : gen_printf("struct %s", message->tag);
}

const char *gen_message_own(const struct gen_message *message)
{
	return message->is_hidden ? gen_printf("cell_%s", message->tag) : message->tag;
}

const char *gen_service_own(const struct gen_service *service)
{
	return service->is_hidden ? gen_printf("cell_%s", service->prefix) : service->prefix;
}

bool gen_message_is_empty(const struct gen_message *message)
{
	return !strcmp(message->full_name, ".cell.common.v1.Empty");
}

/* --- names first: every file's messages and enums ----------------------- */

static struct gen_enumeration *enum_build(struct gen_file *file, const enum_proto *proto,
					  const char *scope, const char *tag_scope,
					  const struct gen_path *path)
{
	struct gen_enumeration *e = gen_take(sizeof *e);

	e->full_name = gen_printf("%s.%s", scope, proto->name);
	e->tag = gen_printf("%s_%s", tag_scope, gen_name_snake(proto->name));
	e->file = file;
	e->origin = gen_origin_find(file->proto, path);
	e->n_values = proto->n_value;
	e->values = gen_take(e->n_values * sizeof *e->values);
	for (size_t i = 0; i < e->n_values; i++) {
		struct gen_path down = gen_path_down(path, ENUM_VALUE, i);

		e->values[i].name = gen_name_constant(file->prefix, e->tag, proto->name,
						      proto->value[i]->name);
		e->values[i].number = proto->value[i]->number;
		e->values[i].origin = gen_origin_find(file->proto, &down);
	}
	file->enums[file->n_enums++] = e;
	return e;
}

static void message_name(struct gen_file *file, const message_proto *proto,
			 const struct gen_message *outer, const char *scope,
			 const char *tag_scope, const struct gen_path *path)
{
	struct gen_message *m = gen_take(sizeof *m);

	m->full_name = gen_printf("%s.%s", scope, proto->name);
	m->tag = gen_printf("%s_%s", tag_scope, gen_name_snake(proto->name));
	m->file = file;
	m->is_hidden = file->is_client;
	m->outer = outer;
	m->is_entry = proto->options && proto->options->map_entry;
	m->proto = proto;
	m->origin = gen_origin_find(file->proto, path);
	m->n_fields = proto->n_field;
	m->fields = gen_take(m->n_fields * sizeof *m->fields);
	for (size_t i = 0; i < m->n_fields; i++) {
		struct gen_path down = gen_path_down(path, MESSAGE_FIELD, i);

		m->fields[i].name = proto->field[i]->name;
		m->fields[i].origin = gen_origin_find(file->proto, &down);
	}
	for (size_t i = 0; i < proto->n_enum_type; i++) {
		struct gen_path down = gen_path_down(path, MESSAGE_ENUM, i);

		(void)enum_build(file, proto->enum_type[i], m->full_name, m->tag, &down);
	}
	for (size_t i = 0; i < proto->n_nested_type; i++) {
		struct gen_path down = gen_path_down(path, MESSAGE_NESTED, i);

		message_name(file, proto->nested_type[i], m, m->full_name, m->tag, &down);
	}
	file->messages[file->n_messages++] = m;
}

static void messages_count(const message_proto *proto, size_t *messages, size_t *enums)
{
	++*messages;
	*enums += proto->n_enum_type;
	for (size_t i = 0; i < proto->n_nested_type; i++)
		messages_count(proto->nested_type[i], messages, enums);
}

static const char *package_channel(const char *package)
{
	if (!strcmp(package, "cell.ops.v1"))
		return "CELL_CHANNEL_OPS";
	if (!strcmp(package, "cell.macro.v1"))
		return "CELL_CHANNEL_MACRO";
	if (!strcmp(package, "cell.consensus.v1"))
		return "CELL_CHANNEL_CONSENSUS";
	return "CELL_CHANNEL_APP";
}

/* What the names of a file's types begin with. */
static const char *file_prefix(const char *noun, const struct gen_options *options)
{
	const char *own = gen_name_snake(noun ? noun : "nameless");

	if (!options->cell)
		return own;
	return strcmp(own, gen_name_snake(options->cell))
		       ? gen_printf("%s_%s", options->alias, own)
		       : options->alias;
}

static void file_name(struct gen_file *file, const file_proto *proto,
		      const struct gen_options *options)
{
	const char *package = proto->package ? proto->package : "";
	const char *scope = *package ? gen_printf(".%s", package) : "";
	const char *noun = gen_name_package_noun(package);
	size_t len = strlen(proto->name), messages = 0, enums = proto->n_enum_type;
	const struct gen_path root = { .n = 0 }, syntax = { { FILE_SYNTAX }, 1 };
	char *cell;

	*file = (struct gen_file){ .name = proto->name, .proto = proto };
	if (len > 6 && !strcmp(proto->name + len - 6, ".proto"))
		len -= 6;
	file->stem = gen_printf("%.*s", (int)len, proto->name);
	file->noun = gen_name_snake(noun ? noun : "nameless");
	file->prefix = file_prefix(noun, options);
	file->channel = package_channel(package);
	file->origin = gen_origin_find(proto, &syntax);
	cell = gen_printf("%s", noun ? noun : "");
	for (char *at = cell; *at; at++)
		*at = *at == '_' ? '-' : *at;
	file->cell = options->cell ? options->cell : cell;
	file->is_client = options->cell != NULL;

	for (size_t i = 0; i < proto->n_message_type; i++)
		messages_count(proto->message_type[i], &messages, &enums);
	file->messages = gen_take(messages * sizeof(struct gen_message *));
	file->enums = gen_take(enums * sizeof(struct gen_enumeration *));
	for (size_t i = 0; i < proto->n_enum_type; i++) {
		struct gen_path down = gen_path_down(&root, FILE_ENUM, i);

		(void)enum_build(file, proto->enum_type[i], scope, file->prefix, &down);
	}
	for (size_t i = 0; i < proto->n_message_type; i++) {
		struct gen_path down = gen_path_down(&root, FILE_MESSAGE, i);

		message_name(file, proto->message_type[i], NULL, scope, file->prefix, &down);
	}
}

static struct gen_message *message_find(const struct gen_model *model, const char *full_name)
{
	for (size_t f = 0; f < model->n_files; f++)
		for (size_t i = 0; i < model->files[f].n_messages; i++)
			if (!strcmp(model->files[f].messages[i]->full_name, full_name))
				return model->files[f].messages[i];
	return NULL;
}

static struct gen_enumeration *enum_find(const struct gen_model *model, const char *full_name)
{
	for (size_t f = 0; f < model->n_files; f++)
		for (size_t i = 0; i < model->files[f].n_enums; i++)
			if (!strcmp(model->files[f].enums[i]->full_name, full_name))
				return model->files[f].enums[i];
	return NULL;
}

/* --- then what refers to them ------------------------------------------- */

static bool kind_of(const field_proto *proto, enum gen_kind *ret_kind)
{
	static const struct {
		Google__Protobuf__FieldDescriptorProto__Type type;
		enum gen_kind kind;
	} kinds[] = {
		{ PROTO_TYPE(INT32), GEN_INT32 },
		{ PROTO_TYPE(INT64), GEN_INT64 },
		{ PROTO_TYPE(UINT32), GEN_UINT32 },
		{ PROTO_TYPE(UINT64), GEN_UINT64 },
		{ PROTO_TYPE(SINT32), GEN_SINT32 },
		{ PROTO_TYPE(SINT64), GEN_SINT64 },
		{ PROTO_TYPE(FIXED32), GEN_FIXED32 },
		{ PROTO_TYPE(FIXED64), GEN_FIXED64 },
		{ PROTO_TYPE(SFIXED32), GEN_SFIXED32 },
		{ PROTO_TYPE(SFIXED64), GEN_SFIXED64 },
		{ PROTO_TYPE(FLOAT), GEN_FLOAT },
		{ PROTO_TYPE(DOUBLE), GEN_DOUBLE },
		{ PROTO_TYPE(BOOL), GEN_BOOL },
		{ PROTO_TYPE(ENUM), GEN_ENUM },
		{ PROTO_TYPE(STRING), GEN_STRING },
		{ PROTO_TYPE(BYTES), GEN_BYTES },
		{ PROTO_TYPE(MESSAGE), GEN_MESSAGE },
	};

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (kinds[i].type == proto->type) {
			*ret_kind = kinds[i].kind;
			return true;
		}
	return false;
}

static void field_build(struct gen_model *model, struct gen_message *m,
			struct gen_field *field, const field_proto *proto)
{
	const bool in_oneof = proto->has_oneof_index && !proto->proto3_optional;

	field->member = gen_name_member(proto->name);
	field->number = (uint32_t)proto->number;
	if (!kind_of(proto, &field->kind) && m->file->is_wanted)
		gen_complain(model, &field->origin,
			     "%s: groups are not supported; use a message", proto->name);
	field->is_repeated = proto->label ==
			     GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED;
	if (field->kind == GEN_MESSAGE)
		field->message = message_find(model, proto->type_name);
	if (field->kind == GEN_ENUM)
		field->enumeration = enum_find(model, proto->type_name);
	if ((field->kind == GEN_MESSAGE && !field->message) ||
	    (field->kind == GEN_ENUM && !field->enumeration))
		gen_complain(model, &field->origin, "%s: there is no type %s", proto->name,
			     proto->type_name);
	field->is_packed =
		field->is_repeated && field->kind < GEN_STRING &&
		!(proto->options && proto->options->has_packed && !proto->options->packed);
	field->has_presence =
		(proto->proto3_optional || in_oneof) && field->kind != GEN_MESSAGE;
	if (in_oneof && (size_t)proto->oneof_index < m->n_choices) {
		field->choice = &m->choices[proto->oneof_index];
		field->choice->members =
			field->choice->members
				? gen_printf("%s, %s", field->choice->members, field->member)
				: field->member;
	}
}

void gen_message_sort(struct gen_message *m)
{
	m->by_number = gen_take(m->n_fields * sizeof(struct gen_field *));
	for (size_t i = 0; i < m->n_fields; i++) {
		size_t at = i;

		for (; at && m->by_number[at - 1]->number > m->fields[i].number; at--)
			m->by_number[at] = m->by_number[at - 1];
		m->by_number[at] = &m->fields[i];
	}
}

static void message_build(struct gen_model *model, struct gen_message *m)
{
	m->n_choices = m->proto->n_oneof_decl;
	m->choices = gen_take(m->n_choices * sizeof *m->choices);
	for (size_t i = 0; i < m->n_choices; i++)
		m->choices[i].name = m->proto->oneof_decl[i]->name;

	for (size_t i = 0; i < m->n_fields; i++)
		field_build(model, m, &m->fields[i], m->proto->field[i]);
	gen_message_sort(m);
}

/* FNV-1a, as cell_method_hash() has it: this program is built before libcell is. */
static uint32_t method_hash(const char *full_name)
{
	uint32_t hash = 2166136261u;

	for (; *full_name; full_name++)
		hash = (hash ^ (uint8_t)*full_name) * 16777619u;
	return hash ? hash : 1;
}

static void method_build(struct gen_model *model, const struct gen_service *service,
			 struct gen_method *method, const method_proto *proto)
{
	const Google__Protobuf__MethodOptions *options = proto->options;

	method->is_hidden = service->is_hidden;
	method->name = proto->name;
	method->verb = gen_name_member(gen_name_snake(proto->name));
	method->noun = gen_printf("%s_%s", service->prefix, gen_name_snake(proto->name));
	method->full_name = gen_printf("%s/%s", service->full_name, proto->name);
	method->hash = method_hash(method->full_name);
	method->client_streams = proto->client_streaming;
	method->server_streams = proto->server_streaming;
	method->is_idempotent =
		options && options->has_idempotency_level &&
		options->idempotency_level !=
			GOOGLE__PROTOBUF__METHOD_OPTIONS__IDEMPOTENCY_LEVEL__IDEMPOTENCY_UNKNOWN;
	method->in = message_find(model, proto->input_type);
	method->out = message_find(model, proto->output_type);
	if (!method->in || !method->out)
		gen_complain(model, &service->origin, "%s: there is no type %s", proto->name,
			     method->in ? proto->output_type : proto->input_type);
}

static void services_build(struct gen_model *model, struct gen_file *file)
{
	const struct gen_path root = { .n = 0 };
	const char *package = file->proto->package ? file->proto->package : "";

	file->n_services = file->proto->n_service;
	file->services = gen_take(file->n_services * sizeof *file->services);
	for (size_t s = 0; s < file->n_services; s++) {
		const service_proto *proto = file->proto->service[s];
		struct gen_path path = gen_path_down(&root, FILE_SERVICE, s);
		struct gen_service *service = &file->services[s];
		const char *noun = gen_name_snake(proto->name);

		service->name = proto->name;
		service->is_hidden = file->is_client;
		service->full_name = gen_printf("%s.%s", package, proto->name);
		service->prefix = strcmp(noun, file->noun)
					  ? gen_printf("%s_%s", file->prefix, noun)
					  : file->prefix;
		service->origin = gen_origin_find(file->proto, &path);
		service->n_methods = proto->n_method;
		service->methods = gen_take(service->n_methods * sizeof *service->methods);
		for (size_t i = 0; i < service->n_methods; i++) {
			struct gen_path down = gen_path_down(&path, SERVICE_METHOD, i);

			service->methods[i].origin = gen_origin_find(file->proto, &down);
			method_build(model, service, &service->methods[i], proto->method[i]);
		}
	}
}

/* --- which headers a file includes -------------------------------------- */

static bool message_uses(const struct gen_message *m, const struct gen_file *other)
{
	for (size_t i = 0; i < m->n_fields; i++) {
		const struct gen_field *field = &m->fields[i];

		if ((field->message && field->message->file == other) ||
		    (field->enumeration && field->enumeration->file == other))
			return true;
	}
	return false;
}

static bool file_uses(const struct gen_file *file, const struct gen_file *other)
{
	for (size_t i = 0; i < file->n_messages; i++)
		if (message_uses(file->messages[i], other))
			return true;
	for (size_t s = 0; s < file->n_services; s++)
		for (size_t i = 0; i < file->services[s].n_methods; i++)
			if (file->services[s].methods[i].in->file == other ||
			    file->services[s].methods[i].out->file == other)
				return true;
	return false;
}

static void file_build(struct gen_model *model, struct gen_file *file)
{
	for (size_t i = 0; i < file->n_messages; i++)
		message_build(model, file->messages[i]);
	services_build(model, file);
	if (model->errors.len)
		return;

	file->uses = gen_take(model->n_files * sizeof(struct gen_file *));
	for (size_t i = 0; i < model->n_files; i++)
		if (&model->files[i] != file && file_uses(file, &model->files[i]))
			file->uses[file->n_uses++] = &model->files[i];
}

static bool is_wanted(const struct gen_file *file, const struct gen_options *options)
{
	for (size_t i = 0; i < options->n_wanted; i++)
		if (!strcmp(file->name, options->wanted[i]))
			return true;
	return !options->wanted && file->proto->syntax &&
	       !strcmp(file->proto->syntax, "proto3");
}

static bool is_there(const struct gen_model *model, const char *name)
{
	for (size_t i = 0; i < model->n_files; i++)
		if (!strcmp(model->files[i].name, name))
			return true;
	return false;
}

void gen_model_build(struct gen_model *ret_model, file_proto *const *files, size_t n,
		     const struct gen_options *options)
{
	struct gen_model *model = ret_model;

	*model = (struct gen_model){ .n_files = 0 };
	model->files = gen_take(n * sizeof *model->files);
	for (size_t i = 0; i < n; i++) {
		struct gen_file *file = &model->files[model->n_files];

		if (!gen_file_is_whole(model, files[i]))
			return;
		if (is_there(model, files[i]->name))
			continue;
		file_name(file, files[i], options);
		file->is_wanted = is_wanted(file, options);
		model->n_files++;
	}
	for (size_t i = 0; i < model->n_files; i++)
		if (model->files[i].is_wanted)
			gen_file_check_form(model, &model->files[i]);
	if (model->errors.len)
		return;
	/* Of imported files, too: what they hold may be part of our messages. */
	for (size_t i = 0; i < model->n_files && !model->errors.len; i++)
		file_build(model, &model->files[i]);
	if (model->errors.len)
		return;
	for (size_t i = 0; i < model->n_files; i++)
		if (model->files[i].is_wanted)
			gen_file_check_sense(model, &model->files[i]);
}
