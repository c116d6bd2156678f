/* What a network namespace would have kept apart, for cells that share the machine's. */
#pragma once

/*
 * From here on, this process and its children cannot connect to abstract Unix sockets made
 * outside: the session bus and the display of whoever runs the node are among them. Needs
 * Linux 6.12, and no-new-privileges, which it sets. Returns 0 or -errno; the cell may start
 * either way.
 */
int landlock_abstract_sockets(void);
