#include "auth.h"
#include "callstate.h"
#include "clock.h"
#include "manifest.h"
#include "rundir.h"
#include "sock.h"

#include <cell/cell.h>
#include <cell/defaults.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <core.cell.h>

/*
 * The client end of the control protocol (proto/core.proto), and what it is for: getting
 * connections. The control socket is itself a connection, so calls on it are ordinary
 * calls; what cellcore sends us are one-way requests of the service Instance.
 */

/* Where new calls to a cell (or to one instance of it) go. */
struct target {
	struct list node;
	struct list waiters;     /* who waits for `is_connecting` to end */
	struct connection *conn; /* referenced; NULL: connect first */
	uint64_t instance;       /* 0 = any */
	uint64_t went_away[8];   /* instances that said goaway: not these again */
	unsigned n_went_away;
	bool is_connecting;
	char cell[64];
};

struct turn_wait {
	struct list node;
	struct waiter *waiter;
};

static const struct cell_method *core_method(const char *name)
{
	for (size_t i = 0; i < core_service.n_methods; i++)
		if (strcmp(core_service.methods[i].name, name) == 0)
			return &core_service.methods[i];
	cell_assert(false); /* proto/core.proto has it */
	return NULL;
}

/* References get process-wide numbers; each runtime keeps its own target for each. */
static atomic_uint last_slot;

static void wake_all(struct runtime *rt, struct list *waiters)
{
	for (struct list *at = waiters->next; at != waiters; at = at->next)
		runtime_wake(rt, list_entry(at, struct turn_wait, node)->waiter);
}

/* Wait until somebody else has finished what IS_BUSY says. */
static int wait_turn(struct runtime *rt, struct call_root *root, struct list *waiters,
		     const bool *is_busy, uint64_t deadline_ns)
{
	struct turn_wait wait = { .waiter = NULL };
	int r = 0;

	list_append(waiters, &wait.node);
	while (*is_busy && r == 0)
		r = runtime_wait(rt, root, &wait.waiter, deadline_ns);
	list_unlink(&wait.node);
	return *is_busy ? r : 0;
}

/* --- the control connection ---------------------------------------------------------- */

static int open_socket(struct runtime *rt, int *ret_fd, struct cell_error *err)
{
	const char *inherited = getenv("CELL_CONTROL_FD");
	char rundir[RUNDIR_MAX], path[RUNDIR_MAX + 16];
	int r;

	if (inherited && !rt->is_spawned) {
		int fd = atoi(inherited);

		/* Ours alone: children of this process must not find it. */
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
			return cell_fail(err, -errno, "CELL_CONTROL_FD=%s is no descriptor",
					 inherited);
		(void)unsetenv("CELL_CONTROL_FD");
		rt->is_spawned = true;
		*ret_fd = fd;
		return 0;
	}
	if (rt->is_spawned)
		return cell_fail(err, CELL_UNAVAILABLE, "cellcore is gone");
	r = cell_rundir_find(rundir, sizeof rundir);
	if (r < 0)
		return cell_fail(err, CELL_UNAVAILABLE,
				 "no node is running here (run: cell up, or set CELL_RUNDIR)");
	(void)snprintf(path, sizeof path, "%s/core.sock", rundir);
	r = sock_connect(ret_fd, path, SOCK_SEQPACKET, CELL_CONNECT_TIMEOUT_MS, err);
	if (r < 0)
		return cell_fail(err, r == -EACCES || r == -EPERM ? CELL_PERMISSION_DENIED
								  : CELL_UNAVAILABLE,
				 "no node answers at %s: %s (run: cell up)", path, strerror(-r));
	return 0;
}

static void copy_text(char *out, size_t size, const char *text)
{
	(void)snprintf(out, size, "%s", text);
}

