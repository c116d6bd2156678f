#!/bin/sh
# A thousand idle cells on this machine: how long they take to start, what they cost, and
# whether each still answers.
set -eu

usage() {
	cat <<'TXT'
usage: O=BUILD thousand.sh [-h] [-n N]

Starts a node of its own with N instances (default 1000) of the greeter, each in its
sandbox; waits until all are ready; prints their memory and wake-ups over 10 s; then
asks each whether it is well. Leaves nothing. Exits 1 if one did not answer.

Needs bubblewrap to work, about 0.5 MiB of memory for each, and twice as many processes.
TXT
}

n=1000
while getopts hn: option; do
	case $option in
	h) usage; exit 0 ;;
	n) n=$OPTARG ;;
	*) usage >&2; exit 2 ;;
	esac
done
cd "$(dirname "$0")/.."
O=${O:-build}
case $O in
/*) ;;
*) O=$(pwd)/$O ;;
esac
PATH=$O/bin:$PATH

dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-thousand.XXXXXX")
chmod 755 "$dir"
core=
clean() {
	[ -z "$core" ] || { kill "$core" 2>/dev/null && wait "$core"; } || true
	rm -rf "$dir"
}
trap clean EXIT
trap 'exit 130' INT TERM
mkdir -m 700 "$dir/run" "$dir/cells"
chmod 755 "$dir/cells"
cat >"$dir/run/node.conf" <<TXT
[node]
name = thousand-$$
cells = $dir/cells
[quota owner]
connections = 4096
ring-bytes = 1G
pending = 4096
activations = 4096
TXT
sed -e "s,^exec = .*,exec = $O/cells/greeter/greeter," \
	-e "/^name/a instances = $n\nmax-instances = $n\nstart = boot\nready-timeout = 2m" \
	cells/greeter/greeter.cell >"$dir/cells/greeter.cell"
CELL_RUNDIR=$dir/run
export CELL_RUNDIR

now_ms() { date +%s%3N; }
ready() { cell ps --json greeter 2>/dev/null | jq '[.. | objects | select(.state? == "ready" and .pid > 0)] | length'; }
sleeps() {
	cell ps --json greeter | jq -r '.. | objects | .pid? // empty | "/proc/\(.)/status"' |
		xargs cat | awk '/^voluntary_ctxt_switches/ { sum += $2 } END { print sum + 0 }'
}

free_before=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)
began=$(now_ms)
cellcore --rundir "$dir/run" >"$dir/log" 2>&1 &
core=$!
until [ "$(ready)" = "$n" ]; do
	kill -0 "$core" || { cat "$dir/log"; exit 1; }
	[ $(($(now_ms) - began)) -lt 120000 ] || { echo "only $(ready) of $n are ready"; exit 1; }
	sleep 0.5
done
echo "$n instances ready after $(($(now_ms) - began)) ms"
free_after=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)
echo "memory of each: $(((free_before - free_after) / n)) KiB"
sleep 5
before=$(sleeps)
sleep 10
echo "wake-ups of all in 10 s: $(($(sleeps) - before))"
began=$(now_ms)
healthy=$(cell health --timeout 30s --json greeter | jq '[.. | objects | select(.healthy? == true and .instance > 0)] | length')
echo "$healthy of $n answered within $(($(now_ms) - began)) ms"
[ "$healthy" -eq "$n" ]
