#include "argv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../libcell/manifest.h"

/* Words of one vector: options are bounded by the manifest's lists, arguments by ARG_MAX. */
#define WORDS_FIRST 128

/* A growing vector. Failure sticks and is looked at once, at the end. */
struct words {
	struct cell_arena *arena;
	char **at;
	size_t n;
	size_t room;
	bool failed;
};

static void word_add(struct words *words, const char *word)
{
	if (words->failed)
		return;
	if (words->n + 1 >= words->room) {
		size_t room = words->room ? 2 * words->room : WORDS_FIRST;
		char **at = cell_arena_calloc(words->arena, room, sizeof *at);

		if (!at || !word) {
			words->failed = true;
			return;
		}
		if (words->n)
			memcpy(at, words->at, words->n * sizeof *at);
		words->at = at;
		words->room = room;
	}
	words->failed |= !word;
	/* exec wants them not const, and changes none. */
	words->at[words->n++] = (char *)(uintptr_t)word;
}

static void words_add(struct words *words, const char *first, const char *second,
		      const char *third)
{
	word_add(words, first);
	if (second)
		word_add(words, second);
	if (third)
		word_add(words, third);
}

static void word_add_number(struct words *words, const char *option, uint64_t number)
{
	word_add(words, option);
	word_add(words, cell_arena_printf(words->arena, "%" PRIu64, number));
}

/* FD's bytes as a read-only file. */
static void file_add(struct words *words, int fd, const char *perms, const char *path)
{
	words_add(words, "--perms", perms, NULL);
	word_add_number(words, "--ro-bind-data", (uint64_t)fd);
	word_add(words, path);
}

static int words_take(char ***ret, struct words *words, struct cell_error *err)
{
	if (words->failed)
		return cell_fail(err, -ENOMEM, "making the arguments of the sandbox");
	*ret = words->at;
	return 0;
}

/* ---- bwrap's options ---- */

static void add_namespaces(struct words *words, const struct sandbox_plan *plan)
{
	/* --unshare-all takes no user namespace as an answer; --unshare-user does not. */
	words_add(words, "--unshare-all", "--unshare-user", NULL);
	if (plan->manifest->network == CELL_NETWORK_HOST)
		word_add(words, "--share-net");
	if (plan->has_disable_userns)
		word_add(words, "--disable-userns");
	if (!plan->manifest->init)
		word_add(words, "--as-pid-1");
	words_add(words, "--die-with-parent", "--new-session", NULL);
	words_add(words, "--cap-drop", "ALL", NULL);
	words_add(words, "--hostname", plan->manifest->name, NULL);
}

static void add_system(struct words *words, const struct sandbox_plan *plan)
{
	static const char *const always[] = { "/etc/ld.so.cache", "/etc/localtime",
					      "/etc/alternatives" };
	static const char *const network[] = { "/etc/resolv.conf", "/etc/hosts",
					       "/etc/host.conf",   "/etc/gai.conf",
					       "/etc/services",    "/etc/protocols",
					       "/etc/ssl/certs",   "/etc/ssl/openssl.cnf",
					       "/etc/pki/tls" };

	words_add(words, "--ro-bind", "/usr", "/usr");
	for (size_t i = 0; i < plan->n_links; i++) {
		const struct sandbox_link *link = &plan->links[i];

		if (link->target)
			words_add(words, "--symlink", link->target, link->path);
		else
			words_add(words, "--ro-bind", link->path, link->path);
	}
	for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
		words_add(words, "--ro-bind-try", always[i], always[i]);
	if (plan->passwd_fd >= 0)
		file_add(words, plan->passwd_fd, "0444", "/etc/passwd");
	if (plan->group_fd >= 0)
		file_add(words, plan->group_fd, "0444", "/etc/group");
	if (plan->nsswitch_fd >= 0)
		file_add(words, plan->nsswitch_fd, "0444", "/etc/nsswitch.conf");
	if (plan->manifest->network == CELL_NETWORK_HOST)
		for (size_t i = 0; i < sizeof network / sizeof network[0]; i++)
			words_add(words, "--ro-bind-try", network[i], network[i]);
}

