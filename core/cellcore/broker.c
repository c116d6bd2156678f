#include "broker.h"

#include "../libcell/guess.h"

#include <cell/defaults.h>
#include <cell/message.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)

static void look_up(struct kernel *kernel, const char *name)
{
	/* A node that stops does not care for manifests that change. */
	if (kernel->lookup && !kernel->is_stopping)
		kernel->lookup(kernel->userdata, name);
}

/* ---- connections ---------------------------------------------------------------------- */

static struct kernel_link **link_bucket(const struct kernel *kernel, uint64_t id)
{
	return &kernel->links[(id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (kernel->links_size - 1)];
}

struct kernel_link *broker_link_find(const struct kernel *kernel, uint64_t id)
{
	struct kernel_link *link = *link_bucket(kernel, id);

	while (link && link->id != id)
		link = link->in_bucket;
	return link;
}

/* Twice as many buckets; without memory the chains just grow. */
static void links_grow(struct kernel *kernel)
{
	size_t old_size = kernel->links_size;
	struct kernel_link **old = kernel->links;
	struct kernel_link **links = calloc(2 * old_size, sizeof(*links));

	if (!links)
		return;
	kernel->links = links;
	kernel->links_size = 2 * old_size;
	for (size_t i = 0; i < old_size; i++) {
		while (old[i]) {
			struct kernel_link *link = old[i];
			struct kernel_link **bucket = link_bucket(kernel, link->id);

			old[i] = link->in_bucket;
			link->in_bucket = *bucket;
			*bucket = link;
		}
	}
	free(old);
}

struct kernel_link *broker_link_add(struct kernel *kernel, uint64_t id, struct kernel_asker *client,
				    struct kernel_instance *server, struct quota *quota,
				    bool is_stream)
{
	struct kernel_link *link = calloc(1, sizeof *link);
	struct kernel_link **bucket;

	if (!link)
		return NULL;
	if (kernel->n_links >= kernel->links_size)
		links_grow(kernel);
	*link = (struct kernel_link){ .id = id, .client = client, .server = server,
				      .quota = quota, .is_stream = is_stream };
	bucket = link_bucket(kernel, id);
	link->in_bucket = *bucket;
	*bucket = link;
	kernel->n_links++;
	if (client)
		list_append(&client->links, &link->in_client);
	list_append(&server->served, &link->in_server);
	server->n_links++;
	server->n_held++;
	quota->refs++;
	quota->used[QUOTA_CONNECTIONS]++;
	quota->used[QUOTA_RING_BYTES] += is_stream ? 0 : CELL_RING_CHARGE_BYTES;
	return link;
}

/* The client's side is over; what it holds of the server's counts until that says so. */
static void link_close_client(struct kernel_link *link)
{
	list_unlink(&link->in_client);
	link->client = NULL;
	if (!link->client_closed)
		link->server->n_links--;
	link->client_closed = true;
}

void broker_link_drop(struct kernel *kernel, struct kernel_link *link)
{
	struct kernel_link **at = link_bucket(kernel, link->id);

	while (*at != link)
		at = &(*at)->in_bucket;
	*at = link->in_bucket;
	kernel->n_links--;
	link_close_client(link);
	list_unlink(&link->in_server);
	link->server->n_held--;
	quota_release(link->quota, QUOTA_CONNECTIONS, 1);
	quota_release(link->quota, QUOTA_RING_BYTES, link->is_stream ? 0 : CELL_RING_CHARGE_BYTES);
	quota_unref(link->quota);
	free(link);
}

bool broker_closed(struct kernel *kernel, struct kernel_asker *asker, uint64_t link_id)
{
	struct kernel_link *link = broker_link_find(kernel, link_id);

	if (!link)
		return false;
	if (asker->instance && link->server == asker->instance)
		broker_link_drop(kernel, link);
	else if (link->client == asker)
		link_close_client(link);
	else
		return false;
	return true;
}

/* ---- orders: how they end ---------------------------------------------------------------- */

static void request_end(struct kernel *kernel, struct kernel_request *request,
			enum kernel_outcome outcome)
{
	list_unlink(&request->in_wait);
	kernel_not_due(kernel, request->deadline_ns);
	if (request->is_pending)
		quota_release(request->quota, QUOTA_PENDING, 1);
	request->is_pending = false;
	request->outcome = outcome;
	list_move(&kernel->outcomes, &request->in_outcomes);
}

/* request->err is filled. */
static void refuse_as_is(struct kernel *kernel, struct kernel_request *request)
{
	kernel->refused += request->order == KERNEL_CONNECT;
	request_end(kernel, request, KERNEL_REFUSED);
}

__attribute__((format(printf, 4, 5)))
static void refuse(struct kernel *kernel, struct kernel_request *request, int code,
		   const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)cell_failv(&request->err, code, format, args);
	va_end(args);
	refuse_as_is(kernel, request);
}

