#include "libcell/task.h"

#include "quick_check.h"
#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAITS_MAX 256
#define JOBS_MAX  4096

/*
 * A loop such as the real one: it takes jobs in order and runs them on its own stack; a
 * job is a function and what it is given.
 */
typedef void job_fn(unsigned number);

struct loop {
	struct task_pool *pool;
	job_fn *jobs[JOBS_MAX];
	unsigned numbers[JOBS_MAX];
	unsigned n_jobs, n_taken;
	struct task_wait finished; /* main waits for it */
};

static struct loop loop;
static struct task_wait *waits[JOBS_MAX];
static char order[JOBS_MAX];
static unsigned n_order, n_refused;

static void run(void *userdata)
{
	struct loop *self = userdata;

	for (;;) {
		if (task_switch_ready(self->pool))
			continue;
		if (self->n_taken < self->n_jobs) {
			unsigned i = self->n_taken++;

			self->jobs[i](self->numbers[i]);
		} else {
			task_wake(self->pool, &self->finished);
		}
	}
}

static void setup(void)
{
	memset(&loop, 0, sizeof loop);
	memset(waits, 0, sizeof waits);
	memset(order, 0, sizeof order);
	n_order = n_refused = 0;
	ck_assert_int_eq(task_pool_new(&loop.pool, run, &loop, WAITS_MAX, NULL), 0);
}

static void teardown(void)
{
	task_pool_free(loop.pool);
	loop.pool = NULL;
}

static void add(job_fn *job, unsigned number)
{
	ck_assert_uint_lt(loop.n_jobs, JOBS_MAX);
	loop.jobs[loop.n_jobs] = job;
	loop.numbers[loop.n_jobs++] = number;
}

/* Until all jobs have been taken and nobody is ready. */
static void run_all(void)
{
	loop.finished = (struct task_wait){ 0 };
	ck_assert_int_eq(task_wait(loop.pool, &loop.finished), 0);
	loop.n_jobs = loop.n_taken = 0;
}

static void say(unsigned number)
{
	order[n_order++] = (char)('a' + number);
}

/* Wait, then see whether what was on the stack is still there. */
static void job_wait(unsigned number)
{
	struct task_wait wait = { 0 };
	unsigned char bytes[2000];
	unsigned sum = 0;
	int r;

	memset(bytes, (int)number, sizeof bytes);
	waits[number] = &wait;
	r = task_wait(loop.pool, &wait);
	waits[number] = NULL;
	if (r == CELL_RESOURCE_EXHAUSTED) {
		n_refused++;
		return;
	}
	ck_assert_int_eq(r, 0);
	for (size_t i = 0; i < sizeof bytes; i++)
		sum += bytes[i] ^ (unsigned char)number;
	ck_assert_uint_eq(sum, 0);
	if (number < 26)
		say(number);
}

static void job_wake(unsigned number)
{
	task_wake(loop.pool, waits[number]);
}

static void job_wake_all(unsigned number)
{
	for (unsigned i = 0; i < number; i++)
		if (waits[i])
			task_wake(loop.pool, waits[i]);
}

START_TEST(goes_on_where_it_waited)
{
	add(job_wait, 0);
	run_all();
	ck_assert_uint_eq(task_pool_waiting(loop.pool), 1);
	ck_assert_str_eq(order, "");
	add(job_wake, 0);
	run_all();
	ck_assert_uint_eq(task_pool_waiting(loop.pool), 0);
	ck_assert_str_eq(order, "a");
}
END_TEST

START_TEST(goes_on_in_the_order_of_waking)
{
	for (unsigned i = 0; i < 5; i++)
		add(job_wait, i);
	add(job_wake, 3);
	add(job_wake, 1);
	add(job_wake, 4);
	run_all();
	add(job_wake, 0);
	add(job_wake, 2);
	run_all();
	ck_assert_str_eq(order, "dbeac");
}
END_TEST

START_TEST(waking_twice_is_waking_once)
{
	add(job_wait, 0);
	add(job_wait, 1);
	run_all();
	task_wake(loop.pool, waits[0]);
	task_wake(loop.pool, waits[0]);
	ck_assert(task_has_ready(loop.pool));
	run_all();
	ck_assert_str_eq(order, "a");
	ck_assert(!task_has_ready(loop.pool));
	ck_assert_uint_eq(task_pool_waiting(loop.pool), 1);
}
END_TEST

START_TEST(who_is_woken_before_does_not_wait)
{
	struct task_wait wait = { 0 };

	task_wake(loop.pool, &wait);
	ck_assert(!task_has_ready(loop.pool));
	ck_assert_int_eq(task_wait(loop.pool, &wait), 0);
	task_forbid(loop.pool);
	ck_assert_int_eq(task_wait(loop.pool, &wait), 0);
	task_allow(loop.pool);
}
END_TEST

