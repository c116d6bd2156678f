#include "bench.h"
#include "hist.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_LIMIT_NS UINT64_C(5000000000) /* for a broker to listen */
#define STOP_LIMIT_NS  UINT64_C(3000000000) /* for a broker to end when asked */
#define GRACE_S        20      /* beyond the phases, before alarm() ends a stuck peer */
#define CHUNK_NS       5000000 /* pipelined calls between two looks at the clock */
#define CHUNK_MAX      ((size_t)BENCH_WINDOW << 14)

struct durations {
	unsigned warmup_ms;
	unsigned closed_ms;
	unsigned pipelined_ms;
	unsigned blob_ms;
};

static const char *variant_name = "?";

void bench_die(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "level=err peer=%s reason=\"", variant_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\"\n");
	_exit(1);
}

uint64_t bench_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void bench_result(const char *peer, const char *metric, double value)
{
	printf("result peer=%s metric=%s value=%.6g\n", peer, metric, value);
}

/* ---- Processes ------------------------------------------------------------------- */

static int cpus[2]; /* what this process may use when it begins, before it pins itself */

/* The first two CPUs of our mask; the same one twice if there is only one. */
static void cpus_read(void)
{
	cpu_set_t allowed;
	int n = 0;

	if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
		bench_die("sched_getaffinity: %s", strerror(errno));
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			cpus[n++] = cpu;
	if (n == 1)
		cpus[1] = cpus[0];
}

/* PID 0 is the calling process. */
static void pin(enum bench_placement placement, pid_t pid, bool is_server)
{
	cpu_set_t set;

	if (placement == BENCH_UNPINNED)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpus[placement == BENCH_TWO_CPUS && is_server], &set);
	if (sched_setaffinity(pid, sizeof set, &set) < 0)
		bench_die("sched_setaffinity: %s", strerror(errno));
}

static void die_with_parent(pid_t parent, int number)
{
	(void)prctl(PR_SET_PDEATHSIG, number);
	if (getppid() != parent)
		_exit(1);
}

/* What brokers print is shown only if one of them fails: most complain about something. */
static char broker_log[128];

static void on_child_exit(int signal_number)
{
	static const char text[] = "level=err reason=\"the server or broker ended early\"\n";
	char bytes[4096];
	ssize_t n;
	int fd;

	(void)signal_number;
	(void)!write(STDERR_FILENO, text, sizeof text - 1);
	fd = open(broker_log, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, bytes, sizeof bytes);
	if (n > 0)
		(void)!write(STDERR_FILENO, bytes, (size_t)n);
	_exit(1);
}

