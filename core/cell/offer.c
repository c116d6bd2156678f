#include "offer.h"

#include "node.h"
#include "verbs.h"

#include <cell/cell.h>
#include <string.h>

/* A person waits for the next key to work. */
#define OFFER_TIMEOUT_MS 1000

static void offer_cells(struct cell_call *call, FILE *file)
{
	const struct core_cell_info *cells;
	size_t n;

	if (node_cells(call, &cells, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		fprintf(file, "%s\t%s\n", cells[i].name, cells[i].summary);
}

static bool is_running(struct cell_call *call, const char *cell)
{
	const struct core_instance_info *instances;
	size_t n;

	if (node_instances(call, cell, &instances, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (instances[i].state == CORE_INSTANCE_STATE_READY)
			return true;
	return false;
}

static void offer_schema(struct cell_call *call, const char *cell, bool with_types,
			 FILE *file)
{
	struct schema *schema = NULL;
	char name[128];

	/* A key pressed must not start a cell. */
	if (!is_running(call, cell) || node_schema(call, cell, 0, &schema) < 0)
		return;
	for (size_t i = 0; i < schema->n_files; i++) {
		const struct schema_file *f = &schema->files[i];

		for (size_t k = 0; k < f->n_services; k++)
			for (size_t m = 0;
			     f->services[k].is_served && !f->services[k].is_common &&
			     m < f->services[k].n_methods;
			     m++) {
				const struct schema_method *method =
					&f->services[k].methods[m];

				fprintf(file, "%s\t%.*s\n",
					schema_snake(name, sizeof name, method->name),
					(int)strcspn(method->comment, "\n"), method->comment);
			}
		for (size_t k = 0; with_types && k < f->n_messages; k++)
			fprintf(file, "%s\tmessage\n", f->messages[k].short_name);
	}
	schema_release(schema);
}

static void offer_verbs(FILE *file)
{
	struct verbs verbs;

	verbs_find(&verbs, true);
	for (size_t i = 0; i < verbs.n; i++)
		fprintf(file, "%s\t%s\n", verbs.list[i].name, verbs.list[i].summary);
	fputs("help\tshow what a verb does\n", file);
	verbs_free(&verbs);
}

void offer_words(void *userdata, enum opts_words words, char **args, size_t n_args,
		 FILE *file)
{
	const struct opts_command *command = userdata;
	struct cell_call *root, *call;

	if (words == OPTS_OWN && command->offer)
		command->offer(NULL, words, args, n_args, file);
	/* Files are the shell's own business: it knows about tildes and quotes. */
	if (words == OPTS_FILE || words == OPTS_FOLDER)
		fprintf(file, ":%s\n", words == OPTS_FILE ? "files" : "folders");
	if (words == OPTS_VERB)
		offer_verbs(file);
	if (words != OPTS_CELL && words != OPTS_METHOD && words != OPTS_TYPE)
		return;
	root = cell_open("cell-complete");
	call = cell_within_ms(root, OFFER_TIMEOUT_MS);
	if (words == OPTS_CELL)
		offer_cells(call, file);
	else if (n_args)
		offer_schema(call, args[0], words == OPTS_TYPE, file);
	cell_close(root);
}
