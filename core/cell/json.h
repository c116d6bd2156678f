/*
 * JSON and protobuf bytes, either way, by a schema: the proto3 JSON mapping.
 *
 * 64-bit integers are strings in what is written and may be either in what is read; bytes
 * are base64; enums go by name, or by number if they have none; fields by their JSON name
 * or their original one. Timestamp, Duration and the wrappers of google/protobuf have their
 * own spelling; google.protobuf.Any does not: it shows its two fields.
 *
 * Both sides are somebody else's: any JSON text, any bytes, any schema. Pure: no I/O.
 */
#pragma once

#include "schema.h"

#include <cell/arena.h>
#include <cell/error.h>
#include <jansson.h>

/* Messages within messages, both ways; protobuf's own limit. */
#define JSON_NESTING_MAX 100
/* What one message may hold, in values: small bytes become large trees. */
#define JSON_VALUES_MAX 16000000u

enum json_flag {
	JSON_EMIT_DEFAULTS = 1 /* write fields that hold their default, too */
};

/*
 * Parse LEN bytes of JSON text. NAME begins the message of an error: "NAME:2:7: …".
 * Integers beyond 64 bits with a sign, which jansson lacks, stay exact: json_to_bytes()
 * knows them again. *RET_VALUE is the caller's. Returns 0 or CELL_INVALID_ARGUMENT.
 */
int json_parse(json_t **ret_value, const char *text, size_t len, const char *name,
	       struct cell_error *err);

/*
 * Encode VALUE, an object, as message TYPE. NAME begins the path in errors:
 * `NAME.items[3].naem: no such field (did you mean "name"?)`. The bytes live in ARENA.
 * Returns 0, CELL_INVALID_ARGUMENT, CELL_OUT_OF_RANGE or -ENOMEM.
 */
int json_to_bytes(const struct schema_message *type, const json_t *value, const char *name,
		  struct cell_arena *arena, const uint8_t **ret_bytes, size_t *ret_len,
		  struct cell_error *err);

/*
 * Decode LEN bytes of a TYPE. Fields that are not in the schema are skipped. FLAGS of enum
 * json_flag. *RET_VALUE is the caller's. Returns 0; -EPROTO naming the field, if the bytes
 * are none; -EMSGSIZE for more than JSON_VALUES_MAX; -ENOMEM.
 */
int json_from_bytes(const struct schema_message *type, const uint8_t *bytes, size_t len,
		    unsigned flags, const char *name, json_t **ret_value,
		    struct cell_error *err);

/*
 * An example of TYPE for people to edit: every field with its default, one element in each
 * list, nested messages three deep. NULL if there is no memory.
 */
json_t *json_example(const struct schema_message *type);
