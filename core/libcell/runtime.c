#include "runtime.h"

#include "callstate.h"
#include "clock.h"
#include "connection.h"
#include "wake.h"

#include <cell/cell.h>
#include <cell/defaults.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#define cpu_relax() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define cpu_relax() __asm__ volatile("yield")
#else
#define cpu_relax() ((void)0)
#endif

/* Polls of the rings between two looks at the clock while spinning. */
#define POLLS_PER_LOOK 16
/* Large buffers are kept so long for reuse. */
#define TRIM_AFTER_NS 1000000000u

static void loop_main(void *userdata);

uint64_t deadline_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static struct connection *hot_entry(struct list *node)
{
	return list_entry(node, struct connection, hot);
}

/* --- waiting ------------------------------------------------------------------------- */

static void on_waiter_due(struct wheel_timer *timer)
{
	struct waiter *waiter = list_entry(timer, struct waiter, timer);

	waiter->timed_out = true;
	task_wake(waiter->rt->tasks, &waiter->wait);
}

int runtime_wait(struct runtime *rt, struct call_root *root, struct waiter **slot,
		 uint64_t deadline_ns)
{
	struct waiter waiter = { .rt = rt };
	int r;

	if (root->is_cancelled)
		return root->cancel_status;
	if (deadline_ns != UINT64_MAX) {
		if (deadline_ns <= clock_now_ns())
			return CELL_DEADLINE_EXCEEDED;
		waiter.timer.on_due = on_waiter_due;
		wheel_arm(&rt->wheel, &waiter.timer, deadline_ns);
	}
	*slot = &waiter;
	root->waiter = &waiter;
	rt->epoch++;
	runtime_flush(rt);
	r = task_wait(rt->tasks, &waiter.wait);
	rt->epoch++;
	root->waiter = NULL;
	*slot = NULL;
	if (deadline_ns != UINT64_MAX)
		wheel_disarm(&rt->wheel, &waiter.timer);
	if (r < 0)
		return r;
	if (root->is_cancelled)
		return root->cancel_status;
	return waiter.timed_out ? CELL_DEADLINE_EXCEEDED : 0;
}

void runtime_wake(struct runtime *rt, struct waiter *waiter)
{
	if (waiter)
		task_wake(rt->tasks, &waiter->wait);
}

/* --- which connections have work ----------------------------------------------------- */

void runtime_make_hot(struct runtime *rt, struct connection *conn)
{
	if (conn->is_hot || conn->is_broken)
		return;
	if (rt->slept_at_ns && conn->link.kind == LINK_RING)
		wake_slept(conn->waits_with, clock_now_ns() - rt->slept_at_ns);
	conn->is_hot = true;
	list_append(&rt->hot, &conn->hot);
	rt->n_hot++;
}

void runtime_make_dirty(struct runtime *rt, struct connection *conn)
{
	if (conn->is_dirty)
		return;
	conn->is_dirty = true;
	list_append(&rt->dirty, &conn->dirty);
}

static void make_cold(struct runtime *rt, struct connection *conn)
{
	list_unlink(&conn->hot);
	conn->is_hot = false;
	rt->n_hot--;
}

static void flush_one(struct runtime *rt, struct connection *conn)
{
	bool was_blocked = conn->link.tx_blocked;
	int r;

	list_unlink(&conn->dirty);
	conn->is_dirty = false;
	r = link_flush(&conn->link);
	if (r < 0) {
		/* What the peer still said comes first; its end is seen when reading. */
		conn->tx_has_failed = true;
		runtime_make_hot(rt, conn);
		return;
	}
	if (conn->link.kind == LINK_RING)
		return;
	if (conn->link.tx_blocked)
		ev_io_start(rt->ev, &conn->write_io);
	else if (!list_is_empty(&conn->outgoing))
		runtime_make_hot(rt, conn); /* there is room again for what waits */
	else if (was_blocked)
		runtime_check_drained(rt);
}

void runtime_flush(struct runtime *rt)
{
	while (!list_is_empty(&rt->dirty))
		flush_one(rt, list_entry(rt->dirty.next, struct connection, dirty));
}

static void reap_dead(struct runtime *rt)
{
	while (!list_is_empty(&rt->dead)) {
		struct connection *conn = list_entry(rt->dead.next, struct connection, all);

		list_unlink(&conn->all);
		connection_free(conn);
	}
}

/* --- timers -------------------------------------------------------------------------- */

