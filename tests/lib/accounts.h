/*
 * A table as db::table would make it of
 *
 *	struct [[db::table]] account {
 *		[[db::key]] uint64_t id;
 *		[[db::unique]] const char *owner;
 *		[[db::check(balance >= 0)]] int64_t balance;
 *		[[db::index]] bool has_city; const char *city;
 *		[[db::computed(balance * 2)]] int64_t twice;
 *	};
 *
 * one with a serial number and defaults, and one for many rows: account without indexes.
 */
#pragma once

#include <cell/table.h>
#include <table.cell.h>

struct account {
	uint64_t id;
	const char *owner;
	int64_t balance;
	bool has_city;
	const char *city;
	int64_t twice;
};

enum { ACCOUNT_BY_ID, ACCOUNT_BY_OWNER, ACCOUNT_BY_CITY };

struct ticket {
	uint32_t id;          /* serial */
	const char *state;    /* default "new" */
	bool has_made_at;
	int64_t made_at;      /* default now() */
	uint8_t token[16];    /* default uuid() */
	bool has_seats;
	uint32_t seats;       /* default 2 */
};

/* What databases are told of them: [0] account, [1] ticket, [2] bulk. */
extern const struct table_table accounts_told[3];

/* At the cell "celldb", and the same at "postgres". accounts_init() fills in versions. */
extern struct cell_table account_table, far_account_table, ticket_table, bulk_table;
void accounts_init(void);

static inline int account_get(struct cell_call *call, uint64_t id, struct account *ret)
{
	return cell_table_get(call, &account_table, ACCOUNT_BY_ID, &(struct account){ .id = id }, ret);
}

static inline int account_by_owner(struct cell_call *call, const char *owner, struct account *ret)
{
	return cell_table_get(call, &account_table, ACCOUNT_BY_OWNER,
			      &(struct account){ .owner = owner }, ret);
}

static inline int account_put(struct cell_call *call, const struct account *account)
{
	return cell_table_put(call, &account_table, account);
}
