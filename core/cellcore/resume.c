#include "resume.h"

#include "activate.h"
#include "catalog.h"
#include "control.h"
#include "spawn.h"
#include "watch.h"

#include <cell/bytes.h>
#include <cell/log.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Counts every change of what is written below: another version's table is not guessed at. */
#define TABLE_MAGIC 0x6c6c6543u
#define TABLE_VERSION 2
/* What looks at one number and has not ended by then is no cellcore. */
#define TRIAL_S 5
/* A table of 1,000 cells has about a megabyte. */
#define TABLE_MAX (256u * 1024 * 1024)

/*
 * One function per thing writes and reads it: a field goes out of the struct or comes into
 * it, by the direction of the table. Both sides are this machine, so bytes stay as they are.
 */
struct table {
	struct daemon *daemon;
	bool is_writing;
	bool failed;
	struct cell_reader in;
	uint8_t *out;
	size_t len, size;
	int *fds;          /* that must survive, while writing */
	size_t n_fds, fds_size;
};

struct resume {
	struct process *asker; /* NULL: gone */
	uint64_t call_id;
	char path[4096];
	pid_t pid;             /* of the trial */
	int pidfd;
	ev_io on_tried;
	bool is_tried;
};

/* ---- fields ---------------------------------------------------------------------------------- */

static bool table_grow(struct table *table, size_t len)
{
	size_t size = table->size ? table->size : 65536;
	uint8_t *out;

	while (size - table->len < len)
		size *= 2;
	if (size == table->size)
		return true;
	out = size <= TABLE_MAX ? realloc(table->out, size) : NULL;
	if (!out) {
		table->failed = true;
		return false;
	}
	table->out = out;
	table->size = size;
	return true;
}

static void field_bytes(struct table *table, void *bytes, size_t len)
{
	const uint8_t *at;

	if (table->failed)
		return;
	if (table->is_writing) {
		if (!table_grow(table, len))
			return;
		memcpy(table->out + table->len, bytes, len);
		table->len += len;
		return;
	}
	at = cell_read_bytes(&table->in, len);
	if (at)
		memcpy(bytes, at, len);
	else
		table->failed = true;
}

/* A descriptor: it must stay open over exec, and be close-on-exec again after it. */
static void field_fd(struct table *table, int fd)
{
	if (table->failed || fd < 0)
		return;
	if (!table->is_writing) {
		table->failed = fcntl(fd, F_SETFD, FD_CLOEXEC) < 0;
		return;
	}
	if (table->n_fds == table->fds_size) {
		size_t size = table->fds_size ? 2 * table->fds_size : 64;
		int *fds = realloc(table->fds, size * sizeof *fds);

		table->failed = !fds;
		if (!fds)
			return;
		table->fds = fds;
		table->fds_size = size;
	}
	table->fds[table->n_fds++] = fd;
}

struct field {
	void *at;
	size_t size;
	enum { FIELD_PLAIN, FIELD_TEXT, FIELD_FD } kind;
};

#define F(member)  { &(member), sizeof(member), FIELD_PLAIN }
#define FD(member) { &(member), sizeof(member), FIELD_FD }
/* Text in an array of its own; what comes in is terminated whatever it is. */
#define TEXT(array) { (array), sizeof(array), FIELD_TEXT }

#define FIELDS(table, ...)                                         \
	fields_pass((table), (const struct field[]){ __VA_ARGS__ }, \
		    sizeof((const struct field[]){ __VA_ARGS__ }) / sizeof(struct field))

static void fields_pass(struct table *table, const struct field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		field_bytes(table, fields[i].at, fields[i].size);
		if (fields[i].kind == FIELD_TEXT)
			((char *)fields[i].at)[fields[i].size - 1] = 0;
		else if (fields[i].kind == FIELD_FD)
			field_fd(table, *(const int *)fields[i].at);
	}
}

/* Before each record, and (false) behind the last: MORE, or what was read. */
static bool field_more(struct table *table, bool more)
{
	FIELDS(table, F(more));
	return more && !table->failed;
}

/* PASS for each ENTRY of a list that is WANTED; coming in, with ENTRY NULL for each there was. */
#define RECORDS(table, entry, head, type, member, wanted, pass)      \
	do {                                                         \
		if ((table)->is_writing)                             \
			list_walk(entry, head, type, member)         \
				if ((wanted) && field_more(table, true)) \
					pass;                        \
		entry = NULL;                                        \
		while (field_more(table, false))                     \
			pass;                                        \
	} while (0)

