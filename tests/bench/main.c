/*
 * The driver of the benchmarks: runs every peer briefly, round after round, and prints
 * what came of it as tables. Never passes or fails by the clock.
 */
#include "catalog.h"
#include "machine.h"
#include "report.h"
#include "result.h"
#include "round.h"
#include "tree.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct plan {
	const char *mode;
	unsigned n_rounds;
	struct durations durations;
	struct idle idle;
};

static const struct plan plan_quick = {
	.mode = "quick",
	.n_rounds = 5,
	.durations = { .warmup = 12,
		       .closed = 60,
		       .pipelined = 60,
		       .blob = 40,
		       .placed = 40,
		       .loaded = 100,
		       .table = 1800 },
	.idle = { .cells = 100, .settle_ms = 3000, .watch_ms = 5000 },
};

static const struct plan plan_full = {
	.mode = "full",
	.n_rounds = 9,
	.durations = { .warmup = 100,
		       .closed = 1000,
		       .pipelined = 1000,
		       .blob = 500,
		       .placed = 500,
		       .loaded = 1000,
		       .table = 12000 },
	.idle = { .cells = 1000, .settle_ms = 8000, .watch_ms = 10000 },
};

/* Do the programs work? Its numbers mean nothing. */
static const struct plan plan_check = {
	.mode = "check",
	.n_rounds = 1,
	.durations = { .warmup = 1,
		       .closed = 3,
		       .pipelined = 3,
		       .blob = 1,
		       .placed = 2,
		       .loaded = 2,
		       .table = 60 },
	.idle = { .cells = 3, .settle_ms = 10, .watch_ms = 100 },
};

struct driver {
	struct plan plan;
	const char *programs;
	const char *only; /* names of peers, between commas; NULL: all */
	bool is_json;
	struct results *results;
	char dir[64];
	char data[528]; /* of databases: on the file system of the build */
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = number;
}

/* ---- Rounds ---------------------------------------------------------------------- */

static bool is_wanted(const struct driver *driver, enum peer_id peer)
{
	const char *name = catalog_peer(peer)->name;
	size_t length = strlen(name);

	if (!driver->only)
		return true;
	for (const char *at = driver->only; *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == length && strncmp(at, name, length) == 0)
			return true;
	return false;
}

static void progress(const struct driver *driver, enum stage stage, unsigned round,
		     const char *what)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[Kround %u of %u, %s: %s", round + 1,
			driver->plan.n_rounds, catalog_stage_name(stage), what);
}

/* Each round begins with another peer, so that none always follows the same one. */
static void stage_run(struct driver *driver, enum stage stage, unsigned round)
{
	if (stage == STAGE_LOADED)
		round_load_start();
	for (unsigned i = 0; i < PEER_COUNT && !stopped; i++) {
		enum peer_id peer = (i + round * 7) % PEER_COUNT;

		if (!catalog_has(peer, stage) || !is_wanted(driver, peer))
			continue;
		progress(driver, stage, round, catalog_peer(peer)->label);
		round_run(driver->results, driver->programs, peer, stage, round,
			  &driver->plan.durations);
	}
	round_load_stop();
}

static void rounds_run(struct driver *driver)
{
	for (unsigned round = 0; round < driver->plan.n_rounds && !stopped; round++)
		for (enum stage stage = 0; stage < STAGE_NODE && !stopped; stage++)
			stage_run(driver, stage, round);
	if (is_wanted(driver, PEER_NODE) && !stopped) {
		progress(driver, STAGE_NODE, driver->plan.n_rounds - 1, "a node");
		round_node(driver->results, driver->programs, &driver->plan.idle);
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
}

/* ---- The folders of all sockets and data ----------------------------------------- */

static int dir_make(struct driver *driver)
{
	(void)snprintf(driver->dir, sizeof driver->dir, "/tmp/cell-bench-XXXXXX");
	/* The servers of some run as users of their own, and get folders of theirs below. */
	if (!mkdtemp(driver->dir) || chmod(driver->dir, 0711) < 0 ||
	    setenv("TMPDIR", driver->dir, 1) < 0)
		return -errno;
	(void)snprintf(driver->data, sizeof driver->data, "%s/data-XXXXXX", driver->programs);
	if (!mkdtemp(driver->data) || chmod(driver->data, 0711) < 0 ||
	    setenv("CELL_BENCH_DATA", driver->data, 1) < 0)
		return -errno;
	return 0;
}

/* ---- Options --------------------------------------------------------------------- */

static const char help[] =
	"usage: bench [--quick | --full | --check] [--json] [--rounds=N] [--only=PEER,...]\n"
	"             [--peers=DIR]\n"
	"\n"
	"Measures calls through Cell and through what Debian packages, side by side, and\n"
	"prints the tables. Ends by itself; opens only Unix and loopback sockets. Exits 1 if a\n"
	"peer fails, never because of a time.\n"
	"\n"
	"  --quick       5 short rounds, about three minutes (the default)\n"
	"  --full        9 rounds of a second per phase, about 30 minutes\n"
	"  --check       a few calls through each, to see that all work\n"
	"  --json        one JSON document with every value of every round\n"
	"  --rounds=N    1 to 32\n"
	"  --only=LIST   names of peers, as --list prints them\n"
	"  --peers=DIR   where the programs peer_* are (default: beside this one)\n"
	"  --list        name the peers and what each needs\n";

static __attribute__((noreturn)) void list_peers(void)
{
	for (enum peer_id peer = 0; peer < PEER_COUNT; peer++)
		printf("%-22s %-26s %s\n", catalog_peer(peer)->name,
		       catalog_peer(peer)->label, catalog_peer(peer)->package);
	exit(0);
}

static __attribute__((noreturn)) void usage(void)
{
	fputs(help, stderr);
	exit(2);
}

static unsigned parse_rounds(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end || n < 1 || n > RESULT_ROUNDS_MAX)
		usage();
	return (unsigned)n;
}

