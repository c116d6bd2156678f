/*
 * Stories of a real node: cellcore with a run directory of its own, and cells that speak
 * the control protocol by themselves.
 */
#include "cellcore/kernel.h"
#include "test_node.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct test_node node;
static struct cell_error err;

static void setup(void)
{
	test_node_init(&node);
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	test_node_deinit(&node);
}

static int connect_to(const char *cell)
{
	int life;

	ck_assert_msg(test_node_connect(&node, cell, &life, &err) == 0, "%s", err.text);
	return life;
}

static int spawn(const char *cell, struct core_instance_info *info)
{
	struct core_spawn_request in = { .cell = cell };

	return control_call(&node.client, "Spawn", &in, info, NULL, &err);
}

static int retire(const char *cell, uint64_t instance, uint64_t drain_ms)
{
	struct core_retire_request in = { .cell = cell, .instance = instance, .drain_ms = drain_ms };
	struct core_instance_info info;

	return control_call(&node.client, "Retire", &in, &info, NULL, &err);
}

static void expect_error(int r, int code, const char *text)
{
	ck_assert_msg(r == code, "%s, not %s: %s", cell_status_name(r), cell_status_name(code),
		      err.text);
	ck_assert_msg(strstr(err.text, text) != NULL, "'%s' is not in '%s'", text, err.text);
}

/* Answers come just before what they were made of is closed. */
static void expect_fds(unsigned fds)
{
	for (int i = 0; i < 500 && test_count_fds(node.pid) > fds; i++)
		usleep(1000);
	ck_assert_uint_le(test_count_fds(node.pid), fds);
}

/* ---- connecting ------------------------------------------------------------------------------ */

START_TEST(a_connection_reaches_a_cell_that_was_not_running)
{
	int life;

	test_node_cell(&node, "greeter", "", "");
	test_node_start(&node);
	ck_assert_uint_eq(test_node_count(&node, "", -1), 0);
	life = connect_to("greeter");
	ck_assert_msg(strncmp(test_tell(life, "who"), "greeter/1 ", 10) == 0, "who?");
	ck_assert_str_eq(test_tell(life, "hello"), "hello");
	ck_assert_ptr_nonnull(strstr(test_tell(life, "peer"), " outside owner"));
	close(life);
}
END_TEST

START_TEST(connections_are_forgotten_when_they_close)
{
	unsigned fds;

	test_node_cell(&node, "greeter", "", "");
	test_node_start(&node);
	close(connect_to("greeter"));
	fds = test_count_fds(node.pid);
	for (int i = 0; i < 600; i++) {
		int life = -1;

		/* More in a row than the quota holds at a time: they are given back. */
		while (test_node_connect(&node, "greeter", &life, &err) == CELL_RESOURCE_EXHAUSTED)
			usleep(1000);
		ck_assert_int_ge(life, 0);
		close(life);
	}
	expect_fds(fds);
}
END_TEST

START_TEST(a_quota_holds_until_something_is_given_back)
{
	int lives[8], more;

	test_node_conf(&node, "[quota owner]\nconnections = 8\n");
	test_node_cell(&node, "greeter", "", "");
	test_node_start(&node);
	for (int i = 0; i < 8; i++)
		lives[i] = connect_to("greeter");
	expect_error(test_node_connect(&node, "greeter", &more, &err), CELL_RESOURCE_EXHAUSTED,
		     "limit 8");
	close(lives[3]);
	while (test_node_connect(&node, "greeter", &more, &err) != 0)
		usleep(1000);
	close(more);
	for (int i = 0; i < 8; i++)
		if (i != 3)
			close(lives[i]);
}
END_TEST

START_TEST(a_cell_reaches_only_what_it_uses)
{
	int life;

	test_node_cell(&node, "shop", "", "[uses]\nbank = app\n");
	test_node_cell(&node, "bank", "", "");
	test_node_cell(&node, "vault", "", "");
	test_node_start(&node);
	life = connect_to("shop");
	ck_assert_str_eq(test_tell(life, "connect vault"),
			 "PERMISSION_DENIED shop.cell has no [uses] vault; add \"vault = app\" under [uses]");
	ck_assert_msg(strncmp(test_tell(life, "connect bank"), "OK bank/", 8) == 0, "no bank");
	ck_assert_uint_eq(test_node_count(&node, "vault", -1), 0);
	close(life);
}
END_TEST

