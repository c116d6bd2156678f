/*
 * The cell that Cell's own rows call: Echo and Store, as every other peer serves them.
 */
#include "bench.h"

#include <bench.cell.h>
#include <cell/cell.h>

static int echo(struct cell_call *call, void *self, const struct bench_request *in,
		struct bench_reply *out)
{
	char *text = cell_arena_alloc(cell_arena(call), BENCH_REPLY_BYTES + 1);

	(void)self;
	if (!text || strlen(in->text) != BENCH_TEXT_BYTES)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "text: not %d bytes",
				   BENCH_TEXT_BYTES);
	bench_answer(text, in->text, in->number);
	out->text = text;
	return 0;
}

static int store(struct cell_call *call, void *self, const struct bench_blob *in,
		 struct bench_stored *out)
{
	(void)self;
	for (size_t i = 0; i < in->n_data; i += 37003)
		if (!cell_call_payload(call) && in->data[i] != bench_blob_byte(i))
			return cell_refuse(call, CELL_DATA_LOSS, "byte %zu is wrong", i);
	out->size_bytes = in->n_data;
	return 0;
}

int main(void)
{
	static const struct bench_handlers handlers = { .echo = echo, .store = store };
	struct cell_call *call = cell_open("bench");
	int err = cell_serve(call, &bench_service, &handlers, NULL);

	return cell_exit(call, err ? err : cell_loop_run(call));
}
