#include "catalog.h"

#include "activate.h"

#include <cell/log.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the daemon keeps for a cell (kernel_cell's userdata). */
struct known {
	struct activation *activation;
	char *path;     /* of the file itself, links resolved; NULL: not found */
	struct timespec mtime;
	ino_t inode;
	off_t size;
	struct cell_manifest *manifest; /* kernel_cell's, ours to free */
};

const char *catalog_path(const struct kernel_cell *cell)
{
	const struct known *known = cell->userdata;

	return known && known->path ? known->path : "";
}

/* The real path of a regular file at PATH, or NULL. Taken memory. */
static char *file_at(const char *path)
{
	char *real = realpath(path, NULL);
	struct stat st;

	if (real && stat(real, &st) == 0 && S_ISREG(st.st_mode))
		return real;
	free(real);
	return NULL;
}

/* Copy the next folder of a colon-separated list to OUT. False at its end. */
static bool folder_next(const char **list, char out[static RUNDIR_PATH_MAX])
{
	size_t len;

	do {
		*list += strspn(*list, ":");
		len = strcspn(*list, ":");
		if (len == 0)
			return false;
		(void)snprintf(out, RUNDIR_PATH_MAX, "%.*s", (int)len, *list);
		*list += len;
	} while (len >= RUNDIR_PATH_MAX);
	return true;
}

static char *find_in_folder(const char *folder, const char *name)
{
	char path[2 * RUNDIR_PATH_MAX];
	char *found;

	(void)snprintf(path, sizeof path, "%s/%s.cell", folder, name);
	found = file_at(path);
	if (found)
		return found;
	(void)snprintf(path, sizeof path, "%s/%s/%s.cell", folder, name, name);
	return file_at(path);
}

static char *find_manifest(const struct daemon *daemon, const char *name)
{
	const char *folders = daemon->conf.cells;
	char path[RUNDIR_PATH_MAX];

	while (folder_next(&folders, path)) {
		char *found = find_in_folder(path, name);

		if (found)
			return found;
	}
	return file_at(rundir_path(&daemon->rundir, path, "manifests/%s.cell", name));
}

static struct known *known_ensure(struct kernel_cell *cell)
{
	if (!cell->userdata)
		cell->userdata = calloc(1, sizeof(struct known));
	return cell->userdata;
}

static bool known_is_current(const struct known *known)
{
	struct stat st;

	return known && known->path && stat(known->path, &st) == 0 && st.st_ino == known->inode &&
	       st.st_size == known->size && st.st_mtim.tv_sec == known->mtime.tv_sec &&
	       st.st_mtim.tv_nsec == known->mtime.tv_nsec;
}

/* The file is gone. What runs keeps its manifest: it still has its rights and limits. */
static void known_forget(struct kernel_cell *cell, struct known *known)
{
	free(known->path);
	known->path = NULL;
	cell->broken.code = 0;
	if (known->activation)
		activate_close(known->activation);
	known->activation = NULL;
	if (kernel_cell_running(cell) > 0)
		return;
	cell->manifest = NULL;
	cell_manifest_free(known->manifest);
	known->manifest = NULL;
}

static void known_take(struct daemon *daemon, struct kernel_cell *cell, struct known *known,
		       struct cell_manifest *manifest)
{
	bool is_new = !known->manifest;

	cell->broken.code = 0;
	cell->manifest = manifest;
	cell_manifest_free(known->manifest);
	known->manifest = manifest;
	/* Somebody changed it: perhaps what made it fail is mended. */
	if (!is_new && kernel_cell_in_state(cell, KERNEL_FAILED))
		kernel_cell_reset(&daemon->kernel, cell);
	if (known->activation)
		activate_update(known->activation);
	else if (!daemon->is_resuming)
		known->activation = activate_open(daemon, cell, -1);
}

/* Read the file at PATH, which becomes KNOWN's. */
static void known_read(struct daemon *daemon, struct kernel_cell *cell, struct known *known,
		       char *path)
{
	struct cell_manifest *manifest = NULL;
	struct cell_error err = { 0 };
	struct stat st = { 0 };
	int r;

	(void)stat(path, &st);
	r = cell_manifest_read(&manifest, path, &err);
	if (r == 0 && strcmp(manifest->name, cell->name) != 0) {
		r = cell_fail(&err, CELL_INVALID_ARGUMENT, "%s: is the manifest of '%s'", path,
			      manifest->name);
		cell_manifest_free(manifest);
	}
	if (known->path != path)
		free(known->path);
	known->path = path;
	known->mtime = st.st_mtim;
	known->inode = st.st_ino;
	known->size = st.st_size;
	if (r == 0) {
		known_take(daemon, cell, known, manifest);
		return;
	}
	cell->broken = err;
	cell_log(CELL_LOG_WARN, "catalog", "manifest_refused", "manifest_of=%s reason=\"%s\"",
		 cell->name, cell_log_quote((char[512]){ 0 }, 512, err.text));
}

void catalog_lookup(void *userdata, const char *name)
{
	struct daemon *daemon = userdata;
	struct kernel_cell *cell;
	struct known *known;
	char *path;

	if (!cell_name_is_valid(name))
		return;
	cell = kernel_cell_find(&daemon->kernel, name);
	if (cell && known_is_current(cell->userdata))
		return;
	path = find_manifest(daemon, name);
	if (!path) {
		if (cell && cell->userdata)
			known_forget(cell, cell->userdata);
		return;
	}
	/* Only what exists gets a place: names that are asked for cost nothing. */
	cell = kernel_cell_add(&daemon->kernel, name);
	known = cell ? known_ensure(cell) : NULL;
	if (known)
		known_read(daemon, cell, known, path);
	else
		free(path);
}

