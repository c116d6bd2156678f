/*
 * Which columns may become which.
 */
#pragma once

#include <cell/internal/table/migrate.h>

/* Whether every value of BEFORE is one of AFTER. */
bool convert_always_fits(const struct table_column *before, const struct table_column *after);

/* Whether some are: then each has to be looked at. Else none is. */
bool convert_may_fit(const struct table_column *before, const struct table_column *after);
