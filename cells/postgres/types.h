/*
 * PostgreSQL's types and ours: which stands for which, and their binary formats. Pure.
 *
 *	bool            boolean         const char *    text, varchar(n), char(n), json, jsonb,
 *	int32_t         integer,                        numeric, and labels of an enum
 *	                smallint, date  bytes           bytea
 *	int64_t         bigint, timestamp, timestamptz  uint8_t [16]    uuid
 *	uint32_t        bigint          float           real
 *	uint64_t        numeric(20,0)   double          double precision
 *	an enum         integer, or a type made by CREATE TYPE … AS ENUM
 *
 * Dates are days, timestamps microseconds since 1970-01-01 UTC; infinity is the largest number,
 * -infinity the smallest. An unsigned 64-bit number is a numeric(20,0): bigint ends half-way.
 * Lists are arrays of one dimension without NULLs.
 */
#pragma once

#include "pg.h"

#include <cell/internal/table/value.h>

enum type_codec {
	TYPE_UNKNOWN,
	TYPE_BOOL,
	TYPE_INT2,
	TYPE_INT4,
	TYPE_INT8,
	TYPE_FLOAT4,
	TYPE_FLOAT8,
	TYPE_NUMERIC,
	TYPE_TEXT, /* text, varchar, char, name, json, xml */
	TYPE_JSONB,
	TYPE_BYTEA,
	TYPE_DATE,
	TYPE_TIMESTAMP, /* and timestamptz: the same number */
	TYPE_UUID,
	TYPE_LABEL, /* of an enum */
	TYPE_OID,
	TYPE_VOID
};

struct type {
	uint32_t oid;   /* of the type itself, or of the elements of an array */
	uint32_t array; /* of the array of it */
	bool is_array;
	enum type_codec codec;
	const char *name; /* as PostgreSQL says it: "character varying(40)", "integer[]" */
};

/* The built-in type with this OID, its array included. False if it is none that we know. */
bool type_by_oid(uint32_t oid, struct type *ret);

/* What COLUMN is in a table that we make: "bigint", "varchar(40)", "text[]". In ARENA. */
const char *type_declared(const struct table_column *column, struct cell_arena *arena);

/* Whether TYPE is what COLUMN needs: as a table's column, to be read, to be a parameter. */
bool type_is(const struct table_column *column, const struct type *type);
bool type_can_read(const struct table_column *column, const struct type *type);
bool type_can_write(const struct table_column *column, const struct type *type);

/* The type of COLUMN for people: "int32_t (integer)". In ARENA. */
const char *type_member(const struct table_column *column, struct cell_arena *arena);

/*
 * VALUE of COLUMN as a parameter of TYPE. Its bytes live in ARENA or in VALUE. Returns 0,
 * -ENOMEM, or CELL_INVALID_ARGUMENT or CELL_OUT_OF_RANGE naming the column.
 */
int type_encode(struct pg_value *ret, const struct type *type, const struct table_column *column,
		const struct value *value, struct cell_arena *arena, struct cell_error *err);

/*
 * LEN BYTES in the binary format of TYPE (NULL: NULL) as a value of COLUMN; text and bytes
 * point into BYTES, else into ARENA. Returns 0, -ENOMEM, CELL_OUT_OF_RANGE if it does not fit
 * the column, or CELL_DATA_LOSS for what makes no sense.
 */
int type_decode(struct value *ret, const struct type *type, const struct table_column *column,
		const uint8_t *bytes, size_t len, struct cell_arena *arena, struct cell_error *err);
