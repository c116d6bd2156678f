#include "database.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The manifest of a cell NAME, which is this build's PROGRAM: REST behind its [cell] keys. */
static void manifest(struct scene *scene, const char *name, const char *program_name,
		     const char *rest)
{
	const char *build = getenv("CELL_BUILD");
	char path[256], found[600];
	FILE *file;
	char *program;

	snprintf(found, sizeof found, "%s/cells/%s/%s", build ? build : "build",
		 program_name, program_name);
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

void database_cell_as(struct scene *scene, const char *name, const char *env)
{
	char rest[512];

	snprintf(rest, sizeof rest, "[macros]\nnamespace = %s\n[uses]\ntxn = app\n[sandbox]\n%s",
		 strcmp(name, "celldb") == 0 ? "db" : name, env);
	manifest(scene, name, "celldb", rest);
}

void database_cell(struct scene *scene, const char *env)
{
	database_cell_as(scene, "celldb", env);
}

void database_txn(struct scene *scene)
{
	manifest(scene, "txn", "txn", "[uses]\ncelldb = app\npostgres = app\n");
}

static int declare_at(struct cell_call *call, const char *cell, const struct table_table *table,
			bool only_check, struct macro_provisioned *ret)
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
	return macro_provider_provision(cell_to(call, cell, 0), &request, ret);
}

int database_declare(struct cell_call *call, const struct table_table *table, bool only_check,
		     struct macro_provisioned *ret)
{
	return declare_at(call, "celldb", table, only_check, ret);
}

void database_provision_at(struct cell_call *call, const char *cell, const struct table_table *table)
{
	struct macro_provisioned answer;
	int r = declare_at(call, cell, table, false, &answer);

	ck_assert_msg(r == 0, "%s", cell_error(call)->text);
	ck_assert_msg(answer.status == 0, "%s",
		      answer.n_diagnostics ? answer.diagnostics[0].text : "no reason");
}

void database_provision(struct cell_call *call, const struct table_table *table)
{
	database_provision_at(call, "celldb", table);
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
