/*
 * Bodies of many fragments: what they wait for, and what they cost.
 */
#include "duo.h"
#include "trial.h"

#include "libcell/callstate.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
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

int main(void)
{
	Suite *suite = suite_create("bulk");
	TCase *tc = tcase_create("bulk");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, fragments_leave_while_their_sender_polls);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
