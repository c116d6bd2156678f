# Helpers for bats files that need a node of their own:
#
#	load "$CELL_TOP/tests/lib/node"
#	setup() { node_start greeter; }
#	teardown() { node_stop; }
#
# $dir is a fresh folder, removed at the end; $core the pid of cellcore. What cells keep is in
# it, or in $NODE_STATE.

# node_start [CONF-LINE ...]: a node in a fresh run directory, with the lines below [node]
node_start() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-node.XXXXXX")
	chmod 755 "$dir"
	export CELL_RUNDIR=$dir/run CELL_STATEDIR=${NODE_STATE:-$dir/state}
	mkdir -m 700 "$CELL_RUNDIR"
	# Two nodes of one name on a machine are in each other's way.
	printf '[node]\nname = test%d-%d\n' "$$" "$BATS_TEST_NUMBER" >"$CELL_RUNDIR/node.conf"
	[ $# -eq 0 ] || printf '%s\n' "$@" >>"$CELL_RUNDIR/node.conf"
	cellcore --rundir "$CELL_RUNDIR" --statedir "$CELL_STATEDIR" >"$dir/log" 2>&1 3>&- &
	core=$!
	until cell ps >/dev/null 2>&1; do
		kill -0 "$core" || { cat "$dir/log"; return 1; }
		sleep 0.02
	done
}

# node_stop: end it, and all of it; nothing may be left
node_stop() {
	[ -n "${core:-}" ] || return 0
	kill "$core" 2>/dev/null || true
	wait "$core" || true
	core=
	node_left
	rm -rf "$dir"
}

# node_left: fails if a process or socket of the node is left
node_left() {
	local left
	left=$(find "$CELL_RUNDIR" -type s)
	[ -z "$left" ] || { echo "left: $left"; return 1; }
	left=$(pgrep -af -- "$dir" || true)
	[ -z "$left" ] || { echo "left: $left"; return 1; }
}

# node_pids CELL: the processes of its instances
node_pids() { cell ps --json | jq -r ".. | objects | select(.cell? == \"$1\" and .pid > 0) | .pid"; }