/* ---- things ------------------------------------------------------------------------------------ */

static void table_head(struct table *table)
{
	struct daemon *daemon = table->daemon;
	struct kernel *kernel = &daemon->kernel;
	uint32_t magic = TABLE_MAGIC, version = TABLE_VERSION;

	FIELDS(table, F(magic), F(version));
	if (magic != TABLE_MAGIC || version != TABLE_VERSION)
		table->failed = true;
	FIELDS(table, TEXT(daemon->conf.node), F(daemon->started_ns), F(daemon->generation),
	       FD(daemon->listener), F(daemon->listener_is_systemd), FD(daemon->rundir.lock),
	       F(daemon->cgroups.version), F(daemon->cgroups.controllers),
	       TEXT(daemon->cgroups.path), F(kernel->next_instance), F(kernel->next_link),
	       F(kernel->next_change), F(kernel->granted), F(kernel->refused),
	       F(kernel->boot_stage), F(kernel->is_booting), F(kernel->random));
	daemon->generation += !table->is_writing;
}

static void table_cell(struct table *table, struct kernel_cell *cell)
{
	char name[CELL_NAME_MAX + 1] = "";
	int listener = -1;

	if (table->is_writing) {
		memcpy(name, cell->name, sizeof name);
		listener = activate_listener(table->daemon, cell);
	}
	FIELDS(table, TEXT(name), FD(listener));
	if (!table->is_writing && !table->failed) {
		catalog_lookup(table->daemon, name);
		cell = cell_name_is_valid(name) ? kernel_cell_add(&table->daemon->kernel, name) : NULL;
		table->failed = !cell;
	}
	if (table->failed)
		return;
	FIELDS(table, F(cell->supervise), TEXT(cell->reason), F(cell->restarts), F(cell->was_booted));
	if (!table->is_writing)
		catalog_adopt_listener(table->daemon, cell, listener);
}

/* Where NAME was written for a cell; read, it must be one that was read before. */
static struct kernel_cell *field_cell(struct table *table, struct kernel_cell *cell)
{
	char name[CELL_NAME_MAX + 1] = "";

	if (table->is_writing)
		memcpy(name, cell->name, sizeof name);
	FIELDS(table, TEXT(name));
	if (table->is_writing || table->failed)
		return cell;
	cell = kernel_cell_find(&table->daemon->kernel, name);
	table->failed |= !cell;
	return cell;
}

/* Of an instance, or (NULL) of one that has ended and is being cleaned up. */
static void table_spawn(struct table *table, struct spawn *spawn, struct kernel_instance *instance)
{
	if (!table->is_writing)
		spawn = table->failed ? NULL : spawn_add(table->daemon, instance);
	table->failed |= !spawn;
	if (!spawn)
		return;
	FIELDS(table, F(spawn->pid), FD(spawn->pidfd), FD(spawn->cell_pidfd), FD(spawn->log),
	       FD(spawn->status), F(spawn->is_logged), TEXT(spawn->name), TEXT(spawn->cell),
	       F(spawn->id), TEXT(spawn->cgroup.path));
	if (table->is_writing)
		return;
	spawn->cgroup.root = table->daemon->cgroups;
	spawn_watch(spawn);
}

static void table_instance(struct table *table, struct kernel_instance *instance)
{
	struct kernel_cell *cell = field_cell(table, table->is_writing ? instance->cell : NULL);
	uint64_t id = table->is_writing ? instance->id : 0;
	bool has_spawn = table->is_writing && instance->userdata;

	FIELDS(table, F(id));
	if (!table->is_writing && !table->failed) {
		instance = kernel_instance_add(&table->daemon->kernel, cell, id);
		table->failed = !instance;
	}
	if (table->failed)
		return;
	FIELDS(table, F(instance->state), F(instance->ending), F(instance->has_process),
	       F(instance->was_asked_to_end), F(instance->changed), F(instance->deadline_ns),
	       F(instance->work), F(instance->drain_ns), F(instance->started_ns),
	       F(instance->ready_ns), F(instance->granted), F(instance->supervise),
	       TEXT(instance->reason), F(instance->pid), F(instance->uid),
	       F(instance->takes_streams), F(has_spawn));
	if (has_spawn)
		table_spawn(table, table->is_writing ? instance->userdata : NULL, instance);
	if (!table->is_writing)
		kernel_instance_restore(&table->daemon->kernel, instance);
}

