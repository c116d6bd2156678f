/*
 * Several cells without a node: processes that are joined with each other, and with one or
 * two clients in this one, by Unix streams. What is proved with it is what they say to each
 * other; cellcore's part is in tests/integration.
 */
#pragma once

#include <cell/cell.h>
#include <sys/types.h>

#define CREW_MAX 4

struct crew_member {
	const char *cell;
	/* In the process of that cell: serve what it serves. */
	void (*serve)(struct cell_call *call, void *self);
	void *self;
};

struct crew {
	struct cell_call *clients[2]; /* named "client", "other" */
	pid_t pids[CREW_MAX];
	size_t n;
};

/* Start N members. Fails the test program if it cannot. */
void crew_start(struct crew *crew, const struct crew_member *members, size_t n);
/* Close the clients, unless the test did (then NULL); end the members, which must end well. */
void crew_stop(struct crew *crew);

/* In a handler: the client will get no reply, as its connection breaks here. */
void crew_hang_up(struct cell_call *call);
