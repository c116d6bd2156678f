/*
 * The lines of the last while, in memory of stated size. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers of proto/log.proto's Level. */
enum recent_level { RECENT_NONE, RECENT_ERR, RECENT_WARN, RECENT_INFO, RECENT_DEBUG };

struct recent_line {
	uint64_t number;
	uint64_t at_ns;
	uint64_t instance;
	uint32_t pid;
	enum recent_level level;
	const char *cell;
	const char *text;
	size_t text_len;
};

/* What a reader wants; what is not set (0, "", NULL) matches all. */
struct recent_query {
	const char *cell;
	uint64_t instance;
	enum recent_level level;
	uint64_t since_ns;
	const char *contains;
};

struct recent;

/* Room for SIZE bytes of lines, 64 KiB at least, and LINES of them. NULL: no memory. */
struct recent *recent_new(size_t size, size_t lines);
void recent_free(struct recent *recent);

/* Take a copy of LINE, whose number is set here: the next one. The oldest make room. */
uint64_t recent_add(struct recent *recent, const struct recent_line *line);

/* Numbers of the oldest line, and of the next that will be added. Equal: there is none. */
uint64_t recent_oldest(const struct recent *recent);
uint64_t recent_next(const struct recent *recent);
uint64_t recent_bytes(const struct recent *recent);

/*
 * Line NUMBER, or NULL if it is not there any more or not yet. Its strings live until the
 * next recent_add().
 */
const struct recent_line *recent_get(struct recent *recent, uint64_t number);

bool recent_matches(const struct recent_line *line, const struct recent_query *query);

/* The number from which on at most LAST lines match QUERY; the oldest if LAST is 0. */
uint64_t recent_from(struct recent *recent, const struct recent_query *query, uint64_t last);

/* "level=warn" in TEXT (LEN bytes), wherever a word begins. */
enum recent_level recent_level_of(const char *text, size_t len);
