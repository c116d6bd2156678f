#!/bin/sh
# What tools can see: headers, compiler warnings, clang-tidy, shellcheck.
set -eu

usage() {
	cat <<'TXT'
usage: O=BUILD lint.sh [-h] [FILE.c...]

Runs, and exits 1 if any finds something:
  - every header compiles alone; the public ones also as C11, C23 and C++ with
    -Wall -Wextra -Wpedantic -Werror
  - clang accepts every source without a warning
  - clang-tidy with .clang-tidy (every source, or only the given ones)
  - shellcheck on every script
Needs a built tree for the generated headers.
TXT
}

[ "${1:-}" != -h ] || { usage; exit 0; }
cd "$(dirname "$0")/.."
O=${O:-build}
CC=${CC:-gcc}
CXX=${CXX:-g++}
CLANG=${CLANG:-clang}
failed=0
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

note() {
	printf '  LINT  %s\n' "$*"
}

sources() {
	if [ $# -gt 0 ]; then
		printf '%s\n' "$@"
	else
		git ls-files 'core/*.c' 'cells/*.c' 'tests/*.c' 'clients/*.c' ':!tests/bench' ':!tests/integration' ':!cells/examples'
	fi
}

packages='libprotobuf-c libsodium inih jansson libseccomp ncursesw check libpq'
printf '#define CELL_VERSION "lint"\n' >"$temp/lint.h"
# shellcheck disable=SC2086 # words
flags="-D_GNU_SOURCE -include $temp/lint.h -Icore/include -I$O/gen $(pkg-config --cflags $packages)"
# core/cellc/clang.c alone sees libclang's headers; the oldest, as in core/rules.mk.
for clang_header in /usr/lib/llvm-*/include/clang-c/Index.h; do
	[ ! -e "$clang_header" ] || flags="$flags -isystem ${clang_header%/clang-c/Index.h}"
	break
done
test_flags='-Itests/lib -Icore -Icells -I.'

note 'public headers as C11, C23, C++'
for header in core/include/cell/*.h; do
	name=cell/${header##*/}
	printf '#include <%s>\nint alone;\n' "$name" >"$temp/alone.c"
	cp "$temp/alone.c" "$temp/alone.cc"
	strict="-Wall -Wextra -Wpedantic -Werror -fsyntax-only -Icore/include -I$O/gen"
	# shellcheck disable=SC2086
	for std in c11 gnu2x; do
		$CC -std=$std $strict "$temp/alone.c" || { failed=1; echo "$name: not clean as $std" >&2; }
		$CLANG -std=$std $strict "$temp/alone.c" || { failed=1; echo "$name: not clean as $std (clang)" >&2; }
	done
	# shellcheck disable=SC2086
	$CXX -std=c++17 $strict "$temp/alone.cc" || { failed=1; echo "$name: not clean as C++" >&2; }
done

note 'headers alone'
git ls-files 'core/include/cell/internal/*.h' 'core/*/*.h' 'cells/*/*.h' 'tests/lib/*.h' ':(exclude,glob)core/include/cell/*.h' |
	while read -r header; do
		printf '#include "%s"\n' "$PWD/$header" >"$temp/alone.c"
		# shellcheck disable=SC2086
		$CC -std=gnu2x -Wall -Wextra -Werror -fsyntax-only $flags $test_flags "$temp/alone.c" ||
			echo "$header: does not compile alone" | tee -a "$temp/headers" >&2
	done
[ ! -s "$temp/headers" ] || failed=1

# run_each TOOL WHAT [FILE...]
# One process a file, as many at a time as there are CPUs. The tests see all of core and cells.
run_each() {
	tool=$1
	note "$2"
	shift 2
	cat >"$temp/one.sh" <<-'SH'
		file=$1
		shift
		case $file in
		tests/*) extra="$TEST_FLAGS" ;;
		*) extra= ;;
		esac
		# shellcheck disable=SC2086
		case $TOOL in
		tidy) clang-tidy --quiet "$file" -- -std=gnu2x -fdouble-square-bracket-attributes $FLAGS $extra 2>"$OUT/err.$$" || { cat "$OUT/err.$$"; exit 1; } ;;
		clang) $CLANG -std=gnu2x -fsyntax-only -Wall -Wextra -Wshadow -Werror $FLAGS $extra "$file" ;;
		esac
	SH
	# shellcheck disable=SC2016
	sources "$@" | TOOL=$tool FLAGS=$flags TEST_FLAGS=$test_flags OUT=$temp CLANG=$CLANG xargs -P "$(nproc)" -n 1 sh "$temp/one.sh" ||
		failed=1
}
run_each clang 'clang warnings' "$@"
run_each tidy clang-tidy "$@"

note shellcheck
git ls-files '*.sh' '.ci/run' 'core/*.bash' | xargs -r shellcheck || failed=1
# Stories test by `a && b || c`, hand quoted text to other shells, split words on purpose
# (SC2046), count rounds (SC2034), share variables with setup (SC2154), stop at a failed cd (SC2164).
git ls-files '*.bats' 'tests/*.bash' |
	xargs -r shellcheck -S warning -e SC2034,SC2046,SC2154,SC2164 || failed=1

[ "$failed" -eq 0 ] || { echo 'lint: see above' >&2; exit 1; }
echo 'lint: nothing to report'
