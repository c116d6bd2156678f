#include "trial.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static int echo(struct cell_call *call, void *self, const struct trial_blob *in,
		struct trial_blob *out)
{
	(void)call;
	(void)self;
	*out = *in;
	return 0;
}

static uint64_t left_ms(struct cell_call *call)
{
	return cell_call_left_ns(call) / 1000000;
}

static int sleep_handler(struct cell_call *call, void *self, const struct trial_delay *in,
			 struct trial_slept *out)
{
	struct trial *trial = self;
	uint64_t left = left_ms(call);
	int r = cell_sleep_ms(call, in->ms);

	*out = (struct trial_slept){
		.status = r, .left_ms = left, .cancelled = cell_call_is_cancelled(call),
		.tag = in->tag,
	};
	if (r)
		trial->last = *out;
	return r;
}

static int fail(struct cell_call *call, void *self, const struct trial_failure *in)
{
	(void)self;
	return cell_refuse(call, in->status, "%s", in->text);
}

static int nested(struct cell_call *call, void *self, const struct trial_delay *in,
		  struct trial_slept *out)
{
	struct trial *trial = self;
	int r = trial_sleep(call, in, out);

	if (r < 0) {
		trial->last.status = r;
		trial->last.cancelled = cell_call_is_cancelled(call);
		return r;
	}
	out->nested_left_ms = out->left_ms;
	out->left_ms = left_ms(call);
	return 0;
}

static int forth(struct cell_call *call, void *self, const struct trial_blob *in,
		 struct trial_blob *out)
{
	(void)self;
	return trial_echo(call, in, out);
}

static int crash(struct cell_call *call, void *self)
{
	(void)call;
	(void)self;
	(void)raise(SIGKILL);
	return 0;
}

static int note(struct cell_call *call, void *self, const struct trial_blob *in)
{
	struct trial *trial = self;

	(void)call;
	(void)in;
	trial->notes++;
	return 0;
}

static int notes(struct cell_call *call, void *self, struct trial_count *out)
{
	struct trial *trial = self;

	(void)call;
	out->items = trial->notes;
	return 0;
}

/* A peer may say any number; what it can make us allocate is bounded. */
#define SIZE_MAX_BYTES (64u * 1024 * 1024)

static uint8_t *zeroes(struct cell_call *call, uint64_t size)
{
	uint8_t *bytes = NULL;

	if (size <= SIZE_MAX_BYTES)
		bytes = cell_arena_calloc(cell_arena(call), 1, size + 1);
	if (!bytes)
		(void)cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for %llu bytes",
				  (unsigned long long)size);
	return bytes;
}

static int many(struct cell_call *call, void *self, const struct trial_many_request *in,
		struct trial_blob_sink *out)
{
	uint8_t *bytes = zeroes(call, in->size);
	int r = 0;

	(void)self;
	if (!bytes)
		return CELL_RESOURCE_EXHAUSTED;
	for (uint64_t i = 0; r == 0 && i < in->count; i++) {
		if (in->size >= sizeof i)
			memcpy(bytes, &i, sizeof i);
		r = trial_blob_send(out, &(struct trial_blob){ .n_data = in->size, .data = bytes });
	}
	return r;
}

static int sum(struct cell_call *call, void *self, struct trial_blob_source *in,
	       struct trial_count *out)
{
	(void)call;
	(void)self;
	for (struct trial_blob *blob; (blob = trial_blob_recv(in)); ) {
		out->items++;
		out->bytes += blob->n_data;
	}
	return 0;
}

static int chat(struct cell_call *call, void *self, struct trial_blob_source *in,
		struct trial_blob_sink *out)
{
	struct trial *trial = self;
	int r = 0;

	for (struct trial_blob *blob; r == 0 && (blob = trial_blob_recv(in)); )
		r = trial_blob_send(out, blob);
	if (cell_call_is_cancelled(call))
		trial->last = (struct trial_slept){ .status = CELL_CANCELLED, .cancelled = true };
	return r;
}

/* Enough to tell a byte in the wrong place; fast enough for a GiB. */
static uint64_t checksum(const uint8_t *bytes, size_t len)
{
	uint64_t sum_of = 0;

	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t word;

		memcpy(&word, bytes + i, sizeof word);
		sum_of = (sum_of << 1 | sum_of >> 63) ^ word;
	}
	return sum_of;
}

static int digest(struct cell_call *call, void *self, const struct trial_blob *in,
		  struct trial_count *out)
{
	(void)self;
	out->items = cell_call_payload(call) != NULL;
	out->bytes = checksum(in->data, in->n_data);
	return 0;
}

static int make(struct cell_call *call, void *self, const struct trial_many_request *in,
		struct trial_blob *out)
{
	struct cell_payload *payload = cell_payload_new(call, in->size);

	(void)self;
	(void)out;
	if (!payload)
		return cell_error(call)->code;
	memset(cell_payload_data(payload), 0x5a, in->size);
	return cell_reply_payload(call, payload);
}

static int fill(struct cell_call *call, void *self, const struct trial_many_request *in,
		struct trial_blob *out)
{
	uint8_t *bytes = zeroes(call, in->size);

	(void)self;
	if (!bytes)
		return CELL_RESOURCE_EXHAUSTED;
	*out = (struct trial_blob){ .n_data = in->size, .data = bytes };
	return 0;
}

static int last(struct cell_call *call, void *self, struct trial_slept *out)
{
	struct trial *trial = self;

	(void)call;
	*out = trial->last;
	return 0;
}

const struct trial_handlers trial_handlers = {
	.echo = echo, .once = echo, .sleep = sleep_handler, .fail = fail, .nested = nested,
	.forth = forth, .crash = crash, .note = note, .notes = notes, .many = many, .sum = sum,
	.chat = chat, .digest = digest, .make = make, .fill = fill,
	.last = last,
};
