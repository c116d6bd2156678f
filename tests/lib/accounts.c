#include "accounts.h"

#include "memdb.h"

#define TOLD_TEXT TABLE_COLUMN_TYPE_TEXT
#define TOLD_INT64 TABLE_COLUMN_TYPE_INT64

static const struct table_column account_told[] = {
	{ .number = 1, .name = "id", .type = TABLE_COLUMN_TYPE_UINT64 },
	{ .number = 2, .name = "owner", .type = TOLD_TEXT },
	{ .number = 3, .name = "balance", .type = TOLD_INT64 },
	{ .number = 5, .name = "city", .type = TOLD_TEXT, .nullable = true },
	{ .number = 4, .name = "twice", .type = TOLD_INT64, .computed = "balance * 2" },
};
static const struct table_index account_indexes[] = {
	{ .name = "owner", .n_columns = 1, .columns = (const uint32_t[]){ 2 }, .unique = true },
	{ .name = "city", .n_columns = 1, .columns = (const uint32_t[]){ 5 } },
};
static const struct table_check account_checks[] = {
	{ .text = "balance >= 0", .column = "balance" },
};

static const struct table_column ticket_told[] = {
	{ .number = 1, .name = "id", .type = TABLE_COLUMN_TYPE_UINT32, .serial = true },
	{ .number = 2, .name = "state", .type = TOLD_TEXT, .fallback = "\"new\"" },
	{ .number = 3, .name = "made_at", .type = TOLD_INT64, .nullable = true, .fallback = "now()" },
	{ .number = 4, .name = "token", .type = TABLE_COLUMN_TYPE_BYTES, .length = 16, .fixed = true,
	  .fallback = "uuid()" },
	{ .number = 5, .name = "seats", .type = TABLE_COLUMN_TYPE_UINT32, .nullable = true,
	  .fallback = "2" },
};

const struct table_table accounts_told[3] = {
	{ .store = "bank", .name = "account", .n_columns = 5, .columns = account_told,
	  .key = &(const struct table_index){ .n_columns = 1, .columns = (const uint32_t[]){ 1 } },
	  .n_indexes = 2, .indexes = account_indexes, .n_checks = 1, .checks = account_checks },
	{ .store = "bank", .name = "ticket", .n_columns = 5, .columns = ticket_told,
	  .key = &(const struct table_index){ .n_columns = 1, .columns = (const uint32_t[]){ 1 } } },
	{ .store = "bank", .name = "bulk", .n_columns = 5, .columns = account_told,
	  .key = &(const struct table_index){ .n_columns = 1, .columns = (const uint32_t[]){ 1 } } },
};

#define COLUMN_HAS(tag, member_, number_, kind_, has_, ...)                          \
	{ .name = #member_, .number = (number_), .kind = CELL_COLUMN_##kind_,        \
	  .offset = offsetof(struct tag, member_), .has_offset = (has_),             \
	  .count_offset = UINT32_MAX, .size = sizeof(((struct tag *)0)->member_), __VA_ARGS__ }
#define COLUMN(tag, member_, number_, kind_, ...)                                    \
	COLUMN_HAS(tag, member_, number_, kind_, UINT32_MAX, __VA_ARGS__)
#define NULLABLE(tag, member_, number_, kind_, ...)                                  \
	COLUMN_HAS(tag, member_, number_, kind_, offsetof(struct tag, has_##member_), __VA_ARGS__)

static const struct cell_column account_columns[] = {
	COLUMN(account, id, 1, UINT64),
	COLUMN(account, owner, 2, TEXT),
	COLUMN(account, balance, 3, INT64),
	NULLABLE(account, city, 5, TEXT),
	COLUMN(account, twice, 4, INT64, .flags = CELL_COLUMN_COMPUTED),
};
static const struct cell_table_key account_keys[] = {
	{ "id", (const uint16_t[]){ 0 }, 1, true },
	{ "owner", (const uint16_t[]){ 1 }, 1, true },
	{ "city", (const uint16_t[]){ 3 }, 1, false },
};

static const char *const ticket_state = "new";
static const uint32_t ticket_seats = 2;
static const struct cell_column ticket_columns[] = {
	COLUMN(ticket, id, 1, UINT32, .flags = CELL_COLUMN_SERIAL),
	COLUMN(ticket, state, 2, TEXT, .fallback = &ticket_state),
	NULLABLE(ticket, made_at, 3, INT64, .flags = CELL_COLUMN_NOW),
	COLUMN(ticket, token, 4, BLOCK, .flags = CELL_COLUMN_UUID),
	NULLABLE(ticket, seats, 5, UINT32, .fallback = &ticket_seats),
};

static struct cell_ref celldb_ref = CELL_REF("celldb");
static struct cell_ref postgres_ref = CELL_REF("postgres");

struct cell_table account_table = {
	.ref = &celldb_ref, .store = "bank", .name = "account", .row_size = sizeof(struct account),
	.columns = account_columns, .n_columns = 5, .keys = account_keys, .n_keys = 3,
};
struct cell_table far_account_table, bulk_table;
struct cell_table ticket_table = {
	.ref = &celldb_ref, .store = "bank", .name = "ticket", .row_size = sizeof(struct ticket),
	.columns = ticket_columns, .n_columns = 5, .keys = account_keys, .n_keys = 1,
};

void accounts_init(void)
{
	account_table.version = memdb_version(&accounts_told[0]);
	ticket_table.version = memdb_version(&accounts_told[1]);
	bulk_table = account_table;
	bulk_table.name = "bulk";
	bulk_table.n_keys = 1;
	bulk_table.version = memdb_version(&accounts_told[2]);
	far_account_table = account_table;
	far_account_table.ref = &postgres_ref;
}