/* ---- looking through folders ------------------------------------------------------------ */

/* "greeter" of "greeter.cell" or of a folder "greeter"; looked up, so anything may be tried. */
static void scan_name(struct daemon *daemon, const char *entry)
{
	const char *dot = strrchr(entry, '.');
	char name[CELL_NAME_MAX + 1];
	size_t len = dot ? (size_t)(dot - entry) : strlen(entry);

	if ((dot && strcmp(dot, ".cell") != 0) || len == 0 || len > CELL_NAME_MAX)
		return;
	memcpy(name, entry, len);
	name[len] = 0;
	catalog_lookup(daemon, name);
}

static void scan_folder(struct daemon *daemon, const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		scan_name(daemon, entry->d_name);
	(void)closedir(dir);
}

void catalog_scan_again(struct daemon *daemon)
{
	/* However often somebody asks for lists, folders take a tenth of our time at most. */
	if (daemon_now() - daemon->scanned_ns >= 10 * daemon->scan_took_ns)
		catalog_scan(daemon);
}

void catalog_scan(struct daemon *daemon)
{
	uint64_t began_ns = daemon_now();
	const char *folders = daemon->conf.cells;
	char path[RUNDIR_PATH_MAX];

	while (folder_next(&folders, path))
		scan_folder(daemon, path);
	scan_folder(daemon, rundir_path(&daemon->rundir, path, "manifests"));
	for (size_t i = 0; i < daemon->kernel.n_cells; i++)
		catalog_lookup(daemon, daemon->kernel.cells[i]->name);
	daemon->scanned_ns = daemon_now();
	daemon->scan_took_ns = daemon->scanned_ns - began_ns;
}

/* ---- loading ------------------------------------------------------------------------------- */

/* Under another name first: a link that is seen is a whole one. */
static int link_make(const struct daemon *daemon, const char *name, const char *target,
		     struct cell_error *err)
{
	char path[RUNDIR_PATH_MAX], fresh[RUNDIR_PATH_MAX];

	(void)rundir_path(&daemon->rundir, path, "manifests/%s.cell", name);
	(void)unlink(rundir_path(&daemon->rundir, fresh, "manifests/.%s.new", name));
	if (symlink(target, fresh) < 0 || rename(fresh, path) < 0)
		return cell_fail(err, -errno, "linking '%s': %s", path, strerror(errno));
	return 0;
}

/* The name that PATH's last part gives its cell. */
static int name_of_path(const char *path, char ret_name[CELL_NAME_MAX + 1], struct cell_error *err)
{
	const char *base = strrchr(path, '/');
	size_t len;

	if (path[0] != '/')
		return cell_fail(err, CELL_INVALID_ARGUMENT, "'%s' is no absolute path", path);
	base++;
	len = strlen(base);
	if (len < 6 || len - 5 > CELL_NAME_MAX || strcmp(base + len - 5, ".cell") != 0)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "'%s' is not called NAME.cell", path);
	memcpy(ret_name, base, len - 5);
	ret_name[len - 5] = 0;
	if (!cell_name_is_valid(ret_name))
		return cell_fail(err, CELL_INVALID_ARGUMENT, "'%s' is no name of a cell", ret_name);
	return 0;
}

static int load_real(struct daemon *daemon, const char *real, const char *name,
		     struct kernel_cell **ret_cell, struct cell_error *err)
{
	struct cell_manifest *manifest = NULL;
	struct kernel_cell *cell;
	int r;

	catalog_lookup(daemon, name);
	cell = kernel_cell_find(&daemon->kernel, name);
	if (cell && catalog_path(cell)[0] && strcmp(catalog_path(cell), real) != 0)
		return cell_fail(err, CELL_ALREADY_EXISTS,
				 "%s is known already, from %s: move that away, or take another "
				 "node (--rundir)", name, catalog_path(cell));
	/* Refused before there is a link to something wrong. */
	r = cell_manifest_read(&manifest, real, err);
	if (r < 0)
		return r;
	cell_manifest_free(manifest);
	if (!cell || !catalog_path(cell)[0]) {
		r = link_make(daemon, name, real, err);
		if (r < 0)
			return r;
		catalog_lookup(daemon, name);
		cell = kernel_cell_find(&daemon->kernel, name);
	}
	if (!cell || !cell->manifest)
		return cell_fail(err, CELL_INTERNAL, "%s could not be looked up after loading", name);
	*ret_cell = cell;
	return 0;
}

int catalog_load(struct daemon *daemon, const char *path, struct kernel_cell **ret_cell,
		 struct cell_error *err)
{
	char name[CELL_NAME_MAX + 1];
	char *real;
	int r;

	r = name_of_path(path, name, err);
	if (r < 0)
		return r;
	real = file_at(path);
	if (!real)
		return cell_fail(err, CELL_NOT_FOUND, "no manifest at '%s'", path);
	r = load_real(daemon, real, name, ret_cell, err);
	free(real);
	return r;
}

void catalog_adopt_listener(struct daemon *daemon, struct kernel_cell *cell, int listener)
{
	struct known *known = cell->userdata;

	if (known && cell->manifest && !known->activation)
		known->activation = activate_open(daemon, cell, listener);
	else
		fd_close(&listener);
}

void catalog_close(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->kernel.n_cells; i++) {
		struct kernel_cell *cell = daemon->kernel.cells[i];
		struct known *known = cell->userdata;

		if (!known)
			continue;
		if (known->activation)
			activate_close(known->activation);
		cell->manifest = NULL;
		cell_manifest_free(known->manifest);
		free(known->path);
		free(known);
		cell->userdata = NULL;
	}
}
