#include <cell/error.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* One row per status: row n is gRPC's number n and our -1000 - n. */
static const struct status {
	const char *name;
	const char *text;
	int exit_code;
} statuses[] = {
	{ "OK", "no error", 0 },
	{ "CANCELLED", "cancelled", 130 },
	{ "UNKNOWN", "unknown error", 1 },
	{ "INVALID_ARGUMENT", "invalid request", 2 },
	{ "DEADLINE_EXCEEDED", "time ran out", 6 },
	{ "NOT_FOUND", "not found", 3 },
	{ "ALREADY_EXISTS", "already exists", 7 },
	{ "PERMISSION_DENIED", "permission denied", 5 },
	{ "RESOURCE_EXHAUSTED", "a limit is reached", 1 },
	{ "FAILED_PRECONDITION", "not possible in this state", 1 },
	{ "ABORTED", "lost a race", 7 },
	{ "OUT_OF_RANGE", "out of range", 1 },
	{ "UNIMPLEMENTED", "not implemented", 1 },
	{ "INTERNAL", "internal error", 1 },
	{ "UNAVAILABLE", "unavailable", 4 },
	{ "DATA_LOSS", "stored bytes are damaged", 1 },
	{ "UNAUTHENTICATED", "not authenticated", 5 },
};
#define N_STATUSES (sizeof statuses / sizeof statuses[0])

#define WIRE_UNKNOWN  2
#define WIRE_INTERNAL 13

/* The status nearest to each errno that our code meets; all others are UNKNOWN. */
static const struct errno_status {
	int error;
	enum cell_status status;
} errno_statuses[] = {
	{ ECANCELED, CELL_CANCELLED },
	{ EINTR, CELL_CANCELLED },
	{ EINVAL, CELL_INVALID_ARGUMENT },
	{ E2BIG, CELL_INVALID_ARGUMENT },
	{ EDESTADDRREQ, CELL_INVALID_ARGUMENT },
	{ EDOM, CELL_INVALID_ARGUMENT },
	{ EILSEQ, CELL_INVALID_ARGUMENT },
	{ EMSGSIZE, CELL_INVALID_ARGUMENT },
	{ ENAMETOOLONG, CELL_INVALID_ARGUMENT },
	{ ETIMEDOUT, CELL_DEADLINE_EXCEEDED },
	{ ETIME, CELL_DEADLINE_EXCEEDED },
	{ ENOENT, CELL_NOT_FOUND },
	{ ENODATA, CELL_NOT_FOUND },
	{ ENODEV, CELL_NOT_FOUND },
	{ ENXIO, CELL_NOT_FOUND },
	{ ESRCH, CELL_NOT_FOUND },
	{ EEXIST, CELL_ALREADY_EXISTS },
	{ EADDRINUSE, CELL_ALREADY_EXISTS },
	{ EACCES, CELL_PERMISSION_DENIED },
	{ EPERM, CELL_PERMISSION_DENIED },
	{ EROFS, CELL_PERMISSION_DENIED },
	{ ENOMEM, CELL_RESOURCE_EXHAUSTED },
	{ ENOSPC, CELL_RESOURCE_EXHAUSTED },
	{ EDQUOT, CELL_RESOURCE_EXHAUSTED },
	{ EFBIG, CELL_RESOURCE_EXHAUSTED },
	{ EMFILE, CELL_RESOURCE_EXHAUSTED },
	{ ENFILE, CELL_RESOURCE_EXHAUSTED },
	{ ENOBUFS, CELL_RESOURCE_EXHAUSTED },
	{ EBUSY, CELL_FAILED_PRECONDITION },
	{ EISDIR, CELL_FAILED_PRECONDITION },
	{ ENOTDIR, CELL_FAILED_PRECONDITION },
	{ ENOTEMPTY, CELL_FAILED_PRECONDITION },
	{ ELOOP, CELL_FAILED_PRECONDITION },
	{ EDEADLK, CELL_ABORTED },
	{ ESTALE, CELL_ABORTED },
	{ ERANGE, CELL_OUT_OF_RANGE },
	{ EOVERFLOW, CELL_OUT_OF_RANGE },
	{ ENOSYS, CELL_UNIMPLEMENTED },
	{ EOPNOTSUPP, CELL_UNIMPLEMENTED },
	{ EPROTONOSUPPORT, CELL_UNIMPLEMENTED },
	{ EAFNOSUPPORT, CELL_UNIMPLEMENTED },
	{ EBADF, CELL_INTERNAL },
	{ EFAULT, CELL_INTERNAL },
	{ EPROTO, CELL_INTERNAL },
	{ EAGAIN, CELL_UNAVAILABLE },
	{ ECONNABORTED, CELL_UNAVAILABLE },
	{ ECONNREFUSED, CELL_UNAVAILABLE },
	{ ECONNRESET, CELL_UNAVAILABLE },
	{ EHOSTDOWN, CELL_UNAVAILABLE },
	{ EHOSTUNREACH, CELL_UNAVAILABLE },
	{ ENETDOWN, CELL_UNAVAILABLE },
	{ ENETUNREACH, CELL_UNAVAILABLE },
	{ ENOTCONN, CELL_UNAVAILABLE },
	{ EPIPE, CELL_UNAVAILABLE },
	{ ESHUTDOWN, CELL_UNAVAILABLE },
	{ EBADMSG, CELL_DATA_LOSS },
	{ EIO, CELL_DATA_LOSS },
	{ EUCLEAN, CELL_DATA_LOSS },
	{ EKEYREJECTED, CELL_UNAUTHENTICATED },
	{ EKEYEXPIRED, CELL_UNAUTHENTICATED },
};

