/*
 * Streams: items in one or both directions within a call, with credit.
 *
 * A receiver grants bytes; a sender that has used them up waits. Generated code gives
 * these functions their types (X_recv, X_send, cursors). A stream belongs to its call and
 * ends with it.
 */
#pragma once

#include <cell/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Client: start a streaming call. IN is the request (NULL if the client streams). Never
 * NULL: what goes wrong is what cell_stream_end() returns.
 */
struct cell_stream *cell_stream_open(struct cell_call *call, struct cell_ref *ref,
				     const struct cell_method *method, const void *in);

/* The same without types: METHOD by full name, FLAGS of enum cell_method_flag. */
struct cell_stream *cell_stream_open_bytes(struct cell_call *call, struct cell_ref *ref,
					   uint8_t channel, const char *method, unsigned flags,
					   const uint8_t *in, size_t in_len);

/* Send one item; waits for credit. 0, or why the stream ended (also kept for the end). */
int cell_stream_send(struct cell_stream *stream, const void *item);
int cell_stream_send_bytes(struct cell_stream *stream, const uint8_t *bytes, size_t len);

/* The next item, or NULL at the end. Its memory is good until the next receive. */
void *cell_stream_recv(struct cell_stream *stream);
const uint8_t *cell_stream_recv_bytes(struct cell_stream *stream, size_t *ret_len);

/* Client: no more items will be sent. */
int cell_stream_close_send(struct cell_stream *stream);

/*
 * Client: finish, cancelling what has not ended, and say 0 or why it stopped. OUT takes the
 * reply of a client-streaming method (which is waited for), else NULL. Call it once.
 */
int cell_stream_end(struct cell_stream *stream, void *out);
int cell_stream_end_bytes(struct cell_stream *stream, const uint8_t **ret_bytes, size_t *ret_len);

/* The call a stream belongs to. */
struct cell_call *cell_stream_call(struct cell_stream *stream);

#ifdef __cplusplus
}
#endif
