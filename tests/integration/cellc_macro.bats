#!/usr/bin/env bats
# cellc with the real macro cell and real providers, from source to a program that runs.

load "$CELL_TOP/tests/lib/node"

setup() {
	node_start
	mkdir -p "$dir/project/.cell"
	cd "$dir/project" || return
}

teardown() {
	node_stop
}

# provider NS: a cell of that name and namespace, running
provider() {
	cat >"$dir/$1.cell" <<-TXT
		[cell]
		exec = $(command -v macro_provider) $1
		[sandbox]
		state = no
		[macros]
		namespace = $1
	TXT
	cell -q run "$dir/$1.cell"
}

@test "functions of two providers, wrapped in the order of their phases" {
	provider alpha
	provider beta
	cat >both.c <<-'C'
		struct [[alpha::add]] account { int id; };

		[[beta::wrap(phase = 30), alpha::wrap(phase = 50)]]
		int twice(int a)
		{
			return a > 100 ? twice(a - 100) : 2 * a;
		}

		int main(void)
		{
			return account_alpha() == 1 && twice(104) == 8 ? 0 : 1;
		}
	C
	cellc -Wall -Wextra -Werror -o both both.c
	./both
	[ -e .cell/alpha.schema.lock ] && [ -e .cell/beta.schema.lock ]
	grep -q '^use both.c function:twice ' .cell/alpha.schema.lock
	grep -q '^use both.c function:twice ' .cell/beta.schema.lock
	cp -r .cell "$dir/before"
	cellc -Wall -Wextra -Werror -o both both.c
	diff -r .cell "$dir/before"
	cell check --twice
	# The beta cell is not needed for what is known.
	cell -q retire beta
	run cellc -o both both.c
	[ "$status" -eq 0 ]
	sed -i 's/phase = 30/phase = 40/' both.c
	run cellc -o both both.c
	[ "$status" -ne 0 ]
	[[ $output == *"both.c:3:3: error: cell 'beta' is not running and .cell has no answer from it to what stands here now"* ]]
	[[ $output == *"note: run: cell run beta"* ]]
	run cellc --features beta=off -o both both.c
	[ "$status" -eq 0 ]
	./both
}

@test "another provider needs to be trusted" {
	provider alpha
	printf 'struct [[alpha::add]] account { int id; };\n' >x.c
	cellc -c x.c
	sed -i 's/^cell alpha local /cell alpha ed25519:00 /' .cell/alpha.schema.lock
	run cellc -c x.c
	[ "$status" -ne 0 ]
	[[ $output == *"alpha:: is provided by cell 'alpha' with key local, but this project trusts 'alpha' with key ed25519:00"* ]]
	# What the message says is what helps.
	run cell macro trust alpha ed25519:00
	[ "$status" -ne 0 ]
	[[ $output == *"alpha:: is provided by cell 'alpha' with key local, not ed25519:00"* ]]
	run cellc -c x.c
	trust=$(sed -n 's/.*if that is right: //p' <<<"$output")
	[ "$trust" = "cell macro trust alpha local" ]
	$trust
	cellc -c x.c
	grep -q '^cell alpha local ' .cell/alpha.schema.lock
	sed -i 's/^cell alpha local /cell other local /' .cell/alpha.schema.lock
	cell -q macro trust alpha
	cellc -c x.c
	run cell macro trust gamma
	[ "$status" -eq 3 ]
}

@test "mistakes are found before anything is asked" {
	provider alpha
	printf 'struct [[alpha::ad]] account { int id; };\n' >x.c
	run cellc -c x.c
	[ "$status" -eq 1 ]
	[[ $output == *"x.c:1:17: error: alpha::ad: cell 'alpha' provides no such macro (did you mean 'add'?) [-Wcell=alpha]"* ]]
	printf 'struct [[alphe::add]] account { int id; };\n' >x.c
	run cellc -c x.c
	[[ $output == *"alphe::add: no cell provides the namespace 'alphe' (did you mean 'alpha'?)"* ]]
	[ ! -e x.o ]
}

# refused SOURCE ERROR: does not compile, says so at the attribute, and leaves .cell as it is
refused() {
	printf '%s\n' "$1" >x.c
	rm -f x.o
	run cellc -c x.c
	[ "$status" -eq 1 ]
	[[ "${lines[0]}" == "$2"* ]] || { echo "$output"; return 1; }
	[ ! -e x.o ]
	diff -r .cell "$dir/before"
}

