/*
 * The daemon around the kernel's pure state: the loop, the sockets, the processes.
 *
 * Every callback of the loop feeds one event to the kernel and ends with daemon_settle(),
 * which does all that the kernel then wants done: spawns, answers, events, timers.
 */
#pragma once

#include "../libcell/auth.h"
#include "../libcell/cgroup.h"
#include "kernel.h"
#include "rundir.h"

#include <cell/arena.h>
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

/* Processes forked in one turn of the loop: about a millisecond each. */
#define DAEMON_SPAWNS_PER_TURN 16

struct daemon {
	struct ev_loop *loop;
	struct conf conf;
	const char *conf_path;      /* NULL: rundir/node.conf, if it is there */
	const char *sandbox_program; /* cell-sandbox */
	const char *self_program;    /* what runs now, by its path */
	const char *default_cells;   /* where manifests are if node.conf does not say */
	char **argv;                 /* ours, for executing again */
	bool no_sandbox;            /* said on the command line; wins over node.conf */
	struct kernel kernel;
	struct rundir rundir;
	struct cell_cgroup_root cgroups;
	char group[CELL_CGROUP_GROUP_MAX]; /* the folder of our cgroups: no other node's */
	uint8_t key[AUTH_KEY_SIZE];
	uint32_t uid;               /* ours: the node's owner */
	uint32_t uid_unmapped;      /* what the kernel says of users it cannot name to us */

	int listener;               /* core.sock */
	bool listener_is_systemd;   /* it made it, and keeps it */
	ev_io on_client;
	struct list processes;      /* of struct process */
	struct list dropped;        /* of struct process: freed when the turn is over */
	unsigned n_clients, n_unproven;
	struct list spawns;         /* of struct spawn, ended ones that are not cleaned up too */
	struct list activations;

	ev_timer timer;             /* the kernel's next deadline */
	ev_timer again;             /* there is work left for another turn */
	ev_timer accept_again;      /* accepting failed, try again */
	ev_signal signals[3];
	struct cell_arena arena;    /* of one turn */

	uint64_t started_ns;
	uint32_t generation;        /* how often it was executed in place */
	uint64_t scanned_ns;        /* when all manifests were last looked for, … */
	uint64_t scan_took_ns;      /* … and how long that took */
	uint64_t pumped;            /* the change that all watchers were last told of, or … */
#define DAEMON_PUMP_AGAIN UINT64_MAX /* … there is a new one */
	bool is_settling;
	bool is_resuming;           /* a table is being taken over: nothing new is opened */
	bool log_is_new;            /* a log cell has just become ready: it has no sources yet */
	bool log_is_behind;         /* it did not take all it is to have */
	ev_timer watchdog;
	struct resume *resume;      /* an upgrade that was ordered */
};

/* Close *FD if it is open; -1 from then on. */
void fd_close(int *fd);

/* Monotonic nanoseconds. */
uint64_t daemon_now(void);

/* Do what the kernel wants done, and arrange to be woken for the rest. */
void daemon_settle(struct daemon *daemon);

/*
 * Everything: start in RUNDIR (or take over the table in RESUME_FD, if not -1), run until
 * the node has stopped, clean up. The members before `kernel` are set, the rest zero.
 */
int daemon_run(struct daemon *daemon, const char *rundir, const char *statedir, int resume_fd,
	       struct cell_error *err);

/* Make an empty daemon of one whose loop is set; part of daemon_run(), and for tests. */
void daemon_init(struct daemon *daemon);

/* Read node.conf (again). On failure everything stays as it was. */
int daemon_configure(struct daemon *daemon, struct cell_error *err);

/* End every cell, then the loop. */
void daemon_stop(struct daemon *daemon, uint64_t grace_ns);

/* Run another turn soon, whether or not something happens. */
void daemon_again(struct daemon *daemon);
