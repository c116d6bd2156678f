/* The methods of proto/log.proto, in its order. */
#include "log.h"

#include "log.cell.h"

#include <cell/cell.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct recent_query query_of(const struct log_query *in)
{
	return (struct recent_query){
		.cell = in->cell,
		.instance = in->instance,
		.level = (enum recent_level)in->level,
		.since_ns = in->since_ns,
		.contains = in->contains,
	};
}

/* LINE in the call's memory: sending may wait, and the line be gone when it goes on. */
static int line_copy(struct cell_call *call, const struct recent_line *line,
		     struct log_line *out)
{
	*out = (struct log_line){
		.number = line->number,
		.at_ns = line->at_ns,
		.cell = cell_arena_strdup(cell_arena(call), line->cell),
		.instance = line->instance,
		.pid = line->pid,
		.level = (enum log_level)line->level,
		.text = cell_arena_strndup(cell_arena(call), line->text, line->text_len),
	};
	return out->cell && out->text ? 0
				      : cell_refuse(call, -ENOMEM, "no memory for a line");
}

/*
 * Send what matches from *AT on, which ends at the next line to come. While a send waits
 * lines are added and old ones go: those that went meanwhile are counted.
 */
static int send_from(struct cell_call *call, struct log *log,
		     const struct recent_query *query, uint64_t *at,
		     struct log_line_sink *out)
{
	uint64_t missed = 0;
	int err = 0;

	for (; !err && *at < recent_next(log->recent); ++*at) {
		struct cell_arena_mark mark = cell_mark(call);
		const struct recent_line *line;
		struct log_line item;

		if (*at < recent_oldest(log->recent)) {
			missed += recent_oldest(log->recent) - *at;
			*at = recent_oldest(log->recent);
		}
		line = recent_get(log->recent, *at);
		if (!line || !recent_matches(line, query))
			continue;
		err = line_copy(call, line, &item);
		item.missed = missed;
		missed = 0;
		if (!err)
			err = log_line_send(out, &item);
		cell_rewind(call, mark);
	}
	return err;
}

static int level_check(struct cell_call *call, const struct log_query *in)
{
	if ((int)in->level < 0 || in->level > LOG_LEVEL_DEBUG)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "level: %d is none",
				   (int)in->level);
	return 0;
}

/* A place among those who are woken; -1 if all are taken. */
static int follower_add(struct log *log)
{
	for (int i = 0; i < LOG_FOLLOWERS_MAX; i++) {
		if (log->followers[i] >= 0)
			continue;
		log->followers[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		log->n_followers += log->followers[i] >= 0;
		return log->followers[i] >= 0 ? i : -1;
	}
	return -1;
}

static void follower_drop(struct log *log, int place)
{
	(void)close(log->followers[place]);
	log->followers[place] = -1;
	log->n_followers--;
}

static int follow(struct cell_call *call, void *self, const struct log_query *in,
		  struct log_line_sink *out)
{
	struct log *log = self;
	struct recent_query query = query_of(in);
	int err = level_check(call, in), place;
	uint64_t at;

	if (err)
		return err;
	place = follower_add(log);
	if (place < 0)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED,
				   "%d follow already, limit %d", log->n_followers,
				   LOG_FOLLOWERS_MAX);
	at = in->lines ? recent_from(log->recent, &query, in->lines)
		       : recent_oldest(log->recent);
	while (!err) {
		eventfd_t ignored;

		err = send_from(call, log, &query, &at, out);
		if (!err)
			err = cell_wait_readable(call, log->followers[place]);
		(void)eventfd_read(log->followers[place], &ignored);
	}
	follower_drop(log, place);
	return err;
}

static int find(struct cell_call *call, void *self, const struct log_query *in,
		struct log_line_sink *out)
{
	struct log *log = self;
	struct recent_query query = query_of(in);
	int err = level_check(call, in);
	uint64_t at;

	if (err)
		return err;
	at = recent_from(log->recent, &query, in->lines);
	return send_from(call, log, &query, &at, out);
}

static int stats(struct cell_call *call, void *self, struct log_log_stats *out)
{
	const struct log *log = self;

	(void)call;
	*out = (struct log_log_stats){
		.lines = log->counts.lines,
		.bytes = log->counts.bytes,
		.dropped = log->counts.dropped,
		.repeated = log->counts.repeated,
		.cut = log->counts.cut,
		.write_errors = log->write_errors,
		.sources = log->n_sources,
		.followers = log->n_followers,
		.memory_lines = recent_next(log->recent) - recent_oldest(log->recent),
		.memory_bytes = recent_bytes(log->recent),
		.oldest = recent_oldest(log->recent),
	};
	return 0;
}

const struct log_handlers log_handlers = {
	.follow = follow,
	.find = find,
	.stats = stats,
};
