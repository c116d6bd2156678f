#!/usr/bin/env bats
# One transaction over celldb and PostgreSQL, and whoever of them is killed.

load "$CELL_TOP/tests/lib/node"
load "$CELL_TOP/tests/lib/postgres"

setup() {
	! nm "$CELL_BUILD/lib/libcell.a" 2>/dev/null | grep -qE '__(asan|tsan|ubsan)' ||
		skip "what users build has no sanitizer"
	postgres_skip
	node_start
	postgres_start
	for cell in macro celldb postgres txn; do
		cell -q run $cell
	done
	mkdir -p "$dir/project/.cell"
	cd "$dir/project" || return
	printf '[project]\nprogram = bank\n' >.cell/project
	cp "$CELL_TOP/tests/integration/postgres/transfer.c" .
	cellc -std=gnu2x -O1 -Wall -Wextra -Werror -I"$CELL_BUILD/include" -I"$CELL_BUILD/gen" -o transfer transfer.c \
		"$CELL_BUILD/lib/libcell-main.a" "$CELL_BUILD/lib/libcell.a" -lev \
		$(pkg-config --libs libprotobuf-c libsodium inih) -lm -lpthread
	./transfer begin
}

teardown() {
	postgres_stop
	node_stop
}

in_doubt() { sql "SELECT count(*) FROM pg_prepared_xacts"; }

@test "what is moved from one to the other is moved in both, or in none" {
	./transfer move 5
	[ "$(./transfer say)" = "995 2000" ]
	[ "$(sql 'SELECT amount FROM "right"')" -eq 1005 ]
	# One of them refuses: neither has done it.
	run ./transfer move 1000
	[ "$status" -eq 1 ] || [ "$status" -eq 2 ]
	run ./transfer move -2000
	[ "$status" -ne 0 ]
	[ "$(./transfer say)" = "995 2000" ]
	[ "$(in_doubt)" -eq 0 ]
}

@test "without prepared transactions it says which setting is missing" {
	pg_kill QUIT
	pg_server max_prepared_transactions=0
	run ./transfer move 5
	[ "$status" -ne 0 ]
	[[ $output == *max_prepared_transactions* ]]
	[ "$(./transfer say)" = "1000 2000" ]
}

@test "whoever is killed, the money is all there, and nothing stays in doubt" {
	: >out
	./transfer moves >out 2>err &
	load=$!
	for cell in postgres txn celldb postgres txn celldb postgres program postgres txn; do
		n=$(wc -l <out)
		until [ "$(wc -l <out)" -gt $((n + 7)) ]; do kill -0 $load; sleep 0.02; done
		if [ $cell = program ]; then
			kill -9 $load
			wait $load || true
			./transfer moves >out 2>>err &
			load=$!
		else
			for pid in $(node_pids $cell); do kill -9 "$pid"; done
		fi
	done
	n=$(wc -l <out)
	until [ "$(wc -l <out)" -gt $((n + 7)) ]; do kill -0 $load; sleep 0.02; done
	kill $load
	wait $load || true
	cat err
	[ ! -s err ]
	waits=0
	until [ "$(in_doubt)" -eq 0 ]; do
		waits=$((waits + 1))
		[ $waits -lt 50 ] || { cell postgres; cell txn list; false; }
		sleep 0.1
	done
	run ./transfer say
	[ "${output#* }" = 2000 ]
}
