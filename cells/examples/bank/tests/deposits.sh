#!/bin/sh
# What `cell test` runs: 8 clients at once lose nothing, and what is refused leaves nothing.
set -eu
cd "$(dirname "$0")/.."

fail() {
	printf 'not ok: %s\n' "$*" >&2
	exit 1
}

# refused STATUS WORDS ARGUMENT...: the client ends so, and says so
refused() {
	status=$1 words=$2
	shift 2
	said=$(build/client "$@" 2>&1) && fail "client $* succeeded"
	code=0
	build/client "$@" >/dev/null 2>&1 || code=$?
	[ "$code" -eq "$status" ] || fail "client $* ended with $code: $said"
	case $said in *"$words"*) ;; *) fail "client $* said: $said" ;; esac
}

cell -q run ./fraud.cell
cell -q run ./bank.cell
cell -q db put account id=1 owner=ada balance=0 >/dev/null
cell -q db put account id=2 owner=bob balance=7 >/dev/null

pids=
for _ in 1 2 3 4 5 6 7 8; do
	build/client 1 2 "${DEPOSITS:-100}" >/dev/null &
	pids="$pids $!"
done
for pid in $pids; do
	wait "$pid" || fail 'a client failed'
done
[ "$(build/client 1 1)" = "ada has $((16 * ${DEPOSITS:-100} + 1))" ] || fail 'a deposit was lost'

refused 2 'amount 0 is not positive' 1 0
refused 3 'no account with id 9' 9 5
refused 1 'where does so much come from?' 2 1000000
refused 2 'amount -3 is not positive' 2 -3
[ "$(build/client 2 1)" = 'bob has 8' ] || fail 'a refused deposit left something'

# The rule is the table's, whoever writes.
cell -q db put account id=2 balance=-1 >/dev/null 2>&1 && fail 'a balance below zero was stored'
cell -q db put account id=3 owner=bob balance=0 >/dev/null 2>&1 && fail 'two owners of one name'
[ "$(cell -q db count account)" -eq 2 ] || fail 'there are more accounts than two'
echo 'ok: deposits'
