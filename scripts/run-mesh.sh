#!/bin/sh
# Start the mesh of this tree, and show it.
set -eu

usage() {
	cat <<'TXT'
usage: O=BUILD run-mesh.sh [-h]

Starts a node in rundir/node1 with the cells that come with the tree, waits until they
are healthy, and shows them. If it runs already, says so and shows it.
End it with: cell --rundir rundir/node1 down
TXT
}

[ "${1:-}" != -h ] || { usage; exit 0; }
[ $# -eq 0 ] || { usage >&2; exit 2; }
cd "$(dirname "$0")/.."
O=${O:-build}
PATH=$(cd "$O" && pwd)/bin:$PATH
CELL_RUNDIR=$PWD/rundir/node1
export PATH CELL_RUNDIR

[ -f "$CELL_RUNDIR/node.conf" ] || cell -q init --name node1
cell up
for name in greeter pinger; do
	cell -q run "$name"
done
echo
cell ps
cat <<TXT

Try:
  export PATH=$O/bin:\$PATH
  cell call greeter greet '{"name": "World"}'
  cell top          q ends it
  cell down         ends the node
TXT
