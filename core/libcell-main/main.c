/*
 * The main() of programs that have none: serve what is linked in (cell/linked.h).
 */
#include <cell/cell.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc ? argv[0] : "cell";
	struct cell_call *call;
	int err;

	if (argc > 1) {
		fprintf(stderr, "usage: %s\nA cell: `cell run %s` starts it.\n", name, name);
		return 2;
	}
	call = cell_open(name);
	err = cell_serve_linked(call);
	return cell_exit(call, err ? err : cell_loop_run(call));
}
