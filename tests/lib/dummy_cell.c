/*
 * A cell for tests that speaks the control protocol by itself, without libcell's runtime:
 * ready, takes connections, and does what it is told over their lifelines.
 *
 *	dummy_cell [not-ready | exit N | explain TEXT | stubborn | slow-ready MS]
 *
 * A packet on a lifeline (or bytes on a stream) is an order, answered by one packet:
 *
 *	who             "greeter/3 PID"
 *	connect NAME    ask cellcore for a connection: its status and text, or "OK NAME/ID NODE"
 *	as NODE CELL NAME   the same as somebody else
 *	spawn NAME      the status and text, or "OK"
 *	exit N, crash, hang
 *	anything else   comes back
 *
 * As the node's resolver it knows one cell, "far", and does not answer for "slow".
 */
#include "control_client.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINKS_MAX 2048

struct link {
	int fd; /* lifeline or stream */
	int fds[3];
	uint64_t id;
	char peer[160];
};

static struct control_client control;
static struct link links[LINKS_MAX];
static size_t n_links;
static char self[128];
static bool is_stubborn;

static void fail(const char *what, const struct cell_error *err)
{
	fprintf(stderr, "dummy_cell: %s: %s\n", what, err->text);
	exit(1);
}

static void on_term(int number)
{
	(void)number;
	if (!is_stubborn)
		_exit(0);
}

static void link_close(size_t i)
{
	struct core_closed_note note = { .n_connections = 1, .connections = &links[i].id };
	struct cell_error err = { 0 };

	close(links[i].fd);
	for (int k = 0; k < 3; k++)
		if (links[i].fds[k] >= 0)
			close(links[i].fds[k]);
	control_send(&control, "Closed", &note, NULL, &err);
	links[i] = links[--n_links];
}

static void take_introduction(struct control_packet *packet)
{
	struct core_introduction in;
	struct cell_error err = { 0 };
	struct link *link = &links[n_links];

	if (core_introduction_type.decode(&in, packet->body, packet->frame.length, 0,
					  &control.arena, &err) < 0)
		fail("introduction", &err);
	if (packet->packet.n_fds != (in.stream ? 1u : 4u) || n_links == LINKS_MAX) {
		sock_packet_close(&packet->packet);
		return;
	}
	*link = (struct link){ .fd = packet->packet.fds[in.stream ? 0 : 3], .id = in.connection,
			       .fds = { -1, -1, -1 } };
	for (int i = 0; !in.stream && i < 3; i++)
		link->fds[i] = packet->packet.fds[i];
	snprintf(link->peer, sizeof link->peer, "%s/%llu@%s uid=%u%s%s%s%s", in.peer->cell,
		 (unsigned long long)in.peer->instance, in.peer->node, in.peer->uid,
		 in.peer->outside ? " outside" : "", in.peer->owner ? " owner" : "",
		 in.cell[0] ? " for " : "", in.cell);
	n_links++;
}

static void answer_resolve(const struct control_packet *packet)
{
	static const uint8_t key[32] = { 7 };
	struct core_resolve_request in;
	struct core_resolve_answer out = { .node = "node2", .address = "[::1]:4242", .n_key = 32,
					   .key = key, .instance = 9 };
	struct frame frame = { .kind = FRAME_REPLY, .call_id = packet->frame.call_id };
	uint8_t head[FRAME_HEADER_SIZE], body[512];
	struct iovec parts[2] = { { head, sizeof head }, { body, 0 } };
	struct cell_error err = { 0 };

	core_resolve_request_type.decode(&in, packet->body, packet->frame.length, 0,
					 &control.arena, &err);
	if (strcmp(in.cell, "slow") == 0)
		return;
	if (strcmp(in.cell, "far") == 0) {
		parts[1].iov_len = (size_t)(core_resolve_answer_type.encode(&out, body) - body);
	} else {
		frame.kind = FRAME_ERROR;
		frame.code = cell_status_to_wire(CELL_NOT_FOUND);
	}
	frame.length = (uint32_t)parts[1].iov_len;
	frame_encode(&frame, head);
	sock_send(control.fd, parts, 2, NULL, 0, &err);
}

static void take_control(struct control_packet *packet)
{
	if (packet->frame.code == control_instance_method("Introduce")->hash)
		take_introduction(packet);
	else if (packet->frame.code == control_instance_method("Resolve")->hash)
		answer_resolve(packet);
	else if (packet->frame.code == control_instance_method("Drain")->hash && !is_stubborn)
		exit(0);
	else
		sock_packet_close(&packet->packet);
	free(packet);
}

/* The words of an order; missing ones are "". */
static void split(char *text, char *words[4])
{
	for (int i = 0; i < 4; i++)
		words[i] = (char *)"";
	for (int i = 0; i < 4 && text; i++)
		words[i] = strsep(&text, " \n");
}

static void do_connect(const struct core_connect_as_request *as, char *out, size_t size)
{
	struct core_connection connection;
	struct sock_packet packet = { 0 };
	struct cell_error err = { 0 };
	int r;

	if (as->cell[0])
		r = control_call(&control, "ConnectAs", as, &connection, &packet, &err);
	else
		r = control_call(&control, "Connect", as->target, &connection, &packet, &err);
	if (r < 0)
		snprintf(out, size, "%s %s", cell_status_name(r), err.text);
	else
		snprintf(out, size, "OK %s/%llu %s", connection.peer->cell,
			 (unsigned long long)connection.peer->instance, connection.peer->node);
	sock_packet_close(&packet);
}

