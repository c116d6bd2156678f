/* cell logs: what cells said, and say. */
#include "core.cell.h"
#include "log.cell.h"
#include "ops.cell.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINES_DEFAULT 50
#define SECOND_NS     UINT64_C(1000000000)
/* A log cell that went away is asked again so often: 10 s in all, as long as a start may
 * take. */
#define FOLLOW_TRIES    50
#define FOLLOW_PAUSE_MS 200

struct options {
	bool follow;
	uint64_t lines;
	uint64_t since_ns;
	const char *level;
	uint64_t instance;
	const char *contains;
	const char *set;
	bool stats;
};

static const struct opts_option options[] = {
	{ 'f', "follow", OPTS_FLAG, offsetof(struct options, follow),
	  .help = "go on with lines as they come" },
	{ 'n', "lines", OPTS_NUMBER, offsetof(struct options, lines), .value = "N",
	  .help = "so many of the last lines; 0: all there are (50)", .max = 1000000 },
	{ 's', "since", OPTS_DURATION, offsetof(struct options, since_ns),
	  .value = "DURATION", .help = "only lines of the last so long: 90s, 5m, 1h" },
	{ 'l', "level", OPTS_TEXT, offsetof(struct options, level), .value = "LEVEL",
	  .help = "only this bad or worse: err, warn, info or debug",
	  .choices = "err|warn|info|debug" },
	{ 'i', "instance", OPTS_NUMBER, offsetof(struct options, instance), .value = "ID",
	  .help = "only this instance", .min = 1 },
	{ 'g', "grep", OPTS_TEXT, offsetof(struct options, contains), .value = "TEXT",
	  .help = "only lines with this text" },
	{ 0, "set", OPTS_TEXT, offsetof(struct options, set), .value = "LEVELS",
	  .help = "change what CELL logs from now on: debug, or warn,link=debug" },
	{ 0, "stats", OPTS_FLAG, offsetof(struct options, stats),
	  .help = "what the log cell took, dropped and keeps" },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "CELL", .help = "only the lines of this cell", .words = OPTS_CELL,
	  .is_optional = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell logs -f", "all cells, as it happens" },
	{ "cell logs greeter --since 5m", "one cell, the last five minutes" },
	{ "cell logs -l warn -n 0", "every warning and error in memory" },
	{ "cell logs greeter --set debug", "let greeter say more" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell logs",
	.summary = "show what cells say on stderr",
	.examples = examples,
	.options = options,
	.arguments = arguments,
	.has_json = true,
};

static const char *const level_names[] = { "", "err", "warn", "info", "debug" };
#define N_LEVELS (sizeof level_names / sizeof level_names[0])

static enum log_level level_parse(const char *name)
{
	for (size_t i = 1; name && i < N_LEVELS; i++)
		if (strcmp(level_names[i], name) == 0)
			return (enum log_level)i;
	return LOG_LEVEL_NONE;
}

static const char *level_name(enum log_level level)
{
	return (size_t)level < N_LEVELS ? level_names[level] : "";
}

static enum out_style level_style(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERR: return OUT_BAD;
	case LOG_LEVEL_WARN: return OUT_WARN;
	case LOG_LEVEL_DEBUG: return OUT_DIM;
	default: return OUT_PLAIN;
	}
}

/* ---- lines
 * --------------------------------------------------------------------------------- */

static void time_print(const struct out *out, uint64_t at_ns)
{
	time_t seconds = (time_t)(at_ns / SECOND_NS);
	struct tm tm;
	char text[32];

	(void)localtime_r(&seconds, &tm);
	(void)strftime(text, sizeof text, "%b %d %H:%M:%S", &tm);
	out_print(out, OUT_DIM, "%s.%03u", text, (unsigned)(at_ns / 1000000 % 1000));
}

/* The text without the level and the cell it begins with: both are shown already. */
static const char *text_rest(const struct log_line *line)
{
	const char *text = line->text;
	size_t len = strlen(line->cell);

	if (strncmp(text, "level=", 6) == 0 && strchr(text, ' '))
		text = strchr(text, ' ') + 1;
	if (strncmp(text, "cell=", 5) == 0 && strncmp(text + 5, line->cell, len) == 0 &&
	    text[5 + len] == ' ')
		text += 5 + len + 1;
	return text;
}

static void line_print(const struct out *out, const struct log_line *line)
{
	char tag[96], *plain = malloc(strlen(line->text) + 1);

	(void)snprintf(tag, sizeof tag, "%.63s/%" PRIu64, line->cell, line->instance);
	time_print(out, line->at_ns);
	fputc(' ', out->file);
	out_print(out, OUT_BOLD, "%-12s", tag);
	fputc(' ', out->file);
	out_print(out, level_style(line->level), "%-5s", level_name(line->level));
	fprintf(out->file, " %s\n",
		plain ? out_plain(plain, strlen(line->text) + 1, text_rest(line)) : "");
	free(plain);
}

static json_t *line_json(const struct log_line *line)
{
	return json_pack("{s:I, s:I, s:s, s:I, s:I, s:s, s:s}", "number",
			 (json_int_t)line->number, "at_ns", (json_int_t)line->at_ns, "cell",
			 line->cell, "instance", (json_int_t)line->instance, "pid",
			 (json_int_t)line->pid, "level", level_name(line->level), "text",
			 line->text);
}

static int line_show(struct command *command, const struct log_line *line)
{
	if (line->missed)
		command_note(command, "%" PRIu64 " lines were missed", line->missed);
	if (command->is_json) {
		json_t *value = line_json(line);

		(void)out_json(stdout, value, false);
		json_decref(value);
	} else {
		line_print(&command->out, line);
	}
	if (fflush(stdout) != 0)
		return command_fail(command, -errno, "writing the result: %s",
				    strerror(errno));
	return 0;
}

