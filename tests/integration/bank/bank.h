/* What the bank and its callers say to each other: every kind of member there is. */
#pragma once

#include <cell/cell.h>

/* How an account stands. */
enum standing { STANDING_UNKNOWN, STANDING_OPEN, STANDING_FROZEN = 5 };

/* Money for an account. */
struct [[cell::message]] deposit {
	uint64_t account; /* 1 to 8 */
	[[validate::range(1, 1000000)]] int64_t amount;
};

/* What is in an account then. */
struct [[cell::message]] receipt { int64_t balance; const char *owner; };

struct [[cell::message]] filter { bool has_min_balance; int64_t min_balance; };

/* Who holds an account. */
struct [[cell::message]] holder {
	[[validate::length(1, 40)]] const char *name; /* as in the passport */
	bool has_born;
	int32_t born;
};

struct [[cell::message]] limit { const char *key; struct holder value; };

/* All that is known of an account. */
struct [[cell::message]] profile {
	uint64_t account;
	struct holder holder;
	const struct holder *heir; /* NULL: the state */
	enum standing standing;
	size_t n_tags;
	const char *const *tags;
	size_t n_photo;
	const uint8_t *photo;
	size_t n_was;
	const enum standing *was;
	size_t n_history;
	const int64_t *history;
	size_t n_others;
	const struct holder *others;
	size_t n_keys;
	const struct cell_bytes *keys;
	size_t n_limits;
	[[cell::map]] const struct limit *limits; /* by country */
	char currency[3];
	uint8_t iban[16];
	int32_t quarters[4];
	bool has_rate;
	double rate;
	bool has_note;
	const char *note;
	bool has_seal;
	size_t n_seal;
	const uint8_t *seal;
	float weight;
	bool is_vip;
	int32_t delta;
	uint32_t visits;
};

/* Its state: one per instance. */
struct [[cell::service("bank")]] bank {
	int64_t balances[9];
	bool is_open;
};
