#!/bin/sh
# A mesh on this machine: one node, with something in it to call.
set -eu

usage() {
	cat <<'TXT'
usage: O=BUILD run-mesh.sh [-h]

Starts a node in rundir/node1 from what is built in BUILD (default: build), with
the cells greeter and pinger, shows it, and says what to try. If it runs already,
only shows it. Installs and builds nothing: `make run-mesh` does.

End it with: cell --rundir rundir/node1 down
TXT
}

case ${1:-} in
-h | --help) usage; exit 0 ;;
'') ;;
*) usage >&2; exit 2 ;;
esac

cd "$(dirname "$0")/.."
O=${O:-build}
case $O in
/*) bin=$O/bin ;;
*) bin=$PWD/$O/bin ;;
esac
[ -x "$bin/cell" ] || {
	echo "run-mesh: no $bin/cell; run: make" >&2
	exit 1
}
PATH=$bin:$PATH
CELL_RUNDIR=$PWD/rundir/node1
export PATH CELL_RUNDIR

[ -e "$CELL_RUNDIR/node.conf" ] || cell -q init --name node1
cell up
for name in greeter pinger; do
	cell -q run "$name"
done

echo
cell ps
cat <<TXT

Try, after: export PATH=$bin:\$PATH
  cell call greeter greet '{"name": "Ada"}'
  cell pinger --rate 1000 --duration 5s greeter    and meanwhile: cell top
  cell logs -f    cell down    cell help
TXT
