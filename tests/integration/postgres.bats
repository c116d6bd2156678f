#!/usr/bin/env bats
# Tables on a PostgreSQL server: from attributes to rows that psql sees.

load "$CELL_TOP/tests/lib/node"
load "$CELL_TOP/tests/lib/postgres"

setup() {
	! nm "$CELL_BUILD/lib/libcell.a" 2>/dev/null | grep -qE '__(asan|tsan|ubsan)' ||
		skip "what users build has no sanitizer"
	postgres_skip
	node_start
	postgres_start
	for cell in macro postgres; do
		cell -q run $cell
	done
	mkdir -p "$dir/project/.cell"
	cd "$dir/project" || return
	printf '[project]\nprogram = bank\n' >.cell/project
	flags="-std=gnu2x -O1 -Wall -Wextra -Werror -I$CELL_BUILD/include -I$CELL_BUILD/gen"
	libs="$CELL_BUILD/lib/libcell-main.a $CELL_BUILD/lib/libcell.a -lev $(pkg-config --libs libprotobuf-c libsodium inih) -lm -lpthread"
}

teardown() {
	postgres_stop
	node_stop
}


# build NAME: compile NAME.c and link it with a main of its own
build() { cellc $flags -o "$1" "$1.c" $libs; }

@test "a struct is a table before the program has run" {
	cat >account.c <<-'C'
		#include <cell/cell.h>

		struct [[postgres::table]] account {
			[[postgres::key]] uint64_t id;
			[[postgres::unique, postgres::varchar(40)]] const char *owner;
			[[postgres::check(balance >= 0)]] int64_t balance;
			bool has_note;
			const char *note;
		};
	C
	cellc $flags -c account.c
	[ "$(sql "SELECT string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 'account'")" = \
		"id numeric, owner character varying, balance bigint, note text" ]
}

@test "every type comes back as it was put" {
	cat >kinds.c <<-'C'
		#include <cell/cell.h>
		#include <stdio.h>
		#include <string.h>

		enum color { RED, GREEN, BLUE };

		struct [[postgres::table]] kinds {
			[[postgres::key, postgres::serial]] int64_t id;
			bool yes;
			int32_t i32;
			uint32_t u32;
			uint64_t u64;
			float f32;
			double f64;
			enum color color;
			[[postgres::enum("mood")]] enum color mood;
			const char *text;
			[[postgres::varchar(10)]] const char *varchar;
			[[postgres::numeric(20, 4)]] const char *numeric;
			[[postgres::jsonb]] const char *jsonb;
			[[postgres::json]] const char *json;
			[[postgres::date]] int32_t date;
			[[postgres::timestamp]] int64_t timestamp;
			[[postgres::timestamptz]] int64_t timestamptz;
			[[postgres::smallint]] int32_t small;
			[[postgres::uuid, postgres::default(uuid())]] uint8_t uuid[16];
			size_t n_bytes;
			const uint8_t *bytes;
			size_t n_numbers;
			const int32_t *numbers;
			size_t n_big;
			const uint64_t *big;
			size_t n_words;
			const char *const *words;
			bool has_nothing;
			int64_t nothing;
			[[postgres::default(now())]] int64_t made;
			[[postgres::default("new")]] const char *state;
			[[postgres::computed(i32 * 2)]] int64_t twice;
		};

		int main(void)
		{
			struct cell_call *call = cell_open("bank");
			const char *words[] = { "one", "zwei", "tre, e mezzo" };
			struct kinds out, in = {
				.yes = true, .i32 = -2147483647 - 1, .u32 = 4294967295u, .u64 = UINT64_MAX,
				.f32 = 1.5f, .f64 = -2.25e300, .color = BLUE, .mood = GREEN,
				.text = "a\\b'c\"d \xc3\xa9", .varchar = "ten chars!", .numeric = "-12345.6789",
				.jsonb = "{\"a\": [1, 2]}", .json = "{ \"b\":1}", .date = 19000, .timestamp = 1700000000123456,
				.timestamptz = -5, .small = -32768, .n_bytes = 4, .bytes = (const uint8_t *)"\0\1\2\377",
				.n_numbers = 3, .numbers = (const int32_t[]){ 1, -2, 3 },
				.n_big = 2, .big = (const uint64_t[]){ 0, UINT64_MAX }, .n_words = 3, .words = words,
				.made = 0, .state = "", .id = 0,
			};
			int err = kinds_insert(call, &in);

			if (!err)
				err = kinds_get(call, in.id, &out);
			if (!err && (out.yes != in.yes || out.i32 != in.i32 || out.u32 != in.u32 || out.u64 != in.u64 ||
			    out.f32 != in.f32 || out.f64 != in.f64 || out.color != in.color || out.mood != in.mood ||
			    strcmp(out.text, in.text) || strcmp(out.varchar, in.varchar) || strcmp(out.numeric, in.numeric) ||
			    strcmp(out.jsonb, in.jsonb) || strcmp(out.json, in.json) || out.date != in.date ||
			    out.timestamp != in.timestamp || out.timestamptz != in.timestamptz || out.small != in.small ||
			    out.n_bytes != 4 || memcmp(out.bytes, in.bytes, 4) || out.n_numbers != 3 || out.numbers[1] != -2 ||
			    out.n_big != 2 || out.big[1] != UINT64_MAX || out.n_words != 3 || strcmp(out.words[2], words[2]) ||
			    out.has_nothing || out.made < 1700000000000000 || strcmp(out.state, "new") ||
			    out.twice != -4294967296 || (out.uuid[6] & 0xf0) != 0x40))
				err = cell_refuse(call, CELL_DATA_LOSS, "not what was put");
			if (!err)
				printf("id %d\n", (int)in.id);
			return cell_exit(call, err);
		}
	C
	build kinds
	run ./kinds
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$output" = "id 1" ]
	[ "$(sql "SELECT u64, mood, numeric, jsonb, date, timestamptz AT TIME ZONE 'UTC', small, encode(bytes, 'hex'), numbers, big, words, nothing IS NULL, state, twice FROM kinds")" = \
		'18446744073709551615|GREEN|-12345.6789|{"a": [1, 2]}|2022-01-08|1969-12-31 23:59:59.999995|-32768|000102ff|{1,-2,3}|{0,18446744073709551615}|{one,zwei,"tre, e mezzo"}|t|new|-4294967296' ]
	./kinds
}

