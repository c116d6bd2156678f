/*
 * A node for tests: a fresh run directory, a real cellcore in it, cells that are
 * dummy_cell (tests/lib/dummy_cell.c).
 */
#pragma once

#include "control_client.h"

#include <stdbool.h>
#include <sys/types.h>

struct test_node {
	char folder[64];   /* of everything; removed at the end */
	char rundir[96];
	char cells[96];    /* the folder of manifests */
	pid_t pid;         /* of cellcore; 0: not running */
	bool is_sandboxed;
	bool is_watched;   /* cellcore --watch: PID is its small parent's */
	struct control_client client;
};

/* A node that is not started yet. */
void test_node_init(struct test_node *node);

/* Write a manifest NAME; ARGS are dummy_cell's, MORE is put behind the [cell] section. */
void test_node_cell(struct test_node *node, const char *name, const char *args, const char *more);

/* Write node.conf: MORE below [node], which has name and cells already. */
void test_node_conf(struct test_node *node, const char *more);

/* Start cellcore and join it as NODE->client. */
void test_node_start(struct test_node *node);

/* Wait for cellcore to end: its wait status. Kills it after 15 s, which fails the test. */
int test_node_wait(struct test_node *node);

/* Shut it down if it runs, and remove the folder. */
void test_node_deinit(struct test_node *node);

/* Connect; the lifeline is *RET_LIFE. 0 or the status, with the text in ERR. */
int test_node_connect(struct test_node *node, const char *cell, int *ret_life,
		      struct cell_error *err);

/* Tell a dummy something, and its answer. "" if it hung up. */
const char *test_tell(int life, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Instances of CELL that are listed in STATE (or in any: -1). */
unsigned test_node_count(struct test_node *node, const char *cell, int state);

/* Wait until there are N of them; fails the test after 15 s. */
void test_node_await(struct test_node *node, const char *cell, int state, unsigned n);

/* PROGRAM in $PATH, as the runner of the tests sets it; fails the test if it is not there. */
const char *test_find_program(const char *program, char out[static 512]);

/* Wait until an instance of CELL with an id above AFTER is ready; its id. */
uint64_t test_node_await_next(struct test_node *node, const char *cell, uint64_t after);

/* Descriptors that process PID has open. */
unsigned test_count_fds(pid_t pid);