/* LIST is what it waits in: a cell's or the kernel's resolving. */
static void request_wait(struct kernel *kernel, struct kernel_request *request, struct list *list,
			 uint64_t deadline_ns)
{
	if (!request->is_pending && quota_charge(request->quota, QUOTA_PENDING, 1, &request->err) < 0) {
		refuse_as_is(kernel, request);
		return;
	}
	request->is_pending = true;
	if (deadline_ns && (!request->deadline_ns || deadline_ns < request->deadline_ns))
		request->deadline_ns = deadline_ns;
	kernel_due(kernel, request->deadline_ns);
	list_move(list, &request->in_wait);
}

struct kernel_request *broker_next_outcome(struct kernel *kernel)
{
	struct kernel_request *request =
		list_first(&kernel->outcomes, struct kernel_request, in_outcomes);

	if (request)
		list_unlink(&request->in_outcomes);
	return request;
}

void broker_request_deinit(struct kernel_request *request)
{
	list_unlink(&request->in_asker);
	quota_unref(request->quota);
	request->quota = NULL;
}

void broker_asker_init(struct kernel_asker *asker)
{
	list_init(&asker->requests);
	list_init(&asker->links);
}

void broker_asker_deinit(struct kernel *kernel, struct kernel_asker *asker)
{
	struct kernel_request *request;
	struct kernel_link *link;

	list_walk(request, &asker->requests, struct kernel_request, in_asker) {
		list_unlink(&request->in_asker);
		request->asker = NULL;
		if (!list_is_empty(&request->in_wait)) {
			(void)cell_fail(&request->err, CELL_CANCELLED, "the asker is gone");
			request_end(kernel, request, KERNEL_REFUSED);
		}
	}
	list_walk(link, &asker->links, struct kernel_link, in_client)
		link_close_client(link);
}

bool broker_cancel(struct kernel *kernel, struct kernel_asker *asker, uint64_t call_id)
{
	struct kernel_request *request;

	list_walk(request, &asker->requests, struct kernel_request, in_asker) {
		if (request->call_id != call_id || list_is_empty(&request->in_wait))
			continue;
		refuse(kernel, request, CELL_CANCELLED, "cancelled by the caller");
		return true;
	}
	return false;
}

/* ---- who may ------------------------------------------------------------------------------ */

bool broker_may_spawn(const struct kernel *kernel, const struct kernel_asker *asker)
{
	return asker->is_owner ||
	       (asker->instance &&
		conf_list_has(kernel->conf->spawn, asker->instance->cell->name));
}

static const struct cell_manifest *manifest_of(const struct kernel *kernel, const char *name)
{
	const struct kernel_cell *cell = kernel_cell_find(kernel, name);

	return cell ? cell->manifest : NULL;
}

/*
 * What somebody gets who is not the owner: every channel but the reserved ones. The owner
 * alone has all of them.
 */
#define CHANNELS_FOREIGN ((struct cell_channels){ { 0xf, 0, UINT64_MAX, UINT64_MAX } })

