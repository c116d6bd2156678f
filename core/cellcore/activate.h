/*
 * Socket activation: RUNDIR/cells/NAME.sock, for programs in any language.
 *
 * Whoever connects is known by SO_PEERCRED; the accepted socket is handed to an instance,
 * which is started if there is none. From then on they speak frames without us.
 */
#pragma once

#include "daemon.h"

struct activation;

/*
 * Listen for CELL; at LISTENER, if that is not negative. NULL, and logged, if that does not
 * work: the cell works without.
 */
struct activation *activate_open(struct daemon *daemon, struct kernel_cell *cell, int listener);
/* The manifest has changed: so may have those whom it serves. */
void activate_update(struct activation *activation);
/* Stop, and remove the socket. Those who wait are served yet. */
void activate_close(struct activation *activation);

/* The listening socket of CELL's activation; -1: there is none. */
int activate_listener(const struct daemon *daemon, const struct kernel_cell *cell);

/* An order to connect the accepted socket FD of UID to CELL. NULL without memory: FD is closed. */
struct kernel_request *activate_request(struct daemon *daemon, const char *cell, int fd,
					uint32_t uid);

/* An accepted socket's connect has its outcome; REQUEST is freed. */
void activate_outcome(struct daemon *daemon, struct kernel_request *request);
