/*
 * The control protocol (proto/core.proto): one small handler per order, found through one
 * table.
 */
#pragma once

#include "process.h"

struct core_instance_info;
struct core_peer;

/*
 * Act on a frame with LEN bytes at BODY. Returns 0, or -EPROTO if its sender breaks the
 * rules and is to be dropped.
 */
int control_packet(struct process *process, const struct frame *frame, const uint8_t *body,
		   size_t len, struct cell_error *err);

/* PROCESS is gone: what it ordered is not wanted any more. */
void control_forget(struct process *process);

/* Answer (or go on with) an order of the kernel's outcomes; it is freed if it is over. */
void control_outcome(struct daemon *daemon, struct kernel_request *request);

/*
 * What the protocol says of an instance. The strings live as long as the instance. With
 * USAGE its memory and CPU are read, too, which takes some system calls.
 */
void control_instance_info(struct daemon *daemon, const struct kernel_instance *instance,
			   bool usage, struct core_instance_info *ret);

/* Answer the Upgrade that this program was started by. */
void control_upgraded(struct process *process, uint64_t call_id);

/* Sort out the table; once, at the start. */
void control_init(void);