/* Only the gateway, for a cell of another node, and only if the target serves that. */
static int may_connect_as(struct kernel *kernel, struct kernel_request *request)
{
	const struct kernel_asker *asker = request->asker;
	const struct cell_manifest *target = manifest_of(kernel, request->cell_name);

	if (!asker->instance || strcmp(asker->instance->cell->name, kernel->conf->gateway) != 0)
		return cell_fail(&request->err, CELL_PERMISSION_DENIED,
				 "only the node's gateway connects in another's name");
	if (!conf_node_is_valid(request->as_node) || !cell_name_is_valid(request->as_cell))
		return cell_fail(&request->err, CELL_INVALID_ARGUMENT,
				 "connecting as: no names of a node and a cell");
	if (target && !cell_manifest_serves_remote(target, request->as_node, request->as_cell))
		return cell_fail(&request->err, CELL_PERMISSION_DENIED,
				 "%s.cell does not serve %s of %s; add \"remote = %s/%s\" under [serves]",
				 request->cell_name, request->as_cell, request->as_node,
				 request->as_node, request->as_cell);
	request->channels = CHANNELS_FOREIGN;
	return 0;
}

static int may_connect_outside(struct kernel *kernel, struct kernel_request *request)
{
	const struct cell_manifest *target = manifest_of(kernel, request->cell_name);
	uint32_t uid = request->asker->uid;

	if (!request->asker->is_owner && !(target && cell_manifest_serves_uid(target, uid)))
		return cell_fail(&request->err, CELL_PERMISSION_DENIED,
				 "%s.cell does not serve uid %" PRIu32
				 "; add \"uid = %" PRIu32 "\" under [serves]",
				 request->cell_name, uid, uid);
	request->channels = request->asker->is_owner ? CELL_CHANNELS_ALL : CHANNELS_FOREIGN;
	return 0;
}

/*
 * What `* = …` of MANIFEST is worth. The cell that coordinates macros must reach any provider,
 * and ask any cell for its schema: that much comes with the part, and no more.
 */
static struct cell_channels wildcard_of(const struct kernel *kernel,
					const struct cell_manifest *manifest, const char *name)
{
	struct cell_channels set = CELL_CHANNELS_NONE;

	if (conf_list_has(kernel->conf->trusted, name))
		return manifest->uses_any;
	if (strcmp(name, kernel->conf->macro) == 0) {
		cell_channels_set(&set, CELL_CHANNEL_MACRO);
		cell_channels_set(&set, CELL_CHANNEL_OPS);
	}
	return cell_channels_intersect(set, manifest->uses_any);
}

static int may_connect(struct kernel *kernel, struct kernel_request *request)
{
	const struct kernel_instance *asker = request->asker->instance;
	const struct cell_manifest *manifest;

	if (request->as_node[0] || request->as_cell[0])
		return may_connect_as(kernel, request);
	if (!asker)
		return may_connect_outside(kernel, request);
	look_up(kernel, asker->cell->name);
	manifest = asker->cell->manifest;
	if (manifest)
		request->channels = cell_channels_union(
			cell_manifest_uses(manifest, request->cell_name, false),
			wildcard_of(kernel, manifest, asker->cell->name));
	if (!manifest || cell_channels_is_empty(&request->channels))
		return cell_fail(&request->err, CELL_PERMISSION_DENIED,
				 "%s.cell has no [uses] %s; add \"%s = app\" under [uses]",
				 asker->cell->name, request->cell_name, request->cell_name);
	return 0;
}

/* ---- which instance ----------------------------------------------------------------------- */

static bool request_excludes(const struct kernel_request *request, uint64_t id)
{
	for (size_t i = 0; i < request->n_excluded; i++)
		if (request->excluded[i] == id)
			return true;
	return false;
}

static bool instance_has_room(const struct kernel_instance *instance)
{
	const struct cell_manifest *manifest = instance->cell->manifest;
	uint32_t max = manifest && manifest->connections ? manifest->connections
							 : CELL_CONNECTIONS_MAX;

	return instance->n_held < max;
}

/* The fewest connections; of several the one that has waited longest for one. */
static struct kernel_instance *choose(const struct kernel_cell *cell,
				      const struct kernel_request *request)
{
	struct kernel_instance *best = NULL, *instance;

	list_walk(instance, &cell->instances, struct kernel_instance, in_cell) {
		if (instance->state != KERNEL_READY || !instance->asker ||
		    request_excludes(request, instance->id) || !instance_has_room(instance) ||
		    (request->stream >= 0 && !instance->takes_streams) ||
		    (request->instance_id && request->instance_id != instance->id))
			continue;
		if (!best || instance->n_links < best->n_links ||
		    (instance->n_links == best->n_links && instance->granted < best->granted))
			best = instance;
	}
	return best;
}

