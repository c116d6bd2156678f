/*
 * The main of a fuzz harness when no fuzz engine drives it.
 *
 * Feeds the harness every file of the given folders (or files), byte for byte,
 * so that each input that ever broke a parser is tried on every `make test`.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static unsigned int n_replayed;

static bool replay_file(const char *path)
{
	FILE *file = fopen(path, "rbe");
	uint8_t *data = NULL;
	struct stat st;
	bool done = false;

	if (!file || fstat(fileno(file), &st) < 0)
		goto out;

	/* An allocation of exactly the input's size lets a sanitizer see the first byte past it. */
	data = malloc(st.st_size ? (size_t)st.st_size : 1);
	if (!data || fread(data, 1, (size_t)st.st_size, file) != (size_t)st.st_size)
		goto out;

	/* Said before it runs: the last name printed is the one that crashed. */
	if (getenv("VERBOSE"))
		fprintf(stderr, "%s\n", path);
	(void)LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	n_replayed++;
	done = true;
out:
	if (!done)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	free(data);
	if (file)
		fclose(file);
	return done;
}

static bool replay_path(const char *path)
{
	struct dirent *entry;
	struct stat st;
	bool done = true;
	DIR *dir;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return replay_file(path);
	dir = opendir(path);
	if (!dir) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	while ((entry = readdir(dir))) {
		char *child = NULL;

		if (entry->d_name[0] == '.')
			continue;
		if (asprintf(&child, "%s/%s", path, entry->d_name) < 0)
			abort();
		done = replay_path(child) && done;
		free(child);
	}
	closedir(dir);
	return done;
}

int main(int argc, char **argv)
{
	bool done = true;

	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE_OR_FOLDER...\n", argv[0]);
		return 2;
	}
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		done = replay_path(argv[i]) && done;
	printf("%u inputs replayed\n", n_replayed);
	return done && n_replayed > 0 ? 0 : 1;
}
