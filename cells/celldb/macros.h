/* The namespace db. */
#pragma once

#include "celldb.h"

/*
 * Serve db:: on channel 3 of CALL, for DB, whose `provider` this fills. To be called before
 * cell_loop_run(); DB must outlive CALL. Returns 0, -ENOMEM, or what cell_provide_macros() says.
 */
int macros_provide(struct celldb *db, struct cell_call *call);