static void add_private(struct words *words, const struct sandbox_plan *plan)
{
	words_add(words, "--proc", "/proc", NULL);
	words_add(words, "--dev", "/dev", NULL);
	/* Files in it are memory; where no cgroup counts them this is the only limit. */
	if (plan->has_size && plan->manifest->memory_bytes)
		word_add_number(words, "--size", plan->manifest->memory_bytes / 2);
	words_add(words, "--perms", "1777", NULL);
	words_add(words, "--tmpfs", "/tmp", NULL);
}

static const char *program_inside(const struct sandbox_plan *plan, struct cell_arena *arena)
{
	return cell_arena_printf(arena, SANDBOX_PROGRAM_FOLDER "%s", plan->manifest->name);
}

static void add_own(struct words *words, const struct sandbox_plan *plan, const char *inside)
{
	for (size_t i = 0; i < plan->n_mounts; i++)
		words_add(words, "--ro-bind", plan->mounts[i].source, plan->mounts[i].path);
	if (plan->program)
		words_add(words, "--ro-bind", plan->program, inside);
	else
		file_add(words, plan->program_fd, "0755", inside);
	if (plan->state)
		words_add(words, "--bind", plan->state, SANDBOX_STATE);
	/* Last: bwrap's root is a tmpfs, and nobody would count what is written there. */
	words_add(words, "--remount-ro", "/", NULL);
	words_add(words, "--chdir", plan->state ? SANDBOX_STATE : "/", NULL);
}

static void add_args(struct words *words, const struct sandbox_plan *plan)
{
	for (size_t i = 1; i < plan->manifest->n_exec; i++)
		word_add(words, plan->manifest->exec[i]);
	for (size_t i = 0; plan->args && plan->args[i]; i++)
		word_add(words, plan->args[i]);
}

int sandbox_argv(char ***ret, const struct sandbox_plan *plan, struct cell_arena *arena,
		 struct cell_error *err)
{
	struct words words = { .arena = arena };
	const char *inside = program_inside(plan, arena);

	word_add(&words, "bwrap");
	add_namespaces(&words, plan);
	add_system(&words, plan);
	add_private(&words, plan);
	add_own(&words, plan, inside);
	if (plan->seccomp_fd >= 0)
		word_add_number(&words, "--seccomp", (uint64_t)plan->seccomp_fd);
	if (plan->status_fd >= 0)
		word_add_number(&words, "--json-status-fd", (uint64_t)plan->status_fd);
	words_add(&words, "--", inside, NULL);
	add_args(&words, plan);
	return words_take(ret, &words, err);
}

int sandbox_exec(char ***ret, const struct sandbox_plan *plan, const char *program,
		 struct cell_arena *arena, struct cell_error *err)
{
	struct words words = { .arena = arena };

	word_add(&words, program);
	add_args(&words, plan);
	return words_take(ret, &words, err);
}

/* ---- environment ---- */

/* The value of NAME, which has LEN bytes, in a vector of NAME=VALUE. */
static const char *env_get(char *const *from, const char *name, size_t len)
{
	for (; from && *from; from++)
		if (strncmp(*from, name, len) == 0 && (*from)[len] == '=')
			return *from + len + 1;
	return NULL;
}

/* Set NAME, replacing what was set before. */
static void env_put(struct words *words, const char *name, size_t len, const char *value)
{
	char *pair = cell_arena_printf(words->arena, "%.*s=%s", (int)len, name, value);

	for (size_t i = 0; pair && i < words->n; i++) {
		if (strncmp(words->at[i], pair, len + 1) == 0) {
			words->at[i] = pair;
			return;
		}
	}
	word_add(words, pair);
}

static void env_set(struct words *words, const char *name, const char *value)
{
	env_put(words, name, strlen(name), value);
}

/* NAME as it is in FROM, or OTHERWISE; neither: not at all. */
static void env_pass(struct words *words, char *const *from, const char *name,
		     const char *otherwise)
{
	const char *value = env_get(from, name, strlen(name));

	if (!value)
		value = otherwise;
	if (value)
		env_set(words, name, value);
}

static void env_add_manifest(struct words *words, const struct cell_manifest *manifest,
			     char *const *from)
{
	for (size_t i = 0; i < manifest->n_env; i++) {
		const char *entry = manifest->env[i];
		size_t len = strcspn(entry, "=");
		const char *value = entry[len] ? entry + len + 1 : env_get(from, entry, len);

		if (value)
			env_put(words, entry, len, value);
	}
}

