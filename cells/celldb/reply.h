/*
 * What a commit was answered, as it is kept to answer it again: sealed if rows of tables with
 * encrypted columns are in it. Those go out as the program gave them, and must not lie on the
 * disk like that.
 */
#pragma once

#include "commit.h"

#include <cell/internal/table/seal.h>

/*
 * The LEN bytes of REPLY as they are kept for the transaction or commit with ID, in ARENA.
 * Returns 0, -ENOMEM, or why it cannot be sealed.
 */
int reply_keep(const struct commit *commit, const struct seal *seal,
	       const uint8_t id[static LAYOUT_ID], struct cell_store_bytes reply,
	       struct cell_store_bytes *ret, struct cell_arena *arena, struct cell_error *err);

/* The way back. CELL_DATA_LOSS also if the key was forgotten since: see seal_rotate(). */
int reply_take(const struct seal *seal, const uint8_t id[static LAYOUT_ID],
	       struct cell_store_bytes kept, struct cell_store_bytes *ret,
	       struct cell_arena *arena, struct cell_error *err);
