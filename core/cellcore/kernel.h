/*
 * The kernel's state: which cells there are, their instances, who is connected to whom,
 * and which orders wait.
 *
 * Pure: events and the time go in; what is to be done comes out as work on instances
 * (kernel_next_work()) and as orders with an outcome (kernel_next_outcome()). No socket,
 * no clock, no process: the daemon around it does these, tests do without.
 *
 * The functions of kernel.c move instances through their lives; those of broker.h decide
 * who is connected to what.
 */
#pragma once

#include "../libcell/manifest.h"
#include "conf.h"
#include "lists.h"
#include "quota.h"
#include "supervise.h"

#include <cell/error.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Instances that a connect may leave out. */
#define KERNEL_EXCLUDED_MAX 8
/* Ended instances kept for watchers that have not been told yet. */
#define KERNEL_GONE_MAX 1024
/* Boot cells starting at a time: more of them at once only makes each of them late. */
#define KERNEL_BOOT_AT_ONCE 16

/* The numbers of core.proto's InstanceState. */
enum kernel_state {
	KERNEL_STARTING,
	KERNEL_READY,
	KERNEL_DRAINING, /* will end: no new connections */
	KERNEL_GONE,
	KERNEL_FAILED,   /* no process: gave up */
	KERNEL_BACKOFF   /* no process: waits to be started again */
};

/* What the daemon has to do for an instance; of several, the last counts. */
enum kernel_work {
	KERNEL_WORK_SPAWN = 1,
	KERNEL_WORK_DRAIN = 2, /* tell it; it has drain_ns */
	KERNEL_WORK_TERM = 4,
	KERNEL_WORK_KILL = 8
};

/* How far the ending of a process has come. */
enum kernel_ending { KERNEL_NOT_ENDING, KERNEL_DRAIN, KERNEL_TERM, KERNEL_KILL };

struct kernel_cell {
	char name[CELL_NAME_MAX + 1];
	const struct cell_manifest *manifest; /* latest good one; NULL: not known (any more) */
	struct cell_error broken;             /* code < 0: the file is there, but wrong */
	struct list instances;                /* of struct kernel_instance, oldest first */
	struct list waiting;                  /* of struct kernel_request */
	struct supervise supervise;           /* of whichever ended last */
	char reason[CELL_ERROR_TEXT_MAX];     /* why that one ended */
	uint32_t restarts;
	bool was_booted;
	unsigned n_users;                     /* while stopping: running cells that use it */
	void *userdata;                       /* the daemon's */
};

struct kernel_instance {
	uint64_t id; /* from 1, never reused */
	struct kernel_cell *cell;
	struct list in_cell, in_all, in_changed, in_work;
	enum kernel_state state;
	enum kernel_ending ending;
	bool has_process;     /* spawned (or about to be), and its end not seen */
	bool was_asked_to_end;
	uint64_t changed;     /* number of its last change */
	uint64_t deadline_ns; /* when its state or ending goes on by itself; 0: never */
	unsigned work;        /* enum kernel_work */
	uint64_t drain_ns;
	uint64_t started_ns;
	uint64_t ready_ns;    /* 0: never was */
	uint64_t granted;     /* number of the last connection given */
	struct list served;   /* of struct kernel_link */
	uint32_t n_links;     /* open, as far as both sides say */
	uint32_t n_held;      /* that the server has not said closed */
	struct supervise supervise;
	char reason[CELL_ERROR_TEXT_MAX];
	pid_t pid;            /* the cell's own; 0: not known */
	uint32_t uid;
	bool takes_streams;
	struct kernel_asker *asker; /* its control connection; NULL: none */
	void *userdata;             /* the daemon's */
};

/* Who asks: one control connection, or a cell's stream socket. The daemon owns it. */
struct kernel_asker {
	struct kernel_instance *instance; /* NULL: outside */
	uint32_t uid;
	bool is_owner;      /* outside, and of the node's own user or root */
	bool is_stream;     /* nobody is there who could say Closed */
	struct quota *quota;
	struct list requests; /* of struct kernel_request */
	struct list links;    /* of struct kernel_link */
};

/* A connection. The server's word alone ends it: it is the one whose resources it takes. */
struct kernel_link {
	uint64_t id;
	struct list in_client, in_server;
	struct kernel_link *in_bucket;
	struct kernel_asker *client; /* NULL: gone */
	struct kernel_instance *server;
	struct quota *quota;
	bool is_stream;
	bool client_closed;
};

