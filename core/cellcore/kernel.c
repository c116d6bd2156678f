#include "kernel.h"

#include "broker.h"

#include <cell/defaults.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
/* A process whose control connection has ended ends itself; this is for those that do not. */
#define LOST_GRACE_NS (1000 * MS)

int kernel_init(struct kernel *kernel, const struct conf *conf, kernel_lookup_fn *lookup,
		void *userdata)
{
	memset(kernel, 0, sizeof *kernel);
	kernel->conf = conf;
	kernel->lookup = lookup;
	kernel->userdata = userdata;
	list_init(&kernel->instances);
	list_init(&kernel->changed);
	list_init(&kernel->work);
	list_init(&kernel->outcomes);
	list_init(&kernel->resolving);
	list_init(&kernel->quotas);
	kernel->next_instance = kernel->next_link = 1;
	kernel->links_size = 64;
	kernel->links = calloc(kernel->links_size, sizeof *kernel->links);
	return kernel->links ? 0 : -ENOMEM;
}

static void instance_free(struct kernel_instance *instance)
{
	list_unlink(&instance->in_cell);
	list_unlink(&instance->in_all);
	list_unlink(&instance->in_changed);
	list_unlink(&instance->in_work);
	free(instance);
}

void kernel_deinit(struct kernel *kernel)
{
	struct kernel_instance *instance;

	if (!kernel->links)
		return;
	list_walk(instance, &kernel->instances, struct kernel_instance, in_all)
		instance_free(instance);
	for (size_t i = 0; i < kernel->n_cells; i++)
		free(kernel->cells[i]);
	free(kernel->cells);
	free(kernel->links);
	memset(kernel, 0, sizeof *kernel);
}

void kernel_due(struct kernel *kernel, uint64_t at_ns)
{
	if (at_ns && (!kernel->deadline_ns || at_ns < kernel->deadline_ns))
		kernel->deadline_ns = at_ns;
}

void kernel_not_due(struct kernel *kernel, uint64_t at_ns)
{
	if (at_ns && at_ns == kernel->deadline_ns)
		kernel->is_deadline_stale = true;
}

/* kernel_due() keeps the minimum up to date; only here it may rise. */
static void deadline_renew(struct kernel *kernel)
{
	const struct kernel_instance *instance;

	kernel->deadline_ns = 0;
	kernel->is_deadline_stale = false;
	kernel_due(kernel, kernel->stop_by_ns);
	list_walk(instance, &kernel->instances, struct kernel_instance, in_all)
		kernel_due(kernel, instance->deadline_ns);
	broker_due(kernel);
}

uint64_t kernel_next_due(struct kernel *kernel)
{
	if (kernel->is_deadline_stale)
		deadline_renew(kernel);
	return kernel->deadline_ns;
}

/* ---- cells ------------------------------------------------------------------------ */

