#include "runtime.h"

#include "callstate.h"
#include "clock.h"
#include "connection.h"
#include "tables.h"
#include "wake.h"

#include <cell/cell.h>
#include <cell/defaults.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
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
/* What a poll takes, until it is known; longer ones were interrupted. */
#define POLL_NS     25u
#define POLL_NS_MAX 200u
/* Large buffers are kept so long for reuse. */
#define TRIM_AFTER_NS 1000000000u

static void loop_main(void *userdata);
static void loop_here(struct runtime *rt, struct waiter *waiter, uint64_t deadline_ns);

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

/* Only before sleeping: nearly all that is waited for comes while we poll. */
static void waiter_arm(struct waiter *waiter, uint64_t deadline_ns)
{
	if (deadline_ns == UINT64_MAX || wheel_timer_is_armed(&waiter->timer) ||
	    waiter->wait.is_ready)
		return;
	waiter->timer.on_due = on_waiter_due;
	wheel_arm(&waiter->rt->wheel, &waiter->timer, deadline_ns);
}

int runtime_wait(struct runtime *rt, struct call_root *root, struct waiter **slot,
		 uint64_t deadline_ns)
{
	struct waiter waiter = { .rt = rt };
	int r;

	if (root->is_cancelled)
		return root->cancel_status;
	*slot = &waiter;
	root->waiter = &waiter;
	rt->epoch++;
	runtime_flush(rt);
	loop_here(rt, &waiter, deadline_ns);
	waiter_arm(&waiter, deadline_ns);
	r = task_wait(rt->tasks, &waiter.wait);
	rt->epoch++;
	root->waiter = NULL;
	*slot = NULL;
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
		runtime_io_start(rt, &conn->write_io);
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

static void advance_wheel(struct runtime *rt, uint64_t now_ns)
{
	rt->wheel_timer_at = UINT64_MAX;
	rt->wheel.soonest_ns = 0; /* so that what is next is looked for */
	wheel_advance(&rt->wheel, now_ns, on_due);
}

/* When to look at the wheel next, UINT64_MAX for never. Early is harmless. */
static uint64_t wheel_due_at(struct runtime *rt)
{
	uint64_t next;

	if (wheel_is_empty(&rt->wheel)) {
		rt->wheel_timer_at = UINT64_MAX; /* do not wake for what was */
	} else if (rt->wheel.soonest_ns < rt->wheel_timer_at) {
		rt->wheel.soonest_ns = UINT64_MAX;
		if (wheel_next(&rt->wheel, &next) && next < rt->wheel_timer_at)
			rt->wheel_timer_at = next;
	}
	return rt->wheel_timer_at;
}

/* --- events -------------------------------------------------------------------------- */

/*
 * We sleep on an epoll set of our own. Bells are in it edge-triggered: who is woken need not
 * read them, which saves a system call of a sleeping side per call; and no layer lies between
 * them and us. All else (sockets, signals, lifelines) is in libev's set, which is a member of
 * ours. Once the program has the loop too (cell_loop_ev()), with timers that only libev
 * knows, it is the other way round.
 */

#define EVENTS_AT_ONCE  16
#define SLEEP_MS_MAX    (60u * 60 * 1000)
#define NS_PER_MS       1000000u

static void on_wheel(struct ev_loop *ev, ev_timer *timer, int events)
{
	(void)ev;
	(void)events;
	advance_wheel(timer->data, clock_now_ns());
}

static int wait_for(struct runtime *rt, int fd, uint32_t events, struct connection *conn)
{
	struct epoll_event event = { .events = events, .data.ptr = conn };

	return epoll_ctl(rt->waits, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* libev tells its descriptor only to a loop that embeds it. */
static int fd_of(struct ev_loop *ev)
{
	ev_embed embed;
	int fd;

	if (!(ev_backend(ev) & ev_embeddable_backends()))
		return -1;
	ev_embed_init(&embed, NULL, ev);
	ev_embed_start(ev, &embed);
	fd = embed.io.fd;
	ev_embed_stop(ev, &embed);
	return fd;
}

/* A backend that nobody can wait for but itself is slept in, as if the program had it too. */
static void wait_for_ev(struct runtime *rt)
{
	rt->ev_fd = fd_of(rt->ev);
	if (rt->ev_fd < 0 || wait_for(rt, rt->ev_fd, EPOLLIN, NULL) < 0)
		runtime_share_ev(rt);
}

/*
 * libev closes its descriptor and makes another not only after a fork: also when an event
 * comes for one that was closed here while another process still had it open.
 */
static void on_remade(struct ev_loop *ev, ev_fork *watcher, int events)
{
	struct runtime *rt = watcher->data;

	(void)ev;
	(void)events;
	rt->ev_is_remade = true;
}

static void run_ev(struct runtime *rt, int flags)
{
	rt->ev_has_changed = false;
	ev_run(rt->ev, flags);
	if (__builtin_expect(rt->ev_is_remade, 0)) {
		rt->ev_is_remade = false;
		rt->ev_has_changed = true;
		if (!rt->ev_is_shared)
			wait_for_ev(rt);
	}
}

/* What rang, at most within TIMEOUT_MS. */
static void take_bells(struct runtime *rt, int timeout_ms)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(rt->waits, events, EVENTS_AT_ONCE, timeout_ms);
	bool is_ev = false;

	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr)
			runtime_make_hot(rt, events[i].data.ptr);
		else
			is_ev = true;
	}
	if (is_ev)
		run_ev(rt, EVRUN_NOWAIT);
}

