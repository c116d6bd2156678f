#!/usr/bin/env bats
# Building without the cells: what lock and cache are worth, and what may not change.

load "$CELL_TOP/tests/lib/node"

setup_file() {
	node_start "sandbox = none"
	export dir core
}

teardown_file() {
	node_stop
}

setup() {
	mkdir -p "$dir/$BATS_TEST_NUMBER/.cell"
	cd "$dir/$BATS_TEST_NUMBER" || return
	flags="-I$CELL_BUILD/include"
	cell -q run validate
	cat >x.c <<-'C'
		#include <cell/cell.h>
		struct [[cell::message]] order { [[validate::range(1, 9)]] int32_t amount; };
		struct [[cell::message]] other { [[validate::range(1, 9)]] int32_t amount; };
		int f(struct cell_call *call, const struct order *order) { return order_check(call, order); }
	C
}

# pid CELL: the process of its only instance
pid() { node_pids "$1"; }

# ended PID: it has
ended() { while kill -0 "$1" 2>/dev/null; do sleep 0.01; done; }

@test "a provider that is stopped: lock and cache build it, with one warning" {
	cellc $flags -c x.c
	mv x.o before.o
	cell -q retire validate
	run cellc $flags -c x.c
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "cellc: warning: cell 'validate' is not running: built from what .cell remembers [-Wcell=validate]" ]
	[ "$(grep -c warning <<<"$output")" -eq 1 ]
	cmp x.o before.o
	# Nobody confirmed that this is still so.
	run cellc $flags -Werror -c x.c
	[ "$status" -eq 1 ]
}

@test "a provider that is stopped, and no cache: what to run, at the attribute" {
	cell -q retire validate
	run cellc $flags -c x.c
	[ "$status" -eq 1 ]
	[ ! -e x.o ]
	[ "${lines[0]}" = "x.c:2:36: error: cell 'validate' is not running and .cell has no answer from it [-Wcell=validate]" ]
	[[ $output == *"note: run: cell run validate"* ]]
	[[ $output == *"note: or leave it out: cellc --features validate=off"* ]]
	[ "$(grep -c 'note: run: cell run validate' <<<"$output")" -eq 2 ] # one for each declaration
	# And what is cached is of no use for what has changed since.
	cell -q run validate
	cellc $flags -c x.c
	cell -q retire validate
	sed -i '2s/9/8/' x.c
	rm x.o
	run cellc $flags -c x.c
	[ "$status" -eq 1 ]
	[ ! -e x.o ]
	[ "${lines[0]}" = "x.c:2:36: error: cell 'validate' is not running and .cell has no answer from it to what stands here now [-Wcell=validate]" ]
	[[ $output != *"x.c:3:"* ]]
}

@test "cell::remote of a cell that is gone: as it was, whoever remembers" {
	printf '[cell]\nname = hello\nexec = %s/cells/greeter/greeter\n' "$CELL_BUILD" >"$dir/hello.cell"
	cell -q run "$dir/hello.cell"
	printf '#include <cell/cell.h>\n[[cell::remote(hello = "hello")]];\n' >r.c
	cellc $flags -c r.c
	cp -r .cell before
	rm "$dir/hello.cell"
	cell -q retire hello
	old=$(pid macro)
	kill "$old"
	ended "$old"
	for i in 1 2; do
		run cellc $flags -c r.c
		[ "$status" -eq 0 ]
		[ "${lines[0]}" = "cellc: warning: cell 'hello' is not running: built from what .cell remembers [-Wcell=cell]" ]
		[ "$(grep -c warning <<<"$output")" -eq 1 ]
		diff -r -x commands .cell before
	done
	# A fresh clone has no word of who answered.
	rm -r .cell/state
	run cellc $flags --locked -c r.c
	[ "$status" -eq 0 ]
	cellc $flags --frozen -Werror -c r.c
	# Other text needs it.
	sed -i 's/hello =/hallo =/' r.c
	run cellc $flags -c r.c
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "r.c:2:16: error: cell::remote: cell 'hello' is not running [-Wcell=cell]" ]
}

