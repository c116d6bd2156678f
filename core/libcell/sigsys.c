/*
 * A filter that answers with SECCOMP_RET_TRAP leaves the process a signal instead of a
 * result. The handler runs between any two instructions of the program, so it uses
 * nothing but write(), poll() and its own memory: no cell_log(), no stdio, no malloc.
 */
#include "sigsys.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

/* Numbers from here on share one counter; no system call is that high yet. */
#define NUMBER_MAX 1024

#if defined(__x86_64__) || defined(__aarch64__)
#define IS_SUPPORTED 1
#else
#define IS_SUPPORTED 0
#endif

static const struct {
	long number;
	const char *name;
} names[] = {
#define NAME(call) { SYS_##call, #call },
#ifdef SYS_acct
	NAME(acct)
#endif
#ifdef SYS_add_key
		NAME(add_key)
#endif
#ifdef SYS_adjtimex
			NAME(adjtimex)
#endif
#ifdef SYS_bpf
				NAME(bpf)
#endif
#ifdef SYS_chroot
					NAME(chroot)
#endif
#ifdef SYS_clock_adjtime
						NAME(clock_adjtime)
#endif
#ifdef SYS_clock_settime
							NAME(clock_settime)
#endif
#ifdef SYS_clone
								NAME(clone)
#endif
#ifdef SYS_delete_module
									NAME(delete_module)
#endif
#ifdef SYS_fanotify_init
										NAME(fanotify_init)
#endif
#ifdef SYS_finit_module
											NAME(finit_module)
#endif
#ifdef SYS_fsconfig
												NAME(fsconfig)
#endif
#ifdef SYS_fsmount
													NAME(fsmount)
#endif
#ifdef SYS_fsopen
														NAME(fsopen)
#endif
#ifdef SYS_fspick
															NAME(fspick)
#endif
#ifdef SYS_init_module
																NAME(init_module)
#endif
#ifdef SYS_io_uring_enter
																	NAME(io_uring_enter)
#endif
#ifdef SYS_io_uring_register
																		NAME(io_uring_register)
#endif
#ifdef SYS_io_uring_setup
																			NAME(io_uring_setup)
#endif
#ifdef SYS_ioctl
																				NAME(ioctl)
#endif
#ifdef SYS_ioperm
																					NAME(ioperm)
#endif
#ifdef SYS_iopl
																						NAME(iopl)
#endif
#ifdef SYS_kcmp
																							NAME(kcmp)
#endif
#ifdef SYS_kexec_file_load
																								NAME(kexec_file_load)
#endif
#ifdef SYS_kexec_load
																									NAME(kexec_load)
#endif
#ifdef SYS_keyctl
																										NAME(keyctl)
#endif
#ifdef SYS_lookup_dcookie
																											NAME(lookup_dcookie)
#endif
#ifdef SYS_modify_ldt
																												NAME(modify_ldt)
#endif
#ifdef SYS_mount
																													NAME(mount)
#endif
#ifdef SYS_mount_setattr
																														NAME(mount_setattr)
#endif
#ifdef SYS_move_mount
																															NAME(move_mount)
#endif
#ifdef SYS_name_to_handle_at
																																NAME(name_to_handle_at)
#endif
#ifdef SYS_open_by_handle_at
																																	NAME(open_by_handle_at)
#endif
#ifdef SYS_open_tree
																																		NAME(open_tree)
#endif
#ifdef SYS_perf_event_open
																																			NAME(perf_event_open)
#endif
#ifdef SYS_personality
																																				NAME(personality)
#endif
#ifdef SYS_pidfd_getfd
																																					NAME(pidfd_getfd)
#endif
#ifdef SYS_pivot_root
																																						NAME(pivot_root)
#endif
#ifdef SYS_process_madvise
																																							NAME(process_madvise)
#endif
#ifdef SYS_process_vm_readv
																																								NAME(process_vm_readv)
#endif
#ifdef SYS_process_vm_writev
																																									NAME(process_vm_writev)
#endif
#ifdef SYS_ptrace
																																										NAME(ptrace)
#endif
#ifdef SYS_quotactl
																																											NAME(quotactl)
#endif
#ifdef SYS_quotactl_fd
																																												NAME(quotactl_fd)
#endif
#ifdef SYS_reboot
																																													NAME(reboot)
#endif
#ifdef SYS_request_key
																																														NAME(request_key)
#endif
#ifdef SYS_setdomainname
																																															NAME(setdomainname)
#endif
#ifdef SYS_sethostname
																																																NAME(sethostname)
#endif
#ifdef SYS_setns
																																																	NAME(setns)
#endif
#ifdef SYS_settimeofday
																																																		NAME(settimeofday)
#endif
#ifdef SYS_socket
																																																			NAME(socket)
#endif
#ifdef SYS_swapoff
																																																				NAME(swapoff)
#endif
#ifdef SYS_swapon
																																																					NAME(swapon)
#endif
#ifdef SYS_syslog
																																																						NAME(syslog)
#endif
#ifdef SYS_umount2
																																																							NAME(umount2)
#endif
#ifdef SYS_unshare
																																																								NAME(unshare)
#endif
#ifdef SYS_userfaultfd
																																																									NAME(userfaultfd)
#endif
#ifdef SYS_vhangup
																																																										NAME(vhangup)
#endif
#undef NAME
};

