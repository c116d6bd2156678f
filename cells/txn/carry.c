/*
 * Carries out what decide.c decides: writes, tells, wakes. Nothing here waits but tasks and
 * handlers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cell/cell.h>

#include "store.h"
#include "table.cell.h"
#include "txn.h"

/* For one participant: it may have to be started, and has to sync. */
#define TELL_TIMEOUT_MS 2000

/* A tell under way; a task has it, and frees it. */
struct tell {
	struct txn *txn;
	uint8_t id[DECIDE_ID_BYTES];
	char participant[DECIDE_NAME_BYTES];
	bool is_commit;
};

uint64_t txn_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static const char *id_text(char out[static 2 * DECIDE_ID_BYTES + 1], const uint8_t *id)
{
	for (size_t i = 0; i < DECIDE_ID_BYTES; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", id[i]);
	return out;
}

/* ---- Telling ------------------------------------------------------------------------------
 */

static void told(const struct tell *tell, int code, uint64_t version)
{
	const struct decide_event event = { .kind = DECIDE_TOLD,
					    .id = tell->id,
					    .participant = tell->participant,
					    .is_commit = tell->is_commit,
					    .code = code,
					    .version = version };

	(void)txn_step(tell->txn, NULL, &event);
}

static void log_failure(const struct tell *tell, int code, const char *text)
{
	char id[2 * DECIDE_ID_BYTES + 1], quoted[CELL_ERROR_TEXT_MAX * 2];

	cell_log(code == CELL_UNIMPLEMENTED ? CELL_LOG_WARN : CELL_LOG_INFO, "tell",
		 "tell_failed", "txn=%s participant=%s commit=%d status=%s reason=\"%s\"",
		 id_text(id, tell->id), tell->participant, tell->is_commit,
		 cell_status_name(code), cell_log_quote(quoted, sizeof quoted, text));
}

static void tell_task(struct cell_call *call, void *userdata)
{
	struct tell *tell = userdata;
	const struct table_decision decision = { .n_txn = sizeof tell->id,
						 .txn = tell->id,
						 .commit = tell->is_commit };
	struct table_decided decided = { 0 };
	int err = table_tables_decide(cell_to(cell_within_ms(call, TELL_TIMEOUT_MS),
					      tell->participant, 0),
				      &decision, &decided);

	if (err)
		log_failure(tell, err, cell_error(call)->text);
	told(tell, err, decided.version);
	free(tell);
}

/*
 * It cannot be begun in the middle of a step, whose effects are not carried out yet: a
 * failure is the next event.
 */
static void tell(struct txn *txn, const struct decide_effect *effect)
{
	struct tell *tell = calloc(1, sizeof *tell);
	int err = -ENOMEM;

	if (tell) {
		*tell = (struct tell){ .txn = txn, .is_commit = effect->is_commit };
		memcpy(tell->id, effect->id, sizeof tell->id);
		memcpy(tell->participant, effect->participant, sizeof tell->participant);
		err = cell_spawn_task(txn->call, tell_task, tell);
	}
	if (err) {
		struct tell failed = { .txn = txn, .is_commit = effect->is_commit };

		free(tell);
		memcpy(failed.id, effect->id, sizeof failed.id);
		memcpy(failed.participant, effect->participant, sizeof failed.participant);
		told(&failed, err, 0);
	}
}

/* ---- Writing ------------------------------------------------------------------------------
 */

static void logged(struct txn *txn, const uint8_t *id, int code)
{
	const struct decide_event event = { .kind = DECIDE_LOGGED, .id = id, .code = code };

	(void)txn_step(txn, NULL, &event);
}

static void write_record(struct txn *txn, const uint8_t *id)
{
	const char *participants[DECIDE_PARTICIPANTS_MAX];
	struct decide_view view;
	struct record record;

	cell_assert(decide_find(txn->decide, id, &view));
	for (size_t i = 0; i < view.n_parts; i++)
		participants[i] = view.parts[i].participant;
	record = (struct record){ .owner = view.owner,
				  .n_participants = view.n_parts,
				  .participants = participants };
	memcpy(record.id, id, sizeof record.id);
	if (store_write(txn->store, &record) < 0)
		logged(txn, id, CELL_RESOURCE_EXHAUSTED);
}

/*
 * A full disk has not taken it, for sure. After any other error nobody knows whether it is on
 * the disk; who starts again and reads the log does.
 */
static void on_written(struct ev_loop *loop, ev_io *readable, int events)
{
	struct txn *txn = cell_container_of(readable, struct txn, written);
	struct written written;
	eventfd_t ignored;

	(void)loop;
	(void)events;
	(void)eventfd_read(readable->fd, &ignored);
	while (store_take(txn->store, &written)) {
		char quoted[CELL_ERROR_TEXT_MAX * 2];
		int code = written.err.code;

		if (code)
			cell_log(CELL_LOG_ERR, "store", "log_failed",
				 "status=%s reason=\"%s\"", cell_status_name(code),
				 cell_log_quote(quoted, sizeof quoted, written.err.text));
		if (code && code != CELL_RESOURCE_EXHAUSTED)
			_exit(1);
		cell_set_health(txn->call, code ? written.err.text : NULL);
		logged(txn, written.id, code);
	}
}

/* ---- Steps --------------------------------------------------------------------------------
 */

static void wake(struct txn *txn, const struct decide_effect *effect)
{
	for (struct waiter *waiter = txn->waiters; waiter; waiter = waiter->next) {
		if (waiter->is_answered ||
		    memcmp(waiter->id, effect->id, sizeof effect->id) != 0)
			continue;
		waiter->is_answered = true;
		waiter->code = effect->code;
		(void)eventfd_write(waiter->fd, 1);
	}
}

static void timer_arm(struct txn *txn)
{
	uint64_t due = decide_due_ms(txn->decide), now = txn_now_ms();

	if (!txn->is_running)
		return;
	ev_timer_stop(cell_loop_ev(txn->call), &txn->due);
	if (due == UINT64_MAX)
		return;
	ev_now_update(cell_loop_ev(txn->call));
	ev_timer_set(&txn->due, due > now ? (double)(due - now) / 1e3 : 0., 0.);
	ev_timer_start(cell_loop_ev(txn->call), &txn->due);
}

static void on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct txn *txn = cell_container_of(timer, struct txn, due);
	const struct decide_event event = { .kind = DECIDE_TIME };

	(void)loop;
	(void)events;
	(void)txn_step(txn, NULL, &event);
}

