#!/bin/sh
# Install the Debian packages that Cell needs and this machine lacks.
set -eu

usage() {
	cat <<'TXT'
usage: install-deps.sh [-h] [-n] [run|test|bench]

Installs the missing Debian packages, and says which:
  run     to build Cell and run a mesh (the default)
  test    run, and what `make test` and `make lint` use
  bench   run, and what `make bench` compares with
Does nothing, quickly, when all are there. Uses sudo when not root.

  -n      only print what is missing, one a line; exits 1 if something is
  -h      this help
TXT
}

dry=false
while getopts hn option; do
	case $option in
	h) usage; exit 0 ;;
	n) dry=true ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))

run='build-essential pkg-config libev-dev libprotobuf-c-dev protobuf-c-compiler
	protobuf-compiler libprotoc-dev libsodium-dev libinih-dev libjansson-dev libxxhash-dev
	libseccomp-dev liblmdb-dev libncurses-dev libmicrohttpd-dev libpq-dev libclang-14-dev libclang1-14
	bubblewrap mandoc'
test='check bats shellcheck clang clang-tidy clang-format cppcheck valgrind
	libclang-rt-14-dev clang-19 clangd-19 libclang1-19 ccache python3 python3-protobuf jq strace tmux gdb postgresql'
bench='libnng-dev libzmq3-dev libcapnp-dev capnproto libsystemd-dev libnats-dev libgrpc++-dev
	protobuf-compiler-grpc nats-server dbus-broker redis-server libhiredis-dev libsqlite3-dev
	postgresql libpq-dev'

case ${1:-run} in
run) wanted=$run ;;
test) wanted="$run $test" ;;
bench) wanted="$run $bench" ;;
*) usage >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "install-deps: no apt-get here; please see to it that you have what Debian calls:" >&2
	printf '%s\n' "$wanted" >&2
	exit 0
fi

# One query for all: a package that dpkg does not know is simply not in the answer.
# shellcheck disable=SC2086 # the lists are words
present=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
	sed -n 's/^installed //p') || true
missing=
for package in $wanted; do
	printf '%s\n' "$present" | grep -qx "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if $dry; then
	printf '%s\n' "$missing" | tr ' ' '\n' | sed 1d
	exit 1
fi

sudo=
if [ "$(id -u)" -ne 0 ]; then
	sudo=sudo
	command -v sudo >/dev/null || {
		echo "install-deps: not root and no sudo; as root: apt-get install$missing" >&2
		exit 1
	}
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM

# apt says a lot; it is of interest only when something went wrong.
run() {
	# shellcheck disable=SC2086 # no sudo is no word
	$sudo env DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1 </dev/null || {
		cat "$log" >&2
		echo "install-deps: failed: $*" >&2
		exit 1
	}
}

echo "install-deps: installing$missing (a minute or two)"
run apt-get update -q
# shellcheck disable=SC2086 # the list is words
run apt-get install -q -y --no-install-recommends $missing
