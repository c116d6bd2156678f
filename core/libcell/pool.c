#include <cell/pool.h>

#include "callstate.h"
#include "clock.h"

#include <cell/cell.h>
#include <cell/defaults.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <core.cell.h>

/* Instances a pool may have: a node's limit for one cell is far below. */
#define MEMBERS_MAX 1024

struct member {
	uint64_t instance;
	struct connection *conn; /* referenced; NULL: connect at first use */
};

struct cell_pool {
	struct list node; /* in the runtime's pools */
	struct runtime *rt;
	enum cell_pool_policy policy;
	uint64_t turns;   /* of round robin; seed of the random choices */
	size_t n_members;
	struct member members[MEMBERS_MAX];
	char cell[64];
};

static void member_remove(struct cell_pool *pool, size_t i)
{
	if (pool->members[i].conn)
		connection_unref(pool->members[i].conn);
	pool->members[i] = pool->members[--pool->n_members];
}

static void member_event(struct cell_pool *pool, uint64_t instance, bool is_ready)
{
	for (size_t i = 0; i < pool->n_members; i++) {
		if (pool->members[i].instance != instance)
			continue;
		if (!is_ready)
			member_remove(pool, i);
		return;
	}
	if (is_ready && pool->n_members < MEMBERS_MAX)
		pool->members[pool->n_members++] = (struct member){ .instance = instance };
}

void pools_event(struct runtime *rt, const char *cell, uint64_t instance, int state)
{
	for (struct list *at = rt->pools.next; at != &rt->pools; at = at->next) {
		struct cell_pool *pool = list_entry(at, struct cell_pool, node);

		if (strcmp(pool->cell, cell) == 0)
			member_event(pool, instance, state == CORE_INSTANCE_STATE_READY);
	}
}

void pools_forget(struct runtime *rt, const char *cell)
{
	for (struct list *at = rt->pools.next; at != &rt->pools; at = at->next) {
		struct cell_pool *pool = list_entry(at, struct cell_pool, node);

		while (pool->n_members && strcmp(pool->cell, cell) == 0)
			member_remove(pool, 0);
	}
}

/* Instances that run now; cellcore tells of changes from before this on. */
static int list_members(struct cell_pool *pool, struct cell_call *call)
{
	struct core_list_request request = { .cell = pool->cell, .after_name = "" };
	struct core_instance_page page;
	int r;

	do {
		r = core_list_instances(call, &request, &page);
		if (r < 0)
			return r;
		for (size_t i = 0; i < page.n_instances; i++) {
			const struct core_instance_info *info = &page.instances[i];

			request.after = info->instance;
			if (info->state == CORE_INSTANCE_STATE_READY)
				member_event(pool, info->instance, true);
		}
	} while (page.more && page.n_instances);
	return 0;
}

struct cell_pool *cell_pool_open(struct cell_call *call, const char *cell,
				 enum cell_pool_policy policy)
{
	struct core_watch_request watch = { .cell = cell };
	struct runtime *rt = call->root->rt;
	struct cell_pool *pool;
	struct connection *conn;

	if (!rt)
		return NULL;
	/* At least one instance runs when this returns: connecting starts it. */
	if (runtime_connect(rt, call, cell, 0,
			    clock_coarse_ns() + CELL_CONNECT_TIMEOUT_MS * 1000000ull, &conn) < 0)
		return NULL;
	pool = calloc(1, sizeof *pool);
	if (!pool) {
		(void)cell_refuse(call, -ENOMEM, "a pool of %s", cell);
		return NULL;
	}
	pool->rt = rt;
	pool->policy = policy;
	pool->turns = clock_now_ns() | 1;
	(void)snprintf(pool->cell, sizeof pool->cell, "%s", cell);
	list_append(&rt->pools, &pool->node);
	if (core_watch(call, &watch) < 0 || list_members(pool, call) < 0) {
		cell_pool_close(pool);
		return NULL;
	}
	return pool;
}

void cell_pool_close(struct cell_pool *pool)
{
	if (!pool)
		return;
	list_unlink(&pool->node);
	while (pool->n_members)
		member_remove(pool, 0);
	free(pool);
}

size_t cell_pool_size(const struct cell_pool *pool)
{
	return pool->n_members;
}

/* xorshift64*, Vigna 2016: choices need to differ, not to be secret. */
static uint64_t random_next(struct cell_pool *pool)
{
	pool->turns ^= pool->turns >> 12;
	pool->turns ^= pool->turns << 25;
	pool->turns ^= pool->turns >> 27;
	return pool->turns * 0x2545f4914f6cdd1dull;
}

static unsigned load_of(const struct member *member)
{
	return member->conn ? member->conn->n_pending : 0;
}

static size_t choose(struct cell_pool *pool)
{
	size_t n = pool->n_members, a, b;

	switch (pool->policy) {
	case CELL_POOL_LEAST_IN_FLIGHT:
		a = pool->turns++ % n; /* ties go round */
		for (size_t i = 1; i < n; i++) {
			b = (a + i) % n;
			if (load_of(&pool->members[b]) < load_of(&pool->members[a]))
				a = b;
		}
		return a;
	case CELL_POOL_TWO_CHOICES:
		a = random_next(pool) % n;
		b = random_next(pool) % n;
		return load_of(&pool->members[b]) < load_of(&pool->members[a]) ? b : a;
	default:
		return pool->turns++ % n;
	}
}