@test "the tables of a sample database are adopted and queried" {
	"$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -f "$CELL_TOP/tests/integration/postgres/chinook.sql"
	cp "$CELL_TOP"/tests/integration/postgres/chinook.[ch] .
	run build chinook
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(grep -c 'adopted table public\.' <<<"$output")" -eq 11 ]
	run ./chinook
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "album Anfang" ]
	[ "${lines[1]}" = "album Mitte" ]
	[ "${lines[2]}" = "Ångström & Söhne; invoice of 1230813000000000, 1.98" ]
	[ "${lines[4]}" = "Chile 1 1.98; 10 long; 3 albums, first Anfang; 10 composed" ]
	[ "${lines[5]}" = "300 tracks" ]
	[ "$(sql "SELECT count(*) FROM track WHERE composer = 'Nobody'")" -eq 10 ]
}

# refused NAME PATTERN...: compiling NAME.c fails, and each pattern is in what is said
refused() {
	local name=$1 pattern

	shift
	run cellc $flags -c "$name.c"
	echo "$output"
	[ "$status" -eq 1 ]
	for pattern in "$@"; do
		[[ $output == *"$pattern"* ]] || { echo "lacks: $pattern"; return 1; }
	done
}

@test "what does not fit is refused where it stands" {
	sql "CREATE TABLE artist (artist_id bigint PRIMARY KEY, name varchar(120), born date, must text NOT NULL)"
	sql "CREATE TABLE plain (a integer NOT NULL)"
	cat >type.c <<-'C'
		#include <cell/cell.h>

		struct [[postgres::table]] artist {
			[[postgres::key]] int32_t artist_id;
			const char *name;
			bool has_born;
			int32_t born;
			const char *shoe;
		};
	C
	refused type "type.c:4:27: error: postgres::table: 'artist_id' is int32_t (integer) in the struct, and bigint in table public.artist" \
		"'name' may be NULL in table public.artist: put \"bool has_name;\" before it" \
		"'born' is int32_t (integer) in the struct, and date in table public.artist" \
		"'shoe': table public.artist is there already, and has no such column" \
		"table public.artist has a column 'must' (text), which the struct lacks"
	cat >key.c <<-'C'
		#include <cell/cell.h>

		struct [[postgres::table]] plain {
			[[postgres::key]] int32_t a;
		};
	C
	refused key "table public.plain has no primary key or unique index on (a)"
	cat >query.c <<-'C'
		#include <cell/cell.h>

		struct row {
			int32_t a;
		};

		[[postgres::query("SELECT a "
				  "FROM plain WHERE aa = $1")]]
		static int typo(struct cell_call *call, int32_t a, struct row *ret);

		[[postgres::query("SELECT a FROM plain WHERE a = $1")]]
		static int wide(struct cell_call *call, int64_t a, struct row *ret);

		[[postgres::query("SELECT a, 'x' AS b FROM plain")]]
		static int more(struct cell_call *call, struct row *ret);

		[[postgres::query("SELECT 'x'::text AS a")]]
		static int other(struct cell_call *call, struct row *ret);

		[[postgres::query("SELECT a FROM plain")]]
		static int few(struct cell_call *call, int32_t a, struct row *ret);

		[[postgres::query("SELECT name FROM artist LIMIT 1")]]
		static int null(struct cell_call *call, const char **ret);

		[[postgres::query("DELETE FROM plain")]]
		static int gone(struct cell_call *call, uint64_t *ret_n);
	C
	refused query 'query.c:8:21: error: postgres::query: column "aa" does not exist' \
		"query.c:12:49: error: postgres::query: 'a' is int64_t (bigint), and \$1 is integer in PostgreSQL" \
		"column 'b' (text) has no member in struct row" \
		"column 'a' is text in PostgreSQL, and int32_t (integer) in struct row" \
		"the statement has 0 parameters, 'few' has 1 for it" \
		"column 'name' may be NULL" \
		'how many rows it changed is "uint64_t *ret_changed"'
	cat >session.c <<-'C'
		#include <cell/cell.h>

		[[postgres::query("SET search_path = other")]]
		static int set(struct cell_call *call);

		[[postgres::query(" -- nothing")]]
		static int nothing(struct cell_call *call);
	C
	refused session "session.c:3:19: error: postgres::query: connections are shared" \
		"session.c:6:19: error: postgres::query: there is no statement in it"
	cat >shape.c <<-'C'
		#include <cell/cell.h>

		[[postgres::query("SELECT a FROM plain")]]
		static int shape(int32_t a);
	C
	refused shape "shape.c:3:3: error: postgres::query: 'shape' has no form that a query can fill"
	cat >native.c <<-'C'
		#include <cell/cell.h>

		struct [[postgres::table]] native {
			[[postgres::key]] int64_t id;
			[[postgres::uuid]] const char *other;
			[[postgres::varchar(0)]] const char *none;
		};
	C
	refused native "native.c:5:" "'other' cannot be a uuid" "a uuid is: uint8_t [16] other" "a length is 1 to 10485760"
	[ "$(sql "SELECT to_regclass('native') IS NULL")" = t ]
}

