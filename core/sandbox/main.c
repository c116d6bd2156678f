/*
 * cell-sandbox: become what a manifest says and execute its program.
 *
 * A chain of steps, each giving up something, in an order that matters: read and open what
 * needs rights, join the cgroup, give the state directory away, become the user, build the
 * filter, close descriptors, execute bwrap. Nothing of us remains in the running cell.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cell/cell.h>

#include "../libcell/manifest.h"
#include "../libcell/sigsys.h"

#include "argv.h"
#include "bwrap.h"
#include "fds.h"
#include "files.h"
#include "landlock.h"
#include "limits.h"
#include "seccomp.h"
#include "user.h"

/* The cgroup's folder for those who start cells by hand. */
#define DEFAULT_NODE "hand"

enum action {
	ACTION_RUN,
	ACTION_PRINT,
	ACTION_CHECK,
	ACTION_CLEANUP,
	ACTION_HELP,
	ACTION_VERSION
};

struct options {
	enum action action;
	const char *manifest;
	char **args;
	const char *program;
	const char *state;
	const char *node;
	const char *cgroup; /* the node's folder of cgroups; NULL: by its name */
	const char *cgroup_root;
	const char *user;
	uint32_t instance;
	int status_fd;
	bool no_sandbox;
	struct fds fds;
};

/* All that lives until exec. */
struct sandbox {
	const struct options *options;
	struct cell_manifest *manifest;
	struct cell_arena arena;
	struct user user;
	struct bwrap bwrap;
	struct files files;
	struct fds fds;
	pid_t parent;
};

static void help(FILE *out)
{
	fputs("usage: cell-sandbox [OPTION ...] MANIFEST [-- ARGUMENT ...]\n"
	      "       cell-sandbox --check [--user NAME]\n"
	      "       cell-sandbox --cleanup {--node | --cgroup} NAME\n"
	      "\n"
	      "Run the program of a cell's manifest in its sandbox.\n"
	      "\n"
	      "  cell-sandbox greeter.cell -- --verbose    with one more argument\n"
	      "  cell-sandbox --print greeter.cell         only show how\n"
	      "  cell-sandbox --keep-fd 0 --keep-fd 1 --program /bin/sh greeter.cell\n"
	      "                                            look around in there\n"
	      "\n"
	      "  --state DIR        make DIR the cell's state directory\n"
	      "  --program FILE     run FILE instead of the manifest's program\n"
	      "  --instance N       number of the instance (0)\n"
	      "  --node NAME        name of the node (" DEFAULT_NODE ")\n"
	      "  --cgroup NAME      folder of the node's cgroups, below cell (the node's name)\n"
	      "  --user NAME        run as NAME instead of the manifest's user (root only)\n"
	      "  --cgroup-root DIR  make cgroups below DIR\n"
	      "  --keep-fd FD       leave descriptor FD open; may be repeated\n"
	      "  --status-fd FD     let bwrap report the child's pid on FD, as JSON\n"
	      "  --no-sandbox       limits and user only: no protection\n"
	      "  --print            show the command instead of executing it\n"
	      "  --check            say whether sandboxes work here\n"
	      "  --cleanup          remove the cgroup of an instance that has ended; without a\n"
	      "                     manifest, kill and remove all instances of the node\n"
	      "  -h, --help         show this\n"
	      "  --version          show the version\n"
	      "\n"
	      "Exit status, if the program was not reached: 1 failed, 2 usage or a wrong\n"
	      "manifest, 3 something is missing, 5 not permitted. See cell-sandbox(1).\n",
	      out);
}

/* ---- options ---- */

static int number_parse(const char *option, const char *text, unsigned long max,
			unsigned long *ret, struct cell_error *err)
{
	char *end;

	errno = 0;
	*ret = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || *ret > max)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "--%s: '%s' is no number up to %lu", option, text, max);
	return 0;
}

static int fd_parse(const char *option, const char *text, int *ret, struct cell_error *err)
{
	unsigned long number;
	int r = number_parse(option, text, 1 << 20, &number, err);

	if (r < 0)
		return r;
	if (fcntl((int)number, F_GETFD) < 0)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "--%s: descriptor %lu is not open", option, number);
	*ret = (int)number;
	return 0;
}

