/*
 * The kernel's state as a story: cells, instances, orders and time go in; work and
 * outcomes come out. Nothing here is a process.
 */
#include "cellcore/broker.h"
#include "cellcore/kernel.h"

#include <cell/defaults.h>
#include <cell/message.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

static struct conf conf;
static struct kernel kernel;
static struct kernel_asker owner;
static uint64_t now;
static struct cell_manifest *manifests[64];
static size_t n_manifests;

static void setup(void)
{
	conf_init(&conf);
	strcpy(conf.node, "n1");
	now = 1000 * SECOND;
	n_manifests = 0;
	ck_assert_int_eq(kernel_init(&kernel, &conf, NULL, NULL), 0);
	memset(&owner, 0, sizeof owner);
	broker_asker_init(&owner);
	owner.is_owner = true;
	owner.quota = kernel_quota_uid(&kernel, 0, true);
}

static void teardown(void)
{
	struct kernel_instance *instance;
	struct kernel_request *request;
	struct kernel_end end = { .is_clean = true, .reason = "over" };

	broker_asker_deinit(&kernel, &owner);
	kernel_shutdown(&kernel, 0, now);
	list_walk(instance, &kernel.instances, struct kernel_instance, in_all)
		kernel_instance_ended(&kernel, instance, &end, now);
	while ((request = broker_next_outcome(&kernel))) {
		broker_request_deinit(request);
		free(request);
	}
	quota_unref(owner.quota);
	ck_assert_uint_eq(kernel.n_links, 0);
	kernel_deinit(&kernel);
	while (n_manifests > 0)
		cell_manifest_free(manifests[--n_manifests]);
}

/* A cell NAME whose manifest has MORE behind its name and program. */
static struct kernel_cell *cell(const char *name, const char *more)
{
	struct cell_manifest *manifest;
	struct cell_error err = { 0 };
	struct kernel_cell *made;
	char text[1024];
	int n = snprintf(text, sizeof text, "[cell]\nname = %s\nexec = /bin/%s\n%s", name, name, more);

	ck_assert_msg(cell_manifest_parse(&manifest, text, (size_t)n, "x", &err) == 0, "%s", err.text);
	manifests[n_manifests++] = manifest;
	made = kernel_cell_add(&kernel, name);
	made->manifest = manifest;
	return made;
}

static struct kernel_request *order(struct kernel_asker *asker, enum kernel_order what,
				    const char *name)
{
	struct kernel_request *request = calloc(1, sizeof *request);

	request->order = what;
	request->asker = asker;
	request->stream = -1;
	snprintf(request->cell_name, sizeof request->cell_name, "%s", name);
	return request;
}

static struct kernel_request *ordered(struct kernel_asker *asker, enum kernel_order what,
				      const char *name)
{
	struct kernel_request *request = order(asker, what, name);

	broker_submit(&kernel, request, now);
	return request;
}

static struct kernel_request *connect_to(struct kernel_asker *asker, const char *name)
{
	return ordered(asker, KERNEL_CONNECT, name);
}

/* REQUEST is the next outcome, and it is OUTCOME. Freed unless it goes on. */
static void expect(struct kernel_request *request, enum kernel_outcome outcome)
{
	ck_assert_ptr_eq(broker_next_outcome(&kernel), request);
	ck_assert_msg(request->outcome == outcome, "%d, not %d: %s", request->outcome, outcome,
		      request->err.text);
}

static void done(struct kernel_request *request)
{
	broker_request_deinit(request);
	free(request);
}

static void expect_refused(struct kernel_request *request, int code, const char *text)
{
	expect(request, KERNEL_REFUSED);
	ck_assert_int_eq(request->err.code, code);
	ck_assert_msg(strstr(request->err.text, text) != NULL, "'%s' is not in '%s'", text,
		      request->err.text);
	done(request);
}

static uint64_t expect_granted(struct kernel_request *request)
{
	uint64_t id;

	expect(request, KERNEL_GRANTED);
	id = request->link->server->id;
	done(request);
	return id;
}

/* The next work is to spawn an instance: done. */
static struct kernel_instance *spawned(void)
{
	unsigned work = 0;
	struct kernel_instance *instance = kernel_next_work(&kernel, now, &work);

	ck_assert_ptr_nonnull(instance);
	ck_assert_uint_eq(work, KERNEL_WORK_SPAWN);
	kernel_instance_spawned(&kernel, instance, now);
	return instance;
}

static void no_work(void)
{
	unsigned work;

	ck_assert_ptr_null(kernel_next_work(&kernel, now, &work));
}

static void expect_work(struct kernel_instance *instance, unsigned bits)
{
	unsigned work = 0;

	ck_assert_ptr_eq(kernel_next_work(&kernel, now, &work), instance);
	ck_assert_uint_eq(work, bits);
}

/* An asker of INSTANCE: what its control connection would be. */
static struct kernel_asker *control_of(struct kernel_instance *instance)
{
	struct kernel_asker *asker = calloc(1, sizeof *asker);

	broker_asker_init(asker);
	asker->instance = instance;
	asker->quota = kernel_quota_cell(&kernel, instance->cell);
	instance->asker = asker;
	return asker;
}

static void ready(struct kernel_instance *instance)
{
	control_of(instance);
	instance->takes_streams = true;
	kernel_instance_ready(&kernel, instance, now);
}

static void ended(struct kernel_instance *instance, bool is_clean)
{
	struct kernel_end end = { .is_clean = is_clean,
				  .reason = is_clean ? "exited with status 0" : "exited with status 1" };

	if (instance->asker) {
		broker_asker_deinit(&kernel, instance->asker);
		quota_unref(instance->asker->quota);
		free(instance->asker);
		instance->asker = NULL;
	}
	kernel_instance_ended(&kernel, instance, &end, now);
}

/* Started on demand of the owner, and ready. */
static struct kernel_instance *running(const char *name)
{
	struct kernel_request *request = ordered(&owner, KERNEL_SPAWN, name);
	struct kernel_instance *instance = spawned();

	ready(instance);
	expect(request, KERNEL_DONE);
	ck_assert_ptr_eq(request->instance, instance);
	done(request);
	return instance;
}

static void free_control(struct kernel_instance *instance)
{
	if (instance->asker)
		ended(instance, true);
}

static void all_end(void)
{
	struct kernel_instance *instance;

	kernel_shutdown(&kernel, 0, now);
	list_walk(instance, &kernel.instances, struct kernel_instance, in_all)
		free_control(instance);
}