/* An instance that was read before, by its id; 0: none. */
static struct kernel_instance *field_instance(struct table *table,
					      const struct kernel_instance *instance)
{
	uint64_t id = instance ? instance->id : 0;
	struct kernel_instance *found;

	FIELDS(table, F(id));
	if (table->is_writing || id == 0)
		return NULL;
	list_walk(found, &table->daemon->kernel.instances, struct kernel_instance, in_all)
		if (found->id == id)
			return found;
	table->failed = true;
	return NULL;
}

static void table_watch(struct table *table, struct process *process, struct watch *watch)
{
	if (!table->is_writing) {
		watch = table->failed ? NULL : calloc(1, sizeof *watch);
		table->failed |= !watch;
		if (!watch)
			return;
		list_append(&process->watches, &watch->in_process);
		process->n_watches++;
	}
	FIELDS(table, TEXT(watch->cell), F(watch->seen), F(watch->since), F(watch->call_id));
}

static void table_packet(struct table *table, struct process *process, struct packet *packet)
{
	uint8_t bytes[FRAME_HEADER_SIZE + CELL_CONTROL_BODY_MAX];
	uint32_t len = packet ? (uint32_t)packet->len : 0, n_fds = packet ? (uint32_t)packet->n_fds : 0;
	int fds[SOCK_FDS_MAX];

	FIELDS(table, F(len), F(n_fds));
	if (len > sizeof bytes || n_fds > SOCK_FDS_MAX)
		table->failed = true;
	if (table->failed)
		return;
	field_bytes(table, packet ? packet->bytes : bytes, len);
	for (uint32_t i = 0; i < n_fds; i++)
		FIELDS(table, FD(*(packet ? &packet->fds[i] : &fds[i])));
	if (!packet && !table->failed)
		table->failed = !process_requeue(process, bytes, len, fds, n_fds);
}

static struct process *process_restore(struct table *table, int fd,
				       struct kernel_instance *instance, uint32_t uid)
{
	struct process *process = NULL;
	struct cell_error err = { 0 };

	if (!table->failed && process_new(table->daemon, fd, instance, uid, &process, &err) < 0)
		table->failed = true;
	return process;
}

static void table_process(struct table *table, struct process *process)
{
	int fd = process ? process->fd : -1;
	uint32_t uid = process ? process->asker.uid : 0;
	struct kernel_instance *instance =
		field_instance(table, process ? process->asker.instance : NULL);
	struct watch *watch;
	struct packet *packet;

	FIELDS(table, F(uid), FD(fd));
	if (!table->is_writing)
		process = process_restore(table, fd, instance, uid);
	if (!process)
		return;
	FIELDS(table, F(process->standing), F(process->nonce), F(process->next_call_id));
	if (!table->is_writing && !instance && process->standing != PROCESS_WELCOME)
		process_unproven(process);
	RECORDS(table, watch, &process->watches, struct watch, in_process, true,
		table_watch(table, process, watch));
	RECORDS(table, packet, &process->outgoing, struct packet, in_outgoing, true,
		table_packet(table, process, packet));
}

/* A control connection by its socket's number, which stays the same. */
static struct process *field_process(struct table *table, const struct kernel_asker *asker)
{
	int fd = asker ? process_of(asker)->fd : -1;
	struct process *process;

	FIELDS(table, F(fd));
	if (table->is_writing || fd < 0)
		return NULL;
	list_walk(process, &table->daemon->processes, struct process, in_daemon)
		if (process->fd == fd)
			return process;
	table->failed = true;
	return NULL;
}

static void table_link(struct table *table, struct kernel_link *link)
{
	struct kernel *kernel = &table->daemon->kernel;
	struct kernel_instance *server = field_instance(table, link ? link->server : NULL);
	struct process *client = field_process(table, link ? link->client : NULL);
	bool is_stream = link && link->is_stream, client_closed = link && link->client_closed;
	char owner[QUOTA_OWNER_MAX] = "";
	uint64_t id = link ? link->id : 0;
	struct quota *quota;

	if (link)
		memcpy(owner, link->quota->owner, sizeof owner);
	FIELDS(table, F(id), F(is_stream), F(client_closed), TEXT(owner));
	if (table->is_writing || table->failed)
		return;
	/* Its owner may have no other trace any more: the general limits will do for it. */
	quota = quota_ref(&kernel->quotas, owner,
			  conf_limits(kernel->conf, owner, &kernel->conf->limits));
	if (quota)
		link = broker_link_add(kernel, id, client ? &client->asker : NULL, server, quota,
				       is_stream);
	if (!link) {
		table->failed = true;
	} else {
		link->client_closed = client_closed;
		server->n_links -= client_closed;
	}
	quota_unref(quota);
}

