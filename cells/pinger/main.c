/* pinger: makes load, and counts what becomes of every call. The methods are in rpc.c. */
#include "pinger.h"

#include "pinger.cell.h"

#include <cell/cell.h>

int main(void)
{
	struct pinger pinger = { 0 };
	struct cell_call *call = cell_open("pinger");
	int err = cell_serve(call, &pinger_service, &pinger_handlers, &pinger);

	if (!err)
		err = cell_loop_run(call);
	pinger_deinit(&pinger);
	return cell_exit(call, err);
}
