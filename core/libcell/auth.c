#include "auth.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int key_check(int fd, const char *path, struct cell_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return cell_fail(err, -errno, "key '%s': %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size != AUTH_KEY_SIZE)
		return cell_fail(err, -EINVAL, "key '%s' is not a file of %d bytes: remove it", path,
				 AUTH_KEY_SIZE);
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return cell_fail(err, -EPERM, "key '%s' may be read by others: remove it, or chmod 600",
				 path);
	return 0;
}

int auth_key_load(uint8_t ret_key[static AUTH_KEY_SIZE], const char *path, struct cell_error *err)
{
	uint8_t key[AUTH_KEY_SIZE + 1];
	ssize_t n;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return cell_fail(err, -errno, "key '%s': %s", path, strerror(errno));
	r = key_check(fd, path, err);
	if (r == 0) {
		n = read(fd, key, sizeof key);
		if (n == AUTH_KEY_SIZE)
			memcpy(ret_key, key, AUTH_KEY_SIZE);
		else
			r = cell_fail(err, n < 0 ? -errno : -EINVAL, "key '%s' could not be read", path);
	}
	sodium_memzero(key, sizeof key);
	(void)close(fd);
	return r;
}

static int key_write(const char *path, const uint8_t key[static AUTH_KEY_SIZE])
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return -errno;
	n = write(fd, key, AUTH_KEY_SIZE);
	if (n != AUTH_KEY_SIZE)
		r = n < 0 ? -errno : -EIO;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

/* Under another name first: whoever looks sees no key or a whole one. */
static int key_create(const char *path, struct cell_error *err)
{
	uint8_t key[AUTH_KEY_SIZE];
	char fresh[4096];
	int n, r;

	n = snprintf(fresh, sizeof fresh, "%s.new", path);
	if (n < 0 || (size_t)n >= sizeof fresh)
		return cell_fail(err, -ENAMETOOLONG, "key path '%.60s…' is too long", path);
	if (sodium_init() < 0)
		return cell_fail(err, -EIO, "no source of random bytes for key '%s'", path);
	randombytes_buf(key, sizeof key);
	(void)unlink(fresh);
	r = key_write(fresh, key);
	sodium_memzero(key, sizeof key);
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(fresh);
		return cell_fail(err, r, "creating key '%s': %s", path, strerror(-r));
	}
	return 0;
}

int auth_key_ensure(uint8_t ret_key[static AUTH_KEY_SIZE], const char *path, struct cell_error *err)
{
	struct stat st;
	int r;

	if (lstat(path, &st) < 0 && errno == ENOENT) {
		r = key_create(path, err);
		if (r < 0)
			return r;
	}
	return auth_key_load(ret_key, path, err);
}

void auth_key_wipe(uint8_t key[static AUTH_KEY_SIZE])
{
	sodium_memzero(key, AUTH_KEY_SIZE);
}

void auth_nonce(uint8_t ret_nonce[static AUTH_NONCE_SIZE])
{
	randombytes_buf(ret_nonce, AUTH_NONCE_SIZE);
}

void auth_prove(uint8_t ret_mac[static AUTH_MAC_SIZE], const uint8_t key[static AUTH_KEY_SIZE],
		const uint8_t nonce[static AUTH_NONCE_SIZE])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, key, AUTH_KEY_SIZE, AUTH_MAC_SIZE);
	crypto_generichash_update(&state, nonce, AUTH_NONCE_SIZE);
	crypto_generichash_update(&state, (const uint8_t *)AUTH_CONTEXT, strlen(AUTH_CONTEXT));
	crypto_generichash_final(&state, ret_mac, AUTH_MAC_SIZE);
	sodium_memzero(&state, sizeof state);
}

bool auth_is_proof(const uint8_t *mac, size_t mac_len, const uint8_t key[static AUTH_KEY_SIZE],
		   const uint8_t nonce[static AUTH_NONCE_SIZE])
{
	uint8_t expected[AUTH_MAC_SIZE];
	bool is_proof;

	auth_prove(expected, key, nonce);
	is_proof = mac_len == AUTH_MAC_SIZE && sodium_memcmp(mac, expected, AUTH_MAC_SIZE) == 0;
	sodium_memzero(expected, sizeof expected);
	return is_proof;
}