enum {
	OPTION_STATE = 256,
	OPTION_PROGRAM,
	OPTION_INSTANCE,
	OPTION_NODE,
	OPTION_USER,
	OPTION_CGROUP,
	OPTION_CGROUP_ROOT,
	OPTION_KEEP_FD,
	OPTION_STATUS_FD,
	OPTION_NO_SANDBOX,
	OPTION_PRINT,
	OPTION_CHECK,
	OPTION_CLEANUP,
	OPTION_VERSION
};

static const struct option long_options[] = {
	{ "state", required_argument, NULL, OPTION_STATE },
	{ "program", required_argument, NULL, OPTION_PROGRAM },
	{ "instance", required_argument, NULL, OPTION_INSTANCE },
	{ "node", required_argument, NULL, OPTION_NODE },
	{ "user", required_argument, NULL, OPTION_USER },
	{ "cgroup", required_argument, NULL, OPTION_CGROUP },
	{ "cgroup-root", required_argument, NULL, OPTION_CGROUP_ROOT },
	{ "keep-fd", required_argument, NULL, OPTION_KEEP_FD },
	{ "status-fd", required_argument, NULL, OPTION_STATUS_FD },
	{ "no-sandbox", no_argument, NULL, OPTION_NO_SANDBOX },
	{ "print", no_argument, NULL, OPTION_PRINT },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "cleanup", no_argument, NULL, OPTION_CLEANUP },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 }
};

static int option_take(struct options *options, int option, const char *value,
		       struct cell_error *err)
{
	unsigned long number;
	int r = 0, fd;

	switch (option) {
	case OPTION_STATE: options->state = value; break;
	case OPTION_PROGRAM: options->program = value; break;
	case OPTION_NODE: options->node = value; break;
	case OPTION_USER: options->user = value; break;
	case OPTION_CGROUP: options->cgroup = value; break;
	case OPTION_CGROUP_ROOT: options->cgroup_root = value; break;
	case OPTION_NO_SANDBOX: options->no_sandbox = true; break;
	case OPTION_PRINT: options->action = ACTION_PRINT; break;
	case OPTION_CHECK: options->action = ACTION_CHECK; break;
	case OPTION_CLEANUP: options->action = ACTION_CLEANUP; break;
	case OPTION_STATUS_FD:
		r = fd_parse("status-fd", value, &options->status_fd, err);
		break;
	case OPTION_INSTANCE:
		r = number_parse("instance", value, UINT32_MAX, &number, err);
		options->instance = (uint32_t)number;
		break;
	case OPTION_KEEP_FD:
		r = fd_parse("keep-fd", value, &fd, err);
		if (r == 0 && (r = fds_keep(&options->fds, fd)) < 0)
			r = cell_fail(err, r, "--keep-fd %d: %s", fd, strerror(-r));
		break;
	default: r = cell_fail(err, CELL_INVALID_ARGUMENT, "see cell-sandbox --help");
	}
	return r;
}

static int options_parse(struct options *options, int argc, char **argv,
			 struct cell_error *err)
{
	int option, r;

	/* No node yet: all of one is cleaned up only for who names it. */
	*options = (struct options){ .status_fd = -1 };
	fds_start(&options->fds);
	while ((option = getopt_long(argc, argv, "+h", long_options, NULL)) != -1) {
		if (option == 'h' || option == OPTION_VERSION) {
			options->action = option == 'h' ? ACTION_HELP : ACTION_VERSION;
			return 0;
		}
		r = option_take(options, option, optarg, err);
		if (r < 0)
			return r;
	}
	if (!options->cgroup)
		options->cgroup = options->node;
	if (options->action == ACTION_CHECK && optind == argc)
		return 0;
	if (options->action == ACTION_CLEANUP && optind == argc && options->cgroup)
		return 0;
	if (optind == argc)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "no manifest given; see cell-sandbox --help");
	options->manifest = argv[optind++];
	if (!options->node)
		options->node = DEFAULT_NODE;
	if (!options->cgroup)
		options->cgroup = options->node;
	if (optind < argc && strcmp(argv[optind], "--") != 0)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "'%s': arguments of the cell stand behind --", argv[optind]);
	options->args = optind < argc ? argv + optind + 1 : NULL;
	return 0;
}

/* ---- steps ---- */

