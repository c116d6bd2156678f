#include <cell/store.h>

#include "child.h"

int cell_store_verify(const char *dir, uint64_t *ret_entries, struct cell_error *err)
{
	bool is_partial;

	return child_walk(dir, false, 0, ret_entries, &is_partial, err);
}
