#!/usr/bin/env bats
# cellc in the compiler's place. What has no attributes of cells comes out as the compiler
# alone makes it: files, messages, exit status. What has some, all of a namespace that is
# switched off, comes out as from the source in which spaces stand for them.

setup() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cellc-pass.XXXXXX")
	export XDG_CACHE_HOME=$dir/cache TMPDIR=$dir/tmp
	unset CELLC_CC CELLC_FLAGS DEPENDENCIES_OUTPUT
	mkdir "$dir/tmp" "$dir/plain" "$dir/ours"
	# Built from, in two flavours: with attributes, and with spaces in their place.
	mkdir "$dir/ours/.cell" "$dir/ours/inc" "$dir/ours/sub"
	printf '[features]\nt = off\n' >"$dir/ours/.cell/project"
	cat >"$dir/ours/inc/a.h" <<-'C'
		struct [[t::table("rows", unique = [1, 2])]] row { [[t::key]] int id; char c; };
		#define SQUARE(x) ((x) * (x))
	C
	cat >"$dir/ours/a.c" <<-'C'
		#include <stdio.h>
		#include "a.h"
		[[t::remote(x = "y")]];

		[[t::handler, t::other(true)]] static int handle(struct row *row)
		{
			switch (row->id) {
			case 1:
				row->c = 2;
				/* fall through */
			default:
				row->c++;
			}
			return row->c > __LINE__;
		}

		int a(void)
		{
			struct row row = { SQUARE(2), 1 };
			int unused;

			printf("%s %s\n", __func__, __FILE__);
			return handle(&row);
		}
	C
	printf 'int a(void);\n#ifndef VALUE\n#define VALUE 0\n#endif\nint main(void) { return VALUE + a(); }\n' >"$dir/ours/main.c"
	cp "$dir/ours/a.c" "$dir/ours/a.txt"
	printf -- '-Iinc -c\n"a.c" -o \x27with blank.o\x27 @more' >"$dir/ours/args"
	printf -- '-DX=\\"y\\"' >"$dir/ours/more"
	cp -r "$dir/ours/." "$dir/plain"
	for file in a.c a.txt inc/a.h; do
		perl -0pe 's/(\[\[t::.*?\]\];?)(?=[ \n])/$1 =~ s{[^\n]}{ }gr/ge' "$dir/ours/$file" >"$dir/plain/$file"
	done
	! grep -q 't::' "$dir/plain/a.c" "$dir/plain/inc/a.h"
}

teardown() {
	[ -z "$(ls -A "$dir/tmp")" ] || { ls -A "$dir/tmp"; false; }
	rm -rf "$dir"
}

# try FLAVOUR RESULT COMMAND...: run it in a copy that is always called work; what is there
# afterwards, and what it said, is kept as RESULT
try() {
	local from=$1 to=$dir/$2 status=0
	shift 2
	rm -rf "$dir/work" "$to"
	cp -rp "$dir/$from" "$dir/work"
	(cd "$dir/work" && "$@" >"$dir/out" 2>"$dir/err" <"${input:-/dev/null}") || status=$?
	mv "$dir/out" "$dir/err" "$dir/work"
	echo "$status" >"$dir/work/status"
	mv "$dir/work" "$to"
}

# same ARGUMENT...: the compiler and cellc make the same of the plain sources, twice
same() {
	try plain expected ${CELLC_CC:-gcc} "$@"
	for round in first second; do
		try plain got cellc "$@"
		diff -r "$dir/expected" "$dir/got" || { echo "$round: $*"; return 1; }
	done
}

