#!/usr/bin/env bats
# make -j with cellc: many files that share a header, and cells that are asked once.

load "$CELL_TOP/tests/lib/node"

setup() {
	node_start
	for ns in alpha beta; do
		printf '[cell]\nexec = %s %s\n[sandbox]\nstate = no\n[macros]\nnamespace = %s\n' \
			"$(command -v macro_provider)" $ns $ns >"$dir/$ns.cell"
		cell -q run "$dir/$ns.cell"
	done
	mkdir -p "$dir/project/.cell"
	cd "$dir/project" || return
	# Slow enough for all jobs to meet.
	cat >shared.h <<-'C'
		#pragma once
		struct [[alpha::add(ms = 50), beta::add]] account { int id; };
		struct [[beta::add]] owner { int id; };
	C
	for i in $(seq 50); do
		printf '#include "shared.h"\nint f%d(void);\nint f%d(void)\n{\n\treturn account_alpha() + account_beta() + owner_beta() + %d;\n}\n' \
			"$i" "$i" "$i" >"f$i.c"
	done
	{
		printf '#include <stdio.h>\n'
		printf 'int f%d(void);\n' $(seq 50)
		printf 'int main(void)\n{\n\tint sum = 0;\n'
		printf '\tsum += f%d();\n' $(seq 50)
		printf '\tprintf("%%d\\n", sum);\n\treturn 0;\n}\n'
	} >main.c
	cat >Makefile <<-'MAKE'
		.RECIPEPREFIX = >
		O := $(patsubst %.c,%.o,$(wildcard *.c))
		sum: $O
		> $(CC) -o $@ $^
		%.o: %.c
		> $(CC) -Wall -Wextra -Werror -MMD -MP -c -o $@ $<
		-include $(wildcard *.d)
	MAKE
}

teardown() {
	node_stop
}

# asked CELL METHOD: how often
asked() {
	cell call "$1" cell.ops.v1.Ops/Stats '{}' |
		jq -r "[.methods[] | select(.method | endswith(\"/$2\")) | .calls // \"0\" | tonumber] | add"
}

@test "fifty files ask once for each declaration, and are all right" {
	make -s -j8 CC=cellc >said 2>&1 || { cat said; false; }
	[ ! -s said ]
	[ "$(./sum)" = $((50 * 51 / 2 + 3 * 50)) ]
	[ "$(asked alpha CoordinateExpansion)" -eq 1 ]
	[ "$(asked beta CoordinateExpansion)" -eq 2 ]
	for i in $(seq 50); do
		[ "$(nm f$i.o | grep -c " T f$i\$")" -eq 1 ]
	done
	[[ "$(make -j8 CC=cellc)" == *"up to date"* || "$(make -j8 CC=cellc)" == *"Nothing to be done"* ]]
	# One job at a time makes the same.
	cp -r .cell "$dir/parallel"
	rm -rf .cell/* ./*.o ./*.d
	make -s CC=cellc f1.o f2.o f3.o
	diff -r -x state .cell "$dir/parallel"
	# What comes later finds everything.
	touch f1.c f2.c f3.c
	make -s -j8 CC=cellc f1.o f2.o f3.o f4.o
	[ "$(asked alpha CoordinateExpansion)" -eq 2 ]
	[ "$(asked beta CoordinateExpansion)" -eq 4 ]
}
