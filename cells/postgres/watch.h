/* Watchers: who waits for changes, and what wakes them. */
#pragma once

struct postgres;
struct cell_call;
struct watch;

struct watch *watch_new(void);
void watch_free(struct watch *watch); /* accepts NULL */

/*
 * The task that listens on a connection of its own for what others commit, wakes watchers, and
 * says what was committed here. Returns when CALL is cancelled.
 */
void watch_listen(struct cell_call *call, struct postgres *postgres);

/* Drop what is too old of the change log and of remembered commits. */
void watch_prune(struct cell_call *call, struct postgres *postgres);

/* Something may have been committed that watchers have not seen. */
void watch_changed(struct postgres *postgres);
