#!/usr/bin/env bats
# kill -9 of a program with tables, of its database, and of the whole node: nothing that was
# acknowledged is lost, and nothing that was not sent is there.

load "$CELL_TOP/tests/lib/node"
load "$CELL_TOP/tests/lib/chaos"

setup_file() { chaos_build; }
teardown_file() { chaos_forget; }
setup() { chaos_start; }
teardown() { chaos_stop; }

# acknowledged: how many increments of both kinds, so far
acknowledged() {
	local state row rest
	read -r state rest row rest <"$dir/bounds" || true
	echo $((10#${state:-0} + 10#${row:-0}))
}

# more N: wait until the client has so many more
more() {
	local until_n=$(($(acknowledged) + $1))
	until [ "$(acknowledged)" -ge $until_n ]; do
		kill -0 "$load" || { cat "$dir/out"; return 1; }
	done
}

@test "killed at any moment, no increment is lost or made up" {
	local kills=${CELL_CHAOS_KILLS:-10} times=${CELL_CHAOS_COUNT:-1000} i who
	: >"$dir/bounds"
	"$chaos/client" count "$dir/bounds" "$times" "$dir/end" >"$dir/out" 2>&1 3>&- &
	load=$!
	for i in $(seq "$kills"); do
		more $((1 + RANDOM % (times / kills)))
		case $((RANDOM % 3)) in
		0) who=counter ;;
		1) who=celldb ;;
		2) who="counter celldb" ;;
		esac
		# shellcheck disable=SC2086 # two words are two cells
		chaos_kill $who
		# The node waits longer each time, and gives up who dies too often.
		chaos_up
	done
	: >"$dir/end"
	wait "$load" || { cat "$dir/out"; false; }
	load=
	"$chaos/client" check "$dir/bounds"
	echo "# $kills kills, seed $seed: $(cat "$dir/out")" >&3
}

# counting: a client that counts until $dir/end is there
counting() {
	"$chaos/client" count "$dir/bounds" 1 "$dir/end" >>"$dir/out" 2>&1 3>&- &
	load=$!
}

# node_dies: all of it at once, or cellcore and what that does to its cells
node_dies() {
	local pids=''
	[ "${1:-}" = core ] || pids=$(node_pids celldb; node_pids counter)
	# shellcheck disable=SC2086 # several
	kill -9 "$core" $pids
	wait "$core" || true
	until [ -z "$(pgrep -f -- "$CELL_RUNDIR|$chaos/counter$" | grep -vx "$load")" ]; do :; done
}

@test "killed with the whole node, no increment is lost or made up" {
	local kills=${CELL_CHAOS_KILLS:-5} times=${CELL_CHAOS_COUNT:-1000} i
	: >"$dir/bounds"
	counting
	for i in $(seq "$kills"); do
		more $((1 + RANDOM % (times / kills)))
		if [ $((RANDOM % 3)) -eq 0 ]; then
			node_dies core
		else
			node_dies
		fi
		chaos_core
		chaos_up
	done
	more $((times / kills))
	: >"$dir/end"
	wait "$load" || { cat "$dir/out"; false; }
	load=
	"$chaos/client" check "$dir/bounds"
	echo "# $kills kills, seed $seed: $(cat "$dir/out")" >&3
}

# torn HOW: a copy of the state, whose data file is damaged so
torn() {
	rm -rf "$dir/torn"
	cp -a "$dir/killed" "$dir/torn"
	local file=$dir/torn/celldb/data.mdb size
	size=$(stat -c %s "$file")
	case $1 in
	whole) ;;
	journal) truncate -s -4096 "$dir"/torn/celldb/journal.* ;;
	page) truncate -s -4096 "$file" ;;
	half) truncate -s -2048 "$file" ;;
	byte) truncate -s -1 "$file" ;;
	zero) dd if=/dev/zero of="$file" bs=4096 count=1 seek=$((size / 4096 - 1)) conv=notrunc status=none ;;
	noise) dd if=/dev/urandom of="$file" bs=4096 count=1 seek=$((size / 4096 - 1)) conv=notrunc status=none ;;
	esac
}

@test "with the last page of the file torn off, all of it is there, or it says what is wrong" {
	local how round opened=0 refused=0
	: >"$dir/bounds"
	for round in $(seq "${CELL_CHAOS_ROUNDS:-2}"); do
		counting
		more $((200 + RANDOM % 200))
		node_dies
		kill "$load"
		wait "$load" || true
		load=
		rm -rf "$dir/killed"
		cp -a "$CELL_STATEDIR" "$dir/killed"
		for how in whole journal page half byte zero noise; do
			torn $how
			CELL_STATEDIR=$dir/torn chaos_core
			if cell run celldb >"$dir/said" 2>&1; then
				opened=$((opened + 1))
				chaos_up
				# What is damaged may be found by who reads it, but nothing is less.
				"$chaos/client" check "$dir/bounds" >"$dir/checked" 2>&1 ||
					grep -E 'data_loss|damaged' "$dir/checked" || { cat "$dir/checked"; false; }
			else
				refused=$((refused + 1))
				echo "$how: $(cat "$dir/said")"
				[ $how != whole ]
				grep -E "(data.mdb|journal).*(cut short|damaged|no store)" "$dir/said"
			fi
			kill "$core"
			wait "$core" || true
		done
		chaos_core
		chaos_up
		"$chaos/client" check "$dir/bounds"
	done
	cat "$dir/log"
	echo "# torn, seed $seed: $opened opened with everything, $refused refused" >&3
}
