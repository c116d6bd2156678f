/* cell top: what instances do, live. */
#include "node.h"
#include "sample.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <curses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* An instance that has not said its numbers by then shows none. */
#define STATS_TIMEOUT_MS 500
/* Lines above and below the list. */
#define HEAD_LINES 3
#define FOOT_LINES 1

struct options {
	uint64_t interval_ns;
	const char *sort;
	bool once;
};

static const struct opts_option options[] = {
	{ 'n', "interval", OPTS_DURATION, offsetof(struct options, interval_ns),
	  .value = "DURATION", .help = "between two looks (1s)" },
	{ 's', "sort", OPTS_TEXT, offsetof(struct options, sort), .value = "BY",
	  .help = "calls, p99, cpu, memory or name (calls)",
	  .choices = "calls|p99|cpu|memory|name" },
	{ '1', "once", OPTS_FLAG, offsetof(struct options, once),
	  .help = "look twice, print a table, and end; for scripts" },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "CELL", .help = "only the instances of this cell", .words = OPTS_CELL,
	  .is_optional = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell top", "all instances; q ends, h lists the keys" },
	{ "cell top --once --json -n 5s", "the rates of five seconds, for programs" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell top",
	.summary = "watch what instances do",
	.examples = examples,
	.options = options,
	.arguments = arguments,
	.has_json = true,
};

struct top {
	struct command *command;
	const struct options *options;
	const char *only;
	struct sampler sampler;
	struct sample sample;
	struct core_node_status status;
	char node[64];
	enum sample_order order;
	uint64_t interval_ms;
	uint64_t selected; /* instance */
	size_t scroll;
	bool is_paused;
	bool shows_methods;
	bool shows_help;
	bool has_colors;
	char trouble[CELL_ERROR_TEXT_MAX];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- looking ------------------------------------------------------------------------------
 */

/* Ask all at once: a slow one must not make the others wait. */
static int stats_all(struct cell_call *call, const struct core_instance_info *instances,
		     size_t n, const struct ops_stats_report ***ret_stats)
{
	struct cell_arena *arena = cell_arena(call);
	struct ops_stats_report *reports = cell_arena_calloc(arena, n, sizeof *reports);
	const struct ops_stats_report **stats = cell_arena_calloc(arena, n, sizeof(void *));
	struct ops_stats_future *futures = cell_arena_calloc(arena, n, sizeof *futures);
	struct cell_call *limited = cell_within_ms(call, STATS_TIMEOUT_MS);

	if (!reports || !stats || !futures)
		return cell_refuse(call, -ENOMEM, "no memory for %zu instances", n);
	for (size_t i = 0; i < n; i++)
		if (instances[i].state == CORE_INSTANCE_STATE_READY)
			futures[i] = ops_stats_start(
				cell_to(limited, instances[i].cell, instances[i].instance));
	for (size_t i = 0; i < n; i++)
		if (instances[i].state == CORE_INSTANCE_STATE_READY &&
		    ops_stats_wait(&futures[i], &reports[i]) == 0)
			stats[i] = &reports[i];
	*ret_stats = stats;
	return 0;
}

static int look(struct top *top)
{
	struct cell_call *call = command_call(top->command);
	struct cell_arena_mark mark = cell_mark(call);
	const struct core_instance_info *instances;
	const struct ops_stats_report **stats = NULL;
	size_t n;
	int err = core_status(call, &top->status);

	if (err == 0)
		err = node_instances(call, top->only ? top->only : "", &instances, &n);
	if (err == 0)
		err = stats_all(call, instances, n, &stats);
	if (err == 0) {
		(void)snprintf(top->node, sizeof top->node, "%s", top->status.node);
		sample_deinit(&top->sample);
		sampler_take(&top->sampler, now_ns(), instances, stats, n, &top->sample);
		sample_sort(&top->sample, top->order);
	}
	cell_rewind(call, mark);
	return err;
}

/* ---- once
 * ------------------------------------------------------------------------------------ */

static const struct out_column columns[] = {
	{ .title = "ID", .is_right = true },
	{ .title = "CELL" },
	{ .title = "STATE" },
	{ .title = "CALLS/S", .is_right = true },
	{ .title = "ERR/S", .is_right = true },
	{ .title = "P50", .is_right = true },
	{ .title = "P99", .is_right = true },
	{ .title = "INFL", .is_right = true },
	{ .title = "CONN", .is_right = true },
	{ .title = "CPU%", .is_right = true },
	{ .title = "MEM", .is_right = true },
	{ 0 },
};

static const char *latency(char out[OUT_NUMBER_SIZE], uint64_t ns)
{
	return ns ? out_duration(out, ns) : "-";
}

static void table_print(const struct top *top)
{
	struct out_table *rows = out_table_new(columns);
	char number[OUT_NUMBER_SIZE];

	for (size_t i = 0; i < top->sample.n; i++) {
		const struct sample_row *r = &top->sample.rows[i];

		out_cell(rows, OUT_PLAIN, "%" PRIu64, r->instance);
		out_cell(rows, OUT_BOLD, "%s", r->cell);
		out_cell(rows, node_state_style(r->state), "%s", node_state_name(r->state));
		out_cell(rows, OUT_PLAIN, "%s",
			 r->has_stats ? out_count(number, r->calls_per_s) : "-");
		out_cell(rows, r->errors_per_s > 0 ? OUT_BAD : OUT_PLAIN, "%s",
			 r->has_stats ? out_count(number, r->errors_per_s) : "-");
		out_cell(rows, OUT_PLAIN, "%s", latency(number, r->p50_ns));
		out_cell(rows, OUT_PLAIN, "%s", latency(number, r->p99_ns));
		out_cell(rows, OUT_PLAIN, "%" PRIu64, r->in_flight);
		out_cell(rows, OUT_PLAIN, "%u", r->connections);
		out_cell(rows, OUT_PLAIN, "%.1f", r->cpu_percent);
		out_cell(rows, OUT_PLAIN, "%s",
			 r->memory_bytes ? out_bytes(number, r->memory_bytes) : "-");
	}
	out_table_print(rows, &top->command->out);
	out_table_free(rows);
}

static json_t *row_json(const struct sample_row *r)
{
	json_t *methods = json_array();

	for (size_t i = 0; i < r->n_methods; i++) {
		const struct sample_method *m = &r->methods[i];

		(void)json_array_append_new(
			methods,
			json_pack("{s:s, s:f, s:f, s:I, s:I, s:I, s:I}", "method", m->name,
				  "calls_per_s", m->calls_per_s, "errors_per_s",
				  m->errors_per_s, "calls", (json_int_t)m->calls, "in_flight",
				  (json_int_t)m->in_flight, "p50_ns", (json_int_t)m->p50_ns,
				  "p99_ns", (json_int_t)m->p99_ns));
	}
	return json_pack("{s:I, s:s, s:s, s:f, s:f, s:I, s:I, s:I, s:I, s:f, s:I, s:o}",
			 "instance", (json_int_t)r->instance, "cell", r->cell, "state",
			 node_state_name(r->state), "calls_per_s", r->calls_per_s,
			 "errors_per_s", r->errors_per_s, "p50_ns", (json_int_t)r->p50_ns,
			 "p99_ns", (json_int_t)r->p99_ns, "in_flight",
			 (json_int_t)r->in_flight, "connections", (json_int_t)r->connections,
			 "cpu_percent", r->cpu_percent, "memory_bytes",
			 (json_int_t)r->memory_bytes, "methods", methods);
}

static int once(struct top *top)
{
	int err = look(top);
	json_t *rows;

	if (err == 0)
		err = cell_sleep_ms(command_call(top->command), top->interval_ms);
	if (err == 0)
		err = look(top);
	if (err)
		return err;
	if (top->only && top->sample.n == 0)
		return command_fail(top->command, CELL_NOT_FOUND,
				    "no instance of '%s' runs (run: cell run %s)", top->only,
				    top->only);
	if (!top->command->is_json) {
		table_print(top);
		return 0;
	}
	rows = json_array();
	for (size_t i = 0; i < top->sample.n; i++)
		(void)json_array_append_new(rows, row_json(&top->sample.rows[i]));
	return command_json(top->command,
			    json_pack("{s:s, s:f, s:f, s:f, s:I, s:o}", "node", top->node,
				      "calls_per_s", top->sample.calls_per_s, "errors_per_s",
				      top->sample.errors_per_s, "cpu_percent",
				      top->sample.cpu_percent, "memory_bytes",
				      (json_int_t)top->sample.memory_bytes, "instances",
				      rows));
}

/* ---- the screen
 * ------------------------------------------------------------------------------- */

static void line_put(int y, attr_t attributes, const char *text)
{
	if (y < 0 || y >= LINES)
		return;
	attron(attributes);
	mvaddnstr(y, 0, text, COLS);
	/* The rest of the line, so that what is set off is so from edge to edge. */
	for (int x = (int)out_width(text); x < COLS; x++)
		mvaddch(y, x, ' ');
	attroff(attributes);
}

static attr_t state_attribute(const struct top *top, enum core_instance_state state)
{
	switch (node_state_style(state)) {
	case OUT_GOOD: return top->has_colors ? (attr_t)COLOR_PAIR(1) : 0;
	case OUT_WARN: return top->has_colors ? (attr_t)COLOR_PAIR(2) : A_BOLD;
	case OUT_BAD: return top->has_colors ? (attr_t)COLOR_PAIR(3) : A_BOLD;
	default: return 0;
	}
}

static void head_draw(const struct top *top)
{
	char line[512], calls[OUT_NUMBER_SIZE], errors[OUT_NUMBER_SIZE],
		memory[OUT_NUMBER_SIZE];
	char up[OUT_NUMBER_SIZE];

	(void)snprintf(line, sizeof line,
		       "cell top: node %s, up %s, %zu instances, every %.1fs, by %s%s",
		       top->node, out_duration(up, top->status.uptime_ms / 1000 * 1000000000),
		       top->sample.n, (double)top->interval_ms / 1000,
		       sample_order_name(top->order), top->is_paused ? ", PAUSED" : "");
	line_put(0, A_BOLD, line);
	(void)snprintf(line, sizeof line, "%s calls/s, %s errors/s, %.1f%% CPU, %s memory",
		       out_count(calls, top->sample.calls_per_s),
		       out_count(errors, top->sample.errors_per_s), top->sample.cpu_percent,
		       out_bytes(memory, top->sample.memory_bytes));
	line_put(1, 0, line);
}

/* 80 columns. */
#define ROW_FORMAT   "%4s %-12.12s %-8.8s %7s %6s %7s %7s %4s %4s %5s %6s"
#define STATE_COLUMN 18

static void row_draw(const struct top *top, int y, const struct sample_row *r)
{
	char id[32], calls[OUT_NUMBER_SIZE], errors[OUT_NUMBER_SIZE], p50[OUT_NUMBER_SIZE];
	char p99[OUT_NUMBER_SIZE], in_flight[32], connections[32], cpu[32],
		memory[OUT_NUMBER_SIZE];
	char cell[64], line[512];
	attr_t selected = r->instance == top->selected ? A_REVERSE : 0;

	(void)snprintf(id, sizeof id, "%" PRIu64, r->instance);
	(void)snprintf(in_flight, sizeof in_flight, "%" PRIu64, r->in_flight);
	(void)snprintf(connections, sizeof connections, "%u", r->connections);
	(void)snprintf(cpu, sizeof cpu, "%.1f", r->cpu_percent);
	(void)snprintf(line, sizeof line, ROW_FORMAT, id,
		       out_plain(cell, sizeof cell, r->cell), node_state_name(r->state),
		       r->has_stats ? out_count(calls, r->calls_per_s) : "-",
		       r->has_stats ? out_count(errors, r->errors_per_s) : "-",
		       latency(p50, r->p50_ns), latency(p99, r->p99_ns), in_flight,
		       connections, cpu,
		       r->memory_bytes ? out_bytes(memory, r->memory_bytes) : "-");
	line_put(y, selected, line);
	if (!selected) {
		attron(state_attribute(top, r->state));
		mvaddnstr(y, STATE_COLUMN, node_state_name(r->state), 8);
		attroff(state_attribute(top, r->state));
	}
}

static size_t selected_index(const struct top *top)
{
	for (size_t i = 0; i < top->sample.n; i++)
		if (top->sample.rows[i].instance == top->selected)
			return i;
	return 0;
}

static size_t list_lines(void)
{
	return LINES > HEAD_LINES + FOOT_LINES ? (size_t)(LINES - HEAD_LINES - FOOT_LINES)
					       : 0;
}

static void list_draw(struct top *top)
{
	size_t index = selected_index(top), lines = list_lines();
	char line[128];

	(void)snprintf(line, sizeof line, ROW_FORMAT, "ID", "CELL", "STATE", "CALLS/S",
		       "ERR/S", "P50", "P99", "INFL", "CONN", "CPU%", "MEM");
	line_put(2, A_REVERSE, line);
	if (index < top->scroll)
		top->scroll = index;
	if (lines && index >= top->scroll + lines)
		top->scroll = index - lines + 1;
	for (size_t i = 0; i < lines && top->scroll + i < top->sample.n; i++)
		row_draw(top, HEAD_LINES + (int)i, &top->sample.rows[top->scroll + i]);
	if (top->sample.n == 0)
		line_put(HEAD_LINES, 0, "nothing runs here (cell run NAME starts something)");
}

static void methods_draw(const struct top *top)
{
	const struct sample_row *r =
		top->sample.n ? &top->sample.rows[selected_index(top)] : NULL;
	char line[512], calls[OUT_NUMBER_SIZE], errors[OUT_NUMBER_SIZE], p50[OUT_NUMBER_SIZE];
	char p99[OUT_NUMBER_SIZE], total[OUT_NUMBER_SIZE], name[128];

	(void)snprintf(line, sizeof line, "%-34.34s %8s %7s %8s %8s %8s",
		       r ? r->cell : "METHOD", "CALLS/S", "ERR/S", "P50", "P99", "CALLS");
	line_put(2, A_REVERSE, line);
	for (size_t i = 0; r && i < r->n_methods && i < list_lines(); i++) {
		const struct sample_method *m = &r->methods[i];

		(void)snprintf(line, sizeof line, "%-34.34s %8s %7s %8s %8s %8s",
			       out_plain(name, sizeof name, m->name),
			       out_count(calls, m->calls_per_s),
			       out_count(errors, m->errors_per_s), latency(p50, m->p50_ns),
			       latency(p99, m->p99_ns), out_count(total, (double)m->calls));
		line_put(HEAD_LINES + (int)i, 0, line);
	}
	if (r && !r->has_stats)
		line_put(HEAD_LINES, 0, "it does not say");
}

static void help_draw(void)
{
	static const char *const lines[] = {
		"up, down, k, j   choose an instance",
		"enter, m         its methods, and back",
		"s                sort by: calls, p99, cpu, memory, name",
		"c p u y n        sort by calls, p99, cpu, memory, name",
		"+ -              look more often, less often",
		"space            pause",
		"h, ?             this help, and back",
		"q                end",
		"",
		"P50 and P99 are of the calls that ended since the last look: half of them,",
		"and 99 in 100, took no longer. INFL: calls in flight. CONN: connections.",
	};

	line_put(2, A_REVERSE, "KEYS");
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		line_put(HEAD_LINES + (int)i, 0, lines[i]);
}

static void draw(struct top *top)
{
	erase();
	if (!top->selected && top->sample.n)
		top->selected = top->sample.rows[0].instance;
	head_draw(top);
	if (top->shows_help)
		help_draw();
	else if (top->shows_methods)
		methods_draw(top);
	else
		list_draw(top);
	if (top->trouble[0])
		line_put(LINES - 1, top->has_colors ? (attr_t)COLOR_PAIR(3) : A_BOLD,
			 top->trouble);
	else
		line_put(LINES - 1, A_DIM, "q end  h help  s sort  m methods  space pause");
	(void)refresh();
}

/* ---- keys
 * ---------------------------------------------------------------------------------------- */

static void select_move(struct top *top, int by)
{
	size_t index = selected_index(top);

	if (top->sample.n == 0)
		return;
	if (by < 0 && index)
		index--;
	else if (by > 0 && index + 1 < top->sample.n)
		index++;
	top->selected = top->sample.rows[index].instance;
}

static void order_set(struct top *top, enum sample_order order)
{
	top->order = order;
	sample_sort(&top->sample, order);
}

/* False to end. */
static bool on_key(struct top *top, int key)
{
	switch (key) {
	case 'q':
	case 'Q': return false;
	case KEY_UP:
	case 'k': select_move(top, -1); break;
	case KEY_DOWN:
	case 'j': select_move(top, 1); break;
	case '\n':
	case KEY_ENTER:
	case 'm': top->shows_methods = !top->shows_methods; break;
	case 'h':
	case '?': top->shows_help = !top->shows_help; break;
	case 's': order_set(top, (top->order + 1) % SAMPLE_ORDERS); break;
	case 'c': order_set(top, SAMPLE_BY_CALLS); break;
	case 'p': order_set(top, SAMPLE_BY_P99); break;
	case 'u': order_set(top, SAMPLE_BY_CPU); break;
	case 'y': order_set(top, SAMPLE_BY_MEMORY); break;
	case 'n': order_set(top, SAMPLE_BY_NAME); break;
	case '+':
		top->interval_ms = top->interval_ms > 400 ? top->interval_ms / 2 : 200;
		break;
	case '-':
		top->interval_ms = top->interval_ms < 30000 ? top->interval_ms * 2 : 60000;
		break;
	case ' ': top->is_paused = !top->is_paused; break;
	case 27: top->shows_help = top->shows_methods = false; break;
	default: break;
	}
	return true;
}

/* ---- the loop
 * ---------------------------------------------------------------------------------------- */

/* What ends or resizes the program arrives like a key, so that the terminal is restored. */
static int signals_open(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGWINCH);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* 0: none that matters; else the signal to end by. */
static int signal_read(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
		struct winsize size;

		if (info.ssi_signo != SIGWINCH)
			return (int)info.ssi_signo;
		if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
			(void)resizeterm(size.ws_row, size.ws_col);
	}
	return 0;
}

static void screen_open(struct top *top)
{
	(void)initscr();
	(void)cbreak();
	(void)noecho();
	(void)nonl();
	(void)keypad(stdscr, TRUE);
	(void)nodelay(stdscr, TRUE);
	(void)curs_set(0);
	(void)set_escdelay(25);
	top->has_colors = has_colors() && top->command->out.is_colored &&
			  start_color() == OK && use_default_colors() == OK;
	if (top->has_colors) {
		(void)init_pair(1, COLOR_GREEN, -1);
		(void)init_pair(2, COLOR_YELLOW, -1);
		(void)init_pair(3, COLOR_RED, -1);
	}
}

/* A node that goes away for a moment does not end the view. */
static void look_again(struct top *top)
{
	struct cell_call *call = command_call(top->command);

	top->trouble[0] = '\0';
	if (look(top) < 0)
		(void)snprintf(top->trouble, sizeof top->trouble, "%s",
			       cell_error(call)->text);
}

/* Wait until the next look is due, a key is pressed or a signal came. */
static int wait_next(struct top *top, int events, uint64_t due_ns)
{
	struct cell_call *call = command_call(top->command);
	struct cell_arena_mark mark = cell_mark(call);
	uint64_t now = now_ns();
	int err = 0;

	if (due_ns > now)
		err = cell_wait_readable(cell_within_ms(call, (due_ns - now) / 1000000 + 1),
					 events);
	cell_rewind(call, mark);
	return err == CELL_DEADLINE_EXCEEDED ? 0 : err;
}

static int loop(struct top *top, int events, int signal_fd, int *ret_signal)
{
	uint64_t due_ns = 0;
	int err = 0;

	while (err == 0) {
		int key;

		if (now_ns() >= due_ns) {
			if (!top->is_paused)
				look_again(top);
			due_ns = now_ns() + top->interval_ms * 1000000;
		}
		draw(top);
		err = wait_next(top, events, due_ns);
		*ret_signal = signal_read(signal_fd);
		if (*ret_signal)
			return 0;
		while ((key = getch()) != ERR)
			if (!on_key(top, key))
				return 0;
	}
	return err;
}

/* Keys and signals behind one descriptor, as a call can wait for one only. */
static int events_open(int signal_fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0 ||
	    epoll_ctl(fd, EPOLL_CTL_ADD, signal_fd, &event) < 0)
		return -errno;
	return fd;
}

