#include "verbs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "cell-"
/* Of a line about a verb. */
#define SUMMARY_MAX 160

/* Programs of that name that are no verbs. */
static const char *const others[] = { "sandbox", NULL };

const char *program_folder(void)
{
	static char folder[PATH_MAX];
	ssize_t n;

	if (folder[0])
		return folder;
	n = readlink("/proc/self/exe", folder, sizeof folder - 1);
	folder[n > 0 ? n : 0] = '\0';
	if (strrchr(folder, '/'))
		*strrchr(folder, '/') = '\0';
	return folder;
}

/* Calls ON_FOLDER for each place until it says true. */
static bool places_each(bool (*on_folder)(void *, const char *), void *userdata)
{
	const char *lists[] = { getenv("CELL_EXEC_PATH"), NULL, getenv("PATH") };
	char libexec[PATH_MAX + 32];

	if (*program_folder() && on_folder(userdata, program_folder()))
		return true;
	(void)snprintf(libexec, sizeof libexec, "%s/../libexec/cell", program_folder());
	lists[1] = libexec;
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		char *list = strdup(lists[i] ? lists[i] : ""), *rest = list, *folder;
		bool found = false;

		while (!found && (folder = strsep(&rest, ":")))
			found = *folder == '/' && on_folder(userdata, folder);
		free(list);
		if (found)
			return true;
	}
	return false;
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static bool is_verb(const char *name)
{
	for (const char *const *other = others; *other; other++)
		if (strcmp(*other, name) == 0)
			return false;
	return *name;
}

/* ---- one program -------------------------------------------------------------------- */

struct search {
	const char *name;
	char *path;
};

static bool on_search(void *userdata, const char *folder)
{
	struct search *search = userdata;

	if (asprintf(&search->path, "%s/%s", folder, search->name) < 0) {
		search->path = NULL;
		return true;
	}
	if (is_program(search->path))
		return true;
	free(search->path);
	search->path = NULL;
	return false;
}

char *program_path(const char *name)
{
	struct search search = { .name = name };

	(void)places_each(on_search, &search);
	return search.path;
}

char *verb_path(const char *name)
{
	char *program = NULL, *path;

	/* A verb is one word, never a way to somewhere else. */
	if (strchr(name, '/') || !is_verb(name) || asprintf(&program, PREFIX "%s", name) < 0)
		return NULL;
	path = program_path(program);
	free(program);
	return path;
}

/* ---- manual pages ---------------------------------------------------------------------- */

/* "FOLDER/WAY/NAME.SECTION" if it is there; the caller's. */
static char *page_at(const char *way, const char *name, int section)
{
	struct stat st;
	char *path = NULL;

	if (asprintf(&path, "%s/%s/%s.%d", program_folder(), way, name, section) < 0)
		return NULL;
	if (stat(path, &st) == 0)
		return path;
	free(path);
	return NULL;
}

char *verb_page(const char *name)
{
	char *path = NULL;

	/* Installed beside bin/; built in the tree: BUILD/bin, with man/ above BUILD. */
	for (int section = 1; !path && section <= 8; section++) {
		char way[32];

		(void)snprintf(way, sizeof way, "../share/man/man%d", section);
		path = page_at(way, name, section);
		if (!path)
			path = page_at("../../man", name, section);
	}
	return path;
}

/* What stands on the page's .Nd line in SUMMARY, or in TARGET the page that it sources. */
static void page_read(const char *path, char summary[static SUMMARY_MAX],
		      char target[static NAME_MAX + 1])
{
	FILE *file = fopen(path, "re");
	char line[SUMMARY_MAX + 16];

	while (file && !*summary && !*target && fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, ".Nd ", 4) == 0)
			(void)snprintf(summary, SUMMARY_MAX, "%.*s", SUMMARY_MAX - 1,
				       line + 4);
		else if (strncmp(line, ".so ", 4) == 0 && strrchr(line, '.') > line + 4)
			(void)snprintf(target, NAME_MAX + 1, "%s",
				       strrchr(line, '/') ? strrchr(line, '/') + 1
							  : line + 4);
	}
	if (file)
		(void)fclose(file);
}

static char *page_summary(const char *name)
{
	char *path = verb_page(name), summary[SUMMARY_MAX] = "", target[NAME_MAX + 1] = "";

	if (path)
		page_read(path, summary, target);
	free(path);
	/* "cell-greeter.8": the section is part of where it is, not of its name. */
	if (*target) {
		char *dot = strrchr(target, '.'), other[NAME_MAX + 1] = "";
		char way[32];

		*dot = '\0';
		(void)snprintf(way, sizeof way, "../share/man/man%d", atoi(dot + 1));
		path = page_at(way, target, atoi(dot + 1));
		if (!path)
			path = page_at("../../man", target, atoi(dot + 1));
		if (path)
			page_read(path, summary, other);
		free(path);
	}
	return strdup(summary);
}

/* ---- all verbs ----------------------------------------------------------------------------
 */

const struct verb *verbs_get(const struct verbs *verbs, const char *name)
{
	for (size_t i = 0; i < verbs->n; i++)
		if (strcmp(verbs->list[i].name, name) == 0)
			return &verbs->list[i];
	return NULL;
}

static void verb_add(struct verbs *verbs, const char *folder, const char *program)
{
	const char *name = program + strlen(PREFIX);
	struct verb verb = { 0 }, *list = NULL;

	if (!is_verb(name) || verbs_get(verbs, name) ||
	    asprintf(&verb.path, "%s/%s", folder, program) < 0)
		return;
	verb.name = is_program(verb.path) ? strdup(name) : NULL;
	if (verb.name)
		list = realloc(verbs->list, (verbs->n + 1) * sizeof *list);
	if (!list) {
		free(verb.name);
		free(verb.path);
		return;
	}
	verbs->list = list;
	list[verbs->n++] = verb;
}

static bool on_list(void *userdata, const char *folder)
{
	struct verbs *verbs = userdata;
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0)
			verb_add(verbs, folder, entry->d_name);
	if (dir)
		(void)closedir(dir);
	return false;
}

static int by_name(const void *a, const void *b)
{
	const struct verb *x = a, *y = b;

	return strcmp(x->name, y->name);
}

void verbs_find(struct verbs *verbs, bool with_summaries)
{
	*verbs = (struct verbs){ 0 };
	(void)places_each(on_list, verbs);
	if (verbs->n)
		qsort(verbs->list, verbs->n, sizeof verbs->list[0], by_name);
	for (size_t i = 0; with_summaries && i < verbs->n; i++) {
		char page[NAME_MAX + 1];

		(void)snprintf(page, sizeof page, PREFIX "%s", verbs->list[i].name);
		verbs->list[i].summary = page_summary(page);
	}
}

void verbs_free(struct verbs *verbs)
{
	for (size_t i = 0; i < verbs->n; i++) {
		free(verbs->list[i].name);
		free(verbs->list[i].path);
		free(verbs->list[i].summary);
	}
	free(verbs->list);
	*verbs = (struct verbs){ 0 };
}
