#!/usr/bin/env bats
# Macros, coordinated: real providers of all manners, asked by a client that stands for cellc.

setup() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-macro.XXXXXX")
	export CELL_RUNDIR=$dir/run CELL_STATEDIR=$dir/state
	cellcore --rundir "$CELL_RUNDIR" --statedir "$CELL_STATEDIR" >"$dir/log" 2>&1 3>&- &
	core=$!
	until cell ps >/dev/null 2>&1; do
		kill -0 "$core" || { cat "$dir/log"; return 1; }
		sleep 0.02
	done
}

teardown() {
	kill "$core" 2>/dev/null && wait "$core" || true
	rm -rf "$dir"
}

# provider NAME [MODE]: a cell of that name and namespace, running
provider() {
	manifest "$1" "$1" "${2:-}"
	cell -q run "$dir/$1.cell"
}

# manifest CELL NS [MODE]
manifest() {
	cat >"$dir/$1.cell" <<TXT
[cell]
exec = $(command -v macro_provider) $2 ${3:-}
restart = always
[sandbox]
state = no
[macros]
namespace = $2
TXT
}

# took COMMAND…: milliseconds
took() {
	local from to
	from=$(date +%s%N)
	"$@" >"$dir/out" 2>&1 || true
	to=$(date +%s%N)
	echo $(((to - from) / 1000000))
}

@test "finds who provides what, and says what is wrong with the others" {
	provider alpha
	manifest sleepy sleepy
	cell -q run "$dir/sleepy.cell" && cell -q retire sleepy
	run cell macro list
	[ "$status" -eq 0 ]
	[[ $output == *"alpha::add "*"Adds a function. (struct, function)"* ]]
	[[ $output == *"cell::message"* ]]
	[[ $output == *"sleepy: not running; run: cell run sleepy"* ]]
	run cell macro info alpha::wrap --json
	[ "$(printf '%s' "$output" | jq -r '.[0].arguments[0].name')" = phase ]
	[ "$(printf '%s' "$output" | jq -r '.[0].adds[0]')" = "a wrapper" ]
	run cell macro info alpha
	[[ $output == *"alpha::need"*"of               name"*"(required)"* ]]
	run cell macro info alpha::nothing
	[ "$status" -eq 3 ]
	[ "$output" = "cell macro: cell 'alpha' provides no macro 'alpha::nothing'" ]
	run cell macro info beta::x
	[ "$status" -eq 3 ]
}

@test "a namespace of two cells belongs to neither" {
	provider alpha
	manifest other alpha
	cell -q run "$dir/other.cell"
	run macro_client plan "struct account" "alpha::add"
	[ "$status" -eq 1 ]
	[ "$output" = "FAILED_PRECONDITION: namespace 'alpha' is announced by cell 'alpha' and by cell 'other'; one of them must give it up" ]
	run cell macro list
	[[ $output == *"alpha: namespace 'alpha' is announced by cell 'alpha' and by cell 'other'"* ]]
}

