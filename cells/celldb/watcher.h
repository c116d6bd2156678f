/*
 * Who waits for commits.
 */
#pragma once

#include <cell/server.h>

struct watcher {
	struct cell_event has_news;
	struct watcher *next, **link;
};