static void grant(struct kernel *kernel, struct kernel_request *request,
		  struct kernel_instance *server)
{
	bool is_stream = request->stream >= 0;
	struct kernel_asker *client = request->asker->is_stream ? NULL : request->asker;

	if (quota_check(request->quota, QUOTA_CONNECTIONS, 1, &request->err) < 0 ||
	    (!is_stream && quota_check(request->quota, QUOTA_RING_BYTES, CELL_RING_CHARGE_BYTES,
				       &request->err) < 0)) {
		refuse_as_is(kernel, request);
		return;
	}
	request->link = broker_link_add(kernel, kernel->next_link++, client, server,
					request->quota, is_stream);
	if (!request->link) {
		refuse(kernel, request, -ENOMEM, "no memory for a connection");
		return;
	}
	request->link_id = request->link->id;
	server->granted = ++kernel->granted;
	request_end(kernel, request, KERNEL_GRANTED);
}

/* ---- connect ------------------------------------------------------------------------------- */

static void connect_wait(struct kernel *kernel, struct kernel_request *request,
			 struct kernel_cell *cell, uint64_t now_ns)
{
	uint64_t timeout_ns = cell->manifest && cell->manifest->ready_timeout_ns
				      ? cell->manifest->ready_timeout_ns
				      : CELL_READY_TIMEOUT_MS * MS;

	/* In a queue already: its time runs on. */
	if (request->is_pending && !list_is_empty(&request->in_wait))
		return;
	request_wait(kernel, request, &cell->waiting, now_ns + timeout_ns);
}

/* A certain instance was asked for, and it is not ready. */
static void connect_certain(struct kernel *kernel, struct kernel_request *request,
			    struct kernel_cell *cell, uint64_t now_ns)
{
	const struct kernel_instance *instance = kernel_instance_find(cell, request->instance_id);

	if (!instance || !instance->has_process)
		refuse(kernel, request, CELL_NOT_FOUND, "%s/%" PRIu64 " is not running", cell->name,
		       request->instance_id);
	else if (instance->state == KERNEL_STARTING)
		connect_wait(kernel, request, cell, now_ns);
	else if (instance->state == KERNEL_DRAINING)
		refuse(kernel, request, CELL_UNAVAILABLE, "%s/%" PRIu64 " is ending", cell->name,
		       request->instance_id);
	else if (request->stream >= 0 && !instance->takes_streams)
		refuse(kernel, request, CELL_FAILED_PRECONDITION, "%s takes no Unix streams",
		       cell->name);
	else
		refuse(kernel, request, CELL_RESOURCE_EXHAUSTED, "%s/%" PRIu64
		       " has %" PRIu32 " connections, no room for more", cell->name,
		       request->instance_id, instance->n_held);
}

/* A cell's instances up to what its manifest wants; NULL if not one could be started. */
static struct kernel_instance *cell_start(struct kernel *kernel, struct kernel_cell *cell,
					  const struct supervise *supervise, uint64_t now_ns)
{
	unsigned running = kernel_cell_running(cell);
	struct kernel_instance *first = kernel_instance_start(kernel, cell, supervise, now_ns);

	while (first && ++running < cell->manifest->instances)
		if (!kernel_instance_start(kernel, cell, supervise, now_ns))
			break;
	return first;
}

static void connect_start(struct kernel *kernel, struct kernel_request *request,
			  struct kernel_cell *cell, uint64_t now_ns)
{
	if (quota_activate(request->quota, now_ns, &request->err) < 0) {
		refuse_as_is(kernel, request);
		return;
	}
	if (!cell_start(kernel, cell, &cell->supervise, now_ns)) {
		refuse(kernel, request, -ENOMEM, "no memory to start %s", cell->name);
		return;
	}
	connect_wait(kernel, request, cell, now_ns);
}

/* Nobody can take it now: wait for one that starts, start one, or say why not. */
static void connect_later(struct kernel *kernel, struct kernel_request *request,
			  struct kernel_cell *cell, uint64_t now_ns)
{
	const struct kernel_instance *failed = kernel_cell_in_state(cell, KERNEL_FAILED);
	const struct kernel_instance *ready = kernel_cell_in_state(cell, KERNEL_READY);

