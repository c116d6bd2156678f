#include "crew.h"

#include "libcell/callstate.h"
#include "libcell/sock.h"

#include <ops.cell.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Clients are the members, then those of this process. */
#define CLIENTS (CREW_MAX + 2)

struct wires {
	const struct crew_member *members;
	size_t n;
	int fds[CLIENTS][CREW_MAX][2]; /* [client][server], the client's end first */
};

static const char *const own_names[2] = { "client", "other" };

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static const char *client_name(const struct wires *wires, size_t i)
{
	return i < wires->n ? wires->members[i].cell : own_names[i - wires->n];
}

static void join(struct cell_call *call, int fd, enum connection_role role, const char *cell)
{
	struct cell_peer peer = { .cell = cell, .node = "", .instance = 1, .principal = "" };
	struct connection *conn;
	struct cell_error err;
	struct link link;

	must(link_open_socket(&link, LINK_STREAM, fd, &err) == 0, "link_open_socket");
	must(connection_new(&conn, call->root->rt, &link, role, &peer, &err) == 0, err.text);
	memset(conn->channels, 0xff, sizeof conn->channels);
	conn->peer.is_owner = true;
	if (role == CONNECTION_CLIENT)
		must(runtime_set_target(call->root->rt, cell, conn) == 0, "target");
}

/* Join CALL to what it has an end of, as client and as server, and close all else. */
static void take_ends(struct wires *wires, struct cell_call *call, size_t client)
{
	for (size_t s = 0; s < wires->n; s++)
		if (client != s)
			join(call, wires->fds[client][s][0], CONNECTION_CLIENT,
			     wires->members[s].cell);
}

static void member_run(struct wires *wires, size_t i)
{
	const struct crew_member *member = &wires->members[i];
	struct cell_call *call = cell_open(member->cell);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	must(call->root->rt != NULL, "cell_open");
	member->serve(call, member->self);
	take_ends(wires, call, i);
	for (size_t c = 0; c < wires->n + 2; c++) {
		for (size_t s = 0; s < wires->n; s++) {
			if (c != i && c != s)
				(void)close(wires->fds[c][s][0]);
			if (s != i && c != s)
				(void)close(wires->fds[c][s][1]);
		}
		if (c != i)
			join(call, wires->fds[c][i][1], CONNECTION_SERVER, client_name(wires, c));
	}
	runtime_run(call->root->rt, call->root);
	cell_close(call);
	_exit(0); /* what a member holds goes with it */
}

/* Until it takes signals as it should: one that came before would be Check's. */
static void wait_for(struct cell_call *call, const char *cell)
{
	struct ops_ping_message pong;
	int r = ops_ping(cell_to(call, cell, 0), &(struct ops_ping_message){ 0 }, &pong);

	must(r == 0, cell_error(call)->text);
}

void crew_start(struct crew *crew, const struct crew_member *members, size_t n)
{
	struct wires wires = { .members = members, .n = n };
	struct cell_error err;

	must(n <= CREW_MAX, "too many members");
	for (size_t c = 0; c < n + 2; c++)
		for (size_t s = 0; s < n; s++)
			if (c != s)
				must(sock_pair(wires.fds[c][s], SOCK_STREAM, &err) == 0,
				     "sock_pair");
	crew->n = n;
	for (size_t i = 0; i < n; i++) {
		crew->pids[i] = fork();
		must(crew->pids[i] >= 0, "fork");
		if (crew->pids[i] == 0)
			member_run(&wires, i);
	}
	for (size_t i = 0; i < 2; i++) {
		crew->clients[i] = cell_open(own_names[i]);
		must(crew->clients[i]->root->rt != NULL, "cell_open");
		take_ends(&wires, crew->clients[i], n + i);
	}
	for (size_t c = 0; c < n + 2; c++)
		for (size_t s = 0; s < n; s++) {
			if (c == s)
				continue;
			(void)close(wires.fds[c][s][1]);
			if (c < n)
				(void)close(wires.fds[c][s][0]);
		}
	for (size_t i = 0; i < n; i++)
		wait_for(crew->clients[1], members[i].cell);
}

void crew_stop(struct crew *crew)
{
	int status;

	for (size_t i = 0; i < 2; i++)
		if (crew->clients[i])
			cell_close(crew->clients[i]);
	for (size_t i = 0; i < crew->n; i++)
		(void)kill(crew->pids[i], SIGTERM);
	for (size_t i = 0; i < crew->n; i++) {
		while (waitpid(crew->pids[i], &status, 0) < 0)
			must(errno == EINTR, "waitpid");
		must(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a member ended badly");
	}
}

void crew_hang_up(struct cell_call *call)
{
	struct served *served = cell_container_of(call->root, struct served, root);

	connection_break(served->conn, CELL_UNAVAILABLE, "the test hangs up");
}