static void on_due(struct wheel_timer *timer)
{
	timer->on_due(timer);
}

static void on_wheel(struct ev_loop *ev, ev_timer *timer, int events)
{
	struct runtime *rt = timer->data;

	(void)ev;
	(void)events;
	rt->wheel_timer_at = UINT64_MAX;
	wheel_advance(&rt->wheel, clock_now_ns(), on_due);
}

/* Arm libev's timer for the wheel's next one, if it is not armed early enough already. */
static void arm_wheel(struct runtime *rt)
{
	uint64_t next, now;

	if (!wheel_next(&rt->wheel, &next) || next >= rt->wheel_timer_at)
		return;
	now = clock_now_ns();
	ev_now_update(rt->ev);
	ev_timer_stop(rt->ev, &rt->wheel_timer);
	ev_timer_set(&rt->wheel_timer, next > now ? (double)(next - now) / 1e9 : 0., 0.);
	ev_timer_start(rt->ev, &rt->wheel_timer);
	rt->wheel_timer_at = next;
}

/* Nothing is due any more: do not wake for what was. */
static void disarm_wheel(struct runtime *rt)
{
	if (rt->wheel_timer_at == UINT64_MAX || !wheel_is_empty(&rt->wheel))
		return;
	ev_timer_stop(rt->ev, &rt->wheel_timer);
	rt->wheel_timer_at = UINT64_MAX;
}

static void run_ev(struct runtime *rt, int flags)
{
	arm_wheel(rt);
	task_forbid(rt->tasks);
	ev_run(rt->ev, flags);
	task_allow(rt->tasks);
	rt->frames_since_ev = 0;
}

/* --- the outer loop ------------------------------------------------------------------ */

static void spawned_free(struct spawned *spawned)
{
	list_unlink(&spawned->node);
	call_root_deinit(&spawned->root);
	free(spawned);
}

static bool spawned_run(struct runtime *rt)
{
	struct spawned *spawned;

	if (list_is_empty(&rt->spawned))
		return false;
	spawned = list_entry(rt->spawned.next, struct spawned, node);
	list_unlink(&spawned->node);
	list_append(&rt->tasks_running, &spawned->node);
	spawned->fn(&spawned->root.call, spawned->userdata);
	spawned_free(spawned);
	rt->n_serving--;
	runtime_check_drained(rt);
	return true;
}

/* A socket has nothing to poll; a ring sleeps when there are too many to poll. */
static bool may_go_cold(struct runtime *rt, struct connection *conn)
{
	if (conn->link.kind != LINK_RING)
		return !conn->is_dirty;
	return rt->n_hot > RUNTIME_HOT_MAX && ring_sleep(&conn->link.ring, conn->wants_room);
}

/* One round over the hot connections. False if there was nothing to do. */
static bool turn(struct runtime *rt)
{
	uint64_t before = rt->epoch;
	bool worked = spawned_run(rt);
	unsigned left = rt->n_hot;

	if (rt->epoch != before)
		return true;
	while (left-- > 0 && !list_is_empty(&rt->hot)) {
		struct connection *conn = hot_entry(rt->hot.next);
		uint64_t epoch = rt->epoch;
		unsigned n;

		list_unlink(&conn->hot);
		list_append(&rt->hot, &conn->hot);
		connection_ref(conn);
		n = connection_drain(conn, RUNTIME_FRAMES_PER_TURN);
		if (n) {
			worked = true;
			rt->frames_since_ev += n;
		} else if (conn->is_hot && rt->epoch == epoch && may_go_cold(rt, conn)) {
			make_cold(rt, conn);
		}
		connection_unref(conn);
		if (rt->epoch != epoch)
			return true;
	}
	return worked;
}

static bool hot_is_ready(struct runtime *rt, struct connection **ret_conn)
{
	for (struct list *at = rt->hot.next; at != &rt->hot; at = at->next) {
		struct connection *conn = hot_entry(at);
		bool broken;

		if ((!conn->is_choked && link_is_ready(&conn->link)) ||
		    (conn->wants_room && conn->link.kind == LINK_RING &&
		     (link_room(&conn->link, &broken) >= conn->room_needed || broken))) {
			*ret_conn = conn;
			return true;
		}
	}
	return false;
}

