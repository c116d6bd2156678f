#!/usr/bin/env bats
# The smallest cell, and load on it: started on demand, retired, killed.

setup() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-greeter.XXXXXX")
	export CELL_RUNDIR=$dir/run CELL_STATEDIR=$dir/state
	cellcore --rundir "$CELL_RUNDIR" --statedir "$CELL_STATEDIR" >"$dir/log" 2>&1 3>&- &
	core=$!
	until cell ps >/dev/null 2>&1; do
		kill -0 "$core" || { cat "$dir/log"; return 1; }
		sleep 0.02
	done
}

teardown() {
	kill "$core" 2>/dev/null && wait "$core" || true
	rm -rf "$dir"
}

pids_of() { cell ps --json | jq -r ".. | objects | select(.cell? == \"$1\" and .pid > 0) | .pid"; }

# field NAME: of the pinger's report in $dir/report
field() { jq -r ".$1" "$dir/report"; }

# adds_up N: N calls were sent, and what became of each is known
adds_up() {
	[ "$(field sent)" -eq "$1" ]
	[ "$(field in_flight)" -eq 0 ]
	[ "$(field failed)" -eq "$(jq '[.outcomes[].count] | add // 0' "$dir/report")" ]
	[ "$(field sent)" -eq $(($(field ok) + $(field failed))) ]
}

@test "greets, started on demand" {
	run cell greeter Ada
	[ "$status" -eq 0 ]
	[ "$output" = "Hello, Ada!" ]
	[ "$(pids_of greeter | wc -l)" -eq 1 ]
}

@test "greets all who are named, in one greeting" {
	run cell greeter Ada Grace Barbara
	[ "$output" = "Hello, Ada, Grace, Barbara!" ]
}

@test "streams many greetings, counted by the instance" {
	run cell greeter --json -n 3 Ada
	[ "$status" -eq 0 ]
	[ "$(printf '%s\n' "$output" | jq -s -c 'map(.number)')" = "[1,2,3]" ]
	[ "$(cell greeter -n 20000 Ada | sort | uniq -c | awk '{ print $1 }')" -eq 20000 ]
}

@test "refuses no name and too long a name, and says why" {
	run cell greeter ""
	[ "$status" -eq 2 ]
	[ "$output" = "cell greeter: a greeting needs a name" ]
	run cell greeter "$(printf 'x%.0s' $(seq 257))"
	[ "$status" -eq 2 ]
	[[ $output == *"a name of 257 bytes, limit 256"* ]]
}

@test "refuses names that do not fit into one greeting" {
	name=$(printf 'x%.0s' $(seq 250))
	names=()
	for _ in $(seq 20); do names+=("$name"); done
	run cell greeter "${names[@]}"
	[ "$status" -eq 1 ]
	[[ $output == *"do not fit into 4096 bytes"* ]]
}

@test "the pinger counts every call" {
	cell pinger --rate 2000 --duration 1s --json greeter >"$dir/report"
	adds_up 2000
	[ "$(field ok)" -eq 2000 ]
	[ "$(field latency_ns.min)" -le "$(field latency_ns.p50)" ]
	[ "$(field latency_ns.p50)" -le "$(field latency_ns.p99)" ]
	[ "$(field latency_ns.p99)" -le "$(field latency_ns.max)" ]
}

@test "retiring instances loses no call" {
	cell greeter Ada
	cell pinger --rate 1000 --duration 3s --once --json greeter >"$dir/report" &
	for _ in 1 2 3; do
		sleep 0.6
		cell retire greeter
	done
	wait $!
	adds_up 3000
	[ "$(field ok)" -eq 3000 ]
}

@test "killing an instance loses no idempotent call" {
	cell greeter Ada
	cell pinger --rate 1000 --duration 2s --json greeter >"$dir/report" &
	sleep 0.7
	pids_of greeter | xargs kill -9
	wait $!
	adds_up 2000
	[ "$(field ok)" -eq 2000 ]
}

@test "killing an instance fails at most what it had taken" {
	cell greeter Ada
	cell pinger -c 16 --duration 2s --once --json greeter >"$dir/report" &
	sleep 0.7
	pids_of greeter | xargs kill -9
	wait $! || true
	adds_up "$(field sent)"
	[ "$(field failed)" -le 16 ]
	[ "$(jq -r '[.outcomes[].status] | unique | join(" ")' "$dir/report")" != INTERNAL ]
}

@test "the pinger may call only whom its manifest lists" {
	run cell pinger --duration 50ms --json pinger
	[ "$status" -eq 1 ]
	printf '%s\n' "$output" >"$dir/report"
	[ "$(field 'outcomes[0].status')" = PERMISSION_DENIED ]
	[[ $(field 'outcomes[0].text') == *'has no [uses] pinger'* ]]
}

@test "an interrupted pinger reports what it did" {
	cell pinger --rate 100 --duration 0 --json greeter >"$dir/report" &
	pinger=$!
	sleep 1
	kill -INT "$pinger"
	wait "$pinger"
	adds_up "$(field sent)"
	[ "$(field ok)" -gt 0 ]
}

@test "the pinger calls from its own command, too" {
	cell pinger --from-here -c 8 --method greet --size 10 --duration 300ms --json greeter >"$dir/report"
	adds_up "$(field sent)"
	[ "$(field failed)" -eq 0 ]
	[ -z "$(pids_of pinger)" ]
}
