/*
 * Processes of the node as the operating system sees them: who descends from whom, and
 * waiting for their end. For `cell up` and `cell down`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct processes {
	struct {
		pid_t pid;
		int fd; /* pidfd */
	} * list;
	size_t n;
};

/* PID, unless it has ended or is in the list. */
void processes_add(struct processes *processes, pid_t pid);

/* All that descend from PID, without itself. */
void processes_add_below(struct processes *processes, pid_t pid);

/* The parent of PID, if it runs the same program; else 0. */
pid_t process_watcher(pid_t pid);

/*
 * Wait at most MS milliseconds for one more to end; those that have ended are taken out of
 * the list. Returns how many are left.
 */
size_t processes_wait(struct processes *processes, int ms);

void processes_signal(const struct processes *processes, int number);
void processes_free(struct processes *processes);
