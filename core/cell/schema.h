/*
 * Schemas: the FileDescriptorSet that a running cell gives, turned into a checked model of
 * services, methods, messages and enums, with their comments.
 *
 * The bytes are somebody else's: whatever they hold, the result is either an error or a
 * model in which every reference is resolved, every name is an identifier and every number
 * is in range. Pure: no I/O.
 */
#pragma once

#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a set. The descriptors of the largest public APIs fit into a tenth of it. */
#define SCHEMA_BYTES_MAX (8u * 1024 * 1024)
/* Files of a set, those that occur twice included. */
#define SCHEMA_FILES_MAX 2048
/* Messages within messages. */
#define SCHEMA_NESTING_MAX 32
/* What a parsed set may hold in memory: a hostile one unpacks to many times its size. */
#define SCHEMA_MEMORY_MAX (512u * 1024 * 1024)

/* Numbers of FieldDescriptorProto.Type. */
enum schema_type {
	SCHEMA_DOUBLE = 1,
	SCHEMA_FLOAT,
	SCHEMA_INT64,
	SCHEMA_UINT64,
	SCHEMA_INT32,
	SCHEMA_FIXED64,
	SCHEMA_FIXED32,
	SCHEMA_BOOL,
	SCHEMA_STRING,
	SCHEMA_GROUP, /* never in a model: refused */
	SCHEMA_MESSAGE,
	SCHEMA_BYTES,
	SCHEMA_UINT32,
	SCHEMA_ENUM,
	SCHEMA_SFIXED32,
	SCHEMA_SFIXED64,
	SCHEMA_SINT32,
	SCHEMA_SINT64
};

/* Messages that the JSON mapping treats in their own way. */
enum schema_special {
	SCHEMA_ORDINARY,
	SCHEMA_TIMESTAMP,
	SCHEMA_DURATION,
	SCHEMA_WRAPPER /* google.protobuf.StringValue and its like */
};

struct schema_oneof {
	const char *name;
	const char
		*comment; /* like all comments: lines without markers, "" if there is none */
};

struct schema_field {
	const char *name;
	const char *json_name;
	const char *comment;
	const struct schema_message *message;  /* of messages, else NULL */
	const struct schema_enum *enumeration; /* of enums, else NULL */
	const struct schema_oneof *oneof;      /* NULL: none, or only that of `optional` */
	uint32_t number;
	enum schema_type type;
	bool is_repeated; /* maps, too */
	bool is_map;      /* `message` is the entry: fields 1 and 2 */
	bool is_packed;
	bool has_presence; /* absent differs from zero */
};

struct schema_message {
	const char *name;       /* full: "cell.greeter.v1.Hello" */
	const char *short_name; /* its last part, in the same string */
	const char *comment;
	struct schema_field *fields; /* as declared */
	size_t n_fields;
	struct schema_field **by_number; /* ascending */
	struct schema_oneof *oneofs;     /* those of `optional` among them */
	size_t n_oneofs;
	struct schema_message *nested;
	size_t n_nested;
	struct schema_enum *enums;
	size_t n_enums;
	enum schema_special special;
	bool is_map_entry;
};

struct schema_value {
	const char *name;
	const char *comment;
	int32_t number;
};

struct schema_enum {
	const char *name;
	const char *short_name;
	const char *comment;
	struct schema_value *values; /* at least one; the first is the default */
	size_t n_values;
};

struct schema_method {
	const char *name;
	const char *full_name; /* "cell.greeter.v1.Greeter/Greet" */
	const char *comment;
	const struct schema_service *service;
	const struct schema_message *in;
	const struct schema_message *out;
	bool client_streams;
	bool server_streams;
	bool is_idempotent;
};

struct schema_service {
	const char *name;
	const char *short_name;
	const char *comment;
	struct schema_method *methods;
	size_t n_methods;
	bool is_served; /* by the cell that gave this schema */
	bool is_common; /* every cell serves it: what the cell itself serves comes first */
};

struct schema_file {
	const char *name;
	const char *package;
	struct schema_message *messages;
	size_t n_messages;
	struct schema_enum *enums;
	size_t n_enums;
	struct schema_service *services;
	size_t n_services;
};

struct schema {
	struct schema_file *files;
	size_t n_files;
	struct schema_private *private;
};

/*
 * Parse LEN bytes of a FileDescriptorSet; a file that occurs again is skipped. SERVED names
 * the services that the cell serves (full names); with N_SERVED 0 all are taken to be.
 *
 * Returns 0 and the schema; -EPROTO naming what is wrong; -EMSGSIZE; -ENOMEM.
 */
int schema_parse(struct schema **ret_schema, const uint8_t *bytes, size_t len,
		 const char *const *served, size_t n_served, struct cell_error *err);

/* Accepts NULL. */
void schema_release(struct schema *schema);
void schema_releasep(struct schema **schema);

/*
 * The method that TEXT names, among the services that are served: "GreetMany",
 * "greet_many", "Greeter.GreetMany", "Greeter/greet_many" or the full name.
 *
 * Returns 0; CELL_NOT_FOUND, with a suggestion; CELL_INVALID_ARGUMENT if it could be two.
 */
int schema_find_method(const struct schema *schema, const char *text,
		       const struct schema_method **ret_method, struct cell_error *err);

/*
 * Say that the service FULL_NAME is one that every cell serves: its methods are found only
 * where none of the cell's own has that name.
 */
void schema_set_common(struct schema *schema, const char *full_name);

/* A method by its exact full name, served or not, or NULL. */
const struct schema_method *schema_method(const struct schema *schema, const char *full_name);

/*
 * The message or enum (the other is NULL) or service that TEXT names: its full name, or the
 * end of it, in any case. Returns 0; CELL_NOT_FOUND, with a suggestion;
 * CELL_INVALID_ARGUMENT if it could be two.
 */
struct schema_type_ref {
	const struct schema_message *message;
	const struct schema_enum *enumeration;
	const struct schema_service *service;
};
int schema_find_type(const struct schema *schema, const char *text,
		     struct schema_type_ref *ret_type, struct cell_error *err);

/* The field with NUMBER, or NULL. */
const struct schema_field *schema_field(const struct schema_message *message,
					uint32_t number);

/* The field with this original or JSON name, or NULL. */
const struct schema_field *schema_field_named(const struct schema_message *message,
					      const char *name);

/* "int64", "string", …, or the full name of its message or enum. */
const char *schema_type_name(const struct schema_field *field);

/* The wire type of one value (not packed): 0 varint, 1 eight bytes, 2 length, 5 four bytes.
 */
unsigned schema_wire_type(enum schema_type type);

/*
 * The spelling commands use: "GreetMany" → "greet_many", in OUT (SIZE bytes, cut to fit).
 * Returns OUT.
 */
char *schema_snake(char *out, size_t size, const char *name);
