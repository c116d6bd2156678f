/*
 * Transfers between participants, by clients, through a coordinator; a network that loses,
 * delays and repeats; and any of them crashes and comes back, at any step. All participants
 * agree about each transaction, a commit that was acknowledged is never lost, one that was
 * refused never happens, money is conserved, and 5 s after all are back nothing is in doubt.
 *
 *	SIM_SEEDS=N    how many runs (default 300)
 *	SIM_SEED=N     only this one
 *
 * A run that fails prints its seed, step and the claim that did not hold. The first runs are
 * no throw of dice: in a quiet world, each party crashes behind each step.
 */
#include "txn/decide.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTICIPANTS 3
#define CLIENTS      4
#define TXNS_MAX     400
#define EVENTS_MAX   8192
#define START_MONEY  1000
#define SECOND       1000

enum {
	COORDINATOR = 0,
	FIRST_PARTICIPANT = 1,
	FIRST_CLIENT = 1 + PARTICIPANTS,
	NODES = FIRST_CLIENT + CLIENTS
};

enum kind {
	/* Messages. */
	BEGIN,
	BEGUN,
	PREPARE,
	PREPARED,
	COMMIT,
	COMMITTED,
	ABORT,
	OUTCOME,
	OUTCOME_REPLY,
	DECIDE,
	DECIDED,
	/* What a node waits for; gone when it crashes. */
	CLIENT_TIMER,
	ASK_TIMER,
	COORDINATOR_TIMER,
	LOG_DONE,
	TELL_TIMEOUT,
	/* What happens to it. */
	RESTART
};

struct event {
	uint64_t at;
	uint64_t order; /* of those at the same time */
	enum kind kind;
	int from, to;
	unsigned life; /* of TO, for what goes when it crashes */
	int txn;       /* -1 = none */
	uint64_t tag;  /* of the request that is answered */
	int code;
	bool is_commit;
};

enum verdict { UNDECIDED, DID_COMMIT, DID_ABORT };

/* What an onlooker knows of a transaction. */
struct txn {
	uint8_t id[DECIDE_ID_BYTES];
	int client, parts[2];
	bool is_acknowledged, is_refused;
	enum verdict verdicts[PARTICIPANTS];
};

struct participant {
	/* On its disk. */
	int prepared; /* the transaction that has its account locked; -1 = none */
	int64_t balance, delta;
};

enum phase { IDLE, BEGINNING, PREPARING, COMMITTING };

struct client {
	enum phase phase;
	int txn;
	uint64_t tag, until;
	bool is_prepared[2];
};

struct waiter {
	int client, txn;
	uint64_t tag;
};

struct tell {
	uint64_t tag;
	int participant, txn;
	bool is_commit;
};

/* ---- The world of one run
 * ------------------------------------------------------------------ */

static uint64_t seed, step, draws, now, orders, tags;
static unsigned loss, repeats, crashes; /* percent; per mille */
static int crash_at, crash_whom;        /* the one crash of a quiet world; -1 = none */
static struct event events[EVENTS_MAX];
static size_t n_events;
static struct txn txns[TXNS_MAX];
static int n_txns;
static bool is_up[NODES];
static unsigned lives[NODES];
static struct participant participants[PARTICIPANTS];
static struct client clients[CLIENTS];
static bool is_winding_down; /* clients begin nothing new */

/* The coordinator's, in memory. */
static uint64_t timer_at; /* the nearest that was set; UINT64_MAX = none */
static struct decide *decide;
static struct waiter waiters[64];
static size_t n_waiters;
static struct tell tells[DECIDE_TELLS_MAX];
static size_t n_tells;
static int logging[TXNS_MAX];
static size_t n_logging;
/* And on its disk. */
static bool logged[TXNS_MAX];

static uint64_t n_committed, n_refused, n_unknown, n_in_doubt, n_recovered;

