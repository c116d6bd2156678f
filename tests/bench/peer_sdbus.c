/*
 * sd-bus: peer to peer over a socket pair, and through dbus-broker or dbus-daemon on a
 * private bus that allows everything. D-Bus marshals the messages itself: (st) and (s).
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define NAME       "org.cell.Bench"
#define OBJECT     "/org/cell/Bench"
#define FOREVER_US UINT64_MAX

enum {
	DIRECT,
	BROKER,
	DAEMON,
};

struct sdbus_peer {
	int fds[2]; /* direct: client, server */
	char socket_path[128];
	sd_bus *controller; /* dbus-broker lives as long as this connection */
	sd_bus *bus;
	const char *destination; /* NULL where there is only one other end */
	size_t answered;         /* pipelined */
};

static void check(int result, const char *what)
{
	if (result < 0)
		bench_die("%s: %s", what, strerror(-result));
}

/* ---- Buses ----------------------------------------------------------------------- */

static int socket_listen(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || strlen(path) >= sizeof address.sun_path)
		bench_die("socket for %s: %s", path, strerror(errno));
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 16) < 0)
		bench_die("listening on %s: %s", path, strerror(errno));
	return fd;
}

#define POLICY_BATCH "bta(btbs)a(btssssuutt)a(btssssuutt)"
#define POLICY       "(a(u(" POLICY_BATCH "))a(buu(" POLICY_BATCH "))a(ss)bs)"

/* clang-format off */
/* One batch, for every uid: connect, own any name, send and receive anything. */
static void listener_add(sd_bus *controller, int listener)
{
	const uint64_t priority = 1;

	check(sd_bus_call_method(
		      controller, NULL, "/org/bus1/DBus/Broker", "org.bus1.DBus.Broker",
		      "AddListener", NULL, NULL, "ohv", "/org/bus1/DBus/Listener/0", listener,
		      POLICY,
		      1, UINT32_MAX, true, priority,
		      1, true, priority, true, "",
		      1, true, priority, "", "", "", "", 0, 0, UINT64_C(0), UINT64_MAX,
		      1, true, priority, "", "", "", "", 0, 0, UINT64_C(0), UINT64_MAX,
		      0, 0, false, "session"),
	      "dbus-broker, AddListener");
}
/* clang-format on */

/* dbus-broker has no configuration of its own; whoever starts it is its controller. */
static void broker_start(struct bench_pair *pair, struct sdbus_peer *peer)
{
	char fd_text[16];
	const char *const argv[] = { "dbus-broker",
				     "--controller",
				     fd_text,
				     "--machine-id",
				     "0123456789abcdef0123456789abcdef",
				     "--max-bytes",
				     "1000000000",
				     "--max-objects",
				     "1000000",
				     NULL };
	int listener = socket_listen(peer->socket_path);
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		bench_die("socketpair: %s", strerror(errno));
	(void)snprintf(fd_text, sizeof fd_text, "%d", fds[1]);
	bench_broker(pair, "dbus-broker", argv, fds[1]);
	(void)close(fds[1]);
	check(sd_bus_new(&peer->controller), "sd_bus_new");
	check(sd_bus_set_fd(peer->controller, fds[0], fds[0]), "sd_bus_set_fd");
	check(sd_bus_start(peer->controller), "sd_bus_start");
	listener_add(peer->controller, listener);
	(void)close(listener);
}

