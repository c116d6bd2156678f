/*
 * Where things are in the store: one ordered map, a letter for each kind of entry, numbers
 * big-endian so that they sort. Pure.
 *
 *	C M                          what the store is: struct record_meta
 *	C T table                    a table as it is now: struct record_table
 *	C V table digest             a declaration that was provisioned once
 *	R table KEY                  version, row
 *	I table index KEY [KEY]      KEY of the row; the second where the first may be there twice
 *	N table                      how many rows
 *	S table column               the next number of a serial column
 *	L version n                  a change: the nth of that commit
 *	A version                    what a commit was answered, to answer it again
 *	P txn                        a transaction that is prepared
 */
#pragma once

#include <cell/store.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAYOUT_DIGEST 32
#define LAYOUT_ID     16 /* bytes of a commit's and of a transaction's id */

struct layout_key {
	size_t len;
	uint8_t bytes[CELL_STORE_KEY_MAX];
};

static inline struct cell_store_bytes layout_bytes(const struct layout_key *key)
{
	return (struct cell_store_bytes){ key->bytes, key->len };
}

void layout_meta(struct layout_key *key);
/* Without ID: the beginning of all of them. */
void layout_tables(struct layout_key *key);
void layout_table(struct layout_key *key, uint32_t table);
void layout_versions(struct layout_key *key);
void layout_version(struct layout_key *key, uint32_t table, const uint8_t digest[static LAYOUT_DIGEST]);
/* The beginnings of rows and of index entries; row_key() goes behind. */
void layout_rows(struct layout_key *key, uint32_t table);
void layout_index(struct layout_key *key, uint32_t table, uint16_t index);
void layout_count(struct layout_key *key, uint32_t table);
void layout_sequence(struct layout_key *key, uint32_t table, uint32_t column);
void layout_change(struct layout_key *key, uint64_t version, uint32_t n);
void layout_answer(struct layout_key *key, uint64_t version);
void layout_prepared(struct layout_key *key, const uint8_t txn[static LAYOUT_ID]);
void layout_all_prepared(struct layout_key *key);

/* LEN bytes behind what KEY has. False if they do not fit. */
bool layout_append(struct layout_key *key, const void *bytes, size_t len);
/* Behind every entry that begins so: where to look from, backwards. */
void layout_fill(struct layout_key *key);

bool layout_begins(struct cell_store_bytes key, const struct layout_key *with);

/* What stands in keys of these kinds. False if KEY is of another. */
bool layout_read_table(struct cell_store_bytes key, uint32_t *ret_table);
bool layout_read_version(struct cell_store_bytes key, uint32_t *ret_table,
			 const uint8_t **ret_digest);
bool layout_read_change(struct cell_store_bytes key, uint64_t *ret_version, uint32_t *ret_n);
bool layout_read_answer(struct cell_store_bytes key, uint64_t *ret_version);
bool layout_read_prepared(struct cell_store_bytes key, const uint8_t **ret_txn);

/* Bytes of a key before its row's own, to say how long that may be. */
#define LAYOUT_ROWS_SIZE  5
#define LAYOUT_INDEX_SIZE 7