@test "expands, and wraps in the order of phases, however attributes are listed" {
	provider alpha; provider beta; provider gamma
	a='alpha::wrap(60)' b='beta::wrap(30)' c='gamma::wrap(50)'
	run macro_client expand "function f" "$a" "$b" "$c"
	[ "$status" -eq 0 ]
	first=$output
	[ "$output" = "rename cell_body_f
/* alpha */ static int cell_60_f(int a) { return cell_body_f(a); }
/* gamma */ static int cell_50_f(int a) { return cell_60_f(a); }
/* beta */        int f(int a) { return cell_50_f(a); }" ]
	for order in "$a|$c|$b" "$b|$a|$c" "$b|$c|$a" "$c|$a|$b" "$c|$b|$a"; do
		IFS='|' read -r x y z <<<"$order"
		[ "$(macro_client expand "function f" "$x" "$y" "$z")" = "$first" ]
	done
	# What the compiler makes of it is what was meant.
	macro_client expand "function f" "$a" "$b" "$c" | sed 1d >"$dir/wrap.h"
	printf 'int f(int a);\nstatic int cell_body_f(int a) { return a + 1; }\n#include "wrap.h"\nint main(void) { return f(41) - 42; }\n' >"$dir/x.c"
	"${CC:-cc}" -std=gnu17 -Wall -Wextra -Werror -o "$dir/x" "$dir/x.c"
	"$dir/x"
}

@test "an entry leaves the function its name" {
	provider alpha; provider beta
	run macro_client expand "static function f" 'alpha::wrap(0)' 'beta::wrap(30)'
	[ "$output" = "/* beta */ static int cell_30_f(int a) { return f(a); }
/* alpha */ static int cell_0_f(int a) { return cell_30_f(a); }" ]
}

@test "conflicts are told before there is text, and the project settles order" {
	provider alpha; provider beta
	run macro_client expand "function f" 'alpha::wrap' 'beta::wrap'
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "error: 2: beta: alpha::wrap and beta::wrap both wrap 'f' in phase 50, and nothing says in which order" ]
	run macro_client expand --order beta --order alpha "function f" 'alpha::wrap' 'beta::wrap'
	[ "$status" -eq 0 ]
	run macro_client plan "function f" 'alpha::ad' 'beta::wrap("x")'
	[ "${lines[0]}" = "error: 1: alpha: no such macro (did you mean 'add'?)" ]
	[ "${lines[1]}" = "error: 2: beta: 'phase' must be an integer, not a string" ]
}

@test "unknown, stopped and switched off" {
	provider alpha
	manifest beta beta
	cell -q run "$dir/beta.cell" && cell -q retire beta
	run macro_client plan "struct s" 'nobody::add'
	[ "$output" = "NOT_FOUND: no cell of this node announces the namespace 'nobody'" ]
	run macro_client plan "struct s" 'beta::add'
	[ "$output" = "UNAVAILABLE: cell 'beta', which provides 'beta', is not running; run: cell run beta" ]
	run macro_client expand --off beta "struct s" 'beta::add' 'alpha::need(beta, "x")'
	[ "$status" -eq 0 ]
	[ "$output" = "/* x of beta: outcome 4 */" ]
	run macro_client expand --off beta "struct s" 'alpha::need(beta, "x", must = true)'
	[ "$output" = "error: 1: alpha: needs 'x' of 'beta', which is switched off" ]
}

@test "facts go from who promises them to who needs them" {
	provider alpha; provider zeta
	run macro_client expand "struct s" 'alpha::need(zeta, "size", must = true)' 'zeta::give("size")'
	[ "$status" -eq 0 ]
	[ "$output" = "/* size of zeta is zeta */" ]
}

@test "questions go through the macro cell, and lead to other questions" {
	provider alpha; provider beta; provider gamma
	run macro_client expand "struct s" 'alpha::need(beta, "colour")'
	[ "$output" = "/* colour of beta is colour */" ]
	run macro_client expand "struct s" 'alpha::need(beta, "first:gamma:deep")'
	[ "$output" = "/* first:gamma:deep of beta is [deep] */" ]
	run macro_client expand "struct s" 'alpha::need(beta, "down:7")'
	[ "$output" = "/* down:7 of beta is [[[[[[[down:0]]]]]]] */" ]
	run macro_client expand "struct s" 'alpha::need(beta, "unknown", must = true)'
	[ "$output" = "error: 1: alpha: needs 'unknown' of 'beta', which does not know it" ]
}

@test "chains of questions end after eight, circles at once" {
	provider alpha; provider beta
	run macro_client expand "struct s" 'alpha::need(beta, "down:9")'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "warning: 1: alpha: expanded without 'down:9' of 'beta', where one question led to too many others" ]
	[ "${lines[1]}" = "/* down:9 of beta: outcome 7 */" ]
	run macro_client expand "struct s" 'alpha::need(beta, "first:beta:first:beta")'
	[ "$status" -eq 0 ]
	run macro_client expand --strict "struct s" 'alpha::need(beta, "down:9")'
	[ "$status" -eq 1 ]
	[ "$output" = "error: 1: alpha: expanded without 'down:9' of 'beta', where one question led to too many others" ]
}

@test "two that need each other end soon, with one warning" {
	provider alpha; provider beta
	[ "$(took macro_client expand "struct s" 'alpha::give("k", needs = beta)' 'beta::give("k", needs = alpha)')" -lt 3000 ]
	run cat "$dir/out"
	[ "${#lines[@]}" -eq 3 ]
	[ "${lines[0]}" = "warning: 1: alpha: a loop: 'alpha' needs 'beta' needs 'alpha'; each is expanded without the other" ]
	[ "${lines[1]}" = "/* k of beta: outcome 2 */" ]
	[ "${lines[2]}" = "/* k of alpha: outcome 2 */" ]
	run macro_client expand --strict "struct s" 'alpha::give("k", needs = beta)' 'beta::give("k", needs = alpha)'
	[ "$status" -eq 1 ]
	run macro_client plan "struct s" 'alpha::give("k", needs = beta, must = true)' 'beta::give("k", needs = alpha)'
	[ "$status" -eq 1 ]
	[[ $output == *"error: 1: alpha: needs 'k' of 'beta', which needs this first"* ]]
}

