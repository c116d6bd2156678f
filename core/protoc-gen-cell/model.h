/*
 * The model: what a request says, checked and named in C.
 *
 * It is built once from the descriptors of all files; the emitters only read it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "google/protobuf/compiler/plugin.pb-c.h"
#include "text.h"

/* Where something stands in its file, and the comments at it ("" = none). */
struct origin {
	const char *file;
	int line; /* from 1; 0 = not known */
	int column;
	const char *doc;  /* before it */
	const char *note; /* behind it */
};

enum kind {
	KIND_INT32,
	KIND_INT64,
	KIND_UINT32,
	KIND_UINT64,
	KIND_SINT32,
	KIND_SINT64,
	KIND_FIXED32,
	KIND_FIXED64,
	KIND_SFIXED32,
	KIND_SFIXED64,
	KIND_FLOAT,
	KIND_DOUBLE,
	KIND_BOOL,
	KIND_ENUM,
	KIND_STRING,
	KIND_BYTES,
	KIND_MESSAGE
};

/* What one kind of scalar is in C, and which functions of codec.h carry it. */
struct scalar {
	const char *type;   /* "uint32_t"; NULL if the field says more (enums) */
	const char *codec;  /* cell_encode_<codec> */
	const char *packed; /* cell_encode_packed_<packed> */
	unsigned wire;      /* wire type alone */
	unsigned size_max;  /* of one encoded value */
};

struct enum_value {
	const char *name; /* the constant */
	int32_t number;
	struct origin origin;
};

struct enumeration {
	const char *full_name; /* with the leading dot, as descriptors refer to it */
	const char *tag;       /* "greeter_color" */
	const struct file *file;
	struct enum_value *values;
	size_t n_values;
	struct origin origin;
};

struct choice {
	const char *name;
	const char *members; /* "a, b, c" */
};

struct field {
	const char *name;   /* in the file */
	const char *member; /* in C */
	uint32_t number;
	enum kind kind;
	bool is_repeated;
	bool is_packed;
	bool has_presence; /* `bool has_x` stands before it; never for messages */
	struct choice *choice;
	struct message *message;         /* KIND_MESSAGE */
	struct enumeration *enumeration; /* KIND_ENUM */
	struct origin origin;
};

struct message {
	const char *full_name;
	const char *tag; /* "greeter_hello" */
	const struct file *file;
	const struct message *outer;
	bool is_entry;        /* of a map */
	struct field *fields; /* as the file has them */
	size_t n_fields;
	const struct field **by_number;
	struct choice *choices;
	size_t n_choices;
	int visit; /* of the search for recursion */
	const Google__Protobuf__DescriptorProto *proto;
	struct origin origin;
};

struct method {
	const char *name;
	const char *noun; /* "greeter_greet" */
	const char *verb; /* "greet" */
	const char *full_name;
	uint32_t hash;
	bool client_streams;
	bool server_streams;
	bool is_idempotent;
	const struct message *in;
	const struct message *out;
	struct origin origin;
};

struct service {
	const char *name;
	const char *full_name;
	const char *prefix; /* "greeter" */
	struct method *methods;
	size_t n_methods;
	struct origin origin;
};

struct file {
	const char *name;    /* "greeter.proto" */
	const char *stem;    /* "greeter" */
	const char *prefix;  /* "greeter"; NULL if its package names no cell */
	const char *cell;    /* "greeter" */
	const char *channel; /* "CELL_CHANNEL_APP" */
	bool is_wanted;      /* code for it is asked for */
	const Google__Protobuf__FileDescriptorProto *proto;
	struct message **messages; /* nested ones before those around them */
	size_t n_messages;
	struct enumeration **enums;
	size_t n_enums;
	struct service *services;
	size_t n_services;
	/* Files whose types it needs, in the order of its imports. */
	const struct file **uses;
	size_t n_uses;
	struct origin origin;
};

struct model {
	struct file *files;
	size_t n_files;
	struct text errors; /* a line each; empty if all is well */
};

/* Build and check the model of REQUEST. What is wrong is in ret_model->errors. */
void model_build(struct model *ret_model,
		 const Google__Protobuf__Compiler__CodeGeneratorRequest *request);

const struct scalar *kind_scalar(enum kind kind);

/* The type of one value of FIELD, as to be written before a name: "uint32_t ". */
const char *field_type(const struct field *field);

/* cell.common.v1.Empty: left out of signatures. */
bool message_is_empty(const struct message *message);