# blanked ARGUMENT...: the same files of the sources with attributes as of those with spaces;
# dependencies on .cell come on top
blanked() {
	try plain expected ${CELLC_CC:-gcc} "$@"
	try ours got cellc "$@"
	for file in a.c a.txt inc/a.h; do cp "$dir/plain/$file" "$dir/got/$file"; done
	for file in "$dir"/got/*.d; do
		[ ! -e "$file" ] || perl -0pi -e 's{ \\\n [^ \n]*\.cell/\S+}{}g; s{^\S*\.cell/\S+:\n}{}mg' "$file"
	done
	diff -r "$dir/expected" "$dir/got" || { echo "blanked: $*"; return 1; }
}

# each FUNCTION <LINES: the arguments of each line
each() {
	local words
	while read -r words; do
		eval "$1 $words" || return 1
	done
}

@test "a project of real C: the same objects and messages" {
	[ -e "$CELL_BUILD/gen/common.cell.h" ] || skip "the tree is built elsewhere"
	cd "$CELL_TOP"
	flags="-std=gnu2x -D_GNU_SOURCE -DCELL_VERSION=\"0\" -Icore/include -I$CELL_BUILD/gen -g -O1 -Wall -Wextra -Wpadded"
	for file in core/libcell/{arena,call,codec,frame,manifest,ring,sock}.c; do
		# shellcheck disable=SC2086
		gcc $flags -c "$file" -o "$dir/o" 2>"$dir/expected.err" && mv "$dir/o" "$dir/expected.o"
		# shellcheck disable=SC2086
		cellc $flags -c "$file" -o "$dir/o" 2>"$dir/got.err"
		cmp "$dir/expected.o" "$dir/o"
		diff "$dir/expected.err" "$dir/got.err"
		cat "$dir/got.err" >>"$dir/all.err"
	done
	grep -q 'Wpadded' "$dir/all.err"
}

@test "Debian's lua: the same objects and messages" {
	cd "$dir/tmp"
	sed '/^$/,$d; s/^Types:.*/Types: deb-src/; s/^Suites: *\([^ ]*\).*/Suites: \1/' \
		/etc/apt/sources.list.d/debian.sources >lua.sources 2>err || true
	mkdir -p lists/partial cache/archives/partial
	set -- -q -o Dir::State::lists="$PWD/lists" -o Dir::Etc::sourcelist="$PWD/lua.sources" \
		-o Dir::Etc::sourceparts=/dev/null -o Dir::Cache="$PWD/cache" -o APT::Sandbox::User=root
	if ! { [ -s lua.sources ] && timeout 30 apt-get "$@" update && timeout 20 apt-get "$@" source --download-only lua5.4; } >log 2>&1; then
		rm -rf "$dir"/tmp/*
		skip "NO NETWORK: Debian's source of lua cannot be fetched"
	fi
	mv lua5.4_*.orig.tar.* lua.tar
	tar xf lua.tar
	cd lua-*/src
	for file in *.c; do
		gcc -O0 -g -Wall -Wextra -c "$file" -o o 2>expected.err && mv o expected.o
		cellc -O0 -g -Wall -Wextra -c "$file" -o o 2>got.err
		cmp expected.o o
		diff expected.err got.err
	done
	rm -rf "$dir"/tmp/*
}

@test "plain sources: every odd invocation is the compiler's own" {
	each same <<-'L'
		-Iinc -c a.c
		-Iinc -c -g -O2 -Wall -Wextra a.c -o sub/x.o
		-Iinc -c a.c main.c
		-Iinc a.c main.c -o prog
		-Iinc a.c main.c
		-Iinc -E a.c
		-Iinc -E a.c -o a.i
		-Iinc -M a.c
		-Iinc -MM -MT t a.c
		-Iinc -c -MD a.c
		-Iinc -c -MMD -MP -MF deps -MT one -MQ two a.c
		-Iinc -c -Wp,-MMD,deps a.c -o sub/a.o
		-Iinc -S a.c
		-Iinc -S -o - a.c
		-Iinc -c -save-temps a.c
		-Iinc -c -x c a.txt
		-Iinc -x c a.txt -x none main.c
		@args
		-Iinc -c @nowhere a.c
		-Iinc -c --coverage -frandom-seed=1 a.c
		-Iinc -c -flto -frandom-seed=1 a.c
		-Iinc -c -m32 a.c
		-Iinc -fsyntax-only -Wall a.c
		-Iinc -c -Werror -Wall a.c
		-Iinc -c -fdiagnostics-color=always -Wall a.c
		-Iinc -c missing.c
		-c a.c
		-Iinc -c a.c -o nowhere/a.o
		-Iinc -c -fno-such-option a.c
		-Iinc -c a.c main.c -o x.o
		-Iinc -c a.c -o /dev/null
		-###  -Iinc -c a.c
		--version
		-dumpmachine
		-print-prog-name=ld
		-v
		-o
	L
	same
	[ ! -e "$dir/got/.cellc"* ]
}

@test "plain sources: standard input, and what only exists there" {
	input=$dir/plain/a.c
	each same <<-'L'
		-Iinc -c -x c -
		-Iinc -c -x c - -o a.o
		-Iinc -E -xc -
		-Iinc -S -x c - -o -
	L
}

@test "plain sources: clang is passed to as gcc is" {
	for CELLC_CC in clang-14 clang-19; do
		export CELLC_CC
		command -v "$CELLC_CC" >"$dir/which" || skip "no $CELLC_CC"
		each same <<-'L'
			-Iinc -c -g -O2 -Wall -Wextra -MD a.c
			-Iinc a.c main.c -o prog
			-Iinc -E a.c
			-Iinc -c --coverage -frandom-seed=1 a.c
			-Iinc -c missing.c
			--version
		L
	done
}

@test "text in which the compiler counts, or that warns" {
	printf '#if __COUNTER__ == 0\nint zero;\n#endif\n#warning hey\nint x = __COUNTER__;\n' >"$dir/plain/count.c"
	each same <<-'L'
		-c count.c
		-c -Werror count.c
	L
}

@test "strings, comments and other people's attributes are no attributes" {
	cat >"$dir/plain/fake.c" <<-'C'
		/* [[t::x]] */ // [[t::x]]
		const char *s = "[[t::x]]", *u = "CELL(t::x)";
		[[gnu::noinline]] int f(void) { int v[1] = { 0 }; return v[v[0]]; }
		#define CELLAR(x) x
		int CELLAR(g)(void);
	C
	same -std=gnu2x -Wall -c fake.c
}

