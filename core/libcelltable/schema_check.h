/*
 * What may be declared: the rules of a table that need no expression parsed.
 */
#pragma once

#include <cell/internal/table/schema.h>

/* Field numbers of protocol buffers. */
#define COLUMN_NUMBER_MAX 536870911u

/*
 * Check names, numbers, types and their attributes, keys, references and what is given up of
 * TABLE. 0, or CELL_INVALID_ARGUMENT that names the column or rule.
 */
int schema_check(const struct table_table *table, struct cell_error *err);

/* The column with NUMBER, or NULL. */
const struct table_column *schema_check_find(const struct table_table *table, uint32_t number);
