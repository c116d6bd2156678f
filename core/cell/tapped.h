/*
 * What a frame that was copied by Ops.Tap (proto/ops.proto) says. Pure: no I/O.
 */
#pragma once

#include "schema.h"

#include <jansson.h>
#include <ops.cell.h>

/*
 * FRAME's body, a message of TYPE (NULL: not known), as JSON; if it cannot be shown, a string
 * that says how long it is. The caller's; NULL if there is no memory.
 */
json_t *tapped_body(const struct ops_tap_frame *frame, const struct schema_message *type);

/* Whether it is a second or later part of a body: that says nothing new. */
bool tapped_is_continuation(const struct ops_tap_frame *frame);