static void pass(uint64_t ns)
{
	now += ns;
	kernel_tick(&kernel, now);
}

/* ---- connecting ------------------------------------------------------------------------- */

START_TEST(a_connect_starts_what_does_not_run)
{
	struct kernel_request *request;
	struct kernel_instance *instance;

	cell("greeter", "");
	request = connect_to(&owner, "greeter");
	ck_assert_ptr_null(broker_next_outcome(&kernel));
	instance = spawned();
	ck_assert_uint_eq(owner.quota->used[QUOTA_PENDING], 1);
	ready(instance);
	ck_assert_uint_eq(expect_granted(request), instance->id);
	ck_assert_uint_eq(owner.quota->used[QUOTA_PENDING], 0);
	ck_assert_uint_eq(owner.quota->used[QUOTA_CONNECTIONS], 1);
	ck_assert_uint_eq(instance->n_links, 1);
	all_end();
	ck_assert_uint_eq(owner.quota->used[QUOTA_CONNECTIONS], 0);
	ck_assert_uint_eq(owner.quota->used[QUOTA_RING_BYTES], 0);
}
END_TEST

START_TEST(what_has_come_is_not_due_any_more)
{
	struct kernel_request *request;
	struct kernel_instance *instance;
	uint64_t later;

	cell("greeter", "");
	cell("slow", "");
	ck_assert_uint_eq(kernel_next_due(&kernel), 0);
	request = connect_to(&owner, "greeter");
	instance = spawned();
	ck_assert_uint_eq(kernel_next_due(&kernel), now + CELL_READY_TIMEOUT_MS * MS);
	now += SECOND;
	ready(instance);
	ck_assert_uint_eq(expect_granted(request), instance->id);
	ck_assert_uint_eq(kernel_next_due(&kernel), 0);
	/* Nor does what has come hide what has not. */
	request = connect_to(&owner, "slow");
	later = now + CELL_READY_TIMEOUT_MS * MS;
	(void)spawned();
	ck_assert_uint_eq(kernel_next_due(&kernel), later);
	kernel_instance_retire(&kernel, instance, SECOND, false, "retired", now);
	ck_assert_uint_eq(kernel_next_due(&kernel), now + SECOND);
	ended(instance, true);
	ck_assert_uint_eq(kernel_next_due(&kernel), later);
	broker_asker_deinit(&kernel, &owner);
	expect_refused(request, CELL_CANCELLED, "gone");
	all_end();
}
END_TEST

START_TEST(those_who_wait_for_one_start_start_no_other)
{
	struct kernel_request *requests[10];

	cell("greeter", "max-instances = 8\n");
	for (int i = 0; i < 10; i++)
		requests[i] = connect_to(&owner, "greeter");
	ready(spawned());
	no_work();
	for (int i = 0; i < 10; i++)
		expect_granted(requests[i]);
	all_end();
}
END_TEST

START_TEST(the_one_with_the_fewest_connections_is_chosen)
{
	uint64_t first, second;

	cell("greeter", "max-instances = 2\n");
	first = running("greeter")->id;
	second = running("greeter")->id;
	/* In turns while they have the same. */
	ck_assert_uint_eq(expect_granted(connect_to(&owner, "greeter")), first);
	ck_assert_uint_eq(expect_granted(connect_to(&owner, "greeter")), second);
	ck_assert_uint_eq(expect_granted(connect_to(&owner, "greeter")), first);
	ck_assert_uint_eq(expect_granted(connect_to(&owner, "greeter")), second);
	all_end();
}
END_TEST

START_TEST(what_said_goaway_is_left_out)
{
	struct kernel_instance *first, *second;
	struct kernel_request *request;

	cell("greeter", "max-instances = 2\n");
	first = running("greeter");
	request = order(&owner, KERNEL_CONNECT, "greeter");
	request->excluded[0] = first->id;
	request->n_excluded = 1;
	broker_submit(&kernel, request, now);
	second = spawned();
	ready(second);
	ck_assert_uint_eq(expect_granted(request), second->id);
	/* With both left out there is nobody, and no room for a third. */
	request = order(&owner, KERNEL_CONNECT, "greeter");
	request->excluded[0] = first->id;
	request->excluded[1] = second->id;
	request->n_excluded = 2;
	broker_submit(&kernel, request, now);
	expect_refused(request, CELL_RESOURCE_EXHAUSTED, "max-instances");
	all_end();
}
END_TEST

START_TEST(a_certain_instance_can_be_asked_for)
{
	struct kernel_instance *first, *second;
	struct kernel_request *request;

	cell("greeter", "max-instances = 2\n");
	first = running("greeter");
	second = running("greeter");
	request = order(&owner, KERNEL_CONNECT, "greeter");
	request->instance_id = second->id;
	broker_submit(&kernel, request, now);
	ck_assert_uint_eq(expect_granted(request), second->id);
	request = order(&owner, KERNEL_CONNECT, "greeter");
	request->instance_id = 77;
	broker_submit(&kernel, request, now);
	expect_refused(request, CELL_NOT_FOUND, "greeter/77 is not running");
	kernel_instance_retire(&kernel, first, SECOND, false, "retired", now);
	request = order(&owner, KERNEL_CONNECT, "greeter");
	request->instance_id = first->id;
	broker_submit(&kernel, request, now);
	expect_refused(request, CELL_UNAVAILABLE, "ending");
	all_end();
}
END_TEST

START_TEST(no_spawn_starts_nothing)
{
	struct kernel_request *request;

	cell("greeter", "");
	request = order(&owner, KERNEL_CONNECT, "greeter");
	request->no_spawn = true;
	broker_submit(&kernel, request, now);
	expect_refused(request, CELL_UNAVAILABLE, "greeter is not running");
	no_work();
}
END_TEST

START_TEST(names_are_checked_and_guessed)
{
	cell("greeter", "");
	expect_refused(connect_to(&owner, "Greeter!"), CELL_INVALID_ARGUMENT, "no name of a cell");
	expect_refused(connect_to(&owner, ""), CELL_INVALID_ARGUMENT, "no name of a cell");
	expect_refused(connect_to(&owner, "greter"), CELL_NOT_FOUND, "did you mean 'greeter'?");
	expect_refused(connect_to(&owner, "bank"), CELL_NOT_FOUND, "cell new bank");
}
END_TEST

