/*
 * What the files of the engine share.
 */
#pragma once

#include "engine.h"

/* What defaults are made of now. */
struct draft_moment engine_moment(const struct engine *engine);

/* Write DRAFT as the next version. After an error the whole transaction has to go. */
int engine_write(struct engine *engine, struct draft *draft, struct cell_error *err);
