#include "celldb.h"

#include "sequences.h"
#include "serve.h"

#include <cell/cell.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* How often decisions that do not come are asked for. */
#define DOUBT_INTERVAL_S 1.0

static void fill_random(uint8_t out[static 16])
{
	/* Never fails for so few bytes, but may be interrupted before it has begun. */
	while (getrandom(out, 16, 0) != 16)
		;
}

/* ---- the environment ------------------------------------------------------------------------ */

/* NAME as a number, with K, M, G or T for powers of 1,024 if it is a size. */
static int number_of(struct cell_call *call, const char *name, bool is_size, uint64_t *ret)
{
	static const char units[] = "KMGT";
	const char *text = getenv(name), *unit;
	unsigned long long n;
	unsigned shift = 0;
	char *end;

	*ret = 0;
	if (!text || !*text)
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	unit = is_size && *end ? strchr(units, *end) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
	}
	if (*text < '0' || *text > '9' || *end || errno || n == 0 || n > UINT64_MAX >> shift)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "%s is '%s': no %s", name, text,
				   is_size ? "size, such as 10G" : "number");
	*ret = n << shift;
	return 0;
}

/* ---- opening ------------------------------------------------------------------------------ */

/* After each transaction of the store, on the loop. */
static void on_batch(void *userdata)
{
	struct celldb *db = userdata;
	char trouble[160];

	reader_refresh(db->reader);
	watch_wake(db);
	group_trouble(db->group, trouble);
	cell_set_health(db->call, trouble);
}

static char *seal_path(const struct celldb *db, char out[static 300])
{
	(void)snprintf(out, 300, "%s/keys", db->dir);
	return out;
}

static int parts_open(struct celldb *db, struct cell_call *call)
{
	struct cell_error *err = cell_error_slot(call);
	struct engine_options options = { .fill_random = fill_random };
	struct cell_store_options store = { .journal_bytes = CELL_STORE_JOURNAL_BYTES };
	int r = number_of(call, "CELL_CELLDB_MAX", true, &store.max_bytes);

	if (r == 0)
		r = number_of(call, "CELL_CELLDB_LOG", false, &options.log_max);
	if (r == 0)
		r = cell_store_open(&db->store, db->dir, &store, err);
	if (r == 0)
		r = seal_open(&db->engine_seal, db->keys, err);
	if (r == 0)
		r = engine_open(&db->engine, db->store, db->engine_seal, db->pulse, &options, err);
	if (r == 0)
		r = reader_open(&db->reader, db->store, db->pulse, db->keys, err);
	if (r == 0)
		r = group_start(&db->group, db->engine, db->pulse, on_batch, db, err);
	return r;
}

static void on_doubt_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct celldb *db = timer->data;

	(void)loop;
	(void)events;
	doubt_ask(db, db->call);
}

int celldb_open(struct celldb **ret, struct cell_call *call, const char *dir)
{
	struct celldb *db = calloc(1, sizeof *db);
	struct timespec now;
	int r;

	if (!db)
		return cell_refuse(call, -ENOMEM, "no memory for the database");
	db->call = call;
	db->pulse = calloc(1, sizeof *db->pulse);
	db->sequences = sequences_new();
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	db->started_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	r = !db->pulse || !db->sequences ? cell_refuse(call, -ENOMEM, "no memory for the database")
	    : strlen(dir) >= sizeof db->dir
		    ? cell_refuse(call, CELL_INVALID_ARGUMENT, "a path of %zu bytes: %s", strlen(dir), dir)
		    : 0;
	if (r == 0) {
		memcpy(db->dir, dir, strlen(dir) + 1);
		(void)seal_path(db, db->keys);
		r = parts_open(db, call);
	}
	if (r < 0) {
		celldb_close(db);
		return r;
	}
	*ret = db;
	return 0;
}

void celldb_start_asking(struct celldb *db)
{
	static ev_timer timer;

	ev_timer_init(&timer, on_doubt_timer, 0., DOUBT_INTERVAL_S);
	timer.data = db;
	ev_timer_start(cell_loop_ev(db->call), &timer);
}

void celldb_close(struct celldb *db)
{
	if (!db)
		return;
	group_stop(db->group);
	if (db->is_left)
		return; /* the end of the process takes it all; the store bears that */
	reader_close(db->reader);
	engine_close(db->engine);
	seal_close(db->engine_seal);
	cell_store_close(db->store);
	sequences_free(db->sequences);
	free(db->pulse);
	free(db);
}
