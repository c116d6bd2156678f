#include "duo.h"

#include "libcell/callstate.h"
#include "libcell/ring.h"
#include "libcell/sock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static void all_channels(struct connection *conn)
{
	memset(conn->channels, 0xff, sizeof conn->channels);
	conn->peer.is_owner = true;
}

static struct trial *trial_shared(void)
{
	void *trial = mmap(NULL, sizeof(struct trial), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(trial != MAP_FAILED, "mmap");
	return trial;
}

static void serve(struct link *link, struct trial *trial)
{
	struct cell_call *call = cell_open("trial");
	struct cell_peer peer = { .cell = "client", .node = "", .principal = "" };
	struct connection *conn;
	struct cell_error err;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	must(call->root->rt != NULL, "cell_open");
	must(cell_serve(call, &trial_service, &trial_handlers, trial) == 0, "cell_serve");
	must(connection_new(&conn, call->root->rt, link, CONNECTION_SERVER, &peer, &err) == 0,
	     err.text);
	all_channels(conn);
	runtime_run(call->root->rt, call->root);
	cell_close(call);
	_exit(0);
}

struct ends {
	int memfd, bells[2], lifeline[2];
};

static void make_ends(struct ends *ends, enum duo_link kind)
{
	struct cell_error err;

	*ends = (struct ends){ .memfd = -1 };
	must(sock_pair(ends->lifeline, kind == DUO_RING ? SOCK_SEQPACKET : SOCK_STREAM, &err) == 0,
	     "sock_pair");
	if (kind != DUO_RING)
		return;
	must(ring_create(&ends->memfd, &err) == 0, "ring_create");
	for (int i = 0; i < 2; i++) {
		ends->bells[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		must(ends->bells[i] >= 0, "eventfd");
	}
}

static void open_side(struct link *link, const struct ends *ends, enum duo_link kind, unsigned side)
{
	struct cell_error err;

	(void)close(ends->lifeline[!side]);
	if (kind == DUO_RING)
		must(link_open_ring(link, ends->memfd, side, ends->bells[side], ends->bells[!side],
				    ends->lifeline[side], &err) == 0, "link_open_ring");
	else
		must(link_open_socket(link, LINK_STREAM, ends->lifeline[side], &err) == 0,
		     "link_open_socket");
}

static pid_t fork_server(const struct ends *ends, enum duo_link kind, struct trial *trial)
{
	struct link link;
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (pid > 0)
		return pid;
	open_side(&link, ends, kind, 1);
	if (kind == DUO_RING)
		(void)close(ends->memfd);
	serve(&link, trial);
	_exit(1);
}

void duo_start(struct duo *duo, enum duo_link kind)
{
	struct cell_peer peer = { .cell = "trial", .node = "", .instance = 1, .principal = "" };
	struct connection *conn;
	struct trial *trial = trial_shared();
	struct cell_error err;
	struct ends ends;
	struct link link;

	make_ends(&ends, kind);
	duo->trial = trial;
	duo->server_pid = fork_server(&ends, kind, trial);
	open_side(&link, &ends, kind, 0);
	if (kind == DUO_RING)
		(void)close(ends.memfd);
	duo->client = cell_open("client");
	must(duo->client->root->rt != NULL, "cell_open");
	must(connection_new(&conn, duo->client->root->rt, &link, CONNECTION_CLIENT, &peer, &err) == 0,
	     err.text);
	all_channels(conn);
	must(runtime_set_target(duo->client->root->rt, "trial", conn) == 0, "target");
}

static int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		must(errno == EINTR, "waitpid");
	return status;
}

int duo_stop(struct duo *duo)
{
	int status;

	if (duo->client)
		cell_close(duo->client);
	(void)kill(duo->server_pid, SIGTERM);
	status = reap(duo->server_pid);
	(void)munmap((void *)(uintptr_t)duo->trial, sizeof *duo->trial);
	return status;
}

void duo_start_raw(struct duo_raw *raw, enum duo_link kind)
{
	struct ends ends;

	make_ends(&ends, kind);
	raw->server_pid = fork_server(&ends, kind, trial_shared());
	(void)close(ends.lifeline[1]);
	raw->memfd = ends.memfd;
	raw->bell = ends.bells[0];
	raw->peer_bell = ends.bells[1];
	raw->lifeline = kind == DUO_RING ? ends.lifeline[0] : -1;
	raw->stream = kind == DUO_RING ? -1 : ends.lifeline[0];
}

int duo_stop_raw(struct duo_raw *raw)
{
	if (raw->stream >= 0) {
		(void)close(raw->stream);
	} else {
		(void)close(raw->memfd);
		(void)close(raw->bell);
		(void)close(raw->peer_bell);
		(void)close(raw->lifeline);
	}
	(void)kill(raw->server_pid, SIGTERM);
	return reap(raw->server_pid);
}
