#!/usr/bin/env bats
# Calling, describing and watching a cell that one knows only by its live schema.

setup_file() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-call.XXXXXX")
	chmod 755 "$dir"
	export dir CELL_RUNDIR=$dir/run CELL_STATEDIR=$dir/state
	cell -q up
}

teardown_file() {
	cell -q down --force
	rm -rf "$dir"
}

setup() {
	cell -q retire greeter 2>/dev/null || true
}

number_of() { jq -r .number; }

@test "calls a cell that does not run yet" {
	run cell call greeter greet '{"name": "Ada"}'
	[ "$status" -eq 0 ]
	[ "$output" = '{"text":"Hello, Ada!","number":"1"}' ]
	[ "$(cell call greeter Greeter.Greet '{"name": "Ada"}' | number_of)" -eq 2 ]
	[ "$(cell call greeter cell.greeter.v1.Greeter/Greet '{"name": "Ada"}' | number_of)" -eq 3 ]
	[ "$(cell call -v greeter greet '{"name": "Ada"}' 2>/dev/null | wc -l)" -eq 4 ]
}

@test "takes the request from a file or stdin" {
	echo '{"name": "file"}' >"$dir/request"
	[[ "$(cell call greeter greet "@$dir/request")" == *"Hello, file!"* ]]
	[[ "$(echo '{"name": "stdin"}' | cell call greeter greet -)" == *"Hello, stdin!"* ]]
	run cell call greeter greet @/nonexistent
	[ "$status" -eq 3 ]
}

@test "errors carry the status, its exit code, and what may have been meant" {
	run cell call greeter greet '{}'
	[ "$status" -eq 2 ]
	[ "$output" = "cell call: INVALID_ARGUMENT: a greeting needs a name" ]
	run cell call greeter greet '{"nmae": "Ada"}'
	[ "$status" -eq 2 ]
	[ "$output" = 'cell call: INVALID_ARGUMENT: request.nmae: no such field (did you mean "name"?)' ]
	run cell call greeter greet '{"name": '
	[ "$status" -eq 2 ]
	[[ $output == *"INVALID_ARGUMENT: request:1:"* ]]
	run cell call greeter greet_many '{"name": "x", "count": 4294967296}'
	[ "$output" = "cell call: OUT_OF_RANGE: request.count: out of range: uint32 goes from 0 to 4294967295" ]
	run cell call greeter gret '{}'
	[ "$status" -eq 3 ]
	[[ $output == *"no method 'gret' (did you mean 'greet'?)" ]]
	run cell call gretter greet '{}'
	[ "$status" -eq 3 ]
	[[ $output == *"did you mean 'greeter'?"* ]]
	run cell call -i 999999 greeter greet '{"name": "x"}'
	[ "$status" -eq 3 ]
	[ -z "$(cell call greeter greet '{}' 2>/dev/null)" ]
}

@test "prints what streams give as it comes, a document a line" {
	run cell call greeter greet_many '{"name": "A", "count": 3}'
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 3 ]
	[ "$(printf '%s\n' "$output" | jq -s -c 'map(.number)')" = '["1","2","3"]' ]
	# The first is there long before the last.
	[ "$(cell call greeter greet_many '{"name": "A", "count": 1000000, "interval_ms": 200}' |
		head -n 1 | jq -r .text)" = "Hello, A!" ]
	run cell call -t 300ms greeter greet_many '{"name": "A", "count": 100, "interval_ms": 100}'
	[ "$status" -eq 6 ]
	[ "${#lines[@]}" -ge 2 ]
}

@test "reads the requests of streams a line at a time" {
	run bash -c 'printf "{\"name\":\"%s\"}\n\n" A B | cell call greeter greet_all'
	[ "$output" = '{"text":"Hello, A, B!","number":"1"}' ]
	[ "$(seq 5000 | sed 's/.*/{"name":"&"}/' | cell call greeter greet_each | tail -n 1 | jq -r .text)" = "Hello, 5000!" ]
	run bash -c 'printf "{\"name\":\"A\"}\n{\"nam\":\"B\"}\n" | cell call greeter greet_each'
	[ "$status" -eq 2 ]
	[[ ${lines[1]} == *'stdin:2: request.nam: no such field (did you mean "name"?)' ]]
	[ "$(cell call greeter greet_all '{"name": "one"}' | jq -r .text)" = "Hello, one!" ]
}

@test "answers of two-way streams come while requests are still read" {
	mkfifo "$dir/fifo"
	cell call greeter greet_each <"$dir/fifo" >"$dir/replies" 2>"$dir/error" &
	exec 9>"$dir/fifo"
	echo '{"name":"first"}' >&9
	until grep -q first "$dir/replies"; do
		[ "$((tries++))" -lt 500 ]
		sleep 0.01
	done
	# The cell ends the call while we still could send.
	echo '{"name":""}' >&9
	wait $! || status=$?
	exec 9>&-
	[ "$status" -eq 2 ]
	[ "$(cat "$dir/error")" = "cell call: INVALID_ARGUMENT: a greeting needs a name" ]
}

@test "one-way calls arrive" {
	cell -q run greeter
	for _ in 1 2 3; do
		run cell call --one-way greeter greet '{"name": "x"}'
		[ "$status" -eq 0 ]
		[ -z "$output" ]
	done
	[ "$(cell call greeter greet '{"name": "x"}' | number_of)" -eq 4 ]
	run cell call --one-way greeter greet_many '{}'
	[ "$status" -eq 2 ]
}

