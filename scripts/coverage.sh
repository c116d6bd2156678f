#!/bin/sh
# Which lines the tests reach.
set -eu

usage() {
	cat <<'TXT'
usage: coverage.sh [-h] [WORD]

Builds into build-coverage with gcc's counters, runs `make test` there (only tests
with WORD in their path, if given), and prints the share of lines reached, file
by file, the least covered first. Annotated sources: build-coverage/gcov/*.gcov
TXT
}

[ "${1:-}" != -h ] || { usage; exit 0; }
cd "$(dirname "$0")/.."
O=build-coverage

# Counters of an earlier run would add up with this one's.
if [ -d "$O" ]; then
	find "$O" -name '*.gcda' -delete
fi
status=0
make O="$O" CC=gcc CFLAGS='-O0 --coverage -fprofile-update=atomic' T="${1:-}" test || status=$?

rm -rf "$O/gcov"
mkdir -p "$O/gcov"
top=$PWD
(cd "$O/gcov" && find ../obj/core ../obj/cells -name '*.gcda' -exec \
	gcov --preserve-paths --relative-only --source-prefix "$top" {} + 2>/dev/null) |
	awk '
	/^File / { file = $2; gsub(/\047/, "", file) }
	/^Lines executed:/ {
		split($2, part, /[:%]/)
		if (file ~ /^(core|cells)\// && $4 > seen[file]) { seen[file] = $4; share[file] = part[2] }
		file = ""
	}
	END {
		for (f in seen) {
			lines += seen[f]; reached += seen[f] * share[f] / 100
			printf "%6.1f%%  %5d  %s\n", share[f], seen[f], f | "sort -n"
		}
		close("sort -n")
		if (lines) printf "%6.1f%%  %5d  all\n", 100 * reached / lines, lines
	}'
exit "$status"
