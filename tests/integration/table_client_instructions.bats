#!/usr/bin/env bats
# How many instructions the client's side of tables takes, in user space, over a Unix stream:
# as instructions.bats does for calls.
#
#                                    measured (gcc 12, x86-64)
#   get of a row of five columns       3720   of which 2300 are the call's
#   get and put in a transaction       9330   two calls
#   a row of a scan                    1400   in items of 100; half of it decodes the row
#
# Bounds are 15 % above. Who makes one cheaper lowers them, and the table.

setup() {
	command -v valgrind >/dev/null || skip "NOTHING IS COUNTED: valgrind is not installed"
	[ "$(uname -m)" = x86_64 ] || skip "NOTHING IS COUNTED: the bounds are those of x86-64"
	# The first word is the compiler; the rest are the flags of this build.
	! grep -qE '^clang|-fsanitize=|--coverage|-O0' "$CELL_BUILD/flags" ||
		skip "NOTHING IS COUNTED: this build is not the one that is installed"
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-table-instructions.XXXXXX")
	export CELL_WAKE=sleep CELL_LOG=err
}

teardown() {
	[ -z "${dir:-}" ] || rm -rf "$dir"
}

# run_loop KIND N: prints what the client executed
run_loop() {
	valgrind --tool=callgrind --callgrind-out-file="$dir/%p" table_loop "$1" "$2" \
		>"$dir/pid" 2>"$dir/log" || { cat "$dir/log" >&2; return 1; }
	sed -n 's/^totals: //p' "$dir/$(head -n 1 "$dir/pid")"
}

# takes KIND FEW MANY EACH MOST: the best of three is at most MOST, EACH to a round
takes() {
	for _ in 1 2 3; do
		few=$(run_loop "$1" "$2")
		many=$(run_loop "$1" "$3")
		each=$(((many - few) / (($3 - $2) * $4)))
		echo "instructions of a $1: $each (at most $5)"
		# A count that small would mean that the loop did not run.
		[ "$each" -gt 100 ]
		[ "$each" -gt "$5" ] || return 0
	done
	return 1
}

@test "a get takes no more instructions than it did" {
	takes get 200 1200 1 4280
}

@test "a transaction takes no more instructions than it did" {
	takes deposit 200 1200 1 10730
}

@test "a row of a scan takes no more instructions than it did" {
	takes scan 2 12 1000 1610
}
