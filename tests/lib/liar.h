/*
 * A peer that lies, on a ring or a stream: a script says what it does to the shared memory
 * and the socket. We must survive, and hold nothing afterwards; else the process aborts.
 *
 * Byte 0 chooses the link (LIAR_ON_RING), whether a hello comes first, and whether the liar
 * is our client or our server; then come steps, each an opcode and its arguments.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LIAR_SCRIPT_MAX 4096

enum liar_first { LIAR_ON_RING = 1, LIAR_SAYS_HELLO = 2, LIAR_IS_SERVER = 4 };

enum liar_step {
	LIAR_FRAME,    /* a frame with the fields of the script, well-formed lengths */
	LIAR_RAW,      /* bytes as they are, behind what was written */
	LIAR_POKE,     /* one byte anywhere in the memfd */
	LIAR_INDEX,    /* eight bytes at one of the indices */
	LIAR_LIFELINE, /* a packet on the lifeline, perhaps with a descriptor */
	LIAR_TURN,     /* let us work */
	LIAR_N_STEPS
};

void liar_run(const uint8_t *script, size_t size);
