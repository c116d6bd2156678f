#include "types.h"

#include <string.h>

struct known {
	uint32_t oid, array;
	enum type_codec codec;
	const char *name, *array_name;
};

static const struct known known[] = {
	{ 16, 1000, TYPE_BOOL, "boolean", "boolean[]" },
	{ 17, 1001, TYPE_BYTEA, "bytea", "bytea[]" },
	{ 19, 1003, TYPE_TEXT, "name", "name[]" },
	{ 20, 1016, TYPE_INT8, "bigint", "bigint[]" },
	{ 21, 1005, TYPE_INT2, "smallint", "smallint[]" },
	{ 23, 1007, TYPE_INT4, "integer", "integer[]" },
	{ 25, 1009, TYPE_TEXT, "text", "text[]" },
	{ 26, 1028, TYPE_OID, "oid", "oid[]" },
	{ 114, 199, TYPE_TEXT, "json", "json[]" },
	{ 142, 143, TYPE_TEXT, "xml", "xml[]" },
	{ 700, 1021, TYPE_FLOAT4, "real", "real[]" },
	{ 701, 1022, TYPE_FLOAT8, "double precision", "double precision[]" },
	{ 705, 0, TYPE_TEXT, "unknown", "" },
	{ 1042, 1014, TYPE_TEXT, "character", "character[]" },
	{ 1043, 1015, TYPE_TEXT, "character varying", "character varying[]" },
	{ 1082, 1182, TYPE_DATE, "date", "date[]" },
	{ 1114, 1115, TYPE_TIMESTAMP, "timestamp without time zone", "timestamp without time zone[]" },
	{ 1184, 1185, TYPE_TIMESTAMP, "timestamp with time zone", "timestamp with time zone[]" },
	{ 1700, 1231, TYPE_NUMERIC, "numeric", "numeric[]" },
	{ 2278, 0, TYPE_VOID, "void", "" },
	{ 2950, 2951, TYPE_UUID, "uuid", "uuid[]" },
	{ 3802, 3807, TYPE_JSONB, "jsonb", "jsonb[]" },
};

bool type_by_oid(uint32_t oid, struct type *ret)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		bool is_array = known[i].array && known[i].array == oid;

		if (known[i].oid != oid && !is_array)
			continue;
		*ret = (struct type){
			.oid = known[i].oid,
			.array = known[i].array,
			.is_array = is_array,
			.codec = known[i].codec,
			.name = is_array ? known[i].array_name : known[i].name,
		};
		return true;
	}
	return false;
}

/* ---- which stands for which ------------------------------------------------------------------ */

static const char *scalar_declared(const struct table_column *column, struct cell_arena *arena)
{
	switch (column->type) {
	case TABLE_COLUMN_TYPE_BOOL: return "boolean";
	case TABLE_COLUMN_TYPE_INT32:
	case TABLE_COLUMN_TYPE_ENUM: return "integer";
	case TABLE_COLUMN_TYPE_UINT32:
	case TABLE_COLUMN_TYPE_INT64: return "bigint";
	case TABLE_COLUMN_TYPE_UINT64: return "numeric(20,0)";
	case TABLE_COLUMN_TYPE_FLOAT: return "real";
	case TABLE_COLUMN_TYPE_DOUBLE: return "double precision";
	case TABLE_COLUMN_TYPE_TEXT:
		/* A limit in bytes is the cell's to see to: varchar(n) counts characters. */
		return "text";
	case TABLE_COLUMN_TYPE_BYTES:
	case TABLE_COLUMN_TYPE_MESSAGE:
	case TABLE_COLUMN_TYPE_UNSPECIFIED: break;
	}
	(void)arena;
	return "bytea";
}

const char *type_declared(const struct table_column *column, struct cell_arena *arena)
{
	const char *scalar;

	if (column->encrypted)
		return "bytea";
	if (*column->native)
		return column->native;
	scalar = scalar_declared(column, arena);
	return column->repeated ? cell_arena_printf(arena, "%s[]", scalar) : scalar;
}