static uint64_t wall_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* Where to look if the node has no log cell. */
static int explain(struct command *command, int err)
{
	if (err == CELL_NOT_FOUND)
		return command_fail(
			command, err,
			"this node has no log cell (node.conf: log = log); without one "
			"cells write to log/ in the run directory");
	return err;
}

/* Print what comes; *LAST is the time of the last line, *N how many there were. */
static int follow_once(struct command *command, const struct log_query *query, uint64_t *last,
		       uint64_t *n)
{
	struct log_follow_cursor lines = log_follow(command_call(command), query);
	const struct log_line *line;
	int err = 0, end;

	while (!err && (line = log_follow_next(&lines))) {
		err = line_show(command, line);
		*last = line->at_ns;
		++*n;
	}
	end = log_follow_end(&lines);
	return err ? err : end;
}

/* A log cell that died is back soon, and has read its files again: go on behind what was
 * seen. */
static int follow(struct command *command, struct log_query query)
{
	uint64_t last = 0, n = 0;
	unsigned tries = 0;
	int err = 0;

	while (err == 0 && tries++ < FOLLOW_TRIES) {
		uint64_t before = n;

		err = follow_once(command, &query, &last, &n);
		if (err != CELL_UNAVAILABLE)
			break;
		if (n > before)
			tries = 0;
		if (last) {
			query.since_ns = last + 1;
			query.lines = 0;
		}
		if (tries < FOLLOW_TRIES)
			err = cell_sleep_ms(command_call(command), FOLLOW_PAUSE_MS);
	}
	return err;
}

static int find(struct command *command, const struct log_query *query)
{
	struct log_find_cursor lines = log_find(command_call(command), query);
	const struct log_line *line;
	uint64_t n = 0;
	int err = 0, end;

	for (; !err && (line = log_find_next(&lines)); n++)
		err = line_show(command, line);
	end = log_find_end(&lines);
	if (!err && !end && n == 0)
		command_note(command, "there are no such lines");
	return err ? err : end;
}

static int show(struct command *command, const struct options *o, const char *cell)
{
	const struct log_query query = {
		.cell = cell ? cell : "",
		.instance = o->instance,
		.level = level_parse(o->level),
		.since_ns = o->since_ns ? wall_ns() - o->since_ns : 0,
		.lines = (uint32_t)o->lines,
		.contains = o->contains ? o->contains : "",
	};

	return explain(command, o->follow ? follow(command, query) : find(command, &query));
}

/* ---- the rest
 * --------------------------------------------------------------------------------- */

/* Every instance of CELL, or the one that was asked for. */
static int set_levels(struct command *command, const struct options *o, const char *cell)
{
	const struct ops_log_level level = { .spec = o->set };
	struct core_list_request in = { .cell = cell, .after_name = "" };
	struct core_instance_page page = { .more = true };
	struct cell_call *call = command_call(command);
	unsigned n = 0;
	int err = 0;

	if (!cell)
		return command_fail(command, CELL_INVALID_ARGUMENT, "--set wants a CELL");
	while (!err && page.more) {
		err = core_list_instances(call, &in, &page);
		for (size_t i = 0; !err && i < page.n_instances; i++) {
			in.after = page.instances[i].instance;
			if (page.instances[i].state != CORE_INSTANCE_STATE_READY ||
			    (o->instance && o->instance != in.after))
				continue;
			err = ops_set_log_level(cell_to(call, cell, in.after), &level);
			n++;
		}
	}
	if (err)
		return err;
	if (n == 0)
		return command_fail(command, CELL_NOT_FOUND, "no such instance of '%s' runs",
				    cell);
	command_note(command, "%u instance%s of %s log%s at '%s' from now on", n,
		     n == 1 ? "" : "s", cell, n == 1 ? "s" : "", o->set);
	return 0;
}

static int show_stats(struct command *command)
{
	struct log_log_stats s;
	int err = log_stats(command_call(command), &s);

	if (err)
		return explain(command, err);
	if (command->is_json)
		return command_json(
			command,
			json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
				  "lines", (json_int_t)s.lines, "bytes", (json_int_t)s.bytes,
				  "dropped", (json_int_t)s.dropped, "repeated",
				  (json_int_t)s.repeated, "cut", (json_int_t)s.cut,
				  "write_errors", (json_int_t)s.write_errors, "sources",
				  (json_int_t)s.sources, "followers", (json_int_t)s.followers,
				  "memory_lines", (json_int_t)s.memory_lines, "memory_bytes",
				  (json_int_t)s.memory_bytes));
	printf("%" PRIu64 " lines taken (%" PRIu64 " bytes) from %u instances\n"
	       "%" PRIu64 " dropped for their rate, %" PRIu64 " repeated, %" PRIu64
	       " cut, %" PRIu64 " not written\n"
	       "%" PRIu64 " lines in memory (%" PRIu64 " bytes), %u followers\n",
	       s.lines, s.bytes, s.sources, s.dropped, s.repeated, s.cut, s.write_errors,
	       s.memory_lines, s.memory_bytes, s.followers);
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { .lines = LINES_DEFAULT };
	struct command command;
	const char *cell;
	int err;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	cell = command_arg(&command, 0);
	if (o.set)
		err = set_levels(&command, &o, cell);
	else if (o.stats)
		err = show_stats(&command);
	else
		err = show(&command, &o, cell);
	return command_end(&command, err);
}
