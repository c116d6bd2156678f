#include "control.h"

#include "activate.h"
#include "catalog.h"
#include "connect.h"
#include "resume.h"
#include "spawn.h"
#include "watch.h"

#include <cell/log.h>
#include <core.cell.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS UINT64_C(1000000)
#define CONTROL_VERSION 1

static_assert((int)KERNEL_STARTING == (int)CORE_INSTANCE_STATE_STARTING &&
		      (int)KERNEL_READY == (int)CORE_INSTANCE_STATE_READY &&
		      (int)KERNEL_DRAINING == (int)CORE_INSTANCE_STATE_DRAINING &&
		      (int)KERNEL_GONE == (int)CORE_INSTANCE_STATE_GONE &&
		      (int)KERNEL_FAILED == (int)CORE_INSTANCE_STATE_FAILED &&
		      (int)KERNEL_BACKOFF == (int)CORE_INSTANCE_STATE_BACKOFF,
	      "kernel.h and core.proto number the states alike");

/* An order that is answered by itself later. */
enum order_outcome { ORDER_LATER = 1 };

/* Who may give an order. */
enum order_right { ORDER_STRANGER, ORDER_WELCOME, ORDER_SPAWNED, ORDER_OWNER };

/* An order that was given, and where its answer goes. */
struct order_call {
	struct daemon *daemon;
	struct process *process;
	const struct frame *frame;
	const void *in;
	void *out;
	struct cell_error *err;
};

/*
 * Returns 0 and the answer in CALL->out, ORDER_LATER, or an error for the asker. -EPROTO: it
 * is told, and dropped.
 */
typedef int order_fn(struct order_call *call);

/* ---- joining --------------------------------------------------------------------------------- */

static void welcome_cell(const struct process *process, struct core_welcome *welcome)
{
	const struct kernel_instance *instance = process->asker.instance;
	const struct cell_manifest *manifest = instance->cell->manifest;
	struct core_limits *limits;

	welcome->cell = instance->cell->name;
	welcome->instance = instance->id;
	welcome->uid = instance->uid;
	limits = cell_arena_calloc(&process->daemon->arena, 1, sizeof *limits);
	if (!limits || !manifest)
		return;
	limits->connections = manifest->connections;
	limits->payload_bytes = manifest->payload_bytes;
	limits->call_timeout_ms = manifest->call_timeout_ns / MS;
	limits->drain_timeout_ms = manifest->drain_timeout_ns / MS;
	welcome->limits = limits;
}

static void welcome_fill(const struct process *process, struct core_welcome *welcome)
{
	welcome->version = CONTROL_VERSION;
	welcome->node = process->daemon->conf.node;
	if (process->asker.instance)
		welcome_cell(process, welcome);
	else
		welcome->uid = process->asker.uid;
}

static int order_hello(struct order_call *call)
{
	const struct core_hello_request *hello = call->in;
	struct core_welcome *welcome = call->out;

	if (call->process->standing != PROCESS_STRANGER)
		return cell_fail(call->err, CELL_FAILED_PRECONDITION, "hello was said already");
	if (hello->version != CONTROL_VERSION)
		return cell_fail(call->err, CELL_FAILED_PRECONDITION,
				 "cellcore speaks version %d of the control protocol, not %u",
				 CONTROL_VERSION, (unsigned)hello->version);
	welcome_fill(call->process, welcome);
	if (call->process->asker.instance) {
		call->process->standing = PROCESS_WELCOME;
		return 0;
	}
	call->process->standing = PROCESS_UNPROVEN;
	auth_nonce(call->process->nonce);
	welcome->n_nonce = sizeof call->process->nonce;
	welcome->nonce = call->process->nonce;
	return 0;
}

