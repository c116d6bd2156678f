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
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

static const struct cell_method *method(const char *name)
{
	for (size_t i = 0; i < trial_service.n_methods; i++)
		if (strcmp(trial_service.methods[i].name, name) == 0)
			return &trial_service.methods[i];
	ck_abort_msg("no method %s", name);
	return NULL;
}

static uint32_t digest_hash(void)
{
	return method("Digest")->hash;
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

/* A payload in frames is the stream's way. */
START_TEST(payload_in_frames_is_refused_on_a_ring)
{
	static const uint8_t bytes[64];
	int fd = memfd_new();

	seal(fd, ALL_SEALS);
	note(1, SIZE, fd);
	close(fd);
	put_frame(&(struct frame){ .kind = FRAME_REQUEST, .call_id = 1, .code = digest_hash(),
				   .flags = FRAME_FLAG_MEMFD | (_i ? FRAME_FLAG_MORE : 0),
				   .length = sizeof bytes, .total = _i ? SIZE : sizeof bytes }, bytes);
	ck_assert_int_eq(answer(), 0);
}
END_TEST

/* --- in frames, on a stream ---------------------------------------------------------- */

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

static void say(const struct frame *frame, const void *body)
{
	uint8_t bytes[FRAME_HEADER_SIZE + FRAME_BODY_MAX];
	size_t len = FRAME_HEADER_SIZE + frame->length;

	frame_encode(frame, bytes);
	if (frame->length)
		memcpy(bytes + FRAME_HEADER_SIZE, body, frame->length);
	for (size_t done = 0; done < len;) {
		struct pollfd at = { .fd = raw.stream, .events = POLLOUT };
		ssize_t n = send(raw.stream, bytes + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			ck_assert_int_eq(poll(&at, 1, 5000), 1);
		else if (n < 0)
			return; /* it hung up: hear() will say so */
		else
			done += (size_t)n;
	}
}

static bool read_all(void *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		struct pollfd at = { .fd = raw.stream, .events = POLLIN };
		ssize_t n;

		ck_assert_msg(poll(&at, 1, 5000) == 1, "the server neither answers nor hangs up");
		n = recv(raw.stream, (uint8_t *)bytes + done, len - done, MSG_DONTWAIT);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* The next frame that is no hello; kind 0: the server hung up. */
static struct frame hear(void)
{
	uint8_t header[FRAME_HEADER_SIZE], body[FRAME_BODY_MAX];
	struct frame frame;

	do {
		if (!read_all(header, sizeof header))
			return (struct frame){ 0 };
		frame_decode(&frame, header);
		ck_assert_uint_le(frame.length, sizeof body);
		if (!read_all(body, frame.length))
			return (struct frame){ 0 };
	} while (frame.kind == FRAME_HELLO);
	return frame;
}

static void setup_stream(void)
{
	uint8_t hello[FRAME_HELLO_SIZE];

	(void)setenv("CELL_LOG", "err", 1);
	duo_start_raw(&raw, DUO_STREAM);
	frame_hello_encode(&(struct frame_hello){ .version = FRAME_VERSION, .message_max = 1 << 20,
						  .calls_max = 16, .window = 1 << 16,
						  .payload_max = GIB }, hello);
	say(&(struct frame){ .kind = FRAME_HELLO, .length = sizeof hello, .total = sizeof hello },
	    hello);
}

static void teardown_stream(void)
{
	int status = duo_stop_raw(&raw);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "server ended with %#x", status);
}

/* The first fragment of a payload of TOTAL bytes in all. */
static void announce(uint64_t call_id, size_t total)
{
	static const uint8_t body[FRAME_BODY_MAX];

	say(&(struct frame){ .kind = FRAME_REQUEST, .flags = FRAME_FLAG_MEMFD | FRAME_FLAG_MORE,
			     .call_id = call_id, .code = digest_hash(), .length = sizeof body,
			     .total = (uint32_t)total }, body);
}

/* An answer to this call says that what was sent before it was taken. */
static void sync_with_server(uint64_t call_id)
{
	say(&(struct frame){ .kind = FRAME_REQUEST, .call_id = call_id,
			     .code = method("Echo")->hash }, NULL);
	ck_assert_uint_eq(hear().kind, FRAME_REPLY);
}

/* How many payloads the server has open, and the bytes that they take. */
static unsigned held(uint64_t *ret_bytes)
{
	char path[64], name[320], target[64];
	struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	*ret_bytes = 0;
	(void)snprintf(path, sizeof path, "/proc/%d/fd", (int)raw.server_pid);
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir))) {
		struct stat info;
		ssize_t len;

		(void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		len = readlink(name, target, sizeof target - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		if (strncmp(target, "/memfd:cell-payload", 19) != 0 || stat(name, &info) < 0)
			continue;
		n++;
		*ret_bytes += (uint64_t)info.st_blocks * 512;
	}
	(void)closedir(dir);
	return n;
}

START_TEST(payload_over_a_stream_is_a_payload)
{
	static const size_t sizes[] = { 1, 20, FRAME_BODY_MAX - 8, FRAME_BODY_MAX - 7, 100000,
					16 * MIB - 8, 16 * MIB + 1, 64 * MIB };
	static struct cell_ref ref = CELL_REF("trial");
	struct duo duo;

	duo_start(&duo, DUO_STREAM);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct cell_payload *payload = cell_payload_new(duo.client, sizes[i]);
		struct trial_many_request request = { .size = sizes[i] };
		struct trial_count count;
		struct trial_blob blob;
		uint64_t sum = 0;

		ck_assert_ptr_nonnull(payload);
		for (size_t j = 0; j < sizes[i]; j++)
			cell_payload_data(payload)[j] = (uint8_t)(j * 31 + (j >> 8));
		for (size_t j = 0; j + 8 <= sizes[i]; j += 8)
			sum = (sum << 1 | sum >> 63) ^ cell_load_u64(cell_payload_data(payload) + j);
		for (int again = 0; again < 2; again++) {
			ck_assert_msg(cell_invoke_payload(duo.client, &ref, method("Digest"), payload,
							  &count) == 0,
				      "%zu bytes: %s", sizes[i], cell_error(duo.client)->text);
			ck_assert_uint_eq(count.items, 1);
			ck_assert_uint_eq(count.bytes, sum);
		}
		cell_payload_free(payload);
		ck_assert_msg(cell_invoke(duo.client, &ref, method("Make"), &request, &blob) == 0,
			      "%zu bytes: %s", sizes[i], cell_error(duo.client)->text);
		ck_assert_uint_eq(blob.n_data, sizes[i]);
		ck_assert_uint_eq(blob.data[0], 0x5a);
		ck_assert(memcmp(blob.data, blob.data + 1, sizes[i] - 1) == 0); /* all the same */
	}
	ck_assert_int_eq(duo_stop(&duo), 0);
}
END_TEST

