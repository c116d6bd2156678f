/* db:: has what all databases have, and nothing more. */
#include "macros.h"

#include <cell/cell.h>

static const char *const namespaces[] = { "db", NULL };

int macros_provide(struct celldb *db, struct cell_call *call)
{
	static struct cell_macro_provider provider = {
		.namespaces = namespaces,
		.states = celldb_states,
		.provision = celldb_provision,
		.comes_before = table_comes_before,
	};

	db->provider =
		(struct table_provider){ .ns = "db", .cell = "celldb", .live = celldb_live };
	if (!provider.macros)
		provider.macros = table_macros(NULL);
	if (!provider.macros)
		return cell_refuse(call, -ENOMEM, "no memory for the macros of db");
	return cell_provide_macros(call, &provider, db);
}
