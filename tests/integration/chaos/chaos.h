/* What the cell counter keeps and says, for it and for those that watch it. */
#pragma once

#include <cell/cell.h>

#define VAULTS	   8
#define VAULT_MONEY 100 /* in each, to begin with */

struct [[db::table]] tally {
	[[db::key]] int32_t id;
	uint64_t n;
};

struct [[db::table]] vault {
	[[db::key]] int32_t id;
	[[db::check(money >= 0)]] int64_t money;
};

struct [[db::table]] thing {
	[[db::key]] uint64_t id;
	size_t n_bytes;
	const uint8_t *bytes;
};

struct [[cell::message]] step { uint64_t by; };
struct [[cell::message]] total { uint64_t n; };

/* From one vault to another; if it fails it does so when one of them is written. */
struct [[cell::message]] transfer { int32_t from, to; int64_t money; bool fails; };
struct [[cell::message]] moved { uint64_t moves; };