static void daemon_start(struct bench_pair *pair, struct sdbus_peer *peer)
{
	char config[128];
	char option[160];
	const char *const argv[] = { "dbus-daemon", option, "--nofork", "--nopidfile", NULL };
	FILE *file;

	(void)snprintf(config, sizeof config, "%s/bus.conf", pair->dir);
	(void)snprintf(option, sizeof option, "--config-file=%s", config);
	file = fopen(config, "we");
	if (!file)
		bench_die("cannot write %s", config);
	fprintf(file,
		"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration "
		"1.0//EN\"\n"
		" \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
		"<busconfig>\n"
		"<listen>unix:path=%s</listen>\n"
		"<auth>EXTERNAL</auth>\n"
		"<policy context=\"default\">\n"
		"<allow user=\"*\"/><allow own=\"*\"/>\n"
		"<allow send_destination=\"*\"/><allow receive_sender=\"*\"/>\n"
		"</policy>\n"
		"<limit name=\"max_replies_per_connection\">1000</limit>\n"
		"</busconfig>\n",
		peer->socket_path);
	if (fclose(file) != 0)
		bench_die("cannot write %s", config);
	bench_broker(pair, "dbus-daemon", argv, -1);
	bench_await_socket(peer->socket_path);
}

static void sdbus_prepare(struct bench_pair *pair)
{
	struct sdbus_peer *peer = calloc(1, sizeof *peer);

	if (!peer)
		bench_die("no memory");
	(void)snprintf(peer->socket_path, sizeof peer->socket_path, "%s/bus", pair->dir);
	if (pair->variant->mode == BROKER)
		broker_start(pair, peer);
	else if (pair->variant->mode == DAEMON)
		daemon_start(pair, peer);
	else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			    peer->fds) < 0)
		bench_die("socketpair: %s", strerror(errno));
	peer->destination = pair->variant->mode == DIRECT ? NULL : NAME;
	pair->state = peer;
}

static void bus_open(struct sdbus_peer *peer, int mode, bool is_server)
{
	char address[160];
	sd_id128_t id;

	check(sd_bus_new(&peer->bus), "sd_bus_new");
	if (mode == DIRECT) {
		int fd = peer->fds[is_server];

		/* A socket pair is at EOF only when no process holds the other end. */
		(void)close(peer->fds[!is_server]);
		check(sd_bus_set_fd(peer->bus, fd, fd), "sd_bus_set_fd");
		check(sd_id128_randomize(&id), "sd_id128_randomize");
		if (is_server)
			check(sd_bus_set_server(peer->bus, 1, id), "sd_bus_set_server");
	} else {
		(void)snprintf(address, sizeof address, "unix:path=%s", peer->socket_path);
		check(sd_bus_set_address(peer->bus, address), "sd_bus_set_address");
		check(sd_bus_set_bus_client(peer->bus, 1), "sd_bus_set_bus_client");
	}
	check(sd_bus_start(peer->bus), "sd_bus_start");
}

/* ---- Server ---------------------------------------------------------------------- */

static int on_echo(sd_bus_message *message, void *data, sd_bus_error *error)
{
	char reply[BENCH_REPLY_BYTES + 1];
	const char *text;
	uint64_t number;

	(void)data;
	(void)error;
	check(sd_bus_message_read(message, "st", &text, &number), "reading a request");
	if (strlen(text) != BENCH_TEXT_BYTES)
		bench_die("a request's text has %zu bytes", strlen(text));
	bench_answer(reply, text, number);
	return sd_bus_reply_method_return(message, "s", reply);
}

static int on_store(sd_bus_message *message, void *data, sd_bus_error *error)
{
	const void *bytes;
	size_t n;

	(void)data;
	(void)error;
	check(sd_bus_message_read_array(message, 'y', &bytes, &n), "reading a blob");
	bench_check_blob(bytes, n);
	return sd_bus_reply_method_return(message, "t", (uint64_t)n);
}

