#!/usr/bin/env bats
# kill -9 of a program with tables, of its database, and of the whole node: nothing that was
# acknowledged is lost, and nothing that was not sent is there.

load "$CELL_TOP/tests/lib/node"
load "$CELL_TOP/tests/lib/chaos"

setup_file() { chaos_build; }
teardown_file() { chaos_forget; }
setup() { chaos_start; }
teardown() { chaos_stop; }

# acknowledged: how many increments of both kinds, so far
acknowledged() {
	local state row rest
	read -r state rest row rest <"$dir/bounds" || true
	echo $((10#${state:-0} + 10#${row:-0}))
}

# more N: wait until the client has so many more
more() {
	local until_n=$(($(acknowledged) + $1))
	until [ "$(acknowledged)" -ge $until_n ]; do
		kill -0 "$load" || { cat "$dir/out"; return 1; }
	done
}

@test "killed at any moment, no increment is lost or made up" {
	local kills=${CELL_CHAOS_KILLS:-10} times=${CELL_CHAOS_COUNT:-1000} i who
	: >"$dir/bounds"
	"$chaos/client" count "$dir/bounds" "$times" "$dir/end" >"$dir/out" 2>&1 3>&- &
	load=$!
	for i in $(seq "$kills"); do
		more $((1 + RANDOM % (times / kills)))
		case $((RANDOM % 3)) in
		0) who=counter ;;
		1) who=celldb ;;
		2) who="counter celldb" ;;
		esac
		# shellcheck disable=SC2086 # two words are two cells
		chaos_kill $who
		# The node waits longer each time, and gives up who dies too often.
		chaos_up
	done
	: >"$dir/end"
	wait "$load" || { cat "$dir/out"; false; }
	load=
	"$chaos/client" check "$dir/bounds"
	echo "# $kills kills, seed $seed: $(cat "$dir/out")" >&3
}
