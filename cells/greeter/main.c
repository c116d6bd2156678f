/* greeter: says hello. Everything it does for others is in rpc.c. */
#include "greeter.h"

#include "greeter.cell.h"

#include <cell/cell.h>

int main(void)
{
	struct greeter greeter = { 0 };
	struct cell_call *call = cell_open("greeter");
	int err = cell_serve(call, &greeter_service, &greeter_handlers, &greeter);

	/* Says ready, serves until told to stop, then finishes what is in flight. */
	return cell_exit(call, err ? err : cell_loop_run(call));
}
