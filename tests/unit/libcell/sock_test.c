#include "libcell/sock.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static struct cell_error err;

static void setup(void)
{
	strcpy(folder, "/tmp/sock_test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static struct iovec part(const char *text)
{
	return (struct iovec){ .iov_base = (void *)text, .iov_len = strlen(text) };
}

START_TEST(carries_a_packet_with_descriptors)
{
	struct iovec parts[2] = { part("head"), part("body") };
	struct sock_packet packet;
	int ends[2], pipe_fds[2];
	char bytes[64];

	ck_assert_int_eq(sock_pair(ends, SOCK_SEQPACKET, &err), 0);
	ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	ck_assert_int_eq(sock_recv(ends[1], bytes, sizeof bytes, &packet, &err), SOCK_WAIT);
	ck_assert_int_eq(sock_send(ends[0], parts, 2, pipe_fds, 2, &err), 0);
	ck_assert_int_eq(sock_recv(ends[1], bytes, sizeof bytes, &packet, &err), 0);
	ck_assert_uint_eq(packet.len, 8);
	ck_assert_mem_eq(bytes, "headbody", 8);
	ck_assert_uint_eq(packet.n_fds, 2);
	ck_assert(!packet.has_creds);
	ck_assert_int_eq(fcntl(packet.fds[0], F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(write(packet.fds[1], "x", 1), 1);
	ck_assert_int_eq(read(pipe_fds[0], bytes, 1), 1);
	sock_packet_close(&packet);
	for (int i = 0; i < 2; i++) {
		close(ends[i]);
		close(pipe_fds[i]);
	}
}
END_TEST

START_TEST(names_the_sender_when_asked)
{
	struct iovec one = part("x");
	struct sock_packet packet;
	struct sock_creds creds;
	int ends[2];
	char bytes[8];

	ck_assert_int_eq(sock_pair(ends, SOCK_SEQPACKET, &err), 0);
	ck_assert_int_eq(sock_pass_creds(ends[1], &err), 0);
	ck_assert_int_eq(sock_send(ends[0], &one, 1, NULL, 0, &err), 0);
	ck_assert_int_eq(sock_recv(ends[1], bytes, sizeof bytes, &packet, &err), 0);
	ck_assert(packet.has_creds);
	ck_assert_int_eq(packet.creds.pid, getpid());
	ck_assert_uint_eq(packet.creds.uid, getuid());
	ck_assert_int_eq(sock_peer(ends[0], &creds, &err), 0);
	ck_assert_int_eq(creds.pid, getpid());
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(refuses_a_long_packet_and_leaks_nothing)
{
	struct iovec one = part("0123456789");
	struct sock_packet packet;
	int ends[2], before;
	char bytes[8];

	ck_assert_int_eq(sock_pair(ends, SOCK_SEQPACKET, &err), 0);
	before = count_fds();
	ck_assert_int_eq(sock_send(ends[0], &one, 1, ends, 2, &err), 0);
	ck_assert_int_eq(sock_recv(ends[1], bytes, sizeof bytes, &packet, &err), -EMSGSIZE);
	ck_assert_uint_eq(packet.n_fds, 0);
	ck_assert_int_eq(count_fds(), before);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* More than our own sender would put in, so written by hand. */
static void send_fds(int fd, int n)
{
	union {
		char bytes[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec one = part("x");
	struct msghdr message = { .msg_iov = &one,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int)) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fds[16];

	for (int i = 0; i < n; i++)
		fds[i] = fd;
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(header), fds, (size_t)n * sizeof(int));
	ck_assert_int_eq(sendmsg(fd, &message, 0), 1);
}

START_TEST(refuses_too_many_descriptors_and_leaks_none)
{
	struct sock_packet packet;
	int ends[2], before;
	char bytes[8];

	ck_assert_int_eq(sock_pair(ends, SOCK_SEQPACKET, &err), 0);
	before = count_fds();
	for (int n = SOCK_FDS_MAX + 1; n <= 16; n++) {
		send_fds(ends[0], n);
		ck_assert_int_eq(sock_recv(ends[1], bytes, sizeof bytes, &packet, &err), -EPROTO);
		ck_assert_int_eq(count_fds(), before);
	}
	/* The same with credentials in the way. */
	ck_assert_int_eq(sock_pass_creds(ends[1], &err), 0);
	send_fds(ends[0], SOCK_FDS_MAX);
	ck_assert_int_eq(sock_recv(ends[1], bytes, sizeof bytes, &packet, &err), 0);
	ck_assert_uint_eq(packet.n_fds, SOCK_FDS_MAX);
	ck_assert(packet.has_creds);
	sock_packet_close(&packet);
	send_fds(ends[0], SOCK_FDS_MAX + 1);
	ck_assert_int_eq(sock_recv(ends[1], bytes, sizeof bytes, &packet, &err), -EPROTO);
	ck_assert_int_eq(count_fds(), before);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(tells_the_end_and_a_full_queue)
{
	char bytes[4096] = { 0 };
	struct iovec one = { bytes, sizeof bytes };
	struct sock_packet packet;
	int ends[2], r;

	ck_assert_int_eq(sock_pair(ends, SOCK_SEQPACKET, &err), 0);
	do {
		r = sock_send(ends[0], &one, 1, NULL, 0, &err);
	} while (r == 0);
	ck_assert_int_eq(r, SOCK_WAIT);
	close(ends[0]);
	do {
		r = sock_recv(ends[1], bytes, sizeof bytes, &packet, &err);
	} while (r == 0);
	ck_assert_int_eq(r, SOCK_END);
	ck_assert_int_eq(sock_send(ends[1], &one, 1, NULL, 0, &err), -EPIPE);
	close(ends[1]);
}
END_TEST

static void check_listening_at(const char *path, int type)
{
	int listener, client, server;
	struct stat st;

	ck_assert_msg(sock_listen(&listener, path, type, 0600, 8, &err) == 0, "%s", err.text);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(sock_accept(&server, listener, &err), SOCK_WAIT);
	ck_assert_int_eq(sock_connect(&client, path, type, 100, &err), 0);
	ck_assert(fcntl(client, F_GETFL) & O_NONBLOCK);
	ck_assert_int_eq(sock_accept(&server, listener, &err), 0);
	close(client);
	close(server);
	close(listener);
}

START_TEST(listens_and_connects)
{
	char path[128];

	snprintf(path, sizeof path, "%s/s", folder);
	check_listening_at(path, SOCK_SEQPACKET);
	/* Its file is still there, stale: it is replaced. */
	check_listening_at(path, SOCK_STREAM);
}
END_TEST

START_TEST(a_path_longer_than_an_address_works)
{
	char path[512];
	int n = snprintf(path, sizeof path, "%s", folder);

	for (int i = 0; i < 4; i++) {
		n += snprintf(path + n, sizeof path - (size_t)n, "/a-folder-with-a-rather-long-name-%d",
			      i);
		ck_assert_int_eq(mkdir(path, 0700), 0);
	}
	snprintf(path + n, sizeof path - (size_t)n, "/core.sock");
	check_listening_at(path, SOCK_SEQPACKET);
}
END_TEST

START_TEST(a_name_longer_than_an_address_is_refused)
{
	char path[512];
	int n = snprintf(path, sizeof path, "%s/", folder);
	int fd, before = count_fds();

	memset(path + n, 'x', 120);
	path[n + 120] = 0;
	ck_assert_int_eq(sock_listen(&fd, path, SOCK_STREAM, 0600, 8, &err), -ENAMETOOLONG);
	ck_assert_ptr_nonnull(strstr(err.text, "too long"));
	ck_assert_int_eq(sock_connect(&fd, path, SOCK_STREAM, 0, &err), -ENAMETOOLONG);
	ck_assert_int_eq(count_fds(), before);
}
END_TEST

START_TEST(replaces_neither_a_live_socket_nor_a_file)
{
	int listener, other, file;
	char path[128];

	snprintf(path, sizeof path, "%s/s", folder);
	ck_assert_int_eq(sock_listen(&listener, path, SOCK_SEQPACKET, 0600, 8, &err), 0);
	ck_assert_int_eq(sock_listen(&other, path, SOCK_SEQPACKET, 0600, 8, &err), -EADDRINUSE);
	close(listener);
	ck_assert_int_eq(unlink(path), 0);
	file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(file, 0);
	close(file);
	ck_assert_int_eq(sock_listen(&other, path, SOCK_SEQPACKET, 0600, 8, &err), -EEXIST);
	ck_assert_int_eq(sock_connect(&other, path, SOCK_SEQPACKET, 0, &err), -ECONNREFUSED);
}
END_TEST

START_TEST(a_full_backlog_waits_only_as_long_as_asked)
{
	int listener, clients[8], n = 0, r = 0;
	char path[128];

	snprintf(path, sizeof path, "%s/s", folder);
	ck_assert_int_eq(sock_listen(&listener, path, SOCK_SEQPACKET, 0600, 1, &err), 0);
	while (n < 8 && (r = sock_connect(&clients[n], path, SOCK_SEQPACKET, 0, &err)) == 0)
		n++;
	ck_assert_int_eq(r, -EAGAIN);
	ck_assert_int_eq(sock_connect(&clients[n], path, SOCK_SEQPACKET, 20, &err), -EAGAIN);
	while (n > 0)
		close(clients[--n]);
	close(listener);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sock");
	TCase *tc = tcase_create("sock");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, carries_a_packet_with_descriptors);
	tcase_add_test(tc, names_the_sender_when_asked);
	tcase_add_test(tc, refuses_a_long_packet_and_leaks_nothing);
	tcase_add_test(tc, refuses_too_many_descriptors_and_leaks_none);
	tcase_add_test(tc, tells_the_end_and_a_full_queue);
	tcase_add_test(tc, listens_and_connects);
	tcase_add_test(tc, a_path_longer_than_an_address_works);
	tcase_add_test(tc, a_name_longer_than_an_address_is_refused);
	tcase_add_test(tc, replaces_neither_a_live_socket_nor_a_file);
	tcase_add_test(tc, a_full_backlog_waits_only_as_long_as_asked);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
