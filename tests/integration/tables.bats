#!/usr/bin/env bats
# Tables by attribute, from the source to what is left after a crash: with the real macro cell,
# the real database and programs that cellc builds.

load "$CELL_TOP/tests/lib/node"
load "$CELL_TOP/tests/lib/postgres"

# Calls one after the other, each through three processes, take their time on a busy machine.
# DEPOSITS=2500 INCREMENTS=10000 is the whole of it.
BATS_TEST_TIMEOUT=${TABLES_TIMEOUT:-120}

setup() {
	! nm "$CELL_BUILD/lib/libcell.a" 2>/dev/null | grep -qE '__(asan|tsan|ubsan)' ||
		skip "what users build has no sanitizer"
	export CELL_TELEMETRY_HTTP=off
	# Thousands of commits: what is killed is processes, so memory is as good as a disk.
	memory=
	[ ! -w /dev/shm ] || memory=$(mktemp -d /dev/shm/cell-tables.XXXXXX)
	[ -z "$memory" ] || chmod 755 "$memory"
	NODE_STATE=${memory:+$memory/state} node_start
	cell -q run celldb
	flags="-std=gnu2x -O1 -Wall -Wextra -Werror -I$CELL_BUILD/include -I$CELL_BUILD/gen"
	libs="$CELL_BUILD/lib/libcell.a -lev $(pkg-config --libs libprotobuf-c libsodium inih) -lm -lpthread"
}

teardown() {
	postgres_stop
	node_stop
	[ -z "${memory:-}" ] || rm -rf "$memory"
}

# project NAME: a folder for the program of that name, which becomes the current one
project() {
	mkdir -p "$dir/$1/.cell"
	cd "$dir/$1" || return
	printf '[project]\nprogram = %s\n' "$1" >.cell/project
	printf '[cell]\nname = %s\nexec = %s/%s\n[uses]\ncelldb = app macro\n' "$1" "$PWD" "$1" >"$1.cell"
}

# program NAME: build NAME.c, without a word, and run it as a cell
program() {
	cellc $flags -c "$1.c" 2>said || { cat said; return 1; }
	[ -z "$(grep -v 'note: created' said)" ] || { cat said; return 1; }
	cellc -o "$1" "$1.o" "$CELL_BUILD/lib/libcell-main.a" $libs
	cell -q run .
}

# client NAME: build NAME.c
client() {
	cellc $flags -o "$1" "$1.c" $libs
}

# ---- the examples -----------------------------------------------------------------------------

# example NAME: a fresh copy, which becomes the current folder
example() {
	cp -r "$CELL_TOP/cells/examples/$1" "$dir/$1"
	cd "$dir/$1" || return
}

# code FILE: lines of it that are code
code() { grep -cE '[^[:space:]]' <(grep -vE '^[[:space:]]*/\*.*\*/$' "$1"); }

@test "the bank: its table is there before it runs, and deposits of 8 clients are exact" {
	example bank
	[ "$(code bank.c)" -lt 60 ]
	cell -q run telemetry
	make CC=cellc build/fraud >"$dir/made" 2>&1 || { cat "$dir/made"; false; }
	cell -q run ./fraud.cell
	make CC=cellc build/bank.o >"$dir/made" 2>&1 || { cat "$dir/made"; false; }
	[ ! -e build/bank ]
	cell db describe account >described
	grep -qE '^ *1  id +uint64 +key, not null$' described
	grep -qE '^ *2  owner +text +not null$' described
	grep -qx 'unique     owner (owner)' described
	grep -qx 'check      balance >= 0' described
	[ "$(cell db count account)" -eq 0 ]
	make CC=cellc >"$dir/made" 2>&1 || { cat "$dir/made"; false; }
	[ -z "$(grep -E 'warning|error:' "$dir/made")" ]
	cell -q db put account id=1 owner=ada balance=0 >/dev/null
	clients=
	for _ in 1 2 3 4 5 6 7 8; do
		build/client 1 3 "${DEPOSITS:-250}" >/dev/null 3>&- &
		clients="$clients $!"
	done
	for client in $clients; do wait "$client"; done
	[ "$(cell db get account 1 --json | jq .balance)" -eq $((24 * ${DEPOSITS:-250})) ]
}

@test "the examples pass their own tests, on a node and a state of their own" {
	for name in bank shop; do
		example $name
		run cell -q test
		[ "$status" -eq 0 ] || { echo "$output"; false; }
		[[ $output == *"ok: "* ]]
		# Now that it is built: on a node that has none of its tables they are made at the start,
		# whatever order the linker found them in.
		run cell -q test
		[ "$status" -eq 0 ] || { echo "$output"; false; }
		[[ $output == *"ok: "* ]]
		[ "$(code $name.c)" -lt 60 ]
	done
	[ -z "$(cell db tables 2>/dev/null)" ]
}

