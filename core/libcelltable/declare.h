/*
 * What a struct that was read is as a table.v1.Table: the declaration that is provisioned.
 */
#pragma once

#include "read.h"

struct declared {
	const uint8_t *body;
	size_t len;
	uint64_t version; /* TableRef.version */
};

/*
 * READ, numbered, as an encoded Table. *ret lives in the work. Returns 0, -ENOMEM, or
 * CELL_INVALID_ARGUMENT after refusing what only the whole table shows to be wrong.
 */
int declared_make(struct read *read, struct declared *ret);
