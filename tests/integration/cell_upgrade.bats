#!/usr/bin/env bats
# cellcore executes itself in place, and nobody notices.

load "$CELL_TOP/tests/lib/node"

setup() { node_start; }
teardown() { node_stop; }

@test "upgrades under load and loses no call" {
	cell -q run greeter
	cell -q run pinger
	greeter=$(node_pids greeter)
	cell pinger --once --rate 500 --duration 4s --json greeter >"$dir/inside" 3>&- &
	inside=$!
	cell pinger --from-here --once --rate 500 --duration 4s --json greeter >"$dir/outside" 3>&- &
	outside=$!
	until [ "$(cell call greeter stats | jq -r '[.methods[] | select(.method | endswith("/Ping")) | .calls // "0" | tonumber] | add')" -gt 100 ]; do
		[ "$((tries++))" -lt 500 ]
	done
	for i in 1 2 3 4 5; do
		run cell upgrade --json
		[ "$status" -eq 0 ]
		[ "$(jq -r '"\(.pid) \(.generation)"' <<<"$output")" = "$core $i" ]
		# Who comes after it is served as before.
		[ "$(cell greeter Ada)" = "Hello, Ada!" ]
	done
	kill -0 "$inside" "$outside" # there was load all the time
	wait "$inside"
	wait "$outside"
	[ "$(jq -c '[.sent, .ok, .failed]' "$dir/inside")" = '[2000,2000,0]' ]
	[ "$(jq -c '[.sent, .ok, .failed]' "$dir/outside")" = '[2000,2000,0]' ]
	[ "$(node_pids greeter)" = "$greeter" ]
	[ "$(cell ps greeter --json | jq '.instances[0].restarts')" -eq 0 ]
}

@test "tells what happened, and what it cannot execute" {
	run cell upgrade "$CELL_BUILD/bin/cellcore"
	[ "$status" -eq 0 ]
	[[ $output == "cell upgrade: test"*" goes on with cellcore "*" (pid $core, executed in place 1 time)" ]]
	run cell upgrade /bin/true
	[ "$status" -eq 1 ]
	[[ $output == *"/true cannot take over: it is no cellcore, or one whose table differs"* ]]
	run cell upgrade "$dir/cellcore"
	[ "$status" -eq 3 ]
	[[ $output == *"no program at '$dir/cellcore': No such file or directory"* ]]
	: >"$dir/text"
	run cell upgrade "$dir/text"
	[ "$status" -eq 3 ]
	run cell upgrade --json
	[ "$(jq .generation <<<"$output")" -eq 2 ]
	run cell upgrade one two
	[ "$status" -eq 2 ]
}