int txn_step(struct txn *txn, struct cell_call *call, const struct decide_event *event)
{
	struct decide_effects effects;
	struct cell_error err = { 0 };
	int r = decide_step(txn->decide, event, txn_now_ms(), &effects, &err);

	for (size_t i = 0; i < effects.n; i++) {
		const struct decide_effect *effect = &effects.items[i];

		switch (effect->kind) {
		case DECIDE_LOG: write_record(txn, effect->id); break;
		case DECIDE_FORGET: store_forget(txn->store, effect->id); break;
		case DECIDE_TELL: tell(txn, effect); break;
		case DECIDE_ANSWER: wake(txn, effect); break;
		}
	}
	timer_arm(txn);
	return r && call ? cell_refuse(call, r, "%s", err.text) : r;
}

static void waiter_remove(struct txn *txn, struct waiter *waiter)
{
	struct waiter **link = &txn->waiters;

	while (*link != waiter)
		link = &(*link)->next;
	*link = waiter->next;
	txn->n_waiters--;
	(void)close(waiter->fd);
}

/* It was sent, so it may be in the log, or will be: nobody may hear that it was given up. */
static int unanswered(struct cell_call *call, int code)
{
	if (code == CELL_CANCELLED || code == CELL_DEADLINE_EXCEEDED)
		return code;
	return cell_refuse(call, CELL_UNAVAILABLE,
			   "the decision is not known yet (%s): ask again",
			   cell_status_name(code));
}

