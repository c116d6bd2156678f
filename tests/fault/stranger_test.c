/*
 * Whoever finds a socket of the node: sends garbage, half of something, or nothing at all.
 * It loses its own connection; the node and its cells serve on.
 */
#include "scene.h"

#include "libcell/frame.h"
#include "libcell/sock.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MS 1000000ull

static struct scene scene;

static void setup(void)
{
	scene_init(&scene);
	scene_cell(&scene, "trial", "trial", "");
	scene_start(&scene);
	scene_join(&scene);
}

/* All that came and went left the node as it was. */
static void teardown(void)
{
	struct trial_blob blob;
	uint64_t until = scene_now_ns() + SCENE_PATIENCE_MS * MS;
	uint32_t n;

	ck_assert_msg(trial_once(scene.call, &(struct trial_blob){ 0 }, &blob) == 0, "%s",
		      cell_error(scene.call)->text);
	do
		n = scene_stats(&scene, "trial")->connections;
	while (n != 1 && scene_now_ns() < until);
	ck_assert_uint_eq(n, 1);
	scene_deinit(&scene);
}

/* A connection to SOCKET in the run directory. */
static int stranger(const char *socket_name, int type)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	snprintf(at.sun_path, sizeof at.sun_path, "%s/%s", scene.node.rundir, socket_name);
	ck_assert_msg(connect(fd, (struct sockaddr *)&at, sizeof at) == 0, "%s: %s", at.sun_path,
		      strerror(errno));
	return fd;
}

static int stream_stranger(void)
{
	return stranger("cells/trial.sock", SOCK_STREAM);
}

/* The other side hangs up; returns after how many ms. */
static unsigned must_hang_up(int fd)
{
	uint64_t began = scene_now_ns();
	char bytes[8192];
	ssize_t n;

	do {
		struct pollfd at = { .fd = fd, .events = POLLIN };

		ck_assert_msg(poll(&at, 1, SCENE_PATIENCE_MS) == 1, "nobody hangs up");
		n = read(fd, bytes, sizeof bytes);
	} while (n > 0);
	close(fd);
	return (unsigned)((scene_now_ns() - began) / MS);
}

static void hello_put(uint8_t out[static FRAME_HEADER_SIZE + FRAME_HELLO_SIZE])
{
	frame_encode(&(struct frame){ .kind = FRAME_HELLO, .length = FRAME_HELLO_SIZE,
				      .total = FRAME_HELLO_SIZE }, out);
	frame_hello_encode(&(struct frame_hello){ .version = FRAME_VERSION, .message_max = 1 << 20,
						  .calls_max = 1024, .window = 1 << 16 },
			   out + FRAME_HEADER_SIZE);
}

static void bytes_put(uint8_t *bytes, size_t len)
{
	uint64_t state = 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < len; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (uint8_t)(state >> 56);
	}
}

START_TEST(silence_is_ended_by_a_timeout)
{
	int fds[] = { stranger("core.sock", SOCK_SEQPACKET), stream_stranger(), stream_stranger() };
	struct trial_blob blob;

	/* Half a hello is none. */
	ck_assert_int_eq(write(fds[2], "\x1e\0\0\0\0\1", 6), 6);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(trial_once(scene.call, &(struct trial_blob){ 0 }, &blob), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_le(must_hang_up(fds[i]), 7000);
}
END_TEST

START_TEST(garbage_on_every_socket)
{
	uint8_t bytes[4096], hello[FRAME_HEADER_SIZE + FRAME_HELLO_SIZE];

	hello_put(hello);
	bytes_put(bytes, sizeof bytes);
	for (size_t len = 1; len <= sizeof bytes; len = len * 2 + 31) {
		int fd = stranger("core.sock", SOCK_SEQPACKET);

		ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), len);
		ck_assert_uint_le(must_hang_up(fd), 2000);
		fd = stream_stranger();
		ck_assert_int_eq(send(fd, bytes, sizeof bytes, MSG_NOSIGNAL), sizeof bytes);
		ck_assert_uint_le(must_hang_up(fd), 2000);
		fd = stream_stranger();
		ck_assert_int_eq(send(fd, hello, sizeof hello, MSG_NOSIGNAL), sizeof hello);
		ck_assert_int_eq(send(fd, bytes, sizeof bytes, MSG_NOSIGNAL), sizeof bytes);
		ck_assert_uint_le(must_hang_up(fd), 2000);
	}
}
END_TEST

START_TEST(length_of_4_gib_on_every_socket)
{
	uint8_t bytes[2 * FRAME_HEADER_SIZE + FRAME_HELLO_SIZE];
	int fd;

	hello_put(bytes);
	frame_encode(&(struct frame){ .kind = FRAME_REQUEST, .call_id = 1, .timeout_ns = 1000 },
		     bytes + FRAME_HEADER_SIZE + FRAME_HELLO_SIZE);
	memset(bytes + FRAME_HEADER_SIZE + FRAME_HELLO_SIZE, 0xff, 4);
	fd = stream_stranger();
	ck_assert_int_eq(send(fd, bytes, sizeof bytes, MSG_NOSIGNAL), sizeof bytes);
	ck_assert_uint_le(must_hang_up(fd), 2000);
	fd = stranger("core.sock", SOCK_SEQPACKET);
	ck_assert_int_eq(send(fd, bytes + FRAME_HEADER_SIZE + FRAME_HELLO_SIZE, FRAME_HEADER_SIZE,
			      MSG_NOSIGNAL), FRAME_HEADER_SIZE);
	ck_assert_uint_le(must_hang_up(fd), 2000);
}
END_TEST

