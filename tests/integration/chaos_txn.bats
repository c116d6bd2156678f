#!/usr/bin/env bats
# A transfer between celldb and PostgreSQL, brought to each of its steps by who is stopped, and
# then one of the parties is killed.

load "$CELL_TOP/tests/lib/node"
load "$CELL_TOP/tests/lib/chaos"
load "$CELL_TOP/tests/lib/postgres"

setup() {
	! nm "$CELL_BUILD/lib/libcell.a" 2>/dev/null | grep -qE '__(asan|tsan|ubsan)' ||
		skip "what users build has no sanitizer"
	postgres_skip
	chaos_memory
	node_start
	postgres_start
	parties="celldb postgres txn"
	for cell in macro $parties; do
		cell -q run $cell
	done
	mkdir -p "$dir/project/.cell"
	cd "$dir/project" || return
	printf '[project]\nprogram = bank\n' >.cell/project
	cp "$CELL_TOP/tests/integration/chaos/transfer.c" .
	chaos_cellc -o transfer transfer.c
	./transfer open
	mkfifo go
	seed=${CELL_CHAOS_SEED:-$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
	echo "CELL_CHAOS_SEED=$seed"
}

teardown() {
	local pid
	for pid in ${program:-} ${!pid_*}; do
		[ "${pid#pid_}" = "$pid" ] || pid=${!pid}
		kill -CONT "$pid" 2>/dev/null || true
	done
	[ -z "${program:-}" ] || kill -9 "$program" 2>/dev/null || true
	exec 9>&-
	postgres_stop
	node_stop
}

prepared_left() { cell db stats --json | jq .prepared; }
prepared_right() { sql "SELECT count(*) FROM pg_prepared_xacts"; }
under_way() { cell txn list --json | jq -r '.transactions[].state'; }

# stop CELL..., go_on CELL...: SIGSTOP and SIGCONT
stop() { local cell p; for cell; do p=pid_$cell; kill -STOP "${!p}"; done; }
go_on() { local cell p; for cell; do p=pid_$cell; kill -CONT "${!p}" 2>/dev/null || true; done; }

# await VALUE COMMAND...: until it says so; 1 if the program has ended meanwhile
await() {
	local value=$1
	shift
	until [ "$("$@")" = "$value" ]; do
		[ "$(wc -l <said)" -lt 2 ] || return 1
	done
}

# reach STEP: a transfer that is just there; 1 if it was too slow for the coordinator
reach() {
	local cell
	for cell in $parties; do
		printf -v "pid_$cell" %s "$(node_pids "$cell")"
	done
	./transfer move 5 <go >said 2>&1 3>&- &
	program=$!
	exec 9>go
	until grep -q read said; do kill -0 $program; done
	case $1 in
	one) stop postgres ;;
	*) stop celldb postgres ;;
	esac
	echo >&9
	await pending under_way || return 1
	case $1 in
	begun) return 0 ;;
	one)
		await 1 prepared_left
		return
		;;
	esac
	stop txn
	go_on celldb postgres
	await 1 prepared_left && await 1 prepared_right || return 1
	[ $1 != all ] || return 0
	stop celldb postgres
	go_on txn
	await committed under_way || return 1
	[ $1 != logged ] || return 0
	go_on celldb
	await 0 prepared_left
}

# back: all parties run
back() {
	local cell
	[ -n "$PG_PID" ] || pg_server
	chaos_up $parties
}

# settled: nothing is in doubt; $took is how long that was
settled() {
	local since=$EPOCHREALTIME
	until [ -z "$(under_way)" ] && [ "$(prepared_left)" = 0 ] && [ "$(prepared_right)" = 0 ]; do
		took=$(chaos_seconds "$since")
		[ "${took%.*}" -lt 5 ] || { cell txn list; cell db stats; cell postgres; return 1; }
	done
	took=$(chaos_seconds "$since")
}

# kill_at STEP VICTIM
kill_at() {
	local step=$1 victim=$2 before after answer tries=0 p
	before=$(./transfer say)
	until reach "$step"; do
		go_on $parties
		wait $program
		settled
		before=$(./transfer say)
		tries=$((tries + 1))
		[ $tries -lt 5 ]
	done
	case $victim in
	program) kill -9 $program ;;
	server) pg_kill KILL ;;
	*)
		p=pid_$victim
		kill -9 "${!p}"
		;;
	esac
	go_on $parties
	back
	settled
	wait $program 2>/dev/null || true
	program=
	exec 9>&-
	answer=$(sed -n '2s/ .*//p' said)
	after=$(./transfer say)
	echo "# $step, $victim killed: ${answer:-no answer}, settled in $took s, $before, then $after; $(sed -n 2p said)" | tee -a report
	[ "${after#* }" = 2000 ]
	case ${answer:-none} in
	moved) [ "${after% *}" -eq $((${before% *} - 5)) ] ;;
	not) [ "$after" = "$before" ] ;;
	esac
	case $step in
	logged | told) [ "${after% *}" -eq $((${before% *} - 5)) ] ;;
	begun | one) [ $victim != program ] || [ "$after" = "$before" ] ;;
	esac
	longest=$(printf '%s\n' "${longest:-0}" "$took" | sort -n | tail -1)
}

@test "whoever is killed at whichever step, money is conserved and nothing stays in doubt" {
	local step victim all='' n=0
	for step in begun one all logged told; do
		for victim in program txn celldb postgres server; do
			all="$all$step $victim
"
		done
	done
	printf %s "$all" | shuf --random-source=<(yes "$seed") >order
	while read -r step victim <&8; do
		n=$((n + 1))
		[ $n -le "${CELL_CHAOS_STEPS:-5}" ] || break
		kill_at "$step" "$victim"
	done 8<order
	cat report >&3 || true
	echo "# ${CELL_CHAOS_STEPS:-5} of $(wc -l <order) kills, seed $seed: in doubt for $longest s at most" >&3
}