	if (request->instance_id)
		connect_certain(kernel, request, cell, now_ns);
	else if (request->stream >= 0 && ready && !ready->takes_streams)
		refuse(kernel, request, CELL_FAILED_PRECONDITION, "%s takes no Unix streams",
		       cell->name);
	else if (kernel->is_stopping)
		refuse(kernel, request, CELL_UNAVAILABLE, "the node stops, and %s with it", cell->name);
	else if (kernel_cell_in_state(cell, KERNEL_STARTING) ||
		 kernel_cell_in_state(cell, KERNEL_BACKOFF))
		connect_wait(kernel, request, cell, now_ns);
	else if (cell->broken.code < 0)
		refuse(kernel, request, CELL_FAILED_PRECONDITION, "%s", cell->broken.text);
	else if (!cell->manifest)
		refuse(kernel, request, CELL_UNAVAILABLE, "%s has no manifest any more", cell->name);
	else if (failed)
		refuse(kernel, request, CELL_UNAVAILABLE,
		       "%s has failed: %s; `cell run %s` tries again", cell->name, failed->reason,
		       cell->name);
	else if (request->no_spawn)
		refuse(kernel, request, CELL_UNAVAILABLE, "%s is not running", cell->name);
	else if (kernel_cell_running(cell) < cell->manifest->max_instances)
		connect_start(kernel, request, cell, now_ns);
	else if (kernel_cell_in_state(cell, KERNEL_DRAINING))
		connect_wait(kernel, request, cell, now_ns);
	else
		refuse(kernel, request, CELL_RESOURCE_EXHAUSTED,
		       "%s has all of its %" PRIu32 " instances (max-instances), and none takes "
		       "this connection", cell->name, cell->manifest->max_instances);
}

static void connect_try(struct kernel *kernel, struct kernel_request *request,
			struct kernel_cell *cell, uint64_t now_ns)
{
	struct kernel_instance *server = choose(cell, request);

	if (server)
		grant(kernel, request, server);
	else
		connect_later(kernel, request, cell, now_ns);
}

/* ---- cells of other nodes --------------------------------------------------------------------- */

static void refuse_unknown(struct kernel *kernel, struct kernel_request *request)
{
	struct guess guess = { .word = request->cell_name };

	for (size_t i = 0; i < kernel->n_cells; i++)
		if (kernel_cell_is_known(kernel->cells[i]))
			guess_try(&guess, kernel->cells[i]->name);
	if (guess.best)
		refuse(kernel, request, CELL_NOT_FOUND, "no cell '%s' here; did you mean '%s'?",
		       request->cell_name, guess.best);
	else
		refuse(kernel, request, CELL_NOT_FOUND, "no cell '%s' here; `cell new %s` makes one",
		       request->cell_name, request->cell_name);
}

/* Those who answer such questions never ask them: that would be the deadlock. */
static bool may_ask_resolver(const struct kernel *kernel, const struct kernel_request *request)
{
	const struct kernel_instance *asker = request->asker->instance;
	const struct conf *conf = kernel->conf;

	if (!conf->resolver[0] || request->as_cell[0] || request->instance_id ||
	    request->stream >= 0)
		return false;
	return !asker || (strcmp(asker->cell->name, conf->resolver) != 0 &&
			  strcmp(asker->cell->name, conf->gateway) != 0);
}

static void connect_unknown(struct kernel *kernel, struct kernel_request *request, uint64_t now_ns)
{
	if (!may_ask_resolver(kernel, request)) {
		refuse_unknown(kernel, request);
		return;
	}
	if (!kernel_ready(kernel, kernel->conf->resolver)) {
		refuse(kernel, request, CELL_UNAVAILABLE,
		       "no cell '%s' on this node, and %s, which knows the others, is not running",
		       request->cell_name, kernel->conf->resolver);
		return;
	}
	request_wait(kernel, request, &kernel->resolving, now_ns + CELL_RESOLVE_TIMEOUT_MS * MS);
	if (!list_is_empty(&request->in_wait)) {
		request->outcome = KERNEL_ASK;
		list_move(&kernel->outcomes, &request->in_outcomes);
	}
}

