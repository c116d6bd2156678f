/* What a statement takes and gives, in types that we know. */
#pragma once

#include "pg.h"
#include "types.h"

struct query_types {
	struct type *parameters, *columns;
};

/* The type OID, enums and domains too; codec TYPE_UNKNOWN if it is none that we know. */
int query_type(struct cell_call *call, struct pg_session *session, uint32_t oid, struct type *ret);

/* Those of a statement that was described, in the call's arena. */
int query_types(struct cell_call *call, struct pg_session *session, const struct pg_described *described,
		struct query_types *ret);
