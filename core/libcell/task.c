#include "task.h"

#include <assert.h>
#include <cell/cell.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * A stack runs, waits within task_wait(), or is parked within task_switch_ready(). One
 * runs at a time. Those parked stand at a clean point of the outer loop, so any of them
 * can go on with it, and any but the first can be dropped.
 */
enum task_state { TASK_RUNNING, TASK_WAITING, TASK_PARKED };

/* After so many switches, parked stacks that none of them needed are dropped. */
#define SWITCHES_PER_REVIEW  1024
#define ALTERNATE_STACK_SIZE (64 * 1024)

struct task {
	struct task_stack stack;
	struct task_pool *pool;
	enum task_state state;
	struct task *parked_next;
	struct task *next; /* among all tasks of the process */
	struct task **link;
};

struct task_pool {
	task_loop_fn *loop;
	void *userdata;
	struct task first; /* the stack that made the pool */
	struct task *current;

	struct task_wait *ready; /* first to go on */
	struct task_wait **ready_end;

	struct task *parked; /* last parked, first reused: its memory is warm */
	unsigned n_parked;
	unsigned n_parked_min; /* since the last review */
	unsigned n_switches;

	unsigned n_waiting, waits_max;
	unsigned forbidden;
};

/* ---- All tasks of the process: for the overflow handler and scripts/gdb-tasks.py ------ */

static struct task *task_all;
/* A lock that a signal handler may try. */
static atomic_flag task_all_lock = ATOMIC_FLAG_INIT;

static void all_lock(void)
{
	while (atomic_flag_test_and_set_explicit(&task_all_lock, memory_order_acquire))
		(void)sched_yield();
}

static void all_unlock(void)
{
	atomic_flag_clear_explicit(&task_all_lock, memory_order_release);
}

static void all_add(struct task *task)
{
	all_lock();
	task->next = task_all;
	task->link = &task_all;
	if (task_all)
		task_all->link = &task->next;
	task_all = task;
	all_unlock();
}

static void all_unlink(struct task *task)
{
	*task->link = task->next;
	if (task->next)
		task->next->link = task->link;
}

/* ---- Tasks ---------------------------------------------------------------------------- */

static void task_start(void *argument)
{
	struct task *task = argument;

	task_stack_begin(&task->stack);
	task->pool->loop(task->pool->userdata);
	cell_assert(!"an outer loop has returned");
}

static struct task *task_new(struct task_pool *pool)
{
	struct task *task = calloc(1, sizeof *task);

	if (!task)
		return NULL;
	if (task_stack_init(&task->stack, task_start, task) < 0) {
		free(task);
		return NULL;
	}
	task->pool = pool;
	all_add(task);
	return task;
}

static void task_free(struct task *task)
{
	all_lock();
	all_unlink(task);
	all_unlock();
	task_stack_deinit(&task->stack);
	free(task);
}

static void task_switch(struct task_pool *pool, struct task *to)
{
	struct task *from = pool->current;

	to->state = TASK_RUNNING;
	pool->current = to;
	task_stack_switch(&from->stack, &to->stack);
}

int task_pool_new(struct task_pool **ret_pool, task_loop_fn *loop, void *userdata,
		  unsigned waits_max, struct cell_error *err)
{
	struct task_pool *pool = calloc(1, sizeof *pool);

	if (!pool)
		return cell_fail(err, -ENOMEM, "creating a pool of stacks");
	pool->loop = loop;
	pool->userdata = userdata;
	pool->waits_max = waits_max;
	pool->ready_end = &pool->ready;
	pool->current = &pool->first;
	pool->first.pool = pool;
	task_stack_init_own(&pool->first.stack);
	all_add(&pool->first);
	*ret_pool = pool;
	return 0;
}

void task_pool_free(struct task_pool *pool)
{
	struct task *mine = NULL;

	if (!pool)
		return;
	cell_assert(task_is_on_first_stack(pool));
	all_lock();
	for (struct task *task = task_all, *next; task; task = next) {
		next = task->next;
		if (task->pool != pool)
			continue;
		all_unlink(task);
		task->next = mine;
		mine = task;
	}
	all_unlock();
	while (mine) {
		struct task *task = mine;

		mine = task->next;
		task_stack_deinit(&task->stack);
		if (task != &pool->first)
			free(task);
	}
	free(pool);
}

/* ---- Parked stacks -------------------------------------------------------------------- */

static void park(struct task_pool *pool, struct task *task)
{
	task->state = TASK_PARKED;
	task->parked_next = pool->parked;
	pool->parked = task;
	pool->n_parked++;
}

static struct task *unpark(struct task_pool *pool)
{
	struct task *task = pool->parked;

	if (!task)
		return NULL;
	pool->parked = task->parked_next;
	if (--pool->n_parked < pool->n_parked_min)
		pool->n_parked_min = pool->n_parked;
	return task;
}

/* Drop up to N parked stacks; the first one can't be. */
static void drop_parked(struct task_pool *pool, unsigned n)
{
	struct task **at = &pool->parked;

	while (n > 0 && *at) {
		struct task *task = *at;

		if (task == &pool->first) {
			at = &task->parked_next;
			continue;
		}
		*at = task->parked_next;
		task_free(task);
		pool->n_parked--;
		n--;
	}
}

/*
 * How many handlers wait together goes up and down with the load. Dropping each stack as
 * it is parked would map and unmap with every wave; so what goes is what was parked all
 * through a whole period.
 */