enum kernel_order { KERNEL_CONNECT, KERNEL_SPAWN, KERNEL_RETIRE };

enum kernel_outcome {
	KERNEL_WAITS,   /* for an instance */
	KERNEL_ASK,     /* the daemon must ask the resolver; then it waits for the answer */
	KERNEL_GRANTED, /* link is set; the daemon makes the ends, or calls kernel_link_drop() */
	KERNEL_DONE,    /* instance tells about whom */
	KERNEL_REFUSED  /* err says why */
};

/* Where the resolver says a cell is. */
struct kernel_remote {
	bool is_set;
	char node[CONF_NODE_MAX + 1];
	char address[256];
	uint8_t key[32];
	size_t key_len;
	uint64_t instance;
};

/* An order under way. The daemon allocates it and frees it once it has its outcome. */
struct kernel_request {
	enum kernel_order order;
	struct kernel_asker *asker; /* NULL: gone, nobody waits for the outcome */
	struct quota *quota;        /* a reference of its own */
	uint64_t resolve_id;        /* the daemon's call id towards the resolver */
	uint64_t call_id;           /* the asker's */
	char cell_name[CELL_NAME_MAX + 1];
	uint64_t deadline_ns;       /* the asker's; 0: none */

	/* connect */
	uint64_t instance_id;       /* retire, too */
	bool no_spawn;
	uint64_t excluded[KERNEL_EXCLUDED_MAX];
	size_t n_excluded;
	char as_node[CONF_NODE_MAX + 1]; /* "": in its own name */
	char as_cell[CELL_NAME_MAX + 1];
	int stream;                 /* an accepted socket, or -1 */
	/* spawn */
	bool only_if_none;
	/* retire */
	uint64_t drain_ns;
	bool kill;

	enum kernel_outcome outcome;
	struct cell_channels channels;
	struct kernel_remote remote;
	struct kernel_link *link;
	uint64_t link_id;           /* link's: by the time it is used it may have been dropped */
	struct kernel_instance *instance; /* what a spawn or retire waits for, then was about */
	struct cell_error err;
	bool is_pending;            /* charged as such */
	struct list in_wait, in_asker, in_outcomes;
};

/* Look a manifest up and set cell->manifest and cell->broken; may change any cell's. */
typedef void kernel_lookup_fn(void *userdata, const char *name);

struct kernel {
	const struct conf *conf;
	kernel_lookup_fn *lookup;
	void *userdata;

	struct kernel_cell **cells; /* by name */
	size_t n_cells, cells_size;
	struct list instances;      /* by id; ended ones too */
	struct list changed;        /* the same, by last change */
	struct list work, outcomes; /* what the daemon has to do */
	struct list resolving;      /* requests the resolver was asked about */
	struct list quotas;
	struct kernel_link **links; /* hash table by id */
	size_t n_links, links_size; /* links_size is a power of two */

	uint64_t next_instance, next_link, next_change;
	uint64_t forgotten;   /* changes up to this one may be missing from the list */
	uint32_t n_gone;
	uint64_t deadline_ns; /* nothing is due before; 0: nothing at all */
	bool is_deadline_stale; /* what was due first may be off: kernel_next_due() looks again */
	uint64_t granted, refused;
	unsigned boot_stage;
	bool is_booting, is_stopping;
	uint64_t stop_by_ns;
	uint32_t random; /* a seed for jitter */
};

/* CONF must outlive KERNEL. LOOKUP may be NULL. -ENOMEM, or 0. */
int kernel_init(struct kernel *kernel, const struct conf *conf, kernel_lookup_fn *lookup,
		void *userdata);
/* Nobody may ask any more, no process may be left. */
void kernel_deinit(struct kernel *kernel);

/* ---- cells ------------------------------------------------------------------------ */

/* NULL if it was never heard of. */
struct kernel_cell *kernel_cell_find(const struct kernel *kernel, const char *name);
/* Found, or made; NULL without memory. */
struct kernel_cell *kernel_cell_add(struct kernel *kernel, const char *name);
/*
 * Forgive what it did: records that wait for a restart, or have failed, go. For an
 * explicit start, and when the manifest has changed.
 */
void kernel_cell_reset(struct kernel *kernel, struct kernel_cell *cell);
/* Known (or its manifest is wrong), or at least running. */
bool kernel_cell_is_known(const struct kernel_cell *cell);

