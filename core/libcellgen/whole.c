/*
 * What protoc sees to, and a cell that tells its schema need not: every name is there and is
 * an identifier, references are names, indices are in range, nesting is bounded. All other
 * code of this folder relies on it.
 */
#include "check.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 200
#define DEPTH_MAX      32

typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;

struct whole {
	struct gen_model *model;
	struct gen_origin at; /* the file */
};

static bool is_identifier(const char *name, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	static const char all[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

	return len > 0 && len <= NAME_MAX_BYTES && memchr(letters, *name, sizeof letters - 1) &&
	       strspn(name, all) >= len;
}

/* "cell.greeter.v1" */
static bool is_dotted(const char *name)
{
	for (;;) {
		size_t len = strcspn(name, ".");

		if (!is_identifier(name, len))
			return false;
		if (!name[len])
			return true;
		name += len + 1;
	}
}

static bool is_reference(const char *name)
{
	return name && *name == '.' && strlen(name) <= 2 * NAME_MAX_BYTES && is_dotted(name + 1);
}

static bool whole_name(const struct whole *whole, const char *what, const char *name)
{
	if (name && is_identifier(name, strlen(name)))
		return true;
	gen_complain(whole->model, &whole->at, "the name of %s is no identifier", what);
	return false;
}

static bool whole_enum(const struct whole *whole, const enum_proto *proto)
{
	bool is_whole = whole_name(whole, "an enum", proto->name);

	for (size_t i = 0; is_whole && i < proto->n_value; i++)
		is_whole = whole_name(whole, "an enum's value", proto->value[i]->name);
	if (is_whole && !proto->n_value) {
		gen_complain(whole->model, &whole->at, "%s has no values", proto->name);
		return false;
	}
	return is_whole;
}

static bool whole_field(const struct whole *whole, const message_proto *message,
			const field_proto *proto)
{
	bool has_type = proto->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE ||
			proto->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_ENUM;

	if (!whole_name(whole, "a field", proto->name))
		return false;
	if (has_type && !is_reference(proto->type_name)) {
		gen_complain(whole->model, &whole->at, "%s has no type", proto->name);
		return false;
	}
	/* Protobuf's own limits; 19000 to 19999 are its implementations'. */
	if (proto->number < 1 || proto->number > 536870911 ||
	    (proto->number >= 19000 && proto->number <= 19999)) {
		gen_complain(whole->model, &whole->at, "%s has the number %d", proto->name,
			     proto->number);
		return false;
	}
	if (proto->has_oneof_index &&
	    (proto->oneof_index < 0 || (size_t)proto->oneof_index >= message->n_oneof_decl)) {
		gen_complain(whole->model, &whole->at, "%s is in a oneof that is not there",
			     proto->name);
		return false;
	}
	return true;
}

static bool whole_entry(const struct whole *whole, const message_proto *proto)
{
	if (proto->n_field == 2 && proto->field[0]->number == 1 && proto->field[1]->number == 2)
		return true;
	gen_complain(whole->model, &whole->at, "%s is no entry of a map", proto->name);
	return false;
}

static bool whole_message(const struct whole *whole, const message_proto *proto, int depth)
{
	bool is_whole = whole_name(whole, "a message", proto->name);

	if (is_whole && depth == DEPTH_MAX) {
		gen_complain(whole->model, &whole->at, "%s is nested too deep", proto->name);
		return false;
	}
	for (size_t i = 0; is_whole && i < proto->n_oneof_decl; i++)
		is_whole = whole_name(whole, "a oneof", proto->oneof_decl[i]->name);
	for (size_t i = 0; is_whole && i < proto->n_field; i++)
		is_whole = whole_field(whole, proto, proto->field[i]);
	for (size_t i = 0; is_whole && i < proto->n_enum_type; i++)
		is_whole = whole_enum(whole, proto->enum_type[i]);
	for (size_t i = 0; is_whole && i < proto->n_nested_type; i++)
		is_whole = whole_message(whole, proto->nested_type[i], depth + 1);
	if (is_whole && proto->options && proto->options->map_entry)
		is_whole = whole_entry(whole, proto);
	return is_whole;
}

static bool whole_service(const struct whole *whole,
			  const Google__Protobuf__ServiceDescriptorProto *proto)
{
	if (!whole_name(whole, "a service", proto->name))
		return false;
	for (size_t i = 0; i < proto->n_method; i++) {
		const Google__Protobuf__MethodDescriptorProto *method = proto->method[i];

		if (!whole_name(whole, "a method", method->name))
			return false;
		if (!is_reference(method->input_type) || !is_reference(method->output_type)) {
			gen_complain(whole->model, &whole->at, "%s lacks a type", method->name);
			return false;
		}
	}
	return true;
}

bool gen_file_is_whole(struct gen_model *model, const Google__Protobuf__FileDescriptorProto *proto)
{
	struct whole whole = { .model = model, .at = { .file = "?" } };
	bool is_whole = true;

	if (!proto->name || !*proto->name || strlen(proto->name) > 2 * NAME_MAX_BYTES) {
		gen_complain(model, &whole.at, "a file has no name");
		return false;
	}
	whole.at.file = proto->name;
	if (proto->package && *proto->package &&
	    (strlen(proto->package) > NAME_MAX_BYTES || !is_dotted(proto->package))) {
		gen_complain(model, &whole.at, "its package is no name");
		return false;
	}
	for (size_t i = 0; is_whole && i < proto->n_enum_type; i++)
		is_whole = whole_enum(&whole, proto->enum_type[i]);
	for (size_t i = 0; is_whole && i < proto->n_message_type; i++)
		is_whole = whole_message(&whole, proto->message_type[i], 0);
	for (size_t i = 0; is_whole && i < proto->n_service; i++)
		is_whole = whole_service(&whole, proto->service[i]);
	return is_whole;
}