@test "attributes: a feature switched off leaves the object of spaces" {
	each blanked <<-'L'
		-Iinc -c a.c
		-Iinc -c -O2 -Wall -Wextra a.c -o sub/x.o
		-Iinc -c a.c main.c
		-Iinc a.c main.c -o prog
		-Iinc a.c main.c
		-Iinc -S a.c
		-Iinc -S -o - a.c
		-Iinc -c -MD a.c
		-Iinc -c -MMD -MP -MF deps.d -MT one -MQ two a.c
		-Iinc -c -MD a.c -o sub/a.o
		-Iinc -c -Wp,-MMD,deps.d a.c -o sub/a.o
		-Iinc -MD a.c main.c -o prog
		-Iinc -c -x c a.txt
		-Iinc -x c a.txt -x none main.c
		@args
		-Iinc -c -m32 a.c
		-Iinc -c --coverage -frandom-seed=1 a.c
		-Iinc -c --coverage -frandom-seed=1 a.c -o sub/x.o
		-Iinc -c -fsyntax-only -Wall a.c
		-Iinc -c -Werror -Wall a.c
		-Iinc -c a.c -o /dev/null
		-Iinc -c -std=gnu17 -Wall -Wextra -pedantic a.c
		-Iinc -c -Wimplicit-fallthrough -Wall -Werror=implicit-fallthrough a.c
	L
}

@test "attributes: -flto makes what the linker makes the same of" {
	each blanked <<-'L'
		-Iinc -O2 -flto a.c main.c -o prog
	L
}

@test "attributes: clang gives the object of spaces, too" {
	for CELLC_CC in clang-14 clang-19; do
		export CELLC_CC
		command -v "$CELLC_CC" >"$dir/which" || skip "no $CELLC_CC"
		each blanked <<-'L'
			-std=gnu2x -Iinc -c -O2 a.c
			-std=gnu2x -Iinc -c -Wall -Wextra -pedantic a.c -o sub/x.o
			-std=gnu2x -Iinc -S a.c
			-std=gnu2x -Iinc -c -MD a.c
			-std=gnu2x -Iinc -c -DVALUE=1 -include inc/a.h main.c
			-std=gnu2x -Iinc a.c main.c -o prog
		L
	done
}

@test "attributes: standard input" {
	input=$dir/ours/a.c
	try ours got cellc -Iinc -c -x c - -o a.o
	input=$dir/plain/a.c
	try plain expected gcc -Iinc -c -x c - -o a.o
	cmp "$dir/expected/a.o" "$dir/got/a.o"
	cmp "$dir/expected/err" "$dir/got/err"
}

@test "attributes: -E prints C that makes the same object" {
	try ours got cellc -Iinc -E a.c -o a.i
	! grep -q 't::' "$dir/got/a.i"
	try plain expected gcc -Iinc -c a.c
	cd "$dir/got"
	gcc -c a.i -o a.o
	cmp a.o "$dir/expected/a.o"
	[ "$(cd "$dir/ours" && cellc -Iinc -E a.c)" = "$(cat a.i)" ]
}