/* Instances that have a process. */
unsigned kernel_cell_running(const struct kernel_cell *cell);
/* One in STATE, or NULL. */
struct kernel_instance *kernel_cell_in_state(const struct kernel_cell *cell,
					     enum kernel_state state);

/* A ready instance of the cell NAME, or NULL. */
struct kernel_instance *kernel_ready(const struct kernel *kernel, const char *name);

/* The quota of a cell, or of the asker with UID. A reference; NULL without memory. */
struct quota *kernel_quota_cell(struct kernel *kernel, const struct kernel_cell *cell);
struct quota *kernel_quota_uid(struct kernel *kernel, uint32_t uid, bool is_owner);

/* ---- instances --------------------------------------------------------------------- */

struct kernel_end {
	bool is_clean;      /* exit status 0 */
	const char *reason; /* for people; never NULL */
};

/*
 * Have one more instance of CELL started. SUPERVISE is what it inherits, NULL: nothing.
 * NULL without memory.
 */
struct kernel_instance *kernel_instance_start(struct kernel *kernel, struct kernel_cell *cell,
					      const struct supervise *supervise, uint64_t now_ns);
/* It was spawned: its readiness is awaited from now on. */
void kernel_instance_spawned(struct kernel *kernel, struct kernel_instance *instance,
			     uint64_t now_ns);
void kernel_instance_ready(struct kernel *kernel, struct kernel_instance *instance,
			   uint64_t now_ns);
/* Its control connection is gone; the process will follow, or is made to. */
void kernel_instance_lost(struct kernel *kernel, struct kernel_instance *instance,
			  const char *reason, uint64_t now_ns);
/* Its process is gone, or never came to be. */
void kernel_instance_ended(struct kernel *kernel, struct kernel_instance *instance,
			   const struct kernel_end *end, uint64_t now_ns);
/* Drain it, then TERM, then KILL; DRAIN_NS 0: as its manifest says. With KILL: at once. */
void kernel_instance_retire(struct kernel *kernel, struct kernel_instance *instance,
			    uint64_t drain_ns, bool kill, const char *reason, uint64_t now_ns);
/* TERM, then KILL. */
void kernel_instance_stop(struct kernel *kernel, struct kernel_instance *instance,
			  const char *reason, uint64_t now_ns);

struct kernel_instance *kernel_instance_find(const struct kernel_cell *cell, uint64_t id);
/* "greeter/3" */
#define KERNEL_INSTANCE_NAME_MAX (CELL_NAME_MAX + 24)
const char *kernel_instance_name(const struct kernel_instance *instance,
				 char out[KERNEL_INSTANCE_NAME_MAX]);
/* Something watchers see has changed. */
void kernel_instance_touch(struct kernel *kernel, struct kernel_instance *instance);
/* Every watcher has seen all changes up to this one: what ended before may be freed. */
void kernel_forget(struct kernel *kernel, uint64_t change);

/* ---- the node ------------------------------------------------------------------------ */

/* Start log, resolver, gateway and the boot cells, in this order. */
void kernel_boot(struct kernel *kernel, uint64_t now_ns);
/* End everything, consumers before providers, within GRACE_NS; nothing starts any more. */
void kernel_shutdown(struct kernel *kernel, uint64_t grace_ns, uint64_t now_ns);
/* Nothing has a process any more. */
bool kernel_is_empty(const struct kernel *kernel);
/* Do what is due. */
void kernel_tick(struct kernel *kernel, uint64_t now_ns);

/* When kernel_tick() has something to do next; 0: never. */
uint64_t kernel_next_due(struct kernel *kernel);

/*
 * Work for the daemon: the next instance with some, and which; its bits are cleared.
 * NULL if there is none.
 */
struct kernel_instance *kernel_next_work(struct kernel *kernel, uint64_t now_ns,
					 unsigned *ret_work);

/* ---- for taking over a table ---------------------------------------------------------------- */

/* A record with this id, higher than those before it; everything else is the caller's to set. */
struct kernel_instance *kernel_instance_add(struct kernel *kernel, struct kernel_cell *cell,
					    uint64_t id);
/* All is set: it takes its place among what changed, has work, or is due. */
void kernel_instance_restore(struct kernel *kernel, struct kernel_instance *instance);

/* ---- for kernel.c and broker.c --------------------------------------------------------- */

/* Something falls due at AT_NS. */
void kernel_due(struct kernel *kernel, uint64_t at_ns);
/* It does not any more. */
void kernel_not_due(struct kernel *kernel, uint64_t at_ns);