@test "providers that fail are named, and leave nothing behind" {
	provider alpha
	printf 'struct [[alpha::add]] good { int a; };\n' >x.c
	cellc -c x.c
	cp -r .cell "$dir/before"
	refused 'struct [[alpha::bad("refuse")]] t { int a; };' "x.c:1:21: error: alpha::bad: not today"
	refused 'struct [[alpha::bad("unplanned")]] t { int a; };' \
		"x.c:1:10: error: alpha::bad: cell 'alpha' failed: alpha::bad: line 1 of its text declares 'sneaky', which it did not plan"
	refused 'struct [[alpha::bad("include")]] t { int a; };' "x.c:1:10: error: alpha::bad: alpha::bad: line 1 of its text has an #include"
	refused 'struct [[alpha::bad("asm")]] t { int a; };' "x.c:1:10: error: alpha::bad: alpha::bad: line 1 of its text has asm"
	refused 'struct [[alpha::bad("sleep")]] t { int a; };' "x.c:1:10: error: alpha::bad: cell 'alpha' did not answer within 2000 ms"
	refused 'struct [[alpha::bad("die")]] t { int a; };' "x.c:1:10: error: alpha::bad: cell 'alpha' ended before it had answered"
	# From outside, while it works.
	until cell -q run "$dir/alpha.cell"; do sleep 0.1; done
	pid=$(node_pids alpha)
	printf 'struct [[alpha::bad("sleep")]] t { int a; };\n' >x.c
	cellc -c x.c >said 2>&1 3>&- &
	until [ "$(cell call alpha cell.ops.v1.Ops/Stats '{}' |
		jq -r '[.methods[] | select(.method | endswith("/CoordinateExpansion")) | .inFlight // "0" | tonumber] | add')" = 1 ]; do
		kill -0 $!
	done
	kill -9 "$pid"
	status=0
	wait $! || status=$?
	[ "$status" -eq 1 ]
	grep -q "x.c:1:10: error: alpha::bad: cell 'alpha' ended before it had answered" said
	diff -r .cell "$dir/before"
}

@test "a provider that talks nonsense is named, and the others are not in its way" {
	provider alpha
	cat >"$dir/noise.cell" <<-TXT
		[cell]
		exec = $(command -v macro_provider) noise garbage
		[sandbox]
		state = no
		[macros]
		namespace = noise
	TXT
	cell -q run "$dir/noise.cell"
	cp -r .cell "$dir/before"
	refused 'struct [[noise::add]] t { int a; };' "x.c:1:10: error: cell 'noise' does not answer and .cell has no answer from it"
	[[ $output == *"cell 'noise'"* ]]
	printf 'struct [[alpha::add]] good { int a; };\n' >x.c
	run cellc -c x.c
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "what is incomplete is used once and kept nowhere" {
	provider alpha
	provider beta
	printf 'struct [[alpha::need(beta, "sleep"), beta::add]] t { int a; };\n' >x.c
	run cellc -c x.c
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == "x.c:1:10: warning: alpha::need: expanded without 'sleep' of 'beta', which did not answer in time"* ]]
	[ -e x.o ]
	[ -z "$(find .cell -name '*.plan')" ]
	[ -z "$(cat .cell/*.lock 2>/dev/null | grep '^use ')" ]
	rm x.o
	run cellc --strict -c x.c
	[ "$status" -eq 1 ]
	[ ! -e x.o ]
}

@test "providers that need each other end at once, with one warning" {
	provider alpha
	provider beta
	printf 'struct [[alpha::give("k", needs = beta), beta::give("k", needs = alpha)]] t { int a; };\n' >x.c
	start=$(date +%s%N)
	run cellc -c x.c
	[ $(($(date +%s%N) - start)) -lt 3000000000 ]
	[ "$status" -eq 0 ]
	[ "$(grep -c warning <<<"$output")" -eq 1 ]
	[ "${lines[0]}" = "x.c:1:10: warning: alpha::give: a loop: 'alpha' needs 'beta' needs 'alpha'; each is expanded without the other [-Wcell=alpha]" ]
	# It is no accident of that moment, so it is kept, and said again.
	again=$output
	run cellc -c x.c
	[ "$output" = "$again" ]
}

@test "a message that the lock does not know has the numbers of the program that runs" {
	[ -e "$CELL_BUILD/../core/include/cell/cell.h" ] || skip "built outside of the tree"
	cd "$dir"
	cell -q new --app shop
	cd shop
	sed -i '/^cells = /d; s/^telemetry = .*//' .cell/project shop.cell
	sed -i 's/, validate::checked.*\]\]/]]/; /validate::/s/\[\[[^]]*\]\]//' shop.c shop.h
	make CC=cellc build/shop >"$dir/made" 2>&1 || { cat "$dir/made"; false; }
	cell -q run .
	grep -q '^kept shop.h struct:receipt field balance = 2$' .cell/cell.schema.lock
	rm -r .cell/cell.schema.lock .cell/exp
	sed -i 's/struct \[\[cell::message\]\] receipt {.*/struct [[cell::message]] receipt { bool is_new; int64_t balance; };/' shop.h
	sed -i 's/\.owner = in->owner, \.balance/.balance/; s/@.*//; s/\[i\]\.owner,$/[i].balance > 9,/' shop.c
	cellc -std=gnu2x $(sed -n 's/.* \(-I[^ ]*include\) \(-I[^ ]*\).*/\1 \2/p' "$dir/made" | head -1) -c -o "$dir/shop.o" shop.c
	grep '^kept shop.h struct:receipt' .cell/cell.schema.lock >"$dir/kept"
	printf 'kept shop.h struct:receipt %s\n' 'field balance = 2' 'field is_new = 3' 'reserved 1 = owner' |
		diff "$dir/kept" -
	cell -q retire shop
}