static struct kernel_request *resolving_find(struct kernel *kernel, uint64_t id)
{
	struct kernel_request *request;

	list_walk(request, &kernel->resolving, struct kernel_request, in_wait)
		if (request->resolve_id == id)
			return request;
	return NULL;
}

void broker_resolved(struct kernel *kernel, uint64_t id, const struct kernel_remote *remote,
		     const struct cell_error *why)
{
	struct kernel_request *request = resolving_find(kernel, id);
	struct kernel_instance *gateway = NULL;
	struct kernel_cell *cell;

	if (!request)
		return;
	if (!remote) {
		if (why->code == CELL_NOT_FOUND)
			refuse_unknown(kernel, request);
		else
			refuse(kernel, request, CELL_UNAVAILABLE, "%s: looking for '%s': %s",
			       kernel->conf->resolver, request->cell_name, why->text);
		return;
	}
	request->remote = *remote;
	cell = kernel_cell_find(kernel, kernel->conf->gateway);
	if (cell)
		gateway = choose(cell, request);
	if (gateway)
		grant(kernel, request, gateway);
	else
		refuse(kernel, request, CELL_UNAVAILABLE, "cell '%s' is on node %s, and %s",
		       request->cell_name, remote->node,
		       kernel->conf->gateway[0] ? "the gateway is not running"
						: "this node has no gateway");
}

void broker_unresolved(struct kernel *kernel, struct kernel_request *request,
		       const struct cell_error *why)
{
	refuse(kernel, request, CELL_UNAVAILABLE, "%s could not be asked where '%s' is: %s",
	       kernel->conf->resolver, request->cell_name, why->text);
}

void broker_resolver_lost(struct kernel *kernel)
{
	struct kernel_request *request;

	list_walk(request, &kernel->resolving, struct kernel_request, in_wait)
		refuse(kernel, request, CELL_UNAVAILABLE, "%s ended while it looked for '%s'",
		       kernel->conf->resolver, request->cell_name);
}

static void connect_submit(struct kernel *kernel, struct kernel_request *request, uint64_t now_ns)
{
	struct kernel_cell *cell;

	look_up(kernel, request->cell_name);
	if (may_connect(kernel, request) < 0) {
		refuse_as_is(kernel, request);
		return;
	}
	cell = kernel_cell_find(kernel, request->cell_name);
	if (!cell || !kernel_cell_is_known(cell))
		connect_unknown(kernel, request, now_ns);
	else
		connect_try(kernel, request, cell, now_ns);
}

/* ---- spawn and retire ------------------------------------------------------------------------ */

static void spawn_submit(struct kernel *kernel, struct kernel_request *request, uint64_t now_ns)
{
	struct kernel_cell *cell;

	look_up(kernel, request->cell_name);
	cell = kernel_cell_find(kernel, request->cell_name);
	if (!cell || (!cell->manifest && cell->broken.code == 0)) {
		refuse_unknown(kernel, request);
		return;
	}
	if (cell->broken.code < 0) {
		refuse(kernel, request, CELL_FAILED_PRECONDITION, "%s", cell->broken.text);
		return;
	}
	if (kernel->is_stopping) {
		refuse(kernel, request, CELL_UNAVAILABLE, "the node stops");
		return;
	}
	if (request->only_if_none) {
		request->instance = kernel_cell_in_state(cell, KERNEL_READY);
		if (request->instance) {
			request_end(kernel, request, KERNEL_DONE);
			return;
		}
		request->instance = kernel_cell_in_state(cell, KERNEL_STARTING);
	}
	if (!request->instance) {
		kernel_cell_reset(kernel, cell);
		if (kernel_cell_running(cell) >= cell->manifest->max_instances) {
			refuse(kernel, request, CELL_RESOURCE_EXHAUSTED,
			       "%s has %u instances already, max-instances is %" PRIu32, cell->name,
			       kernel_cell_running(cell), cell->manifest->max_instances);
			return;
		}
		request->instance = cell_start(kernel, cell, NULL, now_ns);
		if (!request->instance) {
			refuse(kernel, request, -ENOMEM, "no memory to start %s", cell->name);
			return;
		}
	}
	request_wait(kernel, request, &cell->waiting, 0);
}