/* The place of NAME in the sorted table: of the cell, or where it would go. */
static size_t cell_place(const struct kernel *kernel, const char *name, bool *ret_found)
{
	size_t low = 0, high = kernel->n_cells;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(kernel->cells[middle]->name, name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct kernel_cell *kernel_cell_find(const struct kernel *kernel, const char *name)
{
	bool found;
	size_t place = cell_place(kernel, name, &found);

	return found ? kernel->cells[place] : NULL;
}

struct kernel_cell *kernel_cell_add(struct kernel *kernel, const char *name)
{
	struct kernel_cell *cell;
	bool found;
	size_t place = cell_place(kernel, name, &found);

	if (found)
		return kernel->cells[place];
	if (kernel->n_cells == kernel->cells_size) {
		size_t size = kernel->cells_size ? 2 * kernel->cells_size : 16;
		struct kernel_cell **cells = realloc(kernel->cells, size * sizeof(*cells));

		if (!cells)
			return NULL;
		kernel->cells = cells;
		kernel->cells_size = size;
	}
	cell = calloc(1, sizeof *cell);
	if (!cell)
		return NULL;
	(void)snprintf(cell->name, sizeof cell->name, "%s", name);
	list_init(&cell->instances);
	list_init(&cell->waiting);
	memmove(kernel->cells + place + 1, kernel->cells + place,
		(kernel->n_cells - place) * sizeof(*kernel->cells));
	kernel->cells[place] = cell;
	kernel->n_cells++;
	return cell;
}

bool kernel_cell_is_known(const struct kernel_cell *cell)
{
	return cell->manifest || cell->broken.code < 0 || kernel_cell_running(cell) > 0;
}

unsigned kernel_cell_running(const struct kernel_cell *cell)
{
	const struct kernel_instance *instance;
	unsigned n = 0;

	list_walk(instance, &cell->instances, struct kernel_instance, in_cell)
		n += instance->has_process;
	return n;
}

struct kernel_instance *kernel_cell_in_state(const struct kernel_cell *cell,
					     enum kernel_state state)
{
	struct kernel_instance *instance;

	list_walk(instance, &cell->instances, struct kernel_instance, in_cell)
		if (instance->state == state)
			return instance;
	return NULL;
}

struct kernel_instance *kernel_ready(const struct kernel *kernel, const char *name)
{
	const struct kernel_cell *cell = kernel_cell_find(kernel, name);

	return cell ? kernel_cell_in_state(cell, KERNEL_READY) : NULL;
}

static bool cell_has_part(const struct kernel *kernel, const char *name)
{
	return strcmp(name, kernel->conf->resolver) == 0 ||
	       strcmp(name, kernel->conf->gateway) == 0 || strcmp(name, kernel->conf->log) == 0;
}

struct quota *kernel_quota_cell(struct kernel *kernel, const struct kernel_cell *cell)
{
	bool is_boot = (cell->manifest && cell->manifest->start == CELL_START_BOOT) ||
		       cell_has_part(kernel, cell->name);

	return quota_ref(&kernel->quotas, cell->name,
			 conf_limits(kernel->conf, cell->name,
				     is_boot ? &kernel->conf->limits_boot : &kernel->conf->limits));
}

struct quota *kernel_quota_uid(struct kernel *kernel, uint32_t uid, bool is_owner)
{
	char owner[QUOTA_OWNER_MAX];

	(void)snprintf(owner, sizeof owner, "uid:%" PRIu32, uid);
	return quota_ref(&kernel->quotas, owner,
			 conf_limits(kernel->conf, owner,
				     is_owner ? &kernel->conf->limits_owner : &kernel->conf->limits));
}

/* ---- instances --------------------------------------------------------------------- */

void kernel_instance_touch(struct kernel *kernel, struct kernel_instance *instance)
{
	instance->changed = ++kernel->next_change;
	list_move(&kernel->changed, &instance->in_changed);
}

/* AT_NS 0: never. */
static void instance_deadline(struct kernel *kernel, struct kernel_instance *instance,
			      uint64_t at_ns)
{
	kernel_not_due(kernel, instance->deadline_ns);
	instance->deadline_ns = at_ns;
	kernel_due(kernel, at_ns);
}

static void instance_set(struct kernel *kernel, struct kernel_instance *instance,
			 enum kernel_state state)
{
	if (state == KERNEL_GONE && instance->state != KERNEL_GONE) {
		kernel->n_gone++;
		instance_deadline(kernel, instance, 0);
		list_unlink(&instance->in_cell);
	}
	instance->state = state;
	kernel_instance_touch(kernel, instance);
}

static void instance_reason(struct kernel_instance *instance, const char *reason)
{
	(void)snprintf(instance->reason, sizeof instance->reason, "%s", reason);
}

static void instance_work(struct kernel *kernel, struct kernel_instance *instance,
			  enum kernel_work work)
{
	instance->work |= work;
	list_move(&kernel->work, &instance->in_work);
}

const char *kernel_instance_name(const struct kernel_instance *instance,
				 char out[KERNEL_INSTANCE_NAME_MAX])
{
	(void)snprintf(out, KERNEL_INSTANCE_NAME_MAX, "%s/%" PRIu64, instance->cell->name,
		       instance->id);
	return out;
}

struct kernel_instance *kernel_instance_find(const struct kernel_cell *cell, uint64_t id)
{
	struct kernel_instance *instance;

	list_walk(instance, &cell->instances, struct kernel_instance, in_cell)
		if (instance->id == id)
			return instance;
	return NULL;
}

struct kernel_instance *kernel_instance_add(struct kernel *kernel, struct kernel_cell *cell,
					    uint64_t id)
{
	struct kernel_instance *instance = calloc(1, sizeof *instance);

	if (!instance)
		return NULL;
	instance->id = id;
	instance->cell = cell;
	list_init(&instance->served);
	list_append(&cell->instances, &instance->in_cell);
	list_append(&kernel->instances, &instance->in_all);
	return instance;
}

struct kernel_instance *kernel_instance_start(struct kernel *kernel, struct kernel_cell *cell,
					      const struct supervise *supervise, uint64_t now_ns)
{
	struct kernel_instance *instance =
		kernel_instance_add(kernel, cell, kernel->next_instance);

	if (!instance)
		return NULL;
	kernel->next_instance++;
	instance->state = KERNEL_STARTING;
	instance->has_process = true;
	instance->started_ns = now_ns;
	if (supervise)
		instance->supervise = *supervise;
	kernel_instance_touch(kernel, instance);
	instance_work(kernel, instance, KERNEL_WORK_SPAWN);
	return instance;
}

void kernel_instance_restore(struct kernel *kernel, struct kernel_instance *instance)
{
	struct kernel_instance *before = NULL;

	list_walk_back(before, &kernel->changed, struct kernel_instance, in_changed)
		if (before->changed < instance->changed)
			break;
	if (before && before->changed < instance->changed)
		list_append(before->in_changed.next, &instance->in_changed);
	else
		list_append(kernel->changed.next, &instance->in_changed);
	if (instance->work)
		list_move(&kernel->work, &instance->in_work);
	kernel_due(kernel, instance->deadline_ns);
}

void kernel_instance_spawned(struct kernel *kernel, struct kernel_instance *instance,
			     uint64_t now_ns)
{
	const struct cell_manifest *manifest = instance->cell->manifest;
	uint64_t timeout_ns = manifest && manifest->ready_timeout_ns
				      ? manifest->ready_timeout_ns
				      : CELL_READY_TIMEOUT_MS * MS;

	instance->started_ns = now_ns;
	if (instance->ending == KERNEL_NOT_ENDING)
		instance_deadline(kernel, instance, now_ns + timeout_ns);
}

static void boot_step(struct kernel *kernel, uint64_t now_ns);
static void stop_step(struct kernel *kernel, uint64_t now_ns);

void kernel_instance_ready(struct kernel *kernel, struct kernel_instance *instance,
			   uint64_t now_ns)
{
	if (instance->state != KERNEL_STARTING)
		return;
	instance->ready_ns = now_ns;
	instance_deadline(kernel, instance, 0);
	instance_set(kernel, instance, KERNEL_READY);
	broker_cell_ready(kernel, instance, now_ns);
	boot_step(kernel, now_ns);
}

/* ---- how instances end ---------------------------------------------------------------- */

static uint64_t stop_timeout_ns(const struct kernel *kernel, const struct kernel_instance *instance)
{
	const struct cell_manifest *manifest = instance->cell->manifest;

	if (kernel->is_stopping || !manifest)
		return CELL_KILL_AFTER_MS * MS;
	return manifest->stop_timeout_ns;
}

static void ending_set(struct kernel *kernel, struct kernel_instance *instance,
		       enum kernel_ending ending, uint64_t now_ns)
{
	instance->ending = ending;
	switch (ending) {
	case KERNEL_NOT_ENDING:
		return;
	case KERNEL_DRAIN:
		instance_work(kernel, instance, KERNEL_WORK_DRAIN);
		instance_deadline(kernel, instance, now_ns + instance->drain_ns);
		break;
	case KERNEL_TERM:
		instance_work(kernel, instance, KERNEL_WORK_TERM);
		instance_deadline(kernel, instance, now_ns + stop_timeout_ns(kernel, instance));
		break;
	case KERNEL_KILL:
		/* Again and again: a process may be where no signal reaches it. */
		instance_work(kernel, instance, KERNEL_WORK_KILL);
		instance_deadline(kernel, instance, now_ns + CELL_KILL_AFTER_MS * MS);
		break;
	}
	if (instance->state == KERNEL_STARTING || instance->state == KERNEL_READY)
		instance_set(kernel, instance, KERNEL_DRAINING);
}

void kernel_instance_stop(struct kernel *kernel, struct kernel_instance *instance,
			  const char *reason, uint64_t now_ns)
{
	if (!instance->has_process || instance->ending >= KERNEL_TERM)
		return;
	if (reason)
		instance_reason(instance, reason);
	ending_set(kernel, instance, KERNEL_TERM, now_ns);
}

void kernel_instance_retire(struct kernel *kernel, struct kernel_instance *instance,
			    uint64_t drain_ns, bool kill, const char *reason, uint64_t now_ns)
{
	const struct cell_manifest *manifest = instance->cell->manifest;
	bool was_ready = instance->state == KERNEL_READY;

	instance->was_asked_to_end = true;
	if (!instance->has_process) {
		if (instance->state != KERNEL_GONE)
			instance_set(kernel, instance, KERNEL_GONE);
		return;
	}
	instance_reason(instance, reason);
	if (kill) {
		ending_set(kernel, instance, KERNEL_KILL, now_ns);
		return;
	}
	if (instance->ending >= KERNEL_TERM)
		return;
	if (!drain_ns)
		drain_ns = manifest ? manifest->drain_timeout_ns : CELL_DRAIN_TIMEOUT_MS * MS;
	if (!drain_ns || (instance->ending == KERNEL_NOT_ENDING && !was_ready)) {
		ending_set(kernel, instance, KERNEL_TERM, now_ns);
		return;
	}
	/* Draining already: an earlier end is told, a later one is not. */
	if (instance->ending == KERNEL_DRAIN && instance->deadline_ns <= now_ns + drain_ns)
		return;
	instance->drain_ns = drain_ns;
	ending_set(kernel, instance, KERNEL_DRAIN, now_ns);
}

void kernel_instance_lost(struct kernel *kernel, struct kernel_instance *instance,
			  const char *reason, uint64_t now_ns)
{
	if (!instance->has_process)
		return;
	if (reason && !instance->reason[0])
		instance_reason(instance, reason);
	if (instance->state == KERNEL_STARTING || instance->state == KERNEL_READY)
		instance_set(kernel, instance, KERNEL_DRAINING);
	if (instance->ending < KERNEL_TERM) {
		instance->ending = KERNEL_TERM; /* without the signal: it has seen the end, too */
		instance_deadline(kernel, instance, now_ns + LOST_GRACE_NS);
	}
}

/* What becomes of the record of an instance without a process. */
static void instance_verdict(struct kernel *kernel, struct kernel_instance *instance,
			     const struct kernel_end *end, uint64_t now_ns)
{
	struct kernel_cell *cell = instance->cell;
	struct supervise_end fate = {
		.was_asked = instance->was_asked_to_end || kernel->is_stopping || !cell->manifest,
		.is_clean = end->is_clean,
		.ready_ns = instance->ready_ns ? now_ns - instance->ready_ns : 0,
	};
	enum cell_restart policy = cell->manifest ? cell->manifest->restart : CELL_RESTART_NEVER;
	enum supervise_verdict verdict;
	uint64_t restart_ns = 0;

	kernel->random = kernel->random * 1664525u + 1013904223u;
	verdict = supervise_ended(&instance->supervise, policy, &fate, now_ns,
				  kernel->random >> 16, &restart_ns);
	cell->supervise = instance->supervise;
	if (verdict == SUPERVISE_RESTART) {
		instance_set(kernel, instance, KERNEL_BACKOFF);
		instance_deadline(kernel, instance, restart_ns);
	} else if (verdict == SUPERVISE_FAILED && kernel_cell_running(cell) == 0 &&
		   !kernel_cell_in_state(cell, KERNEL_BACKOFF)) {
		instance_set(kernel, instance, KERNEL_FAILED);
	} else {
		instance_set(kernel, instance, KERNEL_GONE);
	}
}

static bool cell_is_log(const struct kernel *kernel, const struct kernel_cell *cell)
{
	return strcmp(cell->name, kernel->conf->log) == 0;
}

/* While stopping: those that CELL used have one user less. The log, last of all, counts for none. */
static void cell_releases_providers(struct kernel *kernel, const struct kernel_cell *cell)
{
	if (!cell->manifest || cell_is_log(kernel, cell))
		return;
	for (size_t i = 0; i < cell->manifest->n_uses; i++) {
		struct kernel_cell *provider = kernel_cell_find(kernel, cell->manifest->uses[i].cell);

		if (provider && provider != cell && provider->n_users > 0)
			provider->n_users--;
	}
}

void kernel_instance_ended(struct kernel *kernel, struct kernel_instance *instance,
			   const struct kernel_end *end, uint64_t now_ns)
{
	struct kernel_link *link;

	if (!instance->has_process)
		return;
	instance->has_process = false;
	instance->ending = KERNEL_NOT_ENDING;
	instance_deadline(kernel, instance, 0);
	instance->work = 0;
	list_unlink(&instance->in_work);
	if (!instance->reason[0])
		instance_reason(instance, end->reason);
	(void)snprintf(instance->cell->reason, sizeof instance->cell->reason, "%s",
		       instance->reason);
	list_walk(link, &instance->served, struct kernel_link, in_server)
		broker_link_drop(kernel, link);
	instance_verdict(kernel, instance, end, now_ns);
	if (kernel->is_stopping && kernel_cell_running(instance->cell) == 0)
		cell_releases_providers(kernel, instance->cell);
	broker_cell_ended(kernel, instance, now_ns);
	boot_step(kernel, now_ns);
	stop_step(kernel, now_ns);
}

void kernel_cell_reset(struct kernel *kernel, struct kernel_cell *cell)
{
	struct kernel_instance *instance;

	cell->supervise = (struct supervise){ 0 };
	list_walk(instance, &cell->instances, struct kernel_instance, in_cell)
		if (!instance->has_process)
			instance_set(kernel, instance, KERNEL_GONE);
}

void kernel_forget(struct kernel *kernel, uint64_t change)
{
	struct kernel_instance *instance;

	if (kernel->n_gone == 0)
		return;
	list_walk(instance, &kernel->changed, struct kernel_instance, in_changed) {
		if (instance->changed > change && kernel->n_gone <= KERNEL_GONE_MAX)
			return;
		if (instance->state != KERNEL_GONE || instance->asker)
			continue;
		if (kernel->forgotten < instance->changed)
			kernel->forgotten = instance->changed;
		kernel->n_gone--;
		instance_free(instance);
	}
}

/* ---- the node ------------------------------------------------------------------------ */

/* As many as the manifest wants, at least one. */
static void cell_boot(struct kernel *kernel, struct kernel_cell *cell, uint64_t now_ns)
{
	unsigned wanted = cell->manifest->instances ? cell->manifest->instances : 1;

	cell->was_booted = true;
	for (unsigned n = kernel_cell_running(cell); n < wanted; n++)
		if (!kernel_instance_start(kernel, cell, NULL, now_ns))
			return;
}

/* True once the cell with a part in the node is ready, or will not be. */
static bool boot_part(struct kernel *kernel, const char *name, uint64_t now_ns)
{
	struct kernel_cell *cell;

	if (!name[0])
		return true;
	if (kernel->lookup)
		kernel->lookup(kernel->userdata, name);
	cell = kernel_cell_find(kernel, name);
	if (!cell || !cell->manifest)
		return true;
	if (!cell->was_booted)
		cell_boot(kernel, cell, now_ns);
	return kernel_cell_in_state(cell, KERNEL_READY) ||
	       !kernel_cell_in_state(cell, KERNEL_STARTING);
}

static unsigned starting_count(const struct kernel *kernel)
{
	const struct kernel_instance *instance;
	unsigned n = 0;

	list_walk(instance, &kernel->instances, struct kernel_instance, in_all)
		n += instance->state == KERNEL_STARTING;
	return n;
}

static void boot_step(struct kernel *kernel, uint64_t now_ns)
{
	const char *const parts[] = { kernel->conf->log, kernel->conf->resolver,
				      kernel->conf->gateway };

	if (!kernel->is_booting)
		return;
	for (; kernel->boot_stage < sizeof parts / sizeof parts[0]; kernel->boot_stage++)
		if (!boot_part(kernel, parts[kernel->boot_stage], now_ns))
			return;
	for (size_t i = 0; i < kernel->n_cells; i++) {
		struct kernel_cell *cell = kernel->cells[i];

		if (!cell->manifest || cell->manifest->start != CELL_START_BOOT || cell->was_booted)
			continue;
		if (starting_count(kernel) >= KERNEL_BOOT_AT_ONCE)
			return;
		cell_boot(kernel, cell, now_ns);
	}
	kernel->is_booting = false;
}

void kernel_boot(struct kernel *kernel, uint64_t now_ns)
{
	kernel->is_booting = true;
	kernel->boot_stage = 0;
	boot_step(kernel, now_ns);
}

bool kernel_is_empty(const struct kernel *kernel)
{
	const struct kernel_instance *instance;

	list_walk(instance, &kernel->instances, struct kernel_instance, in_all)
		if (instance->has_process)
			return false;
	return true;
}

static void stop_cell(struct kernel *kernel, struct kernel_cell *cell, uint64_t now_ns)
{
	uint64_t left_ns = kernel->stop_by_ns > now_ns ? kernel->stop_by_ns - now_ns : 1;
	struct kernel_instance *instance;

	list_walk(instance, &cell->instances, struct kernel_instance, in_cell)
		if (instance->has_process && !instance->was_asked_to_end)
			kernel_instance_retire(kernel, instance, left_ns, false,
					       "the node stops", now_ns);
}

/* Everybody uses the log, though no manifest says so. */
static bool stop_must_wait(const struct kernel *kernel, const struct kernel_cell *cell)
{
	return cell->n_users > 0 || cell_is_log(kernel, cell);
}

/*
 * Tell every cell that nobody uses any more. If nobody is left who could be told, or is
 * ending: they use each other in a circle (then all at once), or it is the log alone.
 */
static void stop_step(struct kernel *kernel, uint64_t now_ns)
{
	struct kernel_instance *instance;
	bool others = false;

	if (!kernel->is_stopping)
		return;
	for (size_t i = 0; i < kernel->n_cells; i++)
		if (!stop_must_wait(kernel, kernel->cells[i]))
			stop_cell(kernel, kernel->cells[i], now_ns);
	list_walk(instance, &kernel->instances, struct kernel_instance, in_all) {
		if (instance->has_process && instance->was_asked_to_end)
			return;
		others |= instance->has_process && !cell_is_log(kernel, instance->cell);
	}
	for (size_t i = 0; i < kernel->n_cells; i++)
		if (!others || !cell_is_log(kernel, kernel->cells[i]))
			stop_cell(kernel, kernel->cells[i], now_ns);
}

static void stop_count_users(struct kernel *kernel)
{
	for (size_t i = 0; i < kernel->n_cells; i++)
		kernel->cells[i]->n_users = 0;
	for (size_t i = 0; i < kernel->n_cells; i++) {
		const struct kernel_cell *cell = kernel->cells[i];

		if (!cell->manifest || cell_is_log(kernel, cell) || kernel_cell_running(cell) == 0)
			continue;
		for (size_t use = 0; use < cell->manifest->n_uses; use++) {
			struct kernel_cell *provider =
				kernel_cell_find(kernel, cell->manifest->uses[use].cell);

			if (provider && provider != cell)
				provider->n_users++;
		}
	}
}

void kernel_shutdown(struct kernel *kernel, uint64_t grace_ns, uint64_t now_ns)
{
	struct kernel_instance *instance;

	/* Again: only sooner. */
	if (kernel->is_stopping && kernel->stop_by_ns <= now_ns + grace_ns)
		return;
	kernel->stop_by_ns = now_ns + grace_ns;
	kernel_due(kernel, kernel->stop_by_ns);
	if (kernel->is_stopping)
		return;
	kernel->is_stopping = true;
	kernel->is_booting = false;
	stop_count_users(kernel);
	list_walk(instance, &kernel->instances, struct kernel_instance, in_all)
		if (!instance->has_process && instance->state != KERNEL_GONE)
			instance_set(kernel, instance, KERNEL_GONE);
	broker_stop(kernel);
	stop_step(kernel, now_ns);
}

/* ---- time ------------------------------------------------------------------------------ */

static void instance_restart(struct kernel *kernel, struct kernel_instance *instance,
			     uint64_t now_ns)
{
	struct kernel_cell *cell = instance->cell;

	if (kernel->lookup)
		kernel->lookup(kernel->userdata, cell->name);
	if (instance->state != KERNEL_BACKOFF)
		return;
	/* Others may have been started meanwhile, or the manifest allows fewer than before. */
	if (!cell->manifest || kernel_cell_running(cell) >= cell->manifest->max_instances) {
		instance_set(kernel, instance, KERNEL_GONE);
		broker_cell_ended(kernel, instance, now_ns);
		return;
	}
	if (!kernel_instance_start(kernel, cell, &instance->supervise, now_ns)) {
		instance_deadline(kernel, instance, now_ns + CELL_RESTART_MIN_MS * MS);
		return;
	}
	cell->restarts++;
	instance_set(kernel, instance, KERNEL_GONE);
}

static void instance_timeout(struct kernel *kernel, struct kernel_instance *instance,
			     uint64_t now_ns)
{
	char reason[64];

	instance->deadline_ns = 0;
	if (instance->state == KERNEL_BACKOFF) {
		instance_restart(kernel, instance, now_ns);
	} else if (instance->state == KERNEL_STARTING) {
		(void)snprintf(reason, sizeof reason, "not ready within %" PRIu64 " ms",
			       (now_ns - instance->started_ns) / MS);
		kernel_instance_stop(kernel, instance, reason, now_ns);
		broker_cell_ended(kernel, instance, now_ns);
	} else if (instance->ending == KERNEL_DRAIN) {
		kernel_instance_stop(kernel, instance, NULL, now_ns);
	} else if (instance->ending >= KERNEL_TERM) {
		ending_set(kernel, instance, KERNEL_KILL, now_ns);
	}
}

static void stop_timeout(struct kernel *kernel, uint64_t now_ns)
{
	struct kernel_instance *instance;

	kernel->stop_by_ns = 0;
	list_walk(instance, &kernel->instances, struct kernel_instance, in_all) {
		instance->was_asked_to_end |= instance->has_process;
		kernel_instance_stop(kernel, instance, "the node stops", now_ns);
	}
}

void kernel_tick(struct kernel *kernel, uint64_t now_ns)
{
	struct kernel_instance *instance;

	if (!kernel->deadline_ns || now_ns < kernel->deadline_ns)
		return;
	if (kernel->stop_by_ns && now_ns >= kernel->stop_by_ns)
		stop_timeout(kernel, now_ns);
	list_walk(instance, &kernel->instances, struct kernel_instance, in_all)
		if (instance->deadline_ns && now_ns >= instance->deadline_ns)
			instance_timeout(kernel, instance, now_ns);
	broker_tick(kernel, now_ns);
	deadline_renew(kernel);
}

struct kernel_instance *kernel_next_work(struct kernel *kernel, uint64_t now_ns,
					 unsigned *ret_work)
{
	struct kernel_end unspawned = { .is_clean = true, .reason = "never started" };
	struct kernel_instance *instance;

	while ((instance = list_first(&kernel->work, struct kernel_instance, in_work))) {
		list_unlink(&instance->in_work);
		*ret_work = instance->work;
		instance->work = 0;
		if (!(*ret_work & KERNEL_WORK_SPAWN) || instance->ending == KERNEL_NOT_ENDING)
			return instance;
		kernel_instance_ended(kernel, instance, &unspawned, now_ns);
	}
	return NULL;
}