START_TEST(a_lifeline_ends_with_its_server)
{
	int life;

	test_node_cell(&node, "greeter", "", "restart = never\n");
	test_node_start(&node);
	life = connect_to("greeter");
	ck_assert_str_eq(test_tell(life, "exit 3"), "");
	close(life);
	test_node_await(&node, "greeter", -1, 0);
}
END_TEST

START_TEST(the_reason_of_a_failed_start_is_told)
{
	struct core_instance_info info;
	int life;

	test_node_cell(&node, "exits", "exit 3", "restart = never\n");
	test_node_cell(&node, "explains", "explain no_such_table", "restart = never\n");
	test_node_cell(&node, "hangs", "not-ready", "restart = never\nready-timeout = 200ms\n");
	test_node_start(&node);
	expect_error(test_node_connect(&node, "exits", &life, &err), CELL_UNAVAILABLE,
		     "exits/1 ended before it was ready: exited with status 3 (`cell logs exits`)");
	expect_error(spawn("explains", &info), CELL_UNAVAILABLE, "no_such_table");
	expect_error(spawn("hangs", &info), CELL_UNAVAILABLE, "not ready within 2");
	expect_error(spawn("greter", &info), CELL_NOT_FOUND, "no cell 'greter' here");
}
END_TEST

START_TEST(a_manifest_that_is_wrong_says_where)
{
	struct core_instance_info info;

	test_node_cell(&node, "bad", "", "restrat = never\n");
	test_node_start(&node);
	expect_error(spawn("bad", &info), CELL_FAILED_PRECONDITION, "restart");
	/* Mended, it works at once. */
	test_node_cell(&node, "bad", "", "restart = never\n");
	ck_assert_msg(spawn("bad", &info) == 0, "%s", err.text);
}
END_TEST

/* ---- supervision ------------------------------------------------------------------------------ */

START_TEST(a_crash_is_restarted_and_its_reason_kept)
{
	struct core_list_request list = { .cell = "greeter", .after_name = "" };
	struct core_instance_page page;
	int life;

	test_node_cell(&node, "greeter", "", "");
	test_node_start(&node);
	life = connect_to("greeter");
	test_tell(life, "crash");
	close(life);
	ck_assert_uint_eq(test_node_await_next(&node, "greeter", 1), 2);
	ck_assert_int_eq(control_call(&node.client, "ListInstances", &list, &page, NULL, &err), 0);
	ck_assert_uint_eq(page.instances[0].instance, 2);
	ck_assert_uint_eq(page.instances[0].restarts, 1);
	ck_assert_str_eq(page.instances[0].reason, "killed by SIGSEGV");
}
END_TEST

START_TEST(retire_drains_and_kills_the_stubborn)
{
	struct core_instance_info info;

	test_node_cell(&node, "gentle", "", "");
	test_node_cell(&node, "stubborn", "stubborn", "stop-timeout = 100ms\n");
	test_node_start(&node);
	ck_assert_int_eq(spawn("gentle", &info), 0);
	ck_assert_int_eq(spawn("stubborn", &info), 0);
	ck_assert_int_eq(retire("gentle", info.instance, 0), CELL_NOT_FOUND);
	ck_assert_int_eq(retire("gentle", 0, 0), 0);
	ck_assert_int_eq(retire("stubborn", info.instance, 100), 0);
	ck_assert_uint_eq(test_node_count(&node, "", -1), 0);
}
END_TEST

START_TEST(watchers_see_births_and_deaths)
{
	static const int expected[] = { KERNEL_STARTING, KERNEL_READY, KERNEL_DRAINING, KERNEL_GONE };
	struct core_watch_request watch = { .cell = "greeter" };
	struct core_instance_info info;
	struct core_instance_event event;
	struct common_empty empty;
	int last = -1;

	test_node_cell(&node, "greeter", "slow-ready 50", "");
	test_node_cell(&node, "other", "", "");
	test_node_start(&node);
	ck_assert_int_eq(control_call(&node.client, "Watch", &watch, &empty, NULL, &err), 0);
	expect_error(control_call(&node.client, "Watch", &watch, &empty, NULL, &err),
		     CELL_ALREADY_EXISTS, "watched already");
	ck_assert_int_eq(spawn("other", &info), 0);
	ck_assert_int_eq(spawn("greeter", &info), 0);
	ck_assert_int_eq(retire("greeter", 0, 0), 0);
	for (int i = 0; i < 4; i++) {
		struct control_packet *packet = control_next(&node.client, 5000);

		ck_assert_ptr_nonnull(packet);
		ck_assert_uint_eq(packet->frame.code, control_instance_method("Event")->hash);
		ck_assert_int_eq(core_instance_event_type.decode(&event, packet->body,
								 packet->frame.length, 0,
								 &node.client.arena, &err), 0);
		ck_assert_str_eq(event.instance->cell, "greeter");
		last = (int)event.instance->state;
		ck_assert_int_eq(last, expected[i]);
		free(packet);
	}
	ck_assert_int_eq(control_call(&node.client, "Unwatch", &watch, &empty, NULL, &err), 0);
	ck_assert_int_eq(spawn("greeter", &info), 0);
	ck_assert_ptr_null(control_next(&node.client, 50));
}
END_TEST

