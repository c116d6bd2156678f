# Helpers for stories of what dies and fills up, beside tests/lib/node:
#
#	setup_file() { chaos_build; }
#	setup() { chaos_start; }
#	teardown() { chaos_stop; }
#	teardown_file() { chaos_forget; }
#
# Programs are those of tests/integration/chaos; $chaos is where they were built. State is in
# memory: kills are what is tried, not power. CELL_CHAOS_SEED throws the same dice again; how
# much is done is CELL_CHAOS_KILLS, _COUNT, _ROUNDS, _MOVES, _DEPOSITS, _STEPS and _SPOILS.

# chaos_memory: folders are made in memory from now on, unless $TMPDIR says where
chaos_memory() {
	if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then
		export TMPDIR=/dev/shm
	fi
}

# chaos_cellc ARGUMENT...: compile and link a program of the project
chaos_cellc() {
	cellc -std=gnu2x -O1 -Wall -Wextra -Werror -I"$CELL_BUILD/include" -I"$CELL_BUILD/gen" "$@" \
		"$CELL_BUILD/lib/libcell.a" -lev $(pkg-config --libs libprotobuf-c libsodium inih) -lm -lpthread
}

# chaos_build: counter and client, against a node of their own
chaos_build() {
	! nm "$CELL_BUILD/lib/libcell.a" 2>/dev/null | grep -qE '__(asan|tsan|ubsan)' ||
		skip "what users build has no sanitizer"
	chaos_memory
	BATS_TEST_NUMBER=0 node_start
	chaos=$(mktemp -d "$TMPDIR/cell-chaos.XXXXXX")
	export chaos
	chmod 755 "$chaos"
	mkdir "$chaos/.cell"
	printf '[project]\nprogram = counter\n' >"$chaos/.cell/project"
	cp "$CELL_TOP"/tests/integration/chaos/* "$chaos"
	cd "$chaos" || return
	cell -q run macro
	cell -q run celldb
	chaos_cellc -o counter counter.c "$CELL_BUILD/lib/libcell-main.a"
	cell -q run ./counter.cell
	chaos_cellc -o client client.c
	cd / && node_stop
}

chaos_forget() {
	[ -z "${chaos:-}" ] || rm -rf "$chaos"
}

# chaos_start [CONF-LINE ...]: a node with counter; $seed is this story's
chaos_start() {
	chaos_memory
	node_start "$@"
	seed=${CELL_CHAOS_SEED:-$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
	RANDOM=$seed
	echo "CELL_CHAOS_SEED=$seed"
	chaos_up
}

# chaos_try CELL: run it; 1, with the reason in $dir/run.out, if it does not start
chaos_try() {
	local manifest=$1
	[ "$1" != counter ] || manifest=$chaos/counter.cell
	# One that has just been killed may be ending yet, or be back by itself.
	until cell run "$manifest" >"$dir/run.out" 2>&1; do
		! grep -q 'instances already' "$dir/run.out" || break
		grep -qE 'is ending|is not running' "$dir/run.out" || return 1
	done
}

# chaos_up [CELL...]: these run (default: celldb and counter), whatever became of them
chaos_up() {
	local cell
	[ $# -gt 0 ] || set -- celldb counter
	for cell; do
		chaos_try "$cell" || { cat "$dir/run.out" "$CELL_RUNDIR/log/$cell.log"; return 1; }
	done
}

# chaos_stop: end the node, and the clients in $load
chaos_stop() {
	# shellcheck disable=SC2086 # several
	[ -z "${load:-}" ] || kill -9 $load 2>/dev/null || true
	# shellcheck disable=SC2086
	[ -z "${load:-}" ] || wait $load || true
	node_stop
}

# chaos_core: start cellcore again after its end, on what is there
chaos_core() {
	cellcore --rundir "$CELL_RUNDIR" --statedir "$CELL_STATEDIR" >>"$dir/log" 2>&1 3>&- &
	core=$!
	until cell ps >/dev/null 2>&1; do
		kill -0 "$core" || { cat "$dir/log"; return 1; }
		sleep 0.02
	done
}

# chaos_kill CELL...: kill -9, all at once; the node would give up who dies often
chaos_kill() {
	local cell pids=
	for cell in "$@"; do
		pids="$pids $(node_pids "$cell")"
	done
	# shellcheck disable=SC2086 # several
	kill -9 $pids 2>/dev/null || true
}

# chaos_seconds SINCE: seconds since then, of EPOCHREALTIME
chaos_seconds() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }
