#include "libcell/auth.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];
static struct cell_error err;

static void setup(void)
{
	strcpy(path, "/tmp/auth_test.XXXXXX");
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(unlink(path), 0);
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	(void)unlink(path);
}

START_TEST(makes_a_key_once_and_keeps_it)
{
	uint8_t first[AUTH_KEY_SIZE], second[AUTH_KEY_SIZE];
	struct stat st;

	ck_assert_int_eq(auth_key_load(first, path, &err), -ENOENT);
	ck_assert_int_eq(auth_key_ensure(first, path, &err), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(auth_key_ensure(second, path, &err), 0);
	ck_assert_mem_eq(first, second, sizeof first);
	auth_key_wipe(first);
	ck_assert_mem_ne(first, second, sizeof first);
}
END_TEST

START_TEST(refuses_a_key_that_others_may_read)
{
	uint8_t key[AUTH_KEY_SIZE];

	ck_assert_int_eq(auth_key_ensure(key, path, &err), 0);
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(auth_key_load(key, path, &err), -EPERM);
	ck_assert_int_eq(auth_key_ensure(key, path, &err), -EPERM);
}
END_TEST

START_TEST(refuses_a_key_of_the_wrong_size_and_a_link)
{
	uint8_t key[AUTH_KEY_SIZE];

	ck_assert_int_eq(auth_key_ensure(key, path, &err), 0);
	ck_assert_int_eq(truncate(path, AUTH_KEY_SIZE - 1), 0);
	ck_assert_int_eq(auth_key_ensure(key, path, &err), -EINVAL);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/dev/zero", path), 0);
	ck_assert_int_eq(auth_key_ensure(key, path, &err), -ELOOP);
}
END_TEST

START_TEST(only_the_right_answer_is_a_proof)
{
	uint8_t key[AUTH_KEY_SIZE] = { 1, 2, 3 }, nonce[AUTH_NONCE_SIZE], mac[AUTH_MAC_SIZE];
	uint8_t other[AUTH_NONCE_SIZE];

	auth_nonce(nonce);
	auth_nonce(other);
	ck_assert_mem_ne(nonce, other, sizeof nonce);
	auth_prove(mac, key, nonce);
	ck_assert(auth_is_proof(mac, sizeof mac, key, nonce));
	ck_assert(!auth_is_proof(mac, sizeof mac, key, other));
	ck_assert(!auth_is_proof(mac, sizeof mac - 1, key, nonce));
	ck_assert(!auth_is_proof(NULL, 0, key, nonce));
	for (size_t i = 0; i < sizeof mac; i++) {
		mac[i] ^= 1;
		ck_assert(!auth_is_proof(mac, sizeof mac, key, nonce));
		mac[i] ^= 1;
	}
	key[0] ^= 1;
	ck_assert(!auth_is_proof(mac, sizeof mac, key, nonce));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth");
	TCase *tc = tcase_create("auth");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, makes_a_key_once_and_keeps_it);
	tcase_add_test(tc, refuses_a_key_that_others_may_read);
	tcase_add_test(tc, refuses_a_key_of_the_wrong_size_and_a_link);
	tcase_add_test(tc, only_the_right_answer_is_a_proof);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