@test "attributes: -save-temps keeps what was compiled" {
	try ours got cellc -Iinc -c -save-temps a.c
	try plain expected gcc -Iinc -c -save-temps a.c
	cmp "$dir/expected/a.o" "$dir/got/a.o"
	cmp "$dir/expected/a.s" "$dir/got/a.s"
	grep -q 'handle' "$dir/got/a.i"
	! grep -q 't::' "$dir/got/a.i"
}

@test "attributes: -g shows the user's lines" {
	try ours got cellc -Iinc -c -g a.c
	try plain expected gcc -Iinc -c -g a.c
	lines() { objdump --dwarf=decodedline "$1" | sed 1,3d; }
	diff <(lines "$dir/expected/a.o") <(lines "$dir/got/a.o")
}

@test "attributes: __TIMESTAMP__ is the source's" {
	printf '[[t::x]];\nconst char *when = __TIMESTAMP__;\n' >"$dir/ours/when.c"
	printf '         \nconst char *when = __TIMESTAMP__;\n' >"$dir/plain/when.c"
	touch -d '2001-02-03 04:05:06' "$dir/ours/when.c" "$dir/plain/when.c"
	try ours got cellc -c when.c
	try plain expected gcc -c when.c
	cmp "$dir/expected/when.o" "$dir/got/when.o"
}

@test "attributes: ccache on either side" {
	command -v ccache >"$dir/which" || skip "no ccache"
	export CCACHE_DIR=$dir/ccache
	try plain expected gcc -Iinc -c a.c
	export CELLC_CC="ccache gcc"
	try ours got cellc -Iinc -c a.c
	cmp "$dir/expected/a.o" "$dir/got/a.o"
	cmp "$dir/expected/err" "$dir/got/err"
	unset CELLC_CC
	try ours got ccache "$(command -v cellc)" -Iinc -c a.c
	cmp "$dir/expected/a.o" "$dir/got/a.o"
	try ours got ccache "$(command -v cellc)" -Iinc -c a.c
	cmp "$dir/expected/a.o" "$dir/got/a.o"
}

@test "attributes in text that somebody preprocessed: compiled as it is, with a warning" {
	cd "$dir/ours"
	printf '[[t::x]] int x;\n' >p.c
	cellc -c -fpreprocessed -w p.c 2>"$dir/err"
	cellc -c -fpreprocessed -Wno-attributes p.c 2>"$dir/err"
	grep -q "p.c:1:3: warning: attributes of cells in preprocessed text are not expanded" "$dir/err"
	printf 'int x;\n' >p.c
	[ -z "$(cellc -c -fpreprocessed p.c 2>&1)" ]
}

@test "what fails leaves the old object, and nothing else" {
	cd "$dir/ours"
	echo old >a.o
	ls -A >"$dir/before"
	run cellc -Iinc -c -DX a.c -include nowhere.h
	[ "$status" -eq 1 ]
	printf '[[t::x]];\nint broken(\n' >broken.c
	echo old >broken.o
	ls -A >"$dir/before"
	run cellc -c -MD broken.c
	[ "$status" -eq 1 ]
	printf '[[u::x]];\nint f;\n' >unknown.c
	echo old >unknown.o
	ls -A >"$dir/before"
	run cellc -c -MD unknown.c
	[ "$status" -eq 1 ]
	[[ $output == *"unknown.c:1:3: error: "*"'u'"* ]]
	ls -A | diff "$dir/before" -
	[ "$(cat a.o broken.o unknown.o)" = "$(printf 'old\nold\nold')" ]
}

@test "a signal ends the compiler, and leaves nothing" {
	cd "$dir/ours"
	mkfifo gate started
	# A compiler that says when its second step runs, and then waits.
	printf '#!/bin/sh\ncase "$*" in *-fpreprocessed*) echo $$ >started; read -r x <gate ;; *) exec gcc "$@" ;; esac\n' >slow
	chmod +x slow
	ls -A >"$dir/before"
	CELLC_CC=$PWD/slow cellc -Iinc -c a.c 3>&- &
	pid=$!
	read -r child <started
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 143 ]
	! kill -0 "$child" 2>"$dir/err"
	ls -A | diff "$dir/before" -
}

