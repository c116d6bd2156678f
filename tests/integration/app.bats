#!/usr/bin/env bats
# cell new --app: an application in plain C, from nothing to its tests.

setup() {
	! nm "$CELL_BUILD/lib/libcell.a" 2>/dev/null | grep -qE '__(asan|tsan|ubsan)' ||
		skip "what users build has no sanitizer"
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-app.XXXXXX")
	chmod 755 "$dir"
	mkdir "$dir/tmp"
	export CELL_RUNDIR=$dir/run CELL_STATEDIR=$dir/state TMPDIR=$dir/tmp CELL_TELEMETRY_HTTP=off
	cd "$dir" || return
	cell -q new --app shop
	cd shop || return
}

teardown() {
	[ -n "${dir:-}" ] || return 0
	cell -q down --force || true
	[ -z "$(pgrep -af -- "$dir")" ] || { pgrep -af -- "$dir"; return 1; }
	rm -rf "$dir"
}

# as_git ...: git without anybody's settings
as_git() {
	env HOME="$dir" GIT_CONFIG_NOSYSTEM=1 git -c user.name=me -c user.email=me@localhost "$@"
}

@test "builds once, answers, and shows who called whom" {
	cell -q build >"$dir/made" 2>&1 || { cat "$dir/made"; false; }
	[ -z "$(grep -E 'warning|error:' "$dir/made")" ]
	run cell -q build
	[ "$status" -eq 0 ]
	[[ $output != *cellc* ]]
	[ "$(build/client ada 5)" = "ada has 5" ]
	[ "$(build/client ada 7)" = "ada has 12" ]
	# The caller's span is the parent of the service's.
	until cell trace --json last 2>/dev/null | jq -e '[.spans[].name] | index("put") and index("deposit")'; do
		sleep 0.05
	done
	cell trace --json last >"$dir/trace"
	[ "$(jq -r '(.spans[] | select(.name == "put") | .span) as $put |
		.spans[] | select(.name == "deposit") | .parent == $put' "$dir/trace")" = true ]
	run build/client ada 0
	[ "$status" -eq 2 ]
	[[ $output == *"amount: 0 is not within 1 and 1000000"* ]]
	# What a user reads first fits on a screen or two.
	[ "$(cat shop.h shop.c client.c | sed 's,/\*.*\*/,,' | grep -c '[^[:space:]]')" -lt 60 ]
	# What is started again with another build is the new one.
	sed -i 's/+= in->amount/+= 2 * in->amount/' shop.c
	cell -q build
	[ "$(build/client bob 4)" = "bob has 8" ]
}

@test "passes its tests twice, leaves nothing, and does so in a clone" {
	cell -q build
	as_git init -q .
	as_git add -A
	as_git commit -q -m all
	run cell -q test
	[ "$status" -eq 0 ]
	[[ $output == *"ok: the service, linked in"*"ok: the service, as a cell"* ]]
	cell -q test
	[ -z "$(ls "$dir/tmp")" ]
	[ -z "$(pgrep -af -- "$dir/tmp")" ]
	# What the test needed is known from now on, and nothing else has changed.
	[ -z "$(as_git status --porcelain | grep -vE '\.cell/(exp/cell/file-cell-remote|cell\.schema\.lock)')" ]
	cell -q down
	as_git add -A
	as_git commit -q -m tested
	as_git clone -q . "$dir/clone"
	cd "$dir/clone"
	export CELL_RUNDIR=$dir/run2
	run cell -q test
	[ "$status" -eq 0 ]
	[[ $output == *"ok: the service, linked in"*"ok: the service, as a cell"* ]]
	[ -z "$(as_git status --porcelain)" ]
	[ -z "$(ls "$dir/tmp")" ]
}

@test "builds again with every change, until Ctrl-C" {
	cell build --watch >"$dir/watched" 2>&1 3>&- &
	watch=$!
	until [ "$(grep -c 'waiting for a change' "$dir/watched")" -eq 1 ]; do
		kill -0 "$watch"
		sleep 0.05
	done
	[ "$(build/client ada 5)" = "ada has 5" ]
	sed -i 's/+= in->amount/+= 3 * in->amount/' shop.c
	until [ "$(grep -c 'waiting for a change' "$dir/watched")" -eq 2 ]; do
		kill -0 "$watch"
		sleep 0.05
	done
	[ "$(build/client ada 5)" = "ada has 15" ]
	# A mistake is said, and waited over.
	sed -i 's/range(1, /rang(1, /' shop.h
	until [ "$(grep -c 'waiting for a change' "$dir/watched")" -eq 3 ]; do
		kill -0 "$watch"
		sleep 0.05
	done
	grep -q "validate::rang: cell 'validate' provides no such macro (did you mean 'range'?)" "$dir/watched"
	kill -INT "$watch"
	status=0
	wait "$watch" || status=$?
	[ "$status" -eq 0 ]
}
