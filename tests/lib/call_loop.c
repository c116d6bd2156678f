/*
 * call_loop CALLS WINDOW: so many calls of Echo between two processes without a node, WINDOW
 * of them outstanding at once, and nothing else. For counting what a call costs: it prints the
 * pids of both, client first.
 */
#include "duo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <trial.cell.h>
#include <unistd.h>

#define WINDOW_MAX 128
#define TEXT "a string of 16 b"

static const struct trial_blob request = { .data = (const uint8_t *)TEXT,
					   .n_data = sizeof TEXT - 1 };

static void check(struct cell_call *call, int err, const struct trial_blob *reply)
{
	if (!err && reply->n_data == request.n_data &&
	    memcmp(reply->data, request.data, request.n_data) == 0)
		return;
	fprintf(stderr, "call_loop: %s\n", err ? cell_error(call)->text : "a wrong reply");
	exit(1);
}

static void calls_at_once(struct cell_call *call, unsigned long n)
{
	struct trial_echo_future futures[WINDOW_MAX];
	struct trial_blob reply;

	for (unsigned long i = 0; i < n; i++)
		futures[i] = trial_echo_start(call, &request);
	for (unsigned long i = 0; i < n; i++)
		check(call, trial_echo_wait(&futures[i], &reply), &reply);
}

static void call_once(struct cell_call *call)
{
	struct trial_blob reply;

	check(call, trial_echo(call, &request, &reply), &reply);
}

int main(int argc, char **argv)
{
	unsigned long calls = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long window = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct duo duo;
	int status;

	if (calls == 0 || window == 0 || window > WINDOW_MAX) {
		fprintf(stderr, "usage: call_loop CALLS WINDOW (1 to %d)\n", WINDOW_MAX);
		return 2;
	}
	duo_start(&duo, DUO_RING);
	printf("%ld %ld\n", (long)getpid(), (long)duo.server_pid);
	for (unsigned long done = 0; done < calls; done += window) {
		struct cell_arena_mark mark = cell_mark(duo.client);

		if (window == 1)
			call_once(duo.client);
		else
			calls_at_once(duo.client, window);
		cell_rewind(duo.client, mark);
	}
	status = duo_stop(&duo);
	return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