START_TEST(a_wrong_manifest_is_the_reason)
{
	struct kernel_cell *broken = kernel_cell_add(&kernel, "broken");

	cell_fail(&broken->broken, CELL_INVALID_ARGUMENT, "broken.cell:3:1: unknown key 'exce'");
	expect_refused(connect_to(&owner, "broken"), CELL_FAILED_PRECONDITION, "broken.cell:3:1");
	expect_refused(ordered(&owner, KERNEL_SPAWN, "broken"), CELL_FAILED_PRECONDITION, "exce");
}
END_TEST

/* ---- who may ------------------------------------------------------------------------------- */

START_TEST(a_cell_connects_only_to_what_it_uses)
{
	struct kernel_instance *greeter;
	struct kernel_request *request;

	cell("greeter", "[uses]\nlog = app\n");
	cell("log", "");
	cell("bank", "");
	greeter = running("greeter");
	expect_refused(connect_to(greeter->asker, "bank"), CELL_PERMISSION_DENIED,
		       "greeter.cell has no [uses] bank; add \"bank = app\" under [uses]");
	request = connect_to(greeter->asker, "log");
	ready(spawned());
	expect(request, KERNEL_GRANTED);
	ck_assert(cell_channels_has(&request->channels, 0));
	ck_assert(!cell_channels_has(&request->channels, 2));
	done(request);
	ck_assert_uint_eq(kernel.refused, 1);
	all_end();
}
END_TEST

START_TEST(a_star_counts_only_for_the_trusted)
{
	struct kernel_instance *spy;

	cell("spy", "[uses]\n* = ops\n");
	cell("bank", "");
	spy = running("spy");
	expect_refused(connect_to(spy->asker, "bank"), CELL_PERMISSION_DENIED, "[uses] bank");
	strcpy(conf.trusted, "gateway spy");
	connect_to(spy->asker, "bank");
	ready(spawned());
	done(broker_next_outcome(&kernel));
	all_end();
}
END_TEST

START_TEST(the_macro_cell_reaches_providers_and_nothing_else)
{
	struct kernel_instance *macro;
	struct kernel_request *request;

	cell("macro", "[uses]\n* = all\n");
	cell("bank", "");
	running("bank");
	macro = running("macro");
	request = connect_to(macro->asker, "bank");
	expect(request, KERNEL_GRANTED);
	ck_assert(cell_channels_has(&request->channels, CELL_CHANNEL_MACRO));
	ck_assert(cell_channels_has(&request->channels, CELL_CHANNEL_OPS));
	ck_assert(!cell_channels_has(&request->channels, CELL_CHANNEL_APP));
	ck_assert(!cell_channels_has(&request->channels, 0x80));
	done(request);
	/* Another cell plays the part: this one is like any other. */
	strcpy(conf.macro, "expander");
	expect_refused(connect_to(macro->asker, "bank"), CELL_PERMISSION_DENIED, "[uses] bank");
	all_end();
}
END_TEST

START_TEST(only_the_owner_has_every_channel)
{
	struct kernel_asker other = { .uid = 1001 };
	struct kernel_request *request;

	broker_asker_init(&other);
	other.quota = kernel_quota_uid(&kernel, 1001, false);
	cell("bank", "");
	cell("shop", "[serves]\nuid = 1001\n");
	running("bank");
	running("shop");
	expect_refused(connect_to(&other, "bank"), CELL_PERMISSION_DENIED,
		       "add \"uid = 1001\" under [serves]");
	request = connect_to(&other, "shop");
	expect(request, KERNEL_GRANTED);
	ck_assert_uint_ne(request->channels.bits[0], UINT64_MAX);
	ck_assert(cell_channels_has(&request->channels, 0));
	done(request);
	request = connect_to(&owner, "bank");
	expect(request, KERNEL_GRANTED);
	ck_assert_uint_eq(request->channels.bits[0], UINT64_MAX);
	done(request);
	expect_refused(ordered(&other, KERNEL_SPAWN, "shop"), CELL_PERMISSION_DENIED, "spawn =");
	broker_asker_deinit(&kernel, &other);
	quota_unref(other.quota);
	all_end();
}
END_TEST

static struct kernel_request *connect_as(struct kernel_asker *asker, const char *node,
					 const char *as, const char *name)
{
	struct kernel_request *request = order(asker, KERNEL_CONNECT, name);

	snprintf(request->as_node, sizeof request->as_node, "%s", node);
	snprintf(request->as_cell, sizeof request->as_cell, "%s", as);
	broker_submit(&kernel, request, now);
	return request;
}

START_TEST(only_the_gateway_connects_as_others_and_only_where_they_are_served)
{
	struct kernel_instance *gateway, *greeter;
	struct kernel_request *request;

	strcpy(conf.gateway, "gateway");
	cell("gateway", "");
	cell("greeter", "");
	cell("bank", "[serves]\nremote = node2/teller\n");
	gateway = running("gateway");
	greeter = running("greeter");
	running("bank");
	expect_refused(connect_as(greeter->asker, "node2", "teller", "bank"),
		       CELL_PERMISSION_DENIED, "only the node's gateway");
	expect_refused(connect_as(&owner, "node2", "teller", "bank"), CELL_PERMISSION_DENIED,
		       "only the node's gateway");
	expect_refused(connect_as(gateway->asker, "node3", "teller", "bank"),
		       CELL_PERMISSION_DENIED, "add \"remote = node3/teller\" under [serves]");
	expect_refused(connect_as(gateway->asker, "node2", "../x", "bank"), CELL_INVALID_ARGUMENT,
		       "no names");
	/* In its own name it needs [uses] like everybody else. */
	expect_refused(connect_to(gateway->asker, "bank"), CELL_PERMISSION_DENIED, "[uses] bank");
	request = connect_as(gateway->asker, "node2", "teller", "bank");
	expect(request, KERNEL_GRANTED);
	ck_assert_uint_ne(request->channels.bits[0], UINT64_MAX);
	done(request);
	all_end();
}
END_TEST

