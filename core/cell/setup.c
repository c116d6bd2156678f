#include "setup.h"

#include "../libcell/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What is in a new node.conf: all that one may say, as comments. cellcore(8) explains. */
static const char conf_text[] =
	"; What this node is, and which cells play a part for it: see cellcore(8).\n"
	"; Read when cellcore starts, and again at SIGHUP.\n"
	"[node]\n"
	"%sname = %s\n"
	"; folders of manifests, ':' between them; the cells that came with cellcore are known\n"
	"; cells = /usr/local/lib/cell/cells\n"
	"; the cell that reads every cell's stderr\n"
	"log = log\n"
	"; the cell that knows where cells of other nodes are\n"
	"; resolver = nucleus\n"
	"; the cell that carries connections between nodes\n"
	"; gateway = gateway\n"
	"; the cell that coordinates macros: it may reach all that provide some\n"
	"; macro = macro\n"
	"; cells that may start and retire instances\n"
	"; spawn = autoscaler\n"
	"; bwrap, or none: cells then run without protection from them\n"
	"; sandbox = bwrap\n";

/* The folder of PATH that exists, PATH itself or above, in OUT. */
static void existing_folder(const char *path, char out[static PATH_MAX])
{
	struct stat st;

	(void)snprintf(out, PATH_MAX, "%s", path);
	while (stat(out, &st) < 0) {
		char *slash = strrchr(out, '/');

		if (!slash || slash == out) {
			(void)snprintf(out, PATH_MAX, "%s", slash ? "/" : ".");
			return;
		}
		*slash = '\0';
	}
}

static bool is_volatile(const char *path)
{
	char folder[PATH_MAX];
	struct statfs fs;

	existing_folder(path, folder);
	return statfs(folder, &fs) == 0 && ((unsigned long)fs.f_type == TMPFS_MAGIC ||
					    (unsigned long)fs.f_type == RAMFS_MAGIC);
}

/* Whether the run directory is the one that stands for this user's node on this machine. */
static bool is_standard(const char *rundir)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char standard[PATH_MAX];

	if (getuid() == 0)
		return strcmp(rundir, "/run/cell") == 0;
	(void)snprintf(standard, sizeof standard, "%s/cell", runtime ? runtime : "");
	return strcmp(rundir, standard) == 0;
}

/* A path from the top; PATH may not exist yet. */
static int absolute(const char *path, char out[static PATH_MAX], struct cell_error *err)
{
	char cwd[PATH_MAX];
	int n;

	if (*path == '/')
		n = snprintf(out, PATH_MAX, "%s", path);
	else if (!getcwd(cwd, sizeof cwd))
		return cell_fail(err, -errno, "the current folder: %s", strerror(errno));
	else
		n = snprintf(out, PATH_MAX, "%s/%s", cwd, path);
	if (n < 0 || n >= PATH_MAX)
		return cell_fail(err, -ENAMETOOLONG, "'%.60s…' is too long", path);
	/* "rundir/" is "rundir". */
	while (n > 1 && out[n - 1] == '/')
		out[--n] = '\0';
	return 0;
}

static int statedir_find(struct setup *setup, const char *given, struct cell_error *err)
{
	const char *state_home = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char path[2 * PATH_MAX];

	if (!given || !*given)
		given = getenv("CELL_STATEDIR");
	if (given && *given)
		return absolute(given, setup->statedir, err);
	if (!is_standard(setup->rundir))
		(void)snprintf(path, sizeof path, "%s/state", setup->rundir);
	else if (getuid() == 0)
		(void)snprintf(path, sizeof path, "/var/lib/cell");
	else if (state_home && *state_home == '/')
		(void)snprintf(path, sizeof path, "%s/cell", state_home);
	else if (home && *home == '/')
		(void)snprintf(path, sizeof path, "%s/.local/state/cell", home);
	else
		(void)snprintf(path, sizeof path, "%s/state", setup->rundir);
	return absolute(path, setup->statedir, err);
}

/* "DIR/NAME" in OUT; -ENAMETOOLONG. */
static int path_in(char out[static PATH_MAX], const char *dir, const char *name,
		   struct cell_error *err)
{
	int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);

	return n > 0 && n < PATH_MAX
		       ? 0
		       : cell_fail(err, -ENAMETOOLONG, "'%.60s…' is too long", dir);
}

int setup_find(struct setup *setup, const char *statedir, struct cell_error *err)
{
	char found[RUNDIR_MAX], path[PATH_MAX];
	int r;

	*setup = (struct setup){ .has_node = false };
	r = cell_rundir_find(found, sizeof found);
	if (r == -ENAMETOOLONG)
		return cell_fail(err, r, "the run directory's path is too long");
	r = absolute(found, setup->rundir, err);
	r = r ? r : statedir_find(setup, statedir, err);
	if (r)
		return r;
	setup->is_volatile = is_volatile(setup->statedir);
	if (path_in(path, setup->rundir, "node.conf", err) == 0)
		setup->is_made = access(path, F_OK) == 0;
	if (path_in(path, setup->rundir, "core.sock", err) == 0)
		setup->has_node = access(path, F_OK) == 0;
	return 0;
}

static int folders_make(const char *path, struct cell_error *err)
{
	char part[PATH_MAX];

	(void)snprintf(part, sizeof part, "%s", path);
	for (char *at = part + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return cell_fail(err, -errno, "making '%s': %s", part,
					 strerror(errno));
		*at = '/';
	}
	if (mkdir(part, 0700) < 0 && errno != EEXIST)
		return cell_fail(err, -errno, "making '%s': %s", part, strerror(errno));
	return 0;
}

/* The whole file appears at once, or not at all; one that is there stays. */
static int conf_write(const char *path, const char *name, struct cell_error *err)
{
	char temporary[PATH_MAX + 32];
	int r = 0;
	FILE *file;

	(void)snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
	file = fopen(temporary, "wxe");
	if (!file)
		return cell_fail(err, -errno, "%s: %s", temporary, strerror(errno));
	fprintf(file, conf_text, name ? "" : "; ", name ? name : "node1");
	if (fflush(file) != 0 || fsync(fileno(file)) < 0)
		r = -errno;
	if (fclose(file) != 0 && r == 0)
		r = -errno;
	if (r == 0 && link(temporary, path) < 0 && errno != EEXIST)
		r = -errno;
	(void)unlink(temporary);
	return r ? cell_fail(err, r, "%s: %s", path, strerror(-r)) : 0;
}

int setup_make(struct setup *setup, const char *name, struct cell_error *err)
{
	char path[PATH_MAX];
	int r = folders_make(setup->rundir, err);

	if (r == 0)
		r = path_in(path, setup->rundir, "node.conf", err);
	if (r < 0 || setup->is_made)
		return r;
	return conf_write(path, name, err);
}
