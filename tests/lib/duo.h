/*
 * Two runtimes joined by a connection of their own, without a node: the client in this
 * process, the server (the service Trial, trial.proto) in a child. What is proved with it
 * are the rules of calls; cellcore's part is in tests/integration.
 */
#pragma once

#include "trial.h"

#include <cell/cell.h>
#include <stdbool.h>
#include <sys/types.h>

enum duo_link { DUO_RING, DUO_STREAM };

struct duo {
	struct cell_call *client; /* stubs of "trial" reach the server */
	pid_t server_pid;
	const struct trial *trial; /* what the server knows, as it changes */
};

/* Start both. Fails the test program if it cannot. */
void duo_start(struct duo *duo, enum duo_link link);

/* Close the client, unless the test did; the server drains and ends. Returns its wait status. */
int duo_stop(struct duo *duo);

/* The client's raw ends of a new connection, for tests that are the hostile peer. */
struct duo_raw {
	int memfd, bell, peer_bell, lifeline; /* ring */
	int stream;                           /* stream */
	pid_t server_pid;
};

/* A server as in duo_start(), and the other side left to the test. */
void duo_start_raw(struct duo_raw *raw, enum duo_link link);
/* Close our ends and wait for the server, which must survive them. Returns its wait status. */
int duo_stop_raw(struct duo_raw *raw);
