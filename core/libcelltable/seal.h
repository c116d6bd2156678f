/*
 * The keys of a seal, and the file they are in.
 */
#pragma once

#include <cell/internal/table/seal.h>

#define SEAL_KEY_BYTES 32

struct seal_key {
	uint32_t number; /* from 1, rising */
	uint8_t bytes[SEAL_KEY_BYTES];
};

/* In memory that is neither swapped nor dumped: sodium_malloc(). */
struct seal_keys {
	size_t n;
	struct seal_key key[SEAL_KEYS_MAX]; /* newest last */
};

/*
 * Read PATH into KEYS. 0, -ENOENT if it is not there, another -errno, CELL_DATA_LOSS or
 * CELL_PERMISSION_DENIED.
 */
int seal_file_read(struct seal_keys *keys, const char *path, struct cell_error *err);
/* Put KEYS in the place of what PATH has, durably: after a crash it is the one or the other. */
int seal_file_write(const struct seal_keys *keys, const char *path, struct cell_error *err);