@test "the shop is the same on PostgreSQL, by its attributes alone" {
	postgres_start
	cell -q run postgres
	example shop
	# As its README says.
	sed -i 's/\<db::/postgres::/g' shop.c
	sed -i 's/celldb/postgres/' shop.cell .cell/project
	make CC=cellc >"$dir/made" 2>&1 || { cat "$dir/made"; false; }
	[ -z "$(grep -E 'warning|error:' "$dir/made")" ]
	run sh tests/checkout.sh
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[ "$output" = "ok: checkout" ]
	[ "$(sql 'SELECT sum(total) FROM line')" -eq $((3 * 450 + 2200 + 7 * 450)) ]
	[ -z "$(cell db tables 2>/dev/null)" ]
}

# ---- migrations --------------------------------------------------------------------------------

# people: a table with 20 rows, and its source as base.c
people() {
	project people
	cat >base.c <<-'C'
		#include <cell/cell.h>
		struct [[db::table]] person {
			[[db::key]] uint64_t id;
			const char *name;
			bool has_nick; const char *nick;
			int64_t age;
			int64_t score;
			uint64_t org;
		};
		struct [[db::table]] org { [[db::key]] uint64_t id; };
	C
	# The one that is referred to has to be there first.
	{ sed 1q base.c; sed -n 10p base.c; sed -n 2,9p base.c; } >x.c
	cp base.c p.c
	cellc $flags -c p.c
	for i in $(seq 20); do
		nick=
		[ "$i" -gt 3 ] || nick=", \"nick\": \"n$i\""
		echo "{\"id\": $i, \"name\": \"name$((i % 18))\", \"age\": $((i > 17 ? 5 : -i)), \"score\": $((i == 7 ? 5000000000 : i)), \"org\": $((i > 17 ? 9 : i % 4))$nick}"
	done | cell -q db put person
	for i in 1 2; do cell -q db put org id=$i >/dev/null; done
	before=$(cell db describe person --json)
}

# changed SED: p.c is base.c with that change
changed() { sed "$1" base.c >p.c; }

# refused SED LINE:COLUMN:TEXT NOTE: that change is, there, and nothing has happened
refused() {
	changed "$1"
	rm -f p.o
	run cellc $flags -c p.c
	[ "$status" -eq 1 ] || { echo "not refused: $1"; return 1; }
	[ "${lines[0]}" = "p.c:$2 [-Wcell=db]" ] || { echo "$1: ${lines[0]}"; return 1; }
	[[ ${lines[1]} == *" | "* && ${lines[2]} =~ ^\ +\|\ +\^~*$ ]] || { echo "no caret: $output"; return 1; }
	[[ -z $3 || $output == *"note: $3"* ]] || { echo "$1 has no note: $output"; return 1; }
	[ ! -e p.o ] || { echo "an object: $1"; return 1; }
	[ "$(cell db describe person --json)" = "$before" ] || { echo "the table has changed: $1"; return 1; }
}

@test "what rows forbid is refused at its attribute, with how many, and what helps" {
	people
	refused '6s/int64_t/[[db::check(age >= 0)]] int64_t/' "6:3: error: db::check: 17 rows violate age >= 0" \
		"change or delete them first; the filter !(age >= 0) finds them"
	refused '2s/table/table, db::check(score > 0), db::check(score < 100)/' "2:43: error: db::check: 1 row violates score < 100" \
		"change or delete them first"
	refused '5d' "2:10: error: db::table: 3 rows have a value of 'nick', which is no longer declared" \
		'to give the values up, write [[db::dropped("nick")]] at the table'
	refused '5s/nick/alias/g' "2:10: error: db::table: 3 rows have a value of 'nick', which is no longer declared" \
		"if it is called 'alias' now, write [[db::renamed(from = \"nick\")]] there"
	refused '7s/int64/int32/' "7:9: error: db::table: 1 row has a value of 'score' that does not fit int32" \
		"it was int64: change those values first, or leave the type as it was"
	refused '7a int64_t level;' "8:9: error: db::table: 'level' would have no value in the 20 rows that are there" \
		"write [[db::default(0)]] before it, or make it nullable (a 'bool has_"
	refused '5s/bool has_nick; //' "5:13: error: db::table: 17 rows have NULL in 'nick', which may be NULL no longer" \
		'write [[db::default("")]] before it, or leave it nullable'
	refused '4s/const/[[db::unique]] const/' "4:3: error: db::unique: 2 rows have the same name as another" \
		"change or delete them first, or write [[db::index]]"
	refused '2s/table/table, db::unique(name, id), db::unique(age, org)/' "2:43: error: db::unique: 2 rows have the same age, org as another" \
		"change or delete them first"
	refused '3s/\[\[db::key\]\] //; 4s/const/[[db::key]] const/' "4:3: error: db::key: the key of person is another one, and the table has 20 rows" \
		"leave the key as it was"
	refused '8s/uint/[[db::ref("org")]] uint/' "8:3: error: db::ref: 11 rows refer to a row of org that is not there" \
		"add those rows, or change what refers to them, first"
	refused '8s/uint/[[db::ref("orgs")]] uint/' "8:3: error: db::ref: there is no table 'orgs' in store 'people' to refer to" \
		"declare it before this one"
}

