#!/usr/bin/env bats
# The coordinator of two-phase commit, its command, and what it does when it is killed. Two
# participants stand in for celldb and postgres; they keep what they are told in files.

load "$CELL_TOP/tests/lib/node"

setup() {
	cells=$(mktemp -d "${TMPDIR:-/tmp}/cell-cells.XXXXXX")
	chmod 755 "$cells"
	for cell in celldb postgres; do
		printf '[cell]\nname = %s\nexec = %s %s\n' $cell "$(command -v participant_cell)" $cell \
			>"$cells/$cell.cell"
	done
	cp "$CELL_BUILD/cells/txn/txn" "$CELL_BUILD/cells/txn/txn.cell" "$cells"
	node_start "cells = $cells" "sandbox = none"
}

teardown() {
	node_stop
	rm -rf "$cells"
}

# begin [MS]: a transaction of both, prepared: $txn as base64, $id as in `cell txn`
begin() {
	txn=$(cell call txn begin "{\"participants\": [\"celldb\", \"postgres\"], \"timeout_ms\": ${1:-0}}" | jq -r .txn)
	id=$(printf %s "$txn" | base64 -d | od -An -v -tx1 | tr -d ' \n')
	for cell in celldb postgres; do
		cell call $cell prepare "{\"txn\": \"$txn\", \"coordinator\": \"txn\"}" >/dev/null
		[ -e "$CELL_STATEDIR/$cell/$id.prepared" ]
	done
}

commit() { cell call txn commit "{\"txn\": \"$txn\"}"; }
outcome() { cell call txn outcome "{\"txn\": \"$txn\"}" | jq -r '.state // "STATE_ABORTED"'; }

# await FILE...: until they are there
await() {
	for file in "$@"; do
		until [ -e "$file" ]; do kill -0 "$core"; done
	done
}