static void take_welcome(struct runtime *rt, const struct core_welcome *welcome)
{
	copy_text(rt->node, sizeof rt->node, welcome->node);
	copy_text(rt->cell, sizeof rt->cell, welcome->cell);
	rt->instance = welcome->instance;
	rt->self.instance = welcome->instance;
	rt->self.is_outside = !rt->is_spawned;
	if (!welcome->limits)
		return;
	if (welcome->limits->connections)
		rt->connections_max = welcome->limits->connections;
	if (welcome->limits->calls)
		rt->calls_max = welcome->limits->calls;
	if (welcome->limits->message_bytes && welcome->limits->message_bytes < rt->message_max)
		rt->message_max = welcome->limits->message_bytes;
	if (welcome->limits->payload_bytes)
		rt->payload_max = welcome->limits->payload_bytes;
	if (welcome->limits->call_timeout_ms)
		rt->call_timeout_ns = welcome->limits->call_timeout_ms * 1000000;
	if (welcome->limits->drain_timeout_ms)
		rt->drain_timeout_ns = welcome->limits->drain_timeout_ms * 1000000;
}

static int prove(struct runtime *rt, struct cell_call *call, struct connection *conn,
		 const struct core_welcome *welcome, uint64_t deadline_ns)
{
	struct cell_error *err = &call->root->error;
	uint8_t key[AUTH_KEY_SIZE], mac[AUTH_MAC_SIZE];
	struct core_proof proof = { .n_mac = sizeof mac, .mac = mac };
	char rundir[RUNDIR_MAX], path[RUNDIR_MAX + 16];
	struct core_welcome answer;
	int r;

	if (welcome->n_nonce != AUTH_NONCE_SIZE)
		return cell_fail(err, CELL_INTERNAL, "cellcore sent a nonce of %zu bytes",
				 welcome->n_nonce);
	if (cell_rundir_find(rundir, sizeof rundir) < 0)
		return cell_fail(err, CELL_UNAVAILABLE, "the run directory is gone");
	(void)snprintf(path, sizeof path, "%s/key", rundir);
	r = auth_key_load(key, path, err);
	if (r < 0)
		return cell_fail(err, CELL_PERMISSION_DENIED, "%s: %s", path, strerror(-r));
	auth_prove(mac, key, welcome->nonce);
	auth_key_wipe(key);
	r = connection_invoke(conn, call, core_method("Authenticate"), &proof, &answer,
			      deadline_ns, NULL, NULL);
	if (r == 0)
		take_welcome(rt, &answer);
	return r;
}

static int shake_hands(struct runtime *rt, struct cell_call *call, struct connection *conn,
		       uint64_t deadline_ns)
{
	struct core_hello_request hello = { .version = 1, .program = rt->program, .as = "" };
	struct core_welcome welcome;
	int r;

	r = connection_invoke(conn, call, core_method("Hello"), &hello, &welcome,
			      deadline_ns, NULL, NULL);
	if (r < 0)
		return r;
	if (welcome.version != 1)
		return cell_refuse(call, CELL_FAILED_PRECONDITION,
				   "cellcore speaks control version %u, this program 1",
				   welcome.version);
	if (welcome.n_nonce)
		return prove(rt, call, conn, &welcome, deadline_ns);
	take_welcome(rt, &welcome);
	return 0;
}

int runtime_control(struct runtime *rt, struct cell_call *call, uint64_t deadline_ns,
		    struct connection **ret_conn)
{
	struct cell_peer core = { .cell = "core", .node = "", .principal = "" };
	struct cell_error *err = &call->root->error;
	struct connection *conn;
	struct link link;
	int fd, r;

	if (rt->control_connecting) {
		r = wait_turn(rt, call->root, &rt->control_waiters, &rt->control_connecting,
			      deadline_ns);
		if (r < 0)
			return cell_fail(err, r, "joining the node: %s", cell_status_name(r));
	}
	if (rt->control) {
		*ret_conn = rt->control;
		return 0;
	}
	r = open_socket(rt, &fd, err);
	if (r < 0)
		return r;
	r = link_open_socket(&link, LINK_PACKET, fd, err);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	r = connection_new(&conn, rt, &link, CONNECTION_CONTROL, &core, err);
	if (r < 0)
		return r;
	conn->channels[0] = 1;
	rt->control_connecting = true;
	r = shake_hands(rt, call, conn, deadline_ns);
	rt->control_connecting = false;
	if (r == 0 && conn->is_broken)
		r = cell_fail(err, CELL_UNAVAILABLE, "cellcore closed the connection");
	if (r < 0) {
		connection_break(conn, CELL_UNAVAILABLE, "not welcome");
		connection_unref(conn);
	} else {
		rt->control = conn;
		*ret_conn = conn;
	}
	wake_all(rt, &rt->control_waiters);
	return r;
}

