/*
 * What a tree of processes costs while it does nothing, as the kernel counts it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All descendants of ROOT, without it, in PIDS; how many (at most MAX). */
size_t proc_tree(pid_t root, pid_t *pids, size_t max);

/* How often the threads of PID have been switched away from: each is one wake-up. */
uint64_t proc_wakeups(pid_t pid);

/* Memory of PID, what it shares counted in proportion (PSS). 0 if it is gone. */
uint64_t proc_memory_bytes(pid_t pid);

/*
 * What the kernel itself holds, on the whole machine: unreclaimable slabs, stacks, page
 * tables, per-CPU areas. Only differences mean something, and only on a quiet machine.
 */
uint64_t proc_kernel_bytes(void);