static int order_authenticate(struct order_call *call)
{
	const struct core_proof *proof = call->in;

	if (call->process->standing != PROCESS_UNPROVEN)
		return cell_fail(call->err, CELL_FAILED_PRECONDITION, "there is nothing to prove");
	if (!auth_is_proof(proof->mac, proof->n_mac, call->daemon->key, call->process->nonce)) {
		(void)cell_fail(call->err, CELL_UNAUTHENTICATED,
				"wrong proof: is the key that of the run directory %s?",
				call->daemon->rundir.path);
		return -EPROTO;
	}
	call->process->standing = PROCESS_WELCOME;
	process_proven(call->process);
	welcome_fill(call->process, call->out);
	return 0;
}

static int order_ready(struct order_call *call)
{
	const struct core_ready_note *note = call->in;
	struct kernel_instance *instance = call->process->asker.instance;
	int r;

	if (!call->process->packet || !call->process->packet->has_creds)
		return cell_fail(call->err, CELL_FAILED_PRECONDITION, "ready came without credentials");
	r = spawn_ready(call->daemon, instance, &call->process->packet->creds, call->err);
	if (r < 0)
		return r;
	instance->takes_streams = note->streams;
	cell_log(CELL_LOG_INFO, "control", "ready", "instance=%s pid=%ld after_ms=%llu",
		 call->process->name, (long)instance->pid,
		 (unsigned long long)((daemon_now() - instance->started_ns) / MS));
	kernel_instance_ready(&call->daemon->kernel, instance, daemon_now());
	return 0;
}

/* ---- connections ------------------------------------------------------------------------------- */

/* NULL without memory, and the order is told so. */
static struct kernel_request *request_new(struct order_call *call, enum kernel_order order,
					  const char *cell)
{
	struct kernel_request *request = calloc(1, sizeof *request);

	if (!request) {
		(void)cell_fail(call->err, -ENOMEM, "an order about '%s'", cell);
		return NULL;
	}
	request->order = order;
	request->asker = &call->process->asker;
	request->call_id = call->frame->call_id;
	request->stream = -1;
	if (call->frame->timeout_ns)
		request->deadline_ns = daemon_now() + call->frame->timeout_ns;
	/* One byte too many stays too many: the name is refused later, not cut to another one. */
	(void)snprintf(request->cell_name, sizeof request->cell_name,
		       strlen(cell) < sizeof request->cell_name ? "%s" : "%.40s...", cell);
	return request;
}

static int submit(struct order_call *call, struct kernel_request *request)
{
	broker_submit(&call->daemon->kernel, request, daemon_now());
	return ORDER_LATER;
}

/* In the name of AS, or (NULL) in the asker's own. */
static int connect_submit(struct order_call *call, const struct core_connect_request *in,
			  const struct core_connect_as_request *as)
{
	struct kernel_request *request;

	if (in->n_not_instances > KERNEL_EXCLUDED_MAX)
		return cell_fail(call->err, CELL_INVALID_ARGUMENT,
				 "%zu instances to leave out, limit %d", in->n_not_instances,
				 KERNEL_EXCLUDED_MAX);
	request = request_new(call, KERNEL_CONNECT, in->cell);
	if (!request)
		return -ENOMEM;
	request->instance_id = in->instance;
	request->no_spawn = in->no_spawn;
	request->n_excluded = in->n_not_instances;
	if (in->n_not_instances)
		memcpy(request->excluded, in->not_instances,
		       in->n_not_instances * sizeof request->excluded[0]);
	if (as) {
		(void)snprintf(request->as_node, sizeof request->as_node, "%s", as->node);
		(void)snprintf(request->as_cell, sizeof request->as_cell, "%s", as->cell);
	}
	return submit(call, request);
}

static int order_connect(struct order_call *call)
{
	return connect_submit(call, call->in, NULL);
}

static int order_connect_as(struct order_call *call)
{
	const struct core_connect_as_request *as = call->in;

	if (!as->target || !conf_node_is_valid(as->node) || !cell_name_is_valid(as->cell))
		return cell_fail(call->err, CELL_INVALID_ARGUMENT,
				 "connecting as needs a target, a node and a cell");
	return connect_submit(call, as->target, as);
}

static int order_closed(struct order_call *call)
{
	const struct core_closed_note *note = call->in;

	for (size_t i = 0; i < note->n_connections; i++)
		(void)broker_closed(&call->daemon->kernel, &call->process->asker,
				    note->connections[i]);
	return 0;
}