@test "a query sees the tables that its own program declares" {
	cat >whole.c <<-'C'
		#include <cell/cell.h>

		[[postgres::query("DELETE FROM later")]]
		int clear(struct cell_call *call);

		struct [[postgres::table]] later {
			[[postgres::key]] int64_t id;
			double weight;
		};

		[[postgres::query("SELECT * FROM later WHERE weight > $1 ORDER BY id")]]
		int heavy(struct cell_call *call, double weight, size_t *ret_n, struct later **ret_rows);
	C
	run cellc $flags -c whole.c
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(sql "SELECT count(*) FROM later")" -eq 0 ]
}

ledger_build() {
	cp "$CELL_TOP/tests/integration/postgres/ledger.c" .
	build ledger
}

@test "rows in order, found by index, and kept from what is not allowed" {
	ledger_build
	run ./ledger scans
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$output" = "no ledger with city Bern, number 0" ]
	# What is encrypted is not to be read, nor the same twice.
	[ "$(sql "SELECT count(DISTINCT secret) = count(*) AND bool_and(position('hush'::bytea IN secret) = 0) FROM ledger")" = t ]
	run ./ledger races
	echo "$output"
	[ "$status" -eq 0 ]
	run ./ledger watch
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "additions of several programs at once are all there" {
	ledger_build
	./ledger zero
	for i in 1 2 3 4; do
		./ledger sum 50 &
		jobs[i]=$!
	done
	for i in 1 2 3 4; do
		wait "${jobs[i]}"
	done
	[ "$(./ledger get)" -eq 200 ]
}

@test "the server is restarted under load: calls fail typed, then go on by themselves" {
	ledger_build
	./ledger zero
	./ledger sum 1000000 forever >out 2>err &
	load=$!
	until [ "$(wc -l <out)" -gt 50 ]; do kill -0 $load; sleep 0.02; done
	before=$(tail -1 out | cut -d' ' -f1)
	pg_kill QUIT
	run timeout 10 ./ledger get
	[ "$status" -eq 4 ]
	[[ $output == *PostgreSQL* ]]
	pg_server
	until [ "$(tail -1 out | cut -d' ' -f1)" -gt $((before + 50)) ]; do kill -0 $load; sleep 0.02; done
	kill $load
	wait $load || true
	acknowledged=$(tail -1 out | cut -d' ' -f1)
	# At least what was acknowledged; what was sent and not heard of may be there, too.
	[ "$(./ledger get)" -ge "$acknowledged" ]
	[ "$(./ledger get)" -le $((acknowledged + 1 + $(tail -1 out | cut -d' ' -f2))) ]
}

# version TEXT: pay.c with these members
version() { printf '#include <cell/cell.h>\n\nstruct [[postgres::table]] pay {\n\t[[postgres::key]] int64_t id;\n%s\n};\n' "$1" >pay.c; }

@test "a table follows its struct, where no row stands in the way" {
	version 'const char *name; int32_t n;'
	cellc $flags -c pay.c
	sql "INSERT INTO pay VALUES (1, 'a', 5), (2, 'bb', 6), (3, 'a', 7)"
	# A column that may be NULL, one with a default, an index, a wider number, a check that holds.
	version 'const char *name; [[postgres::check(n > 0)]] int64_t n; bool has_note; const char *note;
		[[postgres::default("new"), postgres::index]] const char *state; [[postgres::computed(n * 2)]] int64_t twice;'
	cellc $flags -c pay.c
	[ "$(sql "SELECT * FROM pay ORDER BY id LIMIT 1")" = "1|a|5||new|10" ]
	run sql "INSERT INTO pay VALUES (4, 'x', 0)"
	[[ $output == *"check constraint"* ]]
	# Each of these is refused with what stands in the way, at its line.
	good='int64_t n; bool has_note; const char *note; const char *state; [[postgres::computed(n * 2)]] int64_t twice;'
	version "[[postgres::unique]] const char *name; $good"
	refused pay "pay.c:5:3: error: postgres::unique: 2 rows"
	version "[[postgres::check(length(name) < 2)]] const char *name; $good"
	refused pay "pay.c:5:3: error: postgres::check: 1 row violates length(name) < 2"
	version "$good"
	refused pay "3 rows have a value of 'name', which is no longer declared" '[[postgres::dropped("name")]]'
	version "const char *name; int32_t must; $good"
	refused pay "'must' would have no value in the 3 rows that are there" "[[postgres::default(0)]]"
	version "[[postgres::varchar(1)]] const char *name; $good"
	refused pay "1 row"
	version "const char *name; int64_t n; const char *note; const char *state; [[postgres::computed(n * 2)]] int64_t twice;"
	refused pay "'note'"
	[ "$(sql "SELECT count(*) FROM pay")" -eq 3 ]
	# What nobody ever gave a value goes without asking; a name may change.
	version '[[postgres::renamed(from = "name")]] const char *title; int64_t n; const char *state;
		[[postgres::computed(n * 3)]] int64_t twice;'
	cellc $flags -c pay.c
	[ "$(sql "SELECT * FROM pay ORDER BY id LIMIT 1")" = "1|5|new|15|a" ] ||
		[ "$(sql "SELECT title, n, state, twice FROM pay ORDER BY id LIMIT 1")" = "a|5|new|15" ]
	# A column that is encrypted from now on, and no longer.
	version '[[postgres::encrypted]] const char *title; int64_t n; const char *state;
		[[postgres::computed(n * 3)]] int64_t twice;'
	cellc $flags -c pay.c
	[ "$(sql "SELECT bool_and(length(title) > 20) AND pg_typeof(min(title::text))::text = 'text' FROM pay")" = t ]
	[ "$(cell postgres --json rotate-key | jq -c '[.key > 1, .rows]')" = "[true,3]" ]
	version 'const char *title; int64_t n; const char *state; [[postgres::computed(n * 3)]] int64_t twice;'
	cellc $flags -c pay.c
	sql "SELECT * FROM pay"
	[ "$(sql "SELECT string_agg(title, ' ' ORDER BY id) FROM pay")" = "a bb a" ]
}

@test "what the command says of the server" {
	version 'int32_t n;'
	cellc $flags -c pay.c
	run cell postgres
	echo "$output"
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == "server       socket in /state/s, port 5432, database postgres" ]]
	[[ $output == *"public.pay"*"bank"*"created"*1* ]]
	[ "$(cell postgres --json status | jq -c '[.trouble, .limit, .tables[0].name, .in_doubt]')" = '["",6,"pay",[]]' ]
	pg_kill QUIT
	run cell postgres
	[ "$status" -eq 0 ]
	[[ $output == *"trouble"*"PostgreSQL: "* ]]
	run cellc $flags -o /dev/null -c pay.c
	pg_server
	[ "$(cell postgres --json | jq -r .trouble)" = "" ]
	# Settings that make no sense, and a password that others can read.
	printf 'hots = x\n' >"$PG_STATE/postgres.conf"
	run env CELL_STATEDIR="$PG_STATE" "$CELL_BUILD/cells/postgres/postgres"
	[ "$status" -eq 2 ]
	[[ $output == *"postgres.conf: line 1: no setting 'hots'"* ]]
}

