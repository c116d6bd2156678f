#include "callstate.h"
#include "clock.h"
#include "fileset.h"

#include <cell/cell.h>
#include <cell/stream.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ops.cell.h>

/* What every cell answers on the OPS channel (proto/ops.proto). */

#define TAP_BODY_DEFAULT 4096u
#define TAP_BODY_MAX (64u * 1024)
/* Bytes a tap may have queued, what each frame costs beside its body included, before it
 * misses frames. */
#define TAP_QUEUE_MAX (1024u * 1024)

static int ping(struct cell_call *call, void *self, const struct ops_ping_message *in,
		struct ops_ping_message *out)
{
	(void)self;
	if (in->n_data > 1024 * 1024)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "data: %zu bytes, at most 1 MiB",
				   in->n_data);
	*out = *in;
	return 0;
}

static int health(struct cell_call *call, void *self, struct ops_health_report *out)
{
	struct runtime *rt = self;

	(void)call;
	*out = (struct ops_health_report){
		.healthy = rt->health[0] == '\0' && !rt->is_draining,
		.reason = rt->health[0] || !rt->is_draining ? rt->health : "draining",
		.since_ms = (clock_now_ns() - rt->health_since_ns) / 1000000,
		.draining = rt->is_draining,
	};
	return 0;
}

/* The upper edge of the bucket in which the Q-th of N durations lies. */
static uint64_t quantile(const struct method_stats *stats, uint64_t n, double q)
{
	uint64_t rank = (uint64_t)((double)n * q), seen = 0;

	for (unsigned i = 0; i < 128; i++) {
		uint64_t edge;

		seen += stats->latency[i];
		if (seen <= rank)
			continue;
		if (i < 4)
			return i + 1;
		edge = (4ull + i % 4 + 1) << (i / 4 - 2);
		return edge < stats->max_ns ? edge : stats->max_ns;
	}
	return stats->max_ns;
}

static void method_stats(struct ops_method_stats *out, const struct method_entry *entry)
{
	const struct method_stats *stats = &entry->stats;
	uint64_t n = 0;

	for (unsigned i = 0; i < 128; i++)
		n += stats->latency[i];
	*out = (struct ops_method_stats){
		.method = entry->method->full_name,
		.calls = stats->calls, .errors = stats->errors, .in_flight = stats->in_flight,
		.p50_ns = n ? quantile(stats, n, 0.5) : 0,
		.p99_ns = n ? quantile(stats, n, 0.99) : 0,
		.p999_ns = n ? quantile(stats, n, 0.999) : 0,
		.max_ns = stats->max_ns,
	};
}

static int stats(struct cell_call *call, void *self, struct ops_stats_report *out)
{
	struct runtime *rt = self;
	struct ops_method_stats *methods;
	struct ops_histogram *histograms;
	size_t n = 0;

	methods = cell_arena_calloc(cell_arena(call), rt->n_methods, sizeof *methods);
	histograms = cell_arena_calloc(cell_arena(call), rt->n_methods, sizeof *histograms);
	if (!methods || !histograms)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory");
	*out = (struct ops_stats_report){
		.uptime_ms = (clock_now_ns() - rt->started_ns) / 1000000,
		.frames_in = rt->stats.frames_in, .frames_out = rt->stats.frames_out,
		.bytes_in = rt->stats.bytes_in, .bytes_out = rt->stats.bytes_out,
		.refused = rt->stats.refused, .unknown = rt->stats.unknown,
		.late = rt->stats.late, .broken_peers = rt->stats.broken_peers,
		.schema_differs = rt->stats.schema_differs,
		.waiting = task_pool_waiting(rt->tasks),
		.log_dropped = cell_log_dropped(), .wakeups = rt->stats.wakeups,
		.calls_in_flight = rt->n_serving,
	};
	for (struct list *at = rt->connections.next; at != &rt->connections; at = at->next) {
		struct connection *conn = list_entry(at, struct connection, all);

		if (conn->role != CONNECTION_SERVER)
			continue;
		out->connections++;
		out->streams += conn->link.kind == LINK_STREAM;
		out->held_bytes += conn->assembly_bytes;
	}
	for (unsigned i = 0; i < rt->methods_size; i++) {
		const struct method_entry *entry = rt->methods[i];

		if (!entry || entry->is_control)
			continue;
		method_stats(&methods[n], entry);
		histograms[n].n_counts = 128;
		histograms[n].counts = entry->stats.latency;
		methods[n].latency = &histograms[n];
		n++;
	}
	out->n_methods = n;
	out->methods = methods;
	return 0;
}

