#!/usr/bin/env bats
# cell ide: what an editor with clangd shows of a project with attributes.

load "$CELL_TOP/tests/lib/node"

setup() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-ide.XXXXXX")
	chmod 755 "$dir"
	export CELL_RUNDIR=$dir/run CELL_STATEDIR=$dir/state
}

teardown() {
	if [ -n "${core:-}" ]; then node_stop; else cell -q down --force >/dev/null 2>&1 || true; fi
	rm -rf "${cells:-}" "$dir"
}

# The clangd that is there: the test of an editor needs one.
need_clangd() {
	for clangd in clangd clangd-19 clangd-18 clangd-17 clangd-16; do
		command -v "$clangd" >/dev/null && return
	done
	skip "CLANGD IS NOT INSTALLED: scripts/install-deps.sh test"
}

# bank: a table in a header, a body that is generated, with the scripted macro cell
bank() {
	rm -rf "$dir"
	cells=$(mktemp -d "${TMPDIR:-/tmp}/cell-cells.XXXXXX")
	chmod 755 "$cells"
	mkdir -m 777 "$cells/answers"
	printf '[cell]\nname = macro\nsummary = scripted\nexec = %s %s\n' \
		"$(command -v macro_cell)" "$cells/answers" >"$cells/macro.cell"
	node_start "cells = $cells" "sandbox = none"
	mkdir -p "$dir/bank/src" "$dir/bank/.cell"
	cd "$dir/bank" || return
	cat >src/account.h <<-'C'
		#ifndef ACCOUNT_H
		#define ACCOUNT_H
		struct [[db::table, db::grow]] account {
			unsigned long id;
			int balance;
		};

		int account_total(const struct account *account);
		#endif
	C
	cat >src/bank.c <<-'C'
		#define _GNU_SOURCE
		#include "account.h"
		#ifdef __linux__
		#include <stdlib.h>
		#endif

		struct [[db::table]] note { int length; };
		[[db::body]] static int seven(int a);

		int account_total(const struct account *account)
		{
			return account->balance + account->version;
		}

		int main(void)
		{
			struct account a = { .id = 1 };
			struct note n = { 2 };

			return abs(account_get(&a) + note_get(&n) + seven(a.version) - 9);
		}
	C
	printf 'int main(void); int one(void);\nint one(void) { return 1; }\n' >src/plain.c
	printf 'bank: src/bank.o src/plain.o\n\t$(CC) -o $@ $^\n%%.o: %%.c\n\t$(CC) -std=gnu2x -Wall -Wextra -c -o $@ $<\n' >Makefile
}

calls() { grep -c "^$1" "$cells/answers/calls" || true; }

@test "generated functions and added members are there, and no noise" {
	need_clangd
	bank
	printf '[project]\nprogram = bank\n' >.cell/project
	CELLC_COMPDB=$PWD/.cell/state/commands make -s CC=cellc
	run ./bank
	[ "$status" -eq 0 ]
	cp "$cells/answers/calls" "$dir/calls"
	cell -q ide
	cmp "$cells/answers/calls" "$dir/calls"
	for file in src/bank.c src/account.h src/plain.c; do
		run python3 "$CELL_TOP/tests/lib/editor.py" "$clangd" "$file"
		echo "$file: $output"
		[ "$status" -eq 0 ]
		[ "$output" = "" ]
	done
	run python3 "$CELL_TOP/tests/lib/editor.py" "$clangd" src/bank.c account_g a.v note_g
	[[ $output == *"account_g: "*"account_get"* ]]
	[[ $output == *"a.v: "*"version"* ]]
	[[ $output == *"note_g: "*"note_get"* ]]
	# It still says what is wrong.
	sed -i 's/note_get(&n)/note_got(\&n)/' src/bank.c
	run python3 "$CELL_TOP/tests/lib/editor.py" "$clangd" src/bank.c
	[[ $output == *"20: "*"note_got"* ]]
}

@test "the application of cell new --app has no error in an editor" {
	need_clangd
	[ -e "$CELL_BUILD/../core/include/cell/cell.h" ] || skip "built outside of the tree"
	cd "$dir"
	cell -q new --app shop
	cd shop
	cell build >"$dir/made" 2>&1 || { cat "$dir/made"; false; }
	cell -q ide
	for file in shop.h shop.c client.c; do
		run python3 "$CELL_TOP/tests/lib/editor.py" "$clangd" "$file"
		echo "$file: $output"
		[ "$output" = "" ]
		"$clangd" --check="$file" >"$dir/check" 2>&1
		grep -q 'All checks completed, 0 errors' "$dir/check"
	done
	run python3 "$CELL_TOP/tests/lib/editor.py" "$clangd" client.c shop_dep receipt.
	[[ $output == *"shop_dep: "*"shop_deposit_start"* ]]
	[[ $output == *"receipt.: "*"balance"* ]]
	cell -q down
}

@test "reads only what is there, and needs no node" {
	bank
	make -s CC=cellc
	kill "$core"
	wait "$core" || true
	cp -r .cell "$dir/before"
	cell -q ide
	rm -rf .cell/ide/ && cell -q ide
	diff -r -x ide .cell "$dir/before"
	[ "$(jq -r '.[].file' .cell/ide/compile_commands.json | sed 's,.*/,,' | sort | tr '\n' ' ')" = "account.h bank.c " ]
	[ "$(jq -r '.[0].arguments[0]' .cell/ide/compile_commands.json)" = "$(command -v gcc)" ]
	[ "$(jq -r '.roots[].name' .cell/ide/overlay.yaml)" = "$PWD/src/account.h" ]
	# Each line of the header is where it was.
	[ "$(diff src/account.h .cell/ide/headers/src/account.h | grep -c '^>')" -eq 1 ]
	[ "$(wc -l <.cell/ide/headers/src/account.h)" -eq "$(wc -l <src/account.h)" ]
	# What does not fit what was built is told, and the last that did stays.
	sed -i 's/int balance;/int balance; int more;/' src/account.h
	cp -r .cell/ide "$dir/ide"
	run cell ide
	[ "$status" -eq 0 ]
	[[ $output == *"src/bank.c: not as it was built: build it"* ]]
	diff -r .cell/ide "$dir/ide"
}

@test "a database of the user's is read and left alone, and so is .clangd" {
	bank
	make -s CC=cellc
	printf '[{"directory": "%s", "file": "src/bank.c", "command": "%s -DMINE=1 -std=gnu2x -c src/bank.c -o x.o"}]' \
		"$PWD" "$(command -v cellc)" >compile_commands.json
	cp compile_commands.json "$dir/commands"
	printf 'Diagnostics:\n  UnusedIncludes: None' >.clangd
	cell -q ide
	cmp compile_commands.json "$dir/commands"
	jq -e '.[] | select(.file | endswith("bank.c")) | .arguments | index("-DMINE=1")' .cell/ide/compile_commands.json
	jq -e '.[].arguments[0] | endswith("gcc")' .cell/ide/compile_commands.json
	[ "$(head -2 .clangd)" = $'Diagnostics:\n  UnusedIncludes: None' ]
	printf -- '---\nHover:\n  ShowAKA: Yes\n' >>.clangd
	cp .clangd "$dir/clangd"
	cell -q ide
	cmp .clangd "$dir/clangd"
	sed -i '/<<< cell ide/d' .clangd
	run cell ide
	[ "$status" -eq 1 ]
	[[ $output == *"'# >>> cell ide' without '# <<< cell ide'"* ]]
}