static const sd_bus_vtable methods[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Echo", "st", "s", on_echo, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Store", "ay", "t", on_store, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static void sdbus_serve(struct bench_pair *pair)
{
	struct sdbus_peer *peer = pair->state;

	bus_open(peer, pair->variant->mode, true);
	check(sd_bus_add_object_vtable(peer->bus, NULL, OBJECT, NAME, methods, NULL),
	      "sd_bus_add_object_vtable");
	if (peer->destination)
		check(sd_bus_request_name(peer->bus, NAME, 0), "sd_bus_request_name");
	bench_ready(pair);
	for (;;) {
		int result = sd_bus_process(peer->bus, NULL);

		check(result, "sd_bus_process");
		if (result == 0)
			check(sd_bus_wait(peer->bus, FOREVER_US), "sd_bus_wait");
	}
}

/* ---- Client ---------------------------------------------------------------------- */

static void sdbus_connect(struct bench_pair *pair)
{
	bus_open(pair->state, pair->variant->mode, false);
}

static void reply_check(sd_bus_message *reply, uint64_t number)
{
	const char *text;

	if (sd_bus_message_is_method_error(reply, NULL))
		bench_die("a call failed: %s", sd_bus_message_get_error(reply)->message);
	check(sd_bus_message_read(reply, "s", &text), "reading a reply");
	bench_check(text, strlen(text), number);
}

static void sdbus_call(struct bench_pair *pair, uint64_t number)
{
	struct sdbus_peer *peer = pair->state;
	sd_bus_message *reply = NULL;

	check(sd_bus_call_method(peer->bus, peer->destination, OBJECT, NAME, "Echo", NULL,
				 &reply, "st", BENCH_TEXT, number),
	      "calling");
	reply_check(reply, number);
	(void)sd_bus_message_unref(reply);
}

static int on_reply(sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct sdbus_peer *peer = data;
	const char *text;

	(void)error;
	if (sd_bus_message_is_method_error(reply, NULL))
		bench_die("a call failed: %s", sd_bus_message_get_error(reply)->message);
	check(sd_bus_message_read(reply, "s", &text), "reading a reply");
	if (strlen(text) != BENCH_REPLY_BYTES)
		bench_die("a reply of %zu bytes", strlen(text));
	peer->answered++;
	return 0;
}

static void sdbus_pipeline(struct bench_pair *pair, uint64_t first, size_t n_calls)
{
	struct sdbus_peer *peer = pair->state;
	size_t sent = 0;

	peer->answered = 0;
	while (peer->answered < n_calls) {
		int result;

		for (; sent < n_calls && sent - peer->answered < BENCH_WINDOW; sent++)
			check(sd_bus_call_method_async(peer->bus, NULL, peer->destination,
						       OBJECT, NAME, "Echo", on_reply, peer,
						       "st", BENCH_TEXT, first + sent),
			      "sending");
		result = sd_bus_process(peer->bus, NULL);
		check(result, "sd_bus_process");
		if (result == 0)
			check(sd_bus_wait(peer->bus, FOREVER_US), "sd_bus_wait");
	}
}

static void sdbus_store(struct bench_pair *pair, const uint8_t *data, size_t size)
{
	struct sdbus_peer *peer = pair->state;
	sd_bus_message *message = NULL;
	sd_bus_message *reply = NULL;
	uint64_t stored;

	check(sd_bus_message_new_method_call(peer->bus, &message, peer->destination, OBJECT,
					     NAME, "Store"),
	      "sd_bus_message_new_method_call");
	check(sd_bus_message_append_array(message, 'y', data, size), "appending a blob");
	check(sd_bus_call(peer->bus, message, 0, NULL, &reply), "storing");
	check(sd_bus_message_read(reply, "t", &stored), "reading a reply");
	if (stored != size)
		bench_die("the server did not get all %zu bytes", size);
	(void)sd_bus_message_unref(reply);
	(void)sd_bus_message_unref(message);
}

#define SDBUS_VARIANT(name, mode)                                                            \
	{                                                                                    \
		name, mode, sdbus_prepare, sdbus_serve, sdbus_connect, sdbus_call,           \
			sdbus_pipeline, sdbus_store                                          \
	}

static const struct bench_variant variants[] = {
	SDBUS_VARIANT("sdbus-direct", DIRECT),
	SDBUS_VARIANT("dbus-broker", BROKER),
	SDBUS_VARIANT("dbus-daemon", DAEMON),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, variants, sizeof variants / sizeof *variants);
}
