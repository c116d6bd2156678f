/*
 * What several commands ask of the node: its instances, its cells, a cell's schema.
 *
 * What comes back lives in CALL; errors are kept there too.
 */
#pragma once

#include "schema.h"

#include "core.cell.h"

#include <cell/call.h>
#include <cell/internal/out.h>

/* All instances (of CELL, or "" for all cells), by id. */
int node_instances(struct cell_call *call, const char *cell,
		   const struct core_instance_info **ret_instances, size_t *ret_n);

/* All cells that this node knows, by name. */
int node_cells(struct cell_call *call, const struct core_cell_info **ret_cells,
	       size_t *ret_n);

/* Served by every cell, on a channel of its own. */
#define NODE_OPS_SERVICE "cell.ops.v1.Ops"

/*
 * The schema that an instance of CELL (0: any, started if need be) serves; the caller's, to
 * be freed by schema_release(). In it the OPS service is common.
 */
int node_schema(struct cell_call *call, const char *cell, uint64_t instance,
		struct schema **ret_schema);

/* "ready", "failed", …; never NULL. */
const char *node_state_name(enum core_instance_state state);
enum out_style node_state_style(enum core_instance_state state);

/* An instance as a JSON object. */
json_t *node_instance_json(const struct core_instance_info *instance);
