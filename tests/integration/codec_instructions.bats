#!/usr/bin/env bats
# How many instructions the codec of a struct takes, beside protobuf-c's for the same bytes:
# bank_expanded.c's receipt, { int64 balance; string owner; enum status; }. Two runs that differ
# in their number of rounds are subtracted.
#
#                  ours  protobuf-c, malloc    measured (gcc 12, x86-64)
#   encode          143    660
#   decode          241   1155
#
# Ours must stay below a third of the other.

setup() {
	command -v valgrind >/dev/null || skip "NOTHING IS COUNTED: valgrind is not installed"
	command -v protoc-c >/dev/null || skip "NOTHING IS COUNTED: protoc-c is not installed"
	! grep -qE '^clang|-fsanitize=|--coverage|-O0' "$CELL_BUILD/flags" ||
		skip "NOTHING IS COUNTED: this build is not the one that is installed"
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-codec.XXXXXX")
}

teardown() {
	[ -z "${dir:-}" ] || rm -rf "$dir"
}

# count WHICH WHAT: sets $count to instructions of one round
count() {
	local few many n
	for n in 1000 11000; do
		valgrind --tool=callgrind --callgrind-out-file="$dir/$n" "$dir/loop" "$1" "$2" "$n" \
			2>"$dir/log" || { cat "$dir/log"; return 1; }
	done
	few=$(sed -n 's/^totals: //p' "$dir/1000")
	many=$(sed -n 's/^totals: //p' "$dir/11000")
	count=$(((many - few) / 10000))
}

@test "the codec of a struct takes less than a third of protobuf-c's instructions" {
	cd "$dir"
	sed 's/^import .*//; s/optional //; /^service/,/^}/d' "$CELL_TOP/tests/lib/bank.proto" >bank.proto
	protoc-c --c_out=. bank.proto
	cat >loop.c <<'C'
#include "bank.pb-c.h"
#include <cell/cell.h>
#include <stdlib.h>

struct receipt { int64_t balance; const char *owner; int status; };
extern const struct cell_message_type cell_receipt_type;
static const struct receipt sent = { 250000, "Ada Lovelace", 1 };
static uint8_t bytes[256], copy[256];
static volatile size_t sink;

static size_t ours(void)
{
	size_t bound = cell_receipt_type.bound(&sent);

	return bound > sizeof bytes ? 0 : (size_t)(cell_receipt_type.encode(&sent, bytes) - bytes);
}

static size_t theirs(void)
{
	Cell__Bank__V1__Receipt receipt = CELL__BANK__V1__RECEIPT__INIT;

	receipt.balance = sent.balance;
	receipt.owner = (char *)sent.owner;
	receipt.status = CELL__BANK__V1__STATUS__STATUS_CLOSED;
	if (cell__bank__v1__receipt__get_packed_size(&receipt) > sizeof bytes)
		return 0;
	return cell__bank__v1__receipt__pack(&receipt, bytes);
}

static void decode(size_t len, int is_ours)
{
	struct cell_arena arena = { 0 };
	struct cell_error err;
	struct receipt got;

	if (is_ours) {
		memcpy(copy, bytes, len);
		if (cell_receipt_type.decode(&got, copy, len, CELL_DECODE_IN_PLACE, &arena, &err))
			abort();
		sink += (size_t)got.balance;
	} else {
		Cell__Bank__V1__Receipt *one = cell__bank__v1__receipt__unpack(NULL, len, bytes);

		sink += (size_t)one->balance;
		cell__bank__v1__receipt__free_unpacked(one, NULL);
	}
}

int main(int argc, char **argv)
{
	const int is_ours = argc > 3 && argv[1][0] == 'o', encodes = argv[2][0] == 'e';
	size_t len = ours(), other;

	memcpy(copy, bytes, len);
	other = theirs();
	if (len != other || memcmp(copy, bytes, len)) /* the same bytes */
		return 1;
	for (int i = atoi(argv[3]); i > 0; i--) {
		if (encodes)
			sink += is_ours ? ours() : theirs();
		else
			decode(len, is_ours);
	}
	return 0;
}
C
	gcc -std=gnu2x -O2 -D_GNU_SOURCE -I. -I"$CELL_TOP/core/include" -I"$CELL_BUILD/gen" -o loop \
		loop.c bank.pb-c.c "$CELL_TOP/tests/lib/bank_expanded.c" "$CELL_BUILD/lib/libcell.a" \
		-lev -lprotobuf-c -lsodium -linih -lpthread
	for what in encode decode; do
		count ours "$what"
		ours=$count
		count theirs "$what"
		echo "$what: $ours of $count" | tee /dev/fd/3
		[ "$ours" -gt 0 ]
		[ $((3 * ours)) -lt "$count" ]
	done
}
