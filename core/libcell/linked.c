#include <cell/linked.h>

#include "callstate.h"
#include "fileset.h"
#include "linked_kept.h"
#include "sock.h"
#include "tables.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <common.cell.h>
#include <macro.cell.h>
#include <ops.cell.h>

/* How long stand-ins may go on with what nobody waits for when the program closes its call. */
#define CLOSE_WITHIN_NS 2000000000ull

enum linked_state { LINKED_FOUND, LINKED_STARTED, LINKED_STOPPED };

struct linked_service {
	const char *name;
	const char *doc;
	void *state;
	size_t state_size;
	const struct cell_linked_method **methods;
	size_t n_methods;
	struct cell_service service;
	const struct cell_table *kept; /* where its state lasts; NULL = it does not */
};

struct linked {
	struct cell_arena arena;
	enum linked_state state;
	const struct cell_linked *const *begin;
	size_t n;
	struct linked_service *services;
	size_t n_services;
	struct cell_error failure; /* of the start: given again to who asks again */
};

/* --- finding ---------------------------------------------------------------------------- */

static const char *record_service(const struct cell_linked *record)
{
	if (record->kind == CELL_LINKED_METHOD)
		return cell_container_of(record, const struct cell_linked_method, linked)->service;
	if (record->kind == CELL_LINKED_SERVICE)
		return cell_container_of(record, const struct cell_linked_service, linked)->service;
	if (record->kind == CELL_LINKED_START || record->kind == CELL_LINKED_STOP)
		return cell_container_of(record, const struct cell_linked_hook, linked)->service;
	if (record->kind == CELL_LINKED_KEPT)
		return cell_container_of(record, const struct cell_linked_kept, linked)->service;
	return "";
}

static struct linked_service *service_find(const struct linked *linked, const char *name)
{
	for (size_t i = 0; i < linked->n_services; i++)
		if (strcmp(linked->services[i].name, name) == 0)
			return &linked->services[i];
	return NULL;
}

static struct linked_service *service_get(struct linked *linked, const char *name)
{
	struct linked_service *service = service_find(linked, name);

	if (!service) {
		service = &linked->services[linked->n_services++];
		service->name = name;
	}
	return service;
}

/* The record of a state may come from several files; they must mean one struct. */
static int take_state(struct linked_service *service, const struct cell_linked_service *record,
		      struct cell_error *err)
{
	if (service->state_size && record->state_size && service->state_size != record->state_size)
		return cell_fail(err, CELL_ALREADY_EXISTS,
				 "%s: two files disagree about its state: %zu and %zu bytes",
				 service->name, service->state_size, record->state_size);
	if (record->state_size)
		service->state_size = record->state_size;
	if (record->doc && *record->doc)
		service->doc = record->doc;
	return 0;
}

static int take_table(struct linked_service *service, const struct cell_linked_kept *record,
		      struct cell_error *err)
{
	if (service->kept && service->kept != record->table)
		return cell_fail(err, CELL_ALREADY_EXISTS, "%s: its state is kept in two tables, %s and %s",
				 service->name, service->kept->name, record->table->name);
	service->kept = record->table;
	return 0;
}

static int method_order(const void *a, const void *b)
{
	const struct cell_linked_method *const *x = a, *const *y = b;

	return strcmp((*x)->method.name, (*y)->method.name);
}

