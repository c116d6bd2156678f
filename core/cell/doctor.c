/* cell doctor: whether this machine can run cells, and what would mend it. */
#include "setup.h"
#include "verbs.h"

#include "core.cell.h"

#include <cell/cell.h>
#include <cell/defaults.h>
#include <cell/internal/command.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Descriptors a busy instance wants: three for each connection
 * (core/include/cell/defaults.h). */
#define FILES_WANTED (3 * CELL_CONNECTIONS_MAX + 64)
/* A program that is only asked for its version. */
#define PROBE_MAX_BYTES 4096

static const struct opts_example examples[] = {
	{ "cell doctor", "look at everything" },
	{ "cell doctor --json", "for programs" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell doctor",
	.summary = "find what keeps cells from running here",
	.text = "Each finding comes with the line that mends it. Exits with 1 if cells cannot "
		"run as they should.",
	.examples = examples,
	.has_json = true,
};

enum verdict { GOOD, WARN, BAD };

struct doctor {
	struct command *command;
	struct setup setup;
	json_t *findings;
	unsigned counts[3];
};

/* One line: what was looked at, how it is, and (NULL: nothing) what mends it. */
__attribute__((format(printf, 5, 6))) static void finding(struct doctor *doctor,
							  enum verdict verdict,
							  const char *what, const char *mend,
							  const char *format, ...)
{
	static const char *const names[] = { "ok", "warn", "bad" };
	static const enum out_style styles[] = { OUT_GOOD, OUT_WARN, OUT_BAD };
	const struct out *out = &doctor->command->out;
	char text[512], plain[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	(void)out_plain(plain, sizeof plain, text);
	doctor->counts[verdict]++;
	(void)json_array_append_new(doctor->findings,
				    json_pack("{s:s, s:s, s:s, s:s*}", "what", what,
					      "verdict", names[verdict], "text", plain,
					      "mend", mend));
	if (doctor->command->is_json)
		return;
	out_print(out, styles[verdict], "%-5s", names[verdict]);
	fprintf(out->file, " %-16s %s\n", what, plain);
	if (mend)
		fprintf(out->file, "      %-16s mend: %s\n", "", mend);
}

/* ---- programs -------------------------------------------------------------------------- */

/* Run ARGV, give its output (both streams, NUL-terminated); its exit status, or -1. */
static int probe(const char *const *argv, char out[static PROBE_MAX_BYTES])
{
	int pipes[2], status = 0;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	out[0] = '\0';
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		(void)dup2(pipes[1], STDOUT_FILENO);
		(void)dup2(pipes[1], STDERR_FILENO);
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	(void)close(pipes[1]);
	while (pid > 0 && n < PROBE_MAX_BYTES - 1 &&
	       ((got = read(pipes[0], out + n, PROBE_MAX_BYTES - 1 - n)) > 0 ||
		(got < 0 && errno == EINTR)))
		n += got > 0 ? (size_t)got : 0;
	out[n] = '\0';
	(void)close(pipes[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The first line only. */
static char *first_line(char *text)
{
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void check_bwrap(struct doctor *doctor)
{
	/* What cell-sandbox asks of it, in small. */
	static const char *const version[] = { "bwrap", "--version", NULL };
	static const char *const sandbox[] = {
		"bwrap",     "--unshare-all", "--die-with-parent",
		"--ro-bind", "/usr",          "/usr",
		"--symlink", "usr/lib",       "/lib",
		"--symlink", "usr/lib64",     "/lib64",
		"--symlink", "usr/bin",       "/bin",
		"--proc",    "/proc",         "--dev",
		"/dev",      "true",          NULL
	};
	char out[PROBE_MAX_BYTES], why[PROBE_MAX_BYTES];

	if (probe(version, out) != 0) {
		finding(doctor, BAD, "bubblewrap", "apt-get install bubblewrap",
			"not installed: cells cannot be sandboxed");
		return;
	}
	if (probe(sandbox, why) == 0)
		finding(doctor, GOOD, "bubblewrap", NULL, "%s, makes sandboxes",
			first_line(out));
	else
		finding(doctor, BAD, "bubblewrap",
			"see `user namespaces` here; or, without protection: cell up --no-sandbox",
			"%s cannot make a sandbox: %s", first_line(out), first_line(why));
}

static bool number_read(const char *path, long *ret)
{
	FILE *file = fopen(path, "re");
	bool is_read = file && fscanf(file, "%ld", ret) == 1;

	if (file)
		(void)fclose(file);
	return is_read;
}

static void check_namespaces(struct doctor *doctor)
{
	long max, allowed;

	if (number_read("/proc/sys/user/max_user_namespaces", &max) && max == 0)
		finding(doctor, BAD, "user namespaces",
			"sysctl -w user.max_user_namespaces=15000",
			"switched off: user.max_user_namespaces is 0");
	else if (getuid() != 0 &&
		 number_read("/proc/sys/kernel/unprivileged_userns_clone", &allowed) &&
		 !allowed)
		finding(doctor, BAD, "user namespaces",
			"sysctl -w kernel.unprivileged_userns_clone=1",
			"not for ordinary users: kernel.unprivileged_userns_clone is 0");
	else if (getuid() != 0 &&
		 number_read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
			     &allowed) &&
		 allowed)
		finding(doctor, WARN, "user namespaces",
			"sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
			"AppArmor restricts them for programs without a profile");
	else
		finding(doctor, GOOD, "user namespaces", NULL, "available");
}

static void check_compiler(struct doctor *doctor)
{
	static const char *const compilers[][3] = { { "cc", "--version", NULL },
						    { "gcc", "--version", NULL },
						    { "clang", "--version", NULL } };
	static const char *const protoc[] = { "protoc", "--version", NULL };
	static const char *const package[] = { "pkg-config", "--modversion", "cell", NULL };
	char out[PROBE_MAX_BYTES];
	size_t i = 0;

	while (i < 3 && probe(compilers[i], out) != 0)
		i++;
	if (i < 3)
		finding(doctor, GOOD, "compiler", NULL, "%s", first_line(out));
	else
		finding(doctor, WARN, "compiler", "apt-get install build-essential",
			"none: cells can run, not be built");
	if (probe(protoc, out) == 0)
		finding(doctor, GOOD, "protoc", NULL, "%s", first_line(out));
	else
		finding(doctor, WARN, "protoc", "apt-get install protobuf-compiler",
			"not installed: code for a .proto cannot be made");
	if (probe(package, out) == 0)
		finding(doctor, GOOD, "pkg-config cell", NULL, "libcell %s", first_line(out));
	else
		finding(doctor, WARN, "pkg-config cell",
			"make install; or set PKG_CONFIG_PATH to PREFIX/lib/pkgconfig",
			"does not know libcell: only programs of its own tree can be built");
}

/* What a cell of one's own is linked with. */
static void check_libraries(struct doctor *doctor)
{
	static const struct {
		const char
			*package; /* of pkg-config; NULL: it has none, and a header tells */
		const char *header;
		const char *debian;
	} libraries[] = {
		{ NULL, "/usr/include/ev.h", "libev-dev" },
		{ "libprotobuf-c", NULL, "libprotobuf-c-dev" },
		{ "libsodium", NULL, "libsodium-dev" },
		{ "inih", NULL, "libinih-dev" },
	};
	char missing[256] = "apt-get install", out[PROBE_MAX_BYTES];
	unsigned n = 0;

	for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
		const char *const argv[] = { "pkg-config", "--exists", libraries[i].package,
					     NULL };

		if (libraries[i].package ? probe(argv, out) == 0
					 : access(libraries[i].header, R_OK) == 0)
			continue;
		(void)strcat(strcat(missing, " "), libraries[i].debian);
		n++;
	}
	if (n)
		finding(doctor, WARN, "libraries", missing,
			"%u of those that cells link are missing", n);
	else
		finding(doctor, GOOD, "libraries", NULL,
			"libev, protobuf-c, libsodium, inih");
}

static void check_own(struct doctor *doctor)
{
	static const char *const names[] = { "cellcore", "cell-sandbox", NULL };

	for (const char *const *name = names; *name; name++) {
		char *path = program_path(*name);

		if (path)
			finding(doctor, GOOD, *name, NULL, "%s", path);
		else
			finding(doctor, BAD, *name, "make install, or make",
				"not beside cell or in $PATH");
		free(path);
	}
}

/* ---- the machine -------------------------------------------------------------------------
 */

#define CGROUPS "/sys/fs/cgroup"

/* The text of a small file without its newline; "" if it cannot be read. */
static char *text_read(const char *path, char out[static PROBE_MAX_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, PROBE_MAX_BYTES - 1);

	if (fd >= 0)
		(void)close(fd);
	out[n > 0 ? n : 0] = '\0';
	return first_line(out);
}

/* Of memory, cpu and pids those that can be used at ROOT, into LIST; how many. */
static unsigned controllers_find(bool is_v2, const char *root, char list[static 64])
{
	static const char *const names[] = { "memory", "cpu", "pids" };
	char path[PATH_MAX + PROBE_MAX_BYTES], all[PROBE_MAX_BYTES] = "";
	unsigned n = 0;

	list[0] = '\0';
	if (is_v2) {
		(void)snprintf(path, sizeof path, "%s/cgroup.controllers", root);
		(void)text_read(path, all);
	}
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", root, names[i]);
		if (is_v2 ? !strstr(all, names[i]) : access(path, W_OK) < 0)
			continue;
		(void)strcat(strcat(list, " "), names[i]);
		n++;
	}
	return n;
}

/* Only looks: finding a place for good is cellcore's, and may move processes on version 2. */
static void check_cgroups(struct doctor *doctor)
{
	static const char mend[] =
		"run cellcore from its systemd unit (Delegate=yes), or as root";
	char own[PROBE_MAX_BYTES], root[PATH_MAX + PROBE_MAX_BYTES] = CGROUPS, list[64];
	bool is_v2 = access(CGROUPS "/cgroup.controllers", F_OK) == 0;
	unsigned n;

	if (is_v2 && strncmp(text_read("/proc/self/cgroup", own), "0::", 3) == 0)
		(void)snprintf(root, sizeof root, CGROUPS "%s", own + 3);
	n = controllers_find(is_v2, root, list);
	if (is_v2 && access(root, W_OK) < 0)
		finding(doctor, WARN, "cgroups", mend,
			"version 2, but %s is not ours to write to: "
			"only rlimits bound cells",
			root);
	else if (n < 3)
		finding(doctor, WARN, "cgroups", mend, "version %d at %s, only:%s",
			is_v2 ? 2 : 1, root,
			n ? list : " none, so that only rlimits bound cells");
	else
		finding(doctor, GOOD, "cgroups", NULL, "version %d at %s:%s", is_v2 ? 2 : 1,
			root, list);
}

static void check_files(struct doctor *doctor)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	if (files.rlim_max != RLIM_INFINITY && files.rlim_max < FILES_WANTED)
		finding(doctor, WARN, "open files",
			"ulimit -Hn 20000, or /etc/security/limits.conf",
			"at most %llu: an instance has three for each connection, and may want %d",
			(unsigned long long)files.rlim_max, FILES_WANTED);
	else if (files.rlim_max == RLIM_INFINITY)
		finding(doctor, GOOD, "open files", NULL, "unlimited");
	else
		finding(doctor, GOOD, "open files", NULL, "up to %llu",
			(unsigned long long)files.rlim_max);
}

static void check_memory(struct doctor *doctor)
{
	int fd = memfd_create("doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, 65536) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		finding(doctor, BAD, "shared memory",
			"a kernel with memfd_create() and seals (3.17)", "sealed memfds: %s",
			strerror(errno));
	else
		finding(doctor, GOOD, "shared memory", NULL, "sealed memfds work");
	if (fd >= 0)
		(void)close(fd);
}

/* ---- the node
 * ------------------------------------------------------------------------------ */

static void check_mode(struct doctor *doctor, const char *what, const char *path,
		       mode_t forbidden, const char *why)
{
	char mend[PATH_MAX + 32];
	struct stat st;

	if (stat(path, &st) < 0) {
		finding(doctor, GOOD, what, NULL, "%s is not there yet", path);
	} else if (st.st_uid != geteuid() && geteuid() != 0) {
		finding(doctor, BAD, what, "choose another one: CELL_RUNDIR=DIR",
			"%s belongs to user %u", path, st.st_uid);
	} else if (st.st_mode & forbidden) {
		(void)snprintf(mend, sizeof mend, "chmod %s %s",
			       S_ISDIR(st.st_mode) ? "700" : "600", path);
		finding(doctor, BAD, what, mend, "%s: %s", path, why);
	} else {
		finding(doctor, GOOD, what, NULL, "%s", path);
	}
}

/* Whether somebody accepts at PATH. */
static bool is_alive(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive;

	if (fd < 0 || strlen(path) >= sizeof address.sun_path) {
		if (fd >= 0)
			(void)close(fd);
		return true;
	}
	(void)strcpy(address.sun_path, path);
	alive = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ||
		errno != ECONNREFUSED;
	(void)close(fd);
	return alive;
}

static void check_sockets(struct doctor *doctor)
{
	char path[PATH_MAX + 32], mend[PATH_MAX + 96];

	(void)snprintf(path, sizeof path, "%s/core.sock", doctor->setup.rundir);
	(void)snprintf(mend, sizeof mend, "cell up (it clears what is stale), or: rm %s",
		       path);
	if (!doctor->setup.has_node)
		finding(doctor, GOOD, "sockets", NULL, "no node here, and none left behind");
	else if (is_alive(path))
		finding(doctor, GOOD, "sockets", NULL, "%s is listened to", path);
	else
		finding(doctor, WARN, "sockets", mend, "%s is stale: nobody listens", path);
}

static void check_node(struct doctor *doctor)
{
	struct cell_call *call = command_call(doctor->command);
	struct core_node_status status;

	if (!doctor->setup.has_node)
		return;
	if (core_status(cell_within_ms(call, 2000), &status) < 0) {
		finding(doctor, WARN, "node", "cell up", "%s", cell_error(call)->text);
		return;
	}
	if (strcmp(status.sandbox, "none") == 0)
		finding(doctor, WARN, "node", "cell down && cell up",
			"%s runs (pid %u), its cells without a sandbox", status.node,
			status.pid);
	else
		finding(doctor, GOOD, "node", NULL, "%s runs (pid %u), %u instances",
			status.node, status.pid, status.instances);
	if (*status.version && strcmp(status.version, cell_version()) != 0)
		finding(doctor, WARN, "versions", "cell down && cell up",
			"cellcore is %s, these commands are %s", status.version,
			cell_version());
}

static void check_state(struct doctor *doctor)
{
	char folder[PATH_MAX];
	struct statvfs fs;

	if (doctor->setup.is_volatile)
		finding(doctor, WARN, "state directory",
			"cell up --statedir DIR, or CELL_STATEDIR=DIR",
			"%s is on a file system in memory: lost when the machine stops",
			doctor->setup.statedir);
	(void)snprintf(folder, sizeof folder, "%s", doctor->setup.statedir);
	/* It may not exist yet: then what it will be made in. */
	while (statvfs(folder, &fs) < 0 && strrchr(folder, '/') > folder)
		*strrchr(folder, '/') = '\0';
	if (statvfs(folder, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < (64u << 20))
		finding(doctor, WARN, "state directory", "make room there",
			"%s has %llu MiB left", folder,
			(unsigned long long)((uint64_t)fs.f_bavail * fs.f_frsize >> 20));
	else if (!doctor->setup.is_volatile)
		finding(doctor, GOOD, "state directory", NULL, "%s", doctor->setup.statedir);
}

static int doctor_run(struct doctor *doctor)
{
	char key[PATH_MAX + 16];
	int err = setup_find(&doctor->setup, NULL, &doctor->command->error);

	if (err)
		return err;
	check_own(doctor);
	check_bwrap(doctor);
	check_namespaces(doctor);
	check_cgroups(doctor);
	check_files(doctor);
	check_memory(doctor);
	check_mode(doctor, "run directory", doctor->setup.rundir, S_IWGRP | S_IWOTH,
		   "others may write to it");
	(void)snprintf(key, sizeof key, "%s/key", doctor->setup.rundir);
	check_mode(doctor, "key", key, S_IRWXG | S_IRWXO, "others may read it");
	check_state(doctor);
	check_sockets(doctor);
	check_node(doctor);
	check_compiler(doctor);
	check_libraries(doctor);
	if (doctor->command->is_json)
		return command_json(doctor->command,
				    json_pack("{s:b, s:O}", "ok", doctor->counts[BAD] == 0,
					      "findings", doctor->findings));
	fprintf(doctor->command->out.file, "%u ok, %u to look at, %u bad\n",
		doctor->counts[GOOD], doctor->counts[WARN], doctor->counts[BAD]);
	return 0;
}

int main(int argc, char **argv)
{
	struct command command;
	struct doctor doctor = { .command = &command };
	int exit_code;

	if (!command_begin(&command, &table, argc, argv, NULL))
		return command.exit_code;
	doctor.findings = json_array();
	exit_code = command_end(&command, doctor_run(&doctor));
	json_decref(doctor.findings);
	return exit_code ? exit_code : doctor.counts[BAD] ? 1 : 0;
}
