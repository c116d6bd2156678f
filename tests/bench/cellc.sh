#!/usr/bin/env bash
# What cellc costs beside the compiler that it stands in front of.
set -eu

usage() {
	cat <<'TXT'
usage: O=BUILD tests/bench/cellc.sh [-h] [-n ROUNDS] [-c COMPILER] [FILE.c...]

Compiles with the compiler alone and with cellc, in rounds that interleave all ways; prints the
medians of user+sys and of wall time in ms, and the targets of rows 11 and 12 beside them.

Row 11, for each FILE.c (two of the tree's by default), at -O0 and -O2: cellc that has never
seen the file ("cold"), and that knows it ("warm").

Row 12, a copy of the first file with two attributes of the cell validate; a node of its own is
started. The compiler alone compiles the same copy, whose attributes it ignores:
  remembered   nothing has changed since the last time
  offline      the same without a node
  expansions   .cell has the answers, but the text is another one: a comment is new in it
  live         .cell is empty: the macro cell is asked for all
Time that cells spend on it shows in wall time, not in user+sys.
TXT
}

rounds=11 compiler=gcc
while getopts hn:c: option; do
	case $option in
	h) usage; exit 0 ;;
	n) rounds=$OPTARG ;;
	c) compiler=$OPTARG ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
O=$(realpath "${O:-build}")
[ $# -gt 0 ] || set -- core/libcell/guess.c core/cellc/scan.c
PATH=$O/bin:$PATH
for program in cellc cellcore cell; do
	[ -x "$O/bin/$program" ] || { echo "cellc.sh: no $O/bin/$program: build it first" >&2; exit 1; }
done

dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-bench.XXXXXX")
core=
cleanup() {
	if [ -n "$core" ]; then
		kill "$core" 2>/dev/null || true
		wait "$core" || true
	fi
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP
export CELLC_CC=$compiler CELLC_FLAGS=
export XDG_CACHE_HOME=$dir/cache
# An include of its own folder must be found from a copy, too.
flags=(-std=gnu2x -D_GNU_SOURCE '-DCELL_VERSION="0"' "-I$top/core/include" "-I$O/gen" -g -c
	-o "$dir/o.o")

# sample NAME COMMAND...: one line "user+sys wall" in ms into NAME's file
sample() {
	local into=$dir/$1.ms
	shift
	TIMEFORMAT='%3U %3S %3R'
	{ time "$@" 2>"$dir/err"; } 2>"$dir/time" || { cat "$dir/err" >&2; exit 1; }
	awk '{ printf "%.0f %.0f\n", ($1 + $2) * 1000, $3 * 1000 }' "$dir/time" >>"$into"
}

# figure NAME COLUMN: the median of user+sys (1) or wall time (2)
figure() {
	sort -n -k"$2,$2" "$dir/$1.ms" | awk -v c="$2" '{ v[NR] = $c }
		END { printf "%.1f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

cold() { rm -rf "$dir/cold"; XDG_CACHE_HOME=$dir/cold cellc "$@"; }

# ---- row 11 ---------------------------------------------------------------------------------

printf 'machine: %s CPUs, load %s; %s rounds, medians\n\n' "$(nproc)" \
	"$(cut -d' ' -f1-3 /proc/loadavg)" "$rounds"
printf '%-34s %8s %8s %8s   %8s %8s\n' "$compiler, ms" alone cold warm cold warm
for file; do
	for level in -O0 -O2; do
		rm -f "$dir"/*.ms
		cellc "${flags[@]}" "$level" "$file"
		cellc "${flags[@]}" "$level" "$file"
		for ((i = 0; i < rounds; i++)); do
			sample alone "$compiler" "${flags[@]}" "$level" "$file"
			sample cold cold "${flags[@]}" "$level" "$file"
			sample warm cellc "${flags[@]}" "$level" "$file"
		done
		for column in 1 2; do
			awk -v n="${file##*/} $level $([ $column = 1 ] && echo user+sys || echo wall)" \
				-v a="$(figure alone $column)" -v b="$(figure cold $column)" \
				-v c="$(figure warm $column)" 'BEGIN {
				printf "%-34s %8.1f %8.1f %8.1f   %+6.1f %% %+6.1f %%\n", n, a, b, c,
					100 * (b / a - 1), 100 * (c / a - 1) }'
		done
	done
done
printf '%-34s %26s   %8s %8s\n' 'target (row 11)' '' '<= 5 %' '<= 1 %'

# ---- row 12 ---------------------------------------------------------------------------------

export CELL_RUNDIR=$dir/run CELL_STATEDIR=$dir/state
chmod 755 "$dir"
mkdir -m 700 "$CELL_RUNDIR"
printf '[node]\nname = bench%d\n' "$$" >"$CELL_RUNDIR/node.conf"
cellcore --rundir "$CELL_RUNDIR" --statedir "$CELL_STATEDIR" >"$dir/log" 2>&1 &
core=$!
until cell ps >/dev/null 2>&1; do
	kill -0 "$core" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
done
for name in macro validate; do
	cell -q run "$O/cells/$name/$name.cell"
done

mkdir -p "$dir/project/.cell"
cd "$dir/project"
# ours EXTRA: the file with two attributes in front, and EXTRA in a comment
ours() {
	printf '/* %s */\n' "$1"
	cat <<-'C'
		#include <cell/cell.h>
		struct bench_order {
			[[validate::range(1, 100)]] long amount;
			[[validate::email]] const char *receipt_to;
		};
	C
	printf '# 1 "%s"\n' "$source"
	cat "$source"
}
source=$top/$1
[ -e "$source" ] || source=$1
flags+=(-Wno-attributes -iquote "$(dirname "$source")")
ours 0 >ours.c
ways=(remembered offline expansions live)
rm -f "$dir"/*.ms
offline() { cellc --offline "$@"; }
live() { rm -rf .cell/*; cellc "$@"; }
for ((i = 0; i < rounds; i++)); do
	# The first one may provision or lock; the second one finds that done.
	live "${flags[@]}" ours.c
	cellc "${flags[@]}" ours.c
	# Else it would be something else that is measured.
	cellc --cellc-verbose "${flags[@]}" ours.c 2>&1 | grep -q 'is remembered$'
	sample alone "$compiler" "${flags[@]}" ours.c
	sample remembered cellc "${flags[@]}" ours.c
	offline "${flags[@]}" ours.c
	sample offline offline "${flags[@]}" ours.c
	ours "$((i + 1))" >new.c
	mv new.c ours.c
	sample expansions cellc "${flags[@]}" ours.c
	sample live live "${flags[@]}" ours.c
	grep -q '^use ours.c ' .cell/validate.schema.lock
done

printf '\n%-34s %10s %10s %10s %10s %10s\n' "$compiler, two attributes, ms" alone "${ways[@]}"
for column in 1 2; do
	printf '%-34s %10.1f' "${source##*/} $([ $column = 1 ] && echo user+sys || echo wall)" \
		"$(figure alone $column)"
	for way in "${ways[@]}"; do
		printf ' %+10.1f' "$(awk "BEGIN { print $(figure "$way" $column) - $(figure alone $column) }")"
	done
	printf '\n'
done
printf '%-34s %10s %10s %10s %10s %10s\n' 'target (row 12)' '' '<= 40' '<= 40' '<= 40' '<= 80'
