#!/usr/bin/env bats
# A bank of attributes alone, with every kind of member, method and stream: with each compiler,
# against running cells, called from C and from Python. Its sources are in bank/.

load "$CELL_TOP/tests/lib/node"

setup() {
	! nm "$CELL_BUILD/lib/libcell.a" 2>/dev/null | grep -qE '__(asan|tsan|ubsan)' ||
		skip "what users build has no sanitizer"
	export CELL_TELEMETRY_HTTP=off
	node_start
	cell -q run macro
	cell -q run validate
	cell -q run telemetry
	project bank
	flags="-std=gnu2x -O1 -g -Wall -Wextra -Wpedantic -Werror -I$CELL_BUILD/include -I$CELL_BUILD/gen"
	libs="$CELL_BUILD/lib/libcell.a -lev $(pkg-config --libs libprotobuf-c libsodium inih) -lm -lpthread"
}

teardown() {
	node_stop
}

# project NAME: a fresh copy of the bank, which becomes the current folder
project() {
	mkdir -p "$dir/$1/.cell"
	cp "$CELL_TOP"/tests/integration/bank/* "$dir/$1"
	cd "$dir/$1" || return
}

# build: the bank, as a program; without a word of any compiler
build() {
	for file in bank reports; do
		cellc $flags "$@" -c $file.c >said 2>&1 || { cat said; return 1; }
		[ ! -s said ] || { cat said; return 1; }
	done
	cellc -o bank bank.o reports.o "$CELL_BUILD/lib/libcell-main.a" $libs
}

@test "compiles without a warning with every compiler, and answers its client" {
	for compiler in gcc clang-14 clang-19; do
		command -v $compiler >/dev/null || continue
		export CELLC_CC=$compiler
		build
		cell -q retire bank 2>/dev/null || true
		cell -q run .
		cellc $flags -o client client.c $libs
		[ "$(./client bytes.$compiler)" = "every method answered" ]
		cmp bytes.gcc bytes.$compiler
	done
}

@test "describes itself, and speaks with Python byte for byte" {
	build
	cell -q run .
	cellc $flags -o client client.c $libs
	./client bytes
	cell describe bank >described
	grep -qx '  // The same profile, seen by the bank.' described
	grep -qx '  uint64 account = 1; // 1 to 8' described
	grep -qx '  string name = 1; // as in the passport' described
	grep -qx '  map<string, Holder> limits = 11; // by country' described
	grep -qx '  rpc exchange(stream Deposit) returns (stream Receipt);' described
	grep -qx '// How an account stands.' described
	[ "$(cell call bank list '{}' | jq -r .balance | sort -n | tail -1)" -ge 5050 ]
	/usr/bin/python3 -c 'import google.protobuf' 2>/dev/null || skip "python3-protobuf is not installed"
	export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$CELL_TOP/clients/python
	[ "$(/usr/bin/python3 check.py bytes)" = "the same bytes" ]
}

@test "the debugger stops at the user's line, in the user's function" {
	command -v gdb >/dev/null || skip "gdb is not installed"
	build -O0
	cell -q run .
	cellc $flags -O0 -c wrapped.c
	cellc -o wrapped wrapped.o bank.o reports.o $libs
	[ "$(./wrapped 2>/dev/null)" = $'helper\nhelper' ] # __func__
	line=$(grep -n 'bank->balances\[in->account\] +=' bank.c | cut -d: -f1)
	gdb -batch -nx -ex 'set debuginfod enabled off' -ex "break bank.c:$line" -ex 'break wrapped.c:12' \
		-ex run -ex bt -ex continue -ex delete -ex 'break deposit' -ex continue -ex bt ./wrapped >out 2>&1 3>&- || true
	grep -qE 'hit Breakpoint|^Breakpoint' out
	# It has not been moved, and nothing is called otherwise than in the source.
	grep -qE '^12[[:space:]]+puts\(__func__\);' out
	grep -qE '#[0-9]+ .*helper \(call=0x[0-9a-f]+, n=2\) at .*wrapped\.c:12' out
	grep -qE '^#0 +deposit \(call=0x[0-9a-f]+, bank=.*\) at bank\.c:[0-9]+' out
	grep -qE ' in main \(\) at wrapped\.c:[0-9]+' out
}

@test "is the same text on another node" {
	build
	cp -r .cell "$dir/first"
	first=$CELL_RUNDIR
	kill "$core"
	wait "$core" || true
	rm -rf "$first"
	dir_before=$dir
	node_start
	mv "$dir_before" "$dir/before"
	cell -q run macro
	cell -q run telemetry
	cell -q run validate
	project elsewhere
	build
	diff -r -x state .cell "$dir/before/first"
}

@test "the order of attributes is that of no matter what is written first" {
	texts=
	for order in "A, B, C" "A, C, B" "B, A, C" "B, C, A" "C, A, B" "C, B, A"; do
		list=${order/A/cell::handler}
		list=${list/B/validate::checked}
		list=${list/C/telemetry::span}
		cat >order.c <<-C
			#include "bank.h"

			/* Take it back. */
			[[$list]]
			static int refund(struct cell_call *call, struct bank *bank, const struct deposit *in, struct receipt *out)
			{
				(void)call;
				out->balance = bank->balances[1] -= in->amount;
				return 0;
			}
		C
		rm -rf .cell/*
		cellc $flags -c order.c
		# Where it stands apart, it is the same.
		text=$(cat $(find .cell/exp -name '*.c' | LC_ALL=C sort) | sha256sum)
		object=$(objdump -d --no-show-raw-insn order.o | sha256sum)
		texts="$texts$text $object"$'\n'
	done
	[ "$(printf '%s' "$texts" | sort -u | wc -l)" -eq 1 ]
}

@test "stands in for itself without a node, if its callers mean the same" {
	build
	cell -q run .
	cellc $flags -c mock.c
	cellc -o mock mock.o bank.o reports.o $libs
	alone() { env CELL_RUNDIR="$dir/none" "$@" 2>/dev/null; }
	[ "$(alone ./mock)" = answered ]
	[ "$(alone ./mock file)" = answered ]
	# The caller is of the bank that runs; what is linked in is of another day.
	sed -i 's/int64_t amount;/uint64_t amount;/; s/int32_t born;/int64_t born;/' bank.h
	build
	cellc -o mock mock.o bank.o reports.o $libs
	status=0
	text=$(alone ./mock) || status=$?
	[ "$status" -ne 0 ]
	[ "$text" = "cell.bank.v1.Bank/Deposit: the service linked in has '2 uint64 amount' in Deposit, the schema that its caller was made of has '2 int64 amount'" ]
	text=$(alone ./mock file) || true
	[ "$text" = "cell.bank.v1.Bank/File: the service linked in has '2 optional int64 born' in Holder, the schema that its caller was made of has '2 optional int32 born'" ]
	# A field that only one side has.
	sed -i 's/uint64_t amount;/int64_t amount;\n\tbool is_urgent;/' bank.h
	build
	cellc -o mock mock.o bank.o reports.o $libs
	text=$(alone ./mock) || true
	[ "$text" = "cell.bank.v1.Bank/Deposit: the service linked in has '3 bool is_urgent' in Deposit, the schema that its caller was made of has 'nothing'" ]
}

@test "without telemetry nothing of it is left, nor needed" {
	export CELLC_FLAGS="--features telemetry=off"
	cell -q retire telemetry
	sed -i '/^\[uses\]/,$d' bank.cell
	build
	[ -z "$(nm bank.o reports.o | grep -i telemetry)" ]
	[ -z "$(strings -a bank.o reports.o | grep -i telemetry)" ]
	cell -q run .
	cellc $flags -o client client.c $libs
	[ "$(./client)" = "every method answered" ]
	[ -z "$(cell ps --json | jq -r '.. | objects | select(.cell? == "telemetry" and .pid > 0) | .pid')" ]
	unset CELLC_FLAGS
	cell -q run telemetry
	cellc $flags -c bank.c 2>said || true
	grep -q "bank.c:[0-9]*:[0-9]*: error: telemetry::counter calls cell 'telemetry', which bank.cell does not list" said
}

@test "what README shows is true" {
	{
		echo '#include <cell/cell.h>'
		sed -n '/^struct \[\[cell::message\]\] deposit/,/^```/p' "$CELL_TOP/README.md" | sed '$d'
	} >shown.c
	[ "$(wc -l <shown.c)" -ge 10 ]
	cellc $flags -c shown.c
	cellc -o bank shown.o "$CELL_BUILD/lib/libcell-main.a" $libs
	cell -q run .
	[ "$(cell call bank deposit '{"amount": 5}')" = '{"balance":"5"}' ]
	run cell call bank deposit '{"amount": 0}'
	[ "$status" -eq 2 ]
	[[ $output == *"amount: 0 is not within 1 and 1000000"* ]]
}