/* Whether every peer we poll for runs on our own CPU by now, and so cannot while we poll. */
static bool peers_moved_here(struct runtime *rt)
{
	uint32_t cpu = wake_own_cpu();

	if (rt->wake_mode == WAKE_MODE_SPIN)
		return false;
	for (struct list *at = rt->hot.next; at != &rt->hot; at = at->next)
		if (hot_entry(at)->link.kind == LINK_RING &&
		    ring_peer_cpu(&hot_entry(at)->link.ring) != cpu)
			return false;
	return true;
}

/*
 * All peers are on our CPU, or not worth polling: let those run that are in the middle of a
 * body. True if something came.
 */
static bool yield_to_peer(struct runtime *rt)
{
	struct connection *conn = NULL, *ready;
	uint64_t started;
	bool is_ready;

	for (struct list *at = rt->hot.next; at != &rt->hot && !conn; at = at->next)
		if (wake_should_yield(hot_entry(at)->waits_with))
			conn = hot_entry(at);
	if (!conn)
		return false;
	started = clock_now_ns();
	(void)sched_yield();
	is_ready = hot_is_ready(rt, &ready);
	if (!is_ready) {
		(void)sched_yield();
		is_ready = hot_is_ready(rt, &ready);
	}
	wake_yielded(conn->waits_with, is_ready, clock_now_ns() - started);
	return is_ready;
}

/*
 * Poll the hot rings as long as the policy of the keenest allows. True if something came.
 */
static bool spin(struct runtime *rt)
{
	uint64_t longest = 0, started, now;
	uint32_t cpu = wake_own_cpu();
	struct connection *conn;

	for (struct list *at = rt->hot.next; at != &rt->hot; at = at->next) {
		struct wake *wake;
		uint64_t ns;

		conn = hot_entry(at);
		if (conn->link.kind != LINK_RING)
			continue;
		wake = connection_wake(conn);
		ring_set_cpu(&conn->link.ring, cpu);
		ns = wake_spin_ns(wake, cpu, ring_peer_cpu(&conn->link.ring));
		longest = ns > longest ? ns : longest;
		if (conn->role == CONNECTION_CLIENT && wake_should_nudge(wake))
			wake_nudge();
	}
	if (longest == 0)
		return yield_to_peer(rt);
	started = now = clock_now_ns();
	do {
		for (unsigned i = 0; i < POLLS_PER_LOOK; i++) {
			if (hot_is_ready(rt, &conn)) {
				wake_hit(conn->waits_with, clock_now_ns() - started);
				return true;
			}
			cpu_relax();
		}
		now = clock_now_ns();
	} while (now - started < longest && !peers_moved_here(rt));
	rt->stats.vain_polls++;
	for (struct list *at = rt->hot.next; at != &rt->hot; at = at->next)
		if (hot_entry(at)->link.kind == LINK_RING)
			wake_miss(hot_entry(at)->waits_with);
	return false;
}

/* Let every hot ring's peer ring the bell from now on. False if one has something. */
static bool go_cold(struct runtime *rt)
{
	struct list *at = rt->hot.next;

	while (at != &rt->hot) {
		struct connection *conn = hot_entry(at);

		at = at->next;
		if (conn->link.kind != LINK_RING)
			return false;
		if (!ring_sleep(&conn->link.ring, conn->wants_room))
			return false;
		make_cold(rt, conn);
	}
	return true;
}

/*
 * A burst of waiting handlers left their stacks: they go now, as a process that stays idle
 * is not to be woken for that. Bursts that follow each other within a second map them once:
 * then it is the time-out's work.
 */
static void trim_tasks(struct runtime *rt, uint64_t now_ns)
{
	if (!task_pool_can_trim(rt->tasks))
		return;
	if (now_ns - rt->tasks_trimmed_ns < TRIM_AFTER_NS) {
		runtime_trim_later(rt);
		return;
	}
	rt->tasks_trimmed_ns = now_ns;
	task_pool_trim(rt->tasks);
}

static void sleep_until_event(struct runtime *rt)
{
	runtime_flush(rt);
	reap_dead(rt);
	if (!list_is_empty(&rt->spawned) || task_has_ready(rt->tasks))
		return;
	if (!go_cold(rt)) {
		run_ev(rt, EVRUN_NOWAIT);
		return;
	}
	rt->slept_at_ns = clock_now_ns();
	trim_tasks(rt, rt->slept_at_ns);
	disarm_wheel(rt);
	rt->stats.wakeups++;
	run_ev(rt, EVRUN_ONCE);
	rt->slept_at_ns = 0;
}

