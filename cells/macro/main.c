/* macro: works out what attributes stand for. What it does for others is in rpc.c. */
#include "builtin.h"
#include "macro.h"

#include "macro.cell.h"

#include <cell/cell.h>

int main(void)
{
	struct builtin builtin = { .n_cells = 0 };
	struct macro macro = { .builtin = &cell_builtin, .builtin_self = &builtin };
	struct cell_call *call = cell_open("macro");
	int err = cell_serve(call, &macro_service, &macro_handlers, &macro);

	/* It is a provider like any other, too: whoever starts a program provisions there. */
	if (!err)
		err = cell_provide_macros(call, &cell_builtin, &builtin);
	return cell_exit(call, err ? err : cell_loop_run(call));
}
