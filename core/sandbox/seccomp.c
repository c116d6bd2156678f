#include "seccomp.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Younger than the headers of some machines. */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const char *const refused[] = {
	/* other processes */
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd",
	"kcmp",
	/* namespaces and mounts */
	"unshare", "setns", "mount", "umount", "umount2", "pivot_root", "chroot",
	"move_mount", "open_tree", "open_tree_attr", "fsopen", "fsconfig", "fsmount",
	"fspick", "mount_setattr", "open_by_handle_at",
	/* parts of the kernel with a long record of holes, and no use to a cell */
	"bpf", "userfaultfd", "perf_event_open", "io_uring_setup", "io_uring_enter",
	"io_uring_register", "keyctl", "add_key", "request_key", "fanotify_init",
	"lookup_dcookie", "modify_ldt", "uselib", "vm86", "vm86old", "nfsservctl",
	/* the machine */
	"reboot", "kexec_load", "kexec_file_load", "init_module", "finit_module",
	"delete_module", "create_module", "swapon", "swapoff", "acct", "quotactl",
	"quotactl_fd", "syslog", "iopl", "ioperm", "settimeofday", "clock_settime",
	"clock_adjtime", "adjtimex", "stime", "sethostname", "setdomainname", "vhangup", NULL
};

const char *const *seccomp_refused(void)
{
	return refused;
}

static int refuse(scmp_filter_ctx ctx, uint32_t action, const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	/* Unknown to this libseccomp or processor: then nobody can make it by its name. */
	if (number == __NR_SCMP_ERROR || number < 0)
		return 0;
	return seccomp_rule_add_array(ctx, action, number, 0, NULL);
}

static int refuse_if(scmp_filter_ctx ctx, uint32_t action, const char *name,
		     struct scmp_arg_cmp condition)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number < 0)
		return 0;
	return seccomp_rule_add_array(ctx, action, number, 1, &condition);
}

static int refuse_namespaces(scmp_filter_ctx ctx, uint32_t action)
{
	static const uint64_t flags[] = { CLONE_NEWNS,   CLONE_NEWUSER,  CLONE_NEWPID,
					  CLONE_NEWNET,  CLONE_NEWIPC,   CLONE_NEWUTS,
					  CLONE_NEWTIME, CLONE_NEWCGROUP };
	int r = 0;

	for (size_t i = 0; i < sizeof flags / sizeof flags[0] && r == 0; i++)
		r = refuse_if(ctx, action, "clone",
			      SCMP_A0_64(SCMP_CMP_MASKED_EQ, flags[i], flags[i]));
	/* Its flags are in memory, where no filter sees them; libc then uses clone. */
	if (r == 0)
		r = refuse(ctx, SCMP_ACT_ERRNO(ENOSYS), "clone3");
	return r;
}

/* Put bytes into the terminal's input, or a console's. Only the low half is the command. */
static int refuse_terminal_input(scmp_filter_ctx ctx, uint32_t action)
{
	static const uint64_t commands[] = { TIOCSTI, TIOCLINUX };
	int r = 0;

	for (size_t i = 0; i < sizeof commands / sizeof commands[0] && r == 0; i++)
		r = refuse_if(ctx, action, "ioctl",
			      SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, commands[i]));
	return r;
}

/*
 * Leave personality() for asking, which is 0xffffffff, and for 0. What it could change
 * makes memory easier to attack (READ_IMPLIES_EXEC, MMAP_PAGE_ZERO, no randomisation) or
 * reaches old code of the kernel. The question has bit 31, nothing else does.
 */
static int refuse_personalities(scmp_filter_ctx ctx, uint32_t action)
{
	static const uint64_t bits[] = { 0x01,      0x02,      0x04,      0x08,
					 0x10,      0x20,      0x40,      0x80,
					 0x0040000, 0x0100000, 0x0200000, 0x0400000 };
	int r = 0;

	for (size_t i = 0; i < sizeof bits / sizeof bits[0] && r == 0; i++)
		r = refuse_if(ctx, action, "personality",
			      SCMP_A0_64(SCMP_CMP_MASKED_EQ, 0x80000000 | bits[i], bits[i]));
	return r;
}

/* Few programs need the other families, and many holes were in them. */
static int refuse_families(scmp_filter_ctx ctx, uint32_t action)
{
	int r = refuse_if(ctx, action, "socket", SCMP_A0_64(SCMP_CMP_GT, AF_NETLINK, 0));

	for (uint64_t family = 0; family < AF_NETLINK && r == 0; family++) {
		if (family == AF_UNIX || family == AF_INET || family == AF_INET6)
			continue;
		r = refuse_if(ctx, action, "socket", SCMP_A0_64(SCMP_CMP_EQ, family, 0));
	}
	return r;
}

static int rules_add(scmp_filter_ctx ctx, const struct seccomp_options *options)
{
	uint32_t action = options->report ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(EPERM);
	int r = 0;

	for (size_t i = 0; refused[i] && r == 0; i++)
		r = refuse(ctx, action, refused[i]);
	if (r == 0)
		r = refuse_namespaces(ctx, action);
	if (r == 0)
		r = refuse_terminal_input(ctx, action);
	if (r == 0)
		r = refuse_personalities(ctx, action);
	if (r == 0)
		r = options->network ? refuse_families(ctx, action)
				     : refuse(ctx, action, "socket");
	return r;
}

static int filter_export(int *ret_fd, const struct seccomp_options *options)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r, fd = -1;

	if (!ctx)
		return -ENOMEM;
	/* 32-bit calls have other numbers: a way around all of this. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A tree, not a list: the price of a call must not grow with what we refuse. */
	if (r == 0)
		(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = rules_add(ctx, options);
	if (r == 0) {
		fd = memfd_create("seccomp", 0);
		r = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);
	}
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	seccomp_release(ctx);
	if (r < 0) {
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int seccomp_filter(int *ret_fd, const struct seccomp_options *options, struct cell_error *err)
{
	int r = filter_export(ret_fd, options);

	if (r < 0)
		return cell_fail(err, r, "building the seccomp filter: %s", strerror(-r));
	return 0;
}
