/*
 * What a manifest means in bwrap's words. Pure: a plan goes in, an argument vector and an
 * environment come out; whoever fills the plan has looked at the machine.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cell/arena.h>
#include <cell/error.h>

struct cell_manifest;

/* Where the program and its state are inside. */
#define SANDBOX_PROGRAM_FOLDER "/cell/"
#define SANDBOX_STATE          "/state"

/* /lib and its like: links into /usr, or folders on machines that have not merged them. */
struct sandbox_link {
	const char *path;
	const char *target; /* NULL: a folder */
};

/* A folder or file shown inside, read-only, at the place the manifest names. */
struct sandbox_mount {
	const char *source; /* links resolved */
	const char *path;
};

struct sandbox_plan {
	const struct cell_manifest *manifest;
	const char *node;
	uint32_t instance;
	const char *user; /* for the passwd stub */
	uid_t uid;
	gid_t gid;

	const char *program; /* a path that bwrap can reach, or NULL: copy PROGRAM_FD */
	int program_fd;
	const char *state; /* such a path; NULL: no state directory */
	const struct sandbox_link *links;
	size_t n_links;
	const struct sandbox_mount *mounts;
	size_t n_mounts;

	/* Descriptors bwrap reads; -1: none. */
	int seccomp_fd;
	int passwd_fd;
	int group_fd;
	int nsswitch_fd;
	int status_fd;

	/* What this bwrap knows. */
	bool has_disable_userns;
	bool has_size;

	char *const *args; /* behind those of `exec =`; NULL-terminated */
};

/*
 * *RET is bwrap's argument vector, from its name to the NULL, in ARENA; it points into PLAN.
 * Returns 0 or -ENOMEM.
 */
int sandbox_argv(char ***ret, const struct sandbox_plan *plan, struct cell_arena *arena,
		 struct cell_error *err);

/* The program's own arguments without a sandbox: PROGRAM and the manifest's, and PLAN->args.
 */
int sandbox_exec(char ***ret, const struct sandbox_plan *plan, const char *program,
		 struct cell_arena *arena, struct cell_error *err);

/*
 * The cell's whole environment: what the manifest asks for and the runtime promises, taken
 * from ENVIRON only where the manifest passes a name on. STATE is the state directory as the
 * program sees it, or NULL.
 */
int sandbox_environ(char ***ret, const struct sandbox_plan *plan, char *const *from,
		    const char *state, struct cell_arena *arena, struct cell_error *err);

/* The few lines of /etc/passwd, group and nsswitch.conf that libc asks for. NULL: no memory.
 */
const char *sandbox_passwd(const struct sandbox_plan *plan, struct cell_arena *arena);
const char *sandbox_group(const struct sandbox_plan *plan, struct cell_arena *arena);
const char *sandbox_nsswitch(const struct sandbox_plan *plan);

/* VECTOR as a shell would take it back, one option of bwrap a line. NULL: no memory. */
const char *sandbox_show(char *const *environment, char *const *vector,
			 struct cell_arena *arena);
