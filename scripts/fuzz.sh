#!/bin/sh
# Drive the fuzz harnesses with libFuzzer.
set -eu

usage() {
	cat <<'TXT'
usage: fuzz.sh [-h] [-t SECONDS] [-m] [-k WORD]

Builds tests/fuzz/* around libFuzzer with address and undefined-behaviour
sanitizers, and runs each for SECONDS (default 60), starting from its corpus in
tests/fuzz/corpus/NAME. `make test` replays the corpora without libFuzzer.

  -t SECONDS  how long for each harness
  -k WORD     only harnesses with WORD in their name
  -m          keep what reached new code: merge it into the corpus

Exits 1 if an input crashed, hung or leaked; the input is then in
build-fuzz/crashes/, and belongs into the corpus once the bug is mended.
TXT
}

seconds=60 word='' merge=false
while getopts hmt:k: option; do
	case $option in
	h) usage; exit 0 ;;
	m) merge=true ;;
	t) seconds=$OPTARG ;;
	k) word=$OPTARG ;;
	*) usage >&2; exit 2 ;;
	esac
done
cd "$(dirname "$0")/.."
make FUZZ=1 T="$word" fuzzers

mkdir -p build-fuzz/crashes
status=0 ran=0
for harness in build-fuzz/tests/fuzz/*; do
	if [ ! -f "$harness" ] || [ ! -x "$harness" ]; then
		continue
	fi
	name=${harness##*/}
	case $name in
	*"$word"*) ;;
	*) continue ;;
	esac
	ran=$((ran + 1))
	found=build-fuzz/found/$name
	corpus=tests/fuzz/corpus/$name
	mkdir -p "$found" "$corpus"
	echo "  FUZZ  $name, $seconds s"
	if "$harness" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="build-fuzz/crashes/$name-" "$found" "$corpus" >"$found.log" 2>&1; then
		sed -nE 's/^stat::(number_of_executed_units|new_units_added): */        \1 /p' "$found.log"
	else
		tail -n 60 "$found.log"
		status=1
	fi
	if $merge; then
		"$harness" -merge=1 "$corpus" "$found" >>"$found.log" 2>&1 || status=1
	fi
	rmdir "$corpus" 2>/dev/null || true
done
[ "$ran" -gt 0 ] || { echo "fuzz: no harness has '$word' in its name" >&2; exit 1; }
exit "$status"
