/*
 * postgres: typed tables on a PostgreSQL server (proto/table.proto), and the macros that make
 * them. What lasts is the server's, but for the key file of encrypted columns.
 *
 * Settings are in postgres.conf of the state folder (conf.h).
 */
#include "postgres.h"

#include "macros.h"
#include "postgres.cell.h"
#include "twophase.h"
#include "watch.h"

#include <cell/cell.h>
#include <ev.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define RECOVER_EVERY_S 1.0
#define PRUNE_EVERY_S	60.0

struct daemon {
	struct postgres postgres;
	ev_timer recover, prune;
	bool is_recovering, is_pruning;
};

static void recover(struct cell_call *call, void *userdata)
{
	struct daemon *daemon = userdata;

	twophase_recover(cell_within_ms(call, 10000), &daemon->postgres);
	daemon->is_recovering = false;
}

static void prune(struct cell_call *call, void *userdata)
{
	struct daemon *daemon = userdata;

	watch_prune(cell_within_ms(call, 30000), &daemon->postgres);
	daemon->is_pruning = false;
}

static void watch(struct cell_call *call, void *userdata)
{
	struct daemon *daemon = userdata;

	watch_listen(call, &daemon->postgres);
}

static void on_recover(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct daemon *daemon = cell_container_of(timer, struct daemon, recover);

	(void)loop;
	(void)events;
	if (!daemon->is_recovering)
		daemon->is_recovering = cell_spawn_task(daemon->postgres.call, recover, daemon) == 0;
}

static void on_prune(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct daemon *daemon = cell_container_of(timer, struct daemon, prune);

	(void)loop;
	(void)events;
	if (!daemon->is_pruning)
		daemon->is_pruning = cell_spawn_task(daemon->postgres.call, prune, daemon) == 0;
}

static int open_files(struct postgres *postgres)
{
	const char *folder = getenv("CELL_STATEDIR");
	struct cell_error *err = cell_error_slot(postgres->call);
	char path[256];
	int r;

	if (!folder)
		return cell_refuse(postgres->call, CELL_FAILED_PRECONDITION,
				   "no state folder: CELL_STATEDIR is not set");
	(void)snprintf(path, sizeof path, "%s/postgres.conf", folder);
	r = pg_open(&postgres->pg, path, err);
	if (r)
		return r;
	(void)snprintf(path, sizeof path, "%s/keys", folder);
	return seal_open(&postgres->seal, path, err);
}

static int serve(struct daemon *daemon)
{
	struct postgres *postgres = &daemon->postgres;
	struct ev_loop *loop = cell_loop_ev(postgres->call);
	int r = cell_serve(postgres->call, &table_tables_service, &postgres_tables, postgres);

	r = r ? r : cell_serve(postgres->call, &postgres_service, &postgres_handlers, postgres);
	r = r ? r : macros_provide(postgres->call, postgres);
	r = r ? r : cell_spawn_task(postgres->call, watch, daemon);
	if (r)
		return r;
	/* What was promised before the last end is asked for at once. */
	ev_timer_init(&daemon->recover, on_recover, 0.05, RECOVER_EVERY_S);
	ev_timer_start(loop, &daemon->recover);
	ev_timer_init(&daemon->prune, on_prune, PRUNE_EVERY_S, PRUNE_EVERY_S);
	ev_timer_start(loop, &daemon->prune);
	r = cell_loop_run(postgres->call);
	ev_timer_stop(loop, &daemon->recover);
	ev_timer_stop(loop, &daemon->prune);
	return r;
}

int main(void)
{
	struct daemon daemon = { .is_pruning = false };
	struct postgres *postgres = &daemon.postgres;
	int r;

	postgres->call = cell_open("postgres");
	postgres->watch = watch_new();
	postgres->planned = planned_new();
	r = !postgres->watch || !postgres->planned || sodium_init() < 0 ? cell_refuse(postgres->call, -ENOMEM, "no memory") : 0;
	r = r ? r : open_files(postgres);
	r = r ? r : serve(&daemon);
	r = cell_exit(postgres->call, r);
	catalog_deinit(&postgres->catalog);
	pg_close(postgres->pg);
	seal_close(postgres->seal);
	watch_free(postgres->watch);
	planned_free(postgres->planned);
	return r;
}
