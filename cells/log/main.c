/*
 * log: reads every cell's stderr (cell-log(8)).
 *
 * cellcore passes the read end of each instance's stderr. A watcher reads it a share at a
 * time into the source's intake, which makes lines; each line goes to memory, to its cell's
 * file, and to whoever follows.
 */
#include "log.h"

#include "log.cell.h"

#include <cell/cell.h>
#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Read of one source before the others get their turn. */
#define READ_SIZE 65536

struct daemon {
	struct log log;
	struct cell_call *call;
	struct ev_loop *loop;
	struct source *sources;
	ev_timer tick;  /* runs while a source holds something back */
	bool is_broken; /* the last write failed, and health says so */
};

struct source {
	struct daemon *daemon;
	struct source *next;
	struct source **link; /* what points to us */
	ev_io readable;
	char cell[64];
	uint64_t instance;
	uint32_t pid;
	uint64_t file_bytes;
	struct intake intake;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- lines ---------------------------------------------------------------------------- */

/* Health tells of a full disk; lines go on to memory and followers. */
static void write_result(struct daemon *daemon, int err, const struct cell_error *error)
{
	if (err < 0)
		daemon->log.write_errors++;
	if ((err < 0) == daemon->is_broken)
		return;
	daemon->is_broken = err < 0;
	cell_set_health(daemon->call, err < 0 ? error->text : NULL);
}

static void on_line(void *userdata, const char *text, size_t len)
{
	struct source *source = userdata;
	struct daemon *daemon = source->daemon;
	struct cell_error err = { 0 };
	struct recent_line line = {
		.at_ns = clock_ns(CLOCK_REALTIME),
		.instance = source->instance,
		.pid = source->pid,
		.level = recent_level_of(text, len),
		.cell = source->cell,
		.text = text,
		.text_len = len,
	};
	int r;

	(void)recent_add(daemon->log.recent, &line);
	r = files_append(daemon->log.files, &line, source->file_bytes, &err);
	if (r < 0)
		write_result(daemon, r, &err);
}

/* After a share of lines: to the files at once, and to whoever waits. */
static void lines_done(struct daemon *daemon)
{
	struct cell_error err = { 0 };

	write_result(daemon, files_flush(daemon->log.files, &err), &err);
	for (int i = 0; i < LOG_FOLLOWERS_MAX; i++)
		if (daemon->log.followers[i] >= 0)
			(void)eventfd_write(daemon->log.followers[i], 1);
}

static void on_old_line(void *userdata, const struct recent_line *line)
{
	(void)recent_add(((struct daemon *)userdata)->log.recent, line);
}

/* ---- sources ------------------------------------------------------------------------------
 */

static void tick_arm(struct daemon *daemon)
{
	uint64_t due = UINT64_MAX, now = clock_ns(CLOCK_MONOTONIC);

	for (const struct source *source = daemon->sources; source; source = source->next)
		if (intake_due_ns(&source->intake) < due)
			due = intake_due_ns(&source->intake);
	ev_timer_stop(daemon->loop, &daemon->tick);
	if (due == UINT64_MAX)
		return;
	ev_timer_set(&daemon->tick, due > now ? (double)(due - now) / 1e9 : 0.0, 0.0);
	ev_timer_start(daemon->loop, &daemon->tick);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct daemon *daemon = cell_container_of(timer, struct daemon, tick);
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	(void)loop;
	(void)events;
	for (struct source *source = daemon->sources; source; source = source->next)
		intake_tick(&source->intake, now);
	lines_done(daemon);
	tick_arm(daemon);
}

static void source_drop(struct source *source)
{
	struct daemon *daemon = source->daemon;

	ev_io_stop(daemon->loop, &source->readable);
	(void)close(source->readable.fd);
	*source->link = source->next;
	if (source->next)
		source->next->link = source->link;
	daemon->log.n_sources--;
	free(source);
}

static void on_readable(struct ev_loop *loop, ev_io *readable, int events)
{
	struct source *source = cell_container_of(readable, struct source, readable);
	struct daemon *daemon = source->daemon;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	static char bytes[READ_SIZE];
	ssize_t n = read(readable->fd, bytes, sizeof bytes);

	(void)loop;
	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		intake_feed(&source->intake, bytes, (size_t)n, now);
	} else {
		intake_end(&source->intake, now);
		source_drop(source);
	}
	lines_done(daemon);
	tick_arm(daemon);
}

static void on_source(void *userdata, const char *cell, uint64_t instance, uint32_t pid,
		      uint64_t rate_lines, uint64_t file_bytes, int fd)
{
	struct daemon *daemon = userdata;
	struct source *source = calloc(1, sizeof *source);

	if (!source || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		cell_log(CELL_LOG_ERR, "source", "source_refused", "instance=%s/%" PRIu64,
			 cell, instance);
		(void)close(fd);
		free(source);
		return;
	}
	source->daemon = daemon;
	(void)snprintf(source->cell, sizeof source->cell, "%s", cell);
	source->instance = instance;
	source->pid = pid;
	source->file_bytes = file_bytes;
	intake_init(&source->intake, rate_lines, clock_ns(CLOCK_MONOTONIC),
		    &daemon->log.counts, on_line, source);
	source->next = daemon->sources;
	source->link = &daemon->sources;
	if (source->next)
		source->next->link = &source->next;
	daemon->sources = source;
	daemon->log.n_sources++;
	ev_io_init(&source->readable, on_readable, fd, EV_READ);
	ev_io_start(daemon->loop, &source->readable);
}

/* What has been written and not read yet is still wanted. */
static void sources_drain(struct daemon *daemon)
{
	for (struct source *source = daemon->sources, *next; source; source = next) {
		next = source->next;
		on_readable(daemon->loop, &source->readable, 0);
	}
	while (daemon->sources) {
		intake_end(&daemon->sources->intake, clock_ns(CLOCK_MONOTONIC));
		source_drop(daemon->sources);
	}
	lines_done(daemon);
}

/* ---- life
 * ------------------------------------------------------------------------------------- */

static int daemon_init(struct daemon *daemon)
{
	const char *dir = getenv("CELL_STATEDIR");

	daemon->loop = cell_loop_ev(daemon->call);
	for (int i = 0; i < LOG_FOLLOWERS_MAX; i++)
		daemon->log.followers[i] = -1;
	daemon->log.recent = recent_new(LOG_RECENT_BYTES, LOG_RECENT_LINES);
	if (!daemon->log.recent)
		return cell_refuse(daemon->call, -ENOMEM, "no memory for recent lines");
	daemon->log.files = files_open(dir ? dir : "");
	if (!daemon->log.files)
		return cell_refuse(daemon->call, -errno, "state directory '%s': %s",
				   dir ? dir : ".", strerror(errno));
	ev_timer_init(&daemon->tick, on_tick, 0, 0);
	files_reload(daemon->log.files, on_old_line, daemon);
	return 0;
}

int main(void)
{
	static struct daemon daemon;
	int err;

	daemon.call = cell_open("log");
	err = daemon_init(&daemon);
	if (!err)
		err = cell_serve(daemon.call, &log_service, &log_handlers, &daemon.log);
	if (!err) {
		cell_on_log_source(daemon.call, on_source, &daemon);
		err = cell_loop_run(daemon.call);
		sources_drain(&daemon);
	}
	files_close(daemon.log.files);
	recent_free(daemon.log.recent);
	return cell_exit(daemon.call, err);
}
