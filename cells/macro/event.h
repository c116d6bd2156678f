/*
 * An event that tasks of this process wait for with cell_wait_readable(): an eventfd.
 */
#pragma once

/* A new one, not raised; the descriptor, or -errno. */
int event_open(void);
void event_close(int event);
/* Wake everybody who waits, and who will wait, until it is cleared. */
void event_raise(int event);
void event_clear(int event);
