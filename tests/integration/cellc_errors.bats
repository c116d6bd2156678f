#!/usr/bin/env bats
# What cellc says to a first-time user: where, in gcc's format, with what helps.

load "$CELL_TOP/tests/lib/node"

setup_file() {
	node_start "sandbox = none"
	export dir core
	cell -q run validate
	cell -q run telemetry
	cat >"$dir/alpha.cell" <<-TXT
		[cell]
		exec = $(command -v macro_provider) alpha
		[macros]
		namespace = alpha
	TXT
	cell -q run "$dir/alpha.cell"
	mkdir -p "$dir/project/.cell"
}

teardown_file() {
	node_stop
}

setup() {
	cd "$dir/project" || return
	rm -f ./*.c ./*.o ./*.cell
	cat >head.h <<-'C'
		#include <cell/cell.h>
		struct [[cell::message]] deposit { uint64_t account; int64_t amount; };
		struct [[cell::message]] receipt { int64_t balance; };
		struct [[cell::service("bank")]] bank { uint64_t listings; };
	C
}

# says TEXT FIRST-LINE [NOTE]: what cellc says of a file of TEXT, and that it makes no object
says() {
	printf '#include "head.h"\n%b\n' "$1" >x.c
	run cellc -I"$CELL_BUILD/include" -c x.c
	[ "$status" -eq 1 ] || { echo "status $status: $1"; return 1; }
	[ ! -e x.o ] || { echo "an object: $1"; return 1; }
	[ "${lines[0]}" = "$2" ] || { printf 'said:   %s\nwanted: %s\n' "${lines[0]}" "$2"; return 1; }
	# The line and a caret.
	[[ ${lines[1]} == *" | "* && ${lines[2]} =~ ^\ +\|\ +\^~*$ ]] || { echo "no caret: $output"; return 1; }
	[ -z "${3:-}" ] || [[ $output == *"note: $3"* ]] || { printf '%s\nhas no note: %s\n' "$output" "$3"; return 1; }
}

# member MEMBERS FIRST-LINE [NOTE]: the same of a message
member() {
	says "struct [[cell::message]] m { $1 };" "x.c:2:$2" "${3:-}"
}

@test "names that are misspelt" {
	says 'struct [[cel::message]] m { int a; };' \
		"x.c:2:10: error: cel::message: no cell provides the namespace 'cel' (did you mean 'cell'?) [-Wcell=cel]"
	says 'struct [[cell::mesage]] m { int a; };' \
		"x.c:2:16: error: cell::mesage: cell 'macro' provides no such macro (did you mean 'message'?) [-Wcell=cell]"
	member '[[validate::rang(1, 2)]] int a;' \
		"42: error: validate::rang: cell 'validate' provides no such macro (did you mean 'range'?) [-Wcell=validate]"
	member '[[validate::range(1, maxx = 2)]] int a;' \
		"51: error: validate::range: no argument 'maxx' (did you mean 'max'?) [-Wcell=validate]"
	says '[[telemetry::counter(nam = "a")]]\nstatic int f(struct cell_call *c) { return 0; }' \
		"x.c:2:22: error: telemetry::counter: no argument 'nam' (did you mean 'name'?) [-Wcell=telemetry]"
	says '[[cell::handler(idempotnt = true)]]\nstatic int f(struct cell_call *c, struct bank *b) { return 0; }' \
		"x.c:2:17: error: cell::handler: no argument 'idempotnt' (did you mean 'idempotent'?) [-Wcell=cell]"
}

@test "arguments of the wrong type, too many, too few" {
	member '[[validate::length("x", 2)]] const char *a;' \
		"49: error: validate::length: 'min' wants an integer, not a string [-Wcell=validate]"
	member '[[validate::length]] const char *a;' \
		"42: error: validate::length: argument 'min' is missing [-Wcell=validate]"
	member '[[validate::range(1, 2, 3)]] int a;' \
		"54: error: validate::range: only 2 arguments may stand without a name [-Wcell=validate]"
	member '[[validate::range(3, 1)]] int a;' \
		"51: error: validate::range: nothing is within these bounds: the first is the larger [-Wcell=validate]"
	member '[[validate::range(1, 3)]] const char *a;' \
		"32: error: validate::range: 'a' is not a number [-Wcell=validate]" \
		'strings and repeated members have validate::length'
	member '[[cell::field(0)]] int a;' \
		"44: error: cell::field: field numbers are 1 to 536870911, but 19000 to 19999 [-Wcell=cell]"
	says '[[telemetry::counter("a b")]]\nstatic int f(struct cell_call *c) { return 0; }' \
		"x.c:2:22: error: telemetry::counter: 'a b' is no name of a metric: a letter, then letters, digits, _ and :, at most 128 [-Wcell=telemetry]"
	says '[[cell::handler(name = 3)]]\nstatic int f(struct cell_call *c, struct bank *b) { return 0; }' \
		"x.c:2:17: error: cell::handler: 'name' wants a string, not an integer [-Wcell=cell]"
	says '[[cell::remote(other = "nobody")]];' \
		"x.c:2:16: error: cell::remote: cell 'nobody' is not running [-Wcell=cell]" 'run: cell run nobody'
}

@test "macros where they may not stand" {
	member '[[telemetry::counter("x")]] int a;' \
		"43: error: telemetry::counter does not belong on a member [-Wcell=telemetry]" \
		'it belongs on a function with a body'
	says 'struct [[cell::handler]] x { int a; };' \
		"x.c:2:16: error: cell::handler does not belong on a struct [-Wcell=cell]" \
		'it belongs on a function with a body'
	says '[[cell::handler]]\nstatic int f(struct cell_call *c, struct bank *b);' \
		"x.c:2:9: error: cell::handler does not belong on a function without a body [-Wcell=cell]"
	says 'union [[cell::message]] m { int a; };' \
		"x.c:2:15: error: cell::message does not belong on a union [-Wcell=cell]" 'it belongs on a struct'
	says '[[cell::message]] struct m { int a; };' \
		"x.c:2:1: error: [[cell::message]] before 'struct' applies to nothing here [-Wcell=cell]" \
		'write: struct [[cell::message]] m {'
	says '[[validate::range(1, 2)]] enum m { A };' \
		"x.c:2:1: error: [[validate::range]] before 'enum' applies to nothing here [-Wcell=validate]"
}

@test "members that a message cannot carry" {
	member 'long a;' "35: error: cell::message: 'long' has no fixed size on the wire [-Wcell=cell]" 'use int64_t'
	member 'size_t a;' "37: error: cell::message: 'size_t' has no fixed size on the wire [-Wcell=cell]" 'use uint64_t'
	member 'short a;' "36: error: cell::message: 'short' is smaller than any number on the wire [-Wcell=cell]" 'use int32_t'
	member 'const char *const *tags;' "49: error: cell::message: 'tags' needs its count [-Wcell=cell]" \
		'put "size_t n_tags;" before it'
	member 'unsigned a : 3;' "39: error: cell::message: bit-fields have no place of their own [-Wcell=cell]" 'use uint32_t'
	member 'union { int x; } a;' "47: error: cell::message: a union does not say which of its members is meant [-Wcell=cell]"
	member 'struct m *next;' "40: error: cell::message: 'struct m' contains itself; messages do not [-Wcell=cell]"
	member 'char *a;' "36: error: cell::message: 'char *' could be written through [-Wcell=cell]" 'use const char *a'
	member 'void *a;' "36: error: cell::message: 'void *' points to nothing that has a form on the wire [-Wcell=cell]"
	member 'long double a;' "42: error: cell::message: 'long double' has no form on the wire [-Wcell=cell]" 'use double'
	says 'struct in { int a; };\nstruct [[cell::message]] m { struct in a; };' \
		"x.c:3:40: error: cell::message: 'struct in' is no message [-Wcell=cell]" 'write: struct [[cell::message]] in {'
	member '[[cell::field(4)]] int a; [[cell::field(4)]] int b;' \
		"79: error: cell::message: 'a' and 'b' are both field 4 [-Wcell=cell]" 'give one of them another number'
}

# handler SIGNATURE COLUMN TEXT: what is wrong with a handler's signature
handler() {
	says "[[cell::handler]]\n$1\n{ return 0; }" "x.c:3:$2: error: handler 'f': $3 [-Wcell=cell]" \
		'int f(struct cell_call *, [state *,] [const request *,] [reply *])'
}

@test "handlers of other signatures" {
	handler 'static int f(struct cell_call *call, const struct deposit *in, const struct receipt *out)' 12 \
		'the reply must not be const'
	handler 'static int f(struct bank *bank, const struct deposit *in)' 12 'its first parameter is the call'
	handler 'static int f(struct cell_call *call, struct bank *bank, int in, struct receipt *out)' 12 \
		"'int' is neither state, request nor reply"
	handler 'static void f(struct cell_call *call, struct bank *bank)' 13 'it returns int: 0, or negative'
	handler 'static int f(struct cell_call *c, struct bank *b, struct receipt *out, const struct deposit *in)' 12 \
		'the request must be const'
	says 'struct no { int a; };\n[[cell::handler]]\nstatic int f(struct cell_call *c, struct bank *b, const struct no *in)\n{ return 0; }' \
		"x.c:4:68: error: cell::handler: 'struct no' is no message [-Wcell=cell]" 'write: struct [[cell::message]] no {'
	# One without a state is the only service's that there is.
	says 'struct [[cell::service("other")]] other { int32_t x; };\n[[cell::handler]]\nstatic int f(struct cell_call *c, const struct deposit *in)\n{ return 0; }' \
		"x.c:3:3: error: cell::handler: 'f' may belong to 'bank' or to 'other' [-Wcell=cell]" 'say handler(service = "bank")'
	says '[[telemetry::span]]\nstatic int f(int a)\n{ return 0; }' \
		"x.c:2:3: error: telemetry::span: 'f' cannot be measured: it has no call to carry the trace [-Wcell=telemetry]"
	says '[[validate::checked]]\nstatic int f(struct cell_call *c, const struct deposit *in)\n{ return 0; }' \
		"x.c:2:3: error: validate::checked: nothing that 'f' takes has a guard [-Wcell=validate]"
	sed -i /service/d head.h
	says '[[cell::handler]]\nstatic int f(struct cell_call *c, const struct deposit *in)\n{ return 0; }' \
		"x.c:2:3: error: cell::handler: handler 'f' belongs to no service [-Wcell=cell]" \
		'write [[cell::service("bank")]]; once in the file, or cell::handler(service = "bank")'
}

@test "handlers that would replace libc's functions" {
	for name in write send open; do
		says "[[cell::handler]]\nint $name(struct cell_call *c, struct bank *b, const struct deposit *in)\n{ return 0; }" \
			"x.c:3:5: error: handler '$name' would replace libc's $name() [-Wcell=cell]" 'make it static'
	done
}

@test "names that are declared already" {
	says 'int m_check(void);\nstruct [[cell::message]] m { [[validate::range(1, 2)]] int a; };' \
		"x.c:3:32: error: validate::range would declare 'm_check', which x.c:2 declares [-Wcell=validate]"
}

@test "cells that the manifest does not list, until --fix lists them" {
	cat >bank.cell <<-'INI'
		; mine
		[cell]
		exec = bank

		[uses]
		; who writes it down
		log = app ; all of it

		; tight
		[limits]
		memory = 10M
	INI
	cp bank.cell before
	says '[[cell::service("x")]];\n[[cell::handler, telemetry::counter("x_total")]]\nstatic int f(struct cell_call *c) { return 0; }' \
		"x.c:3:18: error: telemetry::counter calls cell 'telemetry', which bank.cell does not list [-Wcell=telemetry]" \
		'add "telemetry = app macro" under [uses]'
	cmp bank.cell before
	sed -i 's/^log = app/telemetry = app\n&/' bank.cell
	says "$(sed '1d; s/$/\\n/' x.c | tr -d '\n')" \
		"x.c:3:18: error: telemetry::counter calls cell 'telemetry', which bank.cell does not list [-Wcell=telemetry]" \
		'make it "telemetry = app macro" under [uses]'
	cp before bank.cell
	# Many at once: one of them adds it.
	printf 'all: $(foreach n,1 2 3 4 5 6,x$n.o)\nx%%.o: x.c\n\t$(CC) -I%s -c -o $@ $<\n' "$CELL_BUILD/include" >Makefile
	run env CELLC_FLAGS=--fix make -j6 CC=cellc
	[ "$status" -eq 0 ]
	[ "$(grep -c 'note: bank.cell: added "telemetry = app macro" under \[uses\]' <<<"$output")" -eq 1 ]
	run diff before bank.cell
	[ "$output" = "$(printf '7a8\n> telemetry = app macro')" ]
	run make -B CC=cellc
	[ "$status" -eq 0 ]
	rm -f before Makefile
}

@test "cell build --fix does the same" {
	export CELL_RUNDIR=$CELL_RUNDIR
	printf '[cell]\nexec = bank\n' >bank.cell
	printf '#include <cell/cell.h>\n[[cell::service("x")]];\n[[cell::handler, telemetry::span]]\nstatic int f(struct cell_call *c) { return 0; }\n' >x.c
	printf 'x.o: x.c\n\t$(CC) -I%s -c -o $@ $<\n' "$CELL_BUILD/include" >Makefile
	printf '[build]\ncells = telemetry\n' >.cell/project
	run cell build
	[ "$status" -ne 0 ]
	[ ! -e x.o ]
	[[ $output == *'note: add "telemetry = app" under [uses]'* ]]
	run cell build --fix
	[ "$status" -eq 0 ]
	[ -e x.o ]
	[ "$(cat bank.cell)" = "$(printf '[cell]\nexec = bank\n\n[uses]\ntelemetry = app')" ]
	rm -f Makefile .cell/project
}

@test "the word of a string, or the token of an expression, that a provider says is wrong" {
	says 'struct [[alpha::ask("SELECT wrong FROM t")]] q { int a; };' \
		"x.c:2:29: error: alpha::ask: nothing is called 'wrong' [-Wcell=alpha]"
	[[ ${lines[2]} =~ ^\ +\|\ +\^~~~~$ ]]
	says 'struct [[alpha::ask("SELECT \\x61\\n" /* and */\n\t"of wrong")]] q { int a; };' \
		"x.c:3:13: error: alpha::ask: nothing is called 'wrong' [-Wcell=alpha]"
	says 'struct q { [[alpha::check(a  >=  wrong && a < 5)]] int a; };\nstruct [[alpha::add]] r { int b; };' \
		"x.c:2:34: error: alpha::check: nothing is called 'wrong' [-Wcell=alpha]"
	says 'struct [[alpha::check(a > 0), alpha::check(a\n\t< b.wrong)]] q { int a; };' \
		"x.c:3:13: error: alpha::check: nothing is called 'wrong' [-Wcell=alpha]"
}

