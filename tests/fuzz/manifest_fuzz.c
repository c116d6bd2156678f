/*
 * Manifests come with packages, and by `cell deploy` from other machines. Whatever the text,
 * parsing ends in a manifest whose promises hold, or in an error that says where.
 */
#include <stdlib.h>
#include <string.h>

#include "libcell/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                      \
	do {                                                                                 \
		if (!(condition))                                                            \
			abort();                                                             \
	} while (0)

static void strings_end(const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		MUST(list[i]);
	MUST(n == 0 || !list[n]);
}

static void promises_hold(const struct cell_manifest *manifest)
{
	char name[CELL_CHANNEL_NAME_MAX];

	MUST(cell_name_is_valid(manifest->name));
	MUST(manifest->summary && manifest->version && manifest->program);
	MUST(manifest->n_exec > 0 && *manifest->exec[0]);
	strings_end((const char *const *)manifest->exec, manifest->n_exec);
	strings_end(manifest->read_only, manifest->n_read_only);
	strings_end(manifest->env, manifest->n_env);
	strings_end(manifest->namespaces, manifest->n_namespaces);
	MUST(manifest->instances >= 1 && manifest->instances <= manifest->max_instances);
	MUST(!manifest->user || strcmp(manifest->user, "root") != 0);
	MUST(!manifest->provides_macros || manifest->n_namespaces > 0);
	MUST(manifest->files >= 32 && manifest->connections > 0);
	for (size_t i = 0; i < manifest->n_read_only; i++)
		MUST(!cell_mount_refusal(manifest->read_only[i]));
	for (size_t i = 0; i < manifest->n_env; i++)
		MUST(strncmp(manifest->env[i], "LD_", 3) != 0);
	for (size_t i = 0; i < manifest->n_uses; i++) {
		const struct cell_manifest_use *use = &manifest->uses[i];
		struct cell_channels set = cell_manifest_uses(manifest, use->cell, false);

		MUST(cell_name_is_valid(use->cell) && use->line > 0);
		for (unsigned channel = 0; channel < 256; channel++)
			if (cell_channels_has(&set, (uint8_t)channel))
				(void)cell_channel_name((uint8_t)channel, name);
	}
	for (size_t i = 0; i < manifest->n_serves_remotes; i++)
		MUST(manifest->serves_remotes[i].node && manifest->serves_remotes[i].cell);
	(void)cell_manifest_serves_uid(manifest, 1000);
	(void)cell_manifest_serves_remote(manifest, "node1", "teller");
}

/* The parsers of single words, which options use as well. */
static void try_word(const uint8_t *data, size_t size)
{
	char *word = strndup((const char *)data, size);
	uint64_t number;

	MUST(word);
	(void)cell_size_parse(word, &number);
	(void)cell_duration_parse(word, &number);
	(void)cell_name_is_valid(word);
	(void)cell_mount_refusal(word);
	free(word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char path[] = "fuzz.cell";
	struct cell_manifest *manifest = NULL;
	struct cell_error err = { .code = 0 };
	int r = cell_manifest_parse(&manifest, (const char *)data, size, path, &err);

	if (r == 0) {
		promises_hold(manifest);
	} else {
		MUST(!manifest && err.code == r);
		MUST(r == CELL_INVALID_ARGUMENT);
		MUST(strncmp(err.text, path, sizeof path - 1) == 0);
		MUST(err.text[sizeof path - 1] == ':');
	}
	cell_manifest_free(manifest);
	try_word(data, size);
	return 0;
}
