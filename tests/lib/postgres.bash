# A PostgreSQL server of one's own, for bats files that have a node:
#
#	load "$CELL_TOP/tests/lib/node"
#	load "$CELL_TOP/tests/lib/postgres"
#	setup() { node_start; postgres_start; cell -q run postgres; }
#	teardown() { postgres_stop; node_stop; }
#
# It listens on a socket in the state folder of the cell postgres, and nowhere else, and runs as
# the user that cells run as: never root.

# postgres_skip: skip the test, and say so, where there is no server to start
postgres_skip() {
	PG_BIN=$(find /usr/lib/postgresql/*/bin -maxdepth 0 2>/dev/null | sort -V | tail -1)
	[ -n "$PG_BIN" ] && [ -x "$PG_BIN/postgres" ] || skip "PostgreSQL is not installed (apt install postgresql)"
}

# pg_as COMMAND...: as the user that the server runs as
pg_as() {
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid "$PG_USER" --regid "$(id -g "$PG_USER")" --clear-groups -- "$@"
	else
		"$@"
	fi
}

# postgres_start [SETTING=VALUE ...]: a server with an empty database, and a postgres.conf for it
postgres_start() {
	postgres_skip
	PG_USER=$(id -un)
	if [ "$(id -u)" -eq 0 ]; then
		PG_USER=nobody
		! id cell >/dev/null 2>&1 || PG_USER=cell
	fi
	PG_DIR=$dir/pg PG_STATE=$CELL_STATEDIR/postgres
	PG_SOCKET=$PG_STATE/s
	mkdir -p "$PG_DIR" "$PG_SOCKET"
	[ "$(id -u)" -ne 0 ] || chown "$PG_USER" "$PG_DIR" "$PG_STATE" "$PG_SOCKET"
	# The way to the socket, for a server that is not of the node's user.
	chmod 711 "$CELL_STATEDIR" "$PG_STATE"
	export PGHOST=$PG_SOCKET PGDATABASE=postgres PGUSER=owner
	pg_as "$PG_BIN/initdb" -D "$PG_DIR/data" -U owner -A trust -E UTF8 --locale=C --no-sync >"$dir/initdb" 2>&1 ||
		{ cat "$dir/initdb"; return 1; }
	cat >"$PG_STATE/postgres.conf" <<-CONF
		# Inside, the state folder is /state.
		host = /state/s
		user = owner
		dbname = postgres
		pool = 6
	CONF
	[ "$(id -u)" -ne 0 ] || chown "$PG_USER" "$PG_STATE/postgres.conf"
	pg_server "$@"
}

# pg_server [SETTING=VALUE ...]: start the server on what is there; PGPORT is its port
pg_server() {
	local setting options=()

	for setting in fsync=off max_prepared_transactions=16 max_connections=40 listen_addresses= \
		shared_buffers=16MB "$@"; do
		options+=(-c "$setting")
	done
	pg_as "$PG_BIN/postgres" -D "$PG_DIR/data" -k "$PG_SOCKET" "${options[@]}" >>"$dir/pg.log" 2>&1 3>&- &
	PG_JOB=$!
	until "$PG_BIN/pg_isready" -q; do
		kill -0 "$PG_JOB" || { cat "$dir/pg.log"; return 1; }
		sleep 0.05
	done
	PG_PID=$(pg_as head -1 "$PG_DIR/data/postmaster.pid")
}

# pg_kill SIGNAL: end it, and wait until it has ended
pg_kill() {
	kill "-$1" "$PG_PID" 2>/dev/null || true
	wait "$PG_JOB" || true
	PG_PID=
}

postgres_stop() {
	[ -z "${PG_PID:-}" ] || pg_kill INT
	unset PGHOST PGDATABASE PGUSER PGPORT
}

# sql TEXT: what psql prints, plain
sql() { "$PG_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -c "$1"; }
