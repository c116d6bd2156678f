/*
 * A small blocking client of the control protocol, for tests: one order at a time, and
 * whatever else arrives is kept until it is asked for.
 */
#pragma once

#include "libcell/frame.h"
#include "libcell/sock.h"

#include <cell/arena.h>
#include <cell/error.h>
#include <cell/message.h>
#include <core.cell.h>
#include <stdbool.h>

/* No order of a test takes longer, unless something is broken. */
#define CONTROL_CLIENT_TIMEOUT_MS 15000

/* A packet that is no answer: an event, an introduction. */
struct control_packet {
	struct control_packet *next;
	struct frame frame;
	struct sock_packet packet; /* its descriptors are the taker's */
	uint8_t body[4096];
};

struct control_client {
	int fd;
	uint64_t next_id;
	struct cell_arena arena; /* what answers point to, until control_client_close() */
	struct control_packet *kept;
};

/* Join the node in RUNDIR: connect, hello, prove. 0 or why not. */
int control_client_open(struct control_client *client, const char *rundir, struct cell_error *err);
/* Over a socket that is there already; says nothing. */
void control_client_attach(struct control_client *client, int fd);
void control_client_close(struct control_client *client);

/* The method of service Core called NAME; NULL if there is none. */
const struct cell_method *control_method(const char *name);
/* The same of service Instance. */
const struct cell_method *control_instance_method(const char *name);

/*
 * Give an order and wait for its answer: into OUT, and its descriptors into PACKET (may be
 * NULL: they are closed). An error frame is returned as its status, with its text in ERR.
 */
int control_call(struct control_client *client, const char *method, const void *in, void *out,
		 struct sock_packet *packet, struct cell_error *err);

/* Only send it; *RET_ID for control_answer(). One-way if RET_ID is NULL. */
int control_send(struct control_client *client, const char *method, const void *in,
		 uint64_t *ret_id, struct cell_error *err);
int control_answer(struct control_client *client, uint64_t id, const char *method, void *out,
		   struct sock_packet *packet, struct cell_error *err);

/* The next packet that is no answer, within TIMEOUT_MS; the caller frees it. NULL: none. */
struct control_packet *control_next(struct control_client *client, int timeout_ms);