@test "who sleeps is not waited for, and is named" {
	provider alpha; provider beta
	[ "$(took macro_client plan "struct s" 'alpha::bad("sleep-plan")' 'beta::add')" -lt 3000 ]
	[ "$(cat "$dir/out")" = "error: 1: alpha: cell 'alpha' did not answer within 2000 ms" ]
	ms=$(took macro_client expand "struct s" 'alpha::bad("sleep")' 'beta::add')
	[ "$ms" -ge 1900 ] && [ "$ms" -lt 3000 ]
	[ "$(cat "$dir/out")" = "error: 1: alpha: cell 'alpha' did not answer within 2000 ms" ]
}

@test "an optional answer that is late is done without, and the result is not to be kept" {
	provider alpha; provider beta
	[ "$(took macro_client expand "struct s" 'alpha::need(beta, "sleep")')" -lt 3000 ]
	run cat "$dir/out"
	[ "${lines[0]}" = "warning: 1: alpha: expanded without 'sleep' of 'beta', which did not answer in time" ]
	[ "${lines[1]}" = degraded ]
	[ "${lines[2]}" = "/* sleep of beta: outcome 3 */" ]
	run macro_client expand "struct s" 'alpha::need(beta, "sleep", must = true)'
	[ "$status" -eq 1 ]
	[ "$output" = "error: 1: alpha: needs 'sleep' of 'beta', which did not answer in time" ]
}

@test "who dies half-way is named, and the next one is answered" {
	provider alpha; provider beta
	run macro_client expand "struct s" 'alpha::bad("die")' 'beta::add'
	[ "$status" -eq 1 ]
	[ "$output" = "error: 1: alpha: cell 'alpha' ended before it had answered" ]
	# It starts again, and is waited for.
	run macro_client expand "struct s" 'alpha::add' 'beta::add'
	[ "$output" = "static inline int s_alpha(void) { return 1; }
static inline int s_beta(void) { return 1; }" ]
	run macro_client plan "struct s" 'alpha::bad("die-plan")'
	[ "$output" = "error: 1: alpha: cell 'alpha' ended before it had answered" ]
}

@test "garbage and nonsense are named and harm nobody" {
	provider alpha garbage; provider beta nonsense; provider gamma
	run macro_client expand "struct s" 'alpha::add' 'gamma::add'
	[ "$status" -eq 1 ]
	[[ $output == "error: 1: alpha: cell 'alpha' failed: "* ]]
	run macro_client expand "struct s" 'beta::add' 'gamma::add'
	[ "$status" -eq 1 ]
	[ "$output" = "error: 1: beta: cell 'beta' answered what makes no sense: the symbol 'not a name'" ]
	run macro_client expand "struct s" 'gamma::add'
	[ "$output" = "static inline int s_gamma(void) { return 1; }" ]
}

@test "text that must not reach a compiler does not" {
	provider alpha
	run macro_client expand "struct s" 'alpha::bad("include")'
	[ "$output" = "error: 1: alpha: alpha::bad: line 1 of its text has an #include" ]
	run macro_client expand "struct s" 'alpha::bad("unplanned")'
	[ "$output" = "error: 1: alpha: cell 'alpha' failed: alpha::bad: line 1 of its text declares 'sneaky', which it did not plan" ]
	run macro_client expand "struct s" 'alpha::bad("asm")'
	[ "$output" = "error: 1: alpha: alpha::bad: line 1 of its text has asm or a pragma, which the macro does not announce" ]
	run macro_client expand "struct s" 'alpha::asm("asm")'
	[ "$output" = 'static inline void cell_nop(void) { __asm__("nop"); }' ]
	run macro_client expand "struct s" 'alpha::bad("refuse")'
	[ "$output" = "error: 1: alpha: not today" ]
}

@test "equal requests at one time are one" {
	provider alpha
	run macro_client expand --times 20 "struct s" 'alpha::add(ms = 300)'
	[ "$output" = "static inline int s_alpha(void) { return 1; }" ]
	[ "$(macro_client provision alpha count)" = "expanded 1 times" ]
	run macro_client expand "struct s" 'alpha::add(ms = 300)'
	[ "$(macro_client provision alpha count)" = "expanded 2 times" ]
}

@test "a plan that has changed is told" {
	provider alpha
	run macro_client expand --wrong-plan "struct s" 'alpha::add'
	[ "$output" = "ABORTED: the plan has changed since it was made" ]
}

@test "provisioning says what it did, or why not" {
	provider alpha
	[ "$(macro_client provision alpha 'table account')" = "created table account" ]
	run macro_client provision alpha bad
	[ "$status" -eq 1 ]
	[ "$output" = "status 9
error: 1: alpha: it holds rows
note: add a default" ]
	run macro_client provision nobody x
	[ "$output" = "NOT_FOUND: no cell of this node announces the namespace 'nobody'" ]
}