static void on_waits(struct ev_loop *ev, ev_io *io, int events)
{
	(void)ev;
	(void)events;
	take_bells(io->data, 0);
}

/* Sleep in libev, which has timers of others. */
static void take_shared_events(struct runtime *rt, bool may_sleep)
{
	uint64_t due = wheel_due_at(rt), now;

	ev_timer_stop(rt->ev, &rt->wheel_timer);
	if (due != UINT64_MAX) {
		now = clock_now_ns();
		ev_now_update(rt->ev);
		ev_timer_set(&rt->wheel_timer, due > now ? (double)(due - now) / 1e9 : 0., 0.);
		ev_timer_start(rt->ev, &rt->wheel_timer);
	}
	run_ev(rt, may_sleep ? EVRUN_ONCE : EVRUN_NOWAIT);
}

/* Have the watchers called of what has happened; if nothing has and MAY_SLEEP, wait for it. */
static void take_own_events(struct runtime *rt, bool may_sleep)
{
	uint64_t due = wheel_due_at(rt), now, ms;
	int timeout_ms = may_sleep ? -1 : 0;

	if (due != UINT64_MAX) {
		now = rt->slept_at_ns ? rt->slept_at_ns : clock_now_ns();
		if (due <= now) {
			advance_wheel(rt, now);
			timeout_ms = 0;
		} else if (may_sleep) {
			ms = (due - now + NS_PER_MS - 1) / NS_PER_MS;
			timeout_ms = (int)(ms < SLEEP_MS_MAX ? ms : SLEEP_MS_MAX);
		}
	}
	if (rt->ev_has_changed) {
		run_ev(rt, EVRUN_NOWAIT);
		timeout_ms = 0;
	}
	take_bells(rt, timeout_ms);
}

static void take_events(struct runtime *rt, bool may_sleep)
{
	task_forbid(rt->tasks);
	if (rt->ev_is_shared)
		take_shared_events(rt, may_sleep);
	else
		take_own_events(rt, may_sleep);
	task_allow(rt->tasks);
	rt->frames_since_ev = 0;
}

void runtime_io_start(struct runtime *rt, ev_io *io)
{
	rt->ev_has_changed = true;
	ev_io_start(rt->ev, io);
}

int runtime_watch_bell(struct runtime *rt, struct connection *conn, struct cell_error *err)
{
	int r = wait_for(rt, conn->link.bell, EPOLLIN | EPOLLET, conn);

	return r < 0 ? cell_fail(err, r, "waiting for a bell: %s", strerror(-r)) : 0;
}

/* Explicitly: the peer has the bell open too, so closing it here would not take it out. */
void runtime_unwatch_bell(struct runtime *rt, struct connection *conn)
{
	(void)epoll_ctl(rt->waits, EPOLL_CTL_DEL, conn->link.bell, NULL);
}

void runtime_share_ev(struct runtime *rt)
{
	if (rt->ev_is_shared)
		return;
	rt->ev_is_shared = true;
	(void)epoll_ctl(rt->waits, EPOLL_CTL_DEL, rt->ev_fd, NULL);
	ev_io_init(&rt->waits_io, on_waits, rt->waits, EV_READ);
	rt->waits_io.data = rt;
	ev_io_start(rt->ev, &rt->waits_io);
}

static int events_open(struct runtime *rt, struct cell_error *err)
{
	rt->waits = epoll_create1(EPOLL_CLOEXEC);
	if (rt->waits < 0)
		return cell_fail(err, -errno, "an event loop: %s", strerror(errno));
	rt->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!rt->ev)
		return cell_fail(err, -errno, "an event loop");
	ev_timer_init(&rt->wheel_timer, on_wheel, 0., 0.);
	rt->wheel_timer.data = rt;
	ev_fork_init(&rt->remade, on_remade);
	rt->remade.data = rt;
	ev_fork_start(rt->ev, &rt->remade);
	wait_for_ev(rt);
	return 0;
}