@test "what provisioning refuses is at the member and macro to blame" {
	said="17 rows are against it [-Wcell=alpha]"
	says 'struct [[alpha::keep(member = "b", macro = "check")]] q {\n\tint a;\n\t[[alpha::check(b >= 0)]] int b;\n};' \
		"x.c:4:11: error: alpha::check: $said" "mend them first"
	# What is remembered, as it was accepted once, still knows where.
	sed -i "s|member = \"b\"|unless = \"$dir/fine\", &|" x.c
	touch "$dir/fine"
	cellc -I"$CELL_BUILD/include" -c x.c
	rm "$dir/fine" x.o
	run cellc -I"$CELL_BUILD/include" -c x.c
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "x.c:4:11: error: alpha::check: $said" ]
	# Of several, the one with that argument.
	says 'struct [[alpha::keep(macro = "check(a<b)"), alpha::check(a > 0),\n\talpha::check(a < b)]] q { int a, b; };' \
		"x.c:3:9: error: alpha::check: $said"
	# One at the struct that is about the member, unless the member has its own.
	says 'struct [[alpha::check(a), alpha::keep(member = "a", macro = "check")]] q {\n\tint a;\n};' \
		"x.c:2:10: error: alpha::check: $said"
	says 'struct [[alpha::check(a), alpha::keep(member = "a", macro = "check")]] q {\n\t[[alpha::check(a > 0)]] int a;\n};' \
		"x.c:3:11: error: alpha::check: $said"
	# No macro: the member. No member: what declared it. Neither is there: the same.
	says 'struct [[alpha::keep(member = "a")]] q {\n\tint a;\n};' "x.c:3:13: error: alpha::keep: $said"
	says 'struct [[alpha::keep(member = "gone", macro = "check")]] q { int a; };' \
		"x.c:2:10: error: alpha::keep: $said"
	says 'struct [[alpha::keep(member = "a", macro = "unique")]] q { int a; };' \
		"x.c:2:64: error: alpha::keep: $said"
}
