/*
 * What the macros of tables make of any request: they plan and expand it, or refuse it. What
 * they make is what they planned: libcell checks that.
 *
 * Input: a macro.v1.PlanRequest.
 */
#include <cell/cell.h>
#include <cell/internal/table/macros.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int live(struct cell_call *call, void *self, const char *store, const char *name,
		const struct table_table **ret)
{
	(void)call;
	(void)self;
	(void)store;
	(void)name;
	*ret = NULL;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct table_provider self = { .ns = "db", .cell = "celldb", .live = live };
	static const char *const namespaces[] = { "db", NULL };
	static struct cell_macro_provider provider = { .namespaces = namespaces };
	struct cell_call *call = cell_open("fuzz");
	struct macro_plan_request request;
	struct macro_generated_code code;
	struct macro_plan plan;
	struct macro_go go = { .request = &request };
	uint8_t *bytes = cell_arena_alloc(cell_arena(call), size + 1);

	if (!provider.macros)
		provider.macros = table_macros(NULL);
	if (!bytes || !provider.macros)
		abort();
	memcpy(bytes, data, size);
	if (macro_plan_request_type.decode(&request, bytes, size, CELL_DECODE_IN_PLACE,
					   cell_arena(call), cell_error_slot(call)) == 0) {
		(void)cell_macro_plan(call, &provider, &self, &request, &plan);
		(void)cell_macro_expand(call, &provider, &self, &go, NULL, NULL, &code);
	}
	cell_close(call);
	return 0;
}
