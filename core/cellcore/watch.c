#include "watch.h"

#include "control.h"

#include <core.cell.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct watch *watch_find(struct process *process, const char *cell)
{
	struct watch *watch;

	list_walk(watch, &process->watches, struct watch, in_process)
		if (strcmp(watch->cell, cell) == 0)
			return watch;
	return NULL;
}

int watch_add(struct process *process, const char *cell, uint64_t call_id, struct cell_error *err)
{
	struct watch *watch;

	if (cell[0] && !cell_name_is_valid(cell))
		return cell_fail(err, CELL_INVALID_ARGUMENT, "'%s' is no name of a cell", cell);
	if (watch_find(process, cell))
		return cell_fail(err, CELL_ALREADY_EXISTS, "'%s' is watched already", cell);
	if (process->n_watches >= CELL_CONTROL_WATCHES_MAX)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED, "%u watches, limit %d",
				 process->n_watches, CELL_CONTROL_WATCHES_MAX);
	watch = calloc(1, sizeof *watch);
	if (!watch)
		return cell_fail(err, -ENOMEM, "watching '%s'", cell);
	(void)snprintf(watch->cell, sizeof watch->cell, "%s", cell);
	watch->call_id = call_id;
	watch->since = process->daemon->kernel.next_change;
	list_append(&process->watches, &watch->in_process);
	process->n_watches++;
	process->daemon->pumped = DAEMON_PUMP_AGAIN;
	return 0;
}

static void watch_free(struct process *process, struct watch *watch)
{
	list_unlink(&watch->in_process);
	process->n_watches--;
	free(watch);
}

int watch_remove(struct process *process, const char *cell, struct cell_error *err)
{
	struct watch *watch = watch_find(process, cell);

	if (!watch)
		return cell_fail(err, CELL_NOT_FOUND, "'%s' is not watched", cell);
	watch_free(process, watch);
	return 0;
}

void watch_free_all(struct process *process)
{
	struct watch *watch;

	list_walk(watch, &process->watches, struct watch, in_process)
		watch_free(process, watch);
}

static bool watch_send(struct process *process, const struct core_instance_event *event)
{
	struct cell_error err = { 0 };

	if (process_order(process, FRAME_ONE_WAY, "Event", event, NULL, 0, NULL, &err) < 0)
		process_drop(process, err.text);
	return !process->is_dropped;
}

/* What ended before the watch began, or is another cell's, is none of its business. */
static bool watch_wants(const struct watch *watch, const struct kernel_instance *instance)
{
	if (watch->cell[0] && strcmp(watch->cell, instance->cell->name) != 0)
		return false;
	return instance->state != KERNEL_GONE || instance->changed > watch->since;
}

static bool watch_tell(struct process *process, const struct kernel_instance *instance)
{
	struct core_instance_info info;
	struct core_instance_event event = { .instance = &info };

	control_instance_info(process->daemon, instance, false, &info);
	return watch_send(process, &event);
}

/* So much was forgotten meanwhile that ends may be missing: it has to start over. */
static bool watch_restart(struct process *process, struct watch *watch)
{
	struct core_instance_event event = { .cell = watch->cell };

	watch->seen = 0;
	watch->since = process->daemon->kernel.next_change;
	return watch_send(process, &event);
}

/* The oldest change that WATCH has not seen. */
static struct list *watch_start(const struct kernel *kernel, const struct watch *watch)
{
	struct list *at = kernel->changed.prev;

	while (at != &kernel->changed &&
	       list_entry(at, struct kernel_instance, in_changed)->changed > watch->seen)
		at = at->prev;
	return at->next;
}

static void watch_pump_one(struct process *process, struct watch *watch)
{
	const struct kernel *kernel = &process->daemon->kernel;

	if (watch->seen && watch->seen < kernel->forgotten && !watch_restart(process, watch))
		return;
	for (struct list *at = watch_start(kernel, watch); at != &kernel->changed; at = at->next) {
		const struct kernel_instance *instance =
			list_entry(at, struct kernel_instance, in_changed);

		if (!list_is_empty(&process->outgoing))
			return;
		if (watch_wants(watch, instance) && !watch_tell(process, instance))
			return;
		watch->seen = instance->changed;
	}
	watch->seen = kernel->next_change;
	if (watch->call_id) {
		process_reply(process, watch->call_id, &common_empty_type,
			      &(struct common_empty){ 0 }, NULL, 0);
		watch->call_id = 0;
	}
}

void watch_process_reads(struct process *process)
{
	struct watch *watch;

	list_walk(watch, &process->watches, struct watch, in_process) {
		if (process->is_dropped || !list_is_empty(&process->outgoing))
			return;
		watch_pump_one(process, watch);
	}
}

void watch_pump(struct daemon *daemon)
{
	struct kernel *kernel = &daemon->kernel;
	uint64_t seen_by_all = kernel->next_change;
	struct process *process;
	struct watch *watch;

	if (daemon->pumped == kernel->next_change && kernel->n_gone == 0)
		return;
	daemon->pumped = kernel->next_change;
	list_walk(process, &daemon->processes, struct process, in_daemon) {
		watch_process_reads(process);
		if (process->is_dropped)
			continue;
		list_walk(watch, &process->watches, struct watch, in_process)
			if (watch->seen < seen_by_all)
				seen_by_all = watch->seen;
	}
	kernel_forget(kernel, seen_by_all);
}