static void broker_output(void)
{
	int fd = open(broker_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		bench_die("opening %s: %s", broker_log, strerror(errno));
	(void)dup2(fd, STDOUT_FILENO);
	(void)dup2(fd, STDERR_FILENO);
}

void bench_ready(struct bench_pair *pair)
{
	if (write(pair->ready_fd, "", 1) != 1)
		bench_die("saying ready: %s", strerror(errno));
}

static void server_start(struct bench_pair *pair)
{
	pid_t parent = getpid();
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		bench_die("pipe2: %s", strerror(errno));
	pair->server = fork();
	if (pair->server < 0)
		bench_die("fork: %s", strerror(errno));
	if (pair->server == 0) {
		die_with_parent(parent, SIGKILL);
		(void)close(ready[0]);
		(void)signal(SIGCHLD, SIG_DFL);
		pair->ready_fd = ready[1];
		pin(pair->placement, 0, true);
		pair->variant->serve(pair);
		/* The client tells a server that ended from one it has no more use for. */
		_exit(1);
	}
	(void)close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		bench_die("the server ended before it was ready");
	(void)close(ready[0]);
}

/* Daemons live in /usr/sbin, which is not on everyone's PATH. */
static bool program_find(const char *name, char *ret_path, size_t size)
{
	const char *dirs = getenv("PATH");
	char list[4096];
	char *rest = list;

	(void)snprintf(list, sizeof list, "%s:/usr/sbin:/sbin",
		       dirs ? dirs : "/usr/bin:/bin");
	for (char *dir; (dir = strsep(&rest, ":"));) {
		int n = snprintf(ret_path, size, "%s/%s", dir, name);

		if (n > 0 && (size_t)n < size && access(ret_path, X_OK) == 0)
			return true;
	}
	return false;
}

static void helper_add(struct bench_pair *pair, pid_t pid, bool is_child)
{
	if (pair->n_helpers == BENCH_HELPERS_MAX)
		bench_die("more than %d helpers", BENCH_HELPERS_MAX);
	pair->helpers[pair->n_helpers++] = (struct bench_helper){ pid, is_child };
}

void bench_missing(struct bench_pair *pair, const char *package)
{
	printf("missing peer=%s package=%s\n", variant_name, package);
	(void)fflush(stdout);
	tree_remove(pair->dir);
	_exit(0);
}

void bench_broker(struct bench_pair *pair, const char *package, const char *const argv[],
		  int keep_fd)
{
	pid_t parent = getpid();
	char path[512];
	pid_t pid;

	if (!program_find(argv[0], path, sizeof path))
		bench_missing(pair, package);
	pid = fork();
	if (pid < 0)
		bench_die("fork: %s", strerror(errno));
	if (pid == 0) {
		/* It may have children and folders of its own, which it must take along. */
		die_with_parent(parent, SIGTERM);
		if (keep_fd >= 0)
			(void)fcntl(keep_fd, F_SETFD, 0);
		broker_output();
		(void)execv(path, (char *const *)argv);
		bench_die("starting %s: %s", path, strerror(errno));
	}
	helper_add(pair, pid, true);
}

void bench_account(struct bench_pair *pair, pid_t pid)
{
	helper_add(pair, pid, false);
	pin(pair->placement, pid, true);
}

void bench_await_listener(const char *path, int type)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t give_up = bench_now_ns() + START_LIMIT_NS;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof address.sun_path)
		bench_die("socket for %s: %s", path, strerror(errno));
	memcpy(address.sun_path, path, strlen(path) + 1);
	/* A broker of someone else's has no event to wait for but its socket. */
	while (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		if (bench_now_ns() > give_up)
			bench_die("nobody listens on %s: %s", path, strerror(errno));
		(void)nanosleep(&pause, NULL);
	}
	(void)close(fd);
}

void bench_await_socket(const char *path)
{
	bench_await_listener(path, SOCK_STREAM);
}

const char *bench_build_dir(void)
{
	static char path[400];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	if (n < 0)
		bench_die("/proc/self/exe: %s", strerror(errno));
	path[n] = '\0';
	for (int up = 0; up < 3; up++)
		*strrchr(path, '/') = '\0';
	return path;
}

void bench_write_file(const char *dir, const char *name, const char *format, ...)
{
	char path[512];
	va_list args;
	FILE *file;
	int n = -1;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	file = fopen(path, "we");
	va_start(args, format);
	if (file)
		n = vfprintf(file, format, args);
	va_end(args);
	if (n < 0 || fclose(file) != 0)
		bench_die("%s: %s", path, strerror(errno));
}

static void pair_start(struct bench_pair *pair)
{
	const char *tmp = getenv("TMPDIR");
	int n = snprintf(pair->dir, sizeof pair->dir, "%s/cell-bench-XXXXXX",
			 tmp ? tmp : "/tmp");

	if (n < 0 || (size_t)n >= sizeof pair->dir || !mkdtemp(pair->dir))
		bench_die("no private folder below %s: %s", tmp ? tmp : "/tmp",
			  strerror(errno));
	(void)snprintf(broker_log, sizeof broker_log, "%s/broker.log", pair->dir);
	(void)signal(SIGCHLD, on_child_exit);
	(void)signal(SIGPIPE, SIG_IGN);
	cpus_read();
	if (pair->variant->prepare)
		pair->variant->prepare(pair);
	if (pair->variant->serve)
		server_start(pair);
	pin(pair->placement, 0, false);
	pair->variant->connect(pair);
}

/* Asked first: what has children of its own must be able to take them along. */
static void child_stop(pid_t pid)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t give_up = bench_now_ns() + STOP_LIMIT_NS;

	(void)kill(pid, SIGTERM);
	while (bench_now_ns() < give_up) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return;
		(void)nanosleep(&pause, NULL);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static void pair_stop(struct bench_pair *pair)
{
	(void)signal(SIGCHLD, SIG_DFL);
	if (pair->server > 0) {
		(void)kill(pair->server, SIGKILL);
		(void)waitpid(pair->server, NULL, 0);
	}
	for (size_t i = 0; i < pair->n_helpers; i++)
		if (pair->helpers[i].is_child)
			child_stop(pair->helpers[i].pid);
	tree_remove(pair->dir);
}

