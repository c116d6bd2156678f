/*
 * What makes C of messages and services: for protoc-gen-cell from .proto files, for the macro
 * cell from structs of a program and from the schema of a running cell. There is one model,
 * one emitter of codecs, and so one wire format.
 *
 * The model is built once; the emitters only read it. Memory is taken and never given back
 * one by one: gen_run() frees what was taken in it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "google/protobuf/compiler/plugin.pb-c.h"

/* --- text --------------------------------------------------------------- */

/*
 * Run FN(USERDATA): what it takes is freed when it returns, so nothing of it may be kept.
 * It must not wait (memory belongs to the run that began last), and runs do not nest.
 * Returns what FN returned, or -ENOMEM.
 *
 * Outside of it memory lasts as long as the program, which ends when there is none.
 */
int gen_run(int (*fn)(void *userdata), void *userdata);

/* SIZE zeroed bytes. Never NULL. */
void *gen_take(size_t size);

/* printf into taken memory. */
char *gen_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct gen_text {
	char *bytes; /* terminated, once something was put */
	size_t len;
	size_t room;
};

/* Append: formatted text, or text as it is. */
void gen_put(struct gen_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void gen_add(struct gen_text *text, const char *bytes);

/*
 * Append "HEAD(ARGS)TAIL", ARGS being n strings with ", " between them, broken into
 * lines before column 90 where possible.
 */
void gen_put_call(struct gen_text *text, const char *head, const char *const *args, size_t n,
		  const char *tail);

/* --- names: from those of a .proto file to those of C ----------------- */

/* "HTTPRequest" → "http_request", "GreetMany" → "greet_many", "a-b" → "a_b". Taken memory. */
char *gen_name_snake(const char *name);

/* The same in capitals. */
char *gen_name_upper(const char *name);

/* "deposit_request" → "DepositRequest", "a-b" → "AB". */
char *gen_name_camel(const char *name);

/*
 * The component that names the cell: "greeter" of "cell.greeter.v1". A last component
 * that is a version (v1, v2beta3) does not count. NULL if there is none.
 */
char *gen_name_package_noun(const char *package);

/* A name for a member: NAME, or NAME_ where C, C++ or a system header took it. */
const char *gen_name_member(const char *name);

/*
 * The constant for VALUE of an enum whose C tag is TAG ("greeter_color"), which stands in
 * a package called PREFIX and is called NAME in the file: GREETER_COLOR_RED for RED as for
 * COLOR_RED and GREETER_COLOR_RED.
 */
char *gen_name_constant(const char *prefix, const char *tag, const char *name,
			const char *value);

/* --- the model ---------------------------------------------------------- */

/* Where something stands in its file, and the comments at it ("" = none). */
struct gen_origin {
	const char *file;
	int line; /* from 1; 0 = not known */
	int column;
	const char *doc;  /* before it */
	const char *note; /* behind it */
};

enum gen_kind {
	GEN_INT32,
	GEN_INT64,
	GEN_UINT32,
	GEN_UINT64,
	GEN_SINT32,
	GEN_SINT64,
	GEN_FIXED32,
	GEN_FIXED64,
	GEN_SFIXED32,
	GEN_SFIXED64,
	GEN_FLOAT,
	GEN_DOUBLE,
	GEN_BOOL,
	GEN_ENUM,
	GEN_STRING,
	GEN_BYTES,
	GEN_MESSAGE
};

/* What one kind of scalar is in C, and which functions of codec.h carry it. */
struct gen_scalar {
	const char *type;   /* "uint32_t"; NULL if the field says more (enums) */
	const char *codec;  /* cell_encode_<codec> */
	const char *packed; /* cell_encode_packed_<packed> */
	unsigned wire;      /* wire type alone */
	unsigned size_max;  /* of one encoded value */
};

struct gen_enum_value {
	const char *name; /* the constant */
	int32_t number;
	struct gen_origin origin;
};

struct gen_enumeration {
	const char *full_name; /* with the leading dot, as descriptors refer to it */
	const char *tag;       /* "greeter_color" */
	const char *type;      /* "color", a typedef, where it is not "enum TAG"; or NULL */
	const struct gen_file *file;
	struct gen_enum_value *values;
	size_t n_values;
	struct gen_origin origin;
};

struct gen_choice {
	const char *name;
	const char *members; /* "a, b, c" */
};

struct gen_field {
	const char *name;   /* in the file */
	const char *member; /* in C */
	uint32_t number;
	enum gen_kind kind;
	bool is_repeated;
	bool is_packed;
	bool has_presence; /* `bool has_x` stands before it; never for messages */
	struct gen_choice *choice;
	struct gen_message *message;         /* GEN_MESSAGE */
	struct gen_enumeration *enumeration; /* GEN_ENUM */
	/* What a struct of a program may say beside, and a .proto file may not. */
	uint64_t length; /* char x[N] is a string, uint8_t x[N] bytes, others repeated; 0 = no
			    array */
	bool is_inside;  /* a message by value: always there */
	bool is_map; /* repeated; the message has a key as field 1 and a value as field 2 */
	struct gen_origin origin;
};

struct gen_message {
	const char *full_name;
	const char *tag;     /* "greeter_hello": in the names of its functions */
	const char *type;    /* "struct hello", where that is not "struct TAG"; or NULL */
	bool is_hidden;      /* what users do not name starts with cell_ */
	const char *linkage; /* before its functions: "static inline "; NULL = as a .cell.c
				has it */
	const struct gen_file *file; /* NULL: of a program's struct */
	const struct gen_message *outer;
	bool is_entry;            /* of a map */
	struct gen_field *fields; /* as the file has them */
	size_t n_fields;
	const struct gen_field **by_number;
	struct gen_choice *choices;
	size_t n_choices;
	int visit; /* of the search for recursion */
	const Google__Protobuf__DescriptorProto *proto;
	struct gen_origin origin;
};

struct gen_method {
	const char *name;
	const char *noun; /* "greeter_greet" */
	const char *verb; /* "greet" */
	const char *full_name;
	uint32_t hash;
	bool client_streams;
	bool server_streams;
	bool is_idempotent;
	bool is_hidden; /* as its service */
	const struct gen_message *in;
	const struct gen_message *out;
	struct gen_origin origin;
};

struct gen_service {
	const char *name;
	const char *full_name;
	const char *prefix; /* "greeter" */
	bool is_hidden;     /* as in struct gen_message */
	struct gen_method *methods;
	size_t n_methods;
	struct gen_origin origin;
};

struct gen_file {
	const char *name;    /* "greeter.proto" */
	const char *stem;    /* "greeter" */
	const char *noun;    /* "greeter" of "cell.greeter.v1" */
	const char *prefix;  /* the same, or by the client's alias */
	const char *cell;    /* "greeter" */
	const char *channel; /* "CELL_CHANNEL_APP" */
	bool is_wanted;      /* code for it is asked for */
	bool is_client;      /* its messages and services are hidden */
	const Google__Protobuf__FileDescriptorProto *proto;
	struct gen_message **messages; /* nested ones before those around them */
	size_t n_messages;
	struct gen_enumeration **enums;
	size_t n_enums;
	struct gen_service *services;
	size_t n_services;
	/* Files whose types it needs, in the order of its imports. */
	const struct gen_file **uses;
	size_t n_uses;
	struct gen_origin origin;
};

struct gen_model {
	struct gen_file *files;
	size_t n_files;
	struct gen_text errors; /* a line each; empty if all is well */
};

struct gen_options {
	const char *const
		*wanted; /* names of the files to make code for; NULL: all in proto3 */
	size_t n_wanted;
	/*
	 * For the client of CELL (NULL: no): what its own package defines is called ALIAS_x
	 * in C, what others define ALIAS_package_x, so that nothing of two clients clashes.
	 */
	const char *cell;
	const char *alias;
};

/*
 * Build and check the model of N files, those that are imported before those that import
 * them; of several of one name the first counts. What is wrong is in ret_model->errors.
 */
void gen_model_build(struct gen_model *ret_model,
		     Google__Protobuf__FileDescriptorProto *const *files, size_t n,
		     const struct gen_options *options);

/* Sort FIELDS into by_number; for messages that were filled by hand. */
void gen_message_sort(struct gen_message *m);

const struct gen_scalar *gen_kind_scalar(enum gen_kind kind);

/* The type of one value of FIELD, as to be written before a name: "uint32_t ". */
const char *gen_field_type(const struct gen_field *field);

/* "enum greeter_color" */
const char *gen_enum_type(const struct gen_enumeration *enumeration);

/* "struct greeter_hello" */
const char *gen_message_type(const struct gen_message *message);

/* What the names begin with that are not for users: the tag, or "cell_TAG". */
const char *gen_message_own(const struct gen_message *message);
const char *gen_service_own(const struct gen_service *service);

/* cell.common.v1.Empty: left out of signatures. */
bool gen_message_is_empty(const struct gen_message *message);

/* --- the emitters: each appends one part of a generated file ------------ */

/* DOC as a C comment, each line after INDENT; nothing if there is none. */
void gen_emit_doc(struct gen_text *out, const char *indent, const char *doc);

/* NOTE as a comment at the end of a line that is COLUMN columns long, or nothing. */
void gen_emit_note(struct gen_text *out, const char *note);

/* Whether NOTE is short enough for the end of a line. */
bool gen_note_is_short(const char *note);

/* <stem>.cell.h */
void gen_emit_header(struct gen_text *out, const struct gen_file *file);

/* Handlers and client stubs of a service, for the header. */
void gen_emit_stubs(struct gen_text *out, const struct gen_file *file,
		    const struct gen_service *service);

/* <stem>.cell.c */
void gen_emit_source(struct gen_text *out, const struct gen_model *model,
		     const struct gen_file *file);

/* A message's struct, and the prototypes of its functions. */
void gen_emit_struct(struct gen_text *out, const struct gen_message *m);
void gen_emit_enum(struct gen_text *out, const struct gen_enumeration *e);
void gen_emit_prototypes(struct gen_text *out, const struct gen_message *m);

/*
 * What the rest of the program knows of a message: X_decode and X_type. MORE, if not NULL,
 * are further initialisers of X_type, a line each.
 */
void gen_emit_type(struct gen_text *out, const struct gen_message *m, const char *more);

/*
 * The description of a message of no .proto file (struct cell_message_schema): OWN_schema,
 * static, and all that it points to. Comments are those of `origin`s.
 */
void gen_emit_description(struct gen_text *out, const struct gen_message *m);

/*
 * What M is on the wire, for a check of others against it: what X_type points to goes to OUT;
 * returns the initialisers, for gen_emit_type().
 */
const char *gen_emit_shape(struct gen_text *out, const struct gen_message *m);

/* X_source with X_recv, or X_sink with X_send: streams of one type, for handlers. */
void gen_emit_source_type(struct gen_text *out, const struct gen_message *m);
void gen_emit_sink_type(struct gen_text *out, const struct gen_message *m);

/* The functions of one message. Those of a map's entries are static. */
void gen_emit_bound(struct gen_text *out, const struct gen_message *m);
void gen_emit_encode(struct gen_text *out, const struct gen_message *m);
/* Both of them without large bytes fields: only if gen_message_has_chunks(). */
void gen_emit_around(struct gen_text *out, const struct gen_message *m);
/* Whether M has bytes fields that may be sent from where they are. */
bool gen_message_has_chunks(const struct gen_message *m);
void gen_emit_init(struct gen_text *out, const struct gen_message *m);
void gen_emit_merge(struct gen_text *out, const struct gen_message *m);

/*
 * A client of SERVICE and nothing else: X_ref and the stubs, all static; and what they need
 * once in a program, X_methods, as a weak symbol.
 */
void gen_emit_client(struct gen_text *out, const struct gen_file *file,
		     const struct gen_service *service);
void gen_emit_client_methods(struct gen_text *out, const struct gen_file *file,
			     const struct gen_service *service);

/* Thunks, methods and the service itself. */
void gen_emit_service(struct gen_text *out, const struct gen_file *file,
		      const struct gen_service *service);

/* "static const uint8_t schema[N] = {...};" */
void gen_emit_schema(struct gen_text *out, const struct gen_model *model,
		     const struct gen_file *file);

/* The tag of FIELD on the wire; packed if AS_PACKED. */
uint32_t gen_field_tag(const struct gen_field *field, bool as_packed);
unsigned gen_tag_size(uint32_t tag);
