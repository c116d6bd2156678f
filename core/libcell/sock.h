/*
 * Unix sockets: listen, connect, packets with descriptors and credentials.
 *
 * Every descriptor made here is close-on-exec and non-blocking. Paths longer than a
 * sockaddr_un holds work as long as their last part fits (through /proc/self/fd).
 * Nothing blocks except sock_connect(), for as long as its caller says.
 */
#pragma once

#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Descriptors in one packet: a ring, two doorbells and a lifeline (KERNEL.md section 1). */
#define SOCK_FDS_MAX 4

/* What a function may say besides 0 and an error. Never passed on by its caller. */
enum sock_outcome {
	SOCK_WAIT = 1, /* nothing there, or no room, now: wait for the loop to say so */
	SOCK_END = 2   /* the peer closed, and all it sent has been read */
};

struct sock_creds {
	pid_t pid; /* in our pid namespace; 0 if it has none there */
	uid_t uid;
	gid_t gid;
};

/* What came with a packet. The descriptors are the receiver's to close. */
struct sock_packet {
	size_t len;
	size_t n_fds;
	int fds[SOCK_FDS_MAX];
	bool has_creds; /* sock_pass_creds() was on when it was sent */
	struct sock_creds creds;
};

/*
 * Listen at PATH for TYPE (SOCK_SEQPACKET or SOCK_STREAM). The socket never has more
 * rights than MODE, not even for a moment. A socket that nobody listens on any more is
 * replaced; one in use is -EADDRINUSE, anything else there -EEXIST.
 */
int sock_listen(int *ret_fd, const char *path, int type, mode_t mode, int backlog,
		struct cell_error *err);

/*
 * Connect to PATH. Where the listener's queue is full, waits up to TIMEOUT_MS
 * (0: not at all) and gives -EAGAIN. -ENOENT and -ECONNREFUSED: nobody listens.
 */
int sock_connect(int *ret_fd, const char *path, int type, unsigned timeout_ms,
		 struct cell_error *err);

/*
 * Take one waiting client. 0, SOCK_WAIT, or an error; -EMFILE and the like are of this
 * process, a client that has gone meanwhile is none (SOCK_WAIT).
 */
int sock_accept(int *ret_fd, int listener, struct cell_error *err);

/* Two connected ends. */
int sock_pair(int ret_fds[static 2], int type, struct cell_error *err);

/* Who connected, or who made the pair: read once by the kernel at that time. */
int sock_peer(int fd, struct sock_creds *ret_creds, struct cell_error *err);

/* From now on packets that FD receives name their sender of that moment. */
int sock_pass_creds(int fd, struct cell_error *err);

/*
 * Send one packet made of N_PARTS parts, with N_FDS (at most SOCK_FDS_MAX) descriptors,
 * which stay ours. All or nothing: 0, SOCK_WAIT if it does not fit now, or an error
 * (-EPIPE and -ECONNRESET: the peer is gone; -ETOOMANYREFS: so many descriptors are under
 * way that the kernel takes no more, which no poll tells the end of). Never raises SIGPIPE.
 */
int sock_send(int fd, const struct iovec *parts, size_t n_parts, const int *fds, size_t n_fds,
	      struct cell_error *err);

/*
 * Receive one packet of at most SIZE bytes. 0, SOCK_WAIT, SOCK_END (also for an empty
 * packet, which SOCK_SEQPACKET cannot tell from the end), or an error: -EMSGSIZE for a
 * longer packet, -EPROTO for lost or too many descriptors, -ECONNRESET. Whenever it is
 * not 0, no descriptor is left open. *RET is written in every case.
 */
int sock_recv(int fd, void *bytes, size_t size, struct sock_packet *ret, struct cell_error *err);

/* Close the descriptors of a packet that nobody took; those taken are set to -1 before. */
void sock_packet_close(struct sock_packet *packet);