/* ---- lists --------------------------------------------------------------------------------------- */

void control_instance_info(struct daemon *daemon, const struct kernel_instance *instance,
			   bool usage, struct core_instance_info *ret)
{
	uint64_t now_ns = daemon_now();
	struct cell_cgroup_usage used = { 0 };

	if (usage)
		spawn_usage(instance, &used);
	*ret = (struct core_instance_info){
		.instance = instance->id,
		.cell = instance->cell->name,
		.state = (enum core_instance_state)instance->state,
		.pid = (uint32_t)instance->pid,
		.uid = instance->uid,
		.started_ms_ago = now_ns > instance->started_ns
					  ? (now_ns - instance->started_ns) / MS : 0,
		.connections = instance->n_links,
		.restarts = instance->cell->restarts,
		.reason = instance->reason[0] ? instance->reason : instance->cell->reason,
		.sandbox = spawn_sandbox(daemon, used.controllers, usage),
		.memory_bytes = used.memory_bytes,
		.cpu_us = used.cpu_ns / 1000,
		.tasks = used.tasks,
	};
}

/* Bytes that an item adds to its page: its own, its tag and its length. */
static size_t item_size(const struct cell_message_type *type, const void *item)
{
	return type->bound(item) + 4;
}

/* What a page may hold, so that it fits in a packet with what is around it. */
#define PAGE_BYTES (CELL_CONTROL_BODY_MAX - 64)
#define INSTANCES_PER_PAGE 16
#define CELLS_PER_PAGE 8

static int order_list_instances(struct order_call *call)
{
	const struct core_list_request *list = call->in;
	struct core_instance_page *page = call->out;
	const struct kernel_instance *instance;
	struct core_instance_info *infos;
	size_t bytes = 0;

	infos = cell_arena_calloc(&call->daemon->arena, INSTANCES_PER_PAGE + 1, sizeof *infos);
	if (!infos)
		return cell_fail(call->err, -ENOMEM, "listing instances");
	page->instances = infos;
	list_walk(instance, &call->daemon->kernel.instances, struct kernel_instance, in_all) {
		if (instance->id <= list->after || instance->state == KERNEL_GONE ||
		    (list->cell[0] && strcmp(list->cell, instance->cell->name) != 0))
			continue;
		control_instance_info(call->daemon, instance, true, &infos[page->n_instances]);
		bytes += item_size(&core_instance_info_type, &infos[page->n_instances]);
		page->more = bytes > PAGE_BYTES || page->n_instances == INSTANCES_PER_PAGE;
		if (page->more)
			break;
		page->n_instances++;
	}
	return 0;
}

/* The state that says most: of its best instance, or why there is none. */
static const struct kernel_instance *cell_best(const struct kernel_cell *cell)
{
	static const enum kernel_state order[] = { KERNEL_READY,    KERNEL_STARTING,
						   KERNEL_DRAINING, KERNEL_BACKOFF,
						   KERNEL_FAILED };

	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		const struct kernel_instance *instance = kernel_cell_in_state(cell, order[i]);

		if (instance)
			return instance;
	}
	return NULL;
}

/* Long texts are cut: a cell's line must fit in a packet whatever its manifest says. */
#define CELL_PATH_SHOWN 1024
#define CELL_TEXT_SHOWN 240
#define CELL_USES_SHOWN 24

static const char *words_join(struct cell_arena *arena, const char *const *words, size_t n)
{
	const char *text = n ? words[0] : "";

	for (size_t i = 1; i < n && text; i++)
		text = cell_arena_printf(arena, "%s %s", text, words[i]);
	return text ? cell_arena_printf(arena, "%.*s", CELL_TEXT_SHOWN, text) : "";
}

static void cell_info_of_manifest(struct cell_arena *arena, const struct cell_manifest *manifest,
				  struct core_cell_info *info)
{
	size_t n = manifest->n_uses < CELL_USES_SHOWN ? manifest->n_uses : CELL_USES_SHOWN;
	const char **uses = cell_arena_calloc(arena, n + 1, sizeof *uses);

