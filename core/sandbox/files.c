#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../libcell/manifest.h"
#include "user.h"

/*
 * A folder that every Linux has, and that neither bwrap nor a cell needs from here: cgroups
 * are joined before, and the sandbox has no /sys.
 */
#define STAGE         "/sys"
#define STAGE_PROGRAM STAGE "/program"
#define STAGE_STATE   STAGE "/state"

static int program_open(struct files *files, const char *program, struct cell_error *err)
{
	struct stat st;

	files->program = program;
	files->program_fd = open(program, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (files->program_fd < 0 || fstat(files->program_fd, &st) < 0)
		return cell_fail(err, -errno, "program '%s': %s", program, strerror(errno));
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return cell_fail(err, -EACCES, "program '%s' is not an executable file",
				 program);
	return 0;
}

static int state_open(struct files *files, const char *state, struct cell_error *err)
{
	if (!state)
		return 0;
	if (mkdir(state, 0700) < 0 && errno != EEXIST)
		return cell_fail(err, -errno, "making state directory '%s': %s", state,
				 strerror(errno));
	files->state = state;
	files->state_fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (files->state_fd < 0)
		return cell_fail(err, -errno, "state directory '%s': %s", state,
				 strerror(errno));
	return 0;
}

/* Whether one of A and B is the other or lies below it. */
static bool paths_overlap(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), least = n < m ? n : m;
	const char *longer = n < m ? b : a;

	return strncmp(a, b, least) == 0 && (longer[least] == '/' || longer[least] == '\0');
}

static int mount_find(struct sandbox_mount *ret, const char *path, struct cell_arena *arena,
		      struct cell_error *err)
{
	const char *rundir = getenv("CELL_RUNDIR");
	char resolved[PATH_MAX], run[PATH_MAX];
	const char *why;

	if (!realpath(path, resolved))
		return cell_fail(err, -errno, "read-only '%s': %s", path, strerror(errno));
	/* What the manifest's text could not tell: where links lead. */
	why = cell_mount_refusal(resolved);
	if (!why && rundir && realpath(rundir, run) && paths_overlap(resolved, run))
		why = "is the node's run directory";
	if (why)
		return cell_fail(err, CELL_PERMISSION_DENIED, "read-only '%s': '%s' %s", path,
				 resolved, why);
	ret->path = path;
	ret->source = cell_arena_strdup(arena, resolved);
	return ret->source ? 0 : cell_fail(err, -ENOMEM, "read-only '%s'", path);
}

static int mounts_find(struct files *files, const struct cell_manifest *manifest,
		       struct cell_arena *arena, struct cell_error *err)
{
	int r = 0;

	files->mounts =
		cell_arena_calloc(arena, manifest->n_read_only, sizeof *files->mounts);
	if (!files->mounts)
		return cell_fail(err, -ENOMEM, "looking for mounts");
	for (size_t i = 0; i < manifest->n_read_only && r == 0; i++) {
		r = mount_find(&files->mounts[i], manifest->read_only[i], arena, err);
		files->n_mounts = i + 1;
	}
	return r;
}

static int links_find(struct files *files, struct cell_arena *arena, struct cell_error *err)
{
	static const char *const paths[] = { "/bin",   "/sbin",  "/lib",
					     "/lib32", "/lib64", "/libx32" };
	size_t n = sizeof paths / sizeof paths[0];

	files->links = cell_arena_calloc(arena, n, sizeof *files->links);
	if (!files->links)
		return cell_fail(err, -ENOMEM, "looking for /lib");
	for (size_t i = 0; i < n; i++) {
		struct sandbox_link *link = &files->links[files->n_links];
		char target[256];
		ssize_t len = readlink(paths[i], target, sizeof target - 1);
		struct stat st;

		if (len < 0 && (stat(paths[i], &st) < 0 || !S_ISDIR(st.st_mode)))
			continue;
		link->path = paths[i];
		if (len >= 0 &&
		    !(link->target = cell_arena_strndup(arena, target, (size_t)len)))
			return cell_fail(err, -ENOMEM, "looking for /lib");
		files->n_links++;
	}
	return 0;
}

int files_open(struct files *files, const struct cell_manifest *manifest, const char *program,
	       const char *state, struct cell_arena *arena, struct cell_error *err)
{
	int r;

	*files = (struct files){ .program_fd = -1, .state_fd = -1 };
	r = program_open(files, program, err);
	if (r == 0)
		r = state_open(files, state, err);
	if (r == 0)
		r = mounts_find(files, manifest, arena, err);
	if (r == 0)
		r = links_find(files, arena, err);
	return r;
}

void files_close(struct files *files)
{
	if (files->program_fd >= 0)
		(void)close(files->program_fd);
	if (files->state_fd >= 0)
		(void)close(files->state_fd);
	files->program_fd = files->state_fd = -1;
}

/* ---- staging ---- */

/*
 * Mount what is open as FD at PATH. A descriptor from before unshare() belongs to the old
 * namespace and cannot be mounted, so SOURCE is opened again, and must be the same file.
 */
static int stage_bind(int fd, const char *source, const char *path)
{
	struct stat was, is;
	char again[40];
	int r = 0, now = open(source, O_PATH | O_CLOEXEC);

	if (now < 0)
		return -errno;
	(void)snprintf(again, sizeof again, "/proc/self/fd/%d", now);
	if (fstat(fd, &was) < 0 || fstat(now, &is) < 0)
		r = -errno;
	else if (was.st_dev != is.st_dev || was.st_ino != is.st_ino)
		r = -ESTALE;
	else if (mount(again, path, NULL, MS_BIND, NULL) < 0)
		r = -errno;
	(void)close(now);
	return r;
}

static int stage_program(int fd, const char *source)
{
	int file = open(STAGE_PROGRAM, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (file < 0)
		return -errno;
	(void)close(file);
	return stage_bind(fd, source, STAGE_PROGRAM);
}

static int stage_state(int fd, const char *source)
{
	if (mkdir(STAGE_STATE, 0755) < 0)
		return -errno;
	return stage_bind(fd, source, STAGE_STATE);
}

/*
 * Slave, not private: what the machine unmounts later must go here too, or a cell would
 * keep a disk busy for as long as it lives.
 */
static int stage_open(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount("cell", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=64k") < 0)
		return -errno;
	return 0;
}

int files_stage(struct files *files, const struct user *user, struct cell_error *err)
{
	bool has_program, has_state;
	struct stat st;
	int r;

	if (!user->is_change)
		return 0;
	has_program = user_reaches(user, files->program, R_OK | X_OK);
	has_state = !files->state || user_reaches(user, files->state, W_OK | X_OK);
	if (has_program && has_state)
		return 0;
	r = stage_open();
	if (!has_program) {
		const char *source = files->program;

		/* The folders are no hindrance any more, but the file's own mode still is. */
		files->program = NULL;
		if (r == 0 && fstat(files->program_fd, &st) == 0 &&
		    (st.st_mode & 0005) == 0005 &&
		    stage_program(files->program_fd, source) == 0)
			files->program = STAGE_PROGRAM;
	}
	if (!has_state) {
		if (r == 0)
			r = stage_state(files->state_fd, files->state);
		if (r < 0)
			return cell_fail(err, CELL_PERMISSION_DENIED,
					 "user '%s' cannot reach state directory '%s': %s",
					 user->name, files->state, strerror(-r));
		files->state = STAGE_STATE;
	}
	return 0;
}

int files_memfd(const char *name, const char *text)
{
	size_t len = strlen(text);
	int fd = memfd_create(name, 0);

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) < 0) {
		(void)close(fd);
		return -EIO;
	}
	return fd;
}
