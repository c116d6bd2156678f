#!/usr/bin/env bats
# A newcomer's own cell, from nothing, with the tree's Cell.

setup() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-new.XXXXXX")
	chmod 755 "$dir"
	export CELL_RUNDIR=$dir/run CELL_STATEDIR=$dir/state
	# The tree under test, not what may be installed.
	export PKG_CONFIG_PATH=/nonexistent
	cd "$dir" || return
}

teardown() {
	cell -q down --force || true
	rm -rf "$dir"
}

@test "builds, runs and passes its test as it is made" {
	[ -e "$CELL_BUILD/../core/include/cell/cell.h" ] || skip "built outside of the tree"
	run cell new hello-world
	[ "$status" -eq 0 ]
	[[ $output == *"(next: cd hello-world && make && cell run .)" ]]
	cd hello-world
	# A sanitized library wants a sanitized program; protoc's plugin may leave its memory to exit.
	sanitizer=$(grep -oE -- '-fsanitize=[a-z]+' "$CELL_BUILD/flags" | sort -u)
	export ASAN_OPTIONS=detect_leaks=0
	make CFLAGS="-O1 -Werror $sanitizer" LDFLAGS="$sanitizer" >"$dir/made" 2>&1 || { cat "$dir/made"; false; }
	# A second make does nothing.
	unset ASAN_OPTIONS
	[[ "$(make)" == *"up to date"* ]]
	cell -q up
	run cell run .
	[ "$status" -eq 0 ]
	[ "$(cell call hello-world echo '{"text": "hi", "count": 2}')" = '{"text":"hihi","number":"1"}' ]
	[[ "$(cell describe hello-world)" == *"Say the text back, COUNT times."* ]]
	cell -q down
	make test
}

@test "a provider of macros builds, runs and passes its test as it is made" {
	[ -e "$CELL_BUILD/../core/include/cell/cell.h" ] || skip "built outside of the tree"
	cell -q new --provider two-shapes
	cd two-shapes
	make CFLAGS='-O1 -Werror' >"$dir/made" 2>&1 || { cat "$dir/made"; false; }
	[[ "$(make)" == *"up to date"* ]]
	cell -q up
	run cell run .
	[ "$status" -eq 0 ]
	[[ "$(cell macro list)" == *"two_shapes::hello"*"A function that says hello"* ]]
	# What it makes is what a compiler takes.
	macro_client expand "struct s" 'two_shapes::hello("Hi ?")' >x.c
	printf 'struct s { int a; };\nint puts(const char *);\nint main(void) { return puts(s_hello()) < 0; }\n' >>x.c
	"${CC:-cc}" -std=gnu17 -Wall -Wextra -Werror -o x x.c
	[ "$(./x)" = "Hi ?" ]
	cell -q down
	make test
}

@test "leaves alone what is there, and refuses names that cannot be" {
	mkdir hello
	echo mine >hello/main.c
	run cell new hello
	[ "$status" -eq 7 ]
	[ "$(cat hello/main.c)" = mine ]
	for name in Hello 1st a_b int core ''; do
		run cell new "$name"
		[ "$status" -eq 2 ]
	done
	[ "$(ls)" = hello ]
	[ "$(cell new --json other "$dir/elsewhere" | jq -r '.folder')" = "$dir/elsewhere" ]
	[ -e elsewhere/other.proto ]
}