/* Group what is there by service. */
static int find(struct linked *linked, struct cell_error *err)
{
	size_t n = linked->n ? linked->n : 1;

	linked->services = cell_arena_calloc(&linked->arena, n, sizeof *linked->services);
	if (!linked->services)
		return cell_fail(err, -ENOMEM, "linked services");
	for (size_t i = 0; i < linked->n; i++) {
		const struct cell_linked *record = linked->begin[i];
		struct linked_service *service;
		int r = 0;

		if (!*record_service(record))
			continue;
		service = service_get(linked, record_service(record));
		if (record->kind == CELL_LINKED_SERVICE)
			r = take_state(service, cell_container_of(record, const struct cell_linked_service,
								  linked), err);
		else if (record->kind == CELL_LINKED_KEPT)
			r = take_table(service, cell_container_of(record, const struct cell_linked_kept,
								  linked), err);
		if (r < 0)
			return r;
		if (record->kind != CELL_LINKED_METHOD)
			continue;
		if (!service->methods)
			service->methods = cell_arena_calloc(&linked->arena, n,
							     sizeof(struct cell_linked_method *));
		if (!service->methods)
			return cell_fail(err, -ENOMEM, "linked services");
		service->methods[service->n_methods++] =
			cell_container_of(record, const struct cell_linked_method, linked);
	}
	for (size_t i = 0; i < linked->n_services; i++)
		if (linked->services[i].n_methods)
			qsort(linked->services[i].methods, linked->services[i].n_methods,
			      sizeof(struct cell_linked_method *), method_order);
	return 0;
}

static int linked_new(struct runtime *rt, const struct cell_linked *const *begin,
		      const struct cell_linked *const *end, struct cell_error *err)
{
	struct linked *linked = calloc(1, sizeof *linked);
	int r;

	if (!linked)
		return cell_fail(err, -ENOMEM, "linked services");
	cell_arena_init(&linked->arena, 0);
	linked->begin = begin;
	linked->n = begin ? (size_t)(end - begin) : 0;
	r = find(linked, err);
	if (r < 0) {
		cell_arena_deinit(&linked->arena);
		free(linked);
		return r;
	}
	rt->linked = linked;
	return 0;
}

void linked_free(struct runtime *rt)
{
	if (!rt->linked)
		return;
	cell_arena_deinit(&rt->linked->arena);
	free(rt->linked);
	rt->linked = NULL;
}

/* --- starting --------------------------------------------------------------------------- */

/* "cell.bank.v1.Bank" of "cell.bank.v1.Bank/Deposit", the same for all its methods. */
static int name_service(struct linked *linked, struct linked_service *service,
			struct cell_error *err)
{
	const char *first = service->methods[0]->method.full_name;
	const char *slash = strchr(first, '/');
	size_t len = slash ? (size_t)(slash - first) : 0;

	for (size_t i = 1; i < service->n_methods; i++)
		if (strncmp(service->methods[i]->method.full_name, first, len + 1) != 0)
			return cell_fail(err, CELL_ALREADY_EXISTS,
					 "service '%s' has methods %s and %s, of two full names",
					 service->name, first,
					 service->methods[i]->method.full_name);
	service->service.name = cell_arena_strndup(&linked->arena, first, len);
	return service->service.name ? 0 : cell_fail(err, -ENOMEM, "service '%s'", service->name);
}

static int describe(struct linked *linked, struct linked_service *service, struct cell_error *err)
{
	const struct fileset_service described = {
		.full_name = service->service.name, .doc = service->doc,
		.methods = service->methods, .n_methods = service->n_methods,
	};
	const uint8_t *common;
	size_t len = 0;

	/* One text for a file of one name: whoever reads the schema meets both. */
	common = fileset_find(ops_service.schema, ops_service.schema_len, "common.proto", &len);
	return fileset_build(&described, common, len, &linked->arena, &service->service.schema,
			     &service->service.schema_len, err);
}

static int start_service(struct runtime *rt, struct linked *linked,
			 struct linked_service *service, struct cell_error *err)
{
	struct cell_arena *arena = &linked->arena;
	struct cell_method *methods;
	cell_invoke_fn **invoke;
	int r;

	if (service->n_methods == 0)
		return 0;
	r = name_service(linked, service, err);
	if (r == 0)
		r = describe(linked, service, err);
	if (r < 0)
		return r;
	methods = cell_arena_calloc(arena, service->n_methods, sizeof *methods);
	invoke = cell_arena_calloc(arena, service->n_methods, sizeof *invoke);
	if (!methods || !invoke)
		return cell_fail(err, -ENOMEM, "service '%s'", service->name);
	for (size_t i = 0; i < service->n_methods; i++) {
		methods[i] = service->methods[i]->method;
		invoke[i] = service->methods[i]->invoke;
	}
	service->service.methods = methods;
	service->service.invoke = invoke;
	service->service.n_methods = service->n_methods;
	r = server_register(rt, &service->service, NULL, service->state, false, err);
	if (r == 0 && service->kept)
		r = kept_methods(rt, service->kept, service->methods, service->n_methods, arena, err);
	return r;
}