/*
 * A FileDescriptorSet is a repeated field and nothing else, so the services' sets, one
 * behind the other, are a set. A file that several import is in it once: readers such as
 * Python's refuse another one of its name, as they forget comments before they compare.
 */
static int schema(struct cell_call *call, void *self, struct ops_schema_report *out)
{
	struct runtime *rt = self;
	const char **names = cell_arena_calloc(cell_arena(call), rt->n_services, sizeof *names);
	size_t room = 0, len = 0;
	uint8_t *bytes;

	for (unsigned i = 0; i < rt->n_services; i++)
		room += rt->services[i]->schema_len;
	bytes = cell_arena_alloc(cell_arena(call), room);
	if (!names || !bytes)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory");
	for (unsigned i = 0; i < rt->n_services; i++) {
		const struct cell_service *service = rt->services[i];

		len = fileset_append(bytes, len, service->schema, service->schema_len);
		names[i] = service->name;
	}
	*out = (struct ops_schema_report){
		.n_file_descriptor_set = len, .file_descriptor_set = bytes,
		.fingerprint = rt->schema, .n_services = rt->n_services, .services = names,
	};
	return 0;
}

/* What may show or change more than a caller's own calls is for the node's owner. */
static int only_owner(struct cell_call *call)
{
	struct served *served = list_entry(call->root, struct served, root);

	if (served->conn->peer.is_owner)
		return 0;
	return cell_refuse(call, CELL_PERMISSION_DENIED, "only the node's owner may do that");
}

static int set_log_level(struct cell_call *call, void *self, const struct ops_log_level *in)
{
	int r = only_owner(call);

	(void)self;
	if (r < 0)
		return r;
	if (cell_log_set(in->spec) < 0)
		return cell_refuse(call, CELL_INVALID_ARGUMENT,
				   "'%.60s': wanted LEVEL or SUBSYSTEM=LEVEL, comma-separated; "
				   "levels err warn info debug", in->spec);
	return 0;
}

/* --- tap ----------------------------------------------------------------------------- */

/* A copied frame, waiting for the tap's handler to send it. */
struct tapped {
	struct list node;
	struct ops_tap_frame frame;
	char peer[64];
	uint8_t body[];
};

struct tap {
	struct list node; /* in the runtime's taps */
	struct list queue;
	size_t queued_bytes;
	struct waiter *waiter;
	const struct connection *own; /* its own frames are not shown */
	uint32_t method;              /* hash, 0 = all */
	uint32_t one_in, seen;
	uint32_t body_max;
	uint64_t missed;
};

static const struct method_entry *method_of(struct runtime *rt, struct connection *conn,
					    const struct frame *frame, uint64_t *ret_began_ns)
{
	*ret_began_ns = 0;
	if (frame->kind == FRAME_REQUEST || frame->kind == FRAME_ONE_WAY)
		return server_find(rt, frame->channel, frame->code);
	for (struct served *served = conn->served[frame->call_id & (CONNECTION_SERVED_BUCKETS - 1)];
	     served; served = served->next) {
		if (served->id != frame->call_id)
			continue;
		*ret_began_ns = served->started_ns;
		return served->entry;
	}
	return NULL;
}

