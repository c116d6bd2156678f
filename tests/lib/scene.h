/*
 * Stories of a real node: cells that serve Trial (trial_cell.c), clients of libcell in
 * processes of their own, and one in the test itself.
 */
#pragma once

#include "test_node.h"
#include "trial.h"

#include <ops.cell.h>

/* Who waits longer for an event has found a bug. */
#define SCENE_PATIENCE_MS 15000

/* The address sanitizer's allocator gives nothing back: memory says nothing then. */
#if defined(__SANITIZE_ADDRESS__)
#define SCENE_KEEPS_FREED true
#else
#define SCENE_KEEPS_FREED false
#endif

struct scene {
	struct test_node node;
	struct cell_call *call; /* scene_join() */
};

/* A node that is not started yet. */
void scene_init(struct scene *scene);
/* Write the manifest of a cell NAME: trial_cell with ARGS, MORE behind its [cell] section. */
void scene_cell(struct scene *scene, const char *name, const char *args, const char *more);
/* Start cellcore; $CELL_RUNDIR names its run directory from now on. */
void scene_start(struct scene *scene);
/* This process is a client, too. */
void scene_join(struct scene *scene);
/* End all of it; no process of the node may be left, and no sanitizer's complaint in its logs. */
void scene_deinit(struct scene *scene);

/* What is known of CELL's only (or first) instance that is ready; waits until there is one. */
struct core_instance_info scene_instance(struct scene *scene, const char *cell);
/* What its OPS channel says. */
struct ops_stats_report *scene_stats(struct scene *scene, const char *cell);
/* Calls of METHOD ("Sleep") that CELL is handling. */
uint64_t scene_in_flight(struct scene *scene, const char *cell, const char *method);
void scene_await_in_flight(struct scene *scene, const char *cell, const char *method, uint64_t n);

/* A client in a process of its own, which tells what it found through a pipe. */
struct scene_client {
	pid_t pid;
	int fd;
};
typedef void scene_client_fn(struct cell_call *call, int out, void *userdata);
void scene_client(struct scene_client *client, scene_client_fn *fn, void *userdata);
/* LEN bytes that it wrote; fails the test if they do not come. */
void scene_hear(struct scene_client *client, void *bytes, size_t len);
/* It must end well, by itself. */
void scene_client_end(struct scene_client *client);

uint64_t scene_now_ns(void);
/* Bytes of memory that process PID has resident. */
uint64_t scene_memory(pid_t pid);
/* Time that process PID has had of the CPUs. */
uint64_t scene_cpu_ns(pid_t pid);
/* How often it went to sleep by itself. */
uint64_t scene_sleeps(pid_t pid);
/* Whether PID runs: one that nobody has reaped yet does not. */
bool scene_is_alive(pid_t pid);
/* Processes of the node: cellcore, and all under it. */
unsigned scene_processes(const struct scene *scene);
