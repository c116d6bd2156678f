/*
 * Every default and limit in one place, each with its reason. What a manifest or an
 * option may change says so. Units are in the names.
 */
#pragma once

/* ---- Calls -------------------------------------------------------------------- */

/* Every call ends: longer work is a stream or a job one asks about. Manifest, per call. */
#define CELL_CALL_TIMEOUT_MS 30000
/* Covers a start on demand (CELL_READY_TIMEOUT_MS) of a cell that is quick about it. */
#define CELL_CONNECT_TIMEOUT_MS 10000
/* A compiler run must not hang on a cell that does not answer. */
#define CELL_MACRO_CONNECT_TIMEOUT_MS 2000
/* What a peer can make us hold at once for one body; more goes by reference. Manifest. */
#define CELL_MESSAGE_MAX_BYTES (16u * 1024 * 1024)
/*
 * Payload memfds are mapped, not copied, so they may be large. On a stream, which has to copy
 * them, also what all that arrive at a time may hold. Manifest.
 */
#define CELL_PAYLOAD_MAX_BYTES (1024ull * 1024 * 1024)
/* Parked payloads per connection: each is a descriptor and a mapping of the receiver. */
#define CELL_PAYLOADS_PARKED_MAX 8
/* In flight per connection: past this a client waits for answers, as its server does. Manifest. */
#define CELL_CALLS_MAX 1024
/* Per instance: 3 descriptors each stay under the usual hard limit of 20,000. Manifest. */
#define CELL_CONNECTIONS_MAX 4096
/* From being introduced to the first frame: who says nothing holds a connection for nothing. */
#define CELL_HELLO_TIMEOUT_MS 5000
/* A waiting handler holds a stack of 256 KiB: 64 MiB at most. */
#define CELL_WAITING_HANDLERS_MAX 256

/* Retries: only calls that never left, or whose method is idempotent. */
#define CELL_RETRY_MIN_MS 100
#define CELL_RETRY_MAX_MS 5000

/* ---- Starting and stopping ---------------------------------------------------- */

/* Spawn to ready takes 6 ms; the rest is for a cell that opens a large store. Manifest. */
#define CELL_READY_TIMEOUT_MS 10000
/* Retire and swap let calls in flight finish: as long as a call may take. Manifest. */
#define CELL_DRAIN_TIMEOUT_MS 30000
/* A person waits for `cell down`. */
#define CELL_SHUTDOWN_TIMEOUT_MS 5000
/* cell_close() hands over posts that wait for room, and lets tasks unwind, so long. */
#define CELL_CLOSE_TIMEOUT_MS 2000
/* From TERM to KILL. */
#define CELL_KILL_AFTER_MS 2000
/* A cell that crashes at once must not eat a CPU; one that crashed once is back soon. */
#define CELL_RESTART_MIN_MS 100
#define CELL_RESTART_MAX_MS 30000
/* So many ends within so long and a restart no longer helps: "failed". */
#define CELL_RESTARTS_MAX 5
#define CELL_RESTARTS_WINDOW_MS 60000

/* ---- Between nodes (inside a node nobody beats) -------------------------------- */

#define CELL_HEARTBEAT_MS 5000
/* Three beats: one lost packet is no death. */
#define CELL_LEASE_MS 15000

/* ---- The control protocol ------------------------------------------------------- */

/* Body bytes of a control packet: names and numbers only, never a payload. */
#define CELL_CONTROL_BODY_MAX 4096
/* Packets taken from one process before the others get their turn. */
#define CELL_CONTROL_PACKETS_PER_TURN 256
/* Answers and events waiting for a process that does not read: then it is not read from. */
#define CELL_CONTROL_QUEUE_MAX 256
/* Outside processes that have not proved anything yet, and how long they may take. */
#define CELL_CONTROL_UNPROVEN_MAX 32
#define CELL_CONTROL_UNPROVEN_MS 5000
/* Outside control connections in all. */
#define CELL_CONTROL_CLIENTS_MAX 1024
/* Cell names watched by one process. */
#define CELL_CONTROL_WATCHES_MAX 64
/* The resolver's time for an answer: well inside the connect timeout. */
#define CELL_RESOLVE_TIMEOUT_MS 2000

/* ---- Quotas per owner: a cell, or an outside uid (node.conf may grant more) ------ */

#define CELL_QUOTA_CONNECTIONS 256
/* Of shared memory; a used pair of rings holds about 103 KiB. */
#define CELL_QUOTA_RING_BYTES (32u * 1024 * 1024)
#define CELL_RING_CHARGE_BYTES (103u * 1024)
/* Connects, accepted streams and resolver questions that wait for an answer. */
#define CELL_QUOTA_PENDING 64
/* Starts on demand per second: a loop of connects to cells that die must not fork-bomb. */
#define CELL_QUOTA_ACTIVATIONS_PER_S 16