START_TEST(a_cell_that_node_conf_names_may_spawn_and_retire)
{
	struct kernel_instance *scaler, *bank;
	struct kernel_request *request;

	strcpy(conf.spawn, "autoscaler");
	cell("autoscaler", "");
	cell("bank", "max-instances = 3\n");
	scaler = running("autoscaler");
	request = ordered(scaler->asker, KERNEL_SPAWN, "bank");
	bank = spawned();
	ready(bank);
	expect(request, KERNEL_DONE);
	done(request);
	expect_refused(ordered(bank->asker, KERNEL_SPAWN, "bank"), CELL_PERMISSION_DENIED,
		       "bank may neither spawn");
	expect_refused(ordered(bank->asker, KERNEL_RETIRE, "autoscaler"), CELL_PERMISSION_DENIED,
		       "bank may neither spawn");
	all_end();
}
END_TEST

/* ---- quotas ---------------------------------------------------------------------------------- */

START_TEST(connections_are_charged_until_the_server_says_closed)
{
	struct kernel_instance *bank;
	struct kernel_request *request;
	uint64_t link;

	cell("bank", "");
	bank = running("bank");
	owner.quota->limits.max[QUOTA_CONNECTIONS] = 1;
	request = connect_to(&owner, "bank");
	link = request->link->id;
	expect_granted(request);
	expect_refused(connect_to(&owner, "bank"), CELL_RESOURCE_EXHAUSTED, "limit 1");
	/* The client's word counts for the choice of instances, not for its quota. */
	ck_assert(broker_closed(&kernel, &owner, link));
	ck_assert_uint_eq(bank->n_links, 0);
	ck_assert_uint_eq(bank->n_held, 1);
	expect_refused(connect_to(&owner, "bank"), CELL_RESOURCE_EXHAUSTED, "limit 1");
	ck_assert(!broker_closed(&kernel, &owner, link));
	ck_assert(broker_closed(&kernel, bank->asker, link));
	ck_assert(!broker_closed(&kernel, bank->asker, link));
	ck_assert_uint_eq(bank->n_held, 0);
	expect_granted(connect_to(&owner, "bank"));
	all_end();
}
END_TEST

START_TEST(nobody_closes_what_is_anothers)
{
	struct kernel_instance *bank, *shop;
	struct kernel_request *request;
	uint64_t link;

	cell("bank", "");
	cell("shop", "");
	bank = running("bank");
	shop = running("shop");
	request = connect_to(&owner, "bank");
	link = request->link->id;
	expect_granted(request);
	ck_assert(!broker_closed(&kernel, shop->asker, link));
	ck_assert_uint_eq(bank->n_held, 1);
	all_end();
}
END_TEST

START_TEST(the_end_of_a_server_frees_its_clients_quota)
{
	struct kernel_instance *bank;

	cell("bank", "restart = never\n");
	bank = running("bank");
	for (int i = 0; i < 100; i++)
		expect_granted(connect_to(&owner, "bank"));
	ck_assert_uint_eq(owner.quota->used[QUOTA_CONNECTIONS], 100);
	ck_assert_uint_eq(kernel.n_links, 100);
	ended(bank, false);
	ck_assert_uint_eq(owner.quota->used[QUOTA_CONNECTIONS], 0);
	ck_assert_uint_eq(owner.quota->used[QUOTA_RING_BYTES], 0);
	ck_assert_uint_eq(kernel.n_links, 0);
}
END_TEST

START_TEST(the_end_of_a_client_frees_nothing_yet)
{
	struct kernel_instance *bank, *greeter;
	struct kernel_request *request;
	struct quota *quota;
	uint64_t link;

	cell("bank", "");
	cell("greeter", "[uses]\nbank = app\n");
	bank = running("bank");
	greeter = running("greeter");
	quota = greeter->asker->quota;
	quota->refs++;
	request = connect_to(greeter->asker, "bank");
	link = request->link->id;
	expect_granted(request);
	ended(greeter, true);
	ck_assert_uint_eq(bank->n_links, 0);
	ck_assert_uint_eq(quota->used[QUOTA_CONNECTIONS], 1);
	ck_assert(broker_closed(&kernel, bank->asker, link));
	ck_assert_uint_eq(quota->used[QUOTA_CONNECTIONS], 0);
	quota_unref(quota);
	all_end();
}
END_TEST

START_TEST(so_many_wait_and_no_more)
{
	struct kernel_request *requests[5];

	cell("bank", "");
	owner.quota->limits.max[QUOTA_PENDING] = 4;
	for (int i = 0; i < 5; i++)
		requests[i] = connect_to(&owner, "bank");
	expect_refused(requests[4], CELL_RESOURCE_EXHAUSTED, "waiting orders");
	ready(spawned());
	for (int i = 0; i < 4; i++)
		expect_granted(requests[i]);
	all_end();
}
END_TEST

START_TEST(starts_on_demand_are_rationed)
{
	struct kernel_request *request;

	cell("bank", "restart = never\n");
	owner.quota->limits.activations_per_s = 2;
	for (int i = 0; i < 2; i++) {
		request = connect_to(&owner, "bank");
		ready(spawned());
		done(broker_next_outcome(&kernel));
		ended(kernel_cell_in_state(kernel_cell_find(&kernel, "bank"), KERNEL_READY), true);
	}
	request = connect_to(&owner, "bank");
	expect_refused(request, CELL_RESOURCE_EXHAUSTED, "starts cells faster than 2 a second");
}
END_TEST

START_TEST(a_full_instance_takes_no_more)
{
	cell("bank", "max-instances = 1\n[limits]\nconnections = 2\n");
	running("bank");
	expect_granted(connect_to(&owner, "bank"));
	expect_granted(connect_to(&owner, "bank"));
	expect_refused(connect_to(&owner, "bank"), CELL_RESOURCE_EXHAUSTED, "none takes");
	all_end();
}
END_TEST

/* ---- supervision ------------------------------------------------------------------------------- */

START_TEST(a_crash_is_restarted_after_a_while)
{
	struct kernel_instance *bank, *again;
	uint64_t first;

	cell("bank", "");
	bank = running("bank");
	first = bank->id;
	ended(bank, false);
	ck_assert_int_eq(bank->state, KERNEL_BACKOFF);
	ck_assert_str_eq(bank->reason, "exited with status 1");
	pass(99 * MS);
	no_work();
	pass(30 * MS);
	ck_assert_int_eq(bank->state, KERNEL_GONE);
	again = spawned();
	ck_assert_uint_gt(again->id, first);
	ck_assert_uint_eq(again->cell->restarts, 1);
	ready(again);
	all_end();
}
END_TEST

