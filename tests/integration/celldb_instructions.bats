#!/usr/bin/env bats
# How many instructions it takes to read a row by its key, in user space: in the client and in
# celldb. As instructions.bats does it for calls, which says why, and what a read is made of.
#
#                        client  celldb    measured (gcc 12, x86-64)
#   a row by its key       3550    4160
#
# Bounds are 15 % above. Who makes a read cheaper lowers them, and the table.

READS_FEW=256
READS_MANY=2304

setup() {
	command -v valgrind >/dev/null || skip "NOTHING IS COUNTED: valgrind is not installed"
	[ "$(uname -m)" = x86_64 ] || skip "NOTHING IS COUNTED: the bounds are those of x86-64"
	# The first word is the compiler; the rest are the flags of this build.
	! grep -qE '^clang|-fsanitize=|--coverage|-O0' "$CELL_BUILD/flags" ||
		skip "NOTHING IS COUNTED: this build is not the one that is installed"
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-reads.XXXXXX")
	export CELL_WAKE=sleep CELL_RUNDIR=$dir/run
	# celldb runs as another user, if we are root.
	chmod 755 "$dir"
	mkdir -m 700 "$dir/run"
	mkdir -m 777 "$dir/out"
	cat >"$dir/celldb.sh" <<-TXT
		#!/bin/sh
		cd "\$CELL_STATEDIR" || exit 1
		# Valgrind has no terabyte of addresses to give.
		export CELL_WAKE=sleep CELL_CELLDB_MAX=256M
		exec valgrind --tool=callgrind --callgrind-out-file=$dir/out/counted \\
			"$CELL_BUILD/cells/celldb/celldb" 2>log
	TXT
	chmod +x "$dir/celldb.sh"
	printf '[node]\nname = reads%d\ncells = %s\n' "$$" "$dir" >"$dir/run/node.conf"
	printf '[cell]\nname = celldb\nexec = %s\n[macros]\nnamespace = db\n' "$dir/celldb.sh" \
		>"$dir/celldb.cell"
}

teardown() {
	[ -z "${core:-}" ] || kill "$core" 2>/dev/null || true
	[ -z "${dir:-}" ] || rm -rf "$dir"
}

# node_end: the node, and with it celldb, whose count is written then
node_end() {
	kill "$core"
	wait "$core" || true
	core=
}

# run_reads READS: sets $client and $server to what they executed, in a node of its own
run_reads() {
	rm -rf "$dir/state" "$dir/out/counted"
	cellcore --no-sandbox --rundir "$CELL_RUNDIR" --statedir "$dir/state" >"$dir/log" 2>&1 3>&- &
	core=$!
	until cell ps >/dev/null 2>&1; do
		kill -0 "$core" || { cat "$dir/log"; return 1; }
		sleep 0.02
	done
	valgrind --tool=callgrind --callgrind-out-file="$dir/client" table_reads "$1" \
		>"$dir/pid" 2>"$dir/client.log" || { cat "$dir/client.log" "$dir/state/celldb/log"; return 1; }
	node_end
	client=$(sed -n 's/^totals: //p' "$dir/client")
	server=$(sed -n 's/^totals: //p' "$dir/out/counted")
	[ "$client" -gt 0 ] && [ "$server" -gt 0 ]
}

# a_read_takes CLIENT SERVER: at most so many instructions, one side and the other. The best of
# three: on a busy machine a side now and then waits once more for the other.
a_read_takes() {
	for _ in 1 2 3; do
		run_reads $READS_FEW
		client_few=$client server_few=$server
		run_reads $READS_MANY
		client=$(((client - client_few) / (READS_MANY - READS_FEW)))
		server=$(((server - server_few) / (READS_MANY - READS_FEW)))
		echo "instructions of a read: client $client (at most $1), celldb $server (at most $2)"
		# A count that small would mean that the loop did not run.
		[ "$client" -gt 300 ] && [ "$server" -gt 300 ]
		[ "$client" -gt "$1" ] || [ "$server" -gt "$2" ] || return 0
	done
	return 1
}

@test "a row by its key takes no more instructions than it did" {
	a_read_takes 4080 4790
}
