/* What transactions and their cursors share. */
#pragma once

#include "inside.h"

/* The first error of TXN again, or that it has ended; 0 = go on. */
int txn_begin_failed(const struct cell_store_txn *txn, struct cell_error *err);

/* CODE and TEXT happened in TXN: a write transaction is inert from here on. Returns CODE. */
int txn_fail(struct cell_store_txn *txn, int code, struct cell_error *err,
	     const struct cell_error *text);
/* The same with LMDB's RC. */
int txn_fail_rc(struct cell_store_txn *txn, int rc, const char *doing,
		struct cell_error *err);

/* *ret_value out of what is STORED under KEY; CELL_DATA_LOSS if its checksum is another. */
int txn_take(struct cell_store_txn *txn, struct cell_store_bytes key,
	     struct cell_store_bytes stored, struct cell_store_bytes *ret_value,
	     struct cell_error *err);