/* What is announced is charged, what has come is held. */
START_TEST(announced_payload_holds_what_has_come)
{
	uint64_t bytes;

	announce(1, GIB);
	sync_with_server(2);
	ck_assert_uint_eq(held(&bytes), 1);
	ck_assert_uint_le(bytes, FRAME_BODY_MAX + 4096);
}
END_TEST

START_TEST(so_many_bytes_of_payloads_may_arrive)
{
	struct frame frame;
	uint64_t bytes;

	announce(1, GIB / 2);
	announce(2, GIB / 2);
	announce(3, MIB);
	frame = hear();
	ck_assert_uint_eq(frame.kind, FRAME_ERROR);
	ck_assert_uint_eq(frame.call_id, 3);
	ck_assert_uint_eq(frame.code, 8);
	/* The rest of it is skipped. */
	say(&(struct frame){ .kind = FRAME_REQUEST, .flags = FRAME_FLAG_MORE, .call_id = 3,
			     .code = digest_hash(), .length = 5 }, "more.");
	sync_with_server(4);
	ck_assert_uint_eq(held(&bytes), 2);
}
END_TEST

START_TEST(so_many_payloads_may_arrive)
{
	struct frame frame;
	uint64_t bytes;

	for (uint64_t i = 1; i <= 9; i++)
		announce(i, MIB);
	frame = hear();
	ck_assert_uint_eq(frame.kind, FRAME_ERROR);
	ck_assert_uint_eq(frame.call_id, 9);
	ck_assert_uint_eq(frame.code, 8);
	ck_assert_uint_eq(held(&bytes), 8);
	ck_assert_uint_le(bytes, 8 * (FRAME_BODY_MAX + 4096));
}
END_TEST

START_TEST(half_a_payload_ends_with_its_sender)
{
	uint64_t bytes;

	for (uint64_t i = 1; i <= 8; i++)
		announce(i, 64 * MIB);
	sync_with_server(9);
	ck_assert_uint_eq(held(&bytes), 8);
	ck_assert_int_eq(shutdown(raw.stream, SHUT_WR), 0);
	ck_assert_uint_eq(hear().kind, 0);
	ck_assert_uint_eq(held(&bytes), 0);
}
END_TEST

START_TEST(half_a_payload_ends_with_its_call)
{
	struct frame frame;
	uint64_t bytes;

	announce(1, 64 * MIB);
	say(&(struct frame){ .kind = FRAME_CANCEL, .call_id = 1 }, NULL);
	frame = hear();
	ck_assert_uint_eq(frame.kind, FRAME_ERROR);
	ck_assert_uint_eq(frame.code, 1);
	ck_assert_uint_eq(held(&bytes), 0);
	sync_with_server(2);
}
END_TEST