	info->summary = cell_arena_printf(arena, "%.*s", CELL_TEXT_SHOWN, manifest->summary);
	info->macros = words_join(arena, manifest->namespaces, manifest->n_namespaces);
	info->boot = manifest->start == CELL_START_BOOT;
	if (!uses)
		return;
	for (size_t i = 0; i < n; i++)
		uses[i] = manifest->uses[i].cell;
	info->uses = uses;
	info->n_uses = n;
}

static void cell_info(struct daemon *daemon, const struct kernel_cell *cell,
		      struct core_cell_info *info)
{
	const struct kernel_instance *best = cell_best(cell);

	*info = (struct core_cell_info){
		.name = cell->name,
		.manifest = strlen(catalog_path(cell)) <= CELL_PATH_SHOWN ? catalog_path(cell) : "",
		.state = best ? (enum core_instance_state)best->state : CORE_INSTANCE_STATE_GONE,
		.instances = kernel_cell_running(cell),
		.restarts = cell->restarts,
		.reason = cell->broken.code < 0   ? cell->broken.text
			  : best && best->reason[0] ? best->reason
						    : cell->reason,
	};
	if (cell->manifest)
		cell_info_of_manifest(&daemon->arena, cell->manifest, info);
}

static int order_list_cells(struct order_call *call)
{
	const struct core_list_request *list = call->in;
	const struct kernel *kernel = &call->daemon->kernel;
	struct core_cell_page *page = call->out;
	struct core_cell_info *infos;
	size_t bytes = 0;

	infos = cell_arena_calloc(&call->daemon->arena, CELLS_PER_PAGE + 1, sizeof *infos);
	if (!infos)
		return cell_fail(call->err, -ENOMEM, "listing cells");
	page->cells = infos;
	if (list->cell[0])
		catalog_lookup(call->daemon, list->cell);
	else if (!list->after_name[0])
		catalog_scan_again(call->daemon);
	for (size_t i = 0; i < kernel->n_cells; i++) {
		const struct kernel_cell *cell = kernel->cells[i];

		if (strcmp(cell->name, list->after_name) <= 0 || !kernel_cell_is_known(cell) ||
		    (list->cell[0] && strcmp(list->cell, cell->name) != 0))
			continue;
		cell_info(call->daemon, cell, &infos[page->n_cells]);
		bytes += item_size(&core_cell_info_type, &infos[page->n_cells]);
		page->more = page->n_cells == CELLS_PER_PAGE ||
			     (bytes > PAGE_BYTES && page->n_cells > 0);
		if (page->more)
			break;
		page->n_cells++;
	}
	return 0;
}

static int order_watch(struct order_call *call)
{
	const struct core_watch_request *watch = call->in;
	int r = watch_add(call->process, watch->cell, call->frame->call_id, call->err);

	return r < 0 ? r : ORDER_LATER;
}

static int order_unwatch(struct order_call *call)
{
	const struct core_watch_request *watch = call->in;

	return watch_remove(call->process, watch->cell, call->err);
}

/* ---- cells ------------------------------------------------------------------------------------------ */

static int order_spawn(struct order_call *call)
{
	const struct core_spawn_request *spawn = call->in;
	struct kernel_request *request = request_new(call, KERNEL_SPAWN, spawn->cell);

	if (!request)
		return -ENOMEM;
	request->only_if_none = spawn->only_if_none;
	return submit(call, request);
}

static int order_retire(struct order_call *call)
{
	const struct core_retire_request *retire = call->in;
	struct kernel_request *request = request_new(call, KERNEL_RETIRE, retire->cell);

	if (!request)
		return -ENOMEM;
	request->instance_id = retire->instance;
	request->drain_ns = retire->drain_ms < UINT64_MAX / MS ? retire->drain_ms * MS : 0;
	request->kill = retire->kill;
	return submit(call, request);
}

