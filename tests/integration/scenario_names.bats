#!/usr/bin/env bats
# Names that are none, by every command that takes one.

load "$CELL_TOP/tests/lib/node"

setup() { node_start; }
teardown() { node_stop; }

long=$(printf 'a%.0s' $(seq 300))
names=("../x" "a;rm" "" "$long" "A" "a/b" "-" "a b")

# refuses COMMAND...: it fails within its own means, and nothing was touched
refuses() {
	run timeout 10 "$@"
	echo "${*:0:60}: $status: $output"
	[ "$status" -ne 0 ]
	[ "$status" -lt 124 ]
	[ -n "$output" ]
}

@test "names that are none are refused by every command" {
	for name in "${names[@]}"; do
		refuses cell call -- "$name" greet '{}'
		refuses cell describe -- "$name"
		refuses cell health -- "$name"
		refuses cell ps -- "$name"
		refuses cell retire -- "$name"
		refuses cell run -- "$name"
		refuses cell pinger --duration 10ms -- "$name"
	done
	run cell greeter Ada
	[ "$output" = "Hello, Ada!" ]
}

@test "cell new makes nothing outside of its folder" {
	# shellcheck disable=SC2154 # by node.bash
	mkdir "$dir/work"
	cd "$dir/work"
	for name in "${names[@]}"; do
		refuses cell new -- "$name"
	done
	[ -z "$(ls -A "$dir/work")" ]
	[ ! -e "$dir/x" ]
}

@test "a manifest with such a name is not started" {
	for name in "../x" "a;rm" "$long"; do
		printf '[cell]\nname = %s\nsummary = none\nexec = /bin/true\n' "$name" >"$dir/bad.cell"
		refuses cell run "$dir/bad.cell"
	done
}
