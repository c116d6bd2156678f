#include "tapped.h"

#include "json.h"

#include "../libcell/frame.h"

#include <cell/cell.h>

/* BYTES as a TYPE, behind a metadata block if HAS_METADATA; NULL if they are none. */
static json_t *decode(const struct ops_tap_frame *frame, const struct schema_message *type,
		      bool has_metadata)
{
	struct frame_metadata metadata;
	json_t *value = NULL;
	size_t used = 0;

	if (has_metadata &&
	    frame_metadata_decode(&metadata, &used, frame->body, frame->n_body, NULL) < 0)
		return NULL;
	if (json_from_bytes(type, frame->body + used, frame->n_body - used, 0, "", &value,
			    NULL) < 0)
		return NULL;
	return value;
}

json_t *tapped_body(const struct ops_tap_frame *frame, const struct schema_message *type)
{
	json_t *value = NULL;
	char text[64];

	if (type && frame->length <= frame->n_body) {
		value = decode(frame, type, frame->flags & FRAME_FLAG_METADATA);
		/* From a cell that does not tell the flags, it may stand there all the same. */
		if (!value && !frame->has_flags)
			value = decode(frame, type, true);
	}
	if (value)
		return value;
	(void)snprintf(text, sizeof text, frame->flags & FRAME_FLAG_MEMFD
						  ? "(%u bytes by reference)" : "(%u bytes)",
		       frame->length);
	return json_string(text);
}

bool tapped_is_continuation(const struct ops_tap_frame *frame)
{
	return frame->length == 0 && frame->n_body > 0 && frame->kind != FRAME_ERROR &&
	       frame->kind != FRAME_END;
}