static int open_all(struct sandbox *sandbox, struct cell_error *err)
{
	const struct options *options = sandbox->options;
	struct cell_manifest *manifest = sandbox->manifest;
	int r;

	r = user_find(&sandbox->user, options->user ? options->user : manifest->user, err);
	if (r == 0 && !options->no_sandbox)
		r = bwrap_find(&sandbox->bwrap, err);
	if (r == 0)
		r = files_open(&sandbox->files, manifest,
			       options->program ? options->program : manifest->program,
			       manifest->state ? options->state : NULL, &sandbox->arena, err);
	return r;
}

/*
 * No cell outlives who started it. bwrap sees to that, too, but does not ask whether that
 * one is gone already. A change of the user forgets the request, so it comes after.
 */
static int die_with_parent(struct sandbox *sandbox, struct cell_error *err)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return cell_fail(err, -errno, "prctl: %s", strerror(errno));
	if (getppid() != sandbox->parent)
		return cell_fail(err, CELL_CANCELLED, "who started us is gone");
	return 0;
}

/* Everything that takes rights of ours, then the end of them. */
static int give_up_rights(struct sandbox *sandbox, struct cell_error *err)
{
	const struct options *options = sandbox->options;
	struct limit limits[LIMITS_MAX];
	unsigned controllers;
	size_t n;
	int r;

	r = limits_join(&controllers, sandbox->manifest, options->cgroup_root, options->cgroup,
			options->instance, err);
	if (r == 0 && sandbox->files.state)
		r = user_gets_folder(&sandbox->user, sandbox->files.state_fd, err);
	if (r == 0 && !options->no_sandbox)
		r = files_stage(&sandbox->files, &sandbox->user, err);
	if (r < 0)
		return r;
	n = limits_plan(limits, sandbox->manifest, controllers);
	r = limits_apply(limits, n, err);
	if (r == 0)
		r = user_become(&sandbox->user, err);
	if (r == 0)
		r = die_with_parent(sandbox, err);
	return r;
}

static int plan_text(struct sandbox *sandbox, int *ret_fd, const char *name, const char *text,
		     struct cell_error *err)
{
	int fd = text ? files_memfd(name, text) : -ENOMEM;

	*ret_fd = fds_keep_moved(&sandbox->fds, fd);
	if (*ret_fd < 0)
		return cell_fail(err, *ret_fd, "making %s: %s", name, strerror(-*ret_fd));
	return 0;
}

static int plan_filter(struct sandbox *sandbox, int *ret_fd, struct cell_error *err)
{
	const struct seccomp_options options = {
		.network = sandbox->manifest->network == CELL_NETWORK_HOST,
		.report = sandbox->manifest->report_denied && cell_sigsys_is_supported(),
	};
	int r = seccomp_filter(ret_fd, &options, err);

	if (r < 0)
		return r;
	*ret_fd = fds_keep_moved(&sandbox->fds, *ret_fd);
	return *ret_fd < 0 ? cell_fail(err, *ret_fd, "keeping the seccomp filter") : 0;
}

static int plan_make(struct sandbox *sandbox, struct sandbox_plan *plan,
		     struct cell_error *err)
{
	const struct options *options = sandbox->options;
	const struct files *files = &sandbox->files;
	int r;

	*plan = (struct sandbox_plan){
		.manifest = sandbox->manifest,
		.node = options->node,
		.instance = options->instance,
		.user = sandbox->user.name,
		.uid = sandbox->user.uid,
		.gid = sandbox->user.gid,
		.program = files->program,
		.program_fd = -1,
		.state = files->state,
		.links = files->links,
		.n_links = files->n_links,
		.mounts = files->mounts,
		.n_mounts = files->n_mounts,
		.seccomp_fd = -1,
		.status_fd = options->status_fd,
		.has_disable_userns = sandbox->bwrap.has_disable_userns,
		.has_size = sandbox->bwrap.has_size,
		.args = options->args,
	};
	if (options->no_sandbox)
		return 0;
	r = plan_text(sandbox, &plan->passwd_fd, "passwd",
		      sandbox_passwd(plan, &sandbox->arena), err);
	if (r == 0)
		r = plan_text(sandbox, &plan->group_fd, "group",
			      sandbox_group(plan, &sandbox->arena), err);
	if (r == 0)
		r = plan_text(sandbox, &plan->nsswitch_fd, "nsswitch", sandbox_nsswitch(plan),
			      err);
	if (r == 0)
		r = plan_filter(sandbox, &plan->seccomp_fd, err);
	if (r == 0 && !plan->program) {
		plan->program_fd = fds_keep_moved(&sandbox->fds, sandbox->files.program_fd);
		sandbox->files.program_fd = -1;
		if (plan->program_fd < 0)
			r = cell_fail(err, plan->program_fd, "keeping the program");
	}
	if (r == 0 && plan->status_fd >= 0 &&
	    (r = fds_keep(&sandbox->fds, plan->status_fd)) < 0)
		r = cell_fail(err, r, "keeping the status descriptor");
	return r;
}

