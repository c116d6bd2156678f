/*
 * A schema for people, in the manner of the .proto file it came from, and as JSON.
 */
#pragma once

#include "schema.h"

#include <cell/internal/out.h>

/* The messages and enums that something refers to, in the order in which they are met. */
struct print_types {
	const struct schema_message **messages;
	size_t n_messages;
	const struct schema_enum **enums;
	size_t n_enums;
};

/* Add MESSAGE, or what METHOD takes and gives, and all that these refer to. */
void print_types_add(struct print_types *types, const struct schema_message *message);
void print_types_add_method(struct print_types *types, const struct schema_method *method);
void print_types_free(struct print_types *types);

void print_service(const struct out *out, const struct schema_service *service);
void print_method(const struct out *out, const struct schema_method *method);
void print_message(const struct out *out, const struct schema_message *message);
void print_enum(const struct out *out, const struct schema_enum *enumeration);

json_t *print_service_json(const struct schema_service *service);
json_t *print_method_json(const struct schema_method *method);
json_t *print_message_json(const struct schema_message *message);
json_t *print_enum_json(const struct schema_enum *enumeration);