@test "what makes no sense is refused before anything is compiled" {
	people
	refused '6s/int64_t/[[db::check(aeg >= 0)]] int64_t/' "6:13: error: db::check: no column 'aeg' (did you mean 'age'?)" ""
	refused '6s/int64_t/[[db::check(age >= 0 \&\&\n score < nam)]] int64_t/' "7:10: error: db::check: no column 'nam' (did you mean 'name'?)" ""
	refused '6s/int64_t/[[db::default("x")]] int64_t/' "6:15: error: db::default: '\"x\"' is no number" ""
	refused '2s/table/table(nam = "x")/' "2:20: error: db::table: no argument 'nam' (did you mean 'name'?)" ""
	refused '6s/int64_t/[[db::index, db::encrypted]] int64_t/' "6:3: error: db::index: 'age' is encrypted: it cannot be in an index" ""
	refused '6s/int64_t/[[db::indx]] int64_t/' "6:7: error: db::indx: cell 'celldb' provides no such macro (did you mean 'index'?)" ""
}

@test "what is safe is applied, a remedy makes it so, and older programs go on" {
	people
	cat >>base.c <<-'C'
		[[cell::service("people")]];
		struct [[cell::message]] which { uint64_t id; };
		struct [[cell::message]] who { const char *name; int64_t score; };
		[[cell::handler]]
		static int find(struct cell_call *call, const struct which *in, struct who *out)
		{
			struct person person;
			int err = person_get(call, in->id, &person);

			if (err)
				return err;
			*out = (struct who){ person.name, ++person.score };
			return person_put(call, &person);
		}
	C
	cp base.c people.c
	cellc $flags -c people.c
	cellc -o people people.o "$CELL_BUILD/lib/libcell-main.a" $libs
	cell -q run .
	[ "$(cell call people find '{"id": 2}' | jq -c .)" = '{"name":"name2","score":"3"}' ]
	# A column with a default, one that may be NULL, an index, a check that holds.
	changed '7a [[db::default(3)]] int32_t level; bool has_note; const char *note;
		6s/int64_t/[[db::index, db::check(age < 100)]] int64_t/'
	cellc $flags -c p.c 2>said
	grep -qx 'cellc: note: added column level to table person' said
	grep -qx 'cellc: note: added column note to table person' said
	grep -qx 'cellc: note: added index age to table person' said
	[ "$(cell db count person --where 'level == 3 && is_null(note)')" -eq 20 ]
	# The older one knows nothing of it, and takes nothing away.
	cell -q db put person id=2 level=9 note=kept >/dev/null
	[ "$(cell call people find '{"id": 2}' | jq -c .)" = '{"name":"name2","score":"4"}' ]
	[ "$(cell db get person 2 --json | jq -c '[.score, .level, .note]')" = '[4,9,"kept"]' ]
	# Renamed, its values are kept, and who was built with the old name is told so.
	cp p.c base.c
	changed '5s/nick/alias/g; 5s/const/[[db::renamed(from = "nick")]] const/'
	cellc $flags -c p.c 2>said
	grep -qx 'cellc: note: renamed column nick of table person to alias' said
	[ "$(cell db get person 1 --json | jq -r .alias)" = n1 ]
	# That is the same column to who knows it by its number.
	[ "$(cell call people find '{"id": 2}' | jq -c .)" = '{"name":"name2","score":"5"}' ]
	# Given up, and who was built with it is told so, running or started.
	cp p.c base.c
	changed '5d; 2s/table/table, db::dropped("alias")/'
	cellc $flags -c p.c 2>said
	[ "$(cell db get person 1 --json | jq 'has("alias")')" = false ]
	run cell call people find '{"id": 2}'
	[ "$status" -ne 0 ]
	[[ $output == *nick* && $output == *"build it again"* ]]
	cell -q retire people
	run cell run .
	[ "$status" -ne 0 ]
	[[ $output == *nick* && $output == *"build it again"* ]]
}

