#include "layout.h"

#include <string.h>

static void begin(struct layout_key *key, char kind)
{
	key->bytes[0] = (uint8_t)kind;
	key->len = 1;
}

static void put(struct layout_key *key, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		key->bytes[key->len++] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

static uint64_t get(const uint8_t *at, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | at[i];
	return value;
}

void layout_meta(struct layout_key *key)
{
	begin(key, 'C');
	put(key, 'M', 1);
}

void layout_tables(struct layout_key *key)
{
	begin(key, 'C');
	put(key, 'T', 1);
}

void layout_table(struct layout_key *key, uint32_t table)
{
	layout_tables(key);
	put(key, table, 4);
}

void layout_versions(struct layout_key *key)
{
	begin(key, 'C');
	put(key, 'V', 1);
}

void layout_version(struct layout_key *key, uint32_t table, const uint8_t digest[static LAYOUT_DIGEST])
{
	layout_versions(key);
	put(key, table, 4);
	(void)layout_append(key, digest, LAYOUT_DIGEST);
}

void layout_rows(struct layout_key *key, uint32_t table)
{
	begin(key, 'R');
	put(key, table, 4);
}

void layout_index(struct layout_key *key, uint32_t table, uint16_t index)
{
	begin(key, 'I');
	put(key, table, 4);
	put(key, index, 2);
}

void layout_count(struct layout_key *key, uint32_t table)
{
	begin(key, 'N');
	put(key, table, 4);
}

void layout_sequence(struct layout_key *key, uint32_t table, uint32_t column)
{
	begin(key, 'S');
	put(key, table, 4);
	put(key, column, 4);
}

void layout_change(struct layout_key *key, uint64_t version, uint32_t n)
{
	begin(key, 'L');
	put(key, version, 8);
	put(key, n, 4);
}

void layout_answer(struct layout_key *key, uint64_t version)
{
	begin(key, 'A');
	put(key, version, 8);
}

void layout_all_prepared(struct layout_key *key)
{
	begin(key, 'P');
}

void layout_prepared(struct layout_key *key, const uint8_t txn[static LAYOUT_ID])
{
	begin(key, 'P');
	(void)layout_append(key, txn, LAYOUT_ID);
}

bool layout_append(struct layout_key *key, const void *bytes, size_t len)
{
	if (len > sizeof key->bytes - key->len)
		return false;
	if (len)
		memcpy(key->bytes + key->len, bytes, len);
	key->len += len;
	return true;
}

void layout_fill(struct layout_key *key)
{
	memset(key->bytes + key->len, 0xff, sizeof key->bytes - key->len);
	key->len = sizeof key->bytes;
}

bool layout_begins(struct cell_store_bytes key, const struct layout_key *with)
{
	return key.len >= with->len && memcmp(key.at, with->bytes, with->len) == 0;
}

static const uint8_t *read_kind(struct cell_store_bytes key, const char *kind, size_t size)
{
	size_t n = strlen(kind);

	if (key.len != n + size || memcmp(key.at, kind, n) != 0)
		return NULL;
	return (const uint8_t *)key.at + n;
}

bool layout_read_table(struct cell_store_bytes key, uint32_t *ret_table)
{
	const uint8_t *at = read_kind(key, "CT", 4);

	if (at)
		*ret_table = (uint32_t)get(at, 4);
	return at != NULL;
}

bool layout_read_version(struct cell_store_bytes key, uint32_t *ret_table,
			 const uint8_t **ret_digest)
{
	const uint8_t *at = read_kind(key, "CV", 4 + LAYOUT_DIGEST);

	if (!at)
		return false;
	*ret_table = (uint32_t)get(at, 4);
	*ret_digest = at + 4;
	return true;
}

bool layout_read_change(struct cell_store_bytes key, uint64_t *ret_version, uint32_t *ret_n)
{
	const uint8_t *at = read_kind(key, "L", 12);

	if (!at)
		return false;
	*ret_version = get(at, 8);
	*ret_n = (uint32_t)get(at + 8, 4);
	return true;
}

bool layout_read_answer(struct cell_store_bytes key, uint64_t *ret_version)
{
	const uint8_t *at = read_kind(key, "A", 8);

	if (at)
		*ret_version = get(at, 8);
	return at != NULL;
}

bool layout_read_prepared(struct cell_store_bytes key, const uint8_t **ret_txn)
{
	const uint8_t *at = read_kind(key, "P", LAYOUT_ID);

	if (at)
		*ret_txn = at;
	return at != NULL;
}