@test "a commit reaches both, and is answered with their versions" {
	begin
	[ "$(cell txn list --json | jq -r '.transactions[0] | .txn, .state, (.waiting | join(" "))')" = "$id
pending
celldb postgres" ]
	[ "$(outcome)" = STATE_PENDING ]
	# The first answer comes after a second at the latest, whether both know it or not.
	until [ "$(commit | jq -r '[.told[] | .participant + .version] | join(" ")')" = "celldb42 postgres42" ]; do
		kill -0 "$core"
	done
	[ -e "$CELL_STATEDIR/celldb/$id.commit" ] && [ -e "$CELL_STATEDIR/postgres/$id.commit" ]
	[ "$(outcome)" = STATE_COMMITTED ]
	# Asked again, as when the answer was lost.
	[ "$(commit | jq -r '.told | length')" = 2 ]
	run cell txn list
	[ "$status" -eq 0 ]
	[[ "$output" == *": 0 under way; since it started 1 committed, 0 aborted" ]]
	run cell txn show "$id"
	[ "$status" -eq 3 ]
}

@test "given up by hand, or by time, it leaves nothing prepared" {
	begin 30000
	run cell txn show "${id:0:6}"
	[[ "$output" == *"state    pending"*"owner    a program outside of any cell"*"celldb, postgres"* ]]
	run cell txn abort "${id:0:6}"
	[ "$status" -eq 0 ]
	until [ ! -e "$CELL_STATEDIR/celldb/$id.prepared" ] && [ ! -e "$CELL_STATEDIR/postgres/$id.prepared" ]; do
		kill -0 "$core"
	done
	run commit
	[ "$status" -eq 7 ]
	[[ "$output" == *"was given up"* ]]
	begin
	until [ "$(outcome)" = STATE_ABORTED ]; do kill -0 "$core"; done
	until [ ! -e "$CELL_STATEDIR/celldb/$id.prepared" ]; do kill -0 "$core"; done
	run commit
	[ "$status" -eq 7 ]
	[ "$(cell txn list --json | jq .aborted)" = 2 ]
}

@test "who cannot be told is told later, also by the next coordinator" {
	begin
	touch "$CELL_STATEDIR/postgres/deaf"
	# Answered after a second at the latest, with what is known.
	[[ "$(commit | jq -r '[.told[] | .participant + (.version // "-")] | join(" ")')" == "celldb"*" postgres-" ]]
	run cell txn show "$id"
	[[ "$output" == *"state    committed"*"to tell  "*"postgres" ]]
	run cell txn abort "$id"
	[ "$status" -eq 1 ]
	[[ "$output" == *"is committed, which cannot be taken back"* ]]
	# It is killed, and everything with it; what was decided stays decided.
	kill -9 "$(node_pids txn)" "$(node_pids postgres)"
	until [ "$(outcome)" = STATE_COMMITTED ]; do kill -0 "$core"; done
	[ ! -e "$CELL_STATEDIR/postgres/$id.commit" ]
	[ "$(cell txn list --json | jq -r '.transactions[0].waiting | index("postgres") >= 0')" = true ]
	rm "$CELL_STATEDIR/postgres/deaf"
	await "$CELL_STATEDIR/postgres/$id.commit"
	until [ "$(cell txn list --json | jq '.transactions | length')" = 0 ]; do kill -0 "$core"; done
}

@test "killed before it decided, it has given up" {
	begin 30000
	kill -9 "$(node_pids txn)"
	run commit
	[ "$status" -eq 7 ]
	[ "$(outcome)" = STATE_ABORTED ]
}

@test "killed at any moment of many commits, no answer was wrong" {
	local i killed=0
	for i in $(seq 30); do
		begin 30000
		if [ $((i % 3)) -eq 0 ]; then
			commit >"$dir/answer" 2>/dev/null &
			committing=$!
			kill -9 "$(node_pids txn)" 2>/dev/null && killed=$((killed + 1))
			wait "$committing" && answer=0 || answer=$?
			# A node gives up a cell that dies five times in a minute; one that is
			# ending cannot be run yet.
			until cell -q run txn 2>/dev/null; do kill -0 "$core"; done
		else
			commit >"$dir/answer" && answer=0 || answer=$?
		fi
		# Acknowledged is committed; "given up" is given up; else the next one says which.
		case $answer in
		0) [ "$(outcome)" = STATE_COMMITTED ] ;;
		7) [ "$(outcome)" = STATE_ABORTED ] ;;
		esac
		if [ "$(outcome)" = STATE_COMMITTED ]; then
			await "$CELL_STATEDIR/celldb/$id.commit" "$CELL_STATEDIR/postgres/$id.commit"
		else
			[ ! -e "$CELL_STATEDIR/celldb/$id.commit" ] && [ ! -e "$CELL_STATEDIR/postgres/$id.commit" ]
		fi
	done
	[ "$killed" -gt 5 ]
}

@test "more commits at once than may wait: no answer was wrong" {
	# Each that waits does so for a second.
	cell -q run postgres
	touch "$CELL_STATEDIR/postgres/deaf"
	run commit_many 300 celldb postgres
	[ "$status" -eq 0 ]
	# Those that come when the first have been answered already may wait as well.
	[[ "$output" =~ ^([0-9]+)\ committed,\ ([0-9]+)\ given\ up$ ]]
	[ "${BASH_REMATCH[1]}" -ge 128 ]
	[ $((BASH_REMATCH[1] + BASH_REMATCH[2])) -eq 300 ]
	# And without that, all together.
	rm "$CELL_STATEDIR/postgres/deaf"
	until [ "$(cell txn list --json | jq '.transactions | length')" = 0 ]; do kill -0 "$core"; done
	run commit_many 100 celldb postgres
	[ "$output" = "100 committed, 0 given up" ]
}

@test "requests that make no sense are refused, and say why" {
	run cell call txn begin '{"participants": []}'
	[ "$status" -eq 2 ]
	[[ "$output" == *"0 participants; a transaction has 1 to 16"* ]]
	run cell call txn begin '{"participants": ["../x"]}'
	[ "$status" -eq 2 ]
	run cell call txn commit '{"txn": "AAAA"}'
	[ "$status" -eq 2 ]
	[[ "$output" == *"3 bytes; an id has 16"* ]]
	run cell txn show nonsense
	[ "$status" -eq 2 ]
}
