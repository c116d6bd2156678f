/*
 * Which payload descriptors a receiver takes, from a peer that makes them by hand.
 */
#include "duo.h"
#include "trial.h"

#include "libcell/frame.h"
#include "libcell/ring.h"
#include "libcell/sock.h"

#include <cell/bytes.h>
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 65536u
#define ALL_SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

static struct duo_raw raw;
static struct ring ring;

static void put_frame(struct frame *frame, const uint8_t *body)
{
	bool broken;
	uint8_t *at = ring_reserve(&ring, frame->length, &broken);

	ck_assert_ptr_nonnull(at);
	frame_encode(frame, at);
	if (frame->length)
		memcpy(at + FRAME_HEADER_SIZE, body, frame->length);
	ring_commit(&ring, frame->length);
	if (ring_publish(&ring))
		ck_assert_int_eq(write(raw.peer_bell, &(uint64_t){ 1 }, 8), 8);
}

static void setup(void)
{
	uint8_t hello[FRAME_HELLO_SIZE];
	struct cell_error err;

	(void)setenv("CELL_LOG", "err", 1);
	duo_start_raw(&raw, DUO_RING);
	ck_assert_int_eq(ring_map(&ring, raw.memfd, 0, &err), 0);
	frame_hello_encode(&(struct frame_hello){ .version = FRAME_VERSION, .message_max = 1 << 20,
						  .calls_max = 16, .window = 1 << 16,
						  .payload_max = 1 << 30 }, hello);
	put_frame(&(struct frame){ .kind = FRAME_HELLO, .length = sizeof hello,
				   .total = sizeof hello }, hello);
}

static void teardown(void)
{
	int status;

	ring_unmap(&ring);
	status = duo_stop_raw(&raw);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "server ended with %#x", status);
}

static uint32_t digest_hash(void)
{
	for (size_t i = 0; i < trial_service.n_methods; i++)
		if (strcmp(trial_service.methods[i].name, "Digest") == 0)
			return trial_service.methods[i].hash;
	ck_abort_msg("no method Digest");
	return 0;
}

