/*
 * Handlers that wait: the loop moves to another stack.
 *
 * A handler runs as a plain function on the stack of the outer loop. If it waits, that
 * stack is set aside and the outer loop goes on on another one. When what it waited for
 * has come, the loop parks its own stack at a clean point and switches to the waiter; when
 * that handler returns, its stack is the loop again. A handler that never waits pays nothing.
 * (KERNEL.md section 4.) The first stack, main()'s, waits like any other.
 *
 * One pool per loop, one thread; no stack ever moves to another thread.
 */
#pragma once

#include "task_stack.h"

#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>

struct task;

/* Something one stack waits for. Lives on the waiting stack; zero it before use. */
struct task_wait {
	struct task *task;      /* who waits; NULL when nobody does */
	struct task_wait *next; /* in the ready queue */
	bool is_ready;
};

/* The outer loop: runs turns for ever; must call task_switch_ready() at its clean points. */
typedef void task_loop_fn(void *userdata);

struct task_pool;

/* WAITS_MAX: stacks that may wait at a time, the first one not counted. */
int task_pool_new(struct task_pool **ret_pool, task_loop_fn *loop, void *userdata,
		  unsigned waits_max, struct cell_error *err);

/*
 * Drop all stacks with what is on them, those that wait too: end the waits first if they
 * own anything. Called on the first stack, by nobody else.
 */
void task_pool_free(struct task_pool *pool);

/*
 * Wait until task_wake(WAIT). Returns 0, -EDEADLK if called where no switch is allowed
 * (inside a watcher's callback: between task_forbid() and task_allow()), or
 * CELL_RESOURCE_EXHAUSTED if too many stacks wait already, or -ENOMEM.
 * If WAIT is ready already it returns at once.
 */
int task_wait(struct task_pool *pool, struct task_wait *wait);

/*
 * Let the stack that waits on WAIT go on at the loop's next clean point, those woken first
 * going first. Idempotent. Who is woken before it waits does not wait.
 */
void task_wake(struct task_pool *pool, struct task_wait *wait);

/*
 * At a clean point of the outer loop: if a waiter is ready, park this stack and switch to
 * it. Returns true if it did so (and has come back since).
 */
bool task_switch_ready(struct task_pool *pool);
bool task_has_ready(const struct task_pool *pool);

/* Around callbacks that must not wait. Nestable. */
void task_forbid(struct task_pool *pool);
void task_allow(struct task_pool *pool);
bool task_is_forbidden(const struct task_pool *pool);

/* Whether this is the stack that made the pool: never that of a handler. */
bool task_is_on_first_stack(const struct task_pool *pool);

/* Stacks that wait now, main()'s not counted. */
unsigned task_pool_waiting(const struct task_pool *pool);

/* Parked stacks that are always kept for the next wait. */
#define TASK_PARKED_KEPT 8

/* Whether a busy time has left more than those, and more than wait now. */
bool task_pool_can_trim(const struct task_pool *pool);

/*
 * Give back the stacks that a busy time left parked, and the memory that the kept ones do
 * not use: for a loop that has nothing to do. Costs a system call per stack.
 */
void task_pool_trim(struct task_pool *pool);

/*
 * Have this process say on stderr "stack of handler overflowed (256 KiB)" before it dies
 * of that. Called in each thread that runs handlers; other faults go where they went before.
 */
void task_overflow_handler_install(void);
