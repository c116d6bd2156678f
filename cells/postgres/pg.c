/*
 * The pool. A session is idle in the pool, or somebody's. Who finds none free and may open none
 * waits in a queue, and is woken, in order, by whoever gives one back or gives up a place.
 */
#include "pg.h"

#include "pg_internal.h"

#include <cell/cell.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define BACKOFF_FIRST_MS 50
#define BACKOFF_MAX_MS	 1000

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int pg_open(struct pg **ret, const char *path, struct cell_error *err)
{
	struct conf *conf = malloc(sizeof *conf);
	struct pg *pg = calloc(1, sizeof *pg);
	int r = conf && pg ? pg_settings(path, conf, err) : cell_fail(err, -ENOMEM, "%s", path);

	if (!r) {
		(void)snprintf(pg->path, sizeof pg->path, "%s", path);
		pg->limit = conf->pool;
		pg->wait_ms = conf->wait_ms;
		*ret = cell_steal(&pg);
	}
	if (conf)
		conf_wipe(conf);
	free(conf);
	free(pg);
	return r;
}

static void session_close(struct pg_session *session)
{
	pg_results_clear(session);
	pg_statements_clear(session);
	PQfinish(session->conn);
	free(session);
}

void pg_close(struct pg *pg)
{
	if (!pg)
		return;
	for (struct pg_session *session; (session = pg->idle);) {
		pg->idle = session->next;
		session_close(session);
	}
	free(pg);
}

void pg_status(const struct pg *pg, struct pg_status *ret)
{
	*ret = pg->told;
	ret->limit = pg->limit;
	ret->open = pg->open;
	ret->idle = ret->waiting = 0;
	for (const struct pg_session *session = pg->idle; session; session = session->next)
		ret->idle++;
	for (const struct pg_waiter *waiter = pg->waiters; waiter; waiter = waiter->next)
		ret->waiting++;
}

uint64_t pg_transaction_seen(const struct pg *pg)
{
	return pg->transaction_seen;
}

void pg_saw_transaction(struct pg *pg, uint64_t number)
{
	if (number > pg->transaction_seen)
		pg->transaction_seen = number;
}

void pg_forget_statements(struct pg *pg)
{
	pg->generation++;
}

/* ---- the queue ----------------------------------------------------------------------------------- */

/* All but one connection may be held for long. */
static bool may_be_long(const struct pg *pg)
{
	return pg->n_long + 1 < pg->limit || (pg->limit == 1 && !pg->n_long);
}

static bool has_place(const struct pg *pg, bool is_long)
{
	return (pg->idle || pg->open < pg->limit) && (!is_long || may_be_long(pg));
}

/* A place is free: the first in the queue who could use it gets to know. */
static void wake(struct pg *pg)
{
	for (struct pg_waiter **at = &pg->waiters; *at; at = &(*at)->next) {
		struct pg_waiter *waiter = *at;

		if (!has_place(pg, waiter->is_long))
			continue;
		*at = waiter->next;
		waiter->is_woken = true;
		(void)eventfd_write(waiter->event, 1);
		return;
	}
}

static void leave(struct pg *pg, struct pg_waiter *waiter)
{
	for (struct pg_waiter **at = &pg->waiters; *at; at = &(*at)->next)
		if (*at == waiter) {
			*at = waiter->next;
			return;
		}
}

static int queue(struct cell_call *call, struct pg *pg, bool is_long)
{
	struct pg_waiter waiter = { .is_long = is_long };
	struct pg_waiter **end = &pg->waiters;
	int r;

	waiter.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (waiter.event < 0)
		return cell_refuse(call, -errno, "waiting for a connection: %s", strerror(errno));
	while (*end)
		end = &(*end)->next;
	*end = &waiter;
	r = cell_wait_readable(call, waiter.event);
	if (!waiter.is_woken)
		leave(pg, &waiter);
	else if (r)
		wake(pg); /* the place is for another */
	(void)close(waiter.event);
	if (r == CELL_DEADLINE_EXCEEDED)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED,
				   "all %u connections to PostgreSQL are in use", pg->limit);
	return r;
}

/* ---- connecting ---------------------------------------------------------------------------------- */

/* What each connection is set to, and how far the server is. */
static int greet(struct cell_call *call, struct pg_session *session)
{
	const struct pg_result *result;
	int r = pg_do(call, session,
		      "SELECT pg_catalog.set_config('client_connection_check_interval', '2s', false), "
		      "pg_catalog.set_config('lock_timeout', '2s', false), "
		      "pg_catalog.set_config('idle_in_transaction_session_timeout', '120s', false), "
		      "pg_catalog.set_config('cursor_tuple_fraction', '0.1', false), "
		      "pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())"
		      "::pg_catalog.text::pg_catalog.int8",
		      NULL, 0, &result);

	if (!r)
		pg_saw_transaction(session->pg, (uint64_t)pg_integer(result, 0, 4));
	return r;
}

static int session_open(struct cell_call *call, struct pg *pg, struct pg_session **ret)
{
	struct pg_session *session = calloc(1, sizeof *session);
	int r = session ? pg_connect(call, pg, &session->conn)
			: cell_refuse(call, -ENOMEM, "a connection to PostgreSQL");

	if (!r) {
		session->pg = pg;
		session->generation = pg->generation;
		r = greet(call, session);
	}
	if (r) {
		if (session)
			session_close(session);
		return r;
	}
	*ret = session;
	return 0;
}