static const char *member_of(const struct table_column *column)
{
	switch (column->type) {
	case TABLE_COLUMN_TYPE_BOOL: return "bool";
	case TABLE_COLUMN_TYPE_INT32: return "int32_t";
	case TABLE_COLUMN_TYPE_UINT32: return "uint32_t";
	case TABLE_COLUMN_TYPE_INT64: return "int64_t";
	case TABLE_COLUMN_TYPE_UINT64: return "uint64_t";
	case TABLE_COLUMN_TYPE_FLOAT: return "float";
	case TABLE_COLUMN_TYPE_DOUBLE: return "double";
	case TABLE_COLUMN_TYPE_TEXT: return "text";
	case TABLE_COLUMN_TYPE_ENUM: return "an enum";
	case TABLE_COLUMN_TYPE_MESSAGE: return "a struct";
	case TABLE_COLUMN_TYPE_BYTES:
	case TABLE_COLUMN_TYPE_UNSPECIFIED: break;
	}
	return "bytes";
}

const char *type_member(const struct table_column *column, struct cell_arena *arena)
{
	const char *text = cell_arena_printf(arena, "%s%s%s (%s)", column->encrypted ? "encrypted " : "",
					     column->repeated ? "a list of " : "", member_of(column),
					     type_declared(column, arena));

	return text ? text : member_of(column);
}

#define BIT(codec) (1u << (codec))

/* The codecs that a table's column may have for a member, if it names no type of its own. */
static unsigned plain_codecs(const struct table_column *column)
{
	switch (column->type) {
	case TABLE_COLUMN_TYPE_BOOL: return BIT(TYPE_BOOL);
	case TABLE_COLUMN_TYPE_INT32:
	case TABLE_COLUMN_TYPE_ENUM: return BIT(TYPE_INT4);
	case TABLE_COLUMN_TYPE_UINT32:
	case TABLE_COLUMN_TYPE_INT64: return BIT(TYPE_INT8);
	case TABLE_COLUMN_TYPE_UINT64: return BIT(TYPE_NUMERIC);
	case TABLE_COLUMN_TYPE_FLOAT: return BIT(TYPE_FLOAT4);
	case TABLE_COLUMN_TYPE_DOUBLE: return BIT(TYPE_FLOAT8);
	case TABLE_COLUMN_TYPE_TEXT: return BIT(TYPE_TEXT);
	case TABLE_COLUMN_TYPE_BYTES:
	case TABLE_COLUMN_TYPE_MESSAGE: return BIT(TYPE_BYTEA);
	case TABLE_COLUMN_TYPE_UNSPECIFIED: break;
	}
	return 0;
}

/* Those that hold every value of the member. */
static unsigned holding_codecs(const struct table_column *column)
{
	switch (column->type) {
	case TABLE_COLUMN_TYPE_INT32:
		return BIT(TYPE_INT4) | BIT(TYPE_INT8) | BIT(TYPE_NUMERIC) | BIT(TYPE_DATE) |
		       BIT(TYPE_FLOAT8);
	case TABLE_COLUMN_TYPE_ENUM:
		return BIT(TYPE_INT4) | BIT(TYPE_INT8) | BIT(TYPE_NUMERIC) | BIT(TYPE_LABEL);
	case TABLE_COLUMN_TYPE_UINT32: return BIT(TYPE_INT8) | BIT(TYPE_NUMERIC) | BIT(TYPE_OID);
	case TABLE_COLUMN_TYPE_INT64:
		return BIT(TYPE_INT8) | BIT(TYPE_NUMERIC) | BIT(TYPE_TIMESTAMP);
	/* Past the end of bigint it is refused when it comes to that: limits, counts. */
	case TABLE_COLUMN_TYPE_UINT64: return BIT(TYPE_NUMERIC) | BIT(TYPE_INT8);
	case TABLE_COLUMN_TYPE_FLOAT: return BIT(TYPE_FLOAT4) | BIT(TYPE_FLOAT8);
	case TABLE_COLUMN_TYPE_TEXT:
		return BIT(TYPE_TEXT) | BIT(TYPE_JSONB) | BIT(TYPE_NUMERIC) | BIT(TYPE_LABEL);
	case TABLE_COLUMN_TYPE_BYTES:
		/* Of another length than 16 it is refused when it comes to that. */
		return BIT(TYPE_BYTEA) |
		       (!column->fixed || column->length == 16 ? BIT(TYPE_UUID) : 0);
	default: return plain_codecs(column);
	}
}