static int order_load(struct order_call *call)
{
	const struct core_load_request *load = call->in;
	struct kernel_cell *cell;
	int r;

	r = catalog_load(call->daemon, load->path, &cell, call->err);
	if (r == 0)
		cell_info(call->daemon, cell, call->out);
	return r;
}

/* ---- the node ----------------------------------------------------------------------------------------- */

static void status_fill(const struct daemon *daemon, struct core_node_status *status)
{
	const struct kernel *kernel = &daemon->kernel;
	const struct kernel_instance *instance;

	*status = (struct core_node_status){
		.node = daemon->conf.node,
		.version = CELL_VERSION,
		.pid = (uint32_t)getpid(),
		.uptime_ms = (daemon_now() - daemon->started_ns) / MS,
		.generation = daemon->generation,
		.connections = kernel->granted,
		.clients = daemon->n_clients,
		.resolver = daemon->conf.resolver,
		.sandbox = daemon->conf.is_sandboxed ? "bwrap" : "none",
		.rundir = daemon->rundir.path,
		.statedir = daemon->rundir.state,
		.refused = kernel->refused,
	};
	for (size_t i = 0; i < kernel->n_cells; i++)
		status->cells += kernel_cell_is_known(kernel->cells[i]);
	list_walk(instance, &kernel->instances, struct kernel_instance, in_all)
		status->instances += instance->has_process;
}

static int order_status(struct order_call *call)
{
	status_fill(call->daemon, call->out);
	return 0;
}

static int order_shutdown(struct order_call *call)
{
	const struct core_shutdown_request *shutdown = call->in;
	uint64_t grace_ms = shutdown->drain_ms ? shutdown->drain_ms : CELL_SHUTDOWN_TIMEOUT_MS;

	daemon_stop(call->daemon, grace_ms < UINT64_MAX / MS / 2 ? grace_ms * MS
								     : UINT64_MAX / 2);
	return 0;
}

static int order_upgrade(struct order_call *call)
{
	const struct core_upgrade_request *upgrade = call->in;

	return resume_request(call->process, call->frame->call_id, upgrade->path, call->err);
}

void control_upgraded(struct process *process, uint64_t call_id)
{
	struct core_node_status status;

	status_fill(process->daemon, &status);
	process_reply(process, call_id, &core_node_status_type, &status, NULL, 0);
}

/* ---- the table --------------------------------------------------------------------------------------------- */

static struct order {
	const char *name;
	order_fn *run;
	enum order_right right;
	const struct cell_method *method; /* control_init() */
} orders[] = {
	{ "Hello", order_hello, ORDER_STRANGER, NULL },
	{ "Authenticate", order_authenticate, ORDER_STRANGER, NULL },
	{ "Ready", order_ready, ORDER_SPAWNED, NULL },
	{ "Connect", order_connect, ORDER_WELCOME, NULL },
	{ "Closed", order_closed, ORDER_WELCOME, NULL },
	{ "ConnectAs", order_connect_as, ORDER_SPAWNED, NULL },
	{ "ListInstances", order_list_instances, ORDER_WELCOME, NULL },
	{ "ListCells", order_list_cells, ORDER_WELCOME, NULL },
	{ "Watch", order_watch, ORDER_WELCOME, NULL },
	{ "Unwatch", order_unwatch, ORDER_WELCOME, NULL },
	{ "Spawn", order_spawn, ORDER_WELCOME, NULL },
	{ "Retire", order_retire, ORDER_WELCOME, NULL },
	{ "Load", order_load, ORDER_OWNER, NULL },
	{ "Status", order_status, ORDER_WELCOME, NULL },
	{ "Shutdown", order_shutdown, ORDER_OWNER, NULL },
	{ "Upgrade", order_upgrade, ORDER_OWNER, NULL },
};
#define N_ORDERS (sizeof orders / sizeof orders[0])

void control_init(void)
{
	for (size_t i = 0; i < N_ORDERS; i++)
		for (size_t m = 0; m < core_service.n_methods; m++)
			if (strcmp(core_service.methods[m].name, orders[i].name) == 0)
				orders[i].method = &core_service.methods[m];
}