@test "a macro cell that restarted knows what it is asked about" {
	printf '[cell]\nname = hola\nexec = %s/cells/greeter/greeter\n' "$CELL_BUILD" >"$dir/hola.cell"
	cell -q run "$dir/hola.cell"
	printf '#include <cell/cell.h>\n[[cell::remote(hola = "hola")]];\n' >r.c
	cellc $flags -c r.c
	old=$(pid macro)
	kill "$old"
	ended "$old"
	cellc $flags -Werror -c r.c
	# And notices that it is another cell now.
	sed -i 's/greeter\/greeter/pinger\/pinger/' "$dir/hola.cell"
	cell -q retire hola
	cell -q run "$dir/hola.cell"
	old=$(pid macro)
	kill "$old"
	ended "$old"
	run cellc $flags --locked -c r.c
	[ "$status" -eq 1 ]
	[[ $output == *".cell/cell.schema.lock would change, and --locked forbids that"* ]]
	[[ $output == *"-state schema%20hola blake2b:"* ]]
	rm "$dir/hola.cell"
	cell -q retire hola
}

@test "--locked: what differs is shown as a diff, and nothing is written" {
	run cellc $flags --locked -c x.c
	[ "$status" -eq 1 ]
	[ ! -e x.o ]
	[ -z "$(ls .cell)" ]
	[[ $output == *"error: .cell/validate.schema.lock would change, and --locked forbids that"* ]]
	cellc $flags -c x.c
	cp -r .cell before
	cellc $flags --locked -Werror -c x.c
	sed -i '2s/9/8/; s/amount; };/amount; int32_t more; };/' x.c
	rm x.o
	run cellc $flags --locked -c x.c
	[ "$status" -eq 1 ]
	[ ! -e x.o ]
	[[ $output == *"--- a/.cell/cell.schema.lock"*"+++ b/.cell/cell.schema.lock"*"@@"* ]]
	[[ $output == *"+kept x.c struct:order field more = 2"* ]]
	[[ $output == *"-"*"<= 9"*"+"*"<= 8"* ]]
	diff -r -x commands .cell before
}

@test "--offline and --frozen: no cell is asked, in a place without a network" {
	cellc $flags -c x.c
	mv x.o before.o
	cp -r .cell before
	alone() { unshare -rn env CELL_RUNDIR=/nonexistent "$@"; }
	unshare -rn true 2>/dev/null || alone() { env CELL_RUNDIR=/nonexistent "$@"; }
	for mode in --offline --frozen; do
		run alone cellc $flags $mode -Werror -c x.c
		[ "$status" -eq 0 ]
		[ -z "$output" ]
		cmp x.o before.o
		diff -r -x commands .cell before
	done
	sed -i 's/9/8/' x.c
	rm x.o
	for mode in --offline --frozen; do
		run alone cellc $flags $mode -c x.c
		[ "$status" -eq 1 ]
		[ ! -e x.o ]
		[[ ${lines[0]} == "x.c:2:"*": error: "*": .cell has no answer from cell '"*"' to what stands here now, and --offline forbids to ask"* ]]
		diff -r -x commands .cell before
	done
	# --frozen forbids what --offline would only write down: here, a use that is gone.
	git init -q . 2>/dev/null
	sed -i 's/8/9/; 3d' x.c
	run alone cellc $flags --frozen -c x.c
	[ "$status" -eq 1 ]
	[[ $output == *"-use x.c struct:other "* ]]
	diff -r -x commands .cell before
	alone cellc $flags --offline -c x.c
	run grep -c 'struct:other' .cell/validate.schema.lock
	[ "$output" = 0 ]
}

@test "without a node and without a memory the macro cell is what is missing" {
	mkdir bare
	cd bare
	printf '#include <cell/cell.h>\nstruct [[cell::message]] m { int32_t n; };\n' >m.c
	CELL_RUNDIR="$dir/nowhere" run cellc $flags -c m.c
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "m.c:2:10: error: cell 'macro' is not running and .cell has no answer from it [-Wcell=cell]" ]
	[[ $output == *"run: cell run macro"* ]]
	[[ $output != *"cell=off"* ]]
	[ ! -e m.o ]
}
