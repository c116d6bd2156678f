/*
 * The key file, cell-keys(5): a line "cell-seal 1", a line "NUMBER HEX" for each key, oldest first, and a
 * line "sum HEX" over all before it, so that a file that was cut or changed is not taken for
 * keys that open nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cell/cell.h>

#include "seal.h"

#define HEAD	     "cell-seal 1\n"
#define SUM_BYTES    16
#define KEY_LINE_MAX (10 + 1 + 2 * SEAL_KEY_BYTES + 1)
#define KEY_FILE_MAX (sizeof HEAD + (size_t)SEAL_KEYS_MAX * KEY_LINE_MAX + 4 + 2 * SUM_BYTES + 1)

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static void free_secret(char **text)
{
	sodium_free(*text);
}

/* --- reading --------------------------------------------------------------------------------------- */

static int damaged(const char *path, const char *why, struct cell_error *err)
{
	return cell_fail(err, CELL_DATA_LOSS, "the key file '%s' %s", path, why);
}

/* Hex digits for exactly LEN bytes at AT and behind them a newline; where that ends, or NULL. */
static const char *take_hex(const char *at, uint8_t *bytes, size_t len)
{
	size_t n = 0;
	const char *end;

	if (sodium_hex2bin(bytes, len, at, strnlen(at, 2 * len), NULL, &n, &end) != 0 || n != len ||
	    *end != '\n')
		return NULL;
	return end + 1;
}

/* The line of one key; NULL if it is none. */
static const char *take_key(struct seal_keys *keys, const char *at)
{
	uint32_t last = keys->n ? keys->key[keys->n - 1].number : 0;
	struct seal_key *key = &keys->key[keys->n];
	unsigned long number;
	char *end;

	if (keys->n == SEAL_KEYS_MAX || *at < '1' || *at > '9')
		return NULL;
	number = strtoul(at, &end, 10);
	if (number > UINT32_MAX || number <= last || *end != ' ')
		return NULL;
	key->number = (uint32_t)number;
	keys->n++;
	return take_hex(end + 1, key->bytes, sizeof key->bytes);
}

static int parse(struct seal_keys *keys, const char *text, const char *path, struct cell_error *err)
{
	uint8_t sum[SUM_BYTES], told[SUM_BYTES];
	const char *at = text, *end;

	keys->n = 0;
	if (strncmp(at, HEAD, strlen(HEAD)) != 0)
		return damaged(path, "is none, or of a version that is not known", err);
	for (at += strlen(HEAD); strncmp(at, "sum ", 4) != 0;) {
		at = take_key(keys, at);
		if (!at)
			return damaged(path, "is cut short or damaged", err);
	}
	(void)crypto_generichash(sum, sizeof sum, (const uint8_t *)text, (size_t)(at - text), NULL,
				 0);
	end = take_hex(at + 4, told, sizeof told);
	if (!end || *end || sodium_memcmp(sum, told, sizeof sum) != 0 || !keys->n)
		return damaged(path, "is cut short or damaged", err);
	return 0;
}

/* It is a file, ours, and nobody else's. */
static int check_mode(int fd, const char *path, struct cell_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return cell_fail(err, -errno, "the key file '%s'", path);
	if (!S_ISREG(st.st_mode))
		return damaged(path, "is no file", err);
	if (st.st_uid != geteuid() || st.st_mode & 077)
		return cell_fail(err, CELL_PERMISSION_DENIED,
				 "the key file '%s' has mode %03o and belongs to uid %u: others "
				 "may use it; it must be ours alone, mode 600",
				 path, (unsigned)st.st_mode & 0777, (unsigned)st.st_uid);
	return 0;
}

int seal_file_read(struct seal_keys *keys, const char *path, struct cell_error *err)
{
	cell_cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	cell_cleanup(free_secret) char *text = sodium_malloc(KEY_FILE_MAX + 1);
	size_t len = 0;
	ssize_t n = 1;
	int r;

	if (fd < 0)
		return cell_fail(err, -errno, "the key file '%s': %s", path, strerror(errno));
	if (!text)
		return cell_fail(err, -ENOMEM, "no memory for the key file '%s'", path);
	r = check_mode(fd, path, err);
	if (r < 0)
		return r;
	while (n > 0 && len < KEY_FILE_MAX) {
		n = read(fd, text + len, KEY_FILE_MAX - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			return cell_fail(err, -errno, "reading the key file '%s': %s", path,
					 strerror(errno));
		else
			len += (size_t)n;
	}
	text[len] = '\0';
	return strlen(text) == len ? parse(keys, text, path, err)
				   : damaged(path, "has a NUL in it", err);
}

/* --- writing --------------------------------------------------------------------------------------- */

static size_t print(const struct seal_keys *keys, char *text)
{
	char hex[2 * SEAL_KEY_BYTES + 1];
	uint8_t sum[SUM_BYTES];
	size_t len = strlen(HEAD);

	memcpy(text, HEAD, len);
	for (size_t i = 0; i < keys->n; i++) {
		(void)sodium_bin2hex(hex, sizeof hex, keys->key[i].bytes, SEAL_KEY_BYTES);
		len += (size_t)snprintf(text + len, KEY_FILE_MAX - len, "%" PRIu32 " %s\n",
					keys->key[i].number, hex);
	}
	(void)crypto_generichash(sum, sizeof sum, (const uint8_t *)text, len, NULL, 0);
	(void)sodium_bin2hex(hex, sizeof hex, sum, sizeof sum);
	len += (size_t)snprintf(text + len, KEY_FILE_MAX - len, "sum %s\n", hex);
	sodium_memzero(hex, sizeof hex);
	return len;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* The folder of PATH, so that the new name is durable, too. */
static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[4096];
	int n = snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
			 slash ? path : ".");
	cell_cleanup(close_fd) int fd = -1;

	if (n < 0 || (size_t)n >= sizeof folder)
		return -ENAMETOOLONG;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int replace(const char *path, const char *fresh, const char *text, size_t len)
{
	cell_cleanup(close_fd) int fd = -1;
	int r;

	/* What a crash left behind was never the key file. */
	if (unlink(fresh) < 0 && errno != ENOENT)
		return -errno;
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, len);
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(fresh);
	return r < 0 ? r : sync_folder(path);
}

int seal_file_write(const struct seal_keys *keys, const char *path, struct cell_error *err)
{
	cell_cleanup(free_secret) char *text = sodium_malloc(KEY_FILE_MAX + 1);
	char fresh[4096];
	int r = snprintf(fresh, sizeof fresh, "%s.new", path);

	if (r < 0 || (size_t)r >= sizeof fresh)
		return cell_fail(err, -ENAMETOOLONG, "the key file '%.100s…'", path);
	if (!text)
		return cell_fail(err, -ENOMEM, "no memory for the key file '%s'", path);
	r = replace(path, fresh, text, print(keys, text));
	return r < 0 ? cell_fail(err, r, "writing the key file '%s': %s", path, strerror(-r)) : 0;
}
