#!/usr/bin/env bats
# A node's life by the commands: made, started, looked at, killed, ended.

setup() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-node.XXXXXX")
	chmod 755 "$dir"
	export CELL_RUNDIR=$dir/run CELL_STATEDIR=$dir/state
	unset XDG_RUNTIME_DIR
}

teardown() {
	cell -q down --force || true
	rm -rf "$dir"
}

# processes_of DIR: how many have the run directory in their arguments
processes_of() { pgrep -fc -- "--rundir $1" || true; }

field() { jq -r "$1"; }

@test "init makes a place once" {
	run cell init --name here
	[ "$status" -eq 0 ]
	[[ $output == *"made $dir/run (next: cell up)" ]]
	[ "$(stat -c %a "$CELL_RUNDIR")" = 700 ]
	grep -q '^name = here' "$CELL_RUNDIR/node.conf"
	echo '; mine' >>"$CELL_RUNDIR/node.conf"
	run cell init --name other
	[ "$status" -eq 0 ]
	[[ $output == *"is a node's place already" ]]
	[ "$(tail -n 1 "$CELL_RUNDIR/node.conf")" = "; mine" ]
	[ "$(cell init --json | field .made)" = false ]
	[ "$(cell init --json "$dir/other" | field .made)" = true ]
	run cell init -n 'a b' "$dir/third"
	[ "$status" -eq 2 ]
	[ ! -e "$dir/third" ]
}

@test "up starts a node, and says so the second time" {
	run cell up
	[ "$status" -eq 0 ]
	[[ $output == *"is up (pid "* ]]
	pid=$(cell up --json | field .pid)
	[ "$(cell up --json | field '.pid, .started' | paste -sd' ')" = "$pid false" ]
	run cell up
	[ "$status" -eq 0 ]
	[[ $output == *"is running already (pid $pid, $dir/run)" ]]
	[ "$(processes_of "$dir/run")" -eq 2 ]
	run cell down
	[ "$status" -eq 0 ]
	[[ $output == *"all of its "*" processes are gone" ]]
	[ "$(processes_of "$dir/run")" -eq 0 ]
	[ ! -e "$CELL_RUNDIR/core.sock" ]
	run cell down
	[ "$status" -eq 0 ]
}

@test "up says why a node does not come up" {
	cell -q init
	echo 'resolvr = nucleus' >>"$CELL_RUNDIR/node.conf"
	run cell up
	[ "$status" -eq 1 ]
	[[ $output == *"did you mean 'resolver'?"* ]]
	[[ $output == *"cellcore did not start (its lines: $dir/run/log/cellcore.log)"* ]]
	[ "$(processes_of "$dir/run")" -eq 0 ]
}

@test "up comes back after cellcore was killed, over what it left" {
	cell -q up
	cell -q run greeter
	pid=$(cell up --json | field .pid)
	# Its parent first, or it would start a new one.
	kill -9 "$(ps -o ppid= -p "$pid")" "$pid"
	run cell up
	[ "$status" -eq 0 ]
	[ "$(cell up --json | field .pid)" -ne "$pid" ]
	[ "$(cell call greeter greet '{"name":"Ada"}')" = '{"text":"Hello, Ada!","number":"1"}' ]
}

@test "its parent starts a cellcore that crashed" {
	cell -q up
	pid=$(cell up --json | field .pid)
	kill -KILL "$pid"
	# The next answer comes from a new one.
	until cell ps >/dev/null 2>&1 && [ "$(cat "$CELL_RUNDIR/cellcore.pid")" -ne "$pid" ]; do
		[ "$((tries++))" -lt 200 ]
		sleep 0.05
	done
	cell -q down
	[ "$(processes_of "$dir/run")" -eq 0 ]
}

