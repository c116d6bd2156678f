#!/usr/bin/env bats
# celldb without room, without rights, with a file that somebody else wrote into: it says so,
# goes on reading, and what was acknowledged is there when the cause has gone.

load "$CELL_TOP/tests/lib/node"
load "$CELL_TOP/tests/lib/chaos"

setup_file() { chaos_build; }
teardown_file() { chaos_forget; }
setup() { chaos_memory; }
teardown() {
	[ -z "${dir:-}" ] || chaos_stop
	[ -z "${bin:-}" ] || rm -rf "$bin"
	unset CELL_CELLDB_MAX
}

# disk OPTIONS: cellcore sees a file system of its own in celldb's state directory
disk() {
	unshare -m true 2>/dev/null || skip "no mount namespace: not permitted here"
	bin=$(mktemp -d "$TMPDIR/cell-bin.XXXXXX")
	local user=nobody
	! id cell >/dev/null 2>&1 || user=cell
	set -- "$1,mode=700,uid=$(id -u $user),gid=$(id -g $user)"
	cat >"$bin/cellcore" <<-SH
		#!/bin/sh
		exec unshare -m sh -c 'mkdir -p "\$CELL_STATEDIR/celldb" && cd "\$CELL_STATEDIR/celldb" &&
			mount -t tmpfs -o $1 celldb . && exec $(command -v cellcore) "\$@"' cellcore "\$@"
	SH
	chmod 755 "$bin/cellcore"
	PATH=$bin:$PATH
}

# disk_is OPTIONS: it is another from now on
disk_is() { nsenter -t "$core" -m mount -o "remount,$1" "$CELL_STATEDIR/celldb"; }

# filled FROM STATUS WORDS: things are stored from FROM on until that is said; $held there are
filled() {
	local said
	said=$("$chaos/client" fill "$1" 100000)
	echo "$said"
	held=${said%% *}
	[[ $said == *" $2 "*$3* ]]
}

# held_well FIRST: all up to it are there; who is told that an instance ended while it started
# asks the next one
held_well() {
	for _ in 1 2 3 4 5; do
		[ "$("$chaos/client" held "$1")" != "0 damaged" ] || return 0
		chaos_try celldb || true
	done
	return 1
}

# health: what it says of celldb
health() { cell health celldb 2>&1 || true; }

@test "a full disk: it says so and reads on, and writes when there is room again" {
	local pid first
	disk size=22m
	chaos_start
	pid=$(node_pids celldb)
	filled 1 RESOURCE_EXHAUSTED data.mdb
	first=$held
	[ "$first" -gt 100 ]
	[ "$(node_pids celldb)" = "$pid" ]
	[[ $(health) == *"data.mdb"* ]]
	[ "$("$chaos/client" held "$first")" = "0 damaged" ]
	# Everybody else is told the same.
	run cell call counter add '{"by": 1}'
	[ "$status" -ne 0 ]
	[[ $output == *data.mdb* ]]
	# Killed now it may have no room to start; what it says is that.
	chaos_kill celldb
	if chaos_try celldb; then
		held_well "$first"
	else
		cat "$dir/run.out"
		grep 'no room on its disk' "$dir/run.out"
	fi
	disk_is size=40m
	chaos_up
	held_well "$first"
	pid=$(node_pids celldb)
	filled $((first + 1)) RESOURCE_EXHAUSTED data.mdb
	[ "$held" -gt $((first + 1000)) ]
	disk_is size=96m
	"$chaos/client" fill $((held + 1)) 10 | grep OK
	[[ $(health) != *data.mdb* ]]
	[ "$(node_pids celldb)" = "$pid" ]
	chaos_kill celldb
	chaos_up
	[ "$("$chaos/client" held $((held + 10)))" = "0 damaged" ]
	cell db verify
}

@test "a store that is as large as it may be: the same, and a larger limit is all it needs" {
	export CELL_CELLDB_MAX=4M
	chaos_start
	filled 1 RESOURCE_EXHAUSTED "its limit"
	[ "$held" -gt 100 ]
	[[ $(health) == *"its limit"* ]]
	[ "$("$chaos/client" held "$held")" = "0 damaged" ]
	chaos_kill celldb
	chaos_up
	[ "$("$chaos/client" held "$held")" = "0 damaged" ]
	kill "$core"
	wait "$core" || true
	export CELL_CELLDB_MAX=64M
	chaos_core
	chaos_up
	"$chaos/client" fill $((held + 1)) 1000 | grep OK
	[ "$("$chaos/client" held $((held + 1000)))" = "0 damaged" ]
}

@test "a state directory that cannot be written: it does not start, and says why" {
	disk size=64m
	chaos_start
	"$chaos/client" fill 1 100 | grep OK
	cell -q retire celldb
	until [ -z "$(node_pids celldb)" ]; do :; done
	disk_is ro
	run cell run celldb
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *[Rr]ead-only* ]]
	disk_is rw
	chaos_up
	[ "$("$chaos/client" held 100)" = "0 damaged" ]
}

# spoiled HOW: some pages of what celldb had, which has ended, are others now
spoiled() {
	local file=$CELL_STATEDIR/celldb/data.mdb pages i
	pages=$(($(stat -c %s "$file") / 4096))
	for i in $(seq 1 "${2:-5}"); do
		case $1 in
		noise) dd if=/dev/urandom of="$file" bs=4096 count=1 seek=$((RANDOM % pages)) conv=notrunc status=none ;;
		zero) dd if=/dev/zero of="$file" bs=4096 count=1 seek=$((RANDOM % pages)) conv=notrunc status=none ;;
		bit) printf '\377' | dd of="$file" bs=1 seek=$((RANDOM * 32768 % (pages * 4096) + RANDOM % 4096)) conv=notrunc status=none ;;
		esac
	done
}

@test "pages that somebody else wrote: it refuses to start, or reads what is good and names the rest" {
	local how round refused=0 served=0 damaged=0 said
	chaos_start
	"$chaos/client" fill 1 2000 | grep OK
	for round in $(seq "${CELL_CHAOS_SPOILS:-2}"); do
		for how in noise zero bit; do
			kill "$core"
			wait "$core" || true
			[ -d "$dir/good" ] || cp -a "$CELL_STATEDIR" "$dir/good"
			rm -rf "$CELL_STATEDIR"
			cp -a "$dir/good" "$CELL_STATEDIR"
			spoiled $how $((1 + RANDOM % 8))
			chaos_core
			if ! chaos_try celldb; then
				refused=$((refused + 1))
				grep -E 'data.mdb.*' "$dir/run.out"
				continue
			fi
			served=$((served + 1))
			said=$("$chaos/client" held 2000 2>&1) || { echo "$how: $said"; cat "$CELL_RUNDIR/log/celldb.log"; false; }
			damaged=$((damaged + ${said%% *}))
			# Whole as a file or not, it is one that can be looked through.
			cell db verify || true
			[[ $(health) != *"no instance"* ]]
		done
	done
	echo "# seed $seed: $refused refused, $served served, $damaged rows named damaged" >&3
}
