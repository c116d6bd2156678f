#!/usr/bin/env bats
# How many instructions cellc itself takes, in user space, for what it does most: a file that it
# knows to have no attributes, and one whose expansion it remembers. The compiler is not counted.
#
#                                  measured (gcc 12, x86-64 with AVX2)
#   no attributes, known            356,000
#   remembered, nobody asked      1,332,000
#   remembered, macro cell asked  1,452,000
#
# Of the first, 260,000 are the dynamic linker's; of the others half is the hash of 100 kB of
# preprocessed text.
#
# Bounds are 15 % above. Who makes it cheaper lowers them, and the table.

load "$CELL_TOP/tests/lib/node"

setup() {
	command -v valgrind >/dev/null || skip "NOTHING IS COUNTED: valgrind is not installed"
	[ "$(uname -m)" = x86_64 ] || skip "NOTHING IS COUNTED: the bounds are those of x86-64"
	# The first word is the compiler; the rest are the flags of this build.
	! grep -qE '^clang|-fsanitize=|--coverage|-O0' "$CELL_BUILD/flags" ||
		skip "NOTHING IS COUNTED: this build is not the one that is installed"
	grep -qw avx2 /proc/cpuinfo ||
		skip "NOTHING IS COUNTED: the bounds are those of the hash with AVX2"
	export CELL_WAKE=sleep
	node_start
	# How long $PATH is shall not count.
	CELLC_CC=$(command -v gcc)
	export CELLC_CC XDG_CACHE_HOME=$dir/cache
	mkdir -p "$dir/project/.cell"
	cd "$dir/project" || return
}

teardown() {
	node_stop
}

# count WORDS...: sets $count to what cellc executed before it became the compiler, or ended
count() {
	rm -f callgrind.*
	valgrind --tool=callgrind --callgrind-out-file=callgrind.out --dump-before=process_exec \
		"$(command -v cellc)" "$@" >log 2>&1 || { cat log; return 1; }
	# The part up to the exec is numbered.
	[ -e callgrind.out.1 ] && mv callgrind.out.1 callgrind.out
	count=$(sed -n 's/^\(totals\|summary\): //p' callgrind.out | head -n 1)
	[ "$count" -gt 0 ]
}

# takes MOST WORDS...: the best of three, as on a busy machine an answer is waited for once more
takes() {
	local most=$1
	shift
	for _ in 1 2 3; do
		count "$@" || return 1
		echo "instructions of cellc $*: $count (at most $most)"
		# So few would mean that it did nothing.
		[ "$count" -gt 50000 ]
		[ "$count" -gt "$most" ] || return 0
	done
	return 1
}

@test "a file that is known to have no attributes takes no more than it did" {
	printf '#include <stdio.h>\nint main(void) { return puts("hi") < 0; }\n' >plain.c
	# What has just been written is not relied on yet.
	touch -d '1 minute ago' plain.c
	until cellc --cellc-verbose -c plain.c 2>&1 | grep -q 'known to have no attributes'; do :; done
	takes 410000 -c plain.c
}

@test "a file whose expansion is remembered takes no more than it did" {
	cat >"$dir/alpha.cell" <<-TXT
		[cell]
		exec = $(command -v macro_provider) alpha
		[sandbox]
		state = no
		[macros]
		namespace = alpha
	TXT
	cell -q run "$dir/alpha.cell"
	printf '#include <stdio.h>\nstruct [[alpha::add]] account { int id; };\n' >x.c
	cellc -c x.c
	cellc --offline -c x.c
	cellc --offline --cellc-verbose -c x.c 2>&1 | grep -q 'is remembered$'
	cellc --cellc-verbose -c x.c 2>&1 | grep -q 'is remembered$'
	takes 1530000 --offline -c x.c
	takes 1670000 -c x.c
}
