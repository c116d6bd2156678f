#include "node.h"

#include "ops.cell.h"

#include <cell/cell.h>
#include <errno.h>
#include <string.h>

/* A list in a call's arena that grows by pages. */
struct pages {
	void *items;
	size_t n;
	size_t size; /* there is room for so many */
};

/* Append N items of ITEM_SIZE bytes. 0 or an error kept in CALL. */
static int pages_append(struct cell_call *call, struct pages *pages, const void *items,
			size_t n, size_t item_size)
{
	if (pages->n + n > pages->size) {
		size_t size = 2 * (pages->n + n);
		void *bigger = cell_arena_calloc(cell_arena(call), size, item_size);

		if (!bigger)
			return cell_refuse(call, -ENOMEM, "no memory for %zu items", size);
		if (pages->n)
			memcpy(bigger, pages->items, pages->n * item_size);
		pages->items = bigger;
		pages->size = size;
	}
	if (n)
		memcpy((char *)pages->items + pages->n * item_size, items, n * item_size);
	pages->n += n;
	return 0;
}

int node_instances(struct cell_call *call, const char *cell,
		   const struct core_instance_info **ret_instances, size_t *ret_n)
{
	struct core_list_request in = { .cell = cell, .after_name = "" };
	struct core_instance_page page = { .more = true };
	struct pages pages = { 0 };
	int err;

	while (page.more) {
		err = core_list_instances(call, &in, &page);
		if (err)
			return err;
		err = pages_append(call, &pages, page.instances, page.n_instances,
				   sizeof *page.instances);
		if (err)
			return err;
		if (page.n_instances == 0)
			break;
		in.after = page.instances[page.n_instances - 1].instance;
	}
	*ret_instances = pages.items;
	*ret_n = pages.n;
	return 0;
}

int node_cells(struct cell_call *call, const struct core_cell_info **ret_cells, size_t *ret_n)
{
	struct core_list_request in = { .cell = "", .after_name = "" };
	struct core_cell_page page = { .more = true };
	struct pages pages = { 0 };
	int err;

	while (page.more) {
		err = core_list_cells(call, &in, &page);
		if (err)
			return err;
		err = pages_append(call, &pages, page.cells, page.n_cells,
				   sizeof *page.cells);
		if (err)
			return err;
		if (page.n_cells == 0)
			break;
		in.after_name = page.cells[page.n_cells - 1].name;
	}
	*ret_cells = pages.items;
	*ret_n = pages.n;
	return 0;
}

int node_schema(struct cell_call *call, const char *cell, uint64_t instance,
		struct schema **ret_schema)
{
	struct ops_schema_report report;
	int err = ops_schema(cell_to(call, cell, instance), &report);

	if (err)
		return err;
	err = schema_parse(ret_schema, report.file_descriptor_set,
			   report.n_file_descriptor_set, report.services, report.n_services,
			   cell_error_slot(call));
	if (err)
		return cell_wrap(cell_error_slot(call), err, "%s", cell);
	schema_set_common(*ret_schema, NODE_OPS_SERVICE);
	return 0;
}

static const struct {
	const char *name;
	enum out_style style;
} states[] = {
	[CORE_INSTANCE_STATE_STARTING] = { "starting", OUT_WARN },
	[CORE_INSTANCE_STATE_READY] = { "ready", OUT_GOOD },
	[CORE_INSTANCE_STATE_DRAINING] = { "draining", OUT_WARN },
	[CORE_INSTANCE_STATE_GONE] = { "gone", OUT_DIM },
	[CORE_INSTANCE_STATE_FAILED] = { "failed", OUT_BAD },
	[CORE_INSTANCE_STATE_BACKOFF] = { "waiting", OUT_WARN },
};
#define N_STATES (sizeof states / sizeof states[0])

const char *node_state_name(enum core_instance_state state)
{
	return (size_t)state < N_STATES ? states[state].name : "unknown";
}

enum out_style node_state_style(enum core_instance_state state)
{
	return (size_t)state < N_STATES ? states[state].style : OUT_PLAIN;
}

json_t *node_instance_json(const struct core_instance_info *instance)
{
	return json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:I, s:I, s:I}",
			 "instance", (json_int_t)instance->instance, "cell", instance->cell,
			 "state", node_state_name(instance->state), "pid",
			 (json_int_t)instance->pid, "uid", (json_int_t)instance->uid,
			 "started_ms_ago", (json_int_t)instance->started_ms_ago,
			 "connections", (json_int_t)instance->connections, "restarts",
			 (json_int_t)instance->restarts, "reason", instance->reason,
			 "sandbox", instance->sandbox, "memory_bytes",
			 (json_int_t)instance->memory_bytes, "cpu_us",
			 (json_int_t)instance->cpu_us, "tasks", (json_int_t)instance->tasks);
}
