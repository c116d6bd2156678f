#include "task_stack.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* Two spellings: gcc 12 has no __has_feature, clang 14 no __SANITIZE_ADDRESS__. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define TASK_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define TASK_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define TASK_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define TASK_TSAN 1
#endif

#ifdef TASK_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef TASK_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) 0u
#define VALGRIND_STACK_DEREGISTER(id)       ((void)(id))
#endif

/* ---- The switch --------------------------------------------------------------------- */

#ifndef TASK_UCONTEXT
/*
 * Push what a called function must keep, and the floating-point modes; store the stack
 * pointer at *SAVE; go on with the stack at LOAD, which was left in the same way.
 * scripts/gdb-tasks.py knows the order of what is pushed.
 */
__attribute__((visibility("hidden"))) void task_stack_swap(void **save, void *load);

/* Where a new stack begins: calls the entry function with its argument. */
__attribute__((visibility("hidden"))) void task_stack_start(void);
#endif

#if !defined(TASK_UCONTEXT) && defined(__x86_64__)

/* clang-format off */
#define PUSH(r) "	pushq %" r "\n	.cfi_adjust_cfa_offset 8\n	.cfi_rel_offset %" r ", 0\n"
#define POP(r) "	popq %" r "\n	.cfi_adjust_cfa_offset -8\n	.cfi_restore %" r "\n"

__asm__(".text\n"
	".p2align 4\n"
	".globl task_stack_swap\n"
	".hidden task_stack_swap\n"
	".type task_stack_swap, @function\n"
	"task_stack_swap:\n"
	"	.cfi_startproc\n"
	PUSH("rbp") PUSH("rbx") PUSH("r12") PUSH("r13") PUSH("r14") PUSH("r15")
	"	subq $8, %rsp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	stmxcsr (%rsp)\n"
	"	fnstcw 4(%rsp)\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	ldmxcsr (%rsp)\n"
	"	fldcw 4(%rsp)\n"
	"	addq $8, %rsp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	POP("r15") POP("r14") POP("r13") POP("r12") POP("rbx") POP("rbp")
	"	ret\n"
	"	.cfi_endproc\n"
	".size task_stack_swap, .-task_stack_swap\n"

	".p2align 4\n"
	".globl task_stack_start\n"
	".hidden task_stack_start\n"
	".type task_stack_start, @function\n"
	"task_stack_start:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined %rip\n" /* backtraces end here */
	"	movq %r12, %rdi\n"
	"	xorl %ebp, %ebp\n"
	"	callq *%r13\n"
	"	ud2\n"
	"	.cfi_endproc\n"
	".size task_stack_start, .-task_stack_start\n");
/* clang-format on */

/* What task_stack_swap() finds on a stack that has not run yet. */
struct pushed {
	uint32_t mxcsr;
	uint16_t x87_control;
	uint64_t r15, r14, r13, r12, rbx, rbp, rip;
	uint64_t beyond[2]; /* the stack is aligned to 16 where task_stack_start() calls */
};
static_assert(sizeof(struct pushed) == 80, "as pushed");

static void stack_prepare(struct task_stack *stack, void (*entry)(void *), void *argument)
{
	struct pushed *pushed = (struct pushed *)(void *)(stack->base + TASK_STACK_SIZE) - 1;

	*pushed = (struct pushed){
		.r13 = (uint64_t)(uintptr_t)entry,
		.r12 = (uint64_t)(uintptr_t)argument,
		.rip = (uint64_t)(uintptr_t)task_stack_start,
	};
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1"
			 : "=m"(pushed->mxcsr), "=m"(pushed->x87_control));
	stack->saved = pushed;
}

#elif !defined(TASK_UCONTEXT) && defined(__aarch64__)

/* clang-format off */
/* "hint #34" is "bti c": a landing pad where the compiler uses them, nothing elsewhere. */
__asm__(".text\n"
	".p2align 4\n"
	".globl task_stack_swap\n"
	".hidden task_stack_swap\n"
	".type task_stack_swap, %function\n"
	"task_stack_swap:\n"
	"	.cfi_startproc\n"
	"	hint #34\n"
	"	sub sp, sp, #176\n"
	"	.cfi_def_cfa_offset 176\n"
	"	stp x19, x20, [sp]\n"
	"	stp x21, x22, [sp, #16]\n"
	"	stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]\n"
	"	stp x27, x28, [sp, #64]\n"
	"	stp x29, x30, [sp, #80]\n"
	"	.cfi_rel_offset x29, 80\n"
	"	.cfi_rel_offset x30, 88\n"
	"	stp d8, d9, [sp, #96]\n"
	"	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n"
	"	stp d14, d15, [sp, #144]\n"
	"	mrs x9, fpcr\n"
	"	str x9, [sp, #160]\n"
	"	mov x9, sp\n"
	"	str x9, [x0]\n"
	"	mov sp, x1\n"
	"	ldr x9, [sp, #160]\n"
	"	msr fpcr, x9\n"
	"	ldp x19, x20, [sp]\n"
	"	ldp x21, x22, [sp, #16]\n"
	"	ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]\n"
	"	ldp x27, x28, [sp, #64]\n"
	"	ldp x29, x30, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n"
	"	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n"
	"	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #176\n"
	"	.cfi_def_cfa_offset 0\n"
	"	.cfi_restore x29\n"
	"	.cfi_restore x30\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size task_stack_swap, .-task_stack_swap\n"

	".p2align 4\n"
	".globl task_stack_start\n"
	".hidden task_stack_start\n"
	".type task_stack_start, %function\n"
	"task_stack_start:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined x30\n" /* backtraces end here */
	"	hint #36\n"           /* "bti j" */
	"	mov x0, x19\n"
	"	mov x29, xzr\n"
	"	mov x30, xzr\n"
	"	blr x20\n"
	"	brk #0\n"
	"	.cfi_endproc\n"
	".size task_stack_start, .-task_stack_start\n");
