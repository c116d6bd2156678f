/*
 * One stack and the switch between two: assembly for x86-64 and aarch64, ucontext
 * elsewhere and with -DTASK_UCONTEXT. Valgrind and the sanitizers are told of each stack.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if !defined(TASK_UCONTEXT) && !defined(__x86_64__) && !defined(__aarch64__)
#define TASK_UCONTEXT 1
#endif
#ifdef TASK_UCONTEXT
#include <ucontext.h>
#endif

/* Bytes of a stack, its guard not included. */
#define TASK_STACK_SIZE (256u * 1024)
/* Address space below a stack that faults. More than a page: a large frame steps over one. */
#define TASK_GUARD_SIZE (64u * 1024)

struct task_stack {
	void *saved;   /* the stack pointer, while it does not run */
	uint8_t *base; /* its lowest byte, above the guard; NULL: the thread's own stack */
	struct task_stack *came_from; /* who switched here last */

	unsigned valgrind_id;
	void *fake_stack;   /* of the address sanitizer, while it does not run */
	const void *bottom; /* of the thread's own stack, as the sanitizer sees it */
	size_t size;
	void *fiber; /* of the thread sanitizer */
#ifdef TASK_UCONTEXT
	ucontext_t context;
	void (*entry)(void *argument);
	void *argument;
#endif
};

/* The stack that runs now, so that others can switch back to it. */
void task_stack_init_own(struct task_stack *stack);

/* A new stack that will run ENTRY, which must not return. 0 or -ENOMEM. */
int task_stack_init(struct task_stack *stack, void (*entry)(void *argument), void *argument);

/* Drop a stack that does not run, and whatever is on it. */
void task_stack_deinit(struct task_stack *stack);

/* Leave FROM, which runs, for TO. Returns when somebody switches back to FROM. */
void task_stack_switch(struct task_stack *from, struct task_stack *to);

/* The first thing that ENTRY must call. */
void task_stack_begin(struct task_stack *stack);

/* Give back the memory below what a stack that does not run uses. */
void task_stack_trim(struct task_stack *stack);
