#!/usr/bin/env bats
# Provisioning: after the compiler, before the object; and when a program starts.

load "$CELL_TOP/tests/lib/node"

setup_file() {
	node_start "sandbox = none"
	export dir core
	cell -q run telemetry
}

teardown_file() {
	node_stop
}

setup() {
	mkdir -p "$dir/$BATS_TEST_NUMBER/.cell"
	cd "$dir/$BATS_TEST_NUMBER" || return
	flags="-I$CELL_BUILD/include"
}

# source FILE KIND METRIC [LINE]: a file of a program that measures
source() {
	cat >"$1" <<-C
		#include <cell/cell.h>
		[[cell::service("shop")]];

		[[cell::handler, telemetry::$2("$3")]]
		static int buy_${1%.c}(struct cell_call *call)
		{
			(void)call;
			return 0;
		}
	C
	[ -z "${4:-}" ] || { yes '' | head -n 30; echo "$4"; } >>"$1"
}

declared() { cell telemetry --json | jq -r '.[] | .name + " " + .kind' | sort; }

@test "what does not compile, and what is not compiled, provisions nothing" {
	source a.c counter one_total 'int oops(void) { return ; }; int = 3;'
	[ "$(grep -n oops a.c | cut -d: -f1)" -eq 40 ]
	run cellc $flags -c a.c
	[ "$status" -eq 1 ]
	[[ $output == *"a.c:40:"*"error:"* ]]
	[ ! -e a.o ]
	[ -z "$(declared)" ]
	source a.c counter one_total
	cellc $flags -E a.c -o a.i
	grep -q one_total a.i
	cellc $flags -fsyntax-only a.c
	cellc $flags -M a.c >a.d
	cell -q expand a.c -- $flags >/dev/null 2>&1 || true
	[ -z "$(declared)" ]
	cellc $flags -S a.c
	[ "$(declared)" = "one_total counter" ]
}

@test "a refusal is an error at the attribute, and leaves no object" {
	source b.c counter two_total
	source c.c histogram two_total
	cellc $flags -c b.c
	run cellc $flags -c c.c
	[ "$status" -eq 1 ]
	[ ! -e c.o ]
	[[ ${lines[0]} == "c.c:4:18: error: telemetry"*": metric 'two_total' is a counter [-Wcell=telemetry]" ]]
	[[ ${lines[2]} =~ ^\ +\|\ +\^~+$ ]]
	[[ $output == *"note: a metric has one kind in all programs: choose another name"* ]]
	# An object of before stays as it was.
	echo old >c.o
	run cellc $flags -c c.c
	[ "$status" -eq 1 ]
	[ "$(cat c.o)" = old ]
	[ "$(declared | grep two_total)" = "two_total counter" ]
	# Both in one program.
	run cellc $flags -c b.c c.c
	[ "$status" -eq 1 ]
}

# program FILE ...: the cell shop, linked from them
program() {
	sanitizer=$(grep -oE -- '-fsanitize=[a-z]+' "$CELL_BUILD/flags" | sort -u)
	cellc $flags $sanitizer -o shop "$@" "$CELL_BUILD/lib/libcell-main.a" "$CELL_BUILD/lib/libcell.a" \
		-lev $(pkg-config --libs libprotobuf-c libsodium inih) -lm -lpthread
}

@test "a program on another node provisions itself before it is ready, or does not start" {
	printf '[cell]\nname = shop\nexec = %s/shop\n[uses]\ntelemetry = app macro\n' "$PWD" >shop.cell
	source d.c histogram three_seconds
	# Declared in two files and three times, it is one declaration; and its runtime is linked once.
	sed 's/buy_d/sell/' d.c >g.c
	sed -n '/cell::handler/,$p' d.c | sed 's/buy_d/lend/' >>g.c
	program d.c g.c
	[ "$(nm shop | grep -c ' [VR] cell_provision_[0-9a-f]*$')" -eq 1 ]
	second=$(mktemp -d "${TMPDIR:-/tmp}/cell-node.XXXXXX")
	chmod 755 "$second"
	mkdir -m 700 "$second/run"
	printf '[node]\nname = second%d\nsandbox = none\n' $$ >"$second/run/node.conf"
	export CELL_RUNDIR=$second/run CELL_STATEDIR=$second/state
	cellcore --rundir "$second/run" --statedir "$second/state" >"$second/log" 2>&1 3>&- &
	other=$!
	until cell ps >/dev/null 2>&1; do kill -0 "$other"; sleep 0.02; done
	cell -q run telemetry
	[ -z "$(declared)" ]
	cell -q run "$PWD/shop.cell"
	started=$(declared)
	# Somebody else has that name for something else.
	cell -q retire shop
	cell -q retire telemetry
	cell -q run telemetry
	source e.c counter three_seconds
	cellc $flags -c e.c
	run cell run "$PWD/shop.cell"
	kill "$other"
	wait "$other" || true
	rm -rf "$second"
	[ "$started" = "three_seconds histogram" ]
	[ "$status" -ne 0 ]
	[[ $output == *"metric 'three_seconds' is a counter"* ]]
}