START_TEST(connects_wait_for_a_restart)
{
	struct kernel_request *request;

	cell("bank", "");
	ended(running("bank"), false);
	request = connect_to(&owner, "bank");
	ck_assert_ptr_null(broker_next_outcome(&kernel));
	pass(130 * MS);
	ready(spawned());
	expect_granted(request);
	all_end();
}
END_TEST

START_TEST(who_waits_for_a_start_that_fails_is_told_why)
{
	struct kernel_request *connect, *spawn;

	cell("bank", "");
	connect = connect_to(&owner, "bank");
	spawn = order(&owner, KERNEL_SPAWN, "bank");
	spawn->only_if_none = true;
	broker_submit(&kernel, spawn, now);
	ended(spawned(), false);
	expect_refused(connect, CELL_UNAVAILABLE,
		       "bank/1 ended before it was ready: exited with status 1 (`cell logs bank`)");
	expect_refused(spawn, CELL_UNAVAILABLE, "before it was ready");
	all_end();
}
END_TEST

START_TEST(not_ready_in_time_is_an_end)
{
	struct kernel_instance *bank;
	struct kernel_request *request;

	cell("bank", "ready-timeout = 3s\n");
	request = ordered(&owner, KERNEL_SPAWN, "bank");
	bank = spawned();
	pass(2999 * MS);
	no_work();
	pass(1 * MS);
	expect_refused(request, CELL_UNAVAILABLE, "not ready within 3000 ms");
	expect_work(bank, KERNEL_WORK_TERM);
	pass(2 * SECOND);
	expect_work(bank, KERNEL_WORK_KILL);
	pass(2 * SECOND);
	expect_work(bank, KERNEL_WORK_KILL);
	/* Too late to be ready now. */
	kernel_instance_ready(&kernel, bank, now);
	ck_assert_int_eq(bank->state, KERNEL_DRAINING);
	ended(bank, false);
	ck_assert_int_eq(bank->state, KERNEL_BACKOFF);
	ck_assert_str_eq(bank->reason, "not ready within 3000 ms");
}
END_TEST

static void fail_five_times(void)
{
	struct kernel_request *request = ordered(&owner, KERNEL_SPAWN, "bank");

	for (int i = 0; i < 5; i++) {
		ended(spawned(), false);
		pass(5 * SECOND);
	}
	done(broker_next_outcome(&kernel));
	(void)request;
	no_work();
}

START_TEST(a_failed_cell_stays_down_until_it_is_spawned)
{
	struct kernel_cell *bank = cell("bank", "");

	fail_five_times();
	ck_assert_ptr_nonnull(kernel_cell_in_state(bank, KERNEL_FAILED));
	expect_refused(connect_to(&owner, "bank"), CELL_UNAVAILABLE,
		       "bank has failed: exited with status 1; `cell run bank` tries again");
	running("bank");
	ck_assert_ptr_null(kernel_cell_in_state(bank, KERNEL_FAILED));
	expect_granted(connect_to(&owner, "bank"));
	all_end();
}
END_TEST

START_TEST(a_changed_manifest_forgives_a_failure)
{
	struct kernel_cell *bank = cell("bank", "");

	fail_five_times();
	kernel_cell_reset(&kernel, bank);
	connect_to(&owner, "bank");
	ready(spawned());
	done(broker_next_outcome(&kernel));
	all_end();
}
END_TEST

START_TEST(demand_starts_of_what_always_fails_end_too)
{
	cell("bank", "restart = never\n");
	for (int i = 0; i < 5; i++) {
		struct kernel_request *request = connect_to(&owner, "bank");

		ended(spawned(), false);
		expect_refused(request, CELL_UNAVAILABLE, "before it was ready");
		pass(SECOND);
	}
	expect_refused(connect_to(&owner, "bank"), CELL_UNAVAILABLE, "bank has failed");
}
END_TEST

START_TEST(a_lost_control_connection_takes_no_more_clients_and_ends_the_process)
{
	struct kernel_instance *bank;

	cell("bank", "restart = never\n");
	bank = running("bank");
	kernel_instance_lost(&kernel, bank, NULL, now);
	no_work();
	ck_assert_int_eq(bank->state, KERNEL_DRAINING);
	pass(SECOND);
	expect_work(bank, KERNEL_WORK_KILL);
	ended(bank, false);
	ck_assert_str_eq(bank->reason, "exited with status 1");
}
END_TEST

/* ---- retiring ------------------------------------------------------------------------------------ */

START_TEST(retire_drains_then_terms_then_kills)
{
	struct kernel_instance *bank;
	struct kernel_request *request;

	cell("bank", "drain-timeout = 7s\nstop-timeout = 3s\nrestart = always\n");
	bank = running("bank");
	request = ordered(&owner, KERNEL_RETIRE, "bank");
	ck_assert_int_eq(bank->state, KERNEL_DRAINING);
	expect_work(bank, KERNEL_WORK_DRAIN);
	ck_assert_uint_eq(bank->drain_ns, 7 * SECOND);
	pass(7 * SECOND);
	expect_work(bank, KERNEL_WORK_TERM);
	pass(3 * SECOND);
	expect_work(bank, KERNEL_WORK_KILL);
	ck_assert_ptr_null(broker_next_outcome(&kernel));
	ended(bank, false);
	expect(request, KERNEL_DONE);
	ck_assert_ptr_eq(request->instance, bank);
	ck_assert_int_eq(bank->state, KERNEL_GONE);
	ck_assert_str_eq(bank->reason, "retired");
	done(request);
	pass(100 * SECOND);
	no_work();
}
END_TEST

START_TEST(retire_with_kill_waits_for_nothing)
{
	struct kernel_instance *bank;
	struct kernel_request *request;

	cell("bank", "");
	bank = running("bank");
	request = order(&owner, KERNEL_RETIRE, "bank");
	request->kill = true;
	broker_submit(&kernel, request, now);
	expect_work(bank, KERNEL_WORK_KILL);
	ended(bank, false);
	expect(request, KERNEL_DONE);
	done(request);
}
END_TEST

START_TEST(retiring_all_waits_for_all)
{
	struct kernel_instance *first, *second;
	struct kernel_request *request;

	cell("bank", "max-instances = 2\n");
	first = running("bank");
	second = running("bank");
	request = ordered(&owner, KERNEL_RETIRE, "bank");
	ended(first, true);
	ck_assert_ptr_null(broker_next_outcome(&kernel));
	ended(second, true);
	expect(request, KERNEL_DONE);
	done(request);
	expect_refused(ordered(&owner, KERNEL_RETIRE, "bank"), CELL_NOT_FOUND, "bank is not running");
}
END_TEST