START_TEST(half_frames_and_the_end)
{
	uint8_t bytes[2 * FRAME_HEADER_SIZE + FRAME_HELLO_SIZE];

	hello_put(bytes);
	frame_encode(&(struct frame){ .kind = FRAME_REQUEST, .call_id = 1, .timeout_ns = 1000,
				      .length = 5000, .total = 5000 },
		     bytes + FRAME_HEADER_SIZE + FRAME_HELLO_SIZE);
	for (size_t len = 0; len <= sizeof bytes; len += 5) {
		int fd = stream_stranger();

		if (len)
			ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), len);
		if (len % 2) {
			close(fd);
			continue;
		}
		ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
		ck_assert_uint_le(must_hang_up(fd), 2000);
	}
}
END_TEST

/* Thousands of requests, and not one answer read: nothing is held for ever. */
START_TEST(stream_that_reads_nothing_is_choked)
{
	enum { N = 2000 };
	uint8_t hello[FRAME_HEADER_SIZE + FRAME_HELLO_SIZE], body[16];
	const struct cell_method *fill = NULL;
	struct trial_blob blob;
	int fd = stream_stranger();
	uint64_t cpu;
	pid_t pid;

	for (size_t i = 0; i < trial_service.n_methods; i++)
		if (strcmp(trial_service.methods[i].name, "Fill") == 0)
			fill = &trial_service.methods[i];
	hello_put(hello);
	ck_assert_int_eq(send(fd, hello, sizeof hello, MSG_NOSIGNAL), sizeof hello);
	for (uint64_t i = 1; i <= N; i++) {
		struct trial_many_request request = { .size = 300000 };
		size_t len = (size_t)(fill->in->encode(&request, body) - body);
		uint8_t frame[FRAME_HEADER_SIZE + sizeof body];

		frame_encode(&(struct frame){ .kind = FRAME_REQUEST, .call_id = i, .code = fill->hash,
					      .timeout_ns = 30000 * MS, .length = (uint32_t)len,
					      .total = (uint32_t)len }, frame);
		memcpy(frame + FRAME_HEADER_SIZE, body, len);
		if (send(fd, frame, FRAME_HEADER_SIZE + len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
	}
	ck_assert_int_eq(trial_once(scene.call, &(struct trial_blob){ 0 }, &blob), 0);
	pid = (pid_t)scene_instance(&scene, "trial").pid;
	/* It has stopped reading, and waits for that without polling. */
	ck_assert_int_eq(cell_sleep_ms(scene.call, 300), 0);
	if (!SCENE_KEEPS_FREED)
		ck_assert_uint_le(scene_memory(pid), 80u << 20);
	cpu = scene_cpu_ns(pid);
	ck_assert_int_eq(cell_sleep_ms(scene.call, 300), 0);
	ck_assert_uint_lt(scene_cpu_ns(pid) - cpu, 20 * MS);
	close(fd);
}
END_TEST

/* More strangers than one user may have connections; who is connected already notices nothing. */
START_TEST(a_crowd_at_the_door_is_refused)
{
	enum { N = 600 };
	int fds[N];
	uint8_t hello[FRAME_HEADER_SIZE + FRAME_HELLO_SIZE];
	struct trial_blob blob;
	unsigned refused = 0;

	hello_put(hello);
	ck_assert_int_eq(trial_once(scene.call, &(struct trial_blob){ 0 }, &blob), 0);
	for (int i = 0; i < N; i++) {
		fds[i] = stream_stranger();
		(void)send(fds[i], hello, sizeof hello, MSG_NOSIGNAL);
	}
	ck_assert_msg(trial_once(scene.call, &(struct trial_blob){ 0 }, &blob) == 0, "%s",
		      cell_error(scene.call)->text);
	/* The last first: by its refusal all are decided. */
	for (int i = N - 1; i >= 0; i--) {
		char bytes[256];
		struct pollfd at = { .fd = fds[i], .events = POLLIN };

		while (poll(&at, 1, refused ? 0 : 100) == 1 && at.revents) {
			if (read(fds[i], bytes, sizeof bytes) <= 0) {
				refused++;
				break;
			}
		}
	}
	ck_assert_uint_ge(refused, N - 256);
	printf("%u of %d strangers refused\n", refused, N);
	for (int i = 0; i < N; i++)
		close(fds[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stranger");
	TCase *tc = tcase_create("sockets");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, silence_is_ended_by_a_timeout);
	tcase_add_test(tc, garbage_on_every_socket);
	tcase_add_test(tc, length_of_4_gib_on_every_socket);
	tcase_add_test(tc, half_frames_and_the_end);
	tcase_add_test(tc, stream_that_reads_nothing_is_choked);
	tcase_add_test(tc, a_crowd_at_the_door_is_refused);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