static char program[64];
static atomic_uint counts[NUMBER_MAX + 1];

bool cell_sigsys_is_supported(void)
{
	return IS_SUPPORTED;
}

const char *cell_sigsys_name(long number)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].number == number)
			return names[i].name;
	return NULL;
}

#if IS_SUPPORTED

struct line {
	char text[256];
	size_t len;
};

static void line_put(struct line *line, const char *text)
{
	while (*text && line->len < sizeof line->text - 1)
		line->text[line->len++] = *text++;
}

static void line_put_number(struct line *line, unsigned long number)
{
	char digits[24];
	size_t at = sizeof digits - 1;

	digits[at] = '\0';
	do
		digits[--at] = (char)('0' + number % 10);
	while (number /= 10);
	line_put(line, digits + at);
}

/* The 1st, 2nd, 4th, 8th … time: a loop that retries cannot fill the log. */
static bool is_worth_a_line(unsigned count)
{
	return (count & (count - 1)) == 0;
}

static void report(long number)
{
	size_t slot = number >= 0 && number < NUMBER_MAX ? (size_t)number : NUMBER_MAX;
	unsigned count =
		atomic_fetch_add_explicit(&counts[slot], 1, memory_order_relaxed) + 1;
	struct pollfd pollfd = { .fd = STDERR_FILENO, .events = POLLOUT };
	const char *name = cell_sigsys_name(number);
	struct line line = { .len = 0 };

	/* A full pipe would block; a line lost is better than a cell that stands. */
	if (!is_worth_a_line(count) || poll(&pollfd, 1, 0) != 1 ||
	    !(pollfd.revents & POLLOUT))
		return;
	line_put(&line, "level=warn cell=");
	line_put(&line, program);
	line_put(&line, " sub=sandbox event=syscall_denied name=");
	line_put(&line, name ? name : "other");
	line_put(&line, " number=");
	line_put_number(&line, (unsigned long)number);
	line_put(&line, " times=");
	line_put_number(&line, count);
	line.text[line.len++] = '\n';
	(void)!write(STDERR_FILENO, line.text, line.len);
}

static void on_sigsys(int signal_number, siginfo_t *info, void *context)
{
	ucontext_t *ucontext = context;
	int saved = errno;

	(void)signal_number;
	/* Someone's kill(2) is no refused call: there is nothing to answer. */
	if (info->si_code == SYS_SECCOMP) {
		report(info->si_syscall);
#if defined(__x86_64__)
		ucontext->uc_mcontext.gregs[REG_RAX] = -EPERM;
#else
		ucontext->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#endif
	}
	errno = saved;
}

void cell_sigsys_install(const char *cell)
{
	struct sigaction action = { .sa_sigaction = on_sigsys,
				    .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART };
	sigset_t set;

	strncpy(program, cell, sizeof program - 1);
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGSYS, &action, NULL);
	/* Blocked by whoever executed us, it would kill instead. */
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGSYS);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/*
 * What main() does before it opens the runtime can be refused as well, and a process without
 * a handler would end there without a word. cell-sandbox sets the name, nobody else does.
 */
__attribute__((constructor)) static void install_early(void)
{
	const char *name = getenv("CELL_NAME");

	if (name)
		cell_sigsys_install(name);
}

#else

void cell_sigsys_install(const char *cell)
{
	(void)cell;
}

#endif