@test "a change that is taken back in the source is one more" {
	project back
	printf '#include <cell/cell.h>\nstruct [[db::table]] pet {\n\t[[db::key]] uint64_t id;\n\t%s;\n\t%s;\n};\n' \
		'[[db::unique]] const char *name' 'int32_t age' >back.c
	sed 's/\[\[db::unique\]\] //; s/int32_t/int64_t/' back.c >wide.c
	cellc $flags -c back.c
	cellc $flags -c wide.c
	cellc $flags -c back.c 2>said
	grep -qx 'cellc: note: changed column age of table pet from int64 to int32' said
	grep -qx 'cellc: note: added unique index name to table pet' said
	cellc $flags -c wide.c
	cell -q db put pet id=1 name=Rex age=5000000000 >/dev/null
	run cellc $flags -c back.c
	[ "$status" -eq 1 ]
	[[ $output == *"back.c:5:"*"1 row has a value of 'age' that does not fit int32"* ]]
	cell -q db put pet id=1 age=5 >/dev/null
	cell -q db put pet id=2 name=Rex age=6 >/dev/null
	run cellc $flags -c back.c
	[ "$status" -eq 1 ]
	[[ $output == *"back.c:4:11: error: db::unique: 1 row has the same name as another"* ]]
}

@test "--locked fails when the live table is another one" {
	people
	cellc $flags --locked -c p.c
	cp -r . ../newer
	cd ../newer
	changed '7a bool has_note; const char *note;'
	cellc $flags -c p.c
	cd ../people
	rm p.o
	run cellc $flags --locked -c p.c
	[ "$status" -eq 1 ]
	[ ! -e p.o ]
	[[ $output == *"error: .cell/db.schema.lock would change, and --locked forbids that"* ]]
	[[ $output == *"-state table%20people/person "*"+state table%20people/person "* ]]
	# Beside the newer one it is built all the same, and then locked again.
	cellc $flags -c p.c
	cellc $flags --locked -c p.c
}

# ---- all or nothing -----------------------------------------------------------------------------

@test "a handler that fails half-way leaves nothing, and readers never see a half" {
	project pair
	cat >pair.c <<-'C'
		#include <cell/cell.h>
		struct [[db::table]] half { [[db::key]] uint64_t id; int64_t n; };
		struct [[cell::service("pair"), db::persist]] pair { int64_t moved; };
		struct [[cell::message]] move { int64_t n; bool fails; };
		struct [[cell::message]] sum { int64_t of_both, moved; };

		static int take(struct cell_call *call, uint64_t id, int64_t n)
		{
			struct half half;
			int err = half_get(call, id, &half);

			half.n += n;
			return err ? err : half_put(call, &half);
		}

		[[cell::handler, db::atomic]]
		static int move(struct cell_call *call, const struct move *in)
		{
			int err = take(call, 1, -in->n);

			if (!err && in->fails)
				return cell_refuse(call, CELL_FAILED_PRECONDITION, "on purpose");
			return err ? err : take(call, 2, in->n);
		}

		[[cell::handler]]
		static int count(struct cell_call *call, struct pair *pair, const struct move *in)
		{
			pair->moved += in->n;
			return in->fails ? cell_refuse(call, CELL_FAILED_PRECONDITION, "on purpose") : 0;
		}

		[[cell::handler(idempotent = true)]]
		static int look(struct cell_call *call, struct pair *pair, struct sum *out)
		{
			struct half_cursor halves = half_each(call);

			out->moved = pair->moved;
			for (struct half *h; (h = half_next(&halves)); )
				out->of_both += h->n;
			return half_end(&halves);
		}
	C
	program pair
	cell -q db put half id=1 n=1000 >/dev/null
	cell -q db put half id=2 n=0 >/dev/null
	cell call pair move '{"n": 10}'
	run cell call pair move '{"n": 10, "fails": true}'
	[ "$status" -eq 1 ]
	[[ $output == *"on purpose"* ]]
	[ "$(cell db scan half --json | jq -c .n | tr '\n' ' ')" = '990 10 ' ]
	cell call pair count '{"n": 5}'
	run cell call pair count '{"n": 7, "fails": true}'
	[ "$status" -eq 1 ]
	[ "$(cell call pair look '{}' | jq -r .moved)" = 5 ]
	[ "$(cell db scan pair --json | jq .moved)" = 5 ]
	# It is there for the next instance.
	kill -9 "$(node_pids pair)"
	until [ "$(cell call pair look '{}' 2>/dev/null | jq -r .moved)" = 5 ]; do sleep 0.02; done
	# 300 moves while somebody adds up.
	( for _ in $(seq 300); do cell call pair move '{"n": 1}' || exit; done; touch moved ) 3>&- &
	looks=0
	until [ -e moved ]; do
		[ "$(cell call pair look '{}' | jq -r .ofBoth)" = 1000 ]
		[ "$(cell db scan half --json | jq -s 'map(.n) | add')" = 1000 ]
		looks=$((looks + 1))
	done
	[ "$looks" -gt 5 ]
	[ "$(cell db scan half --json | jq -c .n | tr '\n' ' ')" = '690 310 ' ]
}