/* --- connections --------------------------------------------------------------------- */

static struct target *target_get(struct runtime *rt, const char *cell, uint64_t instance)
{
	struct target *target;

	for (struct list *at = rt->targets.next; at != &rt->targets; at = at->next) {
		target = list_entry(at, struct target, node);
		if (target->instance == instance && strcmp(target->cell, cell) == 0)
			return target;
	}
	target = calloc(1, sizeof *target);
	if (!target)
		return NULL;
	copy_text(target->cell, sizeof target->cell, cell);
	target->instance = instance;
	list_init(&target->waiters);
	list_append(&rt->targets, &target->node);
	return target;
}

int runtime_set_target(struct runtime *rt, const char *cell, struct connection *conn)
{
	struct target *target = target_get(rt, cell, 0);

	if (!target)
		return -ENOMEM;
	target->conn = conn;
	conn->target = target;
	return 0;
}

void targets_free(struct runtime *rt)
{
	while (!list_is_empty(&rt->targets)) {
		struct target *target = list_entry(rt->targets.next, struct target, node);

		list_unlink(&target->node);
		if (target->conn)
			connection_unref(target->conn);
		free(target);
	}
	free(rt->by_slot);
	rt->by_slot = NULL;
	rt->n_slots = 0;
	if (rt->control)
		connection_unref(rt->control);
	rt->control = NULL;
}

void target_forget(struct connection *conn)
{
	struct target *target = conn->target;

	if (!target)
		return;
	if (conn->is_going_away && target->instance == 0) {
		unsigned max = sizeof target->went_away / sizeof *target->went_away;

		target->went_away[target->n_went_away++ % max] = conn->peer.instance;
	}
	conn->target = NULL;
	target->conn = NULL;
	connection_unref(conn);
}

/* What cellcore counts for it is free again. */
static void say_closed(struct runtime *rt, uint64_t id)
{
	const struct cell_method *method = core_method("Closed");
	struct core_closed_note note = { .n_connections = 1, .connections = &id };
	struct frame frame = { .kind = FRAME_ONE_WAY, .code = method->hash };

	if (!id || !rt->control || rt->control->is_broken)
		return;
	frame.call_id = rt->control->next_id++;
	(void)connection_send(rt->control, &frame, method->in, &note, NULL, false, NULL);
}

void runtime_connection_closed(struct runtime *rt, struct connection *conn)
{
	target_forget(conn);
	if (conn == rt->control) {
		rt->control = NULL;
		connection_unref(conn);
		if (rt->is_spawned)
			runtime_stop(rt, CELL_UNAVAILABLE);
		return;
	}
	say_closed(rt, conn->id);
	if (conn->role == CONNECTION_SERVER)
		connection_unref(conn); /* the runtime held it since the introduction */
	runtime_check_drained(rt);
}

int runtime_adopt(struct runtime *rt, const int *fds, size_t n_fds, bool is_stream,
		  enum connection_role role, const struct cell_peer *peer, uint64_t id,
		  const uint64_t *channels, size_t n_channels, struct connection **ret_conn,
		  struct cell_error *err)
{
	struct connection *conn;
	struct link link;
	int r;

	if (n_fds != (is_stream ? 1u : 4u)) {
		r = cell_fail(err, CELL_INTERNAL, "cellcore passed %zu descriptors", n_fds);
	} else if (is_stream) {
		r = link_open_socket(&link, LINK_STREAM, fds[0], err);
	} else {
		r = link_open_ring(&link, fds[0], role == CONNECTION_SERVER, fds[1], fds[2], fds[3],
				   err);
		if (r == 0)
			(void)close(fds[0]);
	}
	if (r < 0) {
		for (size_t i = 0; i < n_fds; i++)
			(void)close(fds[i]);
		return r;
	}
	r = connection_new(&conn, rt, &link, role, peer, err);
	if (r < 0)
		return r;
	conn->id = id;
	for (size_t i = 0; i < n_channels && i < 4; i++)
		conn->channels[i] = channels[i];
	*ret_conn = conn;
	return 0;
}

