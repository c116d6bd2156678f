#include "libcell/manifest.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct cell_manifest *manifest;
static struct cell_error err;

static void setup(void)
{
	manifest = NULL;
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	cell_manifest_free(manifest);
	manifest = NULL;
}

static int parse_as(const char *path, const char *text)
{
	teardown();
	memset(&err, 0, sizeof err);
	return cell_manifest_parse(&manifest, text, strlen(text), path, &err);
}

static int parse(const char *text)
{
	return parse_as("greeter.cell", text);
}

/* TEXT parses, or the test fails with what was wrong. */
static void parses(const char *text)
{
	ck_assert_msg(parse(text) == 0, "%s", err.text);
}

/* TEXT is refused with exactly this message, after "greeter.cell:". */
static void refuses(const char *text, const char *message)
{
	char whole[CELL_ERROR_TEXT_MAX];

	snprintf(whole, sizeof whole, "greeter.cell:%s", message);
	ck_assert_int_eq(parse(text), CELL_INVALID_ARGUMENT);
	ck_assert_int_eq(err.code, CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(err.text, whole);
	ck_assert_ptr_null(manifest);
}

static bool uses(const char *cell, uint8_t channel)
{
	struct cell_channels set = cell_manifest_uses(manifest, cell, false);

	return cell_channels_has(&set, channel);
}

/* ---- what is accepted ---- */

START_TEST(empty_manifest_has_every_default)
{
	parses("[cell]\n");
	ck_assert_str_eq(manifest->path, "greeter.cell");
	ck_assert_str_eq(manifest->name, "greeter");
	ck_assert_str_eq(manifest->summary, "");
	ck_assert_str_eq(manifest->version, "");
	ck_assert_str_eq(manifest->program, "./greeter");
	ck_assert_uint_eq(manifest->n_exec, 1);
	ck_assert_str_eq(manifest->exec[0], "greeter");
	ck_assert_ptr_null(manifest->exec[1]);
	ck_assert_int_eq(manifest->start, CELL_START_DEMAND);
	ck_assert_int_eq(manifest->restart, CELL_RESTART_ON_FAILURE);
	ck_assert_uint_eq(manifest->instances, 1);
	ck_assert_uint_eq(manifest->max_instances, 16);
	ck_assert_ptr_null(manifest->user);
	ck_assert(!manifest->init);
	ck_assert_uint_eq(manifest->ready_timeout_ns, 10000000000);
	ck_assert_uint_eq(manifest->drain_timeout_ns, 30000000000);
	ck_assert_uint_eq(manifest->stop_timeout_ns, 2000000000);
	ck_assert_uint_eq(manifest->n_uses, 0);
	ck_assert(cell_channels_is_empty(&manifest->uses_any));
	ck_assert(!manifest->serves_any_uid);
	ck_assert_uint_eq(manifest->n_serves_uids, 0);
	ck_assert_uint_eq(manifest->n_serves_remotes, 0);
	ck_assert(!manifest->speaks_for_remote);
	ck_assert_uint_eq(manifest->memory_bytes, 512u << 20);
	ck_assert_uint_eq(manifest->cpu_percent, 0);
	ck_assert_uint_eq(manifest->tasks, 64);
	ck_assert_uint_eq(manifest->files, 16384);
	ck_assert_uint_eq(manifest->connections, 4096);
	ck_assert_uint_eq(manifest->payload_bytes, 1u << 30);
	ck_assert_uint_eq(manifest->call_timeout_ns, 30000000000);
	ck_assert_int_eq(manifest->network, CELL_NETWORK_NONE);
	ck_assert(manifest->state);
	ck_assert(manifest->report_denied);
	ck_assert_uint_eq(manifest->n_read_only, 0);
	ck_assert_uint_eq(manifest->n_env, 0);
	ck_assert(!manifest->provides_macros);
	ck_assert_uint_eq(manifest->n_namespaces, 0);
	ck_assert_ptr_null(manifest->log_level);
	ck_assert_uint_eq(manifest->log_rate, 1000);
	ck_assert_uint_eq(manifest->log_size_bytes, 10u << 20);
}
END_TEST

START_TEST(every_key_of_cell_is_read)
{
	parses("[cell]\n"
	       "name = greeter\n"
	       "summary = says hello: to all = of them\n"
	       "version = 1.2.0-rc1\n"
	       "exec = bin/greet --who \"the whole world\" -v\n"
	       "start = boot\n"
	       "restart = always\n"
	       "instances = 2\n"
	       "max-instances = 3\n"
	       "user = _greeter-1\n"
	       "init = yes\n"
	       "ready-timeout = 250ms\n"
	       "drain-timeout = 0\n"
	       "stop-timeout = 1.5s\n");
	ck_assert_str_eq(manifest->summary, "says hello: to all = of them");
	ck_assert_str_eq(manifest->version, "1.2.0-rc1");
	ck_assert_str_eq(manifest->program, "./bin/greet");
	ck_assert_uint_eq(manifest->n_exec, 4);
	ck_assert_str_eq(manifest->exec[2], "the whole world");
	ck_assert_str_eq(manifest->exec[3], "-v");
	ck_assert_ptr_null(manifest->exec[4]);
	ck_assert_int_eq(manifest->start, CELL_START_BOOT);
	ck_assert_int_eq(manifest->restart, CELL_RESTART_ALWAYS);
	ck_assert_uint_eq(manifest->instances, 2);
	ck_assert_uint_eq(manifest->max_instances, 3);
	ck_assert_str_eq(manifest->user, "_greeter-1");
	ck_assert(manifest->init);
	ck_assert(!manifest->report_denied);
	ck_assert_uint_eq(manifest->ready_timeout_ns, 250000000);
	ck_assert_uint_eq(manifest->drain_timeout_ns, 0);
	ck_assert_uint_eq(manifest->stop_timeout_ns, 1500000000);
	parses("[cell]\nstart = demand\nrestart = never\nuser = 1000\ninit = no\ninstances = 40\n");
	ck_assert_int_eq(manifest->start, CELL_START_DEMAND);
	ck_assert_int_eq(manifest->restart, CELL_RESTART_NEVER);
	ck_assert_str_eq(manifest->user, "1000");
	ck_assert_uint_eq(manifest->max_instances, 40);
}
END_TEST

START_TEST(program_lies_in_the_folder_of_the_manifest)
{
	ck_assert_int_eq(parse_as("/opt/cells/greeter.cell", "[cell]\n"), 0);
	ck_assert_str_eq(manifest->program, "/opt/cells/greeter");
	ck_assert_int_eq(parse_as("a/greeter.cell", "[cell]\nexec = ../b/x\n"), 0);
	ck_assert_str_eq(manifest->program, "a/../b/x");
	ck_assert_int_eq(parse_as("a/greeter.cell", "[cell]\nexec = /usr/bin/true now\n"), 0);
	ck_assert_str_eq(manifest->program, "/usr/bin/true");
	ck_assert_str_eq(manifest->exec[1], "now");
}
END_TEST

START_TEST(uses_lists_channels_of_cells)
{
	char name[CELL_CHANNEL_NAME_MAX];

	parses("[uses]\n"
	       "celldb = app macro\n"
	       "auth = 0x80, 0xff,255 ops\n"
	       "dht = consensus\n"
	       "txn = all\n");
	ck_assert_uint_eq(manifest->n_uses, 4);
	ck_assert_str_eq(manifest->uses[1].cell, "auth");
	ck_assert_uint_eq(manifest->uses[1].line, 3);
	ck_assert(uses("celldb", 0) && uses("celldb", 3));
	ck_assert(!uses("celldb", 1) && !uses("celldb", 2) && !uses("celldb", 0x80));
	ck_assert(uses("auth", 0x80) && uses("auth", 0xff) && uses("auth", 2));
	ck_assert(!uses("auth", 0) && !uses("auth", 0x81));
	ck_assert(uses("dht", 1) && !uses("dht", 0));
	ck_assert(uses("txn", 0) && uses("txn", 0x40) && uses("txn", 0xff));
	ck_assert(!uses("nucleus", 0));
	ck_assert_str_eq(cell_channel_name(3, name), "macro");
	ck_assert_str_eq(cell_channel_name(0x80, name), "0x80");
}
END_TEST

START_TEST(star_counts_only_for_the_trusted)
{
	struct cell_channels set;

	parses("[uses]\n* = app ops\nlog = macro\n");
	ck_assert(!uses("greeter", 0));
	set = cell_manifest_uses(manifest, "greeter", true);
	ck_assert(cell_channels_has(&set, 0) && cell_channels_has(&set, 2));
	ck_assert(!cell_channels_has(&set, 3));
	set = cell_manifest_uses(manifest, "log", true);
	ck_assert(cell_channels_has(&set, 0) && cell_channels_has(&set, 3));
}
END_TEST

START_TEST(serves_names_uids_and_remote_cells)
{
	parses("[serves]\n"
	       "uid = 1000, 1001\n"
	       "remote = node1/teller */log\n"
	       "uid = 0\n"
	       "remote = node2/*\n"
	       "remote = ed25519:Ab/+cd=/x\n"
	       "speaks-for = remote\n");
	ck_assert(cell_manifest_serves_uid(manifest, 1000));
	ck_assert(cell_manifest_serves_uid(manifest, 1001));
	ck_assert(cell_manifest_serves_uid(manifest, 0));
	ck_assert(!cell_manifest_serves_uid(manifest, 1002));
	ck_assert(cell_manifest_serves_remote(manifest, "node1", "teller"));
	ck_assert(!cell_manifest_serves_remote(manifest, "node1", "x"));
	ck_assert(cell_manifest_serves_remote(manifest, "node9", "log"));
	ck_assert(cell_manifest_serves_remote(manifest, "node2", "x"));
	ck_assert(cell_manifest_serves_remote(manifest, "ed25519:Ab/+cd=", "x"));
	ck_assert(manifest->speaks_for_remote);
	parses("[serves]\nuid = any\nspeaks-for = none\n");
	ck_assert(cell_manifest_serves_uid(manifest, 1002));
	ck_assert(!cell_manifest_serves_uid(manifest, UINT32_MAX));
	ck_assert(!manifest->speaks_for_remote);
}
END_TEST

START_TEST(limits_are_read)
{
	parses("[limits]\nmemory = 64M\ncpu = 150%\ntasks = 10\nfiles = 256\nconnections = 5\n"
	       "payload = 0\ncall-timeout = 1m\n");
	ck_assert_uint_eq(manifest->memory_bytes, 64u << 20);
	ck_assert_uint_eq(manifest->cpu_percent, 150);
	ck_assert_uint_eq(manifest->tasks, 10);
	ck_assert_uint_eq(manifest->files, 256);
	ck_assert_uint_eq(manifest->connections, 5);
	ck_assert_uint_eq(manifest->payload_bytes, 0);
	ck_assert_uint_eq(manifest->call_timeout_ns, 60000000000);
	parses("[limits]\nmemory = none\ncpu = none\ntasks = none\n");
	ck_assert_uint_eq(manifest->memory_bytes, 0);
	ck_assert_uint_eq(manifest->cpu_percent, 0);
	ck_assert_uint_eq(manifest->tasks, 0);
}
END_TEST

START_TEST(sandbox_macros_and_log_are_read)
{
	parses("[sandbox]\n"
	       "network = host\n"
	       "state = no\n"
	       "report-denied = no\n"
	       "read-only = /opt/data \"/srv/a b\"\n"
	       "env = PGHOST LANG=C.UTF-8 \"GREETING=good day\" _x1\n"
	       "[macros]\n"
	       "namespace = db, sql_2\n"
	       "[log]\n"
	       "level = warn,link=debug\n"
	       "rate = none\n"
	       "size = 1M\n");
	ck_assert_int_eq(manifest->network, CELL_NETWORK_HOST);
	ck_assert(!manifest->state);
	ck_assert(!manifest->report_denied);
	ck_assert_uint_eq(manifest->n_read_only, 2);
	ck_assert_str_eq(manifest->read_only[0], "/opt/data");
	ck_assert_str_eq(manifest->read_only[1], "/srv/a b");
	ck_assert_ptr_null(manifest->read_only[2]);
	ck_assert_uint_eq(manifest->n_env, 4);
	ck_assert_str_eq(manifest->env[0], "PGHOST");
	ck_assert_str_eq(manifest->env[2], "GREETING=good day");
	ck_assert_str_eq(manifest->env[3], "_x1");
	ck_assert(manifest->provides_macros);
	ck_assert_uint_eq(manifest->n_namespaces, 2);
	ck_assert_str_eq(manifest->namespaces[1], "sql_2");
	ck_assert_str_eq(manifest->log_level, "warn,link=debug");
	ck_assert_uint_eq(manifest->log_rate, 0);
	ck_assert_uint_eq(manifest->log_size_bytes, 1u << 20);
}
END_TEST

START_TEST(macros_without_namespace_means_the_cells_name)
{
	ck_assert_int_eq(parse_as("my-db.cell", "[macros]\n"), 0);
	ck_assert(manifest->provides_macros);
	ck_assert_uint_eq(manifest->n_namespaces, 1);
	ck_assert_str_eq(manifest->namespaces[0], "my_db");
	ck_assert_str_eq(manifest->name, "my-db");
}
END_TEST

START_TEST(lines_go_on_when_indented)
{
	parses("[cell]\n"
	       "exec = greet\n"
	       "   --one ; with a comment\n"
	       "\n"
	       "\t# and another\n"
	       "\t\"--two three\"\n"
	       "[uses]\n"
	       "celldb = app\n"
	       "  macro\n"
	       "  0x80\n"
	       "[serves]\n"
	       "  uid = 1\n"
	       "  2,3\n");
	ck_assert_uint_eq(manifest->n_exec, 3);
	ck_assert_str_eq(manifest->exec[1], "--one");
	ck_assert_str_eq(manifest->exec[2], "--two three");
	ck_assert(uses("celldb", 0) && uses("celldb", 3) && uses("celldb", 0x80));
	ck_assert_uint_eq(manifest->n_serves_uids, 3);
}
END_TEST

START_TEST(long_names_are_not_cut)
{
	char name[CELL_NAME_MAX + 1], text[256];

	memset(name, 'a', CELL_NAME_MAX);
	name[CELL_NAME_MAX] = '\0';
	snprintf(text, sizeof text, "[uses]\n%s = app\n ops\n", name);
	parses(text);
	ck_assert(uses(name, 0) && uses(name, 2));
}
END_TEST

START_TEST(comments_blank_lines_crlf_and_bom_are_fine)
{
	parses("\xef\xbb\xbf# first\r\n; second\r\n\r\n[cell] ; third\r\nname = greeter ; x\r\n"
	       "summary = gr\xc3\xbc\xc3\x9f dich\r\n[limits]\r\nmemory=8M");
	ck_assert_str_eq(manifest->name, "greeter");
	ck_assert_str_eq(manifest->summary, "gr\xc3\xbc\xc3\x9f dich");
	ck_assert_uint_eq(manifest->memory_bytes, 8u << 20);
}
END_TEST

/* ---- what is refused, and where ---- */

static const struct {
	const char *text;
	const char *message; /* "line:column: text" */
} wrong[] = {
	/* sections and lines */
	{ "\n[limit]\n", "2:2: unknown section [limit]; did you mean [limits]?" },
	{ "[sanbdox]\n", "1:2: unknown section [sanbdox]; did you mean [sandbox]?" },
	{ "  [else where]\n",
	  "1:4: unknown section [else where]: there are cell, uses, serves, "
	  "limits, sandbox, macros and log" },
	{ "[cell\n", "1:1: the section has no ']'" },
	{ "[cell] name = x\n", "1:8: text behind the section" },
	{ "[cell]\n[log]\n[cell]\n", "3:1: section [cell] is on line 1 already" },
	{ "name = greeter\n", "1:1: this stands before the first section" },
	{ "[cell]\nname greeter\n", "2:1: a line is 'key = value', and this one has no '='" },
	{ "[cell]\n = greeter\n", "2:2: no key before the '='" },
	{ "[cell]\nname =\n", "2:7: 'name' has no value" },
	{ "[cell]\nname = ; greeter\n", "2:8: 'name' has no value" },
	{ "[cell]\nname = greeter\n  more\n",
	  "3:3: 'name' takes one value; this line is indented" },
	{ "[cell]\nna\001me = x\n", "2:3: byte 0x01 is no text" },
	{ "[cell]\nsummary = \xc3(\n", "2:11: byte 0xc3 is no text" },
	{ "[cell]\nsummary = \xed\xa0\x80\n", "2:11: byte 0xed is no text" },
	{ "[cell]\nsummary = \xf4\x90\x80\x80\n", "2:11: byte 0xf4 is no text" },
	{ "[cell]\nsummary = \xe2\x82", "2:11: byte 0xe2 is no text" },
	/* keys */
	{ "[limits]\n  memroy = 64M\n",
	  "2:3: unknown key 'memroy' in [limits]; did you mean 'memory'?" },
	{ "[cell]\nsumary = x\n",
	  "2:1: unknown key 'sumary' in [cell]; did you mean 'summary'?" },
	{ "[cell]\nmemory = 64M\n", "2:1: 'memory' belongs to section [limits]" },
	{ "[cell]\nresolver = yes\n", "2:1: unknown key 'resolver' in [cell]" },
	{ "[cell]\nname = greeter\nname = greeter\n", "3:1: 'name' is on line 2 already" },
	{ "[cell]\nexec = a\nexec = b\n", "3:1: 'exec' is on line 2 already" },
	/* [cell] */
	{ "[cell]\nname = Greeter\n",
	  "2:8: name: 'Greeter' is no cell name: a letter, then letters, digits and '-', "
	  "lower case, at most 63" },
	{ "[cell]\n\nname = teller\n",
	  "3:1: the file is named for 'greeter', the cell 'teller'; give both one name" },
	{ "[cell]\nversion = a b\n", "2:11: version: 'a b' is no version such as 1.2.0" },
	{ "[cell]\nexec = \"\" x\n", "2:8: exec: '' is no program" },
	{ "[cell]\nexec = -v\n", "2:8: exec: '-v' is no program" },
	{ "[cell]\nexec = bin/\n", "2:8: exec: 'bin/' is no program" },
	{ "[cell]\nexec = x \"y\n", "2:10: the quote is never closed" },
	{ "[cell]\nstart = boto\n",
	  "2:9: start: 'boto' is not demand or boot; did you mean 'boot'?" },
	{ "[cell]\nrestart = sometimes\n",
	  "2:11: restart: 'sometimes' is not on-failure, always or never" },
	{ "[cell]\ninstances = 0\n", "2:13: instances: 0 is not between 1 and 1024" },
	{ "[cell]\ninstances = two\n", "2:13: instances: 'two' is not a whole number" },
	{ "[cell]\ninstances = 2%\n", "2:13: instances: '2%' is not a whole number" },
	{ "[cell]\ninstances = -1\n", "2:13: instances: '-1' is not a whole number" },
	{ "[cell]\ninstances = 99999999999999999999\n",
	  "2:13: instances: '99999999999999999999' is not a whole number" },
	{ "[cell]\ninstances = 4\nmax-instances = 3\n",
	  "3:1: max-instances 3 is less than instances 4" },
	{ "[cell]\nuser = root\n", "2:8: user: no cell runs as root" },
	{ "[cell]\nuser = 00\n", "2:8: user: no cell runs as root" },
	{ "[cell]\nuser = a:b\n", "2:8: user: 'a:b' is no user name" },
	{ "[cell]\ninit = maybe\n", "2:8: init: 'maybe' is neither yes nor no" },
	{ "[cell]\nready-timeout = 10\n",
	  "2:17: ready-timeout: '10' has no unit; did you mean '10s'?" },
	{ "[cell]\nready-timeout = soon\n",
	  "2:17: ready-timeout: 'soon' is not a time such as 10s or 250ms" },
	{ "[cell]\nready-timeout = 0\n",
	  "2:17: ready-timeout: 0 is not between 10 ms and 3600 s" },
	{ "[cell]\nstop-timeout = 2h\n",
	  "2:16: stop-timeout: 2h is not between 0 ms and 3600 s" },
	/* [uses] */
	{ "[uses]\nCellDB = app\n", "2:1: [uses] 'CellDB' is no cell name" },
	{ "[uses]\ncelldb = app marco\n",
	  "2:14: 'marco' is no channel; did you mean 'macro'?" },
	{ "[uses]\ncelldb = app\n   apps\n",
	  "3:4: 'apps' is no channel; did you mean 'app'?" },
	{ "[uses]\ncelldb = everything\n",
	  "2:10: 'everything' is no channel: app, consensus, ops, macro, 0x80 to 0xff or all" },
	{ "[uses]\ncelldb = 0x10\n", "2:10: channel 0x10 is reserved" },
	{ "[uses]\ncelldb = 0x100\n",
	  "2:10: '0x100' is no channel: app, consensus, ops, macro, 0x80 to 0xff or all" },
	{ "[uses]\na = app\nb = app\na = ops\n", "4:1: [uses] 'a' is on line 2 already" },
	{ "[uses]\n* = app\n* = ops\n", "3:1: [uses] '*' is there already" },
	{ "[uses]\ncelldb =\n", "2:9: 'celldb' has no value" },
	/* [serves] */
	{ "[serves]\nuid = 1000 alice\n", "2:12: uid: 'alice' is neither a number nor any" },
	{ "[serves]\nuid = 4294967295\n",
	  "2:7: uid: '4294967295' is neither a number nor any" },
	{ "[serves]\nremote = teller\n", "2:10: remote: 'teller' is not node/cell" },
	{ "[serves]\nremote = node1/Teller\n", "2:16: remote: 'Teller' is no cell name" },
	{ "[serves]\nremote = /teller\n", "2:10: remote: '' is no node" },
	{ "[serves]\nspeaks-for = all\n", "2:14: speaks-for: 'all' is not none or remote" },
	/* [limits] */
	{ "[limits]\nmemory = 64 M\n", "2:10: memory: '64 M' is not a size such as 64M" },
	{ "[limits]\nmemory = 1K\n",
	  "2:10: memory: 1K is not between 4194304 and 1125899906842624 bytes" },
	{ "[limits]\nmemory = 99999999T\n",
	  "2:10: memory: 99999999T is not between 4194304 and 1125899906842624 bytes" },
	{ "[limits]\ncpu = 0\n", "2:7: cpu: 0 is not between 1 and 100000" },
	{ "[limits]\nfiles = none\n", "2:9: files: 'none' is not a whole number" },
	{ "[limits]\npayload = 2G\n",
	  "2:11: payload: 2G is not between 0 and 1073741824 bytes" },
	/* [sandbox] */
	{ "[sandbox]\nnetwork = hsot\n",
	  "2:11: network: 'hsot' is not none or host; did you mean 'host'?" },
	{ "[sandbox]\nread-only = opt\n", "2:13: read-only: 'opt' is not absolute" },
	{ "[sandbox]\nread-only = /opt /root/x\n",
	  "2:18: read-only: '/root/x' is closed to cells" },
	{ "[sandbox]\nenv = A 1B\n", "2:9: env: '1B' is neither NAME nor NAME=VALUE" },
	{ "[sandbox]\nenv = =x\n", "2:7: env: '=x' is neither NAME nor NAME=VALUE" },
	{ "[sandbox]\nenv = LD_PRELOAD=/x.so\n",
	  "2:7: env: LD_PRELOAD=/x.so would load foreign code" },
	{ "[sandbox]\nenv = CELL_STATEDIR=/\n",
	  "2:7: env: CELL_STATEDIR is set by the runtime" },
	/* [macros], [log] */
	{ "[macros]\nnamespace = gnu\n", "2:13: namespace: 'gnu' belongs to a compiler" },
	{ "[macros]\nnamespace = my-db\n",
	  "2:13: namespace: 'my-db' is no name: letters, digits and '_', lower case" },
	{ "[log]\nlevel = warn,link=loud\n",
	  "2:19: level: 'loud' is not err, warn, info or debug" },
	{ "[log]\nlevel = =warn\n", "2:10: level: 'warn' is not err, warn, info or debug" },
	{ "[log]\nrate = many\n", "2:8: rate: 'many' is not a whole number" },
};

START_TEST(says_what_is_wrong_and_where)
{
	refuses(wrong[_i].text, wrong[_i].message);
}
END_TEST

START_TEST(the_first_mistake_is_the_one_reported)
{
	refuses("[cell]\nfoo\nbar = 1\n",
		"2:1: a line is 'key = value', and this one has no '='");
	refuses("[cell]\nxyz = 1\nfoo\n", "2:1: unknown key 'xyz' in [cell]");
}
END_TEST

START_TEST(long_lines_are_an_error_not_cut)
{
	char text[400] = "[cell]\nsummary = ", message[128];

	memset(text + strlen(text), 'x', 190);
	strcat(text, "\n");
	ck_assert_int_eq(parse(text), CELL_INVALID_ARGUMENT);
	snprintf(
		message, sizeof message,
		"greeter.cell:2:199: the line is longer than 198 bytes; go on in an indented one");
	ck_assert_str_eq(err.text, message);
	text[7 + 198] = '\0';
	parses(text);
	ck_assert_uint_eq(strlen(manifest->summary), 188);
}
END_TEST

START_TEST(long_foreign_words_are_cut_in_messages)
{
	char text[256] = "[cell]\n";

	memset(text + 7, 'q', 150);
	strcpy(text + 157, " = 1\n");
	refuses(text,
		"2:1: unknown key 'qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq...' in [cell]");
}
END_TEST

START_TEST(long_paths_lose_their_front)
{
	char path[200];

	memset(path, 'p', sizeof path);
	strcpy(path + 180, "/greeter.cell");
	ck_assert_int_eq(parse_as(path, "[cel]\n"), CELL_INVALID_ARGUMENT);
	ck_assert_ptr_nonnull(
		strstr(err.text, "/greeter.cell:1:2: unknown section [cel]; did you"));
	ck_assert_int_eq(strncmp(err.text, "...ppp", 6), 0);
}
END_TEST

START_TEST(a_text_without_file_must_name_its_cell)
{
	ck_assert_int_eq(parse_as("<deploy>", "[cell]\n"), CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(err.text, "<deploy>:1:1: [cell] has no name");
	ck_assert_int_eq(parse_as("<deploy>", "[cell]\nname = teller\n"), 0);
	ck_assert_str_eq(manifest->name, "teller");
	ck_assert_int_eq(parse_as("Bad Name.cell", "[cell]\n"), CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(err.text, "Bad Name.cell:1:1: 'Bad Name' is no cell name");
}
END_TEST

START_TEST(too_many_entries_are_refused)
{
	static char text[8192] = "[serves]\nuid = 1\n";
	size_t len = strlen(text);

	for (int i = 0; i < CELL_MANIFEST_LIST_MAX - 1; i++)
		len += (size_t)sprintf(text + len, " %d\n", i);
	parses(text);
	ck_assert_uint_eq(manifest->n_serves_uids, CELL_MANIFEST_LIST_MAX);
	strcat(text, " 7\n");
	refuses(text, "258:2: more than 256 entries");
}
END_TEST

START_TEST(too_large_manifests_are_refused)
{
	char *text = malloc(CELL_MANIFEST_MAX + 1);

	memset(text, '\n', CELL_MANIFEST_MAX + 1);
	ck_assert_int_eq(cell_manifest_parse(&manifest, text, CELL_MANIFEST_MAX, "a.cell",
					     &err),
			 0);
	teardown();
	ck_assert_int_eq(cell_manifest_parse(&manifest, text, CELL_MANIFEST_MAX + 1, "a.cell",
					     &err),
			 CELL_INVALID_ARGUMENT);
	free(text);
}
END_TEST

START_TEST(errors_may_be_unwanted)
{
	ck_assert_int_eq(cell_manifest_parse(&manifest, "[x]", 3, "a.cell", NULL),
			 CELL_INVALID_ARGUMENT);
}
END_TEST

/* ---- files ---- */

START_TEST(reads_files_and_refuses_what_is_none)
{
	char folder[] = "/tmp/manifest_test.XXXXXX", path[64];
	FILE *file;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/greeter.cell", folder);
	ck_assert_int_eq(cell_manifest_read(&manifest, path, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	file = fopen(path, "w");
	fputs("[cell]\nsummary = from a file\n", file);
	fclose(file);
	ck_assert_int_eq(cell_manifest_read(&manifest, path, &err), 0);
	ck_assert_str_eq(manifest->summary, "from a file");
	teardown();
	ck_assert_int_eq(cell_manifest_read(&manifest, folder, &err), -EISDIR);
	unlink(path);
	/* An empty FIFO is an empty manifest, not a wait. */
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(cell_manifest_read(&manifest, path, &err), 0);
	unlink(path);
	rmdir(folder);
}
END_TEST

/* ---- names, mounts and numbers ---- */

START_TEST(cell_names_are_lower_case_words)
{
	char name[CELL_NAME_MAX + 2];

	ck_assert(cell_name_is_valid("a"));
	ck_assert(cell_name_is_valid("a-1-b9"));
	ck_assert(!cell_name_is_valid(NULL));
	ck_assert(!cell_name_is_valid(""));
	ck_assert(!cell_name_is_valid("1a"));
	ck_assert(!cell_name_is_valid("-a"));
	ck_assert(!cell_name_is_valid("aB"));
	ck_assert(!cell_name_is_valid("a_b"));
	ck_assert(!cell_name_is_valid("a/b"));
	ck_assert(!cell_name_is_valid("a b"));
	ck_assert(!cell_name_is_valid(".."));
	ck_assert(!cell_name_is_valid("a\xc3\xa4"));
	memset(name, 'z', sizeof name);
	name[CELL_NAME_MAX + 1] = '\0';
	ck_assert(!cell_name_is_valid(name));
	name[CELL_NAME_MAX] = '\0';
	ck_assert(cell_name_is_valid(name));
}
END_TEST

START_TEST(secrets_are_never_mounted)
{
	static const char *const refused[] = {
		"/",
		"/etc",
		"/etc/shadow",
		"/etc/ssh/key",
		"/proc/1",
		"/sys",
		"/dev/mem",
		"/run/user",
		"/var/run/x",
		"/root",
		"/home",
		"/home/alice",
		"/home/a/.ssh",
		"/opt/.ssh/id",
		"/opt/../root",
		"/opt/..",
		"/opt/.",
		"/opt//x",
		"/opt/./x",
		"/opt/",
		"relative",
		"/var",
		"/var/lib/cell",
		"/boot",
		"/tmp/x",
		"/state/x",
		"/cell",
		"/home/a/.gnupg/x",
		"",
	};
	static const char *const allowed[] = { "/opt",         "/opt/data",  "/srv/x..y",
					       "/home/a/data", "/etc/hosts", "/etc/ssl/certs",
					       "/usr/share",   "/procfs",    "/opt/.sshd" };

	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		ck_assert_msg(cell_mount_refusal(refused[i]) != NULL, "%s", refused[i]);
	for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
		ck_assert_msg(cell_mount_refusal(allowed[i]) == NULL, "%s: %s", allowed[i],
			      cell_mount_refusal(allowed[i]));
}
END_TEST

START_TEST(sizes_are_powers_of_1024)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} right[] = { { "0", 0 },
		      { "512", 512 },
		      { "512B", 512 },
		      { "1K", 1024 },
		      { "1k", 1024 },
		      { "64M", 64ull << 20 },
		      { "64MB", 64ull << 20 },
		      { "64MiB", 64ull << 20 },
		      { "1.5G", 3ull << 29 },
		      { "0.25K", 256 },
		      { "2T", 2ull << 40 },
		      { "18446744073709551615", UINT64_MAX } };
	static const char *const none[] = {
		"",   "M",  "-1",  "+1",  " 1",  "1 ",    "1X",
		"1.", ".5", "1.5", "1KK", "1iB", "1MiBx", "0x10"
	};
	uint64_t bytes;

	for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
		ck_assert_int_eq(cell_size_parse(right[i].text, &bytes), 0);
		ck_assert_uint_eq(bytes, right[i].bytes);
	}
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		ck_assert_msg(cell_size_parse(none[i], &bytes) == -EINVAL, "%s", none[i]);
	ck_assert_int_eq(cell_size_parse("18446744073709551616", &bytes), -ERANGE);
	ck_assert_int_eq(cell_size_parse("16777216T", &bytes), -ERANGE);
}
END_TEST

START_TEST(times_need_a_unit)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} right[] = { { "0", 0 },
		      { "7ns", 7 },
		      { "3us", 3000 },
		      { "250ms", 250000000 },
		      { "1.5s", 1500000000 },
		      { "2m", 120000000000 },
		      { "2min", 120000000000 },
		      { "1h", 3600000000000 } };
	static const char *const none[] = { "", "s", "10", "1.5", "-1s", "1 s", "1d", "1ss" };
	uint64_t ns;

	for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
		ck_assert_int_eq(cell_duration_parse(right[i].text, &ns), 0);
		ck_assert_uint_eq(ns, right[i].ns);
	}
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		ck_assert_msg(cell_duration_parse(none[i], &ns) == -EINVAL, "%s", none[i]);
	ck_assert_int_eq(cell_duration_parse("999999999999h", &ns), -ERANGE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("manifest");
	TCase *tc = tcase_create("manifest");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, empty_manifest_has_every_default);
	tcase_add_test(tc, every_key_of_cell_is_read);
	tcase_add_test(tc, program_lies_in_the_folder_of_the_manifest);
	tcase_add_test(tc, uses_lists_channels_of_cells);
	tcase_add_test(tc, star_counts_only_for_the_trusted);
	tcase_add_test(tc, serves_names_uids_and_remote_cells);
	tcase_add_test(tc, limits_are_read);
	tcase_add_test(tc, sandbox_macros_and_log_are_read);
	tcase_add_test(tc, macros_without_namespace_means_the_cells_name);
	tcase_add_test(tc, lines_go_on_when_indented);
	tcase_add_test(tc, long_names_are_not_cut);
	tcase_add_test(tc, comments_blank_lines_crlf_and_bom_are_fine);
	tcase_add_loop_test(tc, says_what_is_wrong_and_where, 0,
			    (int)(sizeof wrong / sizeof wrong[0]));
	tcase_add_test(tc, the_first_mistake_is_the_one_reported);
	tcase_add_test(tc, long_lines_are_an_error_not_cut);
	tcase_add_test(tc, long_foreign_words_are_cut_in_messages);
	tcase_add_test(tc, long_paths_lose_their_front);
	tcase_add_test(tc, a_text_without_file_must_name_its_cell);
	tcase_add_test(tc, too_many_entries_are_refused);
	tcase_add_test(tc, too_large_manifests_are_refused);
	tcase_add_test(tc, errors_may_be_unwanted);
	tcase_add_test(tc, reads_files_and_refuses_what_is_none);
	tcase_add_test(tc, cell_names_are_lower_case_words);
	tcase_add_test(tc, secrets_are_never_mounted);
	tcase_add_test(tc, sizes_are_powers_of_1024);
	tcase_add_test(tc, times_need_a_unit);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