@test "down kills what does not answer, if forced" {
	cell -q up
	pid=$(cell up --json | field .pid)
	kill -STOP "$pid"
	run cell down
	[ "$status" -ne 0 ]
	run cell down --force
	[ "$status" -eq 0 ]
	[ "$(processes_of "$dir/run")" -eq 0 ]
	hash=$(printf %s "$(realpath "$dir/run")" | b2sum -l 128 | cut -c1-8)
	[ -z "$(find /sys/fs/cgroup -type d -path "*/cell/*-$hash" 2>/dev/null)" ]
}

@test "run succeeds when the cell can be called, and is not run twice" {
	cell -q up
	run cell run greeter
	[ "$status" -eq 0 ]
	[[ $output == *"greeter "*" is ready (pid "* ]]
	first=$(cell run greeter --json | field .instance)
	[ "$(cell run greeter --json | field .instance)" -eq "$first" ]
	[ "$(cell run --new greeter --json | field .instance)" -gt "$first" ]
	[ "$(cell ps greeter --json | field '.instances | length')" -eq 2 ]
	run cell health greeter
	[ "$status" -eq 0 ]
	[ "$(cell health greeter --json | field .healthy)" = true ]
	run cell retire greeter
	[ "$status" -eq 0 ]
	[[ $output == *"2 instances of greeter are gone" ]]
	run cell health greeter
	[ "$status" -eq 8 ]
	run cell retire greeter
	[ "$status" -eq 3 ]
}

@test "run says why a cell is not ready" {
	cell -q up
	run cell run gretter
	[ "$status" -eq 3 ]
	[[ $output == *"did you mean 'greeter'?"* ]]
	mkdir "$dir/bad"
	printf '[cell]\nexec = /bin/false\n[uses]\nnosuchcell = app\n' >"$dir/bad/bad.cell"
	run cell run "$dir/bad"
	[ "$status" -eq 8 ]
	[[ $output == *"exited with status 1"* ]]
	[[ $output == *"bad uses 'nosuchcell', which this node does not know"* ]]
	printf '[cell]\nexce = /bin/false\n' >"$dir/bad/typo.cell"
	run cell run "$dir/bad"
	[ "$status" -eq 2 ]
	[[ $output == *"holds 2 manifests; which one?"* ]]
	run cell run "$dir/bad/typo.cell"
	[ "$status" -eq 2 ]
	[[ $output == *"typo.cell:2:1: unknown key 'exce' in [cell]; did you mean 'exec'?"* ]]
	run cell run "$dir/nothing"
	[ "$status" -eq 3 ]
	run cell run --load greeter
	[ "$status" -eq 2 ]
}

@test "ps lists what runs, and with -a what could" {
	cell -q init
	sed -i 's/^log/; log/' "$CELL_RUNDIR/node.conf"
	cell -q up
	run cell ps
	[ "$status" -eq 0 ]
	[[ $output == *"nothing runs here"* ]]
	cell ps -a | grep -q '^ *-  greeter'
	cell -q run greeter
	[ "$(cell ps | awk 'NR == 2 { print $2, $3 }')" = "greeter ready" ]
	[ "$(cell ps --json | field '.instances[0].state')" = ready ]
	run cell ps gretter
	[ "$status" -eq 3 ]
	# No colours for what is no terminal, unless they are asked for.
	[ "$(cell ps | grep -c $'\033')" -eq 0 ]
	[ "$(cell ps --color always | grep -c $'\033')" -gt 0 ]
}

@test "a rundir of another user is not taken for ours" {
	[ "$(id -u)" -eq 0 ] || skip "only root can give a folder away"
	mkdir -p "$dir/project/rundir" "$dir/project/src"
	CELL_RUNDIR=$dir/project/rundir cell -q up
	cd "$dir/project/src"
	[ -n "$(env -u CELL_RUNDIR cell doctor | grep "$dir/project/rundir")" ]
	chown 12345 "$dir/project/rundir"
	[ -z "$(env -u CELL_RUNDIR cell doctor | grep "$dir/project/rundir")" ]
	CELL_RUNDIR=$dir/project/rundir cell ps
	chown 0 "$dir/project/rundir"
	cell -q --rundir "$dir/project/rundir" down
}

@test "the nearest rundir above is taken, as git finds its folder" {
	mkdir -p "$dir/project/rundir/node1" "$dir/project/src/deep"
	unset CELL_STATEDIR
	# Exported, so that teardown ends this one whatever happens.
	export CELL_RUNDIR=$dir/project/rundir/node1
	cell -q up
	cd "$dir/project/src/deep"
	[ "$(env -u CELL_RUNDIR cell up --json | field .rundir)" = "$dir/project/rundir/node1" ]
	[ -d "$dir/project/rundir/node1/state" ]
	cd /
	run env -u CELL_RUNDIR cell --rundir "$dir/project/rundir/node1" down
	[ "$status" -eq 0 ]
}

@test "doctor finds what is wrong, and the line that mends it" {
	cell -q init
	run cell doctor
	[ "$status" -eq 0 ] || [ "$status" -eq 1 ]
	[[ $output == *"ok    cellcore"* ]]
	[ "$(cell doctor --json | field '.findings | length')" -gt 10 ]
	chmod 777 "$CELL_RUNDIR"
	run cell doctor
	[ "$status" -eq 1 ]
	[[ $output == *"others may write to it"* ]]
	[[ $output == *"mend: chmod 700 $dir/run"* ]]
	chmod 700 "$CELL_RUNDIR"
	python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(sys.argv[1])' \
		"$CELL_RUNDIR/core.sock"
	run cell doctor
	[[ $output == *"core.sock is stale: nobody listens"* ]]
	run cell up
	[ "$status" -eq 0 ]
	[[ "$(cell doctor)" == *"core.sock is listened to"* ]]
}