int sandbox_environ(char ***ret, const struct sandbox_plan *plan, char *const *from,
		    const char *state, struct cell_arena *arena, struct cell_error *err)
{
	struct words words = { .arena = arena };
	const struct cell_manifest *manifest = plan->manifest;

	env_set(&words, "PATH", "/usr/local/bin:/usr/bin:/bin");
	env_set(&words, "HOME", state ? state : "/tmp");
	env_pass(&words, from, "LANG", "C.UTF-8");
	env_pass(&words, from, "TZ", NULL);
	/* How libcell behaves is for who runs the node to say. */
	env_pass(&words, from, "CELL_NUDGE", NULL);
	env_pass(&words, from, "CELL_WAKE", NULL);
	env_pass(&words, from, "CELL_WAKE", NULL);
	env_set(&words, "CELL_CONTROL_FD", "3");
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	/* Looking for leaks takes ptrace, which no cell has. */
	env_pass(&words, from, "ASAN_OPTIONS", "detect_leaks=0");
	env_pass(&words, from, "TSAN_OPTIONS", NULL);
	env_pass(&words, from, "UBSAN_OPTIONS", NULL);
#endif
	env_add_manifest(&words, manifest, from);
	env_pass(&words, from, "CELL_LOG", manifest->log_level);
	/* Which descriptor is the control socket: said by who opened it. */
	env_pass(&words, from, "CELL_CONTROL_FD", NULL);
	env_set(&words, "CELL_NAME", manifest->name);
	env_set(&words, "CELL_NODE", plan->node);
	env_set(&words, "CELL_INSTANCE",
		cell_arena_printf(arena, "%" PRIu32, plan->instance) ?: "");
	if (state)
		env_set(&words, "CELL_STATEDIR", state);
	return words_take(ret, &words, err);
}

/* ---- files ---- */

const char *sandbox_passwd(const struct sandbox_plan *plan, struct cell_arena *arena)
{
	return cell_arena_printf(arena, "%s:x:%u:%u:%s:%s:/usr/sbin/nologin\n", plan->user,
				 (unsigned)plan->uid, (unsigned)plan->gid,
				 plan->manifest->name, plan->state ? SANDBOX_STATE : "/tmp");
}

const char *sandbox_group(const struct sandbox_plan *plan, struct cell_arena *arena)
{
	return cell_arena_printf(arena, "%s:x:%u:\n", plan->user, (unsigned)plan->gid);
}

const char *sandbox_nsswitch(const struct sandbox_plan *plan)
{
	if (plan->manifest->network == CELL_NETWORK_HOST)
		return "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n"
		       "protocols: files\n";
	return "passwd: files\ngroup: files\nhosts: files\n";
}

/* ---- for people ---- */

static bool is_plain(const char *word)
{
	return *word && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789_-./:=,+@%") == strlen(word);
}

/* Put WORD, quoted for a shell, behind TEXT. */
static const char *show_word(const char *text, const char *word, const char *before,
			     struct cell_arena *arena)
{
	const char *quote;

	if (is_plain(word))
		return cell_arena_printf(arena, "%s%s%s", text, before, word);
	text = cell_arena_printf(arena, "%s%s'", text, before);
	while (text && (quote = strchr(word, '\''))) {
		text = cell_arena_printf(arena, "%s%.*s'\\''", text, (int)(quote - word),
					 word);
		word = quote + 1;
	}
	return text ? cell_arena_printf(arena, "%s%s'", text, word) : NULL;
}

const char *sandbox_show(char *const *environment, char *const *vector,
			 struct cell_arena *arena)
{
	const char *text = "env -i";
	bool is_command = false;

	for (; text && *environment; environment++)
		text = show_word(text, *environment, " ", arena);
	for (size_t i = 0; text && vector[i]; i++) {
		bool is_option = !is_command && strncmp(vector[i], "--", 2) == 0;

		text = show_word(text, vector[i],
				 i == 0      ? " \\\n"
				 : is_option ? " \\\n  "
					     : " ",
				 arena);
		is_command |= strcmp(vector[i], "--") == 0;
	}
	return text ? cell_arena_printf(arena, "%s\n", text) : NULL;
}
