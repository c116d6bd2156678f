/* Metrics over HTTP: GET /metrics, on one address. The one place that sees libmicrohttpd. */
#pragma once

#include <cell/error.h>
#include <stddef.h>

struct ev_loop;
struct http;

/* The body of /metrics: the server frees it. NULL when out of memory. */
typedef char *http_metrics_fn(void *userdata, size_t *ret_len);

/*
 * Listen on ADDRESS ("127.0.0.1:9464", "[::1]:9464"; port 0: any that is free) and answer
 * from LOOP. Anybody who reaches the address may read. Returns 0, CELL_INVALID_ARGUMENT for
 * the address, or -errno.
 */
int http_start(struct http **ret, struct ev_loop *loop, const char *address,
	       http_metrics_fn *metrics, void *userdata, struct cell_error *err);
void http_stop(struct http *http); /* accepts NULL */

/* Where it listens: "127.0.0.1:9464". */
const char *http_address(const struct http *http);