static struct cell_peer peer_of(const struct core_peer *peer)
{
	if (!peer)
		return (struct cell_peer){ .cell = "", .node = "", .principal = "" };
	return (struct cell_peer){
		.cell = peer->cell, .node = peer->node, .instance = peer->instance,
		.uid = peer->uid, .is_outside = peer->outside, .principal = "",
		.is_owner = peer->owner,
	};
}

static int ask_for(struct runtime *rt, struct cell_call *call, struct target *target,
		   uint64_t deadline_ns, struct connection **ret_conn)
{
	struct core_connect_request request = {
		.cell = target->cell, .instance = target->instance,
		.not_instances = target->went_away,
		.n_not_instances = target->n_went_away < 8 ? target->n_went_away : 8,
	};
	struct connection *control;
	struct core_connection answer;
	struct cell_peer peer;
	int fds[SOCK_FDS_MAX];
	size_t n_fds = 0;
	int r;

	r = runtime_control(rt, call, deadline_ns, &control);
	if (r < 0)
		return r;
	r = connection_invoke(control, call, core_method("Connect"), &request, &answer,
			      deadline_ns, fds, &n_fds);
	if (r < 0)
		return r;
	peer = peer_of(answer.peer);
	return runtime_adopt(rt, fds, n_fds, n_fds == 1, CONNECTION_CLIENT, &peer,
			     answer.connection, answer.channels, answer.n_channels, ret_conn,
			     &call->root->error);
}

static int target_connect(struct runtime *rt, struct cell_call *call, struct target *target,
			  uint64_t deadline_ns, struct connection **ret_conn)
{
	uint64_t connect_by = clock_coarse_ns() + CELL_CONNECT_TIMEOUT_MS * 1000000ull;
	struct connection *conn;
	int r;

	while (!target->conn) {
		if (target->is_connecting) {
			r = wait_turn(rt, call->root, &target->waiters, &target->is_connecting,
				      deadline_ns);
			if (r < 0)
				return cell_refuse(call, r, "connecting to %s: %s", target->cell,
						   cell_status_name(r));
			continue;
		}
		target->is_connecting = true;
		r = target->instance ? LINKED_NONE : linked_connect(rt, call, target->cell, &conn);
		if (r == LINKED_NONE)
			r = ask_for(rt, call, target, deadline_min(deadline_ns, connect_by),
				    &conn);
		target->is_connecting = false;
		if (r == 0) {
			conn->target = target;
			target->conn = conn;
		}
		wake_all(rt, &target->waiters);
		if (r < 0)
			return r;
	}
	*ret_conn = target->conn;
	return 0;
}

int runtime_connect(struct runtime *rt, struct cell_call *call, const char *cell,
		    uint64_t instance, uint64_t deadline_ns, struct connection **ret_conn)
{
	struct target *target;

	if (strcmp(cell, "core") == 0)
		return runtime_control(rt, call, deadline_ns, ret_conn);
	if (!cell_name_is_valid(cell))
		return cell_refuse(call, CELL_INVALID_ARGUMENT,
				   "'%.40s' is no name of a cell ([a-z][a-z0-9-]*, at most 63)",
				   cell);
	target = target_get(rt, cell, instance);
	if (!target)
		return cell_refuse(call, -ENOMEM, "connecting to %s", cell);
	return target_connect(rt, call, target, deadline_ns, ret_conn);
}

/* The reference's target, by its number; numbered at first use. */
static struct target *target_of_ref(struct runtime *rt, struct cell_ref *ref)
{
	unsigned slot = __atomic_load_n(&ref->slot, __ATOMIC_RELAXED);

