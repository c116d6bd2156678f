/*
 * Making a connection: the ring, the doorbells, the lifeline, and who gets which end.
 */
#pragma once

#include "daemon.h"

/*
 * A connect was granted: give the server its ends, then the asker its own, or an error.
 * Our own copies are closed before this returns, or nobody would ever see the end of it.
 * False if the server has ended: then REQUEST was submitted anew.
 */
bool connect_grant(struct daemon *daemon, struct kernel_request *request);

/*
 * Hand the accepted stream socket FD to the server. FD stays the caller's. 0 or an error.
 */
int connect_stream(struct daemon *daemon, struct kernel_request *request, int fd,
		   struct cell_error *err);