static int live(struct top *top, int *ret_signal)
{
	int signal_fd = signals_open(), events, err = look(top);

	/* Before the screen is taken: this error would be lost with it. */
	if (err)
		return err;
	events = signal_fd < 0 ? -errno : events_open(signal_fd);
	if (events < 0)
		return command_fail(top->command, events, "waiting for keys: %s",
				    strerror(-events));
	screen_open(top);
	err = loop(top, events, signal_fd, ret_signal);
	(void)endwin();
	(void)close(events);
	(void)close(signal_fd);
	return err;
}

static enum sample_order order_parse(const char *name)
{
	for (enum sample_order order = 0; order < SAMPLE_ORDERS; order++)
		if (strcmp(sample_order_name(order), name) == 0)
			return order;
	return SAMPLE_BY_CALLS;
}

int main(int argc, char **argv)
{
	struct options o = { .interval_ns = UINT64_C(1000000000), .sort = "calls" };
	struct command command;
	struct top top = { .command = &command, .options = &o };
	int number = 0, exit_code, err;
	bool is_live;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	top.only = command_arg(&command, 0);
	top.order = order_parse(o.sort);
	top.interval_ms = o.interval_ns / 1000000 < 50 ? 50 : o.interval_ns / 1000000;
	is_live = !o.once && !command.is_json && command.out.is_terminal &&
		  isatty(STDIN_FILENO);
	err = is_live ? live(&top, &number) : once(&top);
	sample_deinit(&top.sample);
	sampler_deinit(&top.sampler);
	exit_code = command_end(&command, err);
	return number ? 128 + number : exit_code;
}