@test "the compiler: CELLC_CC, the project, gcc, and never itself" {
	cd "$dir/ours"
	[[ "$(cellc --version)" == gcc* ]]
	printf '[build]\ncompiler = clang\n' >>.cell/project
	[[ "$(cellc --version)" == *clang* ]]
	[[ "$(CELLC_CC='gcc -O2' cellc --version)" == gcc* ]]
	run env CELLC_CC=cellc cellc -c main.c
	[ "$status" -eq 1 ]
	[[ $output == "cellc: error: cannot run 'cellc'"* ]]
	mkdir "$dir/bin"
	ln -s "$(command -v cellc)" "$dir/bin/gcc"
	[[ "$(PATH=$dir/bin:$PATH CELLC_CC=gcc cellc --version)" == gcc* ]]
	printf '[build]\ncompilr = clang\n' >.cell/project
	run cellc -c main.c
	[ "$status" -eq 2 ]
	[[ $output == *"/.cell/project:2:1: [build] knows no 'compilr'; did you mean 'compiler'?" ]]
}

@test "its own options: from the command line, the environment, and wrong ones" {
	cd "$dir/plain"
	cellc --locked --offline --strict --features t=off -Iinc -c a.c
	[ "$(CELLC_FLAGS='--frozen --cellc-verbose' cellc -Iinc -c a.c 2>&1 | grep -c '^cellc: passed to the compiler')" -eq 1 ]
	run env CELLC_FLAGS=--lokced cellc -c main.c
	[ "$status" -eq 2 ]
	[[ "$(cellc --help)" == "cellc: compile C whose attributes are answered by cells"* ]]
}

@test "many at once know each other's files" {
	cd "$dir/plain"
	for i in $(seq 40); do printf '#include "a.h"\nint f%d(void) { return SQUARE(%d); }\n' "$i" "$i" >"m$i.c"; done
	printf 'all: $(patsubst %%.c,%%.o,$(wildcard m*.c))\n%%.o: %%.c\n\t$(CC) -Iinc -MD -c -o $@ $<\n' >Makefile
	make -s -j8 CC=gcc
	mkdir "$dir/expected" && mv ./*.o ./*.d "$dir/expected"
	for round in first second; do
		make -s -j8 CC=cellc
		for file in "$dir"/expected/*; do cmp "$file" "${file##*/}"; done
		rm -f ./*.o ./*.d
	done
	mkdir ../many && cp -r "$dir/ours/." ../many && cp m*.c Makefile ../many && cd ../many
	make -s -j8 CC=cellc
	for file in "$dir"/expected/*.o; do cmp "$file" "${file##*/}"; done
}

@test "a header that changes, or comes to be found first, is seen" {
	cd "$dir/plain"
	mkdir first
	verbose() { cellc --cellc-verbose -Ifirst -Iinc -c a.c -o "$dir/o" 2>&1 | grep '^cellc' || true; }
	find . -exec touch -d '1 minute ago' {} +
	until [[ "$(verbose)" == *"it is known"* ]]; do :; done
	cp "$dir/ours/inc/a.h" first/a.h
	[ -z "$(CELLC_FLAGS='--features t=off' verbose)" ]
	rm first/a.h
	[[ "$(verbose)" == *"passed to the compiler"* ]]
	cp "$dir/ours/inc/a.h" inc/a.h
	[ -z "$(CELLC_FLAGS='--features t=off' verbose)" ]
}

@test "objects that disagree on a layout are not linked" {
	cd "$dir/plain"
	note() {
		printf '__asm__(".pushsection .note.cell,\\"a\\",%%note\\n.balign 4\\n.4byte 5, 8f - 7f, 1\\n.asciz \\"Cell\\"\\n.balign 4\\n7: .fill 32, 1, %d\\n.asciz \\"struct row\\"\\n.asciz \\"%s\\"\\n.asciz \\"\\"\\n.asciz \\"\\"\\n8: .balign 4\\n.popsection");\n' "$1" "$2"
	}
	{ note 1 one.c; echo 'int main(void) { return 0; }'; } >one.c
	note 1 two.c >two.c
	note 2 three.c >three.c
	gcc -c one.c two.c three.c
	cellc one.o two.o -o prog
	gcc one.o two.o -o expected
	cmp prog expected
	ar rcs libthree.a three.o
	for last in three.o libthree.a "-L. -lthree"; do
		rm prog
		# shellcheck disable=SC2086
		run cellc one.o two.o $last -o prog
		[ "$status" -eq 1 ]
		[[ $output == *"struct row is not the same in one.o (from one.c) and in "*"three.o"*" (from three.c)"* ]]
		[ ! -e prog ]
		: >prog
	done
}