/* Those whose every value the member holds; numbers of a sign that it lacks are refused. */
static unsigned held_codecs(const struct table_column *column)
{
	switch (column->type) {
	case TABLE_COLUMN_TYPE_INT32: return BIT(TYPE_INT2) | BIT(TYPE_INT4) | BIT(TYPE_DATE);
	case TABLE_COLUMN_TYPE_ENUM: return BIT(TYPE_INT2) | BIT(TYPE_INT4) | BIT(TYPE_LABEL);
	case TABLE_COLUMN_TYPE_UINT32:
		return BIT(TYPE_OID) | BIT(TYPE_INT2) | BIT(TYPE_INT4);
	case TABLE_COLUMN_TYPE_INT64:
		return BIT(TYPE_INT2) | BIT(TYPE_INT4) | BIT(TYPE_INT8) | BIT(TYPE_TIMESTAMP) |
		       BIT(TYPE_OID);
	case TABLE_COLUMN_TYPE_UINT64:
		return BIT(TYPE_INT2) | BIT(TYPE_INT4) | BIT(TYPE_INT8) | BIT(TYPE_OID) |
		       BIT(TYPE_NUMERIC);
	case TABLE_COLUMN_TYPE_DOUBLE:
		return BIT(TYPE_FLOAT4) | BIT(TYPE_FLOAT8) | BIT(TYPE_INT2) | BIT(TYPE_INT4);
	default: return holding_codecs(column);
	}
}

static bool shape_fits(const struct table_column *column, const struct type *type)
{
	return column->repeated == type->is_array;
}

/* "varchar ( 40 )" and "character varying(40)" are one type; our spelling as PostgreSQL's. */
static bool name_is(const char *native, const char *name)
{
	static const char *const aliases[][2] = {
		{ "varchar", "character varying" }, { "char", "character" },
		{ "bpchar", "character" },	    { "decimal", "numeric" },
		{ "timestamptz", "timestamp with time zone" },
		{ "timestamp", "timestamp without time zone" },
		{ "int2", "smallint" },		    { "int4", "integer" },
		{ "int8", "bigint" },		    { "float4", "real" },
		{ "float8", "double precision" },   { "bool", "boolean" },
	};
	size_t n = strcspn(native, "([");
	const char *tail = native + n;

	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
		size_t len = strlen(aliases[i][1]);

		if (strlen(aliases[i][0]) == n && memcmp(native, aliases[i][0], n) == 0 &&
		    strncmp(name, aliases[i][1], len) == 0 && strcmp(name + len, tail) == 0)
			return true;
	}
	return strcmp(native, name) == 0;
}

bool type_is(const struct table_column *column, const struct type *type)
{
	if (column->encrypted)
		return type->codec == TYPE_BYTEA && !type->is_array;
	if (!shape_fits(column, type))
		return false;
	if (*column->native)
		return name_is(column->native, type->name) && (held_codecs(column) & BIT(type->codec));
	/* json is text on the wire, and yet takes not every text. */
	if (type->oid == 114 || type->oid == 142)
		return false;
	return plain_codecs(column) & BIT(type->codec);
}

bool type_can_read(const struct table_column *column, const struct type *type)
{
	return shape_fits(column, type) && (held_codecs(column) & BIT(type->codec));
}

bool type_can_write(const struct table_column *column, const struct type *type)
{
	return shape_fits(column, type) && (holding_codecs(column) & BIT(type->codec));
}