@test "a password, over TCP and TLS, from a file that only the cell reads" {
	port=$((20000 + RANDOM % 20000))
	sql "CREATE ROLE shop LOGIN CREATEDB PASSWORD 'it''s secret'"
	sql "GRANT ALL ON DATABASE postgres TO shop; GRANT ALL ON SCHEMA public TO shop"
	printf 'local all owner trust\nhostssl all shop 127.0.0.1/32 scram-sha-256\n' >"$PG_DIR/data/pg_hba.conf"
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout "$PG_DIR/data/server.key" -out "$PG_DIR/data/server.crt" 2>/dev/null
	chmod 600 "$PG_DIR/data/server.key"
	[ "$(id -u)" -ne 0 ] || chown "$PG_USER" "$PG_DIR"/data/server.*
	cp "$PG_DIR/data/server.crt" "$PG_STATE/root.crt"
	chmod 644 "$PG_STATE/root.crt"
	pg_kill QUIT
	export PGPORT=$port
	pg_server listen_addresses=127.0.0.1 port=$port ssl=on
	conf() { printf "host = localhost\nport = $port\nuser = shop\ndbname = postgres\nsslmode = verify-full\nsslrootcert = /state/root.crt\n%s\n" "$1" >"$PG_STATE/postgres.conf"; }
	conf "password = 'it's secret'"
	chmod 644 "$PG_STATE/postgres.conf"
	version 'int32_t n;'
	run cellc $flags -c pay.c
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *"others may read it: chmod 600"* ]]
	chmod 600 "$PG_STATE/postgres.conf"
	[ "$(id -u)" -ne 0 ] || chown "$PG_USER" "$PG_STATE/postgres.conf"
	cellc $flags -c pay.c
	[ "$(sql "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'shop' LIMIT 1")" = t ]
	! grep -rq "it's secret" "$dir/log" "$CELL_STATEDIR/log" || false
}
