/*
 * Metadata blocks, which a gateway passes on from other nodes. What is accepted keeps to
 * its limits, points into the body, and comes back the same when it is encoded again.
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

static void must_be_within(const void *value, size_t len, const uint8_t *block, size_t used)
{
	MUST(!value || ((const uint8_t *)value >= block + 2 + 3 &&
			(const uint8_t *)value + len <= block + used));
}

static void must_be_same(const void *a, size_t a_len, const void *b, size_t b_len)
{
	MUST(!a == !b);
	MUST(!a || (a_len == b_len && memcmp(a, b, a_len) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[2 + FRAME_METADATA_MAX];
	struct frame_metadata first, again;
	struct cell_error err = { .code = 0 };
	size_t used = 0, encoded;
	int r = frame_metadata_decode(&first, &used, data, size, &err);

	MUST(r == err.code && used <= size);
	if (r < 0) {
		MUST(r == -EPROTO && *err.text);
		return 0;
	}
	MUST(used >= 2 && used <= sizeof bytes);
	must_be_within(first.trace, FRAME_TRACE_SIZE, data, used);
	must_be_within(first.principal, first.principal_len, data, used);
	must_be_within(first.idempotency_key, first.idempotency_key_len, data, used);
	MUST(!first.principal || first.principal_len > 0);
	MUST(first.idempotency_key_len <= FRAME_IDEMPOTENCY_KEY_MAX);

	encoded = frame_metadata_size(&first);
	MUST(encoded <= used);
	if (encoded == 0)
		return 0;
	MUST(frame_metadata_encode(&first, bytes) == bytes + encoded);
	MUST(frame_metadata_decode(&again, &used, bytes, encoded, &err) == 0);
	MUST(used == encoded);
	must_be_same(first.trace, FRAME_TRACE_SIZE, again.trace, FRAME_TRACE_SIZE);
	must_be_same(first.principal, first.principal_len, again.principal,
		     again.principal_len);
	must_be_same(first.idempotency_key, first.idempotency_key_len, again.idempotency_key,
		     again.idempotency_key_len);
	return 0;
}