static const struct order *order_find(uint32_t hash)
{
	for (size_t i = 0; i < N_ORDERS; i++)
		if (orders[i].method && orders[i].method->hash == hash)
			return &orders[i];
	return NULL;
}

static int order_check(const struct process *process, const struct order *order,
		       const struct frame *frame, struct cell_error *err)
{
	const struct cell_method *method = order->method;

	/* Whoever does not even say hello has no business here. */
	if (order->right != ORDER_STRANGER && process->standing != PROCESS_WELCOME) {
		(void)cell_fail(err, CELL_UNAUTHENTICATED, "%s before %s", method->name,
				process->standing == PROCESS_STRANGER ? "Hello" : "Authenticate");
		return -EPROTO;
	}
	if (frame->kind == FRAME_ONE_WAY && method->out != &common_empty_type)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "%s has an answer", method->name);
	if (order->right == ORDER_SPAWNED && !process->asker.instance)
		return cell_fail(err, CELL_PERMISSION_DENIED, "%s is for cells of this node",
				 method->name);
	if (order->right == ORDER_OWNER && !process->asker.is_owner)
		return cell_fail(err, CELL_PERMISSION_DENIED, "%s is for the node's owner",
				 method->name);
	return 0;
}

static int order_run(struct order_call *call, const struct order *order, const uint8_t *body,
		     size_t len)
{
	const struct cell_method *method = order->method;
	struct cell_arena *arena = &call->daemon->arena;
	void *in = cell_arena_calloc(arena, 1, method->in->size + 1);
	int r;

	call->in = in;
	call->out = cell_arena_calloc(arena, 1, method->out->size + 1);
	if (!in || !call->out)
		return cell_fail(call->err, -ENOMEM, "%s", method->name);
	r = order_check(call->process, order, call->frame, call->err);
	if (r == 0)
		r = method->in->decode(in, body, len, 0, arena, call->err);
	return r < 0 ? r : order->run(call);
}

static int control_order(struct process *process, const struct frame *frame, const uint8_t *body,
			 size_t len, struct cell_error *err)
{
	const struct order *order = frame->channel == 0 ? order_find(frame->code) : NULL;
	uint64_t call_id = frame->kind == FRAME_REQUEST ? frame->call_id : 0;
	struct cell_error why = { 0 };
	struct order_call call = { .daemon = process->daemon, .process = process, .frame = frame,
				   .err = &why };
	int r;

	if (order)
		r = order_run(&call, order, body, len);
	else
		r = cell_fail(&why, CELL_UNIMPLEMENTED, "no order %08x on channel %u",
			      (unsigned)frame->code, (unsigned)frame->channel);
	if (r == 0)
		process_reply(process, call_id, order->method->out, call.out, NULL, 0);
	else if (r < 0)
		process_refuse(process, call_id, &why);
	cell_arena_reset(&process->daemon->arena);
	return r == -EPROTO ? cell_fail(err, r, "%s", why.text) : 0;
}

/* ---- the resolver's answers ------------------------------------------------------------------------------------ */

static bool remote_take(struct kernel_remote *remote, const struct core_resolve_answer *answer)
{
	if (!conf_node_is_valid(answer->node) || strlen(answer->address) >= sizeof remote->address ||
	    answer->n_key > sizeof remote->key)
		return false;
	remote->is_set = true;
	(void)snprintf(remote->node, sizeof remote->node, "%s", answer->node);
	(void)snprintf(remote->address, sizeof remote->address, "%s", answer->address);
	if (answer->n_key)
		memcpy(remote->key, answer->key, answer->n_key);
	remote->key_len = answer->n_key;
	remote->instance = answer->instance;
	return true;
}

/* Only the resolver is ever asked something. */
static bool is_resolver(const struct process *process)
{
	const struct kernel_instance *instance = process->asker.instance;

	return instance && strcmp(instance->cell->name, process->daemon->conf.resolver) == 0;
}