static int commit_and_wait(struct txn *txn, struct cell_call *call,
			   const struct decide_event *event)
{
	struct waiter waiter = { .next = txn->waiters,
				 .id = event->id,
				 .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	int err;

	if (waiter.fd < 0)
		return cell_refuse(call, CELL_UNAVAILABLE, "eventfd: %s", strerror(errno));
	txn->waiters = &waiter;
	txn->n_waiters++;
	err = txn_step(txn, call, event);
	if (!err && !waiter.is_answered) {
		err = cell_wait_readable(call, waiter.fd);
		err = err ? unanswered(call, err) : 0;
	}
	waiter_remove(txn, &waiter);
	if (!err && waiter.code)
		err = cell_refuse(call, waiter.code,
				  "the decision could not be written, so the transaction was "
				  "given up: the log of txn says why");
	return err;
}

/* Nobody more can wait. What is not decided is given up, so that its rows are free again. */
static int commit_without_wait(struct txn *txn, struct cell_call *call,
			       const struct decide_event *event)
{
	struct decide_event give_up = *event;
	struct decide_view view;
	int err;

	if (decide_find(txn->decide, event->id, &view) && view.stage != DECIDE_PENDING)
		return view.stage == DECIDE_COMMITTED
			       ? 0
			       : unanswered(call, CELL_RESOURCE_EXHAUSTED);
	give_up.kind = DECIDE_ABORT;
	err = txn_step(txn, call, &give_up);
	return err ? err
		   : cell_refuse(call, CELL_RESOURCE_EXHAUSTED,
				 "%d commits wait for their answers, which is the limit: the "
				 "transaction was given up",
				 TXN_WAITERS_MAX);
}

int txn_commit_and_wait(struct txn *txn, struct cell_call *call, const uint8_t *id)
{
	const struct decide_event event = { .kind = DECIDE_COMMIT,
					    .id = id,
					    .owner = cell_call_peer(call)->cell };

	return txn->n_waiters < TXN_WAITERS_MAX ? commit_and_wait(txn, call, &event)
						: commit_without_wait(txn, call, &event);
}

/* ---- Life ---------------------------------------------------------------------------------
 */

static int on_record(void *userdata, const struct record *record, struct cell_error *err)
{
	struct txn *txn = userdata;
	const struct decide_event event = { .kind = DECIDE_RECOVER,
					    .id = record->id,
					    .owner = record->owner,
					    .n_participants = record->n_participants,
					    .participants = record->participants };
	struct decide_effects none;

	return decide_step(txn->decide, &event, txn_now_ms(), &none, err);
}

int txn_start(struct txn *txn, struct cell_call *call, const char *dir)
{
	struct cell_error err = { 0 };
	size_t known;
	int r;

	*txn = (struct txn){ .call = call, .decide = decide_new() };
	if (!txn->decide)
		return cell_refuse(call, -ENOMEM, "no memory");
	r = store_open(&txn->store, dir, &err);
	if (r == 0)
		r = store_each(txn->store, on_record, txn, &err);
	if (r < 0)
		return cell_refuse(call, r, "%s", err.text);
	known = decide_counts(txn->decide).known;
	if (known)
		cell_log(CELL_LOG_INFO, "store", "recovered", "committed=%zu", known);
	ev_timer_init(&txn->due, on_due, 0., 0.);
	ev_io_init(&txn->written, on_written, store_fd(txn->store), EV_READ);
	ev_io_start(cell_loop_ev(call), &txn->written);
	txn->is_running = true;
	timer_arm(txn);
	return 0;
}

void txn_stop(struct txn *txn)
{
	if (!txn->is_running)
		return;
	ev_io_stop(cell_loop_ev(txn->call), &txn->written);
	ev_timer_stop(cell_loop_ev(txn->call), &txn->due);
	txn->is_running = false;
}

void txn_deinit(struct txn *txn)
{
	store_close(txn->store);
	decide_free(txn->decide);
	txn->store = NULL;
	txn->decide = NULL;
}
