#!/usr/bin/env bats
# The dispatcher, and what all commands have in common. No node runs.

setup() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-commands.XXXXXX")
	export CELL_RUNDIR=$dir/run
	unset CELL_EXEC_PATH NO_COLOR
}

teardown() {
	rm -rf "$dir"
}

verbs() { cell --complete '' | cut -f1 | grep -vx help; }

@test "says what there is, and what every verb does" {
	run cell --help
	[ "$status" -eq 0 ]
	[[ $output == *"Start and stop:"* ]]
	for verb in init up down upgrade run call describe ps spy top health retire doctor new logs; do
		[[ $output == *"  $verb "* ]]
	done
	# Without a verb the same goes to stderr, as it is no result.
	run bash -c 'cell 2>/dev/null'
	[ "$status" -eq 2 ]
	[ -z "$output" ]
	[ "$(cell --version)" = "$(cell ps --version | sed 's/ ps//')" ]
}

@test "help of every command is at most 80 columns wide, with examples first" {
	for verb in $(verbs); do
		cell "$verb" --help >"$dir/help"
		[ -s "$dir/help" ]
		awk 'length > 80 { print; exit 1 }' "$dir/help"
		grep -q -i '^usage\|usage:' "$dir/help"
		[ "$(cell help "$verb")" = "$(cat "$dir/help")" ]
	done
	for verb in init up down upgrade run call describe ps spy top health retire doctor new logs; do
		cell "$verb" -h >"$dir/help"
		[ "$(grep -n '^Examples' "$dir/help" | cut -d: -f1)" -lt "$(grep -n '^Usage' "$dir/help" | cut -d: -f1)" ]
	done
	awk 'length > 80 { print; exit 1 }' <(cell --help)
}

@test "suggests what was meant" {
	run cell pz
	[ "$status" -eq 2 ]
	[[ $output == *"no such verb: 'pz' (did you mean 'ps'?)"* ]]
	run cell ps --al
	[ "$status" -eq 2 ] || [ "$status" -eq 4 ]
	run cell ps --jsno
	[ "$status" -eq 2 ]
	[[ $output == *"unknown option '--jsno' (did you mean '--json'?)"* ]]
	[[ $output == *"usage: cell ps [OPTION]... [CELL]"* ]]
	run cell --colour never ps
	[ "$status" -eq 2 ]
	[[ $output == *"did you mean '--color'?"* ]]
	run cell call
	[ "$status" -eq 2 ]
	[[ $output == *"CELL is missing"* ]]
	run cell health -t 5
	[ "$status" -eq 2 ]
	[[ $output == *"is no duration, such as 250ms, 10s or 2m"* ]]
}

@test "a verb is any program called cell-VERB" {
	mkdir "$dir/bin"
	printf '#!/bin/sh\necho "mine: $*"\nexit 42\n' >"$dir/bin/cell-mine"
	chmod +x "$dir/bin/cell-mine"
	CELL_EXEC_PATH=$dir/bin run cell mine a 'b c' --json
	[ "$status" -eq 42 ]
	[ "$output" = "mine: a b c --json" ]
	PATH=$PATH:$dir/bin run cell --json -q mine x
	[ "$output" = "mine: --json -q x" ]
	# Never a way to somewhere else.
	CELL_EXEC_PATH=$dir/bin run cell ../bin/cell-mine
	[ "$status" -eq 2 ]
	run cell sandbox
	[ "$status" -eq 2 ]
	CELL_EXEC_PATH=$dir/bin run cell --complete mi
	[[ $output == *mine* ]]
}

@test "what is no name of a cell is a usage error, wherever one is due" {
	for verb in ps health top describe call spy retire logs pinger; do
		run cell $verb Greeter! greet
		[ "$status" -eq 2 ]
		[ "$verb" = call ] || [ "$verb" = describe ] || run cell $verb Greeter!
		[[ $output == *"'Greeter!' is no name of a cell ([a-z][a-z0-9-]*, at most 63)"* ]]
	done
}

@test "without a node each command says how to get one, and exits with 4" {
	for line in ps health top\ --once describe "call greeter greet" "spy greeter" \
		"run greeter" "retire greeter" upgrade logs; do
		run cell $line
		[ "$status" -eq 4 ]
		[[ $output == *"cell up"* ]]
		# One line, and nothing on stdout.
		[ "${#lines[@]}" -eq 1 ]
		[ -z "$(cell $line 2>/dev/null)" ]
	done
	run cell down
	[ "$status" -eq 0 ]
	[[ $output == *"no node is running"* ]]
}

@test "completes verbs, options and values without a node, and quickly" {
	[[ "$(cell --complete p)" == *$'ps\tlist the instances'* ]]
	[[ "$(cell --complete ps --)" == *$'--all\t'* ]]
	[ "$(cell --complete top --sort '')" = $'calls\np99\ncpu\nmemory\nname' ]
	[ "$(cell --complete --rundir '')" = ":folders" ]
	[ "$(cell --complete call x y '')" = ":files" ]
	[ -z "$(cell --complete call '')" ]
	[ -z "$(cell --complete nosuchverb '')" ]
	source "$CELL_TOP/core/cell/completion.bash"
	COMP_WORDS=(cell hea) COMP_CWORD=1
	_cell
	[ "${COMPREPLY[*]}" = health ]
}

@test "a result that cannot be written is a failure" {
	[ -e /dev/full ] || skip "no /dev/full"
	run bash -c 'cell doctor --json >/dev/full'
	[ "$status" -eq 1 ]
	[[ $output == *"writing the result: No space left on device"* ]]
}
