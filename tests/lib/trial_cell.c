/*
 * A cell for tests that serves Trial (trial.proto).
 *
 *	trial_cell [OTHER] [WORD ...]
 *
 * Nested calls Sleep of the cell OTHER. Forth, too, goes to OTHER, with one byte less, until
 * none is left: so two such cells call each other to any depth.
 */
#include "trial.h"

#include <signal.h>
#include <stdlib.h>

static const char *other = "trial";

static int nested(struct cell_call *call, void *self, const struct trial_delay *in,
		  struct trial_slept *out)
{
	struct trial *trial = self;
	int r = trial_sleep(cell_to(call, other, 0), in, out);

	if (r < 0) {
		trial->last = (struct trial_slept){
			.status = r, .cancelled = cell_call_is_cancelled(call),
		};
		return r;
	}
	out->nested_left_ms = out->left_ms;
	out->left_ms = cell_call_left_ns(call) / 1000000;
	return 0;
}

static int forth(struct cell_call *call, void *self, const struct trial_blob *in,
		 struct trial_blob *out)
{
	struct trial_blob less = { .n_data = in->n_data - 1, .data = in->data };

	(void)self;
	if (in->n_data == 0) {
		*out = (struct trial_blob){ 0 };
		return 0;
	}
	return trial_forth(cell_to(call, other, 0), &less, out);
}

/* Not raise(): pid 1 of a namespace is deaf to its own signals. */
static int crash(struct cell_call *call, void *self)
{
	volatile uintptr_t nowhere = 8;

	(void)call;
	(void)self;
	(void)signal(SIGSEGV, SIG_DFL);
	*(volatile int *)nowhere = 1;
	return 0;
}

int main(int argc, char **argv)
{
	struct trial_handlers handlers = trial_handlers;
	struct trial trial = { 0 };
	struct cell_call *call = cell_open("trial");
	int err;

	handlers.nested = nested;
	handlers.forth = forth;
	handlers.crash = crash;
	if (argc > 1)
		other = argv[1];
	err = cell_serve(call, &trial_service, &handlers, &trial);
	return cell_exit(call, err ? err : cell_loop_run(call));
}