START_TEST(retiring_what_waits_for_a_restart_is_quick)
{
	struct kernel_request *request;

	cell("bank", "");
	ended(running("bank"), false);
	request = ordered(&owner, KERNEL_RETIRE, "bank");
	expect(request, KERNEL_DONE);
	done(request);
	pass(10 * SECOND);
	no_work();
}
END_TEST

START_TEST(retiring_what_was_not_spawned_yet_spawns_nothing)
{
	struct kernel_request *spawn, *retire;

	cell("bank", "");
	spawn = ordered(&owner, KERNEL_SPAWN, "bank");
	retire = ordered(&owner, KERNEL_RETIRE, "bank");
	no_work();
	expect_refused(spawn, CELL_UNAVAILABLE, "retired");
	expect(retire, KERNEL_DONE);
	done(retire);
}
END_TEST

START_TEST(a_connect_while_the_only_one_drains_gets_its_successor)
{
	struct kernel_instance *bank;
	struct kernel_request *request;

	cell("bank", "max-instances = 1\n");
	bank = running("bank");
	ordered(&owner, KERNEL_RETIRE, "bank");
	request = connect_to(&owner, "bank");
	expect_work(bank, KERNEL_WORK_DRAIN);
	no_work(); /* two at a time would share what belongs to one */
	ended(bank, true);
	done(broker_next_outcome(&kernel));
	ready(spawned());
	expect_granted(request);
	all_end();
}
END_TEST

/* ---- the resolver --------------------------------------------------------------------------------- */

static struct kernel_instance *resolver_node(void)
{
	strcpy(conf.resolver, "nucleus");
	strcpy(conf.gateway, "gateway");
	cell("nucleus", "[uses]\nfar = app\n");
	cell("gateway", "");
	cell("bank", "");
	running("gateway");
	return running("nucleus");
}

START_TEST(unknown_names_go_up_and_lead_to_the_gateway)
{
	struct kernel_remote remote = { .is_set = true, .node = "node2", .address = "[::1]:1" };
	struct kernel_request *request;

	resolver_node();
	request = connect_to(&owner, "far");
	expect(request, KERNEL_ASK);
	request->resolve_id = 42;
	broker_resolved(&kernel, 41, &remote, NULL); /* somebody else's: ignored */
	ck_assert_ptr_null(broker_next_outcome(&kernel));
	broker_resolved(&kernel, 42, &remote, NULL);
	expect(request, KERNEL_GRANTED);
	ck_assert_str_eq(request->link->server->cell->name, "gateway");
	ck_assert_str_eq(request->remote.node, "node2");
	done(request);
	broker_resolved(&kernel, 42, &remote, NULL); /* late */
	all_end();
}
END_TEST

START_TEST(nobody_knows_is_not_found)
{
	struct cell_error why = { .code = CELL_NOT_FOUND };
	struct kernel_request *request;

	resolver_node();
	request = connect_to(&owner, "bnak");
	expect(request, KERNEL_ASK);
	request->resolve_id = 42;
	broker_resolved(&kernel, 42, NULL, &why);
	expect_refused(request, CELL_NOT_FOUND, "did you mean 'bank'?");
	all_end();
}
END_TEST

START_TEST(local_names_and_those_of_the_resolver_never_go_up)
{
	struct kernel_instance *nucleus = resolver_node();

	expect_refused(connect_to(nucleus->asker, "far"), CELL_NOT_FOUND, "no cell 'far' here");
	connect_to(&owner, "bank");
	ready(spawned());
	done(broker_next_outcome(&kernel));
	all_end();
}
END_TEST

START_TEST(a_slow_resolver_is_unavailable_after_two_seconds)
{
	struct kernel_request *request;

	resolver_node();
	request = connect_to(&owner, "far");
	expect(request, KERNEL_ASK);
	pass(1999 * MS);
	ck_assert_ptr_null(broker_next_outcome(&kernel));
	pass(1 * MS);
	expect_refused(request, CELL_UNAVAILABLE, "nucleus did not say within 2000 ms");
	all_end();
}
END_TEST

START_TEST(a_resolver_that_is_down_is_unavailable_at_once)
{
	struct kernel_instance *nucleus = resolver_node();
	struct kernel_request *request = connect_to(&owner, "far");

	expect(request, KERNEL_ASK);
	ended(nucleus, false);
	broker_resolver_lost(&kernel);
	expect_refused(request, CELL_UNAVAILABLE, "nucleus ended");
	expect_refused(connect_to(&owner, "far"), CELL_UNAVAILABLE, "nucleus, which knows the others");
	all_end();
}
END_TEST

/* ---- askers that go ----------------------------------------------------------------------------------- */

START_TEST(an_asker_that_goes_wants_nothing_any_more)
{
	struct kernel_request *request;
	struct kernel_asker client = { .is_owner = true };

	broker_asker_init(&client);
	client.quota = kernel_quota_uid(&kernel, 7, true);
	cell("bank", "");
	request = connect_to(&client, "bank");
	broker_asker_deinit(&kernel, &client);
	expect(request, KERNEL_REFUSED);
	ck_assert_ptr_null(request->asker);
	ck_assert_uint_eq(client.quota->used[QUOTA_PENDING], 0);
	done(request);
	ready(spawned());
	ck_assert_ptr_null(broker_next_outcome(&kernel));
	quota_unref(client.quota);
	all_end();
}
END_TEST

START_TEST(an_order_can_be_cancelled)
{
	struct kernel_request *request;

	cell("bank", "");
	request = order(&owner, KERNEL_CONNECT, "bank");
	request->call_id = 5;
	broker_submit(&kernel, request, now);
	ck_assert(!broker_cancel(&kernel, &owner, 6));
	ck_assert(broker_cancel(&kernel, &owner, 5));
	ck_assert(!broker_cancel(&kernel, &owner, 5));
	expect_refused(request, CELL_CANCELLED, "cancelled");
	all_end();
}
END_TEST

START_TEST(an_asker_s_own_deadline_counts)
{
	struct kernel_request *request;

	cell("bank", "");
	request = order(&owner, KERNEL_CONNECT, "bank");
	request->deadline_ns = now + 50 * MS;
	broker_submit(&kernel, request, now);
	spawned();
	pass(50 * MS);
	expect_refused(request, CELL_DEADLINE_EXCEEDED, "did not become ready in time");
	all_end();
}
END_TEST