static void tap_one(struct tap *tap, struct connection *conn, const struct frame *frame,
		    const uint8_t *body, bool outgoing, const struct method_entry *entry,
		    uint64_t began_ns)
{
	size_t n = frame->length < tap->body_max ? frame->length : tap->body_max;
	size_t size = sizeof(struct tapped) + n;
	struct tapped *tapped;
	struct timespec wall;

	if (conn == tap->own || (tap->method && (!entry || entry->method->hash != tap->method)))
		return;
	if (tap->one_in > 1 && frame->call_id % tap->one_in != 0)
		return;
	if (tap->queued_bytes + size > TAP_QUEUE_MAX || !(tapped = malloc(size))) {
		tap->missed++;
		return;
	}
	(void)clock_gettime(CLOCK_REALTIME, &wall);
	(void)snprintf(tapped->peer, sizeof tapped->peer, "%s", conn->peer_cell);
	if (n)
		memcpy(tapped->body, body, n);
	tapped->frame = (struct ops_tap_frame){
		.at_ns = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec,
		.peer_cell = tapped->peer, .peer_instance = conn->peer.instance,
		.connection = conn->id, .outgoing = outgoing, .kind = frame->kind,
		.channel = frame->channel, .call_id = frame->call_id, .code = frame->code,
		.has_flags = true, .flags = frame->flags,
		.method = entry ? entry->method->full_name : "", .length = frame->total,
		.n_body = n, .body = tapped->body, .missed = tap->missed,
		.took_ns = began_ns && (frame->kind == FRAME_REPLY || frame->kind == FRAME_ERROR ||
					(frame->kind == FRAME_END && outgoing))
				   ? clock_fast_ns() - began_ns : 0,
	};
	tap->missed = 0;
	tap->queued_bytes += size;
	list_append(&tap->queue, &tapped->node);
	runtime_wake(conn->rt, tap->waiter);
}

void tap_frame(struct runtime *rt, struct connection *conn, const struct frame *frame,
	       const uint8_t *body, bool outgoing)
{
	const struct method_entry *entry;
	uint64_t began_ns;

	if (conn->role != CONNECTION_SERVER)
		return;
	entry = method_of(rt, conn, frame, &began_ns);
	for (struct list *at = rt->taps.next; at != &rt->taps; at = at->next)
		tap_one(list_entry(at, struct tap, node), conn, frame, body, outgoing, entry,
			began_ns);
}

void taps_wake(struct runtime *rt)
{
	for (struct list *at = rt->taps.next; at != &rt->taps; at = at->next)
		runtime_wake(rt, list_entry(at, struct tap, node)->waiter);
}

static void tap_drop(struct tap *tap, struct tapped *tapped)
{
	list_unlink(&tapped->node);
	tap->queued_bytes -= sizeof *tapped + tapped->frame.n_body;
	free(tapped);
}

static int tap(struct cell_call *call, void *self, const struct ops_tap_request *in,
	       struct ops_tap_frame_sink *out)
{
	struct runtime *rt = self;
	struct tap tap = {
		.own = list_entry(call->root, struct served, root)->conn,
		.method = in->method[0] ? cell_method_hash(in->method) : 0,
		.one_in = in->one_in,
		.body_max = in->body_max ? in->body_max : TAP_BODY_DEFAULT,
	};
	int r = only_owner(call);

	if (r < 0)
		return r;
	if (tap.body_max > TAP_BODY_MAX)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "body_max: %u bytes, at most %u",
				   tap.body_max, TAP_BODY_MAX);
	list_init(&tap.queue);
	list_append(&rt->taps, &tap.node);
	while (r == 0) {
		if (list_is_empty(&tap.queue)) {
			if (rt->is_draining)
				break;
			r = runtime_wait(rt, call->root, &tap.waiter, call->deadline_ns);
			continue;
		}
		while (r == 0 && !list_is_empty(&tap.queue)) {
			struct tapped *tapped = list_entry(tap.queue.next, struct tapped, node);

			r = ops_tap_frame_send(out, &tapped->frame);
			tap_drop(&tap, tapped);
		}
	}
	while (!list_is_empty(&tap.queue))
		tap_drop(&tap, list_entry(tap.queue.next, struct tapped, node));
	list_unlink(&tap.node);
	return r;
}

const struct ops_handlers ops_handlers = {
	.ping = ping,
	.health = health,
	.stats = stats,
	.schema = schema,
	.set_log_level = set_log_level,
	.tap = tap,
};