static void connect_failed(struct pg *pg, const struct cell_error *error)
{
	char reason[200];

	if (!*pg->told.trouble)
		cell_log(CELL_LOG_WARN, "pg", "connect_failed", "reason=\"%s\"",
			 cell_log_quote(reason, sizeof reason, error->text));
	(void)snprintf(pg->told.trouble, sizeof pg->told.trouble, "%.150s", error->text);
	pg->told.failed++;
	pg->backoff_ms = pg->backoff_ms ? pg->backoff_ms * 2 : BACKOFF_FIRST_MS;
	if (pg->backoff_ms > BACKOFF_MAX_MS)
		pg->backoff_ms = BACKOFF_MAX_MS;
	pg->retry_at_ns = now_ns() + (uint64_t)pg->backoff_ms * 1000000;
}

static void connect_succeeded(struct pg *pg)
{
	char server[200];

	if (*pg->told.trouble || !pg->told.connected)
		cell_log(CELL_LOG_INFO, "pg", "connected", "server=\"%s\"",
			 cell_log_quote(server, sizeof server, pg->told.server));
	pg->told.trouble[0] = '\0';
	pg->told.connected++;
	pg->backoff_ms = 0;
}

static bool is_worth_another_try(int r)
{
	return r == CELL_UNAVAILABLE;
}

/* With a place in the pool: connect, until the setting `wait` is over. */
static int session_new(struct cell_call *call, struct pg *pg, struct pg_session **ret)
{
	uint64_t until_ns = now_ns() + (uint64_t)pg->wait_ms * 1000000;
	int r;

	for (;;) {
		uint64_t now = now_ns();

		if (pg->backoff_ms && pg->retry_at_ns > now) {
			if (pg->retry_at_ns > until_ns)
				return cell_refuse(call, CELL_UNAVAILABLE, "PostgreSQL: %s",
						   pg->told.trouble);
			r = cell_sleep_ms(call, (pg->retry_at_ns - now) / 1000000 + 1);
			if (r)
				return r;
		}
		r = session_open(cell_within_ms(call, pg->wait_ms + 1), pg, ret);
		if (!r) {
			connect_succeeded(pg);
			return 0;
		}
		if (cell_call_is_cancelled(call))
			return r;
		if (r == CELL_DEADLINE_EXCEEDED)
			r = cell_refuse(call, CELL_UNAVAILABLE, "it does not answer within %u ms",
					pg->wait_ms);
		connect_failed(pg, cell_error(call));
		if (!is_worth_another_try(r) || pg->retry_at_ns > until_ns)
			return cell_wrap(cell_error_slot(call), r, "PostgreSQL");
	}
}

/* ---- taking and giving ----------------------------------------------------------------------------- */

static void session_drop(struct pg_session *session)
{
	struct pg *pg = session->pg;

	session_close(session);
	pg->open--;
}

/* An idle connection that has something to say says that it ends. */
static bool is_alive(const struct pg_session *session)
{
	struct pollfd ready = { .fd = PQsocket(session->conn), .events = POLLIN };

	return poll(&ready, 1, 0) == 0 ||
	       (PQconsumeInput(session->conn) && PQstatus(session->conn) == CONNECTION_OK &&
		poll(&ready, 1, 0) == 0);
}

static int session_freshen(struct cell_call *call, struct pg_session *session)
{
	int r = session->is_settling ? pg_settle_end(call, session) : 0;

	if (!r && session->generation != session->pg->generation) {
		session->generation = session->pg->generation;
		pg_statements_clear(session);
		r = pg_do(call, session, "DEALLOCATE ALL", NULL, 0, NULL);
		/* It has forgotten the very statement that said so. */
		pg_statements_clear(session);
	}
	return r;
}

/* One that was idle and is good; NULL if there is none. */
static struct pg_session *session_idle(struct cell_call *call, struct pg *pg)
{
	struct pg_session *session;

	while ((session = pg->idle)) {
		pg->idle = session->next;
		session->next = NULL;
		if ((session->is_settling || is_alive(session)) &&
		    session_freshen(call, session) == 0)
			return session;
		pg->told.lost++;
		session_drop(session);
		if (cell_call_is_cancelled(call))
			break;
	}
	return NULL;
}

int pg_take(struct cell_call *call, struct pg *pg, bool is_long, struct pg_session **ret)
{
	struct pg_session *session = NULL;
	int r = 0;

	if (pg->waiters || !has_place(pg, is_long))
		r = queue(call, pg, is_long);
	while (!r && !has_place(pg, is_long))
		r = queue(call, pg, is_long);
	if (r)
		return r;
	pg->n_long += is_long;
	session = session_idle(call, pg);
	if (!session) {
		pg->open++;
		r = session_new(call, pg, &session);
		if (r) {
			pg->open--;
			pg->n_long -= is_long;
			wake(pg);
			return r;
		}
	}
	session->is_long = is_long;
	*ret = session;
	return 0;
}

void pg_give(struct pg_session *session)
{
	struct pg *pg;

	if (!session)
		return;
	pg = session->pg;
	pg->n_long -= session->is_long;
	session->is_long = false;
	pg_results_clear(session);
	if (session->n_pending || PQstatus(session->conn) != CONNECTION_OK)
		session->is_broken = true;
	if (!session->is_broken)
		switch (PQtransactionStatus(session->conn)) {
		case PQTRANS_IDLE: break;
		case PQTRANS_INTRANS:
		case PQTRANS_INERROR:
			if (pg_settle_start(session))
				break;
			/* fall through */
		default: session->is_broken = true;
		}
	if (session->is_broken) {
		pg->told.lost++;
		session_drop(session);
	} else {
		session->next = pg->idle;
		pg->idle = session;
	}
	wake(pg);
}
