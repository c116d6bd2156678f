/* Whether and how the values of a column become those of another type. Pure. */
#pragma once

#include "sql.h"

enum retype {
	RETYPE_ALWAYS, /* a cast, and nothing is lost */
	RETYPE_LENGTH, /* the same, if it is not too long */
	RETYPE_RANGE,  /* the same, if the number is not too large */
	RETYPE_VALUES, /* the same, if it is a value of the enum */
	RETYPE_BYTES,  /* text as its bytes, if they are not too many */
	RETYPE_NEVER   /* only where there is no value */
};

enum retype retype_of(const struct table_column *before, const struct table_column *after);

/* The condition under which a value is lost, over the column called NAME (in quotes). */
void retype_put_unfit(struct sql *sql, const struct table_column *before,
		      const struct table_column *after, const char *name);
/* The value as it will be. */
void retype_put_value(struct sql *sql, const struct table_column *before,
		      const struct table_column *after, const char *name);