/* ---- Measuring ------------------------------------------------------------------- */

/* Wall time and the CPU time of all processes of the pair. */
struct meter {
	uint64_t wall_ns;
	uint64_t cpu_ns;
};

static uint64_t cpu_ns(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
		bench_die("no CPU clock of process %d", (int)pid);
	return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

static struct meter meter_read(const struct bench_pair *pair)
{
	struct meter meter = { .wall_ns = bench_now_ns() };

	meter.cpu_ns = cpu_ns(0);
	if (pair->server > 0)
		meter.cpu_ns += cpu_ns(pair->server);
	for (size_t i = 0; i < pair->n_helpers; i++)
		meter.cpu_ns += cpu_ns(pair->helpers[i].pid);
	return meter;
}

static struct meter meter_since(const struct bench_pair *pair, struct meter start)
{
	struct meter now = meter_read(pair);

	now.wall_ns -= start.wall_ns;
	now.cpu_ns -= start.cpu_ns;
	return now;
}

/* The end of one call is the start of the next: one reading of the clock per call. */
static void closed_run(struct bench_pair *pair, unsigned ms, uint64_t *number,
		       struct hist *hist)
{
	uint64_t now = bench_now_ns();
	uint64_t end = now + (uint64_t)ms * 1000000;

	while (now < end) {
		uint64_t start = now;

		pair->variant->call(pair, (*number)++);
		now = bench_now_ns();
		hist_add(hist, now - start);
	}
}

static void closed_measure(struct bench_pair *pair, const struct durations *d,
			   uint64_t *number)
{
	static struct hist hist;
	const char *name = pair->variant->name;
	struct meter meter;
	double calls;

	closed_run(pair, d->warmup_ms, number, &hist);
	hist_reset(&hist);
	meter = meter_read(pair);
	closed_run(pair, d->closed_ms, number, &hist);
	meter = meter_since(pair, meter);
	calls = (double)hist.count;
	bench_result(name, "p50_us", hist_percentile(&hist, 0.5) / 1e3);
	bench_result(name, "p99_us", hist_percentile(&hist, 0.99) / 1e3);
	bench_result(name, "p999_us", hist_percentile(&hist, 0.999) / 1e3);
	bench_result(name, "cpu_us", (double)meter.cpu_ns / 1e3 / calls);
	bench_result(name, "cores", (double)meter.cpu_ns / (double)meter.wall_ns);
	bench_result(name, "calls_per_s", calls * 1e9 / (double)meter.wall_ns);
}

/* Run chunks until MS have passed; *CHUNK grows until one takes about CHUNK_NS. */
static size_t pipelined_run(struct bench_pair *pair, unsigned ms, uint64_t *number,
			    size_t *chunk)
{
	uint64_t now = bench_now_ns();
	uint64_t end = now + (uint64_t)ms * 1000000;
	size_t calls = 0;

	while (now < end) {
		uint64_t start = now;

		pair->variant->pipeline(pair, *number, *chunk);
		*number += *chunk;
		calls += *chunk;
		now = bench_now_ns();
		if (now - start < CHUNK_NS / 2 && *chunk < CHUNK_MAX)
			*chunk *= 2;
	}
	return calls;
}

static void pipelined_measure(struct bench_pair *pair, const struct durations *d,
			      uint64_t *number)
{
	const char *name = pair->variant->name;
	size_t chunk = BENCH_WINDOW;
	struct meter meter;
	double calls;

	(void)pipelined_run(pair, d->warmup_ms, number, &chunk);
	meter = meter_read(pair);
	calls = (double)pipelined_run(pair, d->pipelined_ms, number, &chunk);
	meter = meter_since(pair, meter);
	bench_result(name, "pipelined_calls_per_s", calls * 1e9 / (double)meter.wall_ns);
	bench_result(name, "pipelined_cpu_us", (double)meter.cpu_ns / 1e3 / calls);
	bench_result(name, "pipelined_cores", (double)meter.cpu_ns / (double)meter.wall_ns);
}

static size_t blob_run(struct bench_pair *pair, unsigned ms, const uint8_t *data)
{
	uint64_t end = bench_now_ns() + (uint64_t)ms * 1000000;
	size_t calls = 0;

	do {
		pair->variant->store(pair, data, BENCH_BLOB_BYTES);
		calls++;
	} while (bench_now_ns() < end);
	return calls;
}

static void blob_measure(struct bench_pair *pair, const struct durations *d)
{
	uint8_t *data = malloc(BENCH_BLOB_BYTES);
	struct meter meter;
	double bytes;

	if (!data)
		bench_die("no memory for %zu bytes", BENCH_BLOB_BYTES);
	for (size_t i = 0; i < BENCH_BLOB_BYTES; i++)
		data[i] = bench_blob_byte(i);
	(void)blob_run(pair, d->warmup_ms, data);
	meter = meter_read(pair);
	bytes = (double)blob_run(pair, d->blob_ms, data) * (double)BENCH_BLOB_BYTES;
	meter = meter_since(pair, meter);
	bench_result(pair->variant->name, "blob_mb_per_s",
		     bytes * 1e3 / (double)meter.wall_ns);
	bench_result(pair->variant->name, "blob_cores",
		     (double)meter.cpu_ns / (double)meter.wall_ns);
	free(data);
}

static void pair_measure(struct bench_pair *pair, const struct durations *d)
{
	uint64_t number = 1;

	if (pair->variant->measure) {
		pair->variant->measure(pair, d->closed_ms);
		return;
	}
	if (pair->variant->call && d->closed_ms > 0)
		closed_measure(pair, d, &number);
	if (pair->variant->pipeline && d->pipelined_ms > 0)
		pipelined_measure(pair, d, &number);
	if (pair->variant->store && d->blob_ms > 0)
		blob_measure(pair, d);
}

/* ---- Options --------------------------------------------------------------------- */

static __attribute__((noreturn)) void usage(const char *program)
{
	fprintf(stderr,
		"usage: %s --variant=NAME [--placement=unpinned|one|two]\n"
		"       [--warmup-ms=N] [--closed-ms=N] [--pipelined-ms=N] [--blob-ms=N]\n"
		"       %s --list\n"
		"A phase of 0 ms is left out.\n",
		program, program);
	exit(2);
}

static unsigned parse_ms(const char *program, const char *text)
{
	char *end;
	unsigned long ms = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || ms > 60000)
		usage(program);
	return (unsigned)ms;
}