static struct kernel_request *request_restore(struct table *table, struct process *process,
					      const char *cell, int stream, uint32_t uid)
{
	struct kernel_request *request;

	if (table->failed)
		return NULL;
	if (stream >= 0) {
		request = activate_request(table->daemon, cell, stream, uid);
	} else {
		request = calloc(1, sizeof *request);
		if (request) {
			request->asker = &process->asker;
			request->stream = -1;
			memcpy(request->cell_name, cell, sizeof request->cell_name);
		}
	}
	table->failed = !request;
	return request;
}

/* Orders of control connections have one to name; those of streams bring their socket. */
static void table_request(struct table *table, struct kernel_request *request, bool is_resolving)
{
	struct kernel *kernel = &table->daemon->kernel;
	int stream = request ? request->stream : -1;
	uint32_t uid = request ? request->asker->uid : 0;
	struct process *process =
		field_process(table, request && stream < 0 ? request->asker : NULL);
	struct kernel_instance *instance;
	char cell[CELL_NAME_MAX + 1] = "";

	if (request)
		memcpy(cell, request->cell_name, sizeof cell);
	FIELDS(table, TEXT(cell), F(uid), FD(stream));
	if (!table->is_writing) {
		table->failed |= !process && stream < 0;
		request = request_restore(table, process, cell, stream, uid);
	}
	if (!request)
		return;
	FIELDS(table, F(request->order), F(request->resolve_id), F(request->call_id),
	       F(request->deadline_ns), F(request->instance_id), F(request->no_spawn),
	       F(request->excluded), F(request->n_excluded), TEXT(request->as_node),
	       TEXT(request->as_cell), F(request->only_if_none), F(request->drain_ns),
	       F(request->kill), F(request->channels));
	instance = field_instance(table, request->order == KERNEL_CONNECT || request->instance_id
						 ? NULL : request->instance);
	FIELDS(table, F(is_resolving));
	if (table->is_writing)
		return;
	request->instance = instance;
	broker_restore(kernel, request, is_resolving ? NULL : kernel_cell_add(kernel, cell));
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static void table_links(struct table *table)
{
	struct kernel_instance *instance;
	struct kernel_link *link;

	if (table->is_writing)
		list_walk(instance, &table->daemon->kernel.instances, struct kernel_instance, in_all)
			list_walk(link, &instance->served, struct kernel_link, in_server)
				if (field_more(table, true))
					table_link(table, link);
	while (field_more(table, false))
		table_link(table, NULL);
}

static void table_requests(struct table *table)
{
	struct kernel *kernel = &table->daemon->kernel;
	struct kernel_request *request;

	for (size_t i = 0; table->is_writing && i < kernel->n_cells; i++)
		list_walk(request, &kernel->cells[i]->waiting, struct kernel_request, in_wait)
			if (field_more(table, true))
				table_request(table, request, false);
	RECORDS(table, request, &kernel->resolving, struct kernel_request, in_wait, true,
		table_request(table, request, true));
}

/* All of it, in an order in which each thing finds what it refers to. ASKER waits for CALL_ID. */
static void table_pass(struct table *table, uint64_t *call_id, struct process **asker)
{
	struct daemon *daemon = table->daemon;
	struct kernel *kernel = &daemon->kernel;
	struct kernel_instance *instance;
	struct process *process;
	struct spawn *spawn;

	table_head(table);
	for (size_t i = 0; table->is_writing && i < kernel->n_cells && field_more(table, true); i++)
		table_cell(table, kernel->cells[i]);
	while (field_more(table, false))
		table_cell(table, NULL);
	RECORDS(table, instance, &kernel->instances, struct kernel_instance, in_all,
		instance->state != KERNEL_GONE, table_instance(table, instance));
	RECORDS(table, spawn, &daemon->spawns, struct spawn, in_daemon, !spawn->instance,
		table_spawn(table, spawn, NULL));
	RECORDS(table, process, &daemon->processes, struct process, in_daemon, true,
		table_process(table, process));
	table_links(table);
	table_requests(table);
	FIELDS(table, F(*call_id));
	*asker = field_process(table, *asker ? &(*asker)->asker : NULL);
}

static void table_read(struct table *table)
{
	struct process *asker = NULL;
	uint64_t call_id = 0;

	table_pass(table, &call_id, &asker);
	if (!cell_reader_is_done(&table->in))
		table->failed = true;
	if (!table->failed && asker)
		control_upgraded(asker, call_id);
}

static void table_deinit(struct table *table)
{
	free(table->out);
	free(table->fds);
}

/* The table in a memfd that survives exec, or -errno. */
static int table_memfd(const struct table *table)
{
	int fd = memfd_create("cellcore table", 0);
	size_t at = 0;

	while (fd >= 0 && at < table->len) {
		ssize_t n = write(fd, table->out + at, table->len - at);

		if (n < 0) {
			int r = -errno;

			(void)close(fd);
			return r;
		}
		at += (size_t)n;
	}
	return fd < 0 ? -errno : fd;
}

int resume_check(int fd, struct cell_error *err)
{
	uint32_t head[2];

	if (pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head || head[0] != TABLE_MAGIC)
		return cell_fail(err, -EPROTO, "descriptor %d has no table", fd);
	if (head[1] != TABLE_VERSION)
		return cell_fail(err, -EPROTO, "the table has version %u, this cellcore reads %d",
				 (unsigned)head[1], TABLE_VERSION);
	return 0;
}

int resume_take(struct daemon *daemon, int fd, struct cell_error *err)
{
	struct table table = { .daemon = daemon };
	struct stat st;
	void *bytes;
	int r;

	r = resume_check(fd, err);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || st.st_size > TABLE_MAX)
		return cell_fail(err, -EPROTO, "descriptor %d has no table", fd);
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return cell_fail(err, -errno, "mapping the table: %s", strerror(errno));
	table.in = cell_reader(bytes, (size_t)st.st_size);
	daemon->is_resuming = true;
	table_read(&table);
	daemon->is_resuming = false;
	(void)munmap(bytes, (size_t)st.st_size);
	(void)close(fd);
	if (table.failed)
		return cell_fail(err, -EPROTO, "the table makes no sense");
	/* Ends that some watcher has not been told of are not in the table: those start over. */
	daemon->kernel.forgotten = daemon->kernel.next_change;
	daemon->pumped = DAEMON_PUMP_AGAIN;
	daemon->log_is_behind = true;
	kernel_due(&daemon->kernel, 1);
	return 0;
}

