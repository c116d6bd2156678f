#!/bin/sh
# Repeat tests until one fails: for what fails one time in a hundred.
set -eu

usage() {
	cat <<'TXT'
usage: soak.sh [-h] [-n ROUNDS] [-l] [WORD]

Runs `make test T=WORD` again and again, ROUNDS times (default 100), and stops at
the first failure, showing its output.

  -l   keep every CPU busy meanwhile, so that the scheduler decides differently
TXT
}

rounds=100 load=false
while getopts hln: option; do
	case $option in
	h) usage; exit 0 ;;
	l) load=true ;;
	n) rounds=$OPTARG ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
cd "$(dirname "$0")/.."
output=$(mktemp)
burners=
# shellcheck disable=SC2086 # a list of process ids
trap 'rm -f "$output"; [ -z "$burners" ] || kill $burners' EXIT
trap 'exit 130' INT TERM

if $load; then
	i=$(nproc)
	while [ "$i" -gt 0 ]; do
		sh -c 'while :; do :; done' &
		burners="$burners $!"
		i=$((i - 1))
	done
fi

round=1
while [ "$round" -le "$rounds" ]; do
	if ! make T="${1:-}" test >"$output" 2>&1; then
		cat "$output"
		echo "soak: round $round of $rounds failed" >&2
		exit 1
	fi
	printf '\rround %d: %s ' "$round" "$(tail -n 1 "$output")"
	round=$((round + 1))
done
echo