static void loop_main(void *userdata)
{
	struct runtime *rt = userdata;

	for (;;) {
		bool worked = turn(rt);

		runtime_flush(rt);
		if (task_switch_ready(rt->tasks))
			continue;
		if (rt->frames_since_ev >= RUNTIME_FRAMES_PER_TURN)
			run_ev(rt, EVRUN_NOWAIT);
		if (!list_is_empty(&rt->dead))
			reap_dead(rt);
		if (!worked && !spin(rt))
			sleep_until_event(rt);
	}
}

void runtime_poll_inline(struct runtime *rt, struct connection *conn, const bool *done)
{
	if (conn->role != CONNECTION_CLIENT || conn->link.kind != LINK_RING)
		return;
	for (;;) {
		uint64_t epoch = rt->epoch;
		unsigned n;

		if (conn->is_broken || *done)
			return;
		runtime_make_hot(rt, conn);
		if (rt->n_hot != 1 || !list_is_empty(&rt->spawned) || task_has_ready(rt->tasks) ||
		    task_pool_waiting(rt->tasks) > 0)
			return;
		n = connection_drain(conn, RUNTIME_FRAMES_PER_TURN);
		/* Also with no frame for us there may have been room for some of ours. */
		runtime_flush(rt);
		if (n == 0) {
			if (!spin(rt))
				return;
			continue;
		}
		cell_assert(rt->epoch == epoch); /* a client's frames run no handlers */
		if (++rt->frames_since_ev >= RUNTIME_FRAMES_PER_TURN)
			run_ev(rt, EVRUN_NOWAIT);
	}
}

/* --- life ---------------------------------------------------------------------------- */

static enum wake_mode mode_from_env(const char *text)
{
	if (text && strcmp(text, "sleep") == 0)
		return WAKE_MODE_SLEEP;
	if (text && strcmp(text, "spin") == 0)
		return WAKE_MODE_SPIN;
	return WAKE_MODE_ADAPTIVE;
}

int runtime_new(struct runtime **ret_rt, const char *program, struct cell_error *err)
{
	struct runtime *rt = calloc(1, sizeof *rt);
	int r;

	if (!rt)
		return cell_fail(err, -ENOMEM, "a runtime");
	list_init(&rt->connections);
	list_init(&rt->hot);
	list_init(&rt->dirty);
	list_init(&rt->dead);
	list_init(&rt->control_waiters);
	list_init(&rt->targets);
	list_init(&rt->pools);
	list_init(&rt->spawned);
	list_init(&rt->tasks_running);
	list_init(&rt->taps);
	rt->wheel_timer_at = UINT64_MAX;
	rt->wake_mode = mode_from_env(getenv("CELL_WAKE"));
	rt->connections_max = CELL_CONNECTIONS_MAX;
	rt->calls_max = CELL_CALLS_MAX;
	rt->message_max = CELL_MESSAGE_MAX_BYTES;
	rt->payload_max = CELL_PAYLOAD_MAX_BYTES;
	rt->call_timeout_ns = CELL_CALL_TIMEOUT_MS * 1000000ull;
	rt->drain_timeout_ns = CELL_DRAIN_TIMEOUT_MS * 1000000ull;
	rt->started_ns = rt->health_since_ns = clock_now_ns();
	(void)snprintf(rt->program, sizeof rt->program, "%s", program ? program : "");
	rt->self = (struct cell_peer){ .cell = rt->cell, .node = rt->node, .principal = "",
				       .uid = (uint32_t)getuid(), .is_outside = true };
	wheel_init(&rt->wheel, clock_now_ns());
	rt->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!rt->ev) {
		free(rt);
		return cell_fail(err, -errno, "an event loop");
	}
	r = task_pool_new(&rt->tasks, loop_main, rt, RUNTIME_WAITS_MAX, err);
	if (r < 0) {
		ev_loop_destroy(rt->ev);
		free(rt);
		return r;
	}
	ev_timer_init(&rt->wheel_timer, on_wheel, 0., 0.);
	rt->wheel_timer.data = rt;
	r = server_register_builtin(rt, err);
	if (r < 0) {
		runtime_free(rt);
		return r;
	}
	*ret_rt = rt;
	return 0;
}

void runtime_cancel_tasks(struct runtime *rt)
{
	rt->is_closing = true;
	for (struct list *at = rt->spawned.next; at != &rt->spawned; at = at->next)
		call_root_cancel(&list_entry(at, struct spawned, node)->root, CELL_CANCELLED);
	for (struct list *at = rt->tasks_running.next; at != &rt->tasks_running; at = at->next)
		call_root_cancel(&list_entry(at, struct spawned, node)->root, CELL_CANCELLED);
}

