/*
 * Messages, methods and services as data: what protoc-gen-cell generates from a
 * .proto file, and what libcell needs to carry and serve them.
 *
 * A message is a plain C struct (conventions: cell-message(7)): optional fields have
 * `bool has_x` before them, repeated ones `size_t n_x`, strings are NUL-terminated
 * `const char *`, bytes are `size_t n_x; const uint8_t *x`. On the wire it is protobuf.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cell_arena;
struct cell_call;
struct cell_error;

enum cell_decode_flag {
	/* BYTES is writable and has one spare byte behind its end: strings stay in place. */
	CELL_DECODE_IN_PLACE = 1,
	/* BYTES outlives the message but is read-only: bytes stay in place, strings are copied. */
	CELL_DECODE_BYTES_STAY = 2
};

/*
 * What a message of no .proto file is, for the schema of the services that use it. The
 * package is that of the service, so names are relative ("Deposit"), also in `descriptor`.
 */
struct cell_enum_schema {
	const char *name;
	const uint8_t *descriptor; /* an EnumDescriptorProto */
	size_t descriptor_len;
	const char *const *docs; /* of the enum, then of each value; an entry or all may be NULL */
	size_t n_docs;
};

struct cell_message_schema {
	const uint8_t *descriptor; /* a DescriptorProto */
	size_t descriptor_len;
	const char *const *docs; /* of the message, then of each field */
	size_t n_docs;
	const struct cell_message_type *const *messages; /* its fields' */
	size_t n_messages;
	const struct cell_enum_schema *const *enums;
	size_t n_enums;
};

/* Bytes of a message that are not encoded but sent from where they are. */
struct cell_chunk {
	const uint8_t *at; /* in the encoded rest: before what stands here */
	const uint8_t *bytes;
	size_t len;
};

/* Shorter ones are copied: that costs less than to keep count of them. */
#define CELL_CHUNK_MIN 4096
#define CELL_CHUNKS_MAX 4

struct cell_chunks {
	size_t n;
	struct cell_chunk items[CELL_CHUNKS_MAX]; /* in the order of `at` */
};

struct cell_message_type {
	const char *name; /* full protobuf name, "cell.greeter.v1.Greeting"; "Deposit": see schema */
	size_t size;      /* of the C struct, in bytes */

	/* An upper bound of the encoded size; SIZE_MAX if MESSAGE cannot be encoded. */
	size_t (*bound)(const void *message);

	/* Write at OUT, which has room for bound() bytes; returns the end of what was written. */
	uint8_t *(*encode)(const void *message, uint8_t *out);

	/*
	 * Fill the struct at MESSAGE (SIZE bytes, need not be cleared) from LEN bytes.
	 * What it points to lives in ARENA or, as FLAGS allow, in BYTES.
	 * Unknown fields are skipped. Returns 0, CELL_INVALID_ARGUMENT naming the field,
	 * or -ENOMEM.
	 */
	int (*decode)(void *message, const uint8_t *bytes, size_t len, unsigned flags,
		      struct cell_arena *arena, struct cell_error *err);

	const struct cell_message_schema *schema; /* NULL: the service's own schema has it */

	/*
	 * The same as bound() and encode(), without the bytes fields of CELL_CHUNK_MIN bytes
	 * or more: these are told in *PIECES (n = 0 before). NULL if there are no such fields.
	 */
	size_t (*bound_around)(const void *message);
	uint8_t *(*encode_around)(const void *message, uint8_t *out, struct cell_chunks *pieces);

	/*
	 * The fields by number, "1 uint64 account; 2 message holder", and the types of the
	 * messages in it, in that order: to be held against another's idea of it. NULL = not
	 * known.
	 */
	const char *shape;
	const struct cell_message_type *const *parts;
};

enum cell_method_flag {
	CELL_METHOD_CLIENT_STREAM = 1, /* the client sends items */
	CELL_METHOD_SERVER_STREAM = 2, /* the server sends items */
	CELL_METHOD_IDEMPOTENT = 4,    /* may be sent again after a lost connection */
	CELL_METHOD_UNDECODED = 8,     /* `in` is a struct cell_undecoded: see cell/linked.h */
	CELL_METHOD_RAW = 16           /* decoding leaves the request's bytes as they came */
};

/* Who is spoken to on a connection: see cell-protocol(7). 0x80 to 0xff are the application's. */
enum cell_channel {
	CELL_CHANNEL_APP = 0x00,       /* a cell's own methods */
	CELL_CHANNEL_CONSENSUS = 0x01, /* between members of one Raft group */
	CELL_CHANNEL_OPS = 0x02,       /* what every cell answers */
	CELL_CHANNEL_MACRO = 0x03      /* macro coordination, at compile time */
};

struct cell_method {
	const char *name;      /* "Greet" */
	const char *full_name; /* "cell.greeter.v1.Greeter/Greet" */
	uint32_t hash;         /* cell_method_hash(full_name), never 0 */
	uint32_t flags;        /* enum cell_method_flag */
	uint8_t channel;       /* enum cell_channel */
	const struct cell_message_type *in;
	const struct cell_message_type *out;
};

/* Run one method: HANDLERS is the service's typed table, see struct cell_service. */
typedef int cell_invoke_fn(const void *handlers, struct cell_call *call, void *self,
			   const void *in, void *out);

/* One protobuf service. Constant, generated. */
struct cell_service {
	const char *name; /* full protobuf name, "cell.greeter.v1.Greeter" */
	const struct cell_method *methods;
	cell_invoke_fn *const *invoke; /* one per method; handlers that are NULL answer UNIMPLEMENTED */
	size_t n_methods;
	const uint8_t *schema; /* a FileDescriptorSet: the file and all that it imports */
	size_t schema_len;
};

/*
 * The 32-bit FNV-1a hash of a method's full name (Fowler, Noll, Vo; RFC 9923), with
 * 0 replaced by 1. It stands for the method on the wire.
 */
uint32_t cell_method_hash(const char *full_name);

#ifdef __cplusplus
}
#endif