static void retire_one(struct kernel *kernel, struct kernel_request *request,
		       struct kernel_instance *instance, uint64_t now_ns)
{
	request->instance = instance;
	kernel_instance_retire(kernel, instance, request->drain_ns, request->kill,
			       request->kill ? "killed on request" : "retired", now_ns);
}

/* Nothing of what is to be retired has a process any more. */
static bool retire_is_done(const struct kernel_request *request, const struct kernel_cell *cell)
{
	const struct kernel_instance *instance;

	if (request->instance_id)
		return !request->instance->has_process;
	list_walk(instance, &cell->instances, struct kernel_instance, in_cell)
		if (instance->has_process && instance->was_asked_to_end)
			return false;
	return true;
}

/* They waited for a restart that is off now. */
static void connects_retry(struct kernel *kernel, struct kernel_cell *cell, uint64_t now_ns)
{
	struct kernel_request *request;

	list_walk(request, &cell->waiting, struct kernel_request, in_wait)
		if (request->order == KERNEL_CONNECT)
			connect_try(kernel, request, cell, now_ns);
}

static void retire_submit(struct kernel *kernel, struct kernel_request *request, uint64_t now_ns)
{
	struct kernel_cell *cell = kernel_cell_find(kernel, request->cell_name);
	struct kernel_instance *instance;

	if (cell && request->instance_id) {
		instance = kernel_instance_find(cell, request->instance_id);
		if (instance)
			retire_one(kernel, request, instance, now_ns);
	} else if (cell) {
		list_walk(instance, &cell->instances, struct kernel_instance, in_cell)
			retire_one(kernel, request, instance, now_ns);
	}
	if (!request->instance && request->instance_id)
		refuse(kernel, request, CELL_NOT_FOUND, "%s/%" PRIu64 " is not running",
		       request->cell_name, request->instance_id);
	else if (!request->instance)
		refuse(kernel, request, CELL_NOT_FOUND, "%s is not running", request->cell_name);
	else if (retire_is_done(request, cell))
		request_end(kernel, request, KERNEL_DONE);
	else
		request_wait(kernel, request, &cell->waiting, 0);
	if (cell)
		connects_retry(kernel, cell, now_ns);
}

static void request_begin(struct kernel_request *request)
{
	request->quota = request->asker->quota;
	request->quota->refs++;
	list_append(&request->asker->requests, &request->in_asker);
}

void broker_restore(struct kernel *kernel, struct kernel_request *request,
		    struct kernel_cell *cell)
{
	request_begin(request);
	if (cell && request->instance_id && request->order == KERNEL_RETIRE)
		request->instance = kernel_instance_find(cell, request->instance_id);
	request_wait(kernel, request, cell ? &cell->waiting : &kernel->resolving, 0);
}

void broker_submit(struct kernel *kernel, struct kernel_request *request, uint64_t now_ns)
{
	request_begin(request);
	if (!cell_name_is_valid(request->cell_name)) {
		refuse(kernel, request, CELL_INVALID_ARGUMENT,
		       "'%s' is no name of a cell: a-z first, then a-z, 0-9 and '-', at most %d",
		       request->cell_name, CELL_NAME_MAX);
	} else if (request->order == KERNEL_CONNECT) {
		connect_submit(kernel, request, now_ns);
	} else if (!broker_may_spawn(kernel, request->asker)) {
		refuse(kernel, request, CELL_PERMISSION_DENIED,
		       "%s may neither spawn nor retire; `spawn =` in node.conf names who may",
		       request->asker->instance ? request->asker->instance->cell->name
						: "another user's program");
	} else if (request->order == KERNEL_SPAWN) {
		spawn_submit(kernel, request, now_ns);
	} else {
		retire_submit(kernel, request, now_ns);
	}
}

/* ---- what instances do to those who wait --------------------------------------------------------- */

void broker_cell_ready(struct kernel *kernel, struct kernel_instance *instance, uint64_t now_ns)
{
	struct kernel_cell *cell = instance->cell;
	struct kernel_request *request;

	list_walk(request, &cell->waiting, struct kernel_request, in_wait) {
		if (request->order == KERNEL_CONNECT)
			connect_try(kernel, request, cell, now_ns);
		else if (request->order == KERNEL_SPAWN && request->instance == instance)
			request_end(kernel, request, KERNEL_DONE);
	}
}