START_TEST(a_watch_begins_with_what_exists)
{
	struct core_watch_request watch = { .cell = "" };
	struct core_instance_info info;
	struct common_empty empty;

	test_node_cell(&node, "greeter", "", "max-instances = 64\n");
	test_node_start(&node);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(spawn("greeter", &info), 0);
	ck_assert_int_eq(control_call(&node.client, "Watch", &watch, &empty, NULL, &err), 0);
	/* They came before the reply. */
	for (int i = 0; i < 20; i++) {
		struct control_packet *packet = control_next(&node.client, 0);

		ck_assert_ptr_nonnull(packet);
		free(packet);
	}
	ck_assert_ptr_null(control_next(&node.client, 0));
	ck_assert_uint_eq(test_node_count(&node, "greeter", KERNEL_READY), 20);
}
END_TEST

/* ---- sockets of other languages --------------------------------------------------------------------- */

static int stream_to(const char *cell)
{
	char path[256];
	int fd;

	snprintf(path, sizeof path, "%s/cells/%s.sock", node.rundir, cell);
	ck_assert_msg(sock_connect(&fd, path, SOCK_STREAM, 1000, &err) == 0, "%s", err.text);
	return fd;
}

START_TEST(a_stream_socket_starts_its_cell)
{
	struct stat st;
	char path[256];
	int fd;

	test_node_cell(&node, "greeter", "", "");
	test_node_start(&node);
	snprintf(path, sizeof path, "%s/cells/greeter.sock", node.rundir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	fd = stream_to("greeter");
	ck_assert_msg(strncmp(test_tell(fd, "who"), "greeter/1 ", 10) == 0, "who?");
	ck_assert_ptr_nonnull(strstr(test_tell(fd, "peer"), "outside owner"));
	close(fd);
}
END_TEST

START_TEST(other_users_reach_only_what_serves_them)
{
	struct core_list_request list = { .cell = "greeter", .after_name = "" };
	struct core_cell_page page;
	char path[256], answer[256];
	int status, ends[2];
	struct stat st;
	pid_t pid;

	if (getuid() != 0)
		return;
	test_node_cell(&node, "greeter", "", "[serves]\nuid = 12345\n");
	test_node_start(&node);
	ck_assert_int_eq(chmod(node.rundir, 0711), 0);
	snprintf(path, sizeof path, "%s/cells/greeter.sock", node.rundir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0666);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	for (uid_t uid = 12345; uid <= 12346; uid++) {
		pid = fork();
		if (pid == 0) {
			ssize_t n = 0;
			int fd;

			if (setresuid(uid, uid, uid) < 0)
				_exit(1);
			fd = stream_to("greeter");
			fcntl(fd, F_SETFL, 0);
			/* Who is refused may not even get rid of this. */
			(void)send(fd, "peer", 4, MSG_NOSIGNAL);
			n = read(fd, answer, sizeof answer);
			_exit(write(ends[1], answer, (size_t)n) != n);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
		memset(answer, 0, sizeof answer);
		ck_assert_int_gt(read(ends[0], answer, sizeof answer), 0);
		if (uid == 12345)
			ck_assert_str_eq(strstr(answer, " uid="), " uid=12345 outside");
		else
			ck_assert_ptr_nonnull(memmem(answer, sizeof answer, "does not serve uid 12346", 24));
	}
	close(ends[0]);
	close(ends[1]);
	/* Nobody is served any more: the door closes as soon as that is noticed. */
	test_node_cell(&node, "greeter", "", "");
	ck_assert_int_eq(control_call(&node.client, "ListCells", &list, &page, NULL, &err), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(a_refused_stream_says_why)
{
	char bytes[512] = "";
	size_t at = 0;
	ssize_t n;
	int fd;

	test_node_cell(&node, "exits", "exit 3", "restart = never\n");
	test_node_start(&node);
	fd = stream_to("exits");
	ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
	while ((n = read(fd, bytes + at, sizeof bytes - 1 - at)) > 0)
		at += (size_t)n;
	close(fd);
	ck_assert_ptr_nonnull(memmem(bytes, at, "exited with status 3", 20));
}
END_TEST

/* ---- the node's parts -------------------------------------------------------------------------------- */

START_TEST(the_resolver_is_asked_and_the_gateway_introduced)
{
	int life, none;
	char peer[256];

	test_node_conf(&node, "resolver = nucleus\ngateway = gateway\n");
	test_node_cell(&node, "nucleus", "", "");
	test_node_cell(&node, "gateway", "", "");
	test_node_cell(&node, "bank", "", "[serves]\nremote = node2/teller\n");
	test_node_cell(&node, "shop", "", "[uses]\nfar = app\n");
	test_node_start(&node);
	test_node_await(&node, "", KERNEL_READY, 2);
	life = connect_to("far");
	snprintf(peer, sizeof peer, "%s", test_tell(life, "peer"));
	ck_assert_msg(strstr(peer, " for far") != NULL, "%s", peer);
	close(life);
	expect_error(test_node_connect(&node, "nowhere", &none, &err), CELL_NOT_FOUND, "nowhere");
	expect_error(test_node_connect(&node, "slow", &none, &err), CELL_UNAVAILABLE, "2000 ms");

	life = connect_to("shop");
	ck_assert_str_eq(test_tell(life, "connect far"), "OK far/9 node2");
	ck_assert_ptr_nonnull(strstr(test_tell(life, "as node2 teller bank"), "only the node's gateway"));
	close(life);
	life = connect_to("gateway");
	ck_assert_msg(strncmp(test_tell(life, "as node2 teller bank"), "OK bank/", 8) == 0, "no bank");
	ck_assert_ptr_nonnull(strstr(test_tell(life, "as node3 teller bank"), "does not serve teller of node3"));
	close(life);
}
END_TEST

START_TEST(spawn_rights_come_from_the_configuration)
{
	int life;

	test_node_conf(&node, "spawn = scaler\n");
	test_node_cell(&node, "scaler", "", "");
	test_node_cell(&node, "shop", "", "");
	test_node_start(&node);
	life = connect_to("scaler");
	ck_assert_str_eq(test_tell(life, "spawn shop"), "OK ");
	close(life);
	life = connect_to("shop");
	ck_assert_ptr_nonnull(strstr(test_tell(life, "spawn shop"), "PERMISSION_DENIED"));
	close(life);
}
END_TEST

START_TEST(stderr_goes_to_the_log_cell_or_to_a_file)
{
	char path[256], text[512] = "";
	FILE *file;
	int life;

	test_node_cell(&node, "greeter", "", "");
	test_node_start(&node);
	life = connect_to("greeter");
	test_tell(life, "who");
	close(life);
	snprintf(path, sizeof path, "%s/log/greeter.log", node.rundir);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_gt(fread(text, 1, sizeof text - 1, file), 0);
	fclose(file);
	ck_assert_ptr_nonnull(strstr(text, "greeter/1 is ready"));
}
END_TEST

/* ---- manifests ------------------------------------------------------------------------------------------ */

START_TEST(load_makes_a_manifest_known_and_it_stays_so)
{
	struct core_load_request load;
	struct core_cell_info info;
	char from[256], path[300], again[300];

	test_node_cell(&node, "guest", "", "start = boot\n");
	snprintf(from, sizeof from, "%s/guest.cell", node.cells);
	snprintf(path, sizeof path, "%s/elsewhere", node.folder);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	strcat(path, "/guest.cell");
	ck_assert_int_eq(rename(from, path), 0);
	test_node_start(&node);
	load.path = "guest.cell";
	expect_error(control_call(&node.client, "Load", &load, &info, NULL, &err),
		     CELL_INVALID_ARGUMENT, "no absolute path");
	load.path = "/nonexistent/guest.cell";
	expect_error(control_call(&node.client, "Load", &load, &info, NULL, &err), CELL_NOT_FOUND,
		     "no manifest");
	load.path = path;
	ck_assert_msg(control_call(&node.client, "Load", &load, &info, NULL, &err) == 0, "%s", err.text);
	ck_assert_str_eq(info.name, "guest");
	ck_assert(info.boot);
	ck_assert_int_eq(control_call(&node.client, "Load", &load, &info, NULL, &err), 0);
	close(connect_to("guest"));

	snprintf(again, sizeof again, "%s/other", node.folder);
	ck_assert_int_eq(mkdir(again, 0755), 0);
	strcat(again, "/guest.cell");
	ck_assert_int_eq(link(path, again), 0);
	load.path = again;
	expect_error(control_call(&node.client, "Load", &load, &info, NULL, &err),
		     CELL_ALREADY_EXISTS, path);
	ck_assert_ptr_nonnull(strstr(err.text, "move that away"));

	control_client_close(&node.client);
	kill(node.pid, SIGTERM);
	ck_assert_int_eq(test_node_wait(&node), 0);
	test_node_start(&node);
	test_node_await(&node, "guest", KERNEL_READY, 1);
}
END_TEST

START_TEST(lists_come_in_pages)
{
	struct core_list_request in = { .cell = "", .after_name = "" };
	struct core_cell_page page;
	char name[16], last[64] = "";
	unsigned n = 0, pages = 0;

	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "cell%d", i);
		test_node_cell(&node, name, "", "");
	}
	test_node_start(&node);
	do {
		in.after_name = last;
		ck_assert_int_eq(control_call(&node.client, "ListCells", &in, &page, NULL, &err), 0);
		ck_assert_uint_le(page.n_cells, 8);
		ck_assert_uint_gt(page.n_cells, 0);
		for (size_t i = 0; i < page.n_cells; i++) {
			ck_assert_int_lt(strcmp(last, page.cells[i].name), 0);
			snprintf(last, sizeof last, "%s", page.cells[i].name);
			n++;
		}
		pages++;
	} while (page.more);
	ck_assert_uint_eq(n, 50);
	ck_assert_uint_eq(pages, 7);
}
END_TEST

/* ---- strangers -------------------------------------------------------------------------------------------- */

static int stranger(struct control_client *client)
{
	char path[256];
	int fd;

	snprintf(path, sizeof path, "%s/core.sock", node.rundir);
	if (sock_connect(&fd, path, SOCK_SEQPACKET, 1000, &err) < 0)
		return err.code;
	control_client_attach(client, fd);
	return 0;
}

START_TEST(nothing_is_done_for_who_does_not_prove_himself)
{
	struct core_hello_request hello = { .version = 1, .program = "x", .as = "" };
	struct core_welcome welcome;
	struct core_node_status status;
	struct common_empty empty = { 0 };
	uint8_t mac[32] = { 1 };
	struct core_proof proof = { .n_mac = 32, .mac = mac };
	struct control_client client;

	test_node_start(&node);
	ck_assert_int_eq(stranger(&client), 0);
	expect_error(control_call(&client, "Status", &empty, &status, NULL, &err),
		     CELL_UNAUTHENTICATED, "Status before Hello");
	ck_assert_int_lt(control_call(&client, "Hello", &hello, &welcome, NULL, &err), 0);
	control_client_close(&client);

	ck_assert_int_eq(stranger(&client), 0);
	ck_assert_int_eq(control_call(&client, "Hello", &hello, &welcome, NULL, &err), 0);
	ck_assert_uint_eq(welcome.n_nonce, 32);
	expect_error(control_call(&client, "Authenticate", &proof, &welcome, NULL, &err),
		     CELL_UNAUTHENTICATED, "wrong proof");
	control_client_close(&client);

	ck_assert_int_eq(stranger(&client), 0);
	hello.version = 99;
	expect_error(control_call(&client, "Hello", &hello, &welcome, NULL, &err),
		     CELL_FAILED_PRECONDITION, "version 1");
	control_client_close(&client);
}
END_TEST

START_TEST(nonsense_costs_its_sender_the_connection_only)
{
	uint8_t bytes[5000];
	struct sock_packet packet;
	struct core_node_status status;
	struct common_empty empty = { 0 };
	unsigned seed = 7;

	test_node_start(&node);
	for (int i = 0; i < 300; i++) {
		struct iovec part = { bytes, (size_t)rand_r(&seed) % sizeof bytes + 1 };
		struct control_client client;

		for (size_t b = 0; b < sizeof bytes; b++)
			bytes[b] = (uint8_t)rand_r(&seed);
		ck_assert_int_eq(stranger(&client), 0);
		(void)sock_send(client.fd, &part, 1, &client.fd, 1, &err);
		while (sock_recv(client.fd, bytes, sizeof bytes, &packet, &err) == SOCK_WAIT)
			usleep(100);
		control_client_close(&client);
	}
	ck_assert_int_eq(control_call(&node.client, "Status", &empty, &status, NULL, &err), 0);
	ck_assert_uint_eq(status.clients, 1);
}
END_TEST

START_TEST(so_many_strangers_wait_at_the_door)
{
	struct control_client clients[40];
	struct core_node_status status;
	struct common_empty empty = { 0 };
	struct core_hello_request hello = { .version = 1, .program = "x", .as = "" };
	struct core_welcome welcome;

	test_node_start(&node);
	for (int i = 0; i < 40; i++)
		ck_assert_int_eq(stranger(&clients[i]), 0);
	do
		ck_assert_int_eq(control_call(&node.client, "Status", &empty, &status, NULL, &err), 0);
	while (status.clients < 33);
	ck_assert_uint_eq(status.clients, 33);
	/* One goes, the next may in; nobody waits longer than five seconds. */
	control_client_close(&clients[0]);
	ck_assert_int_eq(control_call(&clients[32], "Hello", &hello, &welcome, NULL, &err), 0);
	ck_assert_int_eq(control_call(&clients[39], "Hello", &hello, &welcome, NULL, &err), 0);
	for (int i = 1; i < 40; i++)
		control_client_close(&clients[i]);
}
END_TEST

START_TEST(who_does_not_read_is_not_read_from)
{
	struct common_empty empty = { 0 };
	struct core_node_status status;
	struct control_client client;
	uint64_t first, last = 0;
	unsigned n = 0;

	test_node_start(&node);
	ck_assert_int_eq(control_client_open(&client, node.rundir, &err), 0);
	first = client.next_id;
	/* As many as go: then cellcore has stopped reading, and we still have not. */
	for (;;) {
		const struct cell_method *method = control_method("Status");
		struct frame frame = { .kind = FRAME_REQUEST, .code = method->hash,
				       .call_id = client.next_id };
		uint8_t head[FRAME_HEADER_SIZE];
		struct iovec part = { head, sizeof head };
		int r, tries = 0;

		frame_encode(&frame, head);
		while ((r = sock_send(client.fd, &part, 1, NULL, 0, &err)) == SOCK_WAIT && tries++ < 50)
			usleep(1000);
		if (r != 0)
			break;
		last = client.next_id++;
		n++;
		ck_assert_uint_lt(n, 100000);
	}
	ck_assert_int_eq(control_call(&node.client, "Status", &empty, &status, NULL, &err), 0);
	/* Nothing is lost when it reads. */
	for (uint64_t id = first; id <= last; id++)
		ck_assert_msg(control_answer(&client, id, "Status", &status, NULL, &err) == 0, "%s",
			      err.text);
	control_client_close(&client);
}
END_TEST

/* ---- the whole node ------------------------------------------------------------------------------------------ */

/* An argument by which cells of this test, and of no other that may run, are found. */
static const char *marker(void)
{
	static char text[32];

	(void)snprintf(text, sizeof text, "marker-%d.", (int)getpid());
	return text;
}

static unsigned processes_named(const char *name)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	unsigned n = 0;

	while ((entry = readdir(proc))) {
		char path[300], line[600] = "";
		FILE *file;

		snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		for (size_t i = 0, len = fread(line, 1, sizeof line - 1, file); i < len; i++)
			if (!line[i])
				line[i] = ' ';
		fclose(file);
		n += strstr(line, name) != NULL;
	}
	closedir(proc);
	return n;
}

START_TEST(shutdown_leaves_nothing_behind)
{
	struct core_shutdown_request shutdown = { 0 };
	struct core_instance_info info;
	struct common_empty empty;
	char path[256], stubborn[64];
	DIR *dir;

	(void)snprintf(stubborn, sizeof stubborn, "stubborn %s", marker());
	test_node_cell(&node, "shop", marker(), "[uses]\nbank = app\n");
	test_node_cell(&node, "bank", marker(), "");
	test_node_cell(&node, "stuck", stubborn, "");
	test_node_start(&node);
	ck_assert_int_eq(spawn("shop", &info), 0);
	ck_assert_int_eq(spawn("bank", &info), 0);
	ck_assert_int_eq(spawn("stuck", &info), 0);
	ck_assert_uint_eq(processes_named(marker()), 3);
	shutdown.drain_ms = 200;
	ck_assert_int_eq(control_call(&node.client, "Shutdown", &shutdown, &empty, NULL, &err), 0);
	ck_assert_int_eq(test_node_wait(&node), 0);
	ck_assert_uint_eq(processes_named(marker()), 0);
	snprintf(path, sizeof path, "%s/core.sock", node.rundir);
	ck_assert_int_eq(access(path, F_OK), -1);
	snprintf(path, sizeof path, "%s/cells", node.rundir);
	dir = opendir(path);
	for (struct dirent *entry; (entry = readdir(dir));)
		ck_assert_int_eq(entry->d_name[0], '.');
	closedir(dir);
}
END_TEST

START_TEST(cells_die_with_cellcore)
{
	struct core_instance_info info;

	test_node_cell(&node, "greeter", marker(), "");
	test_node_start(&node);
	ck_assert_int_eq(spawn("greeter", &info), 0);
	kill(node.pid, SIGKILL);
	test_node_wait(&node);
	for (int i = 0; i < 100 && processes_named(marker()) > 0; i++)
		usleep(10000);
	ck_assert_uint_eq(processes_named(marker()), 0);
	/* What it left is in nobody's way. */
	control_client_close(&node.client);
	test_node_start(&node);
	close(connect_to("greeter"));
}
END_TEST

static int upgrade(const char *path, struct core_node_status *status)
{
	struct core_upgrade_request in = { .path = path };

	return control_call(&node.client, "Upgrade", &in, status, NULL, &err);
}

START_TEST(an_upgrade_in_place_is_noticed_by_nobody)
{
	struct core_watch_request watch = { .cell = "greeter" };
	struct core_connect_request slow = { .cell = "slow" };
	struct core_instance_info info;
	struct core_node_status status;
	struct core_connection connection;
	struct common_empty empty;
	struct sock_packet packet;
	uint64_t waiting;
	unsigned fds;
	int life, parked, events = 0;
	struct control_packet *event;

	node.is_sandboxed = false;
	test_node_conf(&node, "[quota owner]\nconnections = 4\n");
	test_node_cell(&node, "greeter", "", "");
	test_node_cell(&node, "slow", "slow-ready 1500", "max-instances = 1\n");
	test_node_start(&node);
	life = connect_to("greeter");
	ck_assert_int_eq(control_call(&node.client, "Watch", &watch, &empty, NULL, &err), 0);
	ck_assert_int_eq(control_send(&node.client, "Connect", &slow, &waiting, &err), 0);
	parked = stream_to("slow");
	test_node_await(&node, "slow", KERNEL_STARTING, 1);
	fds = test_count_fds(node.pid);

	for (uint32_t generation = 1; generation <= 3; generation++) {
		ck_assert_msg(upgrade("", &status) == 0, "%s", err.text);
		ck_assert_uint_eq(status.generation, generation);
		ck_assert_uint_eq(status.pid, (uint32_t)node.pid);
		ck_assert_uint_eq(status.instances, 2);
	}
	expect_fds(fds + 1); /* the parked one may not have been accepted before */
	/* What was there goes on; what waited is answered. */
	ck_assert_msg(strncmp(test_tell(life, "who"), "greeter/1 ", 10) == 0, "who?");
	ck_assert_msg(control_answer(&node.client, waiting, "Connect", &connection, &packet, &err) == 0,
		      "%s", err.text);
	ck_assert_uint_eq(packet.n_fds, 4);
	ck_assert_msg(strncmp(test_tell(parked, "who"), "slow/2 ", 7) == 0, "who?");
	/* It is still supervised, watched, and counted. */
	close(connect_to("greeter"));
	test_tell(life, "crash");
	close(life);
	ck_assert_uint_eq(test_node_await_next(&node, "greeter", 1), 3);
	while ((event = control_next(&node.client, 100))) {
		events++;
		free(event);
	}
	ck_assert_int_ge(events, 4);
	close(parked);
	sock_packet_close(&packet);
	for (int i = 0; i < 20; i++) {
		while (test_node_connect(&node, "greeter", &life, &err) == CELL_RESOURCE_EXHAUSTED)
			usleep(1000);
		close(life);
	}
	ck_assert_int_eq(spawn("greeter", &info), 0);
	ck_assert_uint_eq(info.instance, 4);
}
END_TEST

START_TEST(an_upgrade_to_something_else_changes_nothing)
{
	struct core_node_status status;
	char path[256];
	FILE *file;
	int life;

	test_node_cell(&node, "greeter", "", "");
	test_node_start(&node);
	life = connect_to("greeter");
	snprintf(path, sizeof path, "%s/broken", node.folder);
	file = fopen(path, "we");
	fputs("this is no program\n", file);
	fclose(file);
	ck_assert_int_eq(chmod(path, 0755), 0);
	expect_error(upgrade(path, &status), CELL_FAILED_PRECONDITION, "cannot take over");
	expect_error(upgrade("/bin/true", &status), CELL_FAILED_PRECONDITION, "cannot take over");
	expect_error(upgrade("/nonexistent", &status), CELL_NOT_FOUND, "no program");
	expect_error(upgrade("cellcore", &status), CELL_INVALID_ARGUMENT, "no absolute path");
	ck_assert_msg(strncmp(test_tell(life, "who"), "greeter/1 ", 10) == 0, "who?");
	close(life);
}
END_TEST

START_TEST(two_cellcores_do_not_share_a_run_directory)
{
	pid_t pid;
	int status;

	test_node_start(&node);
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null, 2);
		execlp("cellcore", "cellcore", "--rundir", node.rundir, NULL);
		_exit(126);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WEXITSTATUS(status), 7);
}
END_TEST

