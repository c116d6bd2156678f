/*
 * Bodies of many fragments: what they wait for, and what they cost.
 */
#include "duo.h"
#include "trial.h"

#include "libcell/callstate.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define MIB ((size_t)1 << 20)

static struct duo duo;

static void stop(void)
{
	int status = duo_stop(&duo);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "server ended with %#x", status);
	(void)unsetenv("CELL_WAKE");
}

static uint8_t *pattern(size_t len)
{
	uint8_t *bytes = cell_arena_alloc(cell_arena(duo.client), len + 1);

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 31 + (i >> 8) + 7);
	return bytes;
}

static void echo(const uint8_t *bytes, size_t len)
{
	struct cell_arena_mark mark = cell_mark(duo.client);
	struct trial_blob out;
	int r = trial_echo(duo.client, &(struct trial_blob){ .n_data = len, .data = bytes }, &out);

	ck_assert_msg(r == 0, "%zu bytes: %s", len, cell_error(duo.client)->text);
	ck_assert_uint_eq(out.n_data, len);
	ck_assert(memcmp(out.data, bytes, len) == 0);
	cell_rewind(duo.client, mark);
}

/*
 * A fragment that found room while its sender polls must be seen at once. If it is not, the
 * sender polls in vain until it gives up, here after 50 ms, for every fragment.
 */
START_TEST(fragments_leave_while_their_sender_polls)
{
	enum { CALLS = 20 };
	uint64_t before;
	uint8_t *bytes;

	(void)setenv("CELL_WAKE", "spin", 1);
	duo_start(&duo, DUO_RING);
	bytes = pattern(MIB);
	echo(bytes, MIB);
	before = duo.client->root->rt->stats.vain_polls;
	for (int i = 0; i < CALLS; i++)
		echo(bytes, MIB);
	ck_assert_uint_lt(duo.client->root->rt->stats.vain_polls - before, CALLS / 2);
	stop();
}
END_TEST

/* A megabyte that can be taken away: who still reads it then dies. */
static uint8_t *lent(void)
{
	uint8_t *bytes = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert(bytes != MAP_FAILED);
	memset(bytes, 7, MIB);
	return bytes;
}

START_TEST(memory_is_no_longer_read_when_its_call_timed_out)
{
	uint8_t *bytes = lent(), *other;
	struct trial_blob out;

	duo_start(&duo, (enum duo_link)_i);
	other = pattern(MIB);
	echo(other, MIB);
	ck_assert_int_eq(kill(duo.server_pid, SIGSTOP), 0);
	ck_assert_int_eq(trial_echo(cell_within_ms(duo.client, 50),
				    &(struct trial_blob){ .n_data = MIB, .data = bytes }, &out),
			 CELL_DEADLINE_EXCEEDED);
	ck_assert_int_eq(munmap(bytes, MIB), 0);
	ck_assert_int_eq(kill(duo.server_pid, SIGCONT), 0);
	echo(other, MIB);
	stop();
}
END_TEST

START_TEST(memory_is_no_longer_read_when_its_call_was_refused)
{
	static struct cell_ref ref = CELL_REF("trial");
	const uint8_t *reply;
	uint8_t *other;
	size_t len;

	duo_start(&duo, (enum duo_link)_i);
	other = pattern(MIB);
	for (int i = 0; i < 20; i++) {
		uint8_t *bytes = lent();
		int r = cell_invoke_bytes(duo.client, &ref, CELL_CHANNEL_APP, "no.such/Method",
					  bytes, MIB, &reply, &len);

		ck_assert_int_eq(munmap(bytes, MIB), 0);
		ck_assert_int_eq(r, CELL_UNIMPLEMENTED);
		echo(other, MIB);
	}
	stop();
}
END_TEST

/* Nobody promised that the memory of a future stays. */
START_TEST(memory_of_a_future_was_copied)
{
	static struct cell_ref ref = CELL_REF("trial");
	const struct cell_method *method = NULL;
	struct cell_future futures[4];

	for (size_t i = 0; i < trial_service.n_methods; i++)
		if (strcmp(trial_service.methods[i].name, "Echo") == 0)
			method = &trial_service.methods[i];
	duo_start(&duo, (enum duo_link)_i);
	for (int i = 0; i < 4; i++) {
		uint8_t *bytes = lent();

		futures[i] = cell_invoke_start(duo.client, &ref, method,
					       &(struct trial_blob){ .n_data = MIB, .data = bytes });
		ck_assert_int_eq(munmap(bytes, MIB), 0);
	}
	for (int i = 0; i < 4; i++) {
		struct trial_blob out;

		ck_assert_int_eq(cell_invoke_wait(&futures[i], &out), 0);
		ck_assert_uint_eq(out.n_data, MIB);
		for (size_t j = 0; j < MIB; j += 4093)
			ck_assert_uint_eq(out.data[j], 7);
	}
	stop();
}
END_TEST

START_TEST(metadata_stands_before_lent_bytes)
{
	static const uint8_t trace[25] = "trace id, span id, flags";
	uint8_t *bytes;

	duo_start(&duo, (enum duo_link)_i);
	cell_call_set_trace(duo.client, trace);
	bytes = pattern(MIB);
	for (size_t len = 30 * 1024 - 64; len < 30 * 1024 + 64; len++)
		echo(bytes, len);
	echo(bytes, MIB);
	stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bulk");
	TCase *tc = tcase_create("bulk");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, fragments_leave_while_their_sender_polls);
	tcase_add_loop_test(tc, memory_is_no_longer_read_when_its_call_timed_out, DUO_RING,
			    DUO_STREAM + 1);
	tcase_add_loop_test(tc, memory_is_no_longer_read_when_its_call_was_refused, DUO_RING,
			    DUO_STREAM + 1);
	tcase_add_loop_test(tc, memory_of_a_future_was_copied, DUO_RING, DUO_STREAM + 1);
	tcase_add_loop_test(tc, metadata_stands_before_lent_bytes, DUO_RING, DUO_STREAM + 1);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
