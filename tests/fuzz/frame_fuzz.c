/*
 * Headers and hellos, from anybody who can open a socket: 32 bytes of header, then the
 * bytes of a hello. Whatever they are, the short check agrees with the long one, a refusal
 * has a text, and what is encoded again is what was read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libcell/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                      \
	do {                                                                                 \
		if (!(condition))                                                            \
			abort();                                                             \
	} while (0)

static void try_header(const uint8_t bytes[static FRAME_HEADER_SIZE])
{
	struct cell_error err = { .code = 0 };
	uint8_t again[FRAME_HEADER_SIZE];
	struct frame header;
	int r;

	frame_decode(&header, bytes);
	frame_encode(&header, again);
	MUST(memcmp(again, bytes, sizeof again) == 0);

	r = frame_check(&header, &err);
	MUST(r == frame_check_all(&header, NULL));
	MUST(r == 0 || r == -EPROTO);
	MUST(r == err.code && (r == 0 || *err.text));
	if (r < 0)
		return;
	MUST(header.length <= FRAME_BODY_MAX);
	MUST(frame_ring_size(header.length) >= FRAME_HEADER_SIZE + header.length);
	MUST(strcmp(frame_kind_name(header.kind), "unknown") != 0);
	MUST(header.call_id || header.kind == FRAME_HELLO || header.kind == FRAME_GOAWAY);
}

static void try_hello(const uint8_t *bytes, size_t size)
{
	uint8_t again[FRAME_HELLO_SIZE];
	struct frame_hello hello;
	int r = frame_hello_decode(&hello, bytes, size, NULL);

	MUST(r == (size < FRAME_HELLO_SIZE ? -EPROTO : 0));
	if (r < 0)
		return;
	frame_hello_encode(&hello, again);
	MUST(memcmp(again, bytes, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < FRAME_HEADER_SIZE)
		return 0;
	try_header(data);
	try_hello(data + FRAME_HEADER_SIZE, size - FRAME_HEADER_SIZE);
	return 0;
}
