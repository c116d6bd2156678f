/*
 * Say which system calls the sandbox refused.
 *
 * The filter of a libcell cell answers a refused call with SIGSYS instead of an error.
 * The handler here writes one log line (event=syscall_denied) and makes the call return
 * -EPERM, so that the program sees what it would have seen without the handler.
 *
 * What the handler cannot help: a call refused while the thread blocks SIGSYS, and one
 * made by another program that the cell executes, ends that process. A cell that executes
 * programs says `report-denied = no` in its manifest.
 */
#pragma once

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Install the handler for the whole process, CELL being the name in the lines. Where
 * cell-sandbox started the program this has been done before main(), with $CELL_NAME.
 * Harmless without a sandbox. Does nothing on processors other than x86-64 and aarch64, where
 * cell-sandbox does not send SIGSYS either.
 */
void cell_sigsys_install(const char *cell);

/* Whether this processor has the handler: decides what filter cell-sandbox makes. */
bool cell_sigsys_is_supported(void);

/* The name of system call NUMBER if it is one the sandbox may refuse; NULL otherwise. */
const char *cell_sigsys_name(long number);

#ifdef __cplusplus
}
#endif