/* Whether all that lasts can be had, before anybody is told that we are ready. */
static int load_kept(const struct linked *linked, struct cell_call *call)
{
	int r = 0;

	for (size_t i = 0; i < linked->n_services && r == 0; i++)
		if (linked->services[i].kept)
			r = kept_load(call, linked->services[i].kept);
	return r;
}

static int run_hooks(struct linked *linked, struct cell_call *call, uint32_t kind)
{
	int first = 0;

	for (size_t i = 0; i < linked->n; i++) {
		const struct cell_linked_hook *hook;
		struct linked_service *service;
		int r;

		if (linked->begin[i]->kind != kind)
			continue;
		hook = cell_container_of(linked->begin[i], const struct cell_linked_hook, linked);
		service = service_find(linked, hook->service);
		r = service && service->kept ? kept_hook(call, service->kept, hook)
					     : hook->run(call, service ? service->state : NULL);
		if (r > 0) {
			cell_log(CELL_LOG_ERR, "server", "positive_result", "function=%s result=%d",
				 hook->name, r);
			r = cell_refuse(call, CELL_INTERNAL, "%s returned %d", hook->name, r);
		} else if (r < 0) {
			r = cell_wrap(cell_error_slot(call), r, "%s", hook->name);
		}
		if (r < 0 && kind == CELL_LINKED_START)
			return r;
		first = first ? first : r; /* stopping goes on */
	}
	return first;
}

static int start(struct runtime *rt, struct cell_call *call)
{
	struct linked *linked = rt->linked;
	struct cell_error *err = &call->root->error;
	int r = 0;

	if (linked->failure.code)
		*err = linked->failure;
	if (linked->state != LINKED_FOUND)
		return linked->failure.code;
	linked->state = LINKED_STARTED;
	for (size_t i = 0; i < linked->n_services && r == 0; i++) {
		struct linked_service *service = &linked->services[i];

		if (!service->state_size || service->kept)
			continue;
		service->state = cell_arena_calloc(&linked->arena, 1, service->state_size);
		if (!service->state)
			r = cell_fail(err, -ENOMEM, "%s: a state of %zu bytes", service->name,
				      service->state_size);
	}
	if (r == 0)
		r = load_kept(linked, call);
	if (r == 0)
		r = run_hooks(linked, call, CELL_LINKED_START);
	for (size_t i = 0; i < linked->n_services && r == 0; i++)
		r = start_service(rt, linked, &linked->services[i], err);
	if (r < 0) {
		linked->failure = *err;
		linked->failure.code = r;
		linked->state = LINKED_STOPPED;
	}
	return r;
}

int linked_stop(struct runtime *rt, struct cell_call *call)
{
	if (!rt->linked || rt->linked->state != LINKED_STARTED)
		return 0;
	rt->linked->state = LINKED_STOPPED;
	return run_hooks(rt->linked, call, CELL_LINKED_STOP);
}

/* --- provisioning ------------------------------------------------------------------------ */

static const struct cell_provision *provision_at(const struct linked *linked, size_t i)
{
	if (linked->begin[i]->kind != CELL_LINKED_PROVISION)
		return NULL;
	return cell_container_of(linked->begin[i], const struct cell_provision, linked);
}

/* A header's declarations have a pointer in each file, to one record. */
static bool is_repeated(const struct linked *linked, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (linked->begin[i] == linked->begin[at])
			return true;
	return false;
}