/* ---- executing --------------------------------------------------------------------------------------- */

/* Our own arguments, and --resume FD instead of an earlier one. MORE may be NULL. */
static char **resume_argv(const struct daemon *daemon, struct cell_arena *arena, const char *path,
			  int fd, const char *more)
{
	char **argv;
	size_t n = 0, kept = 1;

	while (daemon->argv[n])
		n++;
	argv = cell_arena_calloc(arena, n + 4, sizeof *argv);
	if (!argv)
		return NULL;
	argv[0] = cell_arena_strdup(arena, path);
	for (size_t i = 1; i < n; i++) {
		if (strncmp(daemon->argv[i], "--resume=", 9) != 0)
			argv[kept++] = daemon->argv[i];
	}
	argv[kept++] = cell_arena_printf(arena, "--resume=%d", fd);
	argv[kept] = (char *)(uintptr_t)more;
	return argv[0] && argv[kept - 1] ? argv : NULL;
}

static void resume_end(struct daemon *daemon, const struct cell_error *why)
{
	struct resume *resume = daemon->resume;

	daemon->resume = NULL;
	if (why && resume->asker)
		process_refuse(resume->asker, resume->call_id, why);
	if (why)
		cell_log(CELL_LOG_ERR, "resume", "upgrade_failed", "path=\"%s\" reason=\"%s\"",
			 resume->path, cell_log_quote((char[512]){ 0 }, 512, why->text));
	ev_io_stop(daemon->loop, &resume->on_tried);
	fd_close(&resume->pidfd);
	free(resume);
}

/* The new program has looked at a table like ours: it understands it, or not. */
static void on_tried(struct ev_loop *loop, ev_io *io, int)
{
	struct resume *resume = list_entry(io, struct resume, on_tried);
	struct daemon *daemon = io->data;
	struct cell_error err = { 0 };
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)resume->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
		return;
	ev_io_stop(loop, io);
	if (info.si_code == CLD_EXITED && info.si_status == RESUME_UNDERSTOOD) {
		resume->is_tried = true;
	} else {
		(void)cell_fail(&err, CELL_FAILED_PRECONDITION,
				"%s cannot take over: it is no cellcore, or one whose table differs",
				resume->path);
		resume_end(daemon, &err);
	}
	daemon_settle(daemon);
}