/* Every name of the list must be a peer's: a typo would measure nothing in silence. */
static void check_only(const char *only)
{
	for (const char *at = only; *at; at += strcspn(at, ","), at += *at == ',')
		if (catalog_find_peer(at, strcspn(at, ",")) == PEER_COUNT) {
			fprintf(stderr, "bench: no peer '%.*s'; see bench --list\n",
				(int)strcspn(at, ","), at);
			exit(2);
		}
}

static void options_read(struct driver *driver, int argc, char **argv)
{
	static const struct option options[] = {
		{ "quick", no_argument, NULL, 'q' },
		{ "full", no_argument, NULL, 'f' },
		{ "check", no_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "list", no_argument, NULL, 'l' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "only", required_argument, NULL, 'o' },
		{ "peers", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	unsigned n_rounds = 0;

	for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		switch (option) {
		case 'q': driver->plan = plan_quick; break;
		case 'f': driver->plan = plan_full; break;
		case 'c': driver->plan = plan_check; break;
		case 'j': driver->is_json = true; break;
		case 'l': list_peers();
		case 'r': n_rounds = parse_rounds(optarg); break;
		case 'o': driver->only = optarg; break;
		case 'p': driver->programs = optarg; break;
		case 'h': fputs(help, stdout); exit(0);
		default: usage();
		}
	}
	if (optind != argc)
		usage();
	if (driver->only)
		check_only(driver->only);
	if (n_rounds > 0)
		driver->plan.n_rounds = n_rounds;
}

static double seconds_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool has_failure(const struct results *results)
{
	for (enum peer_id peer = 0; peer < PEER_COUNT; peer++)
		if (results->status[peer] == STATUS_FAILED)
			return true;
	return false;
}

/* The exit status; 130 as after any interruption. */
static int report(const struct driver *driver, struct run_info *info)
{
	if (getloadavg(&info->load_end, 1) != 1)
		info->load_end = 0;
	if (!driver->is_json)
		report_text(stdout, info, driver->results);
	else if (report_json(stdout, info, driver->results) < 0)
		return 1;
	if (stopped)
		return 130;
	return has_failure(driver->results);
}

int main(int argc, char **argv)
{
	char *slash = strrchr(argv[0], '/');
	char beside[512] = ".";
	struct driver driver = { .plan = plan_quick, .programs = beside };
	struct sigaction action = { .sa_handler = on_signal };
	struct run_info info = { 0 };
	double start = seconds_now();
	int r;

	if (slash)
		(void)snprintf(beside, sizeof beside, "%.*s", (int)(slash - argv[0]),
			       argv[0]);
	options_read(&driver, argc, argv);
	driver.results = results_new(driver.plan.n_rounds);
	r = driver.results ? dir_make(&driver) : -ENOMEM;
	if (r < 0) {
		fprintf(stderr, "bench: starting: %s\n", strerror(-r));
		return 1;
	}
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);

	machine_read(&info.machine, driver.data);
	rounds_run(&driver);
	info.mode = driver.plan.mode;
	info.durations = driver.plan.durations;
	info.seconds = seconds_now() - start;
	r = report(&driver, &info);

	tree_remove(driver.dir);
	tree_remove(driver.data);
	free(driver.results);
	return r;
}
