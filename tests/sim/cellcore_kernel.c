/*
 * A node at random: cells that start, hang, crash, drain or do not; clients that connect,
 * close, cancel and go; a clock that jumps. After every step the books must balance.
 *
 *	SIM_SEEDS=N    how many runs (default 200)
 *	SIM_SEED=N     only this one
 *	SIM_STEPS=N    steps of each (default 2000)
 *
 * A run that fails prints its seed, step and the claim that did not hold.
 */
#include "cellcore/broker.h"
#include "cellcore/kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define CELLS 8
#define CLIENTS 6

static uint64_t seed, step;

#define claim(condition)                                                              \
	do {                                                                          \
		if (!(condition)) {                                                   \
			fprintf(stderr, "seed %" PRIu64 ", step %" PRIu64 ": %s:%d: not so: %s\n", \
				seed, step, __FILE__, __LINE__, #condition);          \
			exit(1);                                                      \
		}                                                                     \
	} while (0)

/* One run's world. Outside clients are askers 0 … CLIENTS - 1. */
static struct conf conf;
static struct kernel kernel;
static struct kernel_asker clients[CLIENTS];
static struct cell_manifest *manifests[CELLS];
static uint64_t now, draws;
static size_t submitted, answered;

/* SplitMix64: any seed is a good one. */
static uint64_t draw(uint64_t below)
{
	uint64_t z = (seed * UINT64_C(0xbf58476d1ce4e5b9)) +
		     ++draws * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % below;
}

static bool chance(unsigned percent)
{
	return draw(100) < percent;
}

static const char *name_of(uint64_t i)
{
	static const char *const names[CELLS + 1] = { "alpha", "bank", "celldb", "dht", "echo",
						      "far",   "log",  "nucleus", "absent" };

	return names[i];
}

/* ---- the world ----------------------------------------------------------------------------- */

static struct cell_manifest *manifest_make(uint64_t i)
{
	static const char *const restarts[] = { "always", "on-failure", "never" };
	struct cell_manifest *manifest;
	struct cell_error err = { 0 };
	unsigned instances = 1 + (unsigned)draw(3);
	char text[2048];
	int n = snprintf(text, sizeof text,
			 "[cell]\nname = %s\nexec = /bin/true\nstart = %s\nrestart = %s\n"
			 "instances = %u\nmax-instances = %u\nready-timeout = %us\n"
			 "drain-timeout = %us\n[uses]\n",
			 name_of(i), chance(30) ? "boot" : "demand", restarts[draw(3)], instances,
			 instances + (unsigned)draw(4), 1 + (unsigned)draw(10), (unsigned)draw(10));

	for (uint64_t to = 0; to < CELLS; to++)
		if (to != i && chance(30))
			n += snprintf(text + n, sizeof text - (size_t)n, "%s = app\n", name_of(to));
	claim(cell_manifest_parse(&manifest, text, (size_t)n, "sim", &err) == 0);
	return manifest;
}

static void world_new(void)
{
	conf_init(&conf);
	strcpy(conf.log, "log");
	strcpy(conf.resolver, "nucleus");
	conf.limits_owner.max[QUOTA_CONNECTIONS] = 20;
	conf.limits_owner.max[QUOTA_PENDING] = 10;
	now = 1000 * SECOND;
	draws = submitted = answered = 0;
	claim(kernel_init(&kernel, &conf, NULL, NULL) == 0);
	kernel.random = (uint32_t)seed;
	for (uint64_t i = 0; i < CELLS; i++) {
		manifests[i] = manifest_make(i);
		kernel_cell_add(&kernel, name_of(i))->manifest = manifests[i];
	}
	for (uint32_t i = 0; i < CLIENTS; i++) {
		memset(&clients[i], 0, sizeof clients[i]);
		broker_asker_init(&clients[i]);
		clients[i].is_owner = true;
		clients[i].uid = i % 2;
		clients[i].quota = kernel_quota_uid(&kernel, i % 2, true);
	}
	kernel_boot(&kernel, now);
}

static struct kernel_instance *any_instance(void)
{
	struct kernel_instance *instance, *chosen = NULL;
	uint64_t n = 0;

	list_walk(instance, &kernel.instances, struct kernel_instance, in_all)
		if (instance->has_process && !(instance->work & KERNEL_WORK_SPAWN) &&
		    draw(++n) == 0)
			chosen = instance;
	return chosen;
}

static struct kernel_asker *any_asker(void)
{
	struct kernel_instance *instance = chance(50) ? any_instance() : NULL;

	return instance && instance->asker ? instance->asker : &clients[draw(CLIENTS)];
}

/* ---- what can happen -------------------------------------------------------------------------- */

static void control_gone(struct kernel_instance *instance)
{
	struct kernel_asker *asker = instance->asker;

	if (!asker)
		return;
	broker_asker_deinit(&kernel, asker);
	quota_unref(asker->quota);
	instance->asker = NULL;
	if (strcmp(instance->cell->name, conf.resolver) == 0)
		broker_resolver_lost(&kernel);
	free(asker);
}

static void instance_ends(struct kernel_instance *instance, bool is_clean)
{
	struct kernel_end end = { .is_clean = is_clean, .reason = "as it pleased" };

	control_gone(instance);
	kernel_instance_ended(&kernel, instance, &end, now);
	claim(list_is_empty(&instance->served));
	claim(instance->n_held == 0 && instance->n_links == 0);
	claim(instance->state == KERNEL_BACKOFF || instance->state == KERNEL_FAILED ||
	      instance->state == KERNEL_GONE);
	if (instance->state == KERNEL_BACKOFF) {
		claim(instance->deadline_ns >= now + 100 * MS);
		claim(instance->deadline_ns <= now + 37500 * MS);
	}
	if (instance->was_asked_to_end)
		claim(instance->state == KERNEL_GONE);
}

static void do_submit(void)
{
	struct kernel_request *request = calloc(1, sizeof *request);
	uint64_t what = draw(10);

	request->order = what < 7 ? KERNEL_CONNECT : what < 9 ? KERNEL_SPAWN : KERNEL_RETIRE;
	request->asker = any_asker();
	request->stream = -1;
	request->call_id = draw(20) + 1;
	snprintf(request->cell_name, sizeof request->cell_name, "%s", name_of(draw(CELLS + 1)));
	if (chance(20))
		request->instance_id = draw(kernel.next_instance) + 1;
	if (chance(30))
		request->deadline_ns = now + draw(5 * SECOND) + 1;
	request->no_spawn = chance(10);
	request->only_if_none = chance(50);
	request->kill = chance(20);
	for (; request->n_excluded < KERNEL_EXCLUDED_MAX && chance(20); request->n_excluded++)
		request->excluded[request->n_excluded] = draw(kernel.next_instance) + 1;
	submitted++;
	broker_submit(&kernel, request, now);
}

static void do_ready(void)
{
	struct kernel_instance *instance = any_instance();

	if (!instance || instance->asker || instance->state != KERNEL_STARTING)
		return;
	instance->asker = calloc(1, sizeof *instance->asker);
	broker_asker_init(instance->asker);
	instance->asker->instance = instance;
	instance->asker->quota = kernel_quota_cell(&kernel, instance->cell);
	kernel_instance_ready(&kernel, instance, now);
	claim(instance->state == KERNEL_READY);
}

static void do_end(void)
{
	struct kernel_instance *instance = any_instance();

	if (!instance)
		return;
	if (chance(30)) {
		control_gone(instance);
		kernel_instance_lost(&kernel, instance, NULL, now);
		claim(instance->state != KERNEL_READY && instance->state != KERNEL_STARTING);
	} else {
		instance_ends(instance, chance(40));
	}
}

static void do_close(void)
{
	struct kernel_instance *instance = any_instance();
	struct kernel_link *link;
	uint64_t id;

	(void)broker_closed(&kernel, any_asker(), draw(kernel.next_link) + 1);
	if (!instance || list_is_empty(&instance->served))
		return;
	link = list_first(&instance->served, struct kernel_link, in_server);
	id = link->id;
	if (link->client && chance(50))
		claim(broker_closed(&kernel, link->client, id));
	if (instance->asker && chance(70)) {
		claim(broker_closed(&kernel, instance->asker, id));
		claim(!broker_closed(&kernel, instance->asker, id));
	}
}

static void do_leave(void)
{
	struct kernel_asker *client = &clients[draw(CLIENTS)];

	broker_asker_deinit(&kernel, client);
	claim(list_is_empty(&client->requests) && list_is_empty(&client->links));
}

static void do_pass(void)
{
	static const uint64_t steps[] = { MS, 20 * MS, 150 * MS, SECOND, 5 * SECOND, 90 * SECOND };

	now += draw(steps[draw(6)]) + 1;
	kernel_tick(&kernel, now);
	claim(kernel.deadline_ns == 0 || kernel.deadline_ns > now);
}

static void do_resolve(void)
{
	struct cell_error why = { .code = chance(50) ? CELL_NOT_FOUND : CELL_INTERNAL };

	broker_resolved(&kernel, draw(submitted + 1), NULL, &why);
}

/* ---- what the daemon would do ------------------------------------------------------------------- */

/*
 * CELL was told to drain because the node stops: then nobody runs who uses it, unless it is
 * on its way out as well (they may use each other in a circle, or time is up).
 */
static void claim_consumers_first(const struct kernel_cell *cell)
{
	const struct kernel_instance *instance;

	list_walk(instance, &kernel.instances, struct kernel_instance, in_all) {
		const struct cell_manifest *manifest = instance->cell->manifest;
		struct cell_channels uses = cell_manifest_uses(manifest, cell->name, false);

		if (instance->cell == cell || !instance->has_process || instance->was_asked_to_end)
			continue;
		/* The log goes last, whatever it uses. */
		claim(strcmp(cell->name, conf.log) != 0);
		claim(cell_channels_is_empty(&uses) ||
		      strcmp(instance->cell->name, conf.log) == 0);
	}
}

static void settle(void)
{
	struct kernel_instance *instance;
	struct kernel_request *request;
	unsigned work;

	do {
		while ((request = broker_next_outcome(&kernel))) {
			if (request->outcome == KERNEL_ASK) {
				request->resolve_id = draw(submitted + 1);
				continue;
			}
			claim(request->outcome != KERNEL_WAITS);
			claim(request->outcome != KERNEL_REFUSED || request->err.code < 0);
			claim(request->outcome != KERNEL_REFUSED || request->err.text[0]);
			claim(request->outcome != KERNEL_DONE || request->instance);
			claim(!request->is_pending);
			answered++;
			broker_request_deinit(request);
			free(request);
		}
		instance = kernel_next_work(&kernel, now, &work);
		if (!instance)
			continue;
		claim(instance->has_process);
		if (work & KERNEL_WORK_SPAWN) {
			claim(!kernel.is_stopping);
			if (chance(5))
				instance_ends(instance, false);
			else
				kernel_instance_spawned(&kernel, instance, now);
		} else if (work & KERNEL_WORK_KILL) {
			if (chance(90))
				instance_ends(instance, false);
		} else {
			if (kernel.is_stopping && (work & KERNEL_WORK_DRAIN))
				claim_consumers_first(instance->cell);
			if (chance(60))
				instance_ends(instance, true);
		}
	} while (instance || !list_is_empty(&kernel.outcomes));
	kernel_forget(&kernel, chance(50) ? kernel.next_change : draw(kernel.next_change + 1));
}

/* ---- what must hold ------------------------------------------------------------------------------ */

static size_t waiting_count(const struct list *list)
{
	const struct kernel_request *request;
	size_t n = 0;

	list_walk(request, list, struct kernel_request, in_wait) {
		claim(request->is_pending && request->asker);
		claim(!request->deadline_ns || request->deadline_ns > now || !kernel.deadline_ns ||
		      kernel.deadline_ns <= request->deadline_ns);
		n++;
	}
	return n;
}

static void claim_quotas(size_t waiting)
{
	const struct quota *quota;
	uint64_t connections = 0, ring_bytes = 0, pending = 0;

	list_walk(quota, &kernel.quotas, struct quota, in_quotas) {
		claim(quota->used[QUOTA_CONNECTIONS] <= quota->limits.max[QUOTA_CONNECTIONS]);
		claim(quota->used[QUOTA_PENDING] <= quota->limits.max[QUOTA_PENDING]);
		connections += quota->used[QUOTA_CONNECTIONS];
		ring_bytes += quota->used[QUOTA_RING_BYTES];
		pending += quota->used[QUOTA_PENDING];
	}
	claim(connections == kernel.n_links);
	claim(ring_bytes == kernel.n_links * CELL_RING_CHARGE_BYTES);
	claim(pending == waiting);
}

static void claim_instances(void)
{
	const struct kernel_instance *instance;
	const struct kernel_link *link;
	uint64_t last_id = 0, last_change = 0;
	size_t links = 0, listed = 0, changed = 0;

	list_walk(instance, &kernel.instances, struct kernel_instance, in_all) {
		uint32_t held = 0, open = 0;

		claim(instance->id > last_id);
		last_id = instance->id;
		list_walk(link, &instance->served, struct kernel_link, in_server) {
			held++;
			open += !link->client_closed;
		}
		claim(held == instance->n_held && open == instance->n_links);
		claim(instance->has_process || held == 0);
		claim(instance->has_process ==
		      (instance->state == KERNEL_STARTING || instance->state == KERNEL_READY ||
		       instance->state == KERNEL_DRAINING));
		/* What ends comes to an end by itself, whatever the process does. */
		claim(instance->ending == KERNEL_NOT_ENDING || instance->deadline_ns);
		claim(instance->state != KERNEL_BACKOFF || instance->deadline_ns);
		claim(!instance->deadline_ns || kernel.deadline_ns <= instance->deadline_ns);
		links += held;
		listed++;
	}
	claim(links == kernel.n_links);
	list_walk(instance, &kernel.changed, struct kernel_instance, in_changed) {
		claim(instance->changed > last_change);
		last_change = instance->changed;
		changed++;
	}
	claim(changed == listed);
}

static void sooner(uint64_t *at_ns, uint64_t other_ns)
{
	if (other_ns && (!*at_ns || other_ns < *at_ns))
		*at_ns = other_ns;
}

/* The daemon wakes for what is due first, and for nothing that is off. */
static void claim_due(void)
{
	const struct kernel_instance *instance;
	const struct kernel_request *request;
	uint64_t first_ns = kernel.stop_by_ns;

	list_walk(instance, &kernel.instances, struct kernel_instance, in_all)
		sooner(&first_ns, instance->deadline_ns);
	for (size_t i = 0; i < kernel.n_cells; i++)
		list_walk(request, &kernel.cells[i]->waiting, struct kernel_request, in_wait)
			sooner(&first_ns, request->deadline_ns);
	list_walk(request, &kernel.resolving, struct kernel_request, in_wait)
		sooner(&first_ns, request->deadline_ns);
	claim(kernel_next_due(&kernel) == first_ns);
}

static void claim_all(void)
{
	size_t waiting = waiting_count(&kernel.resolving);

	for (size_t i = 0; i < kernel.n_cells; i++) {
		const struct kernel_cell *cell = kernel.cells[i];

		waiting += waiting_count(&cell->waiting);
		claim(kernel_cell_running(cell) <= cell->manifest->max_instances);
		/* Nobody waits for what nobody brings about. */
		claim(list_is_empty(&cell->waiting) || kernel_cell_running(cell) > 0 ||
		      kernel_cell_in_state(cell, KERNEL_BACKOFF));
	}
	claim(submitted == answered + waiting);
	claim_quotas(waiting);
	claim_instances();
	if (chance(30))
		claim_due();
}

/* ---- runs ------------------------------------------------------------------------------------------ */

static void world_step(void)
{
	switch (draw(12)) {
	case 0:
	case 1:
	case 2: do_submit(); break;
	case 3:
	case 4: do_ready(); break;
	case 5: do_end(); break;
	case 6:
	case 7: do_close(); break;
	case 8: chance(20) ? do_leave() : do_submit(); break;
	case 9: (void)broker_cancel(&kernel, any_asker(), draw(20) + 1); break;
	case 10: do_resolve(); break;
	default: do_pass(); break;
	}
	settle();
	claim_all();
}

/* A shutdown ends, however its cells behave, and leaves the books at zero. */
static void world_free(void)
{
	uint64_t began = now;

	kernel_shutdown(&kernel, 5 * SECOND, now);
	settle();
	for (step = 0; !kernel_is_empty(&kernel); step++) {
		claim(step < 10000);
		if (chance(30))
			do_end();
		else
			do_pass();
		settle();
		claim_all();
	}
	claim(now - began < 3600 * SECOND);
	for (int i = 0; i < CLIENTS; i++) {
		broker_asker_deinit(&kernel, &clients[i]);
		settle();
		quota_unref(clients[i].quota);
	}
	claim(submitted == answered);
	claim(kernel.n_links == 0);
	claim(list_is_empty(&kernel.quotas));
	kernel_deinit(&kernel);
	for (int i = 0; i < CELLS; i++)
		cell_manifest_free(manifests[i]);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 10) : otherwise;
}

int main(void)
{
	uint64_t first = from_environment("SIM_SEED", 1);
	uint64_t n = getenv("SIM_SEED") ? 1 : from_environment("SIM_SEEDS", 200);
	uint64_t steps = from_environment("SIM_STEPS", 2000), orders = 0;

	for (seed = first; seed < first + n; seed++) {
		world_new();
		for (step = 0; step < steps; step++)
			world_step();
		world_free();
		orders += submitted;
	}
	printf("cellcore_kernel: %" PRIu64 " seeds of %" PRIu64 " steps, %" PRIu64
	       " orders, every claim held\n", n, steps, orders);
	return 0;
}
