#!/usr/bin/env bats
# A project with attributes: built with the cells, reviewed, built without them, checked.
# The macro cell is a scripted one (tests/lib/macro_cell.c).

load "$CELL_TOP/tests/lib/node"

setup() {
	cells=$(mktemp -d "${TMPDIR:-/tmp}/cell-cells.XXXXXX")
	chmod 755 "$cells"
	mkdir -m 777 "$cells/answers"
	printf '[cell]\nname = macro\nsummary = scripted\nexec = %s %s\n' \
		"$(command -v macro_cell)" "$cells/answers" >"$cells/macro.cell"
	node_start "cells = $cells" "sandbox = none"
	mkdir -p "$dir/bank/src" "$dir/bank/.cell"
	cd "$dir/bank" || return
	cat >src/account.h <<-'C'
		struct [[db::table]] account {
			unsigned long id;
			int balance;
		};
	C
	cat >src/bank.c <<-'C'
		#include "account.h"

		int main(void)
		{
			struct account a;

			return account_get(&a) - 1;
		}
	C
	printf 'bank: src/bank.o\n\t$(CC) -o $@ $^\nsrc/bank.o: src/bank.c\n\t$(CC) -Wall -Wextra -Werror -MMD -c -o $@ $<\n-include src/bank.d\n' >Makefile
	export CC=cellc
}

teardown() {
	node_stop
	rm -rf "$cells"
}

calls() { grep -c "^$1" "$cells/answers/calls" || true; }

@test "is built with the cells, then without them" {
	make -s -e
	./bank
	[ "$(calls 'provision table account')" -eq 1 ]
	grep -q '^use src/account.h struct:account ' .cell/db.schema.lock
	grep -q '^kept src/account.h struct:account field balance = 2$' .cell/db.schema.lock
	[[ "$(make -e)" == *"up to date"* ]]
	# Every file of .cell that the object depends on is there.
	for file in $(tr -d '\\' <src/bank.d | tr ' ' '\n' | sed 's/:$//' | grep '^\.cell'); do
		[ -e "$file" ]
	done
	cp -r .cell "$dir/before"
	touch src/bank.c
	make -s -e
	[ "$(calls expand)" -eq 1 ]
	kill "$core"
	wait "$core" || true
	touch src/bank.c
	run make -e CFLAGS=
	[ "$status" -ne 0 ] # -Werror: nobody confirmed that this is still so
	[[ $output == *"cell 'celldb' is not running: built from what .cell remembers"* ]]
	CELLC_FLAGS=--offline make -s -e
	./bank
	diff -r .cell "$dir/before"
}

@test "says what would change, and takes it when told to" {
	make -s -e
	run cell check
	[ "$status" -eq 0 ]
	run cell check --twice
	[ "$status" -eq 0 ]
	run cell check --offline
	[ "$status" -eq 0 ]
	echo migrated >"$cells/answers/state"
	printf '1 + 0' >"$cells/answers/text"
	cp -r .cell "$dir/before"
	run cell check
	[ "$status" -eq 1 ]
	[[ $output == *"-	return 1;"* ]]
	[[ $output == *"+	return 1 + 0;"* ]]
	diff -r .cell "$dir/before"
	run cell check --offline
	[ "$status" -eq 0 ]
	cell -q fetch
	grep -rq 'return 1 + 0;' .cell/exp/db
	cell check
	[ "$(calls provision)" -eq 1 ]
}

@test "finds cells that answer differently each time" {
	make -s -e
	# The state says that nothing has changed, so only asking again can tell.
	printf '0 + 1' >"$cells/answers/text"
	cell check
	run cell check --twice
	[ "$status" -eq 1 ]
	[[ $output == *"+	return 0 + 1;"* ]]
}

@test "shows the expanded text, and keeps plain compilers quiet" {
	cell expand src/bank.c >"$dir/text"
	grep -q 'static inline int account_get' "$dir/text"
	[ "$(calls provision)" -eq 0 ]
	run cell cflags
	[ "$output" = "-Wno-attributes=cell:: -Wno-attributes=db::" ]
	gcc $(cell cflags) -Wall -Werror -fsyntax-only src/account.h
	[ "$(cell cflags --clang)" = "-Wno-unknown-attributes" ]
	cd "$dir"
	mkdir none
	cd none
	run cell check
	[ "$status" -eq 1 ]
	[[ $output == *"no locks, and no compile_commands.json"* ]]
}

@test "takes the compiler's words from compile_commands.json" {
	mkdir include
	mv src/account.h include
	printf '[{"directory": "%s", "file": "src/bank.c", "arguments": ["cc", "-Iinclude", "-c", "-o", "x.o", "src/bank.c"]}]' "$PWD" >compile_commands.json
	cell -q fetch
	grep -q '^use include/account.h struct:account ' .cell/db.schema.lock
	cell check src/bank.c
	[ ! -e x.o ]
}

@test "without a node, the first build says what to run" {
	kill "$core"
	wait "$core" || true
	run cellc -c -o "$dir/x.o" src/bank.c
	[ "$status" -ne 0 ]
	[[ $output == *"src/account.h:1:10: error: cell 'db' is not running and .cell has no answer from it"* ]]
	[[ $output == *"note: run: cell run db"* ]]
	[[ $output == *"note: or leave it out: cellc --features db=off"* ]]
	[ ! -e "$dir/x.o" ]
}

@test "an error of the compiler in generated text is one of an attribute" {
	printf 'nothing + nothing_else' >"$cells/answers/text"
	run cellc -c src/bank.c
	[ "$status" -eq 1 ]
	[[ $output == *".cell/exp/db/"*": error: "*"nothing"* ]]
	[[ $output == *"src/account.h:1:10: note: in the expansion of db::table"* ]]
	[ "$(grep -c 'in the expansion of' <<<"$output")" -eq 1 ]
	[ ! -e bank.o ]
	rm "$cells/answers/text"
	cellc --fresh -c src/bank.c
	sed -i 's/account_get/account_fetch/' src/bank.c
	for compiler in gcc clang; do
		CELLC_CC=$compiler run cellc -std=gnu2x -c src/bank.c
		[ "$status" -eq 1 ]
		[[ $output == *"src/account.h:1:22: note: the attributes on 'account' declare no 'account_fetch', but account_get"* ]]
	done
	run cellc --features db=off -c src/bank.c
	[[ $output == *"src/account.h:1:10: note: 'account_fetch' may be declared by db::table, but the feature 'db' is off"* ]]
	# What reads messages as JSON gets one document.
	cellc -fdiagnostics-format=json -c src/bank.c 2>"$dir/json" || true
	jq -e . "$dir/json" >/dev/null
}

@test "gdb steps over expansions, as cell new --app tells it to" {
	command -v gdb >/dev/null || skip "gdb is not installed"
	make -s -e CFLAGS= >/dev/null
	cellc -g -O0 -o bank src/bank.c
	cell -q new --app shop "$dir/shop"
	step=(-ex 'break main' -ex run -ex step -ex step)
	run gdb -nx -batch "${step[@]}" ./bank
	[[ $output == *"account_get ("*") at .cell/exp/db/"* ]]
	run gdb -nx -batch -x "$dir/shop/.gdbinit" "${step[@]}" ./bank
	[[ $output == *"main () at src/bank.c"* ]]
	[[ $output != *".cell/exp/db/"* ]]
}
