/*
 * One moment of the database, as whoever reads or writes sees it.
 */
#pragma once

#include "catalog.h"

#include <cell/internal/table/seal.h>
#include <cell/store.h>

struct view {
	struct cell_store_txn *txn;
	struct catalog *catalog;
	struct seal *seal; /* keys of encrypted columns */
};