/* An instance did not come to be ready: those who waited for just that are told why. */
static bool connect_fails_with(const struct kernel_request *request,
			       const struct kernel_instance *instance)
{
	if (request->instance_id)
		return request->instance_id == instance->id;
	return !instance->ready_ns && !instance->was_asked_to_end &&
	       !kernel_cell_in_state(instance->cell, KERNEL_STARTING);
}

static void refuse_ended(struct kernel *kernel, struct kernel_request *request,
			 const struct kernel_instance *instance)
{
	char name[KERNEL_INSTANCE_NAME_MAX];

	refuse(kernel, request, CELL_UNAVAILABLE, "%s ended before it was ready: %s (`cell logs %s`)",
	       kernel_instance_name(instance, name), instance->reason, instance->cell->name);
}

void broker_cell_ended(struct kernel *kernel, struct kernel_instance *instance, uint64_t now_ns)
{
	struct kernel_cell *cell = instance->cell;
	struct kernel_request *request;

	list_walk(request, &cell->waiting, struct kernel_request, in_wait) {
		switch (request->order) {
		case KERNEL_CONNECT:
			if (connect_fails_with(request, instance))
				refuse_ended(kernel, request, instance);
			else
				connect_try(kernel, request, cell, now_ns);
			break;
		case KERNEL_SPAWN:
			if (request->instance == instance)
				refuse_ended(kernel, request, instance);
			break;
		case KERNEL_RETIRE:
			if (!instance->has_process && retire_is_done(request, cell)) {
				if (!request->instance_id)
					request->instance = instance;
				request_end(kernel, request, KERNEL_DONE);
			}
			break;
		}
	}
}

void broker_stop(struct kernel *kernel)
{
	struct kernel_request *request;

	for (size_t i = 0; i < kernel->n_cells; i++)
		list_walk(request, &kernel->cells[i]->waiting, struct kernel_request, in_wait)
			if (request->order != KERNEL_RETIRE)
				refuse(kernel, request, CELL_UNAVAILABLE, "the node stops");
}

/* ---- time ------------------------------------------------------------------------------------ */

static void request_timeout(struct kernel *kernel, struct kernel_request *request,
			    const struct kernel_cell *cell)
{
	const struct kernel_instance *backoff = kernel_cell_in_state(cell, KERNEL_BACKOFF);

	if (backoff)
		refuse(kernel, request, CELL_UNAVAILABLE, "%s waits to be started again: %s",
		       cell->name, backoff->reason);
	else
		refuse(kernel, request, CELL_DEADLINE_EXCEEDED, "%s did not become %s in time",
		       cell->name, request->order == KERNEL_RETIRE ? "gone" : "ready");
}

static bool request_is_due(const struct kernel_request *request, uint64_t now_ns)
{
	return request->deadline_ns && now_ns >= request->deadline_ns;
}

void broker_tick(struct kernel *kernel, uint64_t now_ns)
{
	struct kernel_request *request;

	for (size_t i = 0; i < kernel->n_cells; i++)
		list_walk(request, &kernel->cells[i]->waiting, struct kernel_request, in_wait)
			if (request_is_due(request, now_ns))
				request_timeout(kernel, request, kernel->cells[i]);
	list_walk(request, &kernel->resolving, struct kernel_request, in_wait)
		if (request_is_due(request, now_ns))
			refuse(kernel, request, CELL_UNAVAILABLE, "%s did not say within %d ms where '%s' is",
			       kernel->conf->resolver, CELL_RESOLVE_TIMEOUT_MS, request->cell_name);
}

void broker_due(struct kernel *kernel)
{
	const struct kernel_request *request;

	for (size_t i = 0; i < kernel->n_cells; i++)
		list_walk(request, &kernel->cells[i]->waiting, struct kernel_request, in_wait)
			kernel_due(kernel, request->deadline_ns);
	list_walk(request, &kernel->resolving, struct kernel_request, in_wait)
		kernel_due(kernel, request->deadline_ns);
}