START_TEST(fragments_of_a_payload_must_add_up)
{
	static const uint8_t body[FRAME_BODY_MAX];
	struct frame rest = { .kind = FRAME_REQUEST, .call_id = 1, .code = digest_hash() };
	uint64_t bytes;

	announce(1, FRAME_BODY_MAX + 100);
	switch (_i) {
	case 0: rest.length = 99; break;                                    /* too little */
	case 1: rest.length = 101; break;                                   /* too much */
	case 2: rest.length = 100, rest.flags = FRAME_FLAG_MORE; break;      /* and more to come */
	case 3: break;                                                      /* nothing */
	}
	say(&rest, body);
	ck_assert_uint_eq(hear().kind, 0);
	ck_assert_uint_eq(held(&bytes), 0);
}
END_TEST

START_TEST(payload_in_frames_without_bytes_is_refused)
{
	say(&(struct frame){ .kind = FRAME_REQUEST, .flags = FRAME_FLAG_MEMFD, .call_id = 1,
			     .code = digest_hash() }, NULL);
	ck_assert_uint_eq(hear().kind, 0);
}
END_TEST

/* A file size limit stands for memory that cannot be had: the memfd takes no more. */
START_TEST(payload_that_finds_no_memory_costs_the_call_only)
{
	static const uint8_t body[FRAME_BODY_MAX];
	struct frame more = { .kind = FRAME_REQUEST, .call_id = 1, .code = digest_hash(),
			      .flags = FRAME_FLAG_MORE, .length = sizeof body }, frame;
	uint64_t bytes;

	ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ MIB, MIB }), 0);
	setup_stream();
	announce(1, 4 * MIB);
	for (int i = 0; i < 40; i++)
		say(&more, body);
	frame = hear();
	ck_assert_uint_eq(frame.kind, FRAME_ERROR);
	ck_assert_uint_eq(frame.call_id, 1);
	ck_assert_uint_eq(frame.code, 8);
	ck_assert_uint_eq(held(&bytes), 0);
	sync_with_server(2);
	teardown_stream();
}
END_TEST

static void ask_for(uint64_t call_id, uint64_t size)
{
	struct trial_many_request request = { .size = size };
	uint8_t body[32];

	say(&(struct frame){
		.kind = FRAME_REQUEST, .call_id = call_id, .code = method("Make")->hash,
		.length = (uint32_t)(trial_many_request_type.encode(&request, body) - body) }, body);
}

START_TEST(small_calls_pass_a_payload)
{
	bool has_passed = false;
	struct frame frame;

	ask_for(1, 64 * MIB);
	frame = hear();
	ck_assert_uint_eq(frame.flags, FRAME_FLAG_MEMFD | FRAME_FLAG_MORE);
	ck_assert_uint_eq(frame.total, 64 * MIB + 8);
	say(&(struct frame){ .kind = FRAME_REQUEST, .call_id = 2, .code = method("Echo")->hash }, NULL);
	for (size_t have = frame.length; have < 64 * MIB + 8;) {
		frame = hear();
		ck_assert_uint_eq(frame.kind, FRAME_REPLY);
		if (frame.call_id == 2) {
			has_passed = true;
			continue;
		}
		have += frame.length;
		ck_assert_uint_eq(frame.total, 0);
		ck_assert_uint_eq(frame.flags, have < 64 * MIB + 8 ? FRAME_FLAG_MORE : 0);
	}
	ck_assert(has_passed);
}
END_TEST

START_TEST(payload_that_nobody_wants_is_not_sent_to_its_end)
{
	size_t have = 0;
	struct frame frame;
	uint64_t bytes;

	ask_for(1, 256 * MIB);
	ck_assert_uint_eq(hear().kind, FRAME_REPLY);
	say(&(struct frame){ .kind = FRAME_CANCEL, .call_id = 1 }, NULL);
	while ((frame = hear()).kind == FRAME_REPLY)
		have += frame.length;
	ck_assert_uint_eq(frame.kind, FRAME_ERROR);
	ck_assert_uint_eq(frame.code, 1);
	ck_assert_uint_lt(have, 256 * MIB);
	ck_assert_uint_eq(held(&bytes), 0);
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
	tcase_add_loop_test(tc, payload_in_frames_is_refused_on_a_ring, 0, 2);
	suite_add_tcase(suite, tc);
	tc = tcase_create("in frames");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, payload_over_a_stream_is_a_payload);
	tcase_add_test(tc, payload_that_finds_no_memory_costs_the_call_only);
	suite_add_tcase(suite, tc);
	tc = tcase_create("received in frames");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup_stream, teardown_stream);
	tcase_add_test(tc, announced_payload_holds_what_has_come);
	tcase_add_test(tc, so_many_bytes_of_payloads_may_arrive);
	tcase_add_test(tc, so_many_payloads_may_arrive);
	tcase_add_test(tc, half_a_payload_ends_with_its_sender);
	tcase_add_test(tc, half_a_payload_ends_with_its_call);
	tcase_add_loop_test(tc, fragments_of_a_payload_must_add_up, 0, 4);
	tcase_add_test(tc, payload_in_frames_without_bytes_is_refused);
	tcase_add_test(tc, small_calls_pass_a_payload);
	tcase_add_test(tc, payload_that_nobody_wants_is_not_sent_to_its_end);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
