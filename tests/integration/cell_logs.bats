#!/usr/bin/env bats
# What cells say: read, tagged, limited, kept, followed.

setup() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-logs.XXXXXX")
	chmod 755 "$dir"
	export CELL_RUNDIR=$dir/run CELL_STATEDIR=$dir/state
	cell -q init
	grep -qx 'log = log' "$CELL_RUNDIR/node.conf"
	cell -q up
}

teardown() {
	cell -q down --force || true
	rm -rf "$dir"
}

# shows TEXT: the logs have it, now or soon
shows() {
	until cell logs -n 0 2>/dev/null | grep -q -- "$1"; do
		[ "$((tries++))" -lt 250 ] || { cell logs -n 0; return 1; }
		sleep 0.02
	done
}

# chatty COMMAND: a cell called chatty that runs it with sh, and ends
chatty() {
	mkdir -p "$dir/chatty"
	printf '#!/bin/sh\n%s\n' "$1" >"$dir/chatty/chatty"
	chmod +x "$dir/chatty/chatty"
	printf '[cell]\nexec = chatty\nrestart = never\ninit = yes\nready-timeout = 2s\n[log]\nrate = %s\n' \
		"${2:-1000}" >"$dir/chatty/chatty.cell"
	run cell run "$dir/chatty"
}

@test "tags each line with its cell and instance" {
	cell -q run greeter
	shows 'greeter/[0-9]* *info .*event=ready'
	[ "$(cell logs greeter --json | jq -r 'select(.text | contains("event=ready")) | .cell, .level' | paste -sd' ')" = \
		"greeter info" ]
	grep -q '^20[0-9-]*T[0-9:.]*Z greeter/[0-9]* [0-9]* level=' "$CELL_STATEDIR/log/greeter.log"
}

@test "keeps the last words of a cell that dies" {
	chatty 'echo some last words >&2; exit 7'
	[ "$status" -eq 8 ]
	shows 'some last words'
}

@test "limits a cell that says too much, counts repeats, and says both" {
	chatty 'i=0; while [ $i -lt 500 ]; do echo "line $i" >&2; i=$((i + 1)); done; exit 1' 20
	shows 'event=lines_dropped lines=4[0-9]* rate=20'
	[ "$(cell logs -n 0 chatty | grep -c ' line ')" -le 45 ]
	chatty 'for i in 1 2 3 4 5; do echo the same >&2; done; echo other >&2; exit 1'
	shows 'event=line_repeated times=4'
	[ "$(cell logs -n 0 chatty | grep -c 'the same')" -eq 1 ]
	[ "$(cell logs --stats --json | jq '.repeated >= 4 and .dropped > 400')" = true ]
}

@test "lets nothing through that steers a terminal" {
	chatty "printf 'a\\033[2Jb\\377c\\n' >&2; exit 1"
	shows 'a?\[2Jb?c'
	[ "$(cell logs -n 0 | grep -c $'\033')" -eq 0 ]
}

@test "finds by cell, level, text and number of lines" {
	chatty 'echo "level=warn one" >&2; echo "level=err two" >&2; echo three >&2; exit 1'
	shows three
	[ "$(cell logs chatty -l warn -n 0 --json | jq -r .level | sort -u | paste -sd' ')" = "err warn" ]
	[ "$(cell logs chatty -l err -n 0 -g two --json | jq -s length)" -eq 1 ]
	[ "$(cell logs -n 2 --json | jq -s length)" -eq 2 ]
	[ "$(cell logs --since 1h -n 0 chatty --json | jq -s length)" -ge 3 ]
	run cell logs nosuchcell
	[ "$status" -eq 0 ]
	[[ $output == *"there are no such lines" ]]
}

@test "follows, over a death of the log cell, and misses nothing" {
	cell logs -f -n 0 >"$dir/followed" 2>&1 &
	follow=$!
	cell -q run greeter
	until grep -q 'greeter/.*event=ready' "$dir/followed"; do
		[ "$((tries++))" -lt 500 ]
		sleep 0.02
	done
	kill -9 "$(cell ps log --json | jq '.instances[0].pid')"
	cell -q run --new greeter
	until [ "$(grep -c 'greeter/.*event=ready' "$dir/followed")" -eq 2 ]; do
		[ "$((tries++))" -lt 500 ] || { cat "$dir/followed"; false; }
		sleep 0.02
	done
	kill "$follow"
	# What was said before its death is still known.
	[ "$(cell logs -n 0 | grep -c 'greeter/.*event=ready')" -eq 2 ]
}

@test "levels are changed live, on every instance" {
	cell -q run greeter
	cell -q run --new greeter
	run cell logs greeter --set debug
	[ "$status" -eq 0 ]
	[[ $output == *"2 instances of greeter log at 'debug' from now on" ]]
	cell call greeter greet '{"name": "x"}' >/dev/null
	shows 'greeter/[0-9]* *debug'
	run cell logs greeter --set loud
	[ "$status" -eq 2 ]
	run cell logs --set debug
	[ "$status" -eq 2 ]
	run cell logs pinger --set debug
	[ "$status" -eq 3 ]
}

@test "a node without a log cell says where lines are" {
	cell -q down
	sed -i 's/^log/; log/' "$CELL_RUNDIR/node.conf"
	rm -rf "$CELL_STATEDIR"
	mkdir "$dir/empty"
	sed -i "s,^; cells = .*,cells = $dir/empty," "$CELL_RUNDIR/node.conf"
	cell -q up
	if cell ps -a --json | jq -e '.cells[] | select(.cell == "log")' >/dev/null; then
		skip "the cells that come with cellcore are always known"
	fi
	run cell logs
	[ "$status" -eq 3 ]
	[[ $output == *"this node has no log cell"* ]]
}
