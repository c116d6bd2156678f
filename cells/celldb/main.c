/*
 * celldb: typed tables on one LMDB store, in the state directory.
 *
 * CELL_CELLDB_MAX says how large the store may become, CELL_CELLDB_LOG how many changes are
 * kept for watches and for transactions that read ranges.
 */
#include "celldb.cell.h"
#include "celldb.h"
#include "macros.h"

#include <cell/cell.h>
#include <stdlib.h>

int main(void)
{
	struct cell_call *call = cell_open("celldb");
	const char *dir = getenv("CELL_STATEDIR");
	struct celldb *db = NULL;
	int err;

	if (dir)
		err = celldb_open(&db, call, dir);
	else
		err = cell_refuse(call, CELL_FAILED_PRECONDITION,
				  "no state directory: celldb is started by cellcore (cell run celldb)");
	if (!err)
		err = cell_serve(call, &table_tables_service, &celldb_tables_handlers, db);
	if (!err)
		err = cell_serve(call, &celldb_admin_service, &celldb_admin_handlers, db);
	if (!err)
		err = macros_provide(db, call);
	if (!err) {
		celldb_start_asking(db);
		err = cell_loop_run(call);
	}
	celldb_close(db);
	return cell_exit(call, err);
}