/* Each waits three times, and meanwhile its old loop runs the others, on other stacks. */
static void job_wait_thrice(unsigned number)
{
	for (unsigned i = 0; i < 3; i++)
		job_wait(number);
}

START_TEST(a_handler_may_wait_again_and_again)
{
	for (unsigned i = 0; i < 20; i++)
		add(job_wait_thrice, i);
	for (unsigned round = 0; round < 3; round++) {
		run_all();
		ck_assert_uint_eq(task_pool_waiting(loop.pool), 20);
		add(job_wake_all, 20);
	}
	run_all();
	ck_assert_uint_eq(n_order, 60);
	ck_assert_uint_eq(task_pool_waiting(loop.pool), 0);
}
END_TEST

/* The stack of a waiter that came back is the loop: handlers that it runs wait on it, too. */
START_TEST(waits_on_top_of_finished_waiters)
{
	for (unsigned round = 0; round < 500; round++) {
		add(job_wait, round % 7);
		add(job_wake, round % 7);
		add(job_wait, 7 + round % 5);
		add(job_wait, 13);
		add(job_wake, 13);
		add(job_wake, 7 + round % 5);
		run_all();
		ck_assert_uint_eq(task_pool_waiting(loop.pool), 0);
		n_order = 0;
	}
}
END_TEST

START_TEST(waits_beyond_the_limit_are_refused)
{
	for (unsigned i = 0; i < WAITS_MAX + 10; i++)
		add(job_wait, i);
	run_all(); /* and main's wait is not one of them */
	ck_assert_uint_eq(n_refused, 10);
	ck_assert_uint_eq(task_pool_waiting(loop.pool), WAITS_MAX);
	add(job_wake_all, WAITS_MAX);
	add(job_wait, 0);
	run_all();
	ck_assert_uint_eq(n_refused, 10);
	ck_assert_uint_eq(task_pool_waiting(loop.pool), 1);
}
END_TEST

static int result_of_forbidden;

static void job_forbidden(unsigned number)
{
	struct task_wait wait = { 0 };

	(void)number;
	task_forbid(loop.pool);
	task_forbid(loop.pool);
	task_allow(loop.pool);
	result_of_forbidden = task_wait(loop.pool, &wait);
	ck_assert(!wait.task);
	/* Nor does the loop move while it is forbidden. */
	task_wake(loop.pool, waits[0]);
	ck_assert(!task_switch_ready(loop.pool));
	task_allow(loop.pool);
}

START_TEST(waiting_where_it_is_forbidden_is_a_deadlock)
{
	add(job_wait, 0);
	add(job_forbidden, 0);
	run_all();
	ck_assert_int_eq(result_of_forbidden, -EDEADLK);
	ck_assert_str_eq(order, "a");
}
END_TEST

static void job_round(unsigned number)
{
	static const int modes[] = { FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
	volatile double one = 1.0, three = 3.0;
	double before, after;

	ck_assert_int_eq(fesetround(modes[number % 4]), 0);
	before = one / three;
	job_wait(number);
	after = one / three;
	ck_assert_int_eq(fegetround(), modes[number % 4]);
	ck_assert_int_eq(memcmp(&before, &after, sizeof before), 0);
	ck_assert_int_eq(fesetround(FE_TONEAREST), 0);
}

START_TEST(each_stack_keeps_its_rounding)
{
	for (unsigned i = 0; i < 8; i++)
		add(job_round, i);
	add(job_wake_all, 8);
	run_all();
	ck_assert_uint_eq(n_order, 8);
	ck_assert_int_eq(fegetround(), FE_TONEAREST);
}
END_TEST

/* Many values alive over the switch: some are in the registers that it must keep. */
static void job_registers(unsigned number)
{
	unsigned long v[12], sum = 0;

	for (unsigned i = 0; i < 12; i++)
		v[i] = number * 1000003ul + i * 7919ul;
	for (unsigned round = 0; round < 3; round++) {
		unsigned long a = v[0] + round, b = v[1] ^ a, c = v[2] + b, d = v[3] ^ c,
			      e = v[4] + d, f = v[5] ^ e;
		unsigned long expected = a + 3 * b + 5 * c + 7 * d + 11 * e + 13 * f;

		job_wait(number);
		sum = a + 3 * b + 5 * c + 7 * d + 11 * e + 13 * f;
		ck_assert_uint_eq(sum, expected);
	}
}

START_TEST(each_stack_keeps_its_registers)
{
	for (unsigned i = 0; i < 10; i++)
		add(job_registers, i);
	for (unsigned round = 0; round < 3; round++) {
		run_all();
		add(job_wake_all, 10);
	}
	run_all();
	ck_assert_uint_eq(n_order, 30);
}
END_TEST

/* Mappings of this process that look like the guard of a stack. */
static unsigned stacks_mapped(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	unsigned n = 0;
	char line[512];

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof line, maps))
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && strstr(line, " ---p ") &&
		    to - from == TASK_GUARD_SIZE)
			n++;
	(void)fclose(maps);
	return n;
}

