/*
 * Errors: one status space, one error object.
 *
 * Functions return 0 on success and something negative on failure: -errno, or a
 * call status below. The two never collide, as statuses start at -1000. The
 * statuses have the names and meanings of gRPC's sixteen; cell_status_to_wire()
 * is the only place that maps them to the numbers used on the wire.
 */
#pragma once

#include <stdarg.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cell_status {
	CELL_OK = 0,
	CELL_CANCELLED = -1001,           /* the caller gave up */
	CELL_UNKNOWN = -1002,             /* an error that carried no better status */
	CELL_INVALID_ARGUMENT = -1003,    /* the request is wrong whatever the state */
	CELL_DEADLINE_EXCEEDED = -1004,   /* time ran out */
	CELL_NOT_FOUND = -1005,           /* no such thing */
	CELL_ALREADY_EXISTS = -1006,      /* it is there already */
	CELL_PERMISSION_DENIED = -1007,   /* known, and not allowed */
	CELL_RESOURCE_EXHAUSTED = -1008,  /* a stated limit is reached */
	CELL_FAILED_PRECONDITION = -1009, /* the state forbids it; retrying does not help */
	CELL_ABORTED = -1010,             /* lost a race; the whole transaction may be retried */
	CELL_OUT_OF_RANGE = -1011,        /* past the end */
	CELL_UNIMPLEMENTED = -1012,       /* no such method or channel */
	CELL_INTERNAL = -1013,            /* a bug on the answering side */
	CELL_UNAVAILABLE = -1014,         /* nobody there now; a retry may help */
	CELL_DATA_LOSS = -1015,           /* stored bytes are damaged */
	CELL_UNAUTHENTICATED = -1016      /* not known */
};

/* Bytes of text in a struct cell_error, its NUL included. Longer text is cut. */
#define CELL_ERROR_TEXT_MAX 240

/* What went wrong, filled once where the trouble is known. Plain data: copy it freely. */
struct cell_error {
	int code;                       /* as returned; 0 = no error */
	char text[CELL_ERROR_TEXT_MAX]; /* one line, no newline, always terminated */
};

/*
 * Fill ERR (which may be NULL) with CODE and the formatted text, and return CODE.
 * CODE must be negative.
 */
int cell_fail(struct cell_error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with a va_list. */
int cell_failv(struct cell_error *err, int code, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

/*
 * Put context before the text that ERR already holds ("joining channel 3: …") and
 * return CODE unchanged. If ERR holds no text yet, the status's own text follows.
 */
int cell_wrap(struct cell_error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The name of CODE: "UNAVAILABLE", "ENOENT", or "OK". Static text, never NULL. */
const char *cell_status_name(int code);

/* CODE (0, -errno or a status) as gRPC's number, 0 to 16. -errno maps to the nearest. */
uint32_t cell_status_to_wire(int code);

/* gRPC's number as a status. An unknown number becomes CELL_UNKNOWN; 0 is 0. */
int cell_status_from_wire(uint32_t wire);

/*
 * The exit code for CODE: 0 done, 1 failed, 2 usage, 3 not found, 4 unreachable,
 * 5 denied, 6 timed out, 7 conflict, 8 unhealthy, 130 interrupted.
 */
int cell_status_exit_code(int code);

#ifdef __cplusplus
}
#endif
