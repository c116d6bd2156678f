/*
 * celldb's engine on a disk that fails: the nth write or sync, for every n. What was
 * acknowledged is there, what was refused is not, and nothing is half done.
 */
#include "celldb/engine.h"
#include "disk.h"
#include "tests/unit/celldb/base.h"

#include "accounts.h"

#include <errno.h>

static struct base base;

#define account (&accounts_told[0])
#define COMMITS 4

static void setup(void)
{
	disk = (struct disk){ 0 };
	base_init(&base);
	BASE_OK(&base, base_alter(&base, account, false, NULL));
}

static void teardown(void)
{
	disk.at = 0;
	base_deinit(&base);
}

/* Two rows that belong together; what the end of its transaction says. */
static int commit_pair(unsigned i)
{
	char id[2][16], owner[2][16], balance[16];
	struct base_write writes[2];
	int r;

	snprintf(balance, sizeof balance, "%u", i);
	for (unsigned j = 0; j < 2; j++) {
		snprintf(id[j], sizeof id[j], "%u", 2 * i + j);
		snprintf(owner[j], sizeof owner[j], "\"o%u\"", 2 * i + j);
		writes[j] = (struct base_write){ account, TABLE_WRITE_KIND_INSERT,
						 base_row(&base, account, "id", id[j], "owner",
							  owner[j], "balance", balance, NULL) };
	}
	r = engine_begin(base.engine, ++base.now_us, &base.err);
	if (r < 0)
		return r;
	r = base_commit_id(&base, (uint8_t)(i + 1), writes, 2, NULL);
	if (r < 0) {
		engine_abort(base.engine);
		return r;
	}
	return engine_end(base.engine, &base.err);
}

static bool has(unsigned number)
{
	char id[16];

	snprintf(id, sizeof id, "%u", number);
	return base_get(&base, account, base_row(&base, account, "id", id, NULL)) != NULL;
}

/* With the AT-th call failing: false if so many were not made. */
static bool try_all(enum disk_calls calls, unsigned at, int error)
{
	bool acknowledged[COMMITS], happened;
	unsigned n = 0;

	disk = (struct disk){ .trouble = DISK_FAILS, .calls = calls, .at = at, .error = error };
	for (unsigned i = 0; i < COMMITS; i++) {
		int r = commit_pair(i);

		acknowledged[i] = r == 0;
		if (r < 0)
			ck_assert_ptr_nonnull(strstr(base.err.text, base.stored.dir));
		/* A head that may be half written is worse than a full disk. */
		if (r < 0 && error == ENOSPC)
			ck_assert(r == CELL_RESOURCE_EXHAUSTED || r == -EIO);
	}
	happened = disk.happened;
	disk.at = 0;
	base_reopen(&base);
	for (unsigned i = 0; i < COMMITS; i++) {
		bool first = has(2 * i), second = has(2 * i + 1);

		ck_assert(first == second);
		ck_assert(!acknowledged[i] || first);
		/* Only of a failed sync nobody knows whether it was one. */
		ck_assert(calls == DISK_SYNCS || acknowledged[i] == first);
		n += first;
	}
	ck_assert_uint_eq(base_entries(&base, 'R'), 2 * n);
	ck_assert_uint_eq(base_entries(&base, 'I'), 4 * n);
	ck_assert_uint_eq(base_entries(&base, 'L'), 2 * n);
	ck_assert_uint_eq(base_entries(&base, 'A'), n);
	ck_assert_uint_eq(base.engine->durable.version, n);
	/* And it can be written again: an answered commit is answered, the others happen. */
	for (unsigned i = 0; i < COMMITS; i++)
		BASE_OK(&base, commit_pair(i));
	ck_assert_uint_eq(base_entries(&base, 'R'), 2 * COMMITS);
	return happened;
}

static void try_every(enum disk_calls calls, int error)
{
	unsigned at = 1;

	while (try_all(calls, at, error)) {
		teardown();
		setup();
		ck_assert_uint_lt(++at, 200);
	}
	ck_assert_uint_gt(at, COMMITS);
}

START_TEST(full_disk_at_any_write)
{
	try_every(DISK_WRITES, ENOSPC);
}
END_TEST

START_TEST(failing_disk_at_any_write)
{
	try_every(DISK_WRITES, EIO);
}
END_TEST

START_TEST(failing_sync)
{
	try_every(DISK_SYNCS, EIO);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("celldb disk");
	TCase *tc = tcase_create("celldb disk");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, full_disk_at_any_write);
	tcase_add_test(tc, failing_disk_at_any_write);
	tcase_add_test(tc, failing_sync);
	return base_run(suite, tc);
}
