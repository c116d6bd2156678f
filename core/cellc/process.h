/*
 * Running the compiler: as ourselves (exec), or as a child whose output is caught, with
 * signals passed on and nothing left behind when one ends us.
 */
#pragma once

#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>

struct process {
	const char *path;        /* the program's file */
	const char *const *argv; /* NULL-terminated; argv[0] as it is to see it */
	int in, out, err;        /* descriptors that it gets as 0, 1 and 2; -1 = ours */
	int kept;           /* one more that it inherits under its own number; -1 = none */
	char **environment; /* NULL = ours */
};

/* What `struct process` starts from. */
#define PROCESS(program, words)                                                              \
	{                                                                                    \
		.path = (program), .argv = (words), .in = -1, .out = -1, .err = -1,          \
		.kept = -1                                                                   \
	}

/*
 * Run it to its end. *RET_STATUS is its exit status, or 128 + N if signal N ended it. A
 * signal that asks us to end is passed on; when the child has ended, our temporary files are
 * removed and we end by the same signal. Returns 0 or -errno if it could not be started.
 */
int process_run(const struct process *process, int *ret_status, struct cell_error *err);

/* Become PATH. Returns only -errno. */
int process_exec(const char *path, const char *const *argv, struct cell_error *err);

/* End as the child of that STATUS did: exit, or die by its signal. Removes what is kept. */
void process_end(int status) __attribute__((noreturn));

/* ---- what must not stay -------------------------------------------------------------- */

/* Files and folders that we may hold at once. */
#define PROCESS_TEMPS_MAX 512

/*
 * A fresh folder of ours in FOLDER, removed by process_clean() with what is in it. PATH has
 * room for SIZE bytes. Returns 0 or -errno.
 */
int process_folder(const char *folder, char *path, size_t size, struct cell_error *err);

/* Remove all such folders. Done by process_end(), and when a signal ends us. */
void process_clean(void);

/* ---- descriptors ------------------------------------------------------------------------
 */

/* A file in memory, closed on exec; -errno. NAME is for /proc only. */
int process_memory(const char *name, struct cell_error *err);

/* Everything in FD, mapped; *RET_TEXT is "" if it is empty. Returns 0 or -errno. */
int process_text(int fd, const char **ret_text, size_t *ret_len, struct cell_error *err);

/* Write it all. Returns 0 or -errno. */
int process_write(int fd, const char *bytes, size_t len);