# remembers WORDS...: whether cellc with them has x.c's expansion from the last time
remembers() {
	run cellc --cellc-verbose "$@" -c x.c
	[ "$status" -eq 0 ] || { echo "$output"; return 2; }
	[[ $output == *"cellc: x.c: its expansion is remembered"* ]]
}

# forgets WORDS...: it compiles, and has not
forgets() {
	local status_of=0

	remembers "$@" || status_of=$?
	[ "$status_of" -eq 1 ]
}

# is_new WORDS...: the first time it is not remembered, the second time it is
is_new() {
	forgets "$@" && remembers "$@"
}

@test "what a unit was expanded to is remembered until something changes" {
	provider alpha
	export XDG_CACHE_HOME=$dir/cache
	cat >x.c <<-'C'
		struct [[alpha::add]] account { int id; };
		int main(void) { return account_alpha() - 1; }
	C
	printf '[cell]\nexec = ./x\n' >x.cell
	is_new -g -MD
	cp x.o first.o && cp x.d first.d
	# Without the memo all is the same.
	rm -r "$dir/cache"
	forgets -g -MD
	cmp x.o first.o
	cmp x.d first.d
	remembers -g -MD
	cmp x.o first.o
	cmp x.d first.d
	# Each of these is another unit.
	is_new
	is_new -O2
	is_new -DX
	echo >>x.c
	is_new
	echo '; more' >>x.cell
	is_new
	printf '[order]\nnamespaces = alpha\n' >.cell/project
	is_new
	is_new --strict
	CELLC_CC=clang is_new -std=gnu2x
	# A file that is gone or was changed by hand comes back.
	file=$(ls .cell/exp/alpha/struct-account-*.c | head -n 1)
	remembers
	rm "$file"
	is_new
	[ -e "$file" ]
	cp "$file" kept
	echo '/* mine */' >>"$file"
	is_new
	cmp "$file" kept
	rm .cell/exp/alpha/*.plan
	is_new
	# The lock: another provider's key is an error, memo or not.
	sed -i 's/^cell alpha local /cell alpha ed25519:00 /' .cell/alpha.schema.lock
	run cellc -c x.c
	[ "$status" -ne 0 ]
	[[ $output == *"this project trusts"* ]]
	cellc --trust alpha alpha local
	remembers
	rm .cell/alpha.schema.lock
	is_new
	[ -e .cell/alpha.schema.lock ]
	# Another unit's lines in it are not ours.
	printf 'struct [[alpha::add]] other { int id; };\n' >y.c
	cellc -c y.c
	remembers
	is_new --frozen
	is_new --offline
	# --fresh asks, whatever is remembered.
	forgets --fresh
	remembers
}

@test "what was said is said again of what is remembered" {
	provider alpha
	export XDG_CACHE_HOME=$dir/cache
	printf 'struct [[alpha::add]] account { int id; };\n' >x.c
	cellc -c x.c
	cell -q retire alpha
	forgets
	first=$output
	[[ $first == *"warning: cell 'alpha' is not running: built from what .cell remembers"* ]]
	remembers
	[ "$output" = "$first
cellc: x.c: its expansion is remembered" ]
	provider alpha
	forgets
	remembers
	[[ $output != *"is not running"* ]]
}

@test "many that compile one unit at once remember it whole" {
	provider alpha
	export XDG_CACHE_HOME=$dir/cache
	cat >x.c <<-'C'
		struct [[alpha::add]] account { int id; };
		int main(void) { return account_alpha() - 1; }
	C
	cellc -c x.c -o one.o
	rm -r "$dir/cache"
	for i in 1 2 3 4 5 6; do
		cellc -c x.c -o "$i.o" &
		pids="${pids:-} $!"
	done
	for pid in $pids; do wait "$pid"; done
	for i in 1 2 3 4 5 6; do cmp "$i.o" one.o; done
	remembers
	[ -z "$(find "$dir/cache" -name '.new-*')" ]
}
