#!/usr/bin/env bats
# Many at once: deposits that are all counted, transfers of which nobody sees a half.

load "$CELL_TOP/tests/lib/node"
load "$CELL_TOP/tests/lib/chaos"

setup_file() { chaos_build; }
teardown_file() { chaos_forget; }
setup() { chaos_start; }
teardown() { chaos_stop; }

@test "nobody sees a half of a transfer, and one that fails half-way leaves nothing" {
	local i sum=0 moves times=${CELL_CHAOS_MOVES:-500} moved failed poor lost by_row by_scan
	"$chaos/client" open
	load=
	for i in 1 2; do
		"$chaos/client" watch "$dir/end" >"$dir/watch.$i" 2>&1 3>&- &
		load="$load $!"
	done
	for i in 1 2 3; do
		"$chaos/client" move $((seed + i)) "$times" >"$dir/move.$i" 2>&1 3>&- &
		movers="$movers $!"
	done
	for i in $movers; do
		wait "$i" || { cat "$dir"/move.*; kill $movers; false; }
	done
	: >"$dir/end"
	for i in $load; do
		wait "$i" || { cat "$dir"/watch.*; false; }
	done
	load=
	for i in 1 2 3; do
		read -r moved failed poor lost <"$dir/move.$i"
		[ "$moved" -gt 0 ] && [ "$failed" -gt 0 ]
		sum=$((sum + moved))
	done
	for i in 1 2; do
		read -r by_row by_scan lost <"$dir/watch.$i"
		[ "$by_row" -gt 0 ] && [ "$by_scan" -gt 0 ]
	done
	# Its state was part of each transaction: what failed has not counted.
	moves=$(cell call counter move '{"from": 0, "to": 1}' | jq -r .moves)
	[ "$moves" -eq $((sum + 1)) ]
	[ "$(cell db scan vault --json | jq -s 'map(.money | tonumber) | add')" -eq 800 ]
	echo "# seed $seed; moved, failed half-way, too poor, lost: $(cat "$dir"/move.* | tr '\n' ';')" \
		"by row, by scan, lost: $(cat "$dir"/watch.* | tr '\n' ';')" >&3
}

@test "nobody sees a half of a transfer while everybody is killed" {
	local i who by_row by_scan lost
	"$chaos/client" open
	load=
	for i in 1 2; do
		"$chaos/client" watch "$dir/end" kills >"$dir/watch.$i" 2>&1 3>&- &
		load="$load $!"
	done
	for i in 1 2; do
		"$chaos/client" move $((seed + i)) $((200000000)) kills >"$dir/move.$i" 2>&1 3>&- &
		load="$load $!"
	done
	for i in $(seq "${CELL_CHAOS_KILLS:-6}"); do
		case $((RANDOM % 3)) in
		0) who=counter ;;
		1) who=celldb ;;
		2) who="counter celldb" ;;
		esac
		# shellcheck disable=SC2086 # two words are two cells
		chaos_kill $who
		chaos_up
		# All of them are at it again.
		cell call counter move '{"from": 0, "to": 1}' >/dev/null || true
	done
	: >"$dir/end"
	# shellcheck disable=SC2086
	set -- $load
	kill "$3" "$4"
	wait "$3" "$4" || true
	wait "$1" || { cat "$dir"/watch.*; false; }
	wait "$2" || { cat "$dir"/watch.*; false; }
	load=
	for i in 1 2; do
		tail -1 "$dir/watch.$i" >"$dir/last"
		read -r by_row by_scan lost <"$dir/last"
		[ "$by_row" -gt 0 ] && [ "$by_scan" -gt 0 ]
	done
	[ "$(cell db scan vault --json | jq -s 'map(.money | tonumber) | add')" -eq 800 ]
	echo "# seed $seed; by row, by scan, lost: $(tail -qn1 "$dir"/watch.* | tr '\n' ';')" >&3
}

@test "deposits of eight programs at once are all counted" {
	local times=${CELL_CHAOS_DEPOSITS:-800} bank=$dir/bank began
	cp -r "$CELL_TOP/cells/examples/bank" "$bank"
	cell -q run macro
	cell -q run telemetry
	(cd "$bank" && cell -q build >"$dir/made" 2>&1) || { cat "$dir/made"; false; }
	began=$EPOCHREALTIME
	(cd "$bank" && DEPOSITS=$((times / 8)) sh tests/deposits.sh)
	echo "# $times deposits and what else is in the test: $(chaos_seconds "$began") s" >&3
}
