/*
 * What a table is, checked: the declaration (table.proto) with its expressions parsed, its
 * defaults read and its columns found by number. Pure; immutable once made.
 */
#pragma once

#include <cell/internal/table/value.h>

struct expression;

/* A whole table has at most so many; an adopted one of a real database rarely has 200. */
#define SCHEMA_COLUMNS_MAX 512
#define SCHEMA_INDEXES_MAX 64
#define SCHEMA_CHECKS_MAX  256
#define SCHEMA_DROPPED_MAX 1024
/* Of all its enums together: looking for two of one name takes the square of it. */
#define SCHEMA_VALUES_MAX 4096
/* Bytes of its checks and computed columns together: each word is looked up among all names. */
#define SCHEMA_TEXT_MAX 65536
/* Bytes of a table's, column's, index's or store's name. */
#define SCHEMA_NAME_MAX 63

/* Where a row's missing value comes from. */
enum schema_fallback {
	SCHEMA_FALLBACK_NONE,
	SCHEMA_FALLBACK_VALUE,
	SCHEMA_FALLBACK_NOW,
	SCHEMA_FALLBACK_UUID
};

struct schema_column {
	const struct table_column *told;
	enum schema_fallback fallback;
	struct value value;                /* SCHEMA_FALLBACK_VALUE */
	const struct expression *computed; /* NULL = it is not */
	bool is_key;                       /* of the primary key */
};

struct schema_key {
	const char *name; /* "" = the primary key */
	size_t n;
	const uint16_t *columns; /* indices into `columns` */
	bool is_unique;
};

struct schema {
	struct cell_arena arena;
	const struct table_table *told;
	uint8_t digest[32]; /* BLAKE2b-256 of the bytes that it was made of */
	uint64_t version;   /* TableRef.version */
	size_t n_columns;
	const struct schema_column *columns; /* as in the declaration */
	size_t n_keys;
	const struct schema_key *keys; /* [0] primary; [N] index N on the wire */
	size_t n_checks;
	const struct expression *const *checks; /* as in told->checks */
	bool has_computed;
	bool has_lists;
	const uint16_t *order;     /* the columns' indices, by rising number */
	size_t n_numbers;
	const uint16_t *by_number; /* index + 1 of the column with a number below n_numbers; 0 = none */
};

/* Numbers up to here are found by an index into a table; larger ones are searched. */
#define SCHEMA_NUMBERS_MAX 4096

/*
 * The schema that BYTES (an encoded table.v1.Table) are. *ret_schema is the caller's, for
 * schema_free(). Returns 0, -ENOMEM, or CELL_INVALID_ARGUMENT that names the column or rule
 * and what is wrong: names, numbers used twice, types, keys of what is nullable, repeated,
 * encrypted or a message, defaults, expressions, references to itself.
 */
int schema_new(struct schema **ret_schema, const uint8_t *bytes, size_t len,
	       struct cell_error *err);
void schema_free(struct schema *schema);
void schema_freep(struct schema **schema);

/* Index of the column, or -1. */
int schema_column_by_name(const struct schema *schema, const char *name);
int schema_column_by_number(const struct schema *schema, uint32_t number);

/* "[a-z_][a-z0-9_]*" in either case, at most SCHEMA_NAME_MAX bytes. Stores may have '-' and '.'. */
bool schema_name_is_valid(const char *name);
bool schema_store_is_valid(const char *name);

/* "int32", "text", "list of int64", "varchar(40)": for messages. In ARENA. */
const char *schema_type_print(const struct table_column *column, struct cell_arena *arena);
