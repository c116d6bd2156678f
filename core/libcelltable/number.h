/*
 * Column numbers: as the live table has them, else the lock, else the next that is free. What
 * a number meant once it means for ever.
 */
#pragma once

#include "read.h"

/*
 * Number the columns of READ, say what the lock is to keep, and that the text depends on the
 * live table. Waits for what the provider's `live` waits for. Returns 0, -ENOMEM, or
 * CELL_INVALID_ARGUMENT after a refusal.
 */
int numbers_give(struct read *read);
