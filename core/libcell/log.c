#include <cell/log.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUBSYSTEMS_MAX 16
#define LINE_MAX_BYTES 2048 /* at most PIPE_BUF, so that lines of several writers never mix */

struct level_of {
	char subsystem[24];
	enum cell_log_level level;
};

/* Read on every line, written rarely: writers build a whole table and swap it in. */
struct levels {
	enum cell_log_level all;
	unsigned n;
	struct level_of of[SUBSYSTEMS_MAX];
};

static const char *const level_names[] = { "err", "warn", "info", "debug" };
static struct levels tables[2] = { { .all = CELL_LOG_INFO }, { .all = CELL_LOG_INFO } };
static _Atomic(struct levels *) current = &tables[0];
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;
static char program[64] = "-";
static atomic_ullong dropped;

static int parse_level(const char *text, size_t len, enum cell_log_level *ret_level)
{
	for (unsigned i = 0; i < sizeof level_names / sizeof *level_names; i++) {
		if (strlen(level_names[i]) == len && memcmp(level_names[i], text, len) == 0) {
			*ret_level = (enum cell_log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_item(struct levels *levels, const char *item, size_t len)
{
	const char *equals = memchr(item, '=', len);
	size_t name_len = equals ? (size_t)(equals - item) : 0;
	enum cell_log_level level;
	struct level_of *of;

	if (!equals)
		return parse_level(item, len, &levels->all);
	if (name_len == 0 || name_len >= sizeof of->subsystem ||
	    parse_level(equals + 1, len - name_len - 1, &level) < 0)
		return -EINVAL;
	for (of = levels->of; of < levels->of + levels->n; of++)
		if (strlen(of->subsystem) == name_len && memcmp(of->subsystem, item, name_len) == 0)
			break;
	if (of == levels->of + levels->n) {
		if (levels->n == SUBSYSTEMS_MAX)
			return -EINVAL;
		levels->n++;
		memcpy(of->subsystem, item, name_len);
		of->subsystem[name_len] = '\0';
	}
	of->level = level;
	return 0;
}

int cell_log_set(const char *spec)
{
	struct levels *old, *new;
	int r = 0;

	(void)pthread_mutex_lock(&changing);
	old = atomic_load(&current);
	new = old == &tables[0] ? &tables[1] : &tables[0];
	*new = *old;
	while (*spec && r == 0) {
		size_t len = strcspn(spec, ",");

		r = parse_item(new, spec, len);
		spec += len + (spec[len] == ',');
	}
	if (r == 0)
		atomic_store(&current, new);
	(void)pthread_mutex_unlock(&changing);
	return r;
}

void cell_log_init(const char *name)
{
	const char *spec = getenv("CELL_LOG");

	if (name && *name)
		(void)snprintf(program, sizeof program, "%s", name);
	if (spec && cell_log_set(spec) < 0)
		cell_log_write(CELL_LOG_WARN, "log", "bad_levels",
			       "CELL_LOG=\"%s\" wanted=\"LEVEL or SUBSYSTEM=LEVEL, comma-separated; "
			       "levels err warn info debug\"", spec);
}

int cell_log_wants(enum cell_log_level level, const char *subsystem)
{
	const struct levels *levels = atomic_load_explicit(&current, memory_order_acquire);

	for (unsigned i = 0; i < levels->n; i++)
		if (strcmp(levels->of[i].subsystem, subsystem) == 0)
			return level <= levels->of[i].level;
	return level <= levels->all;
}

/*
 * stderr may be shared with others, so its O_NONBLOCK is not ours to set. A pipe that
 * polls writable takes PIPE_BUF bytes without blocking.
 */
static void write_line(const char *line, size_t len)
{
	struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT) ||
	    write(STDERR_FILENO, line, len) < 0)
		atomic_fetch_add(&dropped, 1);
}

void cell_log_write(enum cell_log_level level, const char *subsystem, const char *event,
		    const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	int saved_errno = errno;
	size_t at, room = sizeof line - 1;
	va_list args;
	int n;

	n = snprintf(line, room, "level=%s cell=%s sub=%s event=%s", level_names[level], program,
		     subsystem, event);
	at = n < 0 ? 0 : (size_t)n;
	if (format && at + 1 < room) {
		line[at++] = ' ';
		va_start(args, format);
		n = vsnprintf(line + at, room - at, format, args);
		va_end(args);
		at += n < 0 ? 0 : (size_t)n;
	}
	if (at > room - 1)
		at = room - 1; /* cut */
	line[at++] = '\n';
	write_line(line, at);
	errno = saved_errno;
}

char *cell_log_quote(char *out, size_t size, const char *text)
{
	size_t at = 0;

	for (; *text && at + 5 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			out[at++] = '\\';
			out[at++] = (char)c;
		} else if (c == '\n') {
			out[at++] = '\\';
			out[at++] = 'n';
		} else if (c < ' ' || c == 0x7f) {
			at += (size_t)snprintf(out + at, size - at, "\\x%02x", c);
		} else {
			out[at++] = (char)c;
		}
	}
	if (size)
		out[at] = '\0';
	return out;
}

uint64_t cell_log_dropped(void)
{
	return atomic_load(&dropped);
}
