/*
 * A cell that provides the namespace db, for tests: it has one macro, and provisions what it
 * is told to, except for names with "refused" in them.
 */
#include <cell/cell.h>
#include <cell/macro.h>
#include <string.h>

static int provision(struct cell_macro_work *work, const struct macro_declared *declared,
		     bool only_check)
{
	if (strstr(declared->name, "refused"))
		return cell_provision_refuse(work, declared, CELL_FAILED_PRECONDITION,
					     "column 'nick' held values");
	if (declared->n_digest != 32 || only_check)
		return cell_provision_refuse(work, declared, CELL_INVALID_ARGUMENT, "no digest");
	return cell_provision_changed(work, "made %s of %zu bytes", declared->name,
				      declared->n_body);
}

static const struct cell_macro macros[] = {
	{ .name = "key", .doc = "A key.", .places = CELL_MACRO_BIT(MACRO_PLACE_MEMBER) }, { 0 }
};
static const struct cell_macro_provider provider = {
	.namespaces = (const char *const[]){ "db", NULL }, .macros = macros, .provision = provision,
};

int main(int argc, char **argv)
{
	struct cell_call *call = cell_open(argc > 1 ? argv[1] : "db");
	int err = cell_provide_macros(call, &provider, NULL);

	return cell_exit(call, err ? err : cell_loop_run(call));
}