static void review_parked(struct task_pool *pool)
{
	if (++pool->n_switches % SWITCHES_PER_REVIEW)
		return;
	if (pool->n_parked_min > TASK_PARKED_KEPT)
		drop_parked(pool, pool->n_parked_min - TASK_PARKED_KEPT);
	pool->n_parked_min = pool->n_parked;
}

bool task_pool_can_trim(const struct task_pool *pool)
{
	return pool->n_parked > TASK_PARKED_KEPT && pool->n_parked > pool->n_waiting;
}

void task_pool_trim(struct task_pool *pool)
{
	if (pool->n_parked > TASK_PARKED_KEPT)
		drop_parked(pool, pool->n_parked - TASK_PARKED_KEPT);
	for (struct task *task = pool->parked; task; task = task->parked_next)
		task_stack_trim(&task->stack);
	pool->n_parked_min = pool->n_parked;
}

/* ---- Waiting -------------------------------------------------------------------------- */

int task_wait(struct task_pool *pool, struct task_wait *wait)
{
	struct task *self = pool->current, *next;
	bool is_counted = self != &pool->first;

	if (wait->is_ready)
		return 0;
	if (pool->forbidden)
		return -EDEADLK;
	if (is_counted && pool->n_waiting >= pool->waits_max)
		return CELL_RESOURCE_EXHAUSTED;
	next = unpark(pool);
	if (!next)
		next = task_new(pool);
	if (!next)
		return -ENOMEM;

	wait->task = self;
	self->state = TASK_WAITING;
	pool->n_waiting += is_counted;
	task_switch(pool, next);
	pool->n_waiting -= is_counted;
	return 0;
}

void task_wake(struct task_pool *pool, struct task_wait *wait)
{
	if (wait->is_ready)
		return;
	wait->is_ready = true;
	if (!wait->task)
		return;
	wait->next = NULL;
	*pool->ready_end = wait;
	pool->ready_end = &wait->next;
}

bool task_has_ready(const struct task_pool *pool)
{
	return pool->ready != NULL;
}

bool task_switch_ready(struct task_pool *pool)
{
	struct task_wait *wait = pool->ready;
	struct task *to;

	if (!wait || pool->forbidden)
		return false;
	pool->ready = wait->next;
	if (!pool->ready)
		pool->ready_end = &pool->ready;
	to = wait->task;
	wait->task = NULL;

	review_parked(pool);
	park(pool, pool->current);
	task_switch(pool, to);
	return true;
}

void task_forbid(struct task_pool *pool)
{
	pool->forbidden++;
}

void task_allow(struct task_pool *pool)
{
	cell_assert(pool->forbidden > 0);
	pool->forbidden--;
}

bool task_is_on_first_stack(const struct task_pool *pool)
{
	return pool->current == &pool->first;
}

bool task_is_forbidden(const struct task_pool *pool)
{
	return pool->forbidden > 0;
}

unsigned task_pool_waiting(const struct task_pool *pool)
{
	return pool->n_waiting;
}

/* ---- Overflow ------------------------------------------------------------------------- */

static struct sigaction previous_action;

static bool is_in_guard(uintptr_t address)
{
	bool found = false;

	/* Held by this thread, it will never come free; by another, it soon does. */
	for (unsigned i = 0;
	     atomic_flag_test_and_set_explicit(&task_all_lock, memory_order_acquire); i++) {
		if (i == 1000)
			return false;
		(void)sched_yield();
	}
	for (const struct task *task = task_all; task && !found; task = task->next) {
		uintptr_t base = (uintptr_t)task->stack.base;

		found = base && address < base && address >= base - TASK_GUARD_SIZE;
	}
	all_unlock();
	return found;
}

/*
 * A fault that is not ours, or that has been named, happens once more without us: back to
 * the previous handler, or to death with a core of the faulting instruction.
 */
static void on_segv(int number, siginfo_t *info, void *context)
{
	static const char text[] = "stack of handler overflowed (256 KiB)\n";
	int saved_errno = errno;

	static_assert(TASK_STACK_SIZE == 256 * 1024, "as the text says");
	if (info->si_code > 0 && is_in_guard((uintptr_t)info->si_addr)) {
		(void)!write(STDERR_FILENO, text, sizeof text - 1);
		(void)sigaction(number, &previous_action, NULL);
	} else if (previous_action.sa_flags & SA_SIGINFO) {
		previous_action.sa_sigaction(number, info, context);
	} else if (previous_action.sa_handler != SIG_DFL &&
		   previous_action.sa_handler != SIG_IGN) {
		previous_action.sa_handler(number);
	} else {
		(void)sigaction(number, &previous_action, NULL);
		if (info->si_code <= 0) /* sent, so it will not come again by itself */
			(void)raise(number);
	}
	errno = saved_errno;
}

void task_overflow_handler_install(void)
{
	static atomic_flag is_installed = ATOMIC_FLAG_INIT;
	struct sigaction action = { .sa_sigaction = on_segv,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	stack_t alternate;

	/* Who has an alternate stack already, as the sanitizers do, keeps it. */
	if (sigaltstack(NULL, &alternate) == 0 && (alternate.ss_flags & SS_DISABLE)) {
		alternate = (stack_t){ .ss_size = ALTERNATE_STACK_SIZE };
		alternate.ss_sp = mmap(NULL, alternate.ss_size, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (alternate.ss_sp != MAP_FAILED)
			(void)sigaltstack(&alternate, NULL);
	}
	if (atomic_flag_test_and_set(&is_installed))
		return;
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGSEGV, &action, &previous_action);
}