static void events_close(struct runtime *rt)
{
	if (rt->ev)
		ev_loop_destroy(rt->ev);
	if (rt->waits >= 0)
		(void)close(rt->waits);
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

/*
 * Whether CONN, of which N frames were taken, may have more to do at once. A ring that gave
 * less than it might is empty; what comes next is seen by spin() or ring_sleep().
 */
static bool may_have_more(const struct connection *conn, unsigned n)
{
	return n == RUNTIME_FRAMES_PER_TURN || conn->lifeline_is_ready ||
	       (n > 0 && conn->link.kind != LINK_RING);
}

/* One round over the hot connections. False if there is nothing more to do. */
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

		if (rt->n_hot > 1) {
			list_unlink(&conn->hot);
			list_append(&rt->hot, &conn->hot);
		}
		connection_ref(conn);
		n = connection_drain(conn, RUNTIME_FRAMES_PER_TURN);
		worked = worked || may_have_more(conn, n);
		if (n) {
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
	uint64_t longest = 0, started, looked, now;
	struct connection *conn;
	uint32_t cpu;

	if (hot_is_ready(rt, &conn))
		return true; /* without a wait that would tell anything */
	cpu = wake_own_cpu();
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
	started = now = clock_fast_ns();
	do {
		looked = now;
		for (unsigned i = 0; i < POLLS_PER_LOOK; i++) {
			if (hot_is_ready(rt, &conn)) {
				/* Who waits for us waits for no clock: polls are counted. */
				wake_hit(conn->waits_with, looked - started + i * rt->poll_ns);
				return true;
			}
			cpu_relax();
		}
		now = clock_fast_ns();
		if (now - looked <= POLLS_PER_LOOK * POLL_NS_MAX)
			rt->poll_ns = (unsigned)(now - looked) / POLLS_PER_LOOK;
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
		rt->frames_since_ev++; /* in a row, events get their turn in spite of it */
		return;
	}
	if (task_pool_can_trim(rt->tasks))
		trim_tasks(rt, clock_now_ns());
	rt->slept_at_ns = rt->wake_mode == WAKE_MODE_ADAPTIVE ? clock_now_ns() : 0;
	rt->stats.wakeups++;
	take_events(rt, true);
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
		if (rt->frames_since_ev >= RUNTIME_FRAMES_PER_TURN) {
			take_events(rt, false);
			worked = true; /* perhaps more than there was before */
		}
		if (!list_is_empty(&rt->dead))
			reap_dead(rt);
		if (!worked && !spin(rt))
			sleep_until_event(rt);
	}
}

/* Whether a turn could find something to do. */
static bool is_worth_a_turn(struct runtime *rt)
{
	struct connection *conn;

	for (struct list *at = rt->hot.next; at != &rt->hot; at = at->next)
		if (hot_entry(at)->link.kind != LINK_RING || hot_entry(at)->lifeline_is_ready)
			return true;
	return hot_is_ready(rt, &conn);
}

/* Whether no handler could start and nobody else go on, had this stack the loop. */
static bool is_alone(const struct runtime *rt)
{
	if (!list_is_empty(&rt->spawned) || task_has_ready(rt->tasks) ||
	    task_is_forbidden(rt->tasks))
		return false;
	for (struct list *at = rt->hot.next; at != &rt->hot; at = at->next)
		if (hot_entry(at)->role != CONNECTION_CLIENT)
			return false;
	return true;
}

/*
 * The outer loop on the stack that waits, which saves two switches a wait: until what WAITER
 * waits for has come, or something has that is another stack's business.
 */
static void loop_here(struct runtime *rt, struct waiter *waiter, uint64_t deadline_ns)
{
	while (!waiter->wait.is_ready && is_alone(rt)) {
		bool worked = is_worth_a_turn(rt) && turn(rt);

		runtime_flush(rt);
		if (waiter->wait.is_ready)
			return;
		if (rt->frames_since_ev >= RUNTIME_FRAMES_PER_TURN) {
			waiter_arm(waiter, deadline_ns);
			take_events(rt, false);
			continue; /* it may have ended the wait, or brought work */
		}
		if (!worked && !spin(rt)) {
			waiter_arm(waiter, deadline_ns);
			sleep_until_event(rt);
		}
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
	rt->stop_fd = -1;
	rt->poll_ns = POLL_NS;
	r = events_open(rt, err);
	if (r == 0)
		r = task_pool_new(&rt->tasks, loop_main, rt, RUNTIME_WAITS_MAX, err);
	if (r < 0) {
		events_close(rt);
		free(rt);
		return r;
	}
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
	tables_free(rt);
	free(rt->spare_outgoing);
	reap_dead(rt);
	task_pool_free(rt->tasks);
	events_close(rt);
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