/* ---- with a sandbox ---- */

static int run_inside(struct sandbox *sandbox, struct cell_error *err)
{
	char **vector, **environment;
	struct sandbox_plan plan;
	int r;

	r = bwrap_probe(&sandbox->bwrap, err);
	if (r == 0)
		r = plan_make(sandbox, &plan, err);
	if (r == 0)
		r = sandbox_argv(&vector, &plan, &sandbox->arena, err);
	if (r == 0)
		r = sandbox_environ(&environment, &plan, environ,
				    plan.state ? SANDBOX_STATE : NULL, &sandbox->arena, err);
	if (r < 0)
		return r;
	if (sandbox->manifest->network == CELL_NETWORK_HOST && !sandbox->bwrap.is_setuid &&
	    landlock_abstract_sockets() < 0)
		cell_log(CELL_LOG_INFO, "sandbox", "abstract_sockets_open",
			 "reason=\"landlock of this kernel cannot close them\"");
	r = fds_seal(&sandbox->fds);
	if (r < 0)
		return cell_fail(err, r, "closing descriptors: %s", strerror(-r));
	(void)execve(sandbox->bwrap.path, vector, environment);
	return cell_fail(err, -errno, "executing '%s': %s", sandbox->bwrap.path,
			 strerror(errno));
}

static int print(struct sandbox *sandbox, struct cell_error *err)
{
	char **vector, **environment;
	struct sandbox_plan plan;
	const char *text;
	int r;

	r = plan_make(sandbox, &plan, err);
	if (r == 0 && sandbox->options->no_sandbox)
		r = sandbox_exec(&vector, &plan, plan.program, &sandbox->arena, err);
	else if (r == 0)
		r = sandbox_argv(&vector, &plan, &sandbox->arena, err);
	if (r == 0)
		r = sandbox_environ(&environment, &plan, environ,
				    !plan.state                    ? NULL
				    : sandbox->options->no_sandbox ? plan.state
								   : SANDBOX_STATE,
				    &sandbox->arena, err);
	if (r < 0)
		return r;
	text = sandbox_show(environment, vector, &sandbox->arena);
	if (!text || fputs(text, stdout) == EOF || fflush(stdout) == EOF)
		return cell_fail(err, -EIO, "printing the command");
	return 0;
}

/* ---- without ---- */

/* The state directory as the program can name it; folders above may be closed to it. */
static int state_outside(struct sandbox *sandbox, const char **ret, struct cell_error *err)
{
	struct files *files = &sandbox->files;

	*ret = files->state;
	if (!files->state || access(files->state, W_OK | X_OK) == 0)
		return 0;
	files->state_fd = fds_keep_moved(&sandbox->fds, files->state_fd);
	if (files->state_fd < 0)
		return cell_fail(err, files->state_fd, "keeping the state directory");
	*ret = cell_arena_printf(&sandbox->arena, "/proc/self/fd/%d", files->state_fd);
	return *ret ? 0 : cell_fail(err, -ENOMEM, "naming the state directory");
}

/* What bwrap would have done for who watches us. */
static int behave_like_bwrap(struct sandbox *sandbox, struct cell_error *err)
{
	int status_fd = sandbox->options->status_fd;

	(void)setsid();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return cell_fail(err, -errno, "prctl: %s", strerror(errno));
	if (status_fd >= 0) {
		(void)dprintf(status_fd, "{ \"child-pid\": %d }\n", (int)getpid());
		(void)close(status_fd);
	}
	return 0;
}