#define claim(condition)                                                                     \
	do {                                                                                 \
		if (!(condition)) {                                                          \
			fprintf(stderr,                                                      \
				"seed %" PRIu64 ", step %" PRIu64 ", at %" PRIu64            \
				" ms (crash of %d at %d): %s:%d: not so: %s\n",              \
				seed, step, now, crash_whom, crash_at, __FILE__, __LINE__,   \
				#condition);                                                 \
			exit(1);                                                             \
		}                                                                            \
	} while (0)

/* SplitMix64: any seed is a good one. */
static uint64_t draw(uint64_t below)
{
	uint64_t z = (seed * UINT64_C(0xbf58476d1ce4e5b9)) +
		     ++draws * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % below;
}

static bool chance(unsigned per_mille)
{
	return draw(1000) < per_mille;
}

static void post(struct event event, uint64_t in_ms)
{
	claim(n_events < EVENTS_MAX);
	event.at = now + in_ms;
	event.order = ++orders;
	event.life = lives[event.to];
	events[n_events++] = event;
}

/* Over the network: lost, late, twice. */
static void post_message(struct event event)
{
	if (chance(loss * 10))
		return;
	post(event, 1 + draw(loss ? 300 : 5));
	if (chance(repeats * 10))
		post(event, 1 + draw(2000));
}

static struct event take(void)
{
	size_t first = 0;
	struct event event;

	for (size_t i = 1; i < n_events; i++)
		if (events[i].at < events[first].at ||
		    (events[i].at == events[first].at &&
		     events[i].order < events[first].order))
			first = i;
	event = events[first];
	events[first] = events[--n_events];
	return event;
}

static int txn_by_id(const uint8_t *id)
{
	for (int i = 0; i < n_txns; i++)
		if (memcmp(txns[i].id, id, DECIDE_ID_BYTES) == 0)
			return i;
	return -1;
}

static const char *name_of(int node)
{
	static const char *const names[NODES] = { "txn", "a", "b", "c", "w", "x", "y", "z" };

	return names[node];
}

/* ---- Participants
 * -------------------------------------------------------------------------- */

/* It carries out a decision, once and for all; the onlooker compares. */
static void participant_decides(int node, int txn, bool is_commit)
{
	struct participant *participant = &participants[node - FIRST_PARTICIPANT];
	enum verdict verdict = is_commit ? DID_COMMIT : DID_ABORT;
	enum verdict *mine = &txns[txn].verdicts[node - FIRST_PARTICIPANT];

	if (participant->prepared != txn)
		return;
	/* A prepare that came again after it was given up is given up again. */
	claim(*mine == UNDECIDED || (*mine == DID_ABORT && !is_commit));
	*mine = verdict;
	for (int i = 0; i < PARTICIPANTS; i++)
		claim(txns[txn].verdicts[i] == UNDECIDED || txns[txn].verdicts[i] == verdict);
	claim(!(is_commit && txns[txn].is_refused));
	claim(!(!is_commit && txns[txn].is_acknowledged));
	participant->prepared = -1;
	if (is_commit)
		participant->balance += participant->delta;
}

static void on_prepare(const struct event *in)
{
	struct participant *participant = &participants[in->to - FIRST_PARTICIPANT];
	struct event out = { .kind = PREPARED,
			     .from = in->to,
			     .to = in->from,
			     .txn = in->txn,
			     .tag = in->tag };

	/* What it has committed it remembers: sent again, it is answered as before. */
	if (txns[in->txn].verdicts[in->to - FIRST_PARTICIPANT] != DID_COMMIT &&
	    participant->prepared != in->txn) {
		if (participant->prepared >= 0) {
			out.code = CELL_ABORTED;
		} else {
			participant->prepared = in->txn;
			participant->delta = txns[in->txn].parts[0] == in->to ? -1 : 1;
			post((struct event){ .kind = ASK_TIMER,
					     .to = in->to,
					     .txn = in->txn },
			     SECOND);
		}
	}
	post_message(out);
}

static void on_ask_timer(const struct event *in)
{
	if (participants[in->to - FIRST_PARTICIPANT].prepared != in->txn)
		return;
	n_in_doubt++;
	post_message((struct event){
		.kind = OUTCOME, .from = in->to, .to = COORDINATOR, .txn = in->txn });
	post(*in, SECOND);
}

static void participant_restarts(int node)
{
	int prepared = participants[node - FIRST_PARTICIPANT].prepared;

	if (prepared >= 0)
		post((struct event){ .kind = ASK_TIMER, .to = node, .txn = prepared }, 0);
}

/* ---- The coordinator
 * ----------------------------------------------------------------------- */

static void carry_out(const struct decide_effects *effects);

static void coordinator_timer(void)
{
	uint64_t due = decide_due_ms(decide);

	if (due >= timer_at)
		return;
	timer_at = due;
	post((struct event){ .kind = COORDINATOR_TIMER, .to = COORDINATOR, .txn = -1 },
	     due > now ? due - now : 0);
}

static int feed(const struct decide_event *event)
{
	struct decide_effects effects;
	struct cell_error err = { 0 };
	int r = decide_step(decide, event, now, &effects, &err);

	claim(r == 0 || (r == err.code && err.text[0]));
	claim(r == 0 || effects.n == 0);
	carry_out(&effects);
	return r;
}

static void answer(int txn, int code)
{
	for (size_t i = 0; i < n_waiters; i++) {
		if (waiters[i].txn != txn)
			continue;
		post_message((struct event){ .kind = COMMITTED,
					     .from = COORDINATOR,
					     .to = waiters[i].client,
					     .txn = txn,
					     .tag = waiters[i].tag,
					     .code = code });
		waiters[i--] = waiters[--n_waiters];
	}
}

static void carry_out(const struct decide_effects *effects)
{
	for (size_t i = 0; i < effects->n; i++) {
		const struct decide_effect *effect = &effects->items[i];
		int to = FIRST_PARTICIPANT, txn = txn_by_id(effect->id);

		switch (effect->kind) {
		case DECIDE_LOG:
			logging[n_logging++] = txn;
			post((struct event){ .kind = LOG_DONE,
					     .to = COORDINATOR,
					     .txn = txn,
					     .code = chance(loss) ? CELL_RESOURCE_EXHAUSTED
								  : 0 },
			     draw(20));
			break;
		case DECIDE_FORGET: logged[txn] = false; break;
		case DECIDE_ANSWER:
			claim(effect->code || logged[txn]);
			answer(txn, effect->code);
			break;
		case DECIDE_TELL:
			claim(!effect->is_commit || logged[txn]);
			claim(n_tells < DECIDE_TELLS_MAX);
			while (strcmp(name_of(to), effect->participant) != 0)
				to++;
			tells[n_tells++] =
				(struct tell){ ++tags, to, txn, effect->is_commit };
			post_message((struct event){ .kind = DECIDE,
						     .from = COORDINATOR,
						     .to = to,
						     .txn = txn,
						     .tag = tags,
						     .is_commit = effect->is_commit });
			post((struct event){ .kind = TELL_TIMEOUT,
					     .to = COORDINATOR,
					     .txn = txn,
					     .tag = tags },
			     2 * SECOND);
			break;
		}
	}
	coordinator_timer();
}

static void on_begin(const struct event *in)
{
	static const int pairs[][2] = { { 0, 1 }, { 1, 2 }, { 2, 0 },
					{ 1, 0 }, { 2, 1 }, { 0, 2 } };
	const int *pair = pairs[draw(6)];
	struct txn *txn = &txns[n_txns];
	const char *names[2];
	struct decide_event event = { .kind = DECIDE_BEGIN,
				      .id = txn->id,
				      .owner = name_of(in->from),
				      .n_participants = 2,
				      .participants = names };

	if (n_txns == TXNS_MAX)
		return;
	*txn = (struct txn){ .client = in->from };
	for (int i = 0; i < 2; i++) {
		txn->parts[i] = FIRST_PARTICIPANT + pair[i];
		names[i] = name_of(txn->parts[i]);
	}
	for (size_t i = 0; i < DECIDE_ID_BYTES; i++)
		txn->id[i] = (uint8_t)draw(256);
	n_txns++;
	claim(feed(&event) == 0);
	post_message((struct event){ .kind = BEGUN,
				     .from = COORDINATOR,
				     .to = in->from,
				     .txn = n_txns - 1,
				     .tag = in->tag });
}

static void on_commit(const struct event *in)
{
	struct decide_event event = { .kind = DECIDE_COMMIT,
				      .id = txns[in->txn].id,
				      .owner = name_of(in->from) };
	int r;

	claim(n_waiters < sizeof waiters / sizeof waiters[0]);
	waiters[n_waiters++] = (struct waiter){ in->from, in->txn, in->tag };
	r = feed(&event);
	if (r == 0)
		return;
	n_waiters--;
	post_message((struct event){ .kind = COMMITTED,
				     .from = COORDINATOR,
				     .to = in->from,
				     .txn = in->txn,
				     .tag = in->tag,
				     .code = r });
}

static void on_outcome(const struct event *in)
{
	struct decide_view view;
	int stage = decide_find(decide, txns[in->txn].id, &view) ? (int)view.stage : -1;

	/* A code: what it says of the transaction. Not decided yet says nothing. */
	if (stage == DECIDE_COMMITTED || stage < 0)
		post_message((struct event){ .kind = OUTCOME_REPLY,
					     .from = COORDINATOR,
					     .to = in->from,
					     .txn = in->txn,
					     .is_commit = stage == DECIDE_COMMITTED });
}

static void told(uint64_t tag, int code)
{
	struct decide_event event = { .kind = DECIDE_TOLD, .code = code, .version = 1 };

	for (size_t i = 0; i < n_tells; i++) {
		struct tell tell = tells[i];

		if (tell.tag != tag)
			continue;
		tells[i] = tells[--n_tells];
		event.id = txns[tell.txn].id;
		event.participant = name_of(tell.participant);
		event.is_commit = tell.is_commit;
		(void)feed(&event);
		return;
	}
}

static void on_log_done(const struct event *in)
{
	struct decide_event event = { .kind = DECIDE_LOGGED,
				      .id = txns[in->txn].id,
				      .code = in->code };
	size_t i = 0;

	while (logging[i] != in->txn)
		i++;
	logging[i] = logging[--n_logging];
	logged[in->txn] = in->code == 0;
	(void)feed(&event);
}

static void coordinator_crashes(void)
{
	/* What was being written is on the disk, or not. */
	while (n_logging)
		if (chance(500))
			logged[logging[--n_logging]] = true;
		else
			n_logging--;
	n_waiters = n_tells = 0;
	decide_free(decide);
	decide = NULL;
}

static void coordinator_restarts(void)
{
	decide = decide_new();
	claim(decide);
	timer_at = UINT64_MAX;
	for (int i = 0; i < n_txns; i++) {
		const char *names[2] = { name_of(txns[i].parts[0]),
					 name_of(txns[i].parts[1]) };
		struct decide_event event = { .kind = DECIDE_RECOVER,
					      .id = txns[i].id,
					      .owner = name_of(txns[i].client),
					      .n_participants = 2,
					      .participants = names };

		if (!logged[i])
			continue;
		n_recovered++;
		claim(feed(&event) == 0);
	}
}

/* ---- Clients
 * ------------------------------------------------------------------------------- */

static void client_timer(int node, uint64_t in_ms)
{
	struct client *client = &clients[node - FIRST_CLIENT];

	client->tag = ++tags;
	post((struct event){ .kind = CLIENT_TIMER,
			     .to = node,
			     .txn = client->txn,
			     .tag = client->tag },
	     in_ms);
}

static void client_sends(int node, enum kind kind, int to)
{
	const struct client *client = &clients[node - FIRST_CLIENT];

	post_message((struct event){ .kind = kind,
				     .from = node,
				     .to = to,
				     .txn = client->txn,
				     .tag = client->tag });
}

static void client_rests(int node)
{
	clients[node - FIRST_CLIENT].phase = IDLE;
	clients[node - FIRST_CLIENT].txn = -1;
	client_timer(node, draw(300));
}

static void client_prepares(int node)
{
	const struct client *client = &clients[node - FIRST_CLIENT];

	for (int i = 0; i < 2; i++)
		if (!client->is_prepared[i])
			client_sends(node, PREPARE, txns[client->txn].parts[i]);
}

/* Time to begin, to send again, or to give up. */
static void on_client_timer(const struct event *in)
{
	struct client *client = &clients[in->to - FIRST_CLIENT];

	if (in->tag != client->tag)
		return;
	if (client->phase == IDLE) {
		if (is_winding_down)
			return;
		client->phase = BEGINNING;
		client->until = now + 2 * SECOND;
		client_timer(in->to, 500);
		client_sends(in->to, BEGIN, COORDINATOR);
		return;
	}
	if (now >= client->until) {
		n_unknown += client->phase == COMMITTING;
		if (client->phase == PREPARING)
			client_sends(in->to, ABORT, COORDINATOR);
		client_rests(in->to);
		return;
	}
	client_timer(in->to, 500);
	if (client->phase == BEGINNING)
		client_sends(in->to, BEGIN, COORDINATOR);
	else if (client->phase == PREPARING)
		client_prepares(in->to);
	else
		client_sends(in->to, COMMIT, COORDINATOR);
}

static void on_begun(const struct event *in)
{
	struct client *client = &clients[in->to - FIRST_CLIENT];

	if (client->phase != BEGINNING)
		return;
	*client = (struct client){ .phase = PREPARING,
				   .txn = in->txn,
				   .until = now + 2 * SECOND };
	client_timer(in->to, 500);
	client_prepares(in->to);
}

static void on_prepared(const struct event *in)
{
	struct client *client = &clients[in->to - FIRST_CLIENT];

	if (client->phase != PREPARING || in->txn != client->txn)
		return;
	if (in->code) {
		client_sends(in->to, ABORT, COORDINATOR);
		client_rests(in->to);
		return;
	}
	client->is_prepared[in->from == txns[client->txn].parts[1]] = true;
	if (!client->is_prepared[0] || !client->is_prepared[1])
		return;
	client->phase = COMMITTING;
	client->until = now + 6 * SECOND;
	client_timer(in->to, 1500);
	client_sends(in->to, COMMIT, COORDINATOR);
}

static void on_committed(const struct event *in)
{
	struct client *client = &clients[in->to - FIRST_CLIENT];
	struct txn *txn = &txns[in->txn];

	if (client->phase != COMMITTING || in->txn != client->txn)
		return;
	n_committed += in->code == 0;
	n_refused += in->code != 0;
	*(in->code ? &txn->is_refused : &txn->is_acknowledged) = true;
	claim(!txn->is_refused || !txn->is_acknowledged);
	for (int i = 0; i < PARTICIPANTS; i++) {
		claim(!(txn->is_refused && txn->verdicts[i] == DID_COMMIT));
		claim(!(txn->is_acknowledged && txn->verdicts[i] == DID_ABORT));
	}
	client_rests(in->to);
}

/* ---- Time goes by
 * -------------------------------------------------------------------------- */

static void crash(int node)
{
	if (!is_up[node])
		return;
	is_up[node] = false;
	lives[node]++;
	if (node == COORDINATOR)
		coordinator_crashes();
	post((struct event){ .kind = RESTART, .to = node, .txn = -1 }, 1 + draw(8000));
}

static void restart(int node)
{
	is_up[node] = true;
	if (node == COORDINATOR)
		coordinator_restarts();
	else if (node < FIRST_CLIENT)
		participant_restarts(node);
	else
		client_rests(node);
}

static void handle(const struct event *in)
{
	struct decide_event event = { 0 };

	switch (in->kind) {
	case BEGIN: on_begin(in); break;
	case BEGUN: on_begun(in); break;
	case PREPARE: on_prepare(in); break;
	case PREPARED: on_prepared(in); break;
	case COMMIT: on_commit(in); break;
	case COMMITTED: on_committed(in); break;
	case ABORT:
		event = (struct decide_event){ .kind = DECIDE_ABORT,
					       .id = txns[in->txn].id,
					       .owner = name_of(in->from) };
		(void)feed(&event);
		break;
	case OUTCOME: on_outcome(in); break;
	case OUTCOME_REPLY: participant_decides(in->to, in->txn, in->is_commit); break;
	case DECIDE:
		participant_decides(in->to, in->txn, in->is_commit);
		post_message((struct event){ .kind = DECIDED,
					     .from = in->to,
					     .to = COORDINATOR,
					     .txn = in->txn,
					     .tag = in->tag });
		break;
	case DECIDED: told(in->tag, 0); break;
	case CLIENT_TIMER: on_client_timer(in); break;
	case ASK_TIMER: on_ask_timer(in); break;
	case COORDINATOR_TIMER:
		event.kind = DECIDE_TIME;
		timer_at = UINT64_MAX;
		(void)feed(&event);
		break;
	case LOG_DONE: on_log_done(in); break;
	case TELL_TIMEOUT: told(in->tag, CELL_UNAVAILABLE); break;
	case RESTART: restart(in->to); break;
	}
}

static void run_until(uint64_t until)
{
	while (n_events) {
		struct event event = take();

		if (event.at > until) {
			events[n_events++] = event;
			break;
		}
		now = event.at;
		step++;
		/* Nobody is there to hear it, or it was meant for a former life. */
		if (event.kind != RESTART && !is_up[event.to])
			continue;
		if (event.kind >= CLIENT_TIMER && event.life != lives[event.to])
			continue;
		handle(&event);
		if (crash_at >= 0 && step == (uint64_t)crash_at)
			crash(crash_whom);
		if (chance(crashes))
			crash((int)draw(NODES));
	}
	now = until;
}

/* All are back and the network is good: 5 s later nothing is in doubt. */
static void settle(void)
{
	int64_t sum = 0;

	loss = repeats = crashes = 0;
	for (int i = 0; i < NODES; i++)
		if (!is_up[i])
			restart(i);
	for (size_t i = 0; i < n_events; i++)
		if (events[i].kind == RESTART)
			events[i--] = events[--n_events];
	is_winding_down = true;
	/* Whoever prepares now is decided 3 s later, and then comes what was promised. */
	run_until(now + 3 * SECOND);
	run_until(now + 5 * SECOND);
	for (int i = 0; i < PARTICIPANTS; i++) {
		claim(participants[i].prepared < 0);
		sum += participants[i].balance;
	}
	claim(sum == PARTICIPANTS * START_MONEY);
	for (int i = 0; i < n_txns; i++) {
		if (!txns[i].is_acknowledged)
			continue;
		for (int p = 0; p < 2; p++)
			claim(txns[i].verdicts[txns[i].parts[p] - FIRST_PARTICIPANT] ==
			      DID_COMMIT);
	}
	is_winding_down = false;
	for (int i = FIRST_CLIENT; i < NODES; i++)
		if (clients[i - FIRST_CLIENT].phase == IDLE)
			client_timer(i, draw(300));
}

static void begin_world(uint64_t the_seed)
{
	seed = the_seed;
	step = draws = now = orders = tags = 0;
	n_events = n_waiters = n_tells = n_logging = 0;
	n_txns = 0;
	memset(logged, 0, sizeof logged);
	memset(clients, 0, sizeof clients);
	crash_at = crash_whom = -1;
	is_winding_down = false;
	for (int i = 0; i < PARTICIPANTS; i++)
		participants[i] =
			(struct participant){ .prepared = -1, .balance = START_MONEY };
	for (int i = 0; i < NODES; i++) {
		lives[i] = 0;
		restart(i);
	}
}

static void end_world(void)
{
	settle();
	/* And what all know is forgotten, on the disk, too. */
	is_winding_down = true;
	run_until(now + 2 * DECIDE_KEEP_MS);
	claim(decide_counts(decide).known == 0);
	for (int i = 0; i < n_txns; i++)
		claim(!logged[i]);
	claim(decide_due_ms(decide) == UINT64_MAX);
	decide_free(decide);
}

/* One crash, of each party behind each step, in a world that is quiet otherwise. */
static void crash_each_at_each_step(void)
{
	for (int whom = 0; whom < FIRST_CLIENT + 1; whom++)
		for (int at = 1; at < 200; at++) {
			begin_world(1);
			loss = repeats = crashes = 0;
			crash_at = at;
			crash_whom = whom;
			run_until(4 * SECOND);
			end_world();
		}
}

static void one_world(uint64_t the_seed)
{
	begin_world(the_seed);
	for (int round = 0; round < 3; round++) {
		loss = (unsigned)draw(15);
		repeats = (unsigned)draw(15);
		crashes = (unsigned)draw(12);
		run_until(now + 10 * SECOND + draw(20 * SECOND));
		settle();
	}
	end_world();
}

int main(void)
{
	const char *only = getenv("SIM_SEED"), *many = getenv("SIM_SEEDS");
	uint64_t seeds = many ? strtoull(many, NULL, 10) : 300;

	if (only) {
		one_world(strtoull(only, NULL, 10));
		return 0;
	}
	crash_each_at_each_step();
	for (uint64_t i = 1; i <= seeds; i++)
		one_world(i);
	if (many)
		printf("%" PRIu64 " committed, %" PRIu64 " refused, %" PRIu64 " never heard, "
		       "%" PRIu64 " questions in doubt, %" PRIu64 " recovered\n",
		       n_committed, n_refused, n_unknown, n_in_doubt, n_recovered);
	/* The dice were good for something. */
	claim(n_committed > seeds * 10 && n_refused && n_unknown && n_in_doubt &&
	      n_recovered);
	return 0;
}