/* A program that cannot start may say why, before it exits: the best reason there is. */
static void starting_fails(struct kernel_instance *instance, const uint8_t *body, size_t len)
{
	char text[sizeof instance->reason];

	if (instance->state != KERNEL_STARTING || instance->reason[0])
		return;
	(void)snprintf(text, sizeof text, "%.*s", (int)len, (const char *)body);
	(void)cell_log_quote(instance->reason, sizeof instance->reason, text);
}

static int control_answer(struct process *process, const struct frame *frame, const uint8_t *body,
			  size_t len)
{
	struct daemon *daemon = process->daemon;
	struct core_resolve_answer answer;
	struct kernel_remote remote = { 0 };
	struct cell_error why = { 0 };

	if (process->asker.instance && frame->kind == FRAME_ERROR)
		starting_fails(process->asker.instance, body, len);
	if (!is_resolver(process))
		return 0;
	if (frame->kind == FRAME_ERROR)
		(void)cell_fail(&why, cell_status_from_wire(frame->code), "%.*s", (int)len,
				(const char *)body);
	else if (core_resolve_answer_type.decode(&answer, body, len, 0, &daemon->arena, &why) == 0 &&
		 !remote_take(&remote, &answer))
		(void)cell_fail(&why, CELL_INTERNAL, "an answer that names no node");
	broker_resolved(&daemon->kernel, frame->call_id, remote.is_set ? &remote : NULL, &why);
	cell_arena_reset(&daemon->arena);
	return 0;
}

int control_packet(struct process *process, const struct frame *frame, const uint8_t *body,
		   size_t len, struct cell_error *err)
{
	switch (frame->kind) {
	case FRAME_REQUEST:
	case FRAME_ONE_WAY:
		return control_order(process, frame, body, len, err);
	case FRAME_CANCEL:
		(void)broker_cancel(&process->daemon->kernel, &process->asker, frame->call_id);
		return 0;
	case FRAME_REPLY:
	case FRAME_ERROR:
		return control_answer(process, frame, body, len);
	case FRAME_HELLO:
		return 0; /* says nothing here that the order Hello does not */
	default:
		return cell_fail(err, -EPROTO, "a %s frame on a control socket",
				 frame_kind_name(frame->kind));
	}
}

void control_forget(struct process *process)
{
	resume_forget(process);
	broker_asker_deinit(&process->daemon->kernel, &process->asker);
}

/* ---- outcomes ------------------------------------------------------------------------------------------------------ */

static void ask_resolver(struct daemon *daemon, struct kernel_request *request)
{
	const struct kernel_instance *resolver =
		kernel_ready(&daemon->kernel, daemon->conf.resolver);
	struct core_resolve_request question = { .cell = request->cell_name };
	struct cell_error err = { .code = CELL_UNAVAILABLE };

	if (resolver && resolver->asker &&
	    process_order(process_of(resolver->asker), FRAME_REQUEST, "Resolve", &question, NULL, 0,
			  &request->resolve_id, &err) == 0)
		return;
	broker_unresolved(&daemon->kernel, request, &err);
}

static void answer_done(struct daemon *daemon, struct kernel_request *request)
{
	struct core_instance_info info;

	control_instance_info(daemon, request->instance, request->order == KERNEL_SPAWN, &info);
	process_reply(process_of(request->asker), request->call_id, &core_instance_info_type, &info,
		      NULL, 0);
}

void control_outcome(struct daemon *daemon, struct kernel_request *request)
{
	struct kernel_asker *asker = request->asker;

	if (request->outcome == KERNEL_ASK) {
		ask_resolver(daemon, request);
		return;
	}
	if (request->stream >= 0) {
		activate_outcome(daemon, request);
		return;
	}
	if (request->outcome == KERNEL_GRANTED && !connect_grant(daemon, request))
		return;
	if (asker && request->outcome == KERNEL_DONE)
		answer_done(daemon, request);
	else if (asker && request->outcome == KERNEL_REFUSED)
		process_refuse(process_of(asker), request->call_id, &request->err);
	broker_request_deinit(request);
	free(request);
}
