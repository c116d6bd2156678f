/*
 * One control connection: of a cell we spawned (its fd 3) or of an outside process.
 *
 * Packets come in and go to control.c; packets go out at once, or wait in a queue that is
 * sent as the peer reads. From a peer that does not read nothing is read either.
 */
#pragma once

#include "../libcell/frame.h"
#include "../libcell/sock.h"
#include "broker.h"
#include "daemon.h"

#include <cell/defaults.h>
#include <cell/message.h>

enum process_standing {
	PROCESS_STRANGER, /* has not said hello */
	PROCESS_UNPROVEN, /* has a nonce to answer */
	PROCESS_WELCOME
};

/* Introductions that may wait for a server which does not read. */
#define PROCESS_INTRODUCTIONS_MAX 64

struct process {
	struct daemon *daemon;
	struct list in_daemon;       /* processes, then dropped */
	struct kernel_asker asker;
	int fd;
	ev_io on_readable, on_writable;
	ev_timer on_unproven;        /* outside: time to prove itself is up */
	enum process_standing standing;
	bool is_counted;             /* among those that have not proved themselves */
	bool is_dropped;
	uint8_t nonce[AUTH_NONCE_SIZE];
	uint64_t next_call_id;       /* of what we send */
	struct list outgoing;        /* of struct packet */
	unsigned n_outgoing;
	struct list watches;         /* of struct watch */
	unsigned n_watches;
	const struct sock_packet *packet; /* while one of it is handled */
	char name[KERNEL_INSTANCE_NAME_MAX]; /* for logs: "greeter/3", "outside uid 0" */
};

/* A packet that waits for its peer to read. The descriptors are copies, closed after. */
struct packet {
	struct list in_outgoing;
	int fds[SOCK_FDS_MAX];
	size_t n_fds;
	size_t len;
	uint8_t bytes[];
};

#define process_of(of_asker) list_entry(of_asker, struct process, asker)

/*
 * Take over FD. INSTANCE (NULL: outside) is whose it is; UID what the kernel says.
 * On failure FD is closed.
 */
int process_new(struct daemon *daemon, int fd, struct kernel_instance *instance, uint32_t uid,
		struct process **ret, struct cell_error *err);

/* End it now; its memory goes after the turn. An instance is told to the kernel as lost. */
void process_drop(struct process *process, const char *reason);
/* Its process has ended: take what it said last, then drop it. */
void process_finish(struct process *process, const char *reason);
/* At the end of a turn. */
void process_free(struct process *process);

/*
 * Send a packet: HEADER's kind, call_id and code are set, the body is MESSAGE of TYPE
 * (NULL: the LEN bytes at TEXT). FDS stay the caller's. What cannot be sent now waits.
 * 0, or an error after which the peer may be dropped.
 */
int process_send(struct process *process, struct frame *header,
		 const struct cell_message_type *type, const void *message, const int *fds,
		 size_t n_fds, struct cell_error *err);

/* A one-way order or a question to a cell: METHOD is of core.proto's service Instance. */
int process_order(struct process *process, enum frame_kind kind, const char *method,
		  const void *message, const int *fds, size_t n_fds, uint64_t *ret_call_id,
		  struct cell_error *err);

void process_reply(struct process *process, uint64_t call_id, const struct cell_message_type *type,
		   const void *message, const int *fds, size_t n_fds);
void process_refuse(struct process *process, uint64_t call_id, const struct cell_error *err);

/* An outside process has authenticated, or is gone: it no longer counts as a stranger. */
void process_proven(struct process *process);

/* It has so long to authenticate from now on. */
void process_unproven(struct process *process);

/* For taking over a table: a packet that waited, with its descriptors. False without memory. */
bool process_requeue(struct process *process, const void *bytes, size_t len, const int *fds,
		     size_t n_fds);

/* Begin to accept at core.sock, or go on after a place became free. */
void process_listen(struct daemon *daemon);
