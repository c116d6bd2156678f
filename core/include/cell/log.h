/*
 * Logs: one event, one logfmt line on stderr.
 *
 *	cell_log(CELL_LOG_WARN, "link", "peer_drop", "peer=%u bytes=%zu", peer, n);
 *
 * gives: level=warn cell=dht sub=link event=peer_drop peer=7 bytes=4096
 *
 * Lines never block: a full pipe drops the line and counts it. Levels are set for the
 * process or per subsystem, by $CELL_LOG ("info", "warn,link=debug") and live by OPS.
 * Foreign text goes through cell_log_quote(). Thread-safe.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cell_log_level { CELL_LOG_ERR, CELL_LOG_WARN, CELL_LOG_INFO, CELL_LOG_DEBUG };

/* Name the program in every line, and read $CELL_LOG. Not needed before cell_log(). */
void cell_log_init(const char *program);

/*
 * Set levels as $CELL_LOG does: LEVEL or SUBSYSTEM=LEVEL, comma-separated.
 * Returns 0, or -EINVAL with nothing changed.
 */
int cell_log_set(const char *spec);

/* Whether a line of LEVEL from SUBSYSTEM would be written. */
int cell_log_wants(enum cell_log_level level, const char *subsystem);

/* Write one line. FORMAT, which may be NULL, gives the key=value pairs after the event. */
void cell_log_write(enum cell_log_level level, const char *subsystem, const char *event,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));

#define cell_log(level, subsystem, ...)                                     \
	do {                                                                \
		if (cell_log_wants((level), (subsystem)))                   \
			cell_log_write((level), (subsystem), __VA_ARGS__);  \
	} while (0)

/*
 * TEXT with quotes, backslashes, control bytes and newlines escaped, cut to SIZE bytes
 * with the NUL, in OUT; returns OUT. For use inside quotes: reason=\"%s\".
 */
char *cell_log_quote(char *out, size_t size, const char *text);

/* Lines dropped since the start because stderr would have blocked. */
uint64_t cell_log_dropped(void);

#ifdef __cplusplus
}
#endif