static void do_spawn(const char *name, char *out, size_t size)
{
	struct core_spawn_request in = { .cell = name };
	struct core_instance_info info;
	struct cell_error err = { 0 };
	int r = control_call(&control, "Spawn", &in, &info, NULL, &err);

	snprintf(out, size, "%s %s", r < 0 ? cell_status_name(r) : "OK", err.text);
}

static void obey(const struct link *link, char *text, char *out, size_t size)
{
	/* Not NULL: UBSan sees that coming, and exits instead. */
	volatile int *volatile nowhere = (volatile int *)64;
	char *words[4];
	char copy[512];

	snprintf(copy, sizeof copy, "%s", text);
	split(copy, words);
	if (strcmp(words[0], "who") == 0) {
		snprintf(out, size, "%s %ld", self, (long)getpid());
	} else if (strcmp(words[0], "peer") == 0) {
		snprintf(out, size, "%s", link->peer);
	} else if (strcmp(words[0], "connect") == 0) {
		struct core_connect_request target = { .cell = words[1] };
		struct core_connect_as_request as = { .target = &target, .cell = "" };

		do_connect(&as, out, size);
	} else if (strcmp(words[0], "as") == 0) {
		struct core_connect_request target = { .cell = words[3] };
		struct core_connect_as_request as = { .target = &target, .node = words[1],
						      .cell = words[2] };

		do_connect(&as, out, size);
	} else if (strcmp(words[0], "spawn") == 0) {
		do_spawn(words[1], out, size);
	} else if (strcmp(words[0], "exit") == 0) {
		exit(atoi(words[1]));
	} else if (strcmp(words[0], "crash") == 0) {
		/* Not raise(): pid 1 of a namespace is deaf to signals of its own. */
		signal(SIGSEGV, SIG_DFL);
		*nowhere = 1;
	} else if (strcmp(words[0], "eat") == 0) {
		size_t bytes = strtoull(words[1], NULL, 10) << 20;

		memset(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		       1, bytes);
	} else if (strcmp(words[0], "hang") == 0) {
		for (;;)
			pause();
	} else {
		snprintf(out, size, "%s", text);
	}
}

static void serve(size_t i)
{
	char text[512], out[1024] = "";
	ssize_t n = read(links[i].fd, text, sizeof text - 1);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		link_close(i);
		return;
	}
	text[n] = 0;
	obey(&links[i], text, out, sizeof out);
	if (send(links[i].fd, out, strlen(out), MSG_NOSIGNAL) < 0)
		link_close(i);
}

static void run(void)
{
	static struct pollfd at[LINKS_MAX + 1];

	for (;;) {
		struct control_packet *packet;
		size_t n = n_links;

		at[0] = (struct pollfd){ .fd = control.fd, .events = POLLIN };
		for (size_t i = 0; i < n; i++)
			at[i + 1] = (struct pollfd){ .fd = links[i].fd, .events = POLLIN };
		if (!control.kept && poll(at, (nfds_t)n + 1, -1) < 0)
			continue;
		while ((packet = control_next(&control, 0)))
			take_control(packet);
		if (at[0].revents & POLLHUP)
			exit(1);
		for (size_t i = n; i-- > 0;)
			if (at[i + 1].revents)
				serve(i);
	}
}

static void explain(const char *text)
{
	struct frame frame = { .kind = FRAME_ERROR, .call_id = 1,
			       .code = cell_status_to_wire(CELL_FAILED_PRECONDITION),
			       .length = (uint32_t)strlen(text) };
	uint8_t head[FRAME_HEADER_SIZE];
	struct iovec parts[2] = { { head, sizeof head }, { (void *)(uintptr_t)text, strlen(text) } };
	struct cell_error err = { 0 };

	frame_encode(&frame, head);
	sock_send(3, parts, 2, NULL, 0, &err);
	exit(1);
}

int main(int argc, char **argv)
{
	struct core_hello_request hello = { .version = 1, .program = "dummy", .as = "" };
	const char *mode = argc > 1 ? argv[1] : "", *value = argc > 2 ? argv[2] : "";
	struct core_ready_note note = { .streams = true };
	struct core_welcome welcome;
	struct common_empty empty;
	struct cell_error err = { 0 };

	signal(SIGTERM, on_term);
	is_stubborn = strcmp(mode, "stubborn") == 0;
	if (strcmp(mode, "exit") == 0)
		return atoi(value);
	if (strcmp(mode, "explain") == 0)
		explain(value);
	control_client_attach(&control, 3);
	if (control_call(&control, "Hello", &hello, &welcome, NULL, &err) < 0)
		fail("hello", &err);
	snprintf(self, sizeof self, "%s/%llu", welcome.cell, (unsigned long long)welcome.instance);
	if (strcmp(mode, "not-ready") == 0)
		for (;;)
			pause();
	if (strcmp(mode, "slow-ready") == 0)
		usleep((useconds_t)atoi(value) * 1000);
	if (control_call(&control, "Ready", &note, &empty, NULL, &err) < 0)
		fail("ready", &err);
	fprintf(stderr, "%s is ready\n", self);
	run();
}