/* Everything that goes to the provider of record FIRST, in one request. */
static int provision_one(struct linked *linked, struct cell_call *call, size_t first)
{
	const char *cell = provision_at(linked, first)->cell;
	struct macro_provision_request request = { .program = call->root->rt->cell };
	struct macro_declared *declared;
	struct macro_provisioned answer;
	int r;

	declared = cell_arena_calloc(cell_arena(call), linked->n, sizeof *declared);
	if (!declared)
		return cell_refuse(call, -ENOMEM, "provisioning");
	request.declared = declared;
	for (size_t i = first; i < linked->n; i++) {
		const struct cell_provision *record = provision_at(linked, i);

		if (record && strcmp(record->cell, cell) == 0 && !is_repeated(linked, i))
			declared[request.n_declared++] = (struct macro_declared){
				.ns = record->ns, .name = record->name,
				.n_digest = 32, .digest = record->digest,
				.n_body = record->body_len, .body = record->body,
			};
	}
	r = macro_provider_provision(cell_to(call, cell, 0), &request, &answer);
	if (r == CELL_PERMISSION_DENIED)
		return cell_wrap(cell_error_slot(call), r,
				 "'%s' is to be provisioned by cell '%s' "
				 "(the manifest needs \"%s = app macro\" under [uses])",
				 declared[0].name, cell, cell);
	if (r == 0 && answer.status)
		r = cell_refuse(call, cell_status_from_wire(answer.status), "%s",
				answer.n_diagnostics ? answer.diagnostics[0].text : "refused");
	if (r < 0)
		return cell_wrap(cell_error_slot(call), r, "provisioning '%s' at cell '%s'",
				 declared[0].name, cell);
	for (size_t i = 0; i < answer.n_changes; i++)
		cell_log(CELL_LOG_INFO, "server", "provisioned", "cell=%s change=\"%s\"", cell,
			 answer.changes[i]);
	return 0;
}