/* 0 or one of ours; not -errno, and nothing out of range. */
static bool is_status(int code)
{
	return code == 0 || (code <= CELL_CANCELLED && code >= CELL_UNAUTHENTICATED);
}

static const struct status *status_of(int code)
{
	return &statuses[code ? -1000 - code : 0];
}

/*
 * Terminate TEXT, of which LEN bytes were meant to be written into CELL_ERROR_TEXT_MAX,
 * and make it one line. What is cut ends in an ellipsis, never inside a UTF-8 sequence.
 */
static void text_finish(char *text, size_t len)
{
	static const char ellipsis[] = "…";

	if (len >= CELL_ERROR_TEXT_MAX) {
		size_t at = CELL_ERROR_TEXT_MAX - sizeof ellipsis;

		while (at && ((unsigned char)text[at] & 0xc0) == 0x80)
			at--;
		memcpy(text + at, ellipsis, sizeof ellipsis);
	}
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

/* vsnprintf() that always terminates and says how long the whole text would be. */
__attribute__((format(printf, 2, 0))) static size_t text_format(char *text,
								const char *format,
								va_list args)
{
	int n = vsnprintf(text, CELL_ERROR_TEXT_MAX, format, args);

	if (n < 0)
		text[0] = '\0';
	return n < 0 ? 0 : (size_t)n;
}

int cell_failv(struct cell_error *err, int code, const char *format, va_list args)
{
	char text[CELL_ERROR_TEXT_MAX];

	if (!err)
		return code;
	/* Not straight into ERR: an argument may be the text it holds. */
	text_finish(text, text_format(text, format, args));
	err->code = code;
	memcpy(err->text, text, strlen(text) + 1);
	return code;
}

int cell_fail(struct cell_error *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)cell_failv(err, code, format, args);
	va_end(args);
	return code;
}

static const char *code_text(int code)
{
	const char *text;

	if (is_status(code))
		return status_of(code)->text;
	text = code > -1000 && code < 0 ? strerrordesc_np(-code) : NULL;
	return text ? text : "unknown error";
}

int cell_wrap(struct cell_error *err, int code, const char *format, ...)
{
	char text[CELL_ERROR_TEXT_MAX];
	va_list args;
	size_t len;

	if (!err)
		return code;
	va_start(args, format);
	len = text_format(text, format, args);
	va_end(args);
	if (len < sizeof text) {
		const char *cause = err->code && err->text[0] ? err->text : code_text(code);
		int n = snprintf(text + len, sizeof text - len, ": %s", cause);

		len += n < 0 ? 0 : (size_t)n;
	}
	text_finish(text, len);
	err->code = code;
	memcpy(err->text, text, strlen(text) + 1);
	return code;
}

const char *cell_status_name(int code)
{
	const char *name;

	if (is_status(code))
		return status_of(code)->name;
	name = code > -1000 && code < 0 ? strerrorname_np(-code) : NULL;
	return name ? name : "UNKNOWN";
}

uint32_t cell_status_to_wire(int code)
{
	if (is_status(code))
		return code ? (uint32_t)(-1000 - code) : 0;
	/* A positive value is nobody's error code: whoever returned it has a bug. */
	if (code > 0)
		return WIRE_INTERNAL;
	for (size_t i = 0; i < sizeof errno_statuses / sizeof errno_statuses[0]; i++)
		if (code == -errno_statuses[i].error)
			return (uint32_t)(-1000 - (int)errno_statuses[i].status);
	return WIRE_UNKNOWN;
}

int cell_status_from_wire(uint32_t wire)
{
	if (wire >= N_STATUSES)
		return CELL_UNKNOWN;
	return wire ? -1000 - (int)wire : 0;
}

int cell_status_exit_code(int code)
{
	return statuses[cell_status_to_wire(code)].exit_code;
}
