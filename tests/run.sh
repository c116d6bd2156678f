#!/bin/sh
# Run test programs and bats files, one after the other, and add up what they say.
set -eu

usage() {
	cat <<'TXT'
usage: O=BUILD tests/run.sh [-h] PROGRAM|FILE.bats ...

Runs each test and shows its output if it fails (VERBOSE=1: always). Ends with
"N passed, N failed" alone on a line; exits 1 if anything failed or nothing ran.

  *.bats             run with bats; each test in it counts
  */tests/fuzz/NAME  replays tests/fuzz/corpus/NAME/; each input counts as part of one test
  anything else      counts the checks of its "Checks: N, Failures: N, Errors: N"
                     line, or as one test by its exit status
A program that dies or takes longer than TEST_TIMEOUT seconds (default 120, a
bats test 60) counts as failed.
TXT
}

case ${1:-} in
-h | --help) usage; exit 0 ;;
esac

O=${O:-build}
limit=${TEST_TIMEOUT:-120}
BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-60}
export O BATS_TEST_TIMEOUT
top=$(pwd)
case $O in
/*) out=$O ;;
*) out=$top/$O ;;
esac
PATH=$out/bin:$out/tests/bin:$PATH
CELL_TOP=$top
CELL_BUILD=$out
export PATH CELL_TOP CELL_BUILD
# A test that calls make starts one of its own, not a part of the one that runs us.
unset MAKEFLAGS MFLAGS MAKELEVEL

output=$(mktemp)
trap 'rm -f "$output"' EXIT
trap 'exit 130' INT TERM

passed=0 failed=0 skipped=0

# result NAME PASSED FAILED STATUS: one line for the eye, and the sums
result() {
	passed=$((passed + $2))
	failed=$((failed + $3))
	if [ "$3" -gt 0 ]; then
		cat "$output"
		printf '  FAIL  %s (%d passed, %d failed, exit %d)\n' "$1" "$2" "$3" "$4"
	else
		[ -z "${VERBOSE:-}" ] || cat "$output"
		printf '  ok    %s (%d)\n' "$1" "$2"
	fi
}

run_bats() {
	status=0
	timeout -k 5 $((limit * 10)) bats --tap "$1" >"$output" 2>&1 </dev/null || status=$?
	n_skip=$(grep -cE '^ok [0-9]+ .*# skip' "$output" || true)
	n_ok=$(($(grep -cE '^ok [0-9]+ ' "$output" || true) - n_skip))
	n_bad=$(grep -cE '^not ok [0-9]+ ' "$output" || true)
	skipped=$((skipped + n_skip))
	# bats that ends badly without a failed test did not run them all.
	if [ "$status" -ne 0 ] && [ "$n_bad" -eq 0 ]; then
		n_bad=1
	fi
	result "$1" "$n_ok" "$n_bad" "$status"
}

run_program() {
	status=0
	timeout -k 5 "$limit" "$@" >"$output" 2>&1 </dev/null || status=$?
	counts=$(sed -nE 's/^.*: Checks: ([0-9]+), Failures: ([0-9]+), Errors: ([0-9]+).*$/\1 \2 \3/p' "$output" |
		awk '{ c += $1; f += $2 + $3 } END { if (NR) print c - f, f }')
	n_ok=${counts% *} n_bad=${counts#* }
	if [ -z "$counts" ]; then
		n_ok=1 n_bad=0
		[ "$status" -eq 0 ] || { n_ok=0 n_bad=1; }
	elif [ "$status" -ne 0 ] && [ "$n_bad" -eq 0 ]; then
		n_bad=1
	elif [ "$n_ok" -eq 0 ] && [ "$n_bad" -eq 0 ]; then
		echo "$1: no test in it" >>"$output"
		n_bad=1
	fi
	[ "$status" -ne 124 ] || echo "$1: stopped after $limit seconds" >>"$output"
	result "$1" "$n_ok" "$n_bad" "$status"
}

for t; do
	case $t in
	*.bats) run_bats "$t" ;;
	*/tests/fuzz/*) run_program "$t" "tests/fuzz/corpus/${t##*/}" ;;
	*) run_program "$t" ;;
	esac
done

echo
if [ $((passed + failed)) -eq 0 ]; then
	echo "no test was run"
	failed=1
fi
if [ "$skipped" -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
