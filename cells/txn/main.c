/* txn: the coordinator of transactions over several cells (cell-txn(8)). */
#include <stdio.h>
#include <stdlib.h>

#include <cell/cell.h>

#include "txn.cell.h"
#include "txn.h"

int main(void)
{
	static struct txn txn;
	struct cell_call *call = cell_open("txn");
	const char *dir = getenv("CELL_STATEDIR");
	char path[4096];
	int err;

	(void)snprintf(path, sizeof path, "%s/decisions", dir ? dir : ".");
	err = txn_start(&txn, call, path);
	if (!err)
		err = cell_serve(call, &txn_service, &txn_handlers, &txn);
	if (!err)
		err = cell_loop_run(call);
	txn_stop(&txn);
	err = cell_exit(call, err);
	txn_deinit(&txn);
	return err;
}
