#!/usr/bin/env bats
# How many instructions a call takes, in user space, on each side. Unlike its time they are
# nearly the same on every machine, busy or not: so this one notices when a call gets dearer.
#
# Two runs that differ only in the number of calls are subtracted, so that starting and ending
# do not count. CELL_WAKE=sleep: polling would count how long the peer was waited for.
#
#                        client  server    measured (gcc 12, x86-64)
#   one after the other     2240    1780
#   128 outstanding         1010     990
#
# One after the other that is when every call sleeps; 1760 and 1670 when every other one finds
# its answer while it is still on its way there. Bounds are 15 % above. Who makes a call
# cheaper lowers them, and the table.

CALLS_FEW=256
CALLS_MANY=2304

setup() {
	command -v valgrind >/dev/null || skip "NOTHING IS COUNTED: valgrind is not installed"
	[ "$(uname -m)" = x86_64 ] || skip "NOTHING IS COUNTED: the bounds are those of x86-64"
	# The first word is the compiler; the rest are the flags of this build.
	! grep -qE '^clang|-fsanitize=|--coverage|-O0' "$CELL_BUILD/flags" ||
		skip "NOTHING IS COUNTED: this build is not the one that is installed"
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-instructions.XXXXXX")
	export CELL_WAKE=sleep
}

teardown() {
	[ -z "${dir:-}" ] || rm -rf "$dir"
}

# total PID: the instructions of that process
total() { sed -n 's/^totals: //p' "$dir/$1"; }

# run_calls CALLS WINDOW: sets $client and $server to what they executed
run_calls() {
	valgrind --tool=callgrind --callgrind-out-file="$dir/%p" call_loop "$1" "$2" \
		>"$dir/pids" 2>"$dir/log" || { cat "$dir/log"; return 1; }
	read -r client server <"$dir/pids"
	client=$(total "$client") server=$(total "$server")
	[ "$client" -gt 0 ] && [ "$server" -gt 0 ]
}

# a_call_takes WINDOW CLIENT SERVER: at most so many instructions, one side and the other. The
# best of three: on a busy machine a side now and then waits once more for the other.
a_call_takes() {
	for _ in 1 2 3; do
		run_calls $CALLS_FEW "$1"
		client_few=$client server_few=$server
		run_calls $CALLS_MANY "$1"
		client=$(((client - client_few) / (CALLS_MANY - CALLS_FEW)))
		server=$(((server - server_few) / (CALLS_MANY - CALLS_FEW)))
		echo "instructions of a call: client $client (at most $2), server $server (at most $3)"
		# A count that small would mean that the loop did not run.
		[ "$client" -gt 300 ] && [ "$server" -gt 300 ]
		[ "$client" -gt "$2" ] || [ "$server" -gt "$3" ] || return 0
	done
	return 1
}

@test "a call, one after the other, takes no more instructions than it did" {
	a_call_takes 1 2580 2050
}

@test "a call among 128 takes no more instructions than it did" {
	a_call_takes 128 1160 1140
}