	if (slot == 0) {
		unsigned expected = 0;

		slot = atomic_fetch_add(&last_slot, 1) + 1;
		if (!__atomic_compare_exchange_n(&ref->slot, &expected, slot, false,
						 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			slot = expected; /* another thread was first */
	}
	if (slot >= rt->n_slots) {
		struct target **grown = realloc(rt->by_slot, (slot + 8) * sizeof *grown);

		if (!grown)
			return NULL;
		memset(grown + rt->n_slots, 0, (slot + 8 - rt->n_slots) * sizeof *grown);
		rt->by_slot = grown;
		rt->n_slots = slot + 8;
	}
	if (!rt->by_slot[slot] && strcmp(ref->cell, "core") != 0 && cell_name_is_valid(ref->cell))
		rt->by_slot[slot] = target_get(rt, ref->cell, 0);
	return rt->by_slot[slot];
}

int call_connect(struct cell_call *call, struct cell_ref *ref, uint64_t deadline_ns,
		 struct connection **ret_conn)
{
	struct runtime *rt = call->root->rt;
	struct target *target;

	if (!rt->records) {
		rt->records = ref->linked;
		rt->records_end = ref->linked_end;
	}
	if (call->pool)
		return pool_connect(call->pool, call, deadline_ns, ret_conn);
	if (call->to_cell)
		return runtime_connect(rt, call, call->to_cell, call->to_instance, deadline_ns,
				       ret_conn);
	target = target_of_ref(rt, ref);
	if (!target)
		return runtime_connect(rt, call, ref->cell, 0, deadline_ns, ret_conn);
	if (target->conn) {
		*ret_conn = target->conn;
		return 0;
	}
	return target_connect(rt, call, target, deadline_ns, ret_conn);
}

/* --- what cellcore tells us ---------------------------------------------------------- */

/* The descriptors of the packet this handler runs for; they are the handler's now. */
static size_t take_fds(struct cell_call *call, int *fds)
{
	struct served *served = list_entry(call->root, struct served, root);
	size_t n = served->n_fds;

	memcpy(fds, served->fds, sizeof served->fds);
	served->n_fds = 0;
	return n;
}

static int introduce(struct cell_call *call, void *self, const struct core_introduction *in)
{
	struct runtime *rt = self;
	struct cell_peer peer = peer_of(in->peer);
	struct connection *conn;
	int fds[SOCK_FDS_MAX];
	size_t n_fds = take_fds(call, fds);
	int r;

	r = runtime_adopt(rt, fds, n_fds, in->stream, CONNECTION_SERVER, &peer, in->connection,
			  in->channels, in->n_channels, &conn, &call->root->error);
	if (r < 0) {
		cell_log(CELL_LOG_WARN, "control", "introduction_failed", "peer=%s reason=\"%s\"",
			 peer.cell, call->root->error.text);
		say_closed(rt, in->connection);
		return r;
	}
	conn->speaks_for = in->peer && in->peer->speaks_for;
	if (rt->is_draining)
		server_say_goaway(rt);
	return 0;
}

static int drain(struct cell_call *call, void *self, const struct core_drain_order *in)
{
	struct runtime *rt = self;

	(void)call;
	runtime_drain(rt, in->timeout_ms ? in->timeout_ms * 1000000 : rt->drain_timeout_ns);
	return 0;
}

static int event(struct cell_call *call, void *self, const struct core_instance_event *in)
{
	(void)call;
	if (in->instance)
		pools_event(self, in->instance->cell, in->instance->instance,
			    (int)in->instance->state);
	else
		pools_forget(self, in->cell); /* events were lost; what exists follows */
	return 0;
}

static int log_source(struct cell_call *call, void *self, const struct core_log_source_note *in)
{
	struct runtime *rt = self;
	int fds[SOCK_FDS_MAX];
	size_t n_fds = take_fds(call, fds);

	if (n_fds != 1 || !rt->on_log_source) {
		for (size_t i = 0; i < n_fds; i++)
			(void)close(fds[i]);
		return cell_refuse(call, CELL_UNIMPLEMENTED, "this is no log cell");
	}
	rt->on_log_source(rt->log_source_userdata, in->cell, in->instance, in->pid, in->rate_lines,
			  in->file_bytes, fds[0]);
	return 0;
}

const struct core_instance_handlers control_handlers = {
	.introduce = introduce,
	.drain = drain,
	.event = event,
	.log_source = log_source,
};
