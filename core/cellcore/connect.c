#include "connect.h"

#include "../libcell/ring.h"
#include "process.h"

#include <core.cell.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

/* All that a ring connection is made of; -1: not made. */
struct ends {
	int memfd;
	int bell_client, bell_server;
	int life[2]; /* the client's, the server's */
};

static void ends_close(struct ends *ends)
{
	fd_close(&ends->memfd);
	fd_close(&ends->bell_client);
	fd_close(&ends->bell_server);
	fd_close(&ends->life[0]);
	fd_close(&ends->life[1]);
}

static int ends_make(struct ends *ends, struct cell_error *err)
{
	int r;

	*ends = (struct ends){ -1, -1, -1, { -1, -1 } };
	r = ring_create(&ends->memfd, err);
	if (r < 0)
		return r;
	ends->bell_client = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ends->bell_server = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ends->bell_client < 0 || ends->bell_server < 0)
		return cell_fail(err, -errno, "making doorbells: %s", strerror(errno));
	return sock_pair(ends->life, SOCK_SEQPACKET, err);
}

/* Who the server will see. The strings live as long as the request. */
static struct core_peer client_peer(const struct daemon *daemon,
				    const struct kernel_request *request)
{
	const struct kernel_asker *asker = request->asker;
	const struct kernel_instance *instance = asker->instance;
	const struct cell_manifest *manifest = instance ? instance->cell->manifest : NULL;

	/* A remote cell is nobody here: no instance, and a uid that nobody has. */
	if (request->as_cell[0])
		return (struct core_peer){ .cell = request->as_cell, .node = request->as_node,
					   .uid = UINT32_MAX, .outside = true };
	if (!instance)
		return (struct core_peer){ .cell = "", .node = daemon->conf.node,
					   .uid = asker->uid, .outside = true,
					   .owner = asker->is_owner };
	return (struct core_peer){ .cell = instance->cell->name, .instance = instance->id,
				   .node = daemon->conf.node, .uid = instance->uid,
				   .speaks_for = manifest && manifest->speaks_for_remote };
}

/* Whom the client will see: through the gateway it is the cell it asked for. */
static struct core_peer server_peer(const struct daemon *daemon,
				    const struct kernel_request *request)
{
	const struct kernel_instance *server = request->link->server;

	if (request->remote.is_set)
		return (struct core_peer){ .cell = request->cell_name, .node = request->remote.node,
					   .instance = request->remote.instance,
					   .uid = UINT32_MAX };
	return (struct core_peer){ .cell = server->cell->name, .instance = server->id,
				   .node = daemon->conf.node, .uid = server->uid };
}

static struct core_resolve_answer remote_answer(const struct kernel_remote *remote)
{
	return (struct core_resolve_answer){ .node = remote->node, .address = remote->address,
					     .n_key = remote->key_len, .key = remote->key,
					     .instance = remote->instance };
}

static int introduce(struct daemon *daemon, struct kernel_request *request, const int *fds,
		     size_t n_fds, struct cell_error *err)
{
	struct kernel_asker *server = request->link->server->asker;
	struct core_resolve_answer remote = remote_answer(&request->remote);
	struct core_peer peer = client_peer(daemon, request);
	struct core_introduction introduction = {
		.peer = &peer,
		.connection = request->link->id,
		.n_channels = 4,
		.channels = request->channels.bits,
		.stream = request->stream >= 0,
		.cell = request->remote.is_set ? request->cell_name : "",
		.remote = request->remote.is_set ? &remote : NULL,
	};

	if (!server)
		return cell_fail(err, CELL_UNAVAILABLE, "%s has just ended",
				 request->link->server->cell->name);
	if (process_of(server)->n_outgoing >= PROCESS_INTRODUCTIONS_MAX)
		return cell_fail(err, CELL_UNAVAILABLE, "%s does not take connections now",
				 process_of(server)->name);
	return process_order(process_of(server), FRAME_ONE_WAY, "Introduce", &introduction, fds,
			     n_fds, NULL, err);
}

static void tell_client(struct daemon *daemon, struct kernel_request *request,
			const struct ends *ends)
{
	const int fds[] = { ends->memfd, ends->bell_client, ends->bell_server, ends->life[0] };
	struct core_resolve_answer remote = remote_answer(&request->remote);
	struct core_peer peer = server_peer(daemon, request);
	struct core_connection connection = {
		.peer = &peer,
		.connection = request->link->id,
		.n_channels = 4,
		.channels = request->channels.bits,
		.remote = request->remote.is_set ? &remote : NULL,
	};

	process_reply(process_of(request->asker), request->call_id, &core_connection_type,
		      &connection, fds, 4);
}

static int connect_make(struct daemon *daemon, struct kernel_request *request,
			struct cell_error *err)
{
	struct ends ends;
	int r = ends_make(&ends, err);

	if (r == 0) {
		const int fds[] = { ends.memfd, ends.bell_server, ends.bell_client, ends.life[1] };

		r = introduce(daemon, request, fds, 4, err);
	}
	if (r == 0)
		tell_client(daemon, request, &ends);
	ends_close(&ends);
	return r;
}

/*
 * A granted connection whose server has ended meanwhile has no link any more: then the order
 * stands, and another instance may do it.
 */
bool connect_grant(struct daemon *daemon, struct kernel_request *request)
{
	struct kernel_link *link = broker_link_find(&daemon->kernel, request->link_id);
	struct cell_error err = { 0 };
	bool has_ended;

	request->link = link;
	if (request->asker && link && connect_make(daemon, request, &err) == 0)
		return true;
	link = broker_link_find(&daemon->kernel, request->link_id);
	has_ended = !link || !link->server->asker;
	if (link)
		broker_link_drop(&daemon->kernel, link);
	if (request->asker && has_ended) {
		broker_request_deinit(request);
		request->link = NULL;
		request->remote.is_set = false;
		broker_submit(&daemon->kernel, request, daemon_now());
		return false;
	}
	if (request->asker)
		process_refuse(process_of(request->asker), request->call_id, &err);
	return true;
}

int connect_stream(struct daemon *daemon, struct kernel_request *request, int fd,
		   struct cell_error *err)
{
	int r;

	request->link = broker_link_find(&daemon->kernel, request->link_id);
	if (!request->link)
		return cell_fail(err, CELL_UNAVAILABLE, "%s has just ended", request->cell_name);
	r = introduce(daemon, request, &fd, 1, err);
	if (r < 0 && broker_link_find(&daemon->kernel, request->link_id))
		broker_link_drop(&daemon->kernel, request->link);
	return r;
}