@test "a counter that lasts, with program, database or both killed 50 times" {
	project counter
	cat >counter.c <<-'C'
		#include <cell/cell.h>
		struct [[cell::service("counter"), db::persist]] counter { int64_t value; };
		struct [[cell::message]] number { int64_t value; };

		[[cell::handler]]
		static int increment(struct cell_call *call, struct counter *counter, struct number *out)
		{
			(void)call;
			out->value = ++counter->value;
			return 0;
		}

		[[cell::handler(idempotent = true)]]
		static int look(struct cell_call *call, struct counter *counter, struct number *out)
		{
			(void)call;
			out->value = counter->value;
			return 0;
		}
	C
	program counter
	cat >client.c <<-'C'
		/*
		 * client N: increments until N were acknowledged and 50 lines came. For each of
		 * those it says "acked", after some more increments, and goes on meanwhile.
		 */
		#include <cell/cell.h>
		#include <poll.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <unistd.h>

		#define KILLS 50

		[[cell::remote(counter = "counter")]];

		static bool line_came(void)
		{
			struct pollfd in = { .fd = 0, .events = POLLIN };
			char byte;

			return poll(&in, 1, 0) == 1 && read(0, &byte, 1) == 1;
		}

		int main(int argc, char **argv)
		{
			int64_t wanted = argc > 1 ? atoll(argv[1]) : KILLS, acked = 0, sent = 0, value = 0;
			int64_t next = wanted / KILLS, kills = 0;
			struct cell_call *call = cell_open("client");
			struct cell_arena_mark mark = cell_mark(call);
			struct counter_number out;

			setvbuf(stdout, NULL, _IOLBF, 0);
			(void)alarm(600); /* when nobody waits for it any more */
			while (acked < wanted || kills < KILLS) {
				cell_rewind(call, mark);
				if (next < 0 && line_came()) {
					kills++;
					next = acked + wanted / KILLS;
				}
				sent++;
				if (counter_increment(cell_within_ms(call, 5000), &out))
					continue; /* it may have happened, or not */
				if (out.value <= value || out.value > sent)
					return printf("%" PRId64 " after %" PRId64 ", sent %" PRId64 "\n", out.value, value, sent), 1;
				value = out.value;
				acked++;
				if (next >= 0 && acked >= next && kills < KILLS) {
					next = -1;
					printf("acked\n");
				}
			}
			while (counter_look(cell_within_ms(call, 5000), &out))
				cell_rewind(call, mark);
			printf("%s: %" PRId64 " after %" PRId64 " of %" PRId64 " were acknowledged\n",
			       out.value >= value && out.value >= acked && out.value <= sent ? "ok" : "wrong",
			       out.value, acked, sent);
			return 0;
		}
	C
	client client
	kills=0
	mkfifo lines
	exec 7<>lines
	while read -r line; do
		[ "$line" = acked ] || break
		case $((RANDOM % 3)) in
		0) victims=$(node_pids counter) ;;
		1) victims=$(node_pids celldb) ;;
		2) victims="$(node_pids celldb) $(node_pids counter)" ;;
		esac
		# shellcheck disable=SC2086
		[ -z "${victims// /}" ] || kill -9 $victims 2>/dev/null || true
		kills=$((kills + 1))
		# The node gives up what ends 5 times in a minute: a person has to look.
		cell -q run celldb >/dev/null 2>&1 || true
		cell -q run . >/dev/null 2>&1 || true
		printf x >&7
	done < <(./client "${INCREMENTS:-1000}" <lines 2>/dev/null 3>&-)
	exec 7>&-
	echo "$line, $kills kills"
	[ "$kills" -eq 50 ]
	[[ $line == "ok: "* ]]
	[ "$(cell db scan counter --json | jq .value)" -ge "${INCREMENTS:-1000}" ]
}
