/* One function for each macro, and what they share. */
#pragma once

#include "emit.h"
#include "read.h"

int macro_table_plan(struct cell_macro_work *work, const struct macro_attribute *mine);
int macro_table_expand(struct cell_macro_work *work, const struct macro_attribute *mine);
int macro_persist_plan(struct cell_macro_work *work, const struct macro_attribute *mine);
int macro_persist_expand(struct cell_macro_work *work, const struct macro_attribute *mine);
int macro_crud_plan(struct cell_macro_work *work, const struct macro_attribute *mine);
int macro_crud_expand(struct cell_macro_work *work, const struct macro_attribute *mine);
int macro_atomic_plan(struct cell_macro_work *work, const struct macro_attribute *mine);
int macro_atomic_expand(struct cell_macro_work *work, const struct macro_attribute *mine);

/* For what needs a table around it: refuses if the struct has neither table nor persist. */
int macro_part_plan(struct cell_macro_work *work, const struct macro_attribute *mine);

/* That the database's cell is called, and that the live table is looked at. */
int macro_plan_uses(const struct read *read);
/* Number, declare and describe READ: its descriptor is the piece that stands once. */
int macro_describe(struct read *read, struct text *once);
/* The attribute cell::NAME on the definition of the declared struct; NULL if it is not there.
 */
const struct macro_attribute *macro_cell_attribute(const struct cell_macro_work *work,
						   const char *name);
/* The value of its argument ARGUMENT, or its first without a name; NULL if there is none. */
const char *macro_cell_argument(const struct macro_attribute *at, const char *argument);
/* "bank-office" as part of an identifier, and in CamelCase. */
const char *macro_word(struct cell_macro_work *work, const char *name);
const char *macro_camel(struct cell_macro_work *work, const char *name);
