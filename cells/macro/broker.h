/*
 * Questions between providers: asked in one's expansion, answered by another, never directly.
 */
#pragma once

#include "coordinate.h"

/*
 * Answer QUERY, asked within the expansion of part PART. What is not answered, and was
 * wanted, becomes a diagnostic of that part: a warning if it is optional (an error if the
 * coordination is strict). Waits for at most half of the time that CALL has left, so that the
 * asker can go on without an answer. What *ret_result points to lives in CALL.
 */
void broker_answer(struct cell_call *call, struct coordination *c, size_t part,
		   const struct macro_query *query, struct macro_query_result *ret_result);