START_TEST(a_freed_pool_takes_parked_and_waiting_stacks_along)
{
	unsigned before = stacks_mapped();

	for (unsigned i = 0; i < 40; i++)
		add(job_wait, i);
	run_all();
	add(job_wake_all, 20);
	run_all();
	ck_assert_uint_eq(task_pool_waiting(loop.pool), 20);
	ck_assert_uint_gt(stacks_mapped(), before + 20);
	task_pool_free(loop.pool);
	loop.pool = NULL;
	ck_assert_uint_eq(stacks_mapped(), before);
}
END_TEST

START_TEST(a_pool_without_stacks_can_be_freed)
{
	struct task_pool *pool;

	task_pool_free(NULL);
	ck_assert_int_eq(task_pool_new(&pool, run, NULL, 1, NULL), 0);
	ck_assert_uint_eq(task_pool_waiting(pool), 0);
	ck_assert(!task_has_ready(pool));
	ck_assert(!task_switch_ready(pool));
	task_pool_free(pool);
}
END_TEST

static void wave(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		add(job_wait, i);
	add(job_wake_all, n);
	run_all();
}

START_TEST(stacks_that_a_wave_left_are_dropped_in_time)
{
	unsigned busy, before = stacks_mapped();

	wave(200);
	wave(200);
	busy = stacks_mapped() - before;
	ck_assert_uint_ge(busy, 200);
	/* Waves that come again do not map anew. */
	for (unsigned i = 0; i < 20; i++)
		wave(200);
	ck_assert_uint_eq(stacks_mapped() - before, busy);
	for (unsigned i = 0; i < 3000; i++)
		wave(1);
	ck_assert_uint_le(stacks_mapped() - before, 16);
}
END_TEST

START_TEST(an_idle_loop_can_give_stacks_back)
{
	unsigned before = stacks_mapped();

	ck_assert(!task_pool_can_trim(loop.pool));
	wave(200);
	ck_assert(task_pool_can_trim(loop.pool));
	task_pool_trim(loop.pool);
	ck_assert(!task_pool_can_trim(loop.pool));
	ck_assert_uint_le(stacks_mapped() - before, TASK_PARKED_KEPT);
	task_pool_trim(loop.pool);
	wave(200);
	ck_assert_uint_eq(task_pool_waiting(loop.pool), 0);
}
END_TEST

/* The outer loop on main's own stack: parked there, too, and never dropped. */
static unsigned own_turns;

static void run_on_own_stack(void *userdata)
{
	(void)userdata;
	for (;;)
		if (!task_switch_ready(loop.pool))
			job_wake_all(40);
}

START_TEST(the_first_stack_may_be_the_loop)
{
	task_pool_free(loop.pool);
	ck_assert_int_eq(task_pool_new(&loop.pool, run_on_own_stack, NULL, WAITS_MAX, NULL),
			 0);
	for (own_turns = 0; own_turns < 100; own_turns++) {
		job_wait(own_turns % 40);
		task_pool_trim(loop.pool);
	}
	ck_assert_uint_eq(task_pool_waiting(loop.pool), 0);
}
END_TEST

/* --- threads ------------------------------------------------------------------------ */

struct thread_loop {
	struct task_pool *pool;
	struct task_wait wait, finished;
	unsigned turns;
};

static void thread_run(void *userdata)
{
	struct thread_loop *self = userdata;

	for (;;) {
		if (task_switch_ready(self->pool))
			continue;
		if (self->turns++ < 2000) {
			self->wait = (struct task_wait){ 0 };
			if (self->turns % 2)
				task_wake(self->pool, &self->wait);
			else if (self->wait.task == NULL)
				self->turns += task_wait(self->pool, &self->wait) == 0;
		} else {
			task_wake(self->pool, &self->wait);
			task_wake(self->pool, &self->finished);
		}
	}
}

static void *thread_main(void *unused)
{
	struct thread_loop self = { 0 };

	(void)unused;
	if (task_pool_new(&self.pool, thread_run, &self, WAITS_MAX, NULL) < 0)
		abort();
	task_overflow_handler_install();
	if (task_wait(self.pool, &self.finished) < 0)
		abort();
	task_pool_free(self.pool);
	return NULL;
}

START_TEST(each_thread_may_have_a_pool)
{
	pthread_t threads[4];

	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, thread_main, NULL), 0);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

/* --- overflow ----------------------------------------------------------------------- */