/* ---- the node ----------------------------------------------------------------------------------------- */

START_TEST(boot_starts_log_resolver_gateway_and_then_the_rest)
{
	struct kernel_instance *at;

	strcpy(conf.resolver, "nucleus");
	strcpy(conf.gateway, "gateway");
	strcpy(conf.log, "log");
	cell("alpha", "start = boot\ninstances = 2\n");
	cell("beta", "");
	cell("gateway", "");
	cell("log", "start = boot\n");
	cell("nucleus", "");
	kernel_boot(&kernel, now);
	at = spawned();
	ck_assert_str_eq(at->cell->name, "log");
	no_work();
	ready(at);
	at = spawned();
	ck_assert_str_eq(at->cell->name, "nucleus");
	no_work();
	/* One that cannot start holds nobody up. */
	ended(at, false);
	at = spawned();
	ck_assert_str_eq(at->cell->name, "gateway");
	ready(at);
	ck_assert_str_eq(spawned()->cell->name, "alpha");
	ck_assert_str_eq(spawned()->cell->name, "alpha");
	no_work();
	all_end();
}
END_TEST

START_TEST(boot_cells_start_so_many_at_a_time)
{
	unsigned work, spawns = 0, total = 0;
	struct kernel_instance *instance;

	for (int i = 0; i < 40; i++) {
		char name[16];

		snprintf(name, sizeof name, "cell%d", i);
		cell(name, "start = boot\n");
	}
	kernel_boot(&kernel, now);
	while ((instance = kernel_next_work(&kernel, now, &work))) {
		kernel_instance_spawned(&kernel, instance, now);
		spawns++;
	}
	ck_assert_uint_eq(spawns, KERNEL_BOOT_AT_ONCE);
	list_walk(instance, &kernel.instances, struct kernel_instance, in_all)
		if (instance->state == KERNEL_STARTING)
			ready(instance);
	while (kernel_next_work(&kernel, now, &work))
		;
	list_walk(instance, &kernel.instances, struct kernel_instance, in_all)
		total++;
	ck_assert_uint_gt(total, KERNEL_BOOT_AT_ONCE);
	all_end();
}
END_TEST

/* The names that are told to drain now, in one string. */
static void drains(char *out)
{
	struct kernel_instance *instance;
	unsigned work;

	out[0] = 0;
	while ((instance = kernel_next_work(&kernel, now, &work))) {
		ck_assert_uint_eq(work, KERNEL_WORK_DRAIN);
		strcat(strcat(out, instance->cell->name), " ");
	}
}

START_TEST(shutdown_ends_consumers_before_providers_and_the_log_last)
{
	struct kernel_instance *shop, *bank, *db, *log;
	char names[256];

	strcpy(conf.log, "log");
	cell("bank", "[uses]\ndb = app\n");
	cell("db", "");
	cell("log", "");
	cell("shop", "[uses]\nbank = app\ndb = app\nabsent = app\n");
	log = running("log");
	db = running("db");
	bank = running("bank");
	shop = running("shop");
	kernel_shutdown(&kernel, 5 * SECOND, now);
	drains(names);
	ck_assert_str_eq(names, "shop ");
	ended(shop, true);
	drains(names);
	ck_assert_str_eq(names, "bank ");
	expect_refused(ordered(&owner, KERNEL_SPAWN, "shop"), CELL_UNAVAILABLE, "stops");
	expect_refused(connect_to(&owner, "shop"), CELL_UNAVAILABLE, "the node stops");
	ended(bank, true);
	drains(names);
	ck_assert_str_eq(names, "db ");
	ended(db, true);
	drains(names);
	ck_assert_str_eq(names, "log ");
	ck_assert(!kernel_is_empty(&kernel));
	ended(log, true);
	ck_assert(kernel_is_empty(&kernel));
}
END_TEST

START_TEST(cells_that_use_each_other_end_together)
{
	char names[256];

	cell("a", "[uses]\nb = app\n");
	cell("b", "[uses]\na = app\n");
	running("a");
	running("b");
	kernel_shutdown(&kernel, 5 * SECOND, now);
	drains(names);
	ck_assert_str_eq(names, "a b ");
	all_end();
}
END_TEST

START_TEST(shutdown_is_over_when_its_time_is)
{
	struct kernel_instance *shop, *bank;
	char names[256];
	unsigned work;

	cell("bank", "stop-timeout = 1h\n");
	cell("shop", "[uses]\nbank = app\n");
	bank = running("bank");
	shop = running("shop");
	kernel_shutdown(&kernel, 5 * SECOND, now);
	drains(names);
	ck_assert_str_eq(names, "shop ");
	pass(5 * SECOND);
	for (int i = 0; i < 2; i++) {
		ck_assert_ptr_nonnull(kernel_next_work(&kernel, now, &work));
		ck_assert_uint_eq(work, KERNEL_WORK_TERM);
	}
	pass(2 * SECOND);
	for (int i = 0; i < 2; i++) {
		ck_assert_ptr_nonnull(kernel_next_work(&kernel, now, &work));
		ck_assert_uint_eq(work, KERNEL_WORK_KILL);
	}
	ended(shop, false);
	ended(bank, false);
	ck_assert(kernel_is_empty(&kernel));
	no_work();
}
END_TEST

START_TEST(who_waits_is_told_that_the_node_stops)
{
	struct kernel_request *request;

	cell("bank", "");
	request = connect_to(&owner, "bank");
	spawned();
	kernel_shutdown(&kernel, SECOND, now);
	expect_refused(request, CELL_UNAVAILABLE, "the node stops");
	all_end();
}
END_TEST

START_TEST(ends_are_remembered_until_everybody_knows)
{
	struct kernel_instance *bank;
	uint64_t change;

	cell("bank", "restart = never\n");
	bank = running("bank");
	change = kernel.next_change;
	ended(bank, true);
	kernel_forget(&kernel, change);
	ck_assert_uint_eq(kernel.n_gone, 1);
	kernel_forget(&kernel, kernel.next_change);
	ck_assert_uint_eq(kernel.n_gone, 0);
	ck_assert(list_is_empty(&kernel.instances));
}
END_TEST