static int run_outside(struct sandbox *sandbox, struct cell_error *err)
{
	char **vector, **environment;
	struct sandbox_plan plan;
	const char *state;
	int r;

	cell_log(CELL_LOG_WARN, "sandbox", "no_sandbox",
		 "reason=\"--no-sandbox: the cell can do all that user %s can\"",
		 sandbox->user.name);
	r = plan_make(sandbox, &plan, err);
	if (r == 0)
		r = sandbox_exec(&vector, &plan, plan.program, &sandbox->arena, err);
	if (r == 0)
		r = state_outside(sandbox, &state, err);
	if (r == 0)
		r = sandbox_environ(&environment, &plan, environ, state, &sandbox->arena,
				    err);
	if (r == 0)
		r = behave_like_bwrap(sandbox, err);
	if (r < 0)
		return r;
	/* Kept for a program in a folder that we cannot enter any more. */
	sandbox->files.program_fd = fcntl(sandbox->files.program_fd, F_DUPFD, FDS_FIRST);
	if (sandbox->files.program_fd >= 0)
		(void)fds_keep(&sandbox->fds, sandbox->files.program_fd);
	r = fds_seal(&sandbox->fds);
	if (r < 0)
		return cell_fail(err, r, "closing descriptors: %s", strerror(-r));
	if (access(plan.program, X_OK) == 0) {
		(void)fcntl(sandbox->files.program_fd, F_SETFD, FD_CLOEXEC);
		(void)execve(plan.program, vector, environment);
	} else {
		/* Not CLOEXEC: the interpreter of a script opens it again. */
		(void)fexecve(sandbox->files.program_fd, vector, environment);
	}
	return cell_fail(err, -errno, "executing '%s': %s", plan.program, strerror(errno));
}

/* ---- the whole ---- */

static int check(struct sandbox *sandbox, struct cell_error *err)
{
	int r;

	r = user_find(&sandbox->user, sandbox->options->user, err);
	if (r == 0)
		r = bwrap_find(&sandbox->bwrap, err);
	if (r == 0)
		r = user_become(&sandbox->user, err);
	if (r == 0)
		r = bwrap_try(&sandbox->bwrap, err);
	if (r == 0)
		printf("sandboxes work here: %s, as user %s\n", sandbox->bwrap.path,
		       sandbox->user.name);
	return r;
}

/* Returns only with 0 from what is not running, or with why it failed. */
static int run(struct sandbox *sandbox, struct cell_error *err)
{
	const struct options *options = sandbox->options;
	int r;

	if (options->action == ACTION_CHECK)
		return check(sandbox, err);
	if (options->action == ACTION_CLEANUP && !options->manifest)
		return limits_clear(options->cgroup_root, options->cgroup, err);
	r = cell_manifest_read(&sandbox->manifest, options->manifest, err);
	if (r < 0)
		return r;
	cell_log_init(sandbox->manifest->name);
	if (options->action == ACTION_CLEANUP)
		return limits_remove(sandbox->manifest, options->cgroup_root, options->cgroup,
				     options->instance, err);
	r = open_all(sandbox, err);
	if (r < 0)
		return r;
	if (options->action == ACTION_PRINT)
		return print(sandbox, err);
	r = give_up_rights(sandbox, err);
	if (r < 0)
		return r;
	return options->no_sandbox ? run_outside(sandbox, err) : run_inside(sandbox, err);
}

int main(int argc, char **argv)
{
	struct cell_error err = { .code = 0 };
	struct options options;
	struct sandbox sandbox = { .options = &options, .parent = getppid() };
	int r;

	cell_log_init("cell-sandbox");
	r = options_parse(&options, argc, argv, &err);
	if (r == 0 && options.action == ACTION_HELP) {
		help(stdout);
		return 0;
	}
	if (r == 0 && options.action == ACTION_VERSION) {
		printf("cell-sandbox %s\n", cell_version());
		return 0;
	}
	cell_arena_init(&sandbox.arena, 0);
	sandbox.files = (struct files){ .program_fd = -1, .state_fd = -1 };
	sandbox.fds = options.fds;
	if (r == 0)
		r = run(&sandbox, &err);
	if (r < 0)
		fprintf(stderr, "cell-sandbox: %s\n", err.text);
	files_close(&sandbox.files);
	cell_manifest_free(sandbox.manifest);
	cell_arena_deinit(&sandbox.arena);
	return cell_status_exit_code(r);
}