/* Have the new program look at the table's head first: nothing is lost if it does not like it. */
static int resume_try(struct daemon *daemon, struct resume *resume, struct cell_error *err)
{
	struct table table = { .daemon = daemon, .is_writing = true };
	char **argv = NULL;
	int fd = -ENOMEM;

	table_head(&table);
	if (!table.failed)
		fd = table_memfd(&table);
	table_deinit(&table);
	if (fd >= 0)
		argv = resume_argv(daemon, &daemon->arena, resume->path, fd, "--check-table");
	if (!argv)
		return cell_fail(err, fd < 0 ? fd : -ENOMEM, "writing the table");
	resume->pid = fork();
	if (resume->pid == 0) {
		(void)alarm(TRIAL_S);
		(void)execv(resume->path, argv);
		_exit(127);
	}
	(void)close(fd);
	if (resume->pid > 0)
		resume->pidfd = pidfd_open(resume->pid, 0);
	if (resume->pidfd < 0)
		return cell_fail(err, -errno, "trying %s: %s", resume->path, strerror(errno));
	ev_io_init(&resume->on_tried, on_tried, resume->pidfd, EV_READ);
	resume->on_tried.data = daemon;
	ev_io_start(daemon->loop, &resume->on_tried);
	return 0;
}

int resume_request(struct process *process, uint64_t call_id, const char *path,
		   struct cell_error *err)
{
	struct daemon *daemon = process->daemon;
	struct resume *resume;
	struct stat st;
	int r;

	if (!path[0])
		path = daemon->self_program;
	if (daemon->resume || daemon->kernel.is_stopping)
		return cell_fail(err, CELL_FAILED_PRECONDITION, daemon->resume
				 ? "an upgrade is under way already" : "the node stops");
	if (path[0] != '/' || strlen(path) >= sizeof resume->path)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "'%s' is no absolute path", path);
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return cell_fail(err, CELL_NOT_FOUND, "no program at '%s'", path);
	resume = calloc(1, sizeof *resume);
	if (!resume)
		return cell_fail(err, -ENOMEM, "upgrading");
	resume->asker = process;
	resume->call_id = call_id;
	resume->pidfd = -1;
	(void)snprintf(resume->path, sizeof resume->path, "%s", path);
	r = resume_try(daemon, resume, err);
	if (r < 0) {
		free(resume);
		return r;
	}
	daemon->resume = resume;
	return 1;
}

void resume_forget(struct process *process)
{
	struct resume *resume = process->daemon->resume;

	if (resume && resume->asker == process)
		resume->asker = NULL;
}

static void fds_keep(const struct table *table, bool keep)
{
	for (size_t i = 0; i < table->n_fds; i++)
		(void)fcntl(table->fds[i], F_SETFD, keep ? 0 : FD_CLOEXEC);
}

/*
 * Between exec and the new program's handlers a signal would kill the node: they wait until
 * it is ready for them. Returns only if it failed, with everything as it was.
 */
static int execute(struct daemon *daemon, const struct resume *resume, struct cell_error *err)
{
	struct process *asker = resume->asker;
	uint64_t call_id = resume->call_id;
	struct table table = { .daemon = daemon, .is_writing = true };
	sigset_t all, before;
	char **argv = NULL;
	int fd = -ENOMEM, r;

	table_pass(&table, &call_id, &asker);
	if (!table.failed)
		fd = table_memfd(&table);
	if (fd >= 0)
		argv = resume_argv(daemon, &daemon->arena, resume->path, fd, NULL);
	if (argv) {
		(void)sigfillset(&all);
		(void)sigprocmask(SIG_SETMASK, &all, &before);
		fds_keep(&table, true);
		(void)execv(resume->path, argv);
		r = -errno;
		fds_keep(&table, false);
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
	} else {
		r = fd < 0 ? fd : -ENOMEM;
	}
	fd_close(&fd);
	table_deinit(&table);
	return cell_fail(err, r, "executing '%s': %s", resume->path, strerror(-r));
}

void resume_execute(struct daemon *daemon)
{
	struct cell_error err = { 0 };

	if (!daemon->resume || !daemon->resume->is_tried || !list_is_empty(&daemon->kernel.outcomes))
		return;
	cell_log(CELL_LOG_INFO, "resume", "executing", "path=\"%s\" generation=%u",
		 daemon->resume->path, daemon->generation + 1);
	(void)execute(daemon, daemon->resume, &err);
	resume_end(daemon, &err);
	cell_arena_reset(&daemon->arena);
}
