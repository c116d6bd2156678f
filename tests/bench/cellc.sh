#!/usr/bin/env bash
# What cellc costs beside the compiler that it stands in front of.
set -eu

usage() {
	cat <<'TXT'
usage: O=BUILD tests/bench/cellc.sh [-h] [-n ROUNDS] [-c COMPILER] [FILE.c...]

Compiles each file (two of the tree's by default) with the compiler alone, with cellc that
has never seen it, and with cellc that knows it; at -O0 and -O2, in rounds that interleave
the three. Prints the least user+sys and the median of wall time in ms, and the ratios to
the compiler: rows 11 and 12 of the performance page. A file with attributes (of a namespace
that is switched off) shows what parsing and splicing cost without any cell.
TXT
}

rounds=15 compiler=gcc
while getopts hn:c: option; do
	case $option in
	h) usage; exit 0 ;;
	n) rounds=$OPTARG ;;
	c) compiler=$OPTARG ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
cd "$(dirname "$0")/../.."
O=${O:-build}
[ $# -gt 0 ] || set -- core/libcell/guess.c core/cellc/scan.c

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export CELLC_CC=$compiler
flags=(-std=gnu2x -D_GNU_SOURCE '-DCELL_VERSION="0"' -Icore/include -I"$O/gen" -g -c -o "$dir/o.o")

# sample NAME COMMAND...: one line "user+sys wall" in ms into NAME's file
sample() {
	local into=$dir/$1
	shift
	TIMEFORMAT='%3U %3S %3R'
	{ time "$@" 2>"$dir/err"; } 2>&1 | awk '{ printf "%.0f %.0f\n", ($1 + $2) * 1000, $3 * 1000 }' >>"$into"
}

# figure NAME COLUMN: what user+sys costs is its least, as other programs only add to it
figure() {
	sort -n -k"$2,$2" "$dir/$1" | awk -v c="$2" '{ v[NR] = $c }
		END { print c == 1 ? v[1] : (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

row() {
	awk -v n="$1" -v a="$2" -v b="$3" -v c="$4" 'BEGIN {
		printf "%-34s %8.1f %8.1f %8.1f   %+6.1f %% %+6.1f %%\n", n, a, b, c, 100 * (b / a - 1), 100 * (c / a - 1) }'
}

cold() { rm -rf "$dir/cold"; XDG_CACHE_HOME=$dir/cold cellc "$@"; }
warm() { XDG_CACHE_HOME=$dir/warm cellc "$@"; }
PATH=$PWD/$O/bin:$PATH

printf '%-34s %8s %8s %8s   %8s %8s\n' "$compiler, ms" alone cold warm cold warm
for file; do
	for level in -O0 -O2; do
		rm -f "$dir"/{alone,cold,warm}.ms
		warm "${flags[@]}" "$level" "$file"
		warm "${flags[@]}" "$level" "$file"
		for ((i = 0; i < rounds; i++)); do
			sample alone.ms "$compiler" "${flags[@]}" "$level" "$file"
			sample cold.ms cold "${flags[@]}" "$level" "$file"
			sample warm.ms warm "${flags[@]}" "$level" "$file"
		done
		row "${file##*/} $level user+sys" "$(figure alone.ms 1)" "$(figure cold.ms 1)" "$(figure warm.ms 1)"
		row "${file##*/} $level wall" "$(figure alone.ms 2)" "$(figure cold.ms 2)" "$(figure warm.ms 2)"
	done
done

# The same file with one attribute.
mkdir "$dir/.cell"
printf '[features]\nt = off\n' >"$dir/.cell/project"
file=$1
# An include of its own folder must be found from the copy, too.
flags+=(-iquote "$(dirname "$file")")
{ printf '         ;\n# 1 "%s"\n' "$file"; cat "$file"; } | sed '1s/ *;/int t_x;/' >"$dir/plain.c"
{ printf '[[t::x]];int t_x;\n# 1 "%s"\n' "$file"; cat "$file"; } >"$dir/ours.c"
rm -f "$dir"/{alone,ours}.ms
for ((i = 0; i < rounds; i++)); do
	sample alone.ms "$compiler" "${flags[@]}" "$dir/plain.c"
	sample ours.ms warm "${flags[@]}" "$dir/ours.c"
done
printf '\n%-34s %8s %8s %8s\n' 'with an attribute, ms' alone cellc more
for column in 1 2; do
	awk -v n="${file##*/} $([ $column = 1 ] && echo user+sys || echo wall)" -v a="$(figure alone.ms $column)" \
		-v b="$(figure ours.ms $column)" 'BEGIN { printf "%-34s %8.1f %8.1f %+8.1f\n", n, a, b, b - a }'
done