static bool takes_calls(const struct connection *conn)
{
	return conn && !conn->is_broken && !conn->is_going_away;
}

/* The I-th member's connection, made if need be. The pool may change while this waits. */
static int member_connect(struct cell_pool *pool, struct cell_call *call, size_t i,
			  uint64_t deadline_ns, struct connection **ret_conn)
{
	uint64_t instance = pool->members[i].instance;
	struct connection *conn = pool->members[i].conn;
	int r;

	if (takes_calls(conn)) {
		*ret_conn = conn;
		return 0;
	}
	r = runtime_connect(pool->rt, call, pool->cell, instance, deadline_ns, ret_conn);
	for (i = 0; i < pool->n_members; i++) {
		if (pool->members[i].instance != instance)
			continue;
		if (r < 0) {
			member_remove(pool, i);
			return r;
		}
		if (pool->members[i].conn)
			connection_unref(pool->members[i].conn);
		pool->members[i].conn = *ret_conn;
		connection_ref(*ret_conn);
		break;
	}
	return r;
}

/* The member whose turn it is; one that cannot be reached is none any more. */
static int pool_choose(struct cell_pool *pool, struct cell_call *call, uint64_t deadline_ns,
		       uint64_t *ret_instance, struct connection **ret_conn)
{
	while (pool->n_members) {
		size_t i = choose(pool);

		*ret_instance = pool->members[i].instance;
		if (member_connect(pool, call, i, deadline_ns, ret_conn) == 0)
			return 0;
		if (call->root->is_cancelled || clock_now_ns() >= deadline_ns)
			return call->root->error.code;
	}
	return cell_refuse(call, CELL_UNAVAILABLE, "%s: no instance is ready", pool->cell);
}

int pool_connect(struct cell_pool *pool, struct cell_call *call, uint64_t deadline_ns,
		 struct connection **ret_conn)
{
	for (size_t i = 0; i < pool->n_members; i++) {
		const struct member *member = &pool->members[i];

		if (member->instance == call->preferred && takes_calls(member->conn)) {
			*ret_conn = member->conn;
			return 0;
		}
	}
	return pool_choose(pool, call, deadline_ns, &call->preferred, ret_conn);
}

struct cell_call *cell_pool_next(struct cell_pool *pool, struct cell_call *call)
{
	uint64_t connect_by = clock_coarse_ns() + CELL_CONNECT_TIMEOUT_MS * 1000000ull;
	struct connection *conn;
	struct cell_call *copy;
	uint64_t instance;

	if (pool_choose(pool, call, deadline_min(call->deadline_ns, connect_by), &instance, &conn) < 0)
		return NULL;
	copy = cell_arena_alloc(&call->root->arena, sizeof *copy);
	if (!copy) {
		(void)cell_refuse(call, -ENOMEM, "a call of %s", pool->cell);
		return NULL;
	}
	*copy = *call;
	copy->pool = pool;
	copy->preferred = instance;
	return copy;
}

int cell_pool_broadcast(struct cell_pool *pool, struct cell_call *call,
			const struct cell_method *method, const void *in,
			struct cell_pool_result **ret_results)
{
	struct cell_arena *arena = &call->root->arena;
	size_t n = pool->n_members;
	struct cell_pool_result *results;
	struct cell_future *futures;
	uint64_t *instances;

	if (n == 0)
		return cell_refuse(call, CELL_UNAVAILABLE, "%s: no instance is ready", pool->cell);
	results = cell_arena_calloc(arena, n, sizeof *results);
	futures = cell_arena_calloc(arena, n, sizeof *futures);
	instances = cell_arena_calloc(arena, n, sizeof *instances);
	if (!results || !futures || !instances)
		return cell_refuse(call, -ENOMEM, "a broadcast to %zu instances", n);
	for (size_t i = 0; i < n; i++)
		instances[i] = pool->members[i].instance;
	for (size_t i = 0; i < n; i++) {
		struct cell_ref ref = CELL_REF(pool->cell);

		results[i].instance = instances[i];
		results[i].out = cell_arena_calloc(arena, 1, method->out->size);
		if (!results[i].out)
			return cell_refuse(call, -ENOMEM, "a broadcast to %zu instances", n);
		futures[i] = cell_invoke_start(cell_to(call, pool->cell, instances[i]), &ref,
					       method, in);
		results[i].err = futures[i].err;
		results[i].text = futures[i].err
			? cell_arena_strdup(arena, call->root->error.text) : "";
	}
	for (size_t i = 0; i < n; i++) {
		if (results[i].err)
			continue;
		results[i].err = cell_invoke_wait(&futures[i], results[i].out);
		if (results[i].err)
			results[i].text = cell_arena_strdup(arena, call->root->error.text);
	}
	*ret_results = results;
	return (int)n;
}