START_TEST(many_connections_are_found_again)
{
	struct kernel_instance *bank;
	static uint64_t ids[2000];

	cell("bank", "");
	bank = running("bank");
	owner.quota->limits.max[QUOTA_CONNECTIONS] = 5000;
	owner.quota->limits.max[QUOTA_RING_BYTES] = UINT64_C(1) << 40;
	for (int i = 0; i < 2000; i++) {
		struct kernel_request *request = connect_to(&owner, "bank");

		ids[i] = request->link->id;
		expect_granted(request);
	}
	ck_assert_uint_eq(bank->n_links, 2000);
	for (int i = 0; i < 2000; i += 2)
		ck_assert(broker_closed(&kernel, bank->asker, ids[i]));
	ck_assert_uint_eq(kernel.n_links, 1000);
	for (int i = 0; i < 2000; i++)
		ck_assert(broker_closed(&kernel, bank->asker, ids[i]) == (i % 2 == 1));
	ck_assert_uint_eq(owner.quota->used[QUOTA_CONNECTIONS], 0);
	all_end();
}
END_TEST

START_TEST(streams_go_only_to_who_takes_them)
{
	struct kernel_asker stream = { .is_owner = true, .is_stream = true };
	struct kernel_instance *bank;
	struct kernel_request *request;

	broker_asker_init(&stream);
	stream.quota = owner.quota;
	cell("bank", "max-instances = 8\n");
	bank = running("bank");
	bank->takes_streams = false;
	request = order(&stream, KERNEL_CONNECT, "bank");
	request->stream = 0;
	broker_submit(&kernel, request, now);
	expect_refused(request, CELL_FAILED_PRECONDITION, "takes no Unix streams");
	no_work();
	bank->takes_streams = true;
	request = order(&stream, KERNEL_CONNECT, "bank");
	request->stream = 0;
	broker_submit(&kernel, request, now);
	expect(request, KERNEL_GRANTED);
	ck_assert_uint_eq(owner.quota->used[QUOTA_CONNECTIONS], 1);
	ck_assert_uint_eq(owner.quota->used[QUOTA_RING_BYTES], 0);
	done(request);
	all_end();
	ck_assert_uint_eq(owner.quota->used[QUOTA_CONNECTIONS], 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kernel");
	TCase *tc = tcase_create("kernel");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_connect_starts_what_does_not_run);
	tcase_add_test(tc, what_has_come_is_not_due_any_more);
	tcase_add_test(tc, those_who_wait_for_one_start_start_no_other);
	tcase_add_test(tc, the_one_with_the_fewest_connections_is_chosen);
	tcase_add_test(tc, what_said_goaway_is_left_out);
	tcase_add_test(tc, a_certain_instance_can_be_asked_for);
	tcase_add_test(tc, no_spawn_starts_nothing);
	tcase_add_test(tc, names_are_checked_and_guessed);
	tcase_add_test(tc, a_wrong_manifest_is_the_reason);
	tcase_add_test(tc, a_cell_connects_only_to_what_it_uses);
	tcase_add_test(tc, a_star_counts_only_for_the_trusted);
	tcase_add_test(tc, the_macro_cell_reaches_providers_and_nothing_else);
	tcase_add_test(tc, only_the_owner_has_every_channel);
	tcase_add_test(tc, only_the_gateway_connects_as_others_and_only_where_they_are_served);
	tcase_add_test(tc, a_cell_that_node_conf_names_may_spawn_and_retire);
	tcase_add_test(tc, connections_are_charged_until_the_server_says_closed);
	tcase_add_test(tc, nobody_closes_what_is_anothers);
	tcase_add_test(tc, the_end_of_a_server_frees_its_clients_quota);
	tcase_add_test(tc, the_end_of_a_client_frees_nothing_yet);
	tcase_add_test(tc, so_many_wait_and_no_more);
	tcase_add_test(tc, starts_on_demand_are_rationed);
	tcase_add_test(tc, a_full_instance_takes_no_more);
	tcase_add_test(tc, a_crash_is_restarted_after_a_while);
	tcase_add_test(tc, connects_wait_for_a_restart);
	tcase_add_test(tc, who_waits_for_a_start_that_fails_is_told_why);
	tcase_add_test(tc, not_ready_in_time_is_an_end);
	tcase_add_test(tc, a_failed_cell_stays_down_until_it_is_spawned);
	tcase_add_test(tc, a_changed_manifest_forgives_a_failure);
	tcase_add_test(tc, demand_starts_of_what_always_fails_end_too);
	tcase_add_test(tc, a_lost_control_connection_takes_no_more_clients_and_ends_the_process);
	tcase_add_test(tc, retire_drains_then_terms_then_kills);
	tcase_add_test(tc, retire_with_kill_waits_for_nothing);
	tcase_add_test(tc, retiring_all_waits_for_all);
	tcase_add_test(tc, retiring_what_waits_for_a_restart_is_quick);
	tcase_add_test(tc, retiring_what_was_not_spawned_yet_spawns_nothing);
	tcase_add_test(tc, a_connect_while_the_only_one_drains_gets_its_successor);
	tcase_add_test(tc, unknown_names_go_up_and_lead_to_the_gateway);
	tcase_add_test(tc, nobody_knows_is_not_found);
	tcase_add_test(tc, local_names_and_those_of_the_resolver_never_go_up);
	tcase_add_test(tc, a_slow_resolver_is_unavailable_after_two_seconds);
	tcase_add_test(tc, a_resolver_that_is_down_is_unavailable_at_once);
	tcase_add_test(tc, an_asker_that_goes_wants_nothing_any_more);
	tcase_add_test(tc, an_order_can_be_cancelled);
	tcase_add_test(tc, an_asker_s_own_deadline_counts);
	tcase_add_test(tc, boot_starts_log_resolver_gateway_and_then_the_rest);
	tcase_add_test(tc, boot_cells_start_so_many_at_a_time);
	tcase_add_test(tc, shutdown_ends_consumers_before_providers_and_the_log_last);
	tcase_add_test(tc, cells_that_use_each_other_end_together);
	tcase_add_test(tc, shutdown_is_over_when_its_time_is);
	tcase_add_test(tc, who_waits_is_told_that_the_node_stops);
	tcase_add_test(tc, ends_are_remembered_until_everybody_knows);
	tcase_add_test(tc, many_connections_are_found_again);
	tcase_add_test(tc, streams_go_only_to_who_takes_them);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
