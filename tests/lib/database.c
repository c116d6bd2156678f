#include "database.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The manifest of the cell NAME of this build: HEAD behind its [cell] keys. */
static void manifest(struct scene *scene, const char *name, const char *rest)
{
	const char *build = getenv("CELL_BUILD");
	char path[256], found[600];
	FILE *file;
	char *program;

	snprintf(found, sizeof found, "%s/cells/%s/%s", build ? build : "build", name, name);
	program = realpath(found, NULL);
	ck_assert_msg(program != NULL, "%s: %s", found, strerror(errno));
	snprintf(path, sizeof path, "%s/%s.cell", scene->node.cells, name);
	file = fopen(path, "we");
	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	fprintf(file, "[cell]\nname = %s\nexec = %s\nrestart = always\nmax-instances = 1\n%s\n", name,
		program, rest);
	ck_assert_int_eq(fclose(file), 0);
	free(program);
}

void database_cell(struct scene *scene, const char *env)
{
	char rest[512];

	snprintf(rest, sizeof rest, "[macros]\nnamespace = db\n[uses]\ntxn = app\n[sandbox]\n%s", env);
	manifest(scene, "celldb", rest);
}

void database_txn(struct scene *scene)
{
	manifest(scene, "txn", "[uses]\ncelldb = app\n");
}

int database_declare(struct cell_call *call, const struct table_table *table, bool only_check,
		     struct macro_provisioned *ret)
{
	static uint8_t body[65536];
	uint8_t digest[32];
	struct macro_declared declared = { .ns = "db", .name = table->name, .n_digest = 32,
					   .digest = digest, .body = body };
	struct macro_provision_request request = { .n_declared = 1, .declared = &declared,
						   .program = table->store,
						   .only_check = only_check };

	ck_assert_uint_le(table_table_type.bound(table), sizeof body);
	declared.n_body = (size_t)(table_table_type.encode(table, body) - body);
	(void)crypto_generichash(digest, sizeof digest, body, declared.n_body, NULL, 0);
	return macro_provider_provision(cell_to(call, "celldb", 0), &request, ret);
}

void database_provision(struct cell_call *call, const struct table_table *table)
{
	struct macro_provisioned answer;
	int r = database_declare(call, table, false, &answer);

	ck_assert_msg(r == 0, "%s", cell_error(call)->text);
	ck_assert_msg(answer.status == 0, "%s",
		      answer.n_diagnostics ? answer.diagnostics[0].text : "no reason");
}

void database_provision_accounts(struct cell_call *call)
{
	accounts_init();
	for (size_t i = 0; i < 2; i++)
		database_provision(call, &accounts_told[i]);
}

void database_kill(struct scene *scene, const char *cell)
{
	ck_assert_int_eq(kill((pid_t)scene_instance(scene, cell).pid, SIGKILL), 0);
}
