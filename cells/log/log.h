/* What the log cell knows, and the table of its handlers. */
#pragma once

#include "file.h"
#include "intake.h"
#include "recent.h"

#include <stdbool.h>
#include <stdint.h>

struct log_handlers;

/* Readers that wait for lines. Each is woken for every line. */
#define LOG_FOLLOWERS_MAX 64
/* Memory for recent lines. */
#define LOG_RECENT_BYTES ((size_t)16 * 1024 * 1024)
#define LOG_RECENT_LINES ((size_t)128 * 1024)

struct log {
	struct recent *recent;
	struct files *files;
	struct intake_counts counts;
	uint64_t write_errors;
	unsigned n_sources;
	int followers[LOG_FOLLOWERS_MAX]; /* eventfds; -1: free */
	unsigned n_followers;
};

extern const struct log_handlers log_handlers;