static __attribute__((noinline)) unsigned recurse(unsigned depth)
{
	volatile unsigned char bytes[1024];

	bytes[depth % sizeof bytes] = (unsigned char)depth;
	if (depth == 0)
		return 0;
	return recurse(depth - 1) + bytes[depth % sizeof bytes];
}

static void job_overflow(unsigned depth)
{
	say(recurse(depth) % 2);
}

static void job_null(unsigned number)
{
	volatile int *volatile nowhere = (volatile int *)64;

	(void)number;
	*nowhere = 1;
}

static void on_previous(int number)
{
	static const char text[] = "previous\n";

	(void)number;
	(void)!write(STDERR_FILENO, text, sizeof text - 1);
	_exit(3);
}

/* Run JOB in a child; what it wrote to stderr in TEXT; its wait status. */
static int in_child(job_fn *job, unsigned number, void (*previous)(int),
		    char text[static 4096])
{
	size_t len = 0;
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct rlimit none = { 0 };

		(void)setrlimit(RLIMIT_CORE, &none);
		(void)dup2(ends[1], STDERR_FILENO);
		if (previous)
			(void)signal(SIGSEGV, previous);
		task_overflow_handler_install();
		task_overflow_handler_install();
		add(job, number);
		run_all();
		_exit(0);
	}
	(void)close(ends[1]);
	while (len < 4095 && (n = read(ends[0], text + len, 4095 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	(void)close(ends[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* A sanitizer's own handler may exit instead. */
static bool died(int status)
{
	return (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) ||
	       (WIFEXITED(status) && WEXITSTATUS(status) != 0);
}

START_TEST(an_overflowed_stack_is_named)
{
	char text[4096];

	ck_assert(died(in_child(job_overflow, 1000000, NULL, text)));
	ck_assert_ptr_nonnull(strstr(text, "stack of handler overflowed (256 KiB)"));
}
END_TEST

START_TEST(most_of_a_stack_can_be_used)
{
	char text[4096];

	/* Sanitizers widen frames: half of what fits without. */
	ck_assert_int_eq(in_child(job_overflow, 80, NULL, text), 0);
	ck_assert_ptr_null(strstr(text, "overflowed"));
}
END_TEST

START_TEST(another_fault_is_not_called_an_overflow)
{
	char text[4096];

	ck_assert(died(in_child(job_null, 0, NULL, text)));
	ck_assert_ptr_null(strstr(text, "overflowed"));
}
END_TEST

START_TEST(the_previous_handler_still_gets_its_faults)
{
	char text[4096];
	int status = in_child(job_null, 0, on_previous, text);

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	ck_assert_ptr_nonnull(strstr(text, "previous\n"));
}
END_TEST

static void job_segv_sent(unsigned number)
{
	(void)number;
	(void)kill(getpid(), SIGSEGV);
}

START_TEST(a_sent_signal_still_kills)
{
	char text[4096];

	ck_assert(died(in_child(job_segv_sent, 0, NULL, text)));
	ck_assert_ptr_null(strstr(text, "overflowed"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("task");
	TCase *tc = tcase_create("task"), *overflow = tcase_create("overflow");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, goes_on_where_it_waited);
	tcase_add_test(tc, goes_on_in_the_order_of_waking);
	tcase_add_test(tc, waking_twice_is_waking_once);
	tcase_add_test(tc, who_is_woken_before_does_not_wait);
	tcase_add_test(tc, a_handler_may_wait_again_and_again);
	tcase_add_test(tc, waits_on_top_of_finished_waiters);
	tcase_add_test(tc, waits_beyond_the_limit_are_refused);
	tcase_add_test(tc, waiting_where_it_is_forbidden_is_a_deadlock);
	tcase_add_test(tc, each_stack_keeps_its_rounding);
	tcase_add_test(tc, each_stack_keeps_its_registers);
	tcase_add_test(tc, a_freed_pool_takes_parked_and_waiting_stacks_along);
	tcase_add_test(tc, a_pool_without_stacks_can_be_freed);
	tcase_add_test(tc, stacks_that_a_wave_left_are_dropped_in_time);
	tcase_add_test(tc, an_idle_loop_can_give_stacks_back);
	tcase_add_test(tc, the_first_stack_may_be_the_loop);
	tcase_add_test(tc, each_thread_may_have_a_pool);
	suite_add_tcase(suite, tc);

	tcase_set_timeout(overflow, 60);
	tcase_add_checked_fixture(overflow, setup, teardown);
	tcase_add_test(overflow, an_overflowed_stack_is_named);
	tcase_add_test(overflow, most_of_a_stack_can_be_used);
	tcase_add_test(overflow, another_fault_is_not_called_an_overflow);
	tcase_add_test(overflow, the_previous_handler_still_gets_its_faults);
	tcase_add_test(overflow, a_sent_signal_still_kills);
	suite_add_tcase(suite, overflow);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
