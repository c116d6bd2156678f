/*
 * What all peers share: two processes, three measured phases, one result per line.
 *
 * A peer program has a table of variants (`ring-spin`, `ring-sleep`); bench_main()
 * runs one of them. It forks the server, connects in the parent, and measures:
 *
 *   closed     one call after the other: p50, p99, p99.9, CPU per call
 *   pipelined  128 calls outstanding: calls per second, CPU per call
 *   blob       a request of 1 MiB, a short reply: MB per second
 *
 * Request: a string of 16 bytes and a number. Reply: a string of 24 bytes, checked in
 * every call. CPU is that of client, server and broker together, read from the kernel's
 * clocks of the processes (nanoseconds, where /proc/PID/stat has ticks of 10 ms).
 *
 * Peers are throw-away processes: what goes wrong ends them through bench_die().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_TEXT        "a string of 16 b" /* in every request */
#define BENCH_TEXT_BYTES  16
#define BENCH_REPLY_BYTES 24
#define BENCH_WINDOW      128 /* calls outstanding in the pipelined phase */
#define BENCH_BLOB_BYTES  ((size_t)1 << 20)
#define BENCH_HELPERS_MAX 8

enum bench_placement {
	BENCH_UNPINNED,
	BENCH_ONE_CPU,  /* both processes on the first CPU we may use */
	BENCH_TWO_CPUS, /* client on the first, server on the second */
};

/* A process beside client and server, whose CPU counts too. */
struct bench_helper {
	pid_t pid;
	bool is_child; /* ended with the pair; others end with those who started them */
};

/* One client and one server of one variant. */
struct bench_pair {
	const struct bench_variant *variant;
	void *state;  /* the peer's own */
	char dir[96]; /* for sockets; ours alone, removed at the end */
	enum bench_placement placement;
	int ready_fd; /* the server's end of the pipe that says "ready" */
	pid_t server; /* 0 if the variant has no `serve` */
	struct bench_helper helpers[BENCH_HELPERS_MAX];
	size_t n_helpers;
};

/*
 * What a peer implements. A phase whose function is NULL is not measured. `prepare` runs
 * before the fork and must start no thread; `serve` runs in the server, calls bench_ready()
 * once it can be reached, and is killed when the client has finished. Where somebody else
 * starts the server, `serve` is NULL and the peer says who it is by bench_account().
 */
struct bench_variant {
	const char *name;
	int mode; /* the peer's own */
	void (*prepare)(struct bench_pair *pair);
	void (*serve)(struct bench_pair *pair);
	void (*connect)(struct bench_pair *pair);
	void (*call)(struct bench_pair *pair, uint64_t number);
	void (*pipeline)(struct bench_pair *pair, uint64_t first_number, size_t n_calls);
	void (*store)(struct bench_pair *pair, const uint8_t *data, size_t size_bytes);
	/* Instead of all phases, for peers with others: table.h. CLOSED_MS is for all of it. */
	void (*measure)(struct bench_pair *pair, unsigned closed_ms);
};

/* The whole of a peer's main(): options, one variant, results on stdout. */
int bench_main(int argc, char **argv, const struct bench_variant *variants,
	       size_t n_variants);

/* Server: from now on a client may connect. */
void bench_ready(struct bench_pair *pair);

/*
 * Start ARGV as a process whose CPU counts with the pair and that dies with us. KEEP_FD
 * stays open in it (-1: none). If the program does not exist, says so on stdout, naming
 * PACKAGE, and ends the peer in success: the driver prints "not installed".
 */
void bench_broker(struct bench_pair *pair, const char *package, const char *const argv[],
		  int keep_fd);

/* What the peer needs is not there: says so on stdout, naming PACKAGE, and ends in success. */
__attribute__((noreturn)) void bench_missing(struct bench_pair *pair, const char *package);

/* PID works for the pair, and stands where the server does: its CPU counts from now on. */
void bench_account(struct bench_pair *pair, pid_t pid);

/* Wait until PATH accepts connections as a Unix stream socket; dies after 5 s. */
void bench_await_socket(const char *path);

/* The same for a socket of TYPE: SOCK_STREAM, SOCK_SEQPACKET. */
void bench_await_listener(const char *path, int type);

/* The build folder this program is part of: it is in tests/bench of it. */
const char *bench_build_dir(void);

/* Write DIR/NAME. */
__attribute__((format(printf, 3, 4))) void bench_write_file(const char *dir, const char *name,
							    const char *format, ...);

/* One more line of output: `result peer=… metric=… value=…`. */
void bench_result(const char *peer, const char *metric, double value);

uint64_t bench_now_ns(void);

__attribute__((noreturn, format(printf, 1, 2))) void bench_die(const char *format, ...);

/* What the server does with a request: 16 bytes of text, and the number as 8 letters. */
static inline void bench_answer(char ret_reply[BENCH_REPLY_BYTES + 1], const char *text,
				uint64_t number)
{
	memcpy(ret_reply, text, BENCH_TEXT_BYTES);
	for (int i = 0; i < 8; i++)
		ret_reply[BENCH_TEXT_BYTES + i] = (char)('a' + (number >> (4 * i) & 15));
	ret_reply[BENCH_REPLY_BYTES] = '\0';
}

/* Is REPLY what the server must answer to NUMBER? Dies if not: a fast wrong answer is none.
 */
static inline void bench_check(const char *reply, size_t size_bytes, uint64_t number)
{
	char expected[BENCH_REPLY_BYTES + 1];

	bench_answer(expected, BENCH_TEXT, number);
	if (size_bytes != BENCH_REPLY_BYTES ||
	    memcmp(reply, expected, BENCH_REPLY_BYTES) != 0)
		bench_die("wrong reply to call %llu", (unsigned long long)number);
}

static inline uint8_t bench_blob_byte(size_t i)
{
	return (uint8_t)(i * 31 + (i >> 12));
}

/* Server: did the blob arrive as it was sent? Looks at a byte every few pages. */
static inline void bench_check_blob(const uint8_t *data, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i += 37003)
		if (data[i] != bench_blob_byte(i))
			bench_die("byte %zu of a blob is wrong", i);
}

#ifdef __cplusplus
}
#endif