static int provision(struct linked *linked, struct cell_call *call)
{
	for (size_t i = 0; i < linked->n; i++) {
		const struct cell_provision *record = provision_at(linked, i);
		bool is_first = record != NULL;
		int r;

		for (size_t j = 0; j < i && is_first; j++)
			is_first = !provision_at(linked, j) ||
				   strcmp(provision_at(linked, j)->cell, record->cell) != 0;
		r = is_first ? provision_one(linked, call, i) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

int linked_provision(struct cell_call *call, const struct cell_ref *ref, const char *cell)
{
	struct linked linked = {
		.begin = ref->linked, .n = (size_t)(ref->linked_end - ref->linked) };

	for (size_t i = 0; i < linked.n; i++)
		if (provision_at(&linked, i) && strcmp(provision_at(&linked, i)->cell, cell) == 0)
			return provision_one(&linked, call, i);
	return LINKED_NONE;
}

int cell_serve_records(struct cell_call *call, const struct cell_linked *const *begin,
		       const struct cell_linked *const *end)
{
	struct call_root *root = call->root;
	struct runtime *rt = root->rt;
	size_t n_methods = 0;
	int r;

	if (!rt)
		return root->error.code;
	if (rt->linked || rt->is_serving)
		return cell_refuse(call, CELL_FAILED_PRECONDITION,
				   "linked services are served already");
	r = linked_new(rt, begin, end, &root->error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < rt->linked->n_services; i++)
		n_methods += rt->linked->services[i].n_methods;
	if (n_methods == 0)
		return cell_refuse(call, CELL_FAILED_PRECONDITION,
				   "no handlers linked in; an archive needs --whole-archive");
	r = provision(rt->linked, call);
	return r < 0 ? r : start(rt, call);
}

/* --- nothing ------------------------------------------------------------------------------ */

static int empty_decode(void *message, const uint8_t *bytes, size_t len, unsigned flags,
			struct cell_arena *arena, struct cell_error *err)
{
	struct cell_decoder d;

	cell_decode_begin(&d, flags, arena, err);
	cell_common_empty_init(message);
	if (!len)
		return 0;
	return cell_decode_end(&d, cell_common_empty_merge(&d, bytes, bytes + len, message));
}

const struct cell_message_type cell_empty_type = {
	.name = "cell.common.v1.Empty",
	.size = sizeof(struct common_empty),
	.bound = cell_common_empty_bound,
	.encode = cell_common_empty_encode,
	.decode = empty_decode,
};

/* --- standing in -------------------------------------------------------------------------- */

/* Whether this process is an instance of CELL: only then calls to it leave the process. */
static int is_instance_of(struct runtime *rt, struct cell_call *call, const char *cell)
{
	struct connection *control;
	int r;

	if (!rt->is_spawned && !getenv("CELL_CONTROL_FD"))
		return 0;
	r = runtime_control(rt, call, call->deadline_ns, &control);
	return r < 0 ? r : strcmp(rt->cell, cell) == 0;
}

static int join_ends(struct runtime *rt, const char *cell, struct connection **ret_conn,
		     struct cell_error *err)
{
	struct cell_peer server = { .cell = cell, .node = rt->node, .principal = "" };
	struct connection *ends[2] = { NULL, NULL };
	int fds[2], r;

	r = sock_pair(fds, SOCK_STREAM, err);
	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++) {
		struct link link;

		r = link_open_socket(&link, LINK_STREAM, fds[i], err);
		if (r < 0) {
			(void)close(fds[i]);
			if (i == 0)
				(void)close(fds[1]);
			break;
		}
		r = connection_new(&ends[i], rt, &link, i ? CONNECTION_SERVER : CONNECTION_CLIENT,
				   i ? &rt->self : &server, err);
		if (r < 0) {
			if (i == 0)
				(void)close(fds[1]);
			break;
		}
		memset(ends[i]->channels, 0xff, sizeof ends[i]->channels);
		ends[i]->peer.is_owner = true;
	}
	if (r < 0 && ends[0]) {
		connection_break(ends[0], r, "no other end");
		connection_unref(ends[0]);
	}
	*ret_conn = ends[0];
	return r;
}

int linked_connect(struct runtime *rt, struct cell_call *call, const char *cell,
		   struct connection **ret_conn)
{
	struct cell_error *err = &call->root->error;
	struct linked_service *service;
	int r = 0;

	if (!rt->linked && rt->records && rt->records != rt->records_end)
		r = linked_new(rt, rt->records, rt->records_end, err);
	if (r < 0)
		return r;
	service = rt->linked ? service_find(rt->linked, cell) : NULL;
	if (!service || service->n_methods == 0)
		return LINKED_NONE;
	r = is_instance_of(rt, call, cell);
	if (r != 0)
		return r < 0 ? r : LINKED_NONE;
	r = start(rt, call);
	if (r == 0)
		r = join_ends(rt, cell, ret_conn, err);
	if (r == 0)
		(*ret_conn)->is_stand_in = true;
	return r;
}

const struct cell_method *linked_method(const struct runtime *rt, uint32_t hash)
{
	for (size_t i = 0; rt->linked && i < rt->linked->n_services; i++)
		for (size_t k = 0; k < rt->linked->services[i].n_methods; k++)
			if (rt->linked->services[i].methods[k]->method.hash == hash)
				return &rt->linked->services[i].methods[k]->method;
	return NULL;
}

void linked_close(struct runtime *rt, struct cell_call *call)
{
	struct list *at = rt->connections.next;
	int r = 0;

	if (!rt->linked || rt->linked->state != LINKED_STARTED)
		return;
	while (at != &rt->connections) {
		struct connection *conn = list_entry(at, struct connection, all);

		at = at->next;
		if (conn->role == CONNECTION_SERVER)
			connection_break(conn, CELL_CANCELLED, "the program closed it");
	}
	/* Handlers that were waiting find themselves cancelled, and end. */
	if (rt->n_serving)
		runtime_drain(rt, CLOSE_WITHIN_NS);
	while (rt->n_serving && !rt->must_stop && r == 0)
		r = runtime_wait(rt, call->root, &rt->runner, UINT64_MAX);
	(void)linked_stop(rt, call);
}
