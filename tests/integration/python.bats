#!/usr/bin/env bats
# clients/python: a client of 60 lines, without any code of ours.

setup() {
	/usr/bin/python3 -c 'import google.protobuf' 2>/dev/null || skip "python3-protobuf is not installed"
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-python.XXXXXX")
	export CELL_RUNDIR=$dir/run CELL_STATEDIR=$dir/state
	export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$CELL_TOP/clients/python
	cellcore --rundir "$CELL_RUNDIR" --statedir "$CELL_STATEDIR" >"$dir/log" 2>&1 3>&- &
	core=$!
	until cell ps >/dev/null 2>&1; do
		kill -0 "$core" || { cat "$dir/log"; return 1; }
		sleep 0.02
	done
}

teardown() {
	[ -z "${core:-}" ] || { kill "$core" 2>/dev/null && wait "$core"; } || true
	rm -rf "${dir:-}"
}

# python: run the program on stdin, with the client imported
python() {
	{ echo 'from cell_client import *'; cat; } | /usr/bin/python3 -
}

@test "stays within 60 lines and the standard library" {
	[ "$(wc -l <"$CELL_TOP/clients/python/cell_client.py")" -le 60 ]
	run grep -E '^(import|from)' "$CELL_TOP/clients/python/cell_client.py"
	[ "${lines[0]}" = "import functools, os, socket, struct" ]
	[[ ${lines[1]} == "from google.protobuf import "* ]]
	[ "${#lines[@]}" -eq 2 ]
}

@test "greets" {
	run "$CELL_TOP/clients/python/greet.py" Ada 3
	[ "$status" -eq 0 ]
	[ "$output" = "Hello, Ada!
Hello, Ada! 2
Hello, Ada! 3" ]
}

@test "learns the methods from the running cell" {
	run python <<-'E'
		client = Client("greeter")
		print(client.methods["Greet"][0])
		print(client.call("cell.greeter.v1.Greeter/Greet", name="Ada").text)
		print(client.call("Health").healthy)
	E
	[ "$output" = "cell.greeter.v1.Greeter/Greet
Hello, Ada!
True" ]
}

@test "raises what the cell refuses, typed" {
	run python <<-'E'
		client = Client("greeter")
		try:
		    client.call("Greet")
		except CellError as error:
		    print(error.status, "/", error.text)
		print(client.call("Greet", name="Ada").text)
	E
	[ "$output" = "INVALID_ARGUMENT / a greeting needs a name
Hello, Ada!" ]
}

@test "sends and takes bodies in fragments" {
	run python <<-'E'
		client, data = Client("greeter"), bytes(range(256)) * 4096
		print(len(data), client.call("Ping", data=data).data == data)
	E
	[ "$output" = "1048576 True" ]
}

@test "reads a long stream, which needs credit" {
	run python <<-'E'
		numbers = [g.number for g in Client("greeter").stream("GreetMany", name="x" * 200, count=20000)]
		print(numbers == list(range(1, 20001)))
	E
	[ "$output" = True ]
}

@test "gives up in time" {
	run python <<-'E'
		client = Client("greeter")
		try:
		    for greeting in client.stream("GreetMany", 0.5, name="Ada", count=3, interval_ms=10000):
		        print(greeting.number)
		except CellError as error:
		    print(error.status)
	E
	[ "$output" = "1
DEADLINE_EXCEEDED" ]
}

@test "is told when the instance retires, and greets the next one" {
	run python <<-'E'
		import subprocess
		client = Client("greeter")
		print(client.call("Greet", name="Ada").number)
		subprocess.run(["cell", "retire", "-q", "greeter"], check=True)
		try:
		    client.call("Greet", name="Ada")
		except (CellError, OSError) as error:
		    print(getattr(error, "status", "UNAVAILABLE"))
		print(Client("greeter").call("Greet", name="Ada").number)
	E
	[ "$output" = "1
UNAVAILABLE
1" ]
}
