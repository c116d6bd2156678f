#include "http.h"

#include <arpa/inet.h>
#include <cell/cell.h>
#include <ev.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A scraper is one connection now and then. */
#define CONNECTIONS_MAX 32
#define IDLE_SECONDS 10u
#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct http {
	struct MHD_Daemon *daemon;
	struct ev_loop *loop;
	ev_io io;
	ev_timer timer;
	http_metrics_fn *metrics;
	void *userdata;
	char address[64];
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* ---- answers ---------------------------------------------------------------------------- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, char *text,
			      size_t len, enum MHD_ResponseMemoryMode mode, const char *type)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(len, text, mode);
	enum MHD_Result result;

	if (!response) {
		if (mode == MHD_RESPMEM_MUST_FREE)
			free(text);
		return MHD_NO;
	}
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return answer(connection, status, (char *)text, strlen(text), MHD_RESPMEM_PERSISTENT,
		      "text/plain; charset=utf-8");
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
				  const char *url, const char *method, const char *version,
				  const char *upload, size_t *upload_size, void **state)
{
	struct http *http = userdata;
	char *text;
	size_t len;

	(void)version;
	(void)upload;
	(void)state;
	*upload_size = 0;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return say(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	if (strcmp(url, "/metrics") != 0)
		return say(connection, MHD_HTTP_NOT_FOUND, "there is /metrics, and nothing else\n");
	text = http->metrics(http->userdata, &len);
	if (!text)
		return say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
	return answer(connection, MHD_HTTP_OK, text, len, MHD_RESPMEM_MUST_FREE, CONTENT_TYPE);
}

/* ---- the loop ----------------------------------------------------------------------------- */

/* One turn of the server; it says by when it wants the next if nothing happens. */
static void turn(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	(void)MHD_run(http->daemon);
	ev_timer_stop(http->loop, &http->timer);
	if (MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES) {
		ev_timer_set(&http->timer, (double)timeout_ms / 1000., 0.);
		ev_timer_start(http->loop, &http->timer);
	}
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	(void)events;
	turn(cell_container_of(io, struct http, io));
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	turn(cell_container_of(timer, struct http, timer));
}

/* ---- starting --------------------------------------------------------------------------------- */

static int address_parse(const char *text, union address *ret, socklen_t *ret_len,
			 struct cell_error *err)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	char host[INET6_ADDRSTRLEN], *end;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

	memset(ret, 0, sizeof *ret);
	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (!colon || !len || len >= sizeof host || end == colon + 1 || *end || port > 65535)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "'%.60s' is no address: write 127.0.0.1:9464 or [::1]:9464", text);
	memcpy(host, text, len);
	host[len] = 0;
	if (inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons((uint16_t)port);
		*ret_len = sizeof ret->v4;
		return 0;
	}
	if (inet_pton(AF_INET6, host, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons((uint16_t)port);
		*ret_len = sizeof ret->v6;
		return 0;
	}
	return cell_fail(err, CELL_INVALID_ARGUMENT, "'%s' is no IP address", host);
}

static int address_print(int fd, char *out, size_t size)
{
	union address address;
	socklen_t len = sizeof address;
	char host[INET6_ADDRSTRLEN];

	if (getsockname(fd, &address.any, &len) < 0)
		return -errno;
	if (address.any.sa_family == AF_INET)
		(void)snprintf(out, size, "%s:%u",
			       inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof host),
			       ntohs(address.v4.sin_port));
	else
		(void)snprintf(out, size, "[%s]:%u",
			       inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof host),
			       ntohs(address.v6.sin6_port));
	return 0;
}

/* A listening socket of our own, as the library does not say why it could not. */
static int socket_listen(const union address *address, socklen_t len, int *ret_fd)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, r = 0;

	if (fd < 0)
		return -errno;
	/* A node that starts again finds its own old connections in TIME_WAIT. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, &address->any, len) < 0 || listen(fd, CONNECTIONS_MAX) < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int http_start(struct http **ret, struct ev_loop *loop, const char *address,
	       http_metrics_fn *metrics, void *userdata, struct cell_error *err)
{
	const union MHD_DaemonInfo *info;
	union address parsed;
	socklen_t len = 0;
	struct http *http;
	int fd = -1, r = address_parse(address, &parsed, &len, err);

	if (r < 0)
		return r;
	r = socket_listen(&parsed, len, &fd);
	if (r < 0)
		return cell_fail(err, r, "listening on %s: %s", address, strerror(-r));
	http = calloc(1, sizeof *http);
	if (http) {
		http->loop = loop;
		http->metrics = metrics;
		http->userdata = userdata;
		/* The daemon owns the descriptor once it has started. */
		http->daemon = MHD_start_daemon(
			MHD_USE_EPOLL, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET,
			fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
			MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_END);
	}
	info = http && http->daemon
		       ? MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)
		       : NULL;
	if (!info) {
		if (http && http->daemon)
			MHD_stop_daemon(http->daemon);
		else
			(void)close(fd);
		free(http);
		return cell_fail(err, -ENOMEM, "starting the HTTP server on %s", address);
	}
	(void)address_print(fd, http->address, sizeof http->address);
	ev_io_init(&http->io, on_io, info->epoll_fd, EV_READ);
	ev_timer_init(&http->timer, on_timer, 0., 0.);
	ev_io_start(loop, &http->io);
	turn(http);
	*ret = http;
	return 0;
}

void http_stop(struct http *http)
{
	if (!http)
		return;
	ev_io_stop(http->loop, &http->io);
	ev_timer_stop(http->loop, &http->timer);
	MHD_stop_daemon(http->daemon);
	free(http);
}

const char *http_address(const struct http *http)
{
	return http->address;
}