/* Their handlers are cancelled, too. */
static void break_servers(struct runtime *rt)
{
	struct list *at = rt->connections.next;

	while (at != &rt->connections) {
		struct connection *conn = list_entry(at, struct connection, all);

		at = at->next;
		if (conn->role == CONNECTION_SERVER)
			connection_break(conn, CELL_CANCELLED, "the program closed it");
	}
}

/* Requests were taken back: what is left are posts and cancels, for which nobody waits. */
static bool has_unsent(const struct runtime *rt)
{
	for (struct list *at = rt->connections.next; at != &rt->connections; at = at->next) {
		const struct connection *conn = list_entry(at, struct connection, all);

		if (conn->role == CONNECTION_CLIENT && !conn->tx_has_failed &&
		    (!list_is_empty(&conn->outgoing) || conn->link.tx_blocked))
			return true;
	}
	return false;
}

void runtime_close(struct runtime *rt)
{
	uint64_t until = clock_coarse_ns() + CELL_CLOSE_TIMEOUT_MS * 1000000ull;
	struct call_root closing = { 0 };
	int r = 0;

	cell_arena_init(&closing.arena, 0);
	call_root_init(&closing, rt, &rt->self, UINT64_MAX);
	runtime_cancel_tasks(rt);
	break_servers(rt);
	runtime_flush(rt);
	while (r == 0 && (rt->n_serving > 0 || has_unsent(rt)))
		r = runtime_wait(rt, &closing, &rt->closer, until);
	if (r < 0)
		cell_log(CELL_LOG_WARN, "server", "close_timeout",
			 "handlers=%u unsent=%d reason=\"%s\"", rt->n_serving, has_unsent(rt),
			 cell_status_name(r));
	call_root_deinit(&closing);
}

void runtime_free(struct runtime *rt)
{
	if (!rt)
		return;
	while (!list_is_empty(&rt->connections))
		connection_break(list_entry(rt->connections.next, struct connection, all),
				 CELL_CANCELLED, "the program closed it");
	targets_free(rt);
	while (!list_is_empty(&rt->spawned))
		spawned_free(list_entry(rt->spawned.next, struct spawned, node));
	server_free(rt);
	linked_free(rt);
	free(rt->spare_outgoing);
	reap_dead(rt);
	task_pool_free(rt->tasks);
	ev_loop_destroy(rt->ev);
	free(rt);
}

void runtime_stop(struct runtime *rt, int status)
{
	if (!rt->must_stop)
		rt->stop_status = status;
	rt->must_stop = true;
	runtime_wake(rt, rt->runner);
}

static void on_trim_due(struct wheel_timer *timer)
{
	struct runtime *rt = list_entry(timer, struct runtime, trim_timer);

	server_trim(rt);
	if (task_pool_can_trim(rt->tasks))
		task_pool_trim(rt->tasks);
	free(rt->spare_outgoing);
	rt->spare_outgoing = NULL;
	rt->spare_outgoing_size = 0;
}

void runtime_trim_later(struct runtime *rt)
{
	rt->trim_timer.on_due = on_trim_due;
	if (!wheel_timer_is_armed(&rt->trim_timer))
		wheel_arm(&rt->wheel, &rt->trim_timer, clock_coarse_ns() + TRIM_AFTER_NS);
}

void runtime_check_drained(struct runtime *rt)
{
	runtime_wake(rt, rt->closer);
	if (rt->is_draining && rt->n_serving == 0 && !rt->must_stop)
		runtime_drained(rt);
}

static void on_drain_due(struct wheel_timer *timer)
{
	struct runtime *rt = list_entry(timer, struct runtime, drain_timer);

	cell_log(CELL_LOG_WARN, "server", "drain_timeout", "handlers=%u", rt->n_serving);
	runtime_stop(rt, 0);
}

void runtime_drain(struct runtime *rt, uint64_t timeout_ns)
{
	if (rt->is_draining)
		return;
	rt->is_draining = true;
	cell_log(CELL_LOG_INFO, "server", "drain", "handlers=%u", rt->n_serving);
	server_say_goaway(rt);
	taps_wake(rt);
	rt->drain_timer.on_due = on_drain_due;
	wheel_arm(&rt->wheel, &rt->drain_timer, clock_coarse_ns() + timeout_ns);
	runtime_check_drained(rt);
}