/* clang-format on */

struct pushed {
	uint64_t x19, x20, x21_to_x28[8], x29, x30, d8_to_d15[8], fpcr, unused;
};
static_assert(sizeof(struct pushed) == 176, "as pushed");

static void stack_prepare(struct task_stack *stack, void (*entry)(void *), void *argument)
{
	struct pushed *pushed = (struct pushed *)(void *)(stack->base + TASK_STACK_SIZE) - 1;

	*pushed = (struct pushed){
		.x19 = (uint64_t)(uintptr_t)argument,
		.x20 = (uint64_t)(uintptr_t)entry,
		.x30 = (uint64_t)(uintptr_t)task_stack_start,
	};
	__asm__ volatile("mrs %0, fpcr" : "=r"(pushed->fpcr));
	stack->saved = pushed;
}

#else

/* makecontext() passes ints: the halves of a pointer. */
static void context_start(unsigned high, unsigned low)
{
	struct task_stack *stack = (void *)(((uintptr_t)high << 16 << 16) | low);

	stack->entry(stack->argument);
}

static void stack_prepare(struct task_stack *stack, void (*entry)(void *), void *argument)
{
	uintptr_t self = (uintptr_t)stack;

	stack->entry = entry;
	stack->argument = argument;
	(void)getcontext(&stack->context);
	stack->context.uc_stack.ss_sp = stack->base;
	stack->context.uc_stack.ss_size = TASK_STACK_SIZE;
	stack->context.uc_link = NULL;
	makecontext(&stack->context, (void (*)(void))context_start, 2,
		    (unsigned)(self >> 16 >> 16), (unsigned)self);
}

#endif

void task_stack_begin(struct task_stack *stack)
{
#ifdef TASK_ASAN
	struct task_stack *from = stack->came_from;

	__sanitizer_finish_switch_fiber(stack->fake_stack, &from->bottom, &from->size);
#else
	(void)stack;
#endif
}

void task_stack_switch(struct task_stack *from, struct task_stack *to)
{
	to->came_from = from;
#ifdef TASK_ASAN
	__sanitizer_start_switch_fiber(&from->fake_stack, to->bottom, to->size);
#endif
#ifdef TASK_TSAN
	__tsan_switch_to_fiber(to->fiber, 0);
#endif
#ifdef TASK_UCONTEXT
	(void)swapcontext(&from->context, &to->context);
#else
	task_stack_swap(&from->saved, to->saved);
#endif
	task_stack_begin(from);
}

/* ---- Memory ------------------------------------------------------------------------- */

void task_stack_init_own(struct task_stack *stack)
{
	*stack = (struct task_stack){ 0 };
#ifdef TASK_TSAN
	stack->fiber = __tsan_get_current_fiber();
#endif
}

int task_stack_init(struct task_stack *stack, void (*entry)(void *argument), void *argument)
{
	uint8_t *area = mmap(NULL, TASK_GUARD_SIZE + TASK_STACK_SIZE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	*stack = (struct task_stack){ 0 };
	if (area == MAP_FAILED)
		return -ENOMEM;
	if (mprotect(area + TASK_GUARD_SIZE, TASK_STACK_SIZE, PROT_READ | PROT_WRITE) < 0) {
		(void)munmap(area, TASK_GUARD_SIZE + TASK_STACK_SIZE);
		return -ENOMEM;
	}
	stack->base = area + TASK_GUARD_SIZE;
	stack->bottom = stack->base;
	stack->size = TASK_STACK_SIZE;
	stack->valgrind_id =
		VALGRIND_STACK_REGISTER(stack->base, stack->base + TASK_STACK_SIZE);
#ifdef TASK_TSAN
	stack->fiber = __tsan_create_fiber(0);
#endif
	stack_prepare(stack, entry, argument);
	return 0;
}

void task_stack_deinit(struct task_stack *stack)
{
	if (!stack->base)
		return;
	VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
#ifdef TASK_TSAN
	__tsan_destroy_fiber(stack->fiber);
#endif
#ifdef TASK_ASAN
	/* Whoever gets these addresses next must not inherit the red zones of dead frames. */
	__asan_unpoison_memory_region(stack->base, TASK_STACK_SIZE);
#endif
	(void)munmap(stack->base - TASK_GUARD_SIZE, TASK_GUARD_SIZE + TASK_STACK_SIZE);
	*stack = (struct task_stack){ 0 };
}

void task_stack_trim(struct task_stack *stack)
{
#ifdef TASK_UCONTEXT
	(void)stack; /* where its stack pointer is, only the C library knows */
#else
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	/* Nothing below the saved pointer is alive: a call keeps no red zone. */
	if (stack->base)
		(void)madvise(stack->base,
			      (size_t)((uint8_t *)stack->saved - stack->base) & ~(page - 1),
			      MADV_DONTNEED);
#endif
}