@test "shows what a request looks like, and defaults if asked" {
	[ "$(cell call --example greeter greet_many)" = '{"name":"","count":0,"intervalMs":0}' ]
	[ "$(cell call greeter ping)" = '{}' ]
	[ "$(cell call -d greeter ping)" = '{"data":""}' ]
}

@test "describe shows services, methods and messages with their comments" {
	run cell describe greeter
	[ "$status" -eq 0 ]
	[[ $output == *"service Greeter { // cell.greeter.v1.Greeter"* ]]
	[[ $output == *"// COUNT greetings, one every interval."* ]]
	[[ $output == *"rpc greet_many(HelloMany) returns (stream Greeting);"* ]]
	[[ $output == *"uint32 interval_ms = 3; // 0 = as fast as they are read"* ]]
	[[ $output != *"service Ops"* ]]
	[[ "$(cell describe -a greeter)" == *"service Ops"* ]]
	[[ "$(cell describe greeter hello)" == $'message Hello {\n  string name = 1;\n}' ]]
	[ "$(cell describe greeter greet --json | jq -r '.methods[0].full_name')" = cell.greeter.v1.Greeter/Greet ]
	[ "$(cell describe greeter --json | jq -r '.services | length')" -eq 1 ]
	run cell describe greeter Helo
	[ "$status" -eq 3 ]
	[[ $output == *"(did you mean 'Hello'?)" ]]
	cell describe --json | jq -e '.cells[] | select(.cell == "greeter")' >/dev/null
}

@test "completes cells and methods of a running node" {
	[[ "$(cell --complete call gre)" == *$'greeter\t'* ]]
	# A cell that does not run is not started for it.
	[ -z "$(cell --complete call greeter '')" ]
	[ "$(cell ps greeter --json | jq '.instances | length')" -eq 0 ]
	cell -q run greeter
	[[ "$(cell --complete call greeter '')" == *$'greet_many\tCOUNT greetings'* ]]
}

# spied N: a spy that ends after N lines looks at greeter; its lines go to $dir/spied
spied() {
	cell -q run greeter
	cell spy greeter --json -n "$1" >"$dir/spied" &
	spy=$!
	# It is there when the cell has a tap in flight.
	until [ "$(cell call greeter stats | jq -r '[.methods[] | select(.method | endswith("/Tap")) | .inFlight // "0" | tonumber] | add')" -gt 0 ]; do
		[ "$((tries++))" -lt 500 ]
		sleep 0.01
	done
}

@test "spy decodes calls as they pass" {
	spied 7
	cell call greeter greet '{"name": "Ada"}' >/dev/null
	cell call greeter greet '{}' 2>/dev/null || true
	cell call --one-way greeter greet '{"name": "way"}'
	cell call greeter greet_many '{"name": "B", "count": 2}' >/dev/null
	cell call greeter greet_all '{"name": "C"}' >/dev/null
	wait "$spy"
	[ "$(jq -r .kind "$dir/spied" | paste -sd' ')" = "call call one-way item item end item" ]
	[ "$(jq -c 'select(.kind == "call") | [.request, .reply, .status, .message]' "$dir/spied" | head -n 1)" = \
		'[{"name":"Ada"},{"text":"Hello, Ada!","number":"1"},"OK",null]' ]
	[ "$(jq -c 'select(.kind == "call") | [.request, .status, .message]' "$dir/spied" | tail -n 1)" = \
		'[{},"INVALID_ARGUMENT","a greeting needs a name"]' ]
	[ "$(jq -c 'select(.kind == "end") | [.items.server, .took_ns > 0]' "$dir/spied")" = '[2,true]' ]
}

@test "spy prints a line a call for people, and ends with its instances" {
	cell -q run greeter
	cell spy greeter >"$dir/spied" 2>"$dir/spied.err" &
	spy=$!
	# Of the first one, it may see only the end.
	until grep -q 'outside  *greet {"name":"Ada"} => {"text":"Hello, Ada!","number":"[0-9]*"} [0-9.]*[num]s$' "$dir/spied"; do
		[ "$((tries++))" -lt 500 ]
		cell call greeter greet '{"name": "Ada"}' >/dev/null
	done
	cell -q retire greeter
	wait "$spy"
	grep -q 'is gone' "$dir/spied.err"
	run cell spy greeter
	[ "$status" -eq 3 ]
	[[ $output == *"no instance of 'greeter' runs (run: cell run greeter)" ]]
}

@test "top counts what passes" {
	cell -q run greeter
	cell call greeter greet_many '{"name": "A", "count": 5}' >/dev/null
	[ "$(cell top --once -n 50ms | awk '$2 == "greeter" { print $3 }')" = ready ]
	[ "$(cell top --json -n 50ms greeter | jq '.instances[0].methods[] | select(.method == "Greeter/GreetMany").calls')" -eq 1 ]
}

@test "top fits into 80 columns and 24 lines, and leaves the terminal as it was" {
	command -v tmux >/dev/null || skip "no tmux"
	cell -q run greeter
	export TMUX_TMPDIR=$dir
	tmux -f /dev/null new-session -d -x 80 -y 24 "cell top; echo ended with \$?; read -r _"
	shown() { tmux capture-pane -p | grep -q -- "$1"; }
	seen() {
		until shown "$1"; do
			[ "$((tries++))" -lt 500 ]
			sleep 0.02
		done
	}
	seen greeter
	seen '  CPU%    MEM$'
	tmux send-keys m
	seen Greeter/GreetMany
	tmux send-keys h
	seen 'choose an instance'
	tmux resize-window -x 60 -y 10
	tmux send-keys h m
	seen 'q end'
	tmux send-keys q
	seen 'ended with 0'
	tmux kill-server
}