static enum bench_placement parse_placement(const char *program, const char *text)
{
	if (strcmp(text, "unpinned") == 0)
		return BENCH_UNPINNED;
	if (strcmp(text, "one") == 0)
		return BENCH_ONE_CPU;
	if (strcmp(text, "two") == 0)
		return BENCH_TWO_CPUS;
	usage(program);
}

static const struct bench_variant *variant_find(const struct bench_variant *variants,
						size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(variants[i].name, name) == 0)
			return &variants[i];
	return NULL;
}

int bench_main(int argc, char **argv, const struct bench_variant *variants, size_t n_variants)
{
	static const struct option options[] = {
		{ "variant", required_argument, NULL, 'v' },
		{ "placement", required_argument, NULL, 'p' },
		{ "warmup-ms", required_argument, NULL, 'w' },
		{ "closed-ms", required_argument, NULL, 'c' },
		{ "pipelined-ms", required_argument, NULL, 'q' },
		{ "blob-ms", required_argument, NULL, 'b' },
		{ "list", no_argument, NULL, 'l' },
		{ 0 },
	};
	struct durations d = { 20, 100, 100, 100 };
	struct bench_pair pair = { .ready_fd = -1 };

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (option) {
		case 'v': pair.variant = variant_find(variants, n_variants, optarg); break;
		case 'p': pair.placement = parse_placement(argv[0], optarg); break;
		case 'w': d.warmup_ms = parse_ms(argv[0], optarg); break;
		case 'c': d.closed_ms = parse_ms(argv[0], optarg); break;
		case 'q': d.pipelined_ms = parse_ms(argv[0], optarg); break;
		case 'b': d.blob_ms = parse_ms(argv[0], optarg); break;
		case 'l':
			for (size_t i = 0; i < n_variants; i++)
				printf("%s\n", variants[i].name);
			return 0;
		default: usage(argv[0]);
		}
	}
	if (!pair.variant || optind != argc)
		usage(argv[0]);

	variant_name = pair.variant->name;
	(void)alarm(GRACE_S +
		    (4 * d.warmup_ms + d.closed_ms + d.pipelined_ms + d.blob_ms) / 1000);
	pair_start(&pair);
	pair_measure(&pair, &d);
	pair_stop(&pair);
	(void)fflush(stdout);
	/* No destructors: some libraries wait in theirs for a server that is gone. */
	_exit(0);
}