START_TEST(two_nodes_of_one_name_leave_each_other_alone)
{
	struct test_node other;
	int life;

	test_node_init(&other);
	test_node_conf(&node, "name = twin\n");
	test_node_conf(&other, "name = twin\n");
	test_node_cell(&node, "greeter", "", "");
	test_node_start(&node);
	life = connect_to("greeter");
	/* It clears what an earlier cellcore left, and that is none of the first one's. */
	test_node_start(&other);
	ck_assert_str_eq(test_tell(life, "hello"), "hello");
	test_node_deinit(&other);
	ck_assert_str_eq(test_tell(life, "hello"), "hello");
	close(life);
}
END_TEST

START_TEST(in_a_sandbox_it_is_the_same)
{
	char who[128];
	int life;

	node.is_sandboxed = true;
	test_node_cell(&node, "greeter", "", "");
	test_node_start(&node);
	if (test_node_connect(&node, "greeter", &life, &err) < 0)
		return; /* this machine forbids namespaces: cell-sandbox's own tests say so */
	snprintf(who, sizeof who, "%s", test_tell(life, "who"));
	ck_assert_str_eq(who, "greeter/1 1");
	test_tell(life, "crash");
	close(life);
	ck_assert_uint_eq(test_node_await_next(&node, "greeter", 1), 2);
	ck_assert_int_eq(retire("greeter", 0, 0), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("node");
	TCase *tc = tcase_create("node");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_connection_reaches_a_cell_that_was_not_running);
	tcase_add_test(tc, connections_are_forgotten_when_they_close);
	tcase_add_test(tc, a_quota_holds_until_something_is_given_back);
	tcase_add_test(tc, a_cell_reaches_only_what_it_uses);
	tcase_add_test(tc, a_lifeline_ends_with_its_server);
	tcase_add_test(tc, the_reason_of_a_failed_start_is_told);
	tcase_add_test(tc, a_manifest_that_is_wrong_says_where);
	tcase_add_test(tc, a_crash_is_restarted_and_its_reason_kept);
	tcase_add_test(tc, retire_drains_and_kills_the_stubborn);
	tcase_add_test(tc, watchers_see_births_and_deaths);
	tcase_add_test(tc, a_watch_begins_with_what_exists);
	tcase_add_test(tc, a_stream_socket_starts_its_cell);
	tcase_add_test(tc, other_users_reach_only_what_serves_them);
	tcase_add_test(tc, a_refused_stream_says_why);
	tcase_add_test(tc, the_resolver_is_asked_and_the_gateway_introduced);
	tcase_add_test(tc, spawn_rights_come_from_the_configuration);
	tcase_add_test(tc, stderr_goes_to_the_log_cell_or_to_a_file);
	tcase_add_test(tc, load_makes_a_manifest_known_and_it_stays_so);
	tcase_add_test(tc, lists_come_in_pages);
	tcase_add_test(tc, nothing_is_done_for_who_does_not_prove_himself);
	tcase_add_test(tc, nonsense_costs_its_sender_the_connection_only);
	tcase_add_test(tc, so_many_strangers_wait_at_the_door);
	tcase_add_test(tc, who_does_not_read_is_not_read_from);
	tcase_add_test(tc, shutdown_leaves_nothing_behind);
	tcase_add_test(tc, cells_die_with_cellcore);
	tcase_add_test(tc, an_upgrade_in_place_is_noticed_by_nobody);
	tcase_add_test(tc, an_upgrade_to_something_else_changes_nothing);
	tcase_add_test(tc, two_cellcores_do_not_share_a_run_directory);
	tcase_add_test(tc, two_nodes_of_one_name_leave_each_other_alone);
	tcase_add_test(tc, in_a_sandbox_it_is_the_same);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
