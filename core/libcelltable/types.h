/*
 * What there is to know of each type of column, by enum table_column_type.
 */
#pragma once

#include <cell/internal/table/value.h>

/* How a field looks on the wire: the lowest three bits of its tag. */
enum wire {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_LENGTH = 2,
	WIRE_FIXED32 = 5
};

struct type {
	const char *name; /* NULL: no such type */
	uint8_t kind;     /* enum value_kind of one value */
	uint8_t wire;     /* enum wire of one value */
};

#define TYPES_N (TABLE_COLUMN_TYPE_MESSAGE + 1)
extern const struct type column_types[TYPES_N];

/* Never NULL: what is no type has no name. */
static inline const struct type *type_of(enum table_column_type type)
{
	return &column_types[(unsigned)type < TYPES_N ? type : TABLE_COLUMN_TYPE_UNSPECIFIED];
}

/*
 * One value of TYPE, which is no list, as it is on the wire behind its tag: fill *ret and return
 * where it ends, or NULL and say why. Text and bytes stay where they are.
 */
const uint8_t *column_read(enum table_column_type type, const uint8_t *at, const uint8_t *end,
			 struct value *ret, const char **ret_why);