/* SIZE bytes that are a Blob: one field of bytes, all of them. */
static int memfd_new(void)
{
	static const uint8_t prefix[4] = { 0x0a, 0xfc, 0xff, 0x03 }; /* 65532 bytes follow */
	int fd = memfd_create("payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fallocate(fd, 0, 0, SIZE), 0);
	ck_assert_int_eq(pwrite(fd, prefix, sizeof prefix, 0), sizeof prefix);
	return fd;
}

static void seal(int fd, int seals)
{
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
}

static void note(uint64_t call_id, uint64_t size, int fd)
{
	uint8_t bytes[16];
	struct iovec part = { .iov_base = bytes, .iov_len = sizeof bytes };
	struct cell_error err;

	cell_store_u64(bytes, call_id);
	cell_store_u64(bytes + 8, size);
	ck_assert_int_eq(sock_send(raw.lifeline, &part, 1, &fd, fd >= 0, &err), 0);
}

static void request(uint64_t call_id)
{
	put_frame(&(struct frame){ .kind = FRAME_REQUEST, .flags = FRAME_FLAG_MEMFD,
				   .call_id = call_id, .code = digest_hash(),
				   .timeout_ns = 10000000000ull }, NULL);
}

/* The kind of the next frame that is no hello, or 0 if the server hung up. */
static int answer(void)
{
	for (;;) {
		struct pollfd at[2] = { { .fd = raw.bell, .events = POLLIN },
					{ .fd = raw.lifeline, .events = POLLIN } };
		struct cell_error err;
		struct frame frame;
		const uint8_t *body;
		uint64_t count;

		while (ring_peek(&ring, &frame, &body, &err) == 0) {
			ring_consume(&ring, &frame);
			if (frame.kind != FRAME_HELLO)
				return frame.kind;
		}
		(void)ring_release(&ring);
		if (!ring_sleep(&ring, false))
			continue;
		ck_assert_msg(poll(at, 2, 5000) > 0, "the server neither answers nor hangs up");
		(void)!read(raw.bell, &count, sizeof count);
		/* Its last words, if there are any, come before its end. */
		if (at[1].revents & (POLLIN | POLLHUP) && !ring_is_ready(&ring))
			return 0;
	}
}

static void must_be_refused(int fd, uint64_t size)
{
	note(1, size, fd);
	close(fd);
	request(1);
	ck_assert_int_eq(answer(), 0);
}

START_TEST(sealed_payload_is_taken)
{
	int fd = memfd_new();

	seal(fd, ALL_SEALS);
	note(1, SIZE, fd);
	close(fd);
	request(1);
	ck_assert_int_eq(answer(), FRAME_REPLY);
}
END_TEST

START_TEST(unsealed_payload_is_refused)
{
	must_be_refused(memfd_new(), SIZE);
}
END_TEST

START_TEST(payload_that_lacks_any_seal_is_refused)
{
	static const int seals[] = { F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL };
	int fd = memfd_new();

	seal(fd, ALL_SEALS & ~seals[_i]);
	must_be_refused(fd, SIZE);
}
END_TEST

START_TEST(future_write_seal_is_not_enough)
{
	int fd = memfd_new();
	char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	ck_assert(map != MAP_FAILED);
	seal(fd, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	map[100] = 1; /* it still writes */
	must_be_refused(fd, SIZE);
	(void)munmap(map, SIZE);
}
END_TEST

START_TEST(sparse_payload_is_refused)
{
	int fd = memfd_create("payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 512 << 20), 0);
	ck_assert_int_eq(pwrite(fd, "\x12", 1, 0), 1);
	seal(fd, ALL_SEALS);
	must_be_refused(fd, 512 << 20);
}
END_TEST

START_TEST(payload_of_another_size_is_refused)
{
	static const uint64_t said[] = { 0, 1, SIZE - 1, SIZE + 1, 2 * SIZE, UINT64_MAX };
	int fd = memfd_new();

	seal(fd, ALL_SEALS);
	must_be_refused(fd, said[_i]);
}
END_TEST

START_TEST(what_is_no_memfd_is_refused)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	close(ends[1]);
	must_be_refused(ends[0], SIZE);
}
END_TEST

START_TEST(frame_without_its_payload_is_refused)
{
	request(1);
	ck_assert_int_eq(answer(), 0);
}
END_TEST

START_TEST(note_without_a_descriptor_is_refused)
{
	note(1, SIZE, -1);
	ck_assert_int_eq(answer(), 0);
}
END_TEST

START_TEST(so_many_payloads_may_wait_for_their_frames)
{
	for (int i = 0; i < 9; i++) {
		int fd = memfd_new();

		seal(fd, ALL_SEALS);
		note((uint64_t)i + 1, SIZE, fd);
		close(fd);
	}
	ck_assert_int_eq(answer(), 0);
}
END_TEST

/* Sealed and of the right size, but no message: that is the caller's error, and no breach. */
START_TEST(payload_that_is_no_message_costs_the_call_only)
{
	int fd = memfd_new();

	ck_assert_int_eq(pwrite(fd, "\xff\xff\xff\xff", 4, 0), 4);
	seal(fd, ALL_SEALS);
	note(1, SIZE, fd);
	close(fd);
	request(1);
	ck_assert_int_eq(answer(), FRAME_ERROR);
	fd = memfd_new();
	seal(fd, ALL_SEALS);
	note(2, SIZE, fd);
	close(fd);
	request(2);
	ck_assert_int_eq(answer(), FRAME_REPLY);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("payload");
	TCase *tc = tcase_create("received");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, sealed_payload_is_taken);
	tcase_add_test(tc, unsealed_payload_is_refused);
	tcase_add_loop_test(tc, payload_that_lacks_any_seal_is_refused, 0, 4);
	tcase_add_test(tc, future_write_seal_is_not_enough);
	tcase_add_test(tc, sparse_payload_is_refused);
	tcase_add_loop_test(tc, payload_of_another_size_is_refused, 0, 6);
	tcase_add_test(tc, what_is_no_memfd_is_refused);
	tcase_add_test(tc, frame_without_its_payload_is_refused);
	tcase_add_test(tc, note_without_a_descriptor_is_refused);
	tcase_add_test(tc, so_many_payloads_may_wait_for_their_frames);
	tcase_add_test(tc, payload_that_is_no_message_costs_the_call_only);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
