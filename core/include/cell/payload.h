/*
 * Large bodies by reference: memory that is born in a memfd, handed on without a copy.
 *
 * Any other body over the message limit (16 MiB) is refused. A payload is a whole message
 * of the shape `message X { bytes data = 1; }`: who receives it finds the bytes in place, in
 * read-only memory, as in any other request or reply. Where descriptors cannot travel (a Unix
 * stream) the bytes do, in fragments, and the receiver's library makes the memory.
 */
#pragma once

#include <cell/call.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cell_payload;

/*
 * SIZE writable bytes, at most 1 GiB, zeroed. Lives until the call ends or
 * cell_payload_free(). NULL with the error in CALL.
 */
struct cell_payload *cell_payload_new(struct cell_call *call, size_t size);

/* The memory: writable until it is sent, read-only in one that was received. */
uint8_t *cell_payload_data(struct cell_payload *payload);
size_t cell_payload_size(const struct cell_payload *payload);
void cell_payload_free(struct cell_payload *payload);

/*
 * Call METHOD, whose request has that shape, with PAYLOAD as its data. The payload is unmapped, sealed and
 * handed over; it may be sent again (to others), no more written.
 */
int cell_invoke_payload(struct cell_call *call, struct cell_ref *ref,
			const struct cell_method *method, struct cell_payload *payload, void *out);

/* In a handler: the request's payload, to hand it on; NULL if the body came by copy. */
struct cell_payload *cell_call_payload(struct cell_call *call);

/* In a handler: answer with PAYLOAD instead of the reply struct. */
int cell_reply_payload(struct cell_call *call, struct cell_payload *payload);

#ifdef __cplusplus
}
#endif
