#!/usr/bin/env bats
# cell db, over tables of every type: what people type, what programs read, and what is said of
# mistakes.

load "$CELL_TOP/tests/lib/node"

setup_file() {
	! nm "$CELL_BUILD/lib/libcell.a" 2>/dev/null | grep -qE '__(asan|tsan|ubsan)' ||
		skip "what users build has no sanitizer"
	node_start
	export dir core
	cell -q run celldb
	mkdir -p "$dir/things/.cell"
	cd "$dir/things" || return
	printf '[project]\nprogram = things\n' >.cell/project
	cat >things.c <<-'C'
		#include <cell/cell.h>
		enum colour { RED, GREEN = 5 };
		/* Things of all kinds. */
		struct [[db::table]] thing {
			[[db::key, db::serial]]      uint64_t id;
			[[db::unique]]               const char *name;
			[[db::index]]                int32_t weight;
			bool has_price;              double price;
			                             enum colour colour;
			[[db::default(true)]]        bool good;
			                             uint8_t mark[4];
			size_t n_sizes;              const int64_t *sizes;
			size_t n_tags;               const char *const *tags;
			[[db::computed(weight * 2)]] int64_t twice;
			                             uint64_t big;
			                             float ratio;
		};
		struct [[db::table]] place {
			[[db::key]] char     city[20];
			[[db::key]] uint32_t number;
			            const char *who;
		};
		struct [[db::table]] both { [[db::key]] uint64_t id; };
	C
	cellc -I"$CELL_BUILD/include" -I"$CELL_BUILD/gen" -c things.c
}

teardown_file() {
	[ -z "${dir:-}" ] || node_stop
}

setup() {
	cd "$dir" || return
}

# empty TABLE: delete its rows
empty() {
	case $1 in
	thing) cell db scan thing --json | jq -r .id | while read -r id; do cell db delete thing "$id"; done ;;
	place) cell db scan place --json | jq -r '.city + " " + (.number | tostring)' |
		while read -r city number; do cell db delete place "$city" "$number"; done ;;
	esac
}

# put NAME [COLUMN=VALUE...]: a thing of which only this is of interest
put() { cell -q db put thing "${@:2}" name="$1" $(required "${@:2}") >/dev/null; }

# required COLUMN=VALUE...: the other columns that have no default
required() {
	local pair
	for pair in weight=0 colour=RED mark=0x00000000 big=0 ratio=0; do
		[[ " $*" == *" ${pair%%=*}="* ]] || echo "$pair"
	done
}

# said STATUS WORDS ARGUMENT...: cell db ends so, and says so on stderr
said() {
	local code=$1 words=$2
	shift 2
	run cell db "$@"
	[ "$status" -eq "$code" ] || { echo "status $status, not $code: $* : $output"; return 1; }
	[[ $output == *"$words"* ]] || { echo "said: $output"; return 1; }
}

@test "tables are listed and described before anything runs" {
	[ "$(cell db tables --json | jq -c 'map([.store, .name, .rows, .columns, .indexes])')" = \
		'[["things","both",0,1,0],["things","place",0,3,0],["things","thing",0,12,2]]' ]
	[ -z "$(cell db tables nobody 2>/dev/null)" ]
	cell db describe thing >described
	grep -qx 'table      thing of things' described
	grep -qx 'about      Things of all kinds.' described
	grep -qE '^ *1  id +uint64 +key, not null, serial$' described
	grep -qE '^ *4  price +double +nullable$' described
	grep -qE '^ *[0-9]+  good +bool +not null, default true$' described
	grep -qE '^ *[0-9]+  twice +int64 +not null, computed weight \* 2$' described
	grep -qx 'unique     name (name)' described
	grep -qx 'index      weight (weight)' described
	[ "$(cell db describe place --json | jq -c .key.columns)" = '["city","number"]' ]
	[ "$(cell db describe thing --json | jq -c '.columns[] | select(.name == "colour") | .values')" = \
		'{"RED":0,"GREEN":5}' ]
}

@test "values of every type go in and come out" {
	empty thing
	cell db put thing name='a "thing"' weight=-5 price=2.5 colour=GREEN mark=0x01020aff sizes='[1, -2]' \
		tags='["a", "b,c"]' big=18446744073709551615 ratio=0.1 --json >one
	id=$(jq .id one)
	[ "$(jq -c 'del(.id)' one)" = '{"name":"a \"thing\"","weight":-5,"price":2.5,"colour":"GREEN","good":true,"mark":"AQIK/w==","sizes":[1,-2],"tags":["a","b,c"],"twice":-10,"big":"18446744073709551615","ratio":0.1}' ]
	[ "$(cell db get thing "$id" --json)" = "$(cat one)" ]
	# For people.
	cell db get thing "$id" >shown
	[ "$(wc -l <shown)" -eq 2 ]
	grep -qF '0x01020aff' shown
	grep -qF '["a", "b,c"]' shown
	# The others stay; text may look like a number; NULL and its name are two things.
	[ "$(cell db put thing id="$id" name=12 price=NULL --json | jq -c '[.name, .price, .weight]')" = '["12",null,-5]' ]
	[ "$(cell db put thing id="$id" name='"NULL"' tags='[]' sizes='[]' --json | jq -c '[.name, .tags, .sizes]')" = '["NULL",[],[]]' ]
	# What was written can be read again, by another name.
	cell db scan thing --json | jq -c 'del(.id, .twice) | .name = "copy"' | cell -q db put thing
	[ "$(cell db get thing --index name copy --json | jq -c 'del(.id, .name)')" = \
		"$(cell db get thing "$id" --json | jq -c 'del(.id, .name)')" ]
}

@test "what a column cannot be is said with its name" {
	empty thing
	said 2 "column 'weight': 'x' is no number" put thing name=a weight=x
	said 2 "column 'weight': 3000000000 does not fit int32" put thing name=a weight=3000000000
	said 2 "column 'colour': 'BLUE'" put thing name=a colour=BLUE
	said 2 "column 'mark'" put thing name=a mark=0x01
	said 2 "column 'good': 'maybe' is neither true nor false" put thing name=a good=maybe
	said 2 "column 'sizes' is a list, as in JSON: [1, 2]" put thing name=a sizes=1
	said 2 "thing has no column 'nme'" put thing nme=a
	said 2 "'name': write COLUMN=VALUE" put thing name
	said 2 "column 'name' is given twice" put thing name=a name=b
	said 2 "column 'twice' is computed: weight * 2" put thing name=a twice=1
	said 2 "column 'weight': 'NULL' cannot be" put thing name=a weight=NULL
	said 2 "thing.weight: is NULL, and may not be" put thing name=a
	run cell db put thing <<<'{"name": "a", "weight": true}'
	[ "$status" -eq 2 ]
	[[ $output == *"row 1: column 'weight': wants a whole number"* ]]
	run cell db put thing <<<'{"name": "a"} {"name": "b", "tags": [1]}'
	[ "$status" -eq 2 ]
	[[ $output == *"row 2: column 'tags': wants a string"* ]]
	run cell db put thing <<<'{"name": "a"'
	[ "$status" -eq 2 ]
	[[ $output == *"row 1 of stdin, line 2 of it: "* ]]
	[ "$(cell db count thing)" -eq 0 ]
}

@test "what is not there, what is taken, and who may not" {
	empty thing
	put a id=7
	said 3 "no thing with id 8" get thing 8
	said 3 "no thing with name b" get thing --index name b
	said 3 "no thing with id 8" delete thing 8
	said 3 "'thing'" get thin 7
	said 3 "thing has no index 'size': there are name, weight" scan thing --index size
	said 2 "index 'weight' is not unique: cell db scan thing --index weight --prefix KEY" get thing --index weight 1
	said 2 "thing takes 1 value: id, not 2" get thing 7 8
	said 2 "place takes 2 values: city number, not 1" get place Rome
	said 7 "another thing has name a" put thing weight=0 colour=RED mark=0x00000000 big=0 ratio=0 name=a
	said 2 "no column 'wait'" scan thing --where 'wait > 3'
	said 2 "--prefix is a range of its own" scan thing --prefix 1 --to 3
	said 2 "--limit 0 would show nothing" scan thing --limit 0
	said 2 "--limit 0 would show nothing" watch thing -n 0
	said 2 "the key has 2 columns, and 'x' is one value more" scan place --from Rome,3,x
	said 2 "unknown command 'tabels' (did you mean 'tables'?)" tabels
	[ "$(cell db delete thing 7 --json | jq 'has("version")')" = true ]
	[ "$(cell db count thing)" -eq 0 ]
}

@test "a table of one name in two stores has to be told apart" {
	mkdir -p other/.cell
	cd other
	printf '[project]\nprogram = other\n' >.cell/project
	printf '#include <cell/cell.h>\nstruct [[db::table]] both { [[db::key]] uint64_t id; };\n' >o.c
	cellc -I"$CELL_BUILD/include" -I"$CELL_BUILD/gen" -c o.c
	said 2 "stores 'other' and 'things' have a table 'both'" describe both
	cell -q db put other/both id=3 >/dev/null
	[ "$(cell db count other/both)" -eq 1 ]
	[ "$(cell db count things/both)" -eq 0 ]
	[ "$(cell db tables other --json | jq -r '.[].name')" = both ]
	# Completion says so as well.
	[ "$(cell db --complete get '' | cut -f 1 | sort | tr '\n' ' ')" = 'other/both place thing things/both ' ]
}

@test "scans go from, to, by prefix, backwards, and stop" {
	empty place
	for key in Oslo/1 Rome/1 Rome/2 Rome/10 Romeo/1 Zug/1; do
		echo "{\"city\": \"${key%/*}\", \"number\": ${key#*/}, \"who\": \"$key\"}"
	done | cell -q db put place
	keys() { cell db scan place --json "$@" | jq -r .who | tr '\n' ' '; }
	[ "$(keys)" = 'Oslo/1 Rome/1 Rome/2 Rome/10 Romeo/1 Zug/1 ' ]
	[ "$(keys --reverse --limit 2)" = 'Zug/1 Romeo/1 ' ]
	[ "$(keys --from Rome,2)" = 'Rome/2 Rome/10 Romeo/1 Zug/1 ' ]
	[ "$(keys --from Rome --to Rome)" = 'Rome/1 Rome/2 Rome/10 ' ]
	[ "$(keys --to Rome,2 -r)" = 'Rome/2 Rome/1 Oslo/1 ' ]
	[ "$(keys --prefix Rom)" = 'Rome/1 Rome/2 Rome/10 Romeo/1 ' ]
	[ "$(keys --where 'number == 1 && city != "Zug"')" = 'Oslo/1 Rome/1 Romeo/1 ' ]
	[ "$(cell db count place --prefix Rom)" = 4 ]
	[ "$(cell db count place --where 'number > 1' --json)" = '{"rows":2}' ]
	cell db scan place --from Nowhere --to Nowhere 2>none
	[[ $(cat none) == *"no rows"* ]]
	# By an index that is not unique.
	empty thing
	for i in 1 2 3; do put "n$i" weight=$((i % 2)); done
	[ "$(cell db scan thing --index weight --prefix 1 --json | jq -r .name | tr '\n' ' ')" = 'n1 n3 ' ]
	[ "$(cell db scan thing --index name --from n2 --json | jq -r .name | tr '\n' ' ')" = 'n2 n3 ' ]
}

@test "many rows go in by one pipe and come out by another" {
	empty place
	# More than one commit, and more than one table of people's.
	for i in $(seq 2500); do echo "{\"city\": \"x\", \"number\": $i, \"who\": \"w$i\"}"; done >rows
	[ "$(cell db put place --json <rows | jq -c .rows)" = 2500 ]
	cell db scan place --json | cmp - <(jq -c . rows)
	[ "$(cell db scan place | grep -c '^city')" -eq 3 ]
	# A row that is wrong: what went before in whole commits stays.
	head -300 rows | sed '290s/w290/w\\u0000/' >bad
	sed -i 's/"x"/"y"/' bad
	run cell db put place <bad
	[ "$status" -eq 2 ]
	[[ $output == *"256 rows were written before"* ]]
	[ "$(cell db count place --prefix y)" -eq 256 ]
}

@test "watching begins anywhere, and goes on when the database is killed" {
	before=$(cell db stats --json | jq .version)
	cell -q db put place city=Oslo number=1 who=a >/dev/null
	cell -q db put place city=Oslo number=1 who=b >/dev/null
	cell -q db delete place Oslo 1
	cell db watch place --after "$before" -n 3 >seen 2>/dev/null
	[ "$(cut -d ' ' -f 2- seen)" = 'insert city="Oslo" number=1 who="a"
update city="Oslo" number=1 who="a" -> "b"
delete city="Oslo" number=1' ]
	[ "$(cell db watch place --after "$before" -n 3 --json 2>/dev/null | jq -c '[.change, .before.who, .row.who]' | tr '\n' ' ')" = \
		'["insert",null,"a"] ["update","a","b"] ["delete","b",null] ' ]
	cell db watch place -n 2 --json >live 2>note 3>&- &
	watcher=$!
	until grep -q 'watching place behind version' note; do sleep 0.02; done
	cell -q db put place city=Rome number=1 who=c >/dev/null
	until [ -s live ]; do sleep 0.02; done
	kill -9 "$(node_pids celldb)"
	until cell -q db put place city=Rome number=2 who=d >/dev/null 2>&1; do sleep 0.05; done
	wait "$watcher"
	[ "$(jq -r .row.who live | tr '\n' ' ')" = 'c d ' ]
	cell db stats --json | jq -e '.watches == 0' >/dev/null
	run cell db watch place --after 99999999
	[ "$status" -ne 0 ]
}

@test "a backup while others write is whole, and is restored where there is none" {
	for i in $(seq 2000); do echo "{\"city\": \"b\", \"number\": $i, \"who\": \"w\"}"; done | cell -q db put place
	( i=0; while :; do i=$((i + 1)); cell -q db put other/both id=$i >/dev/null || exit; done ) 3>&- &
	writer=$!
	cell -q db backup copy.mdb
	cell db backup - >stream.mdb
	kill "$writer"
	wait "$writer" || true
	[ "$(stat -c %a copy.mdb)" = 600 ]
	said 7 "'copy.mdb' is there already: another name, or --force" backup copy.mdb
	cell -q db backup --force copy.mdb
	[[ $(cell db verify) =~ ^[0-9]+\ entries,\ all\ good$ ]]
	said 1 "celldb runs: end it first (cell retire celldb), and move its state away" restore copy.mdb
	count=$(cell db count other/both)
	cell -q retire celldb
	said 7 "has a database already: move it away first" restore copy.mdb
	[ "$(find "$CELL_STATEDIR/celldb" -name 'restore.*' | wc -l)" -eq 0 ]
	mv "$CELL_STATEDIR/celldb" "$dir/old"
	head -c 20000 copy.mdb >short.mdb
	said 1 "'short.mdb' is no backup, or damaged" restore short.mdb
	said 3 "opening 'nothing.mdb'" restore nothing.mdb
	cell -q db restore copy.mdb
	cell -q run celldb
	[ "$(cell db count place --prefix b)" -eq 2000 ]
	[ "$(cell db count other/both)" -eq "$count" ]
	# The one that went through a pipe, while somebody wrote.
	cell db restore stream.mdb --into "$dir/second" --json | jq -e '.entries > 2000'
}

@test "encrypted columns can be sealed anew, and a copy alone does not open them" {
	mkdir -p secret/.cell
	cd secret
	printf '[project]\nprogram = secret\n' >.cell/project
	cat >s.c <<-'C'
		#include <cell/cell.h>
		struct [[db::table]] secret { [[db::key]] uint64_t id; [[db::encrypted]] const char *word; };
	C
	cellc -I"$CELL_BUILD/include" -I"$CELL_BUILD/gen" -c s.c
	cell -q db put secret id=1 word=abracadabra >/dev/null
	before=$(cell db stats --json | jq .key)
	[ "$(cell db rotate-key --json | jq -c .rows)" = 1 ]
	[ "$(cell db stats --json | jq .key)" -gt "$before" ]
	[ "$(cell db get secret 1 --json | jq -r .word)" = abracadabra ]
	cell db backup copy.mdb 2>note
	[[ $(cat note) == *"encrypted columns need the cell's key file, too: it is not in the copy"* ]]
	[ "$(cat copy.mdb "$CELL_STATEDIR/celldb/data.mdb" | grep -ca abracadabra)" -eq 0 ]
}

@test "a cell may ask about its own tables, and not for all of them" {
	mkdir -p nosy/.cell
	cd nosy
	printf '[project]\nprogram = nosy\n' >.cell/project
	printf '[cell]\nname = nosy\nexec = %s/nosy\n[uses]\ncelldb = app macro\n' "$PWD" >nosy.cell
	cat >nosy.c <<-'C'
		#include <cell/cell.h>
		#include <celldb.cell.h>
		#include <string.h>
		[[cell::service("nosy")]];
		struct [[cell::message]] answer { const char *tables; int stats, backup, rotate; };
		struct [[db::table]] mine { [[db::key]] uint64_t id; };
		[[cell::handler]]
		static int look(struct cell_call *call, struct answer *out)
		{
			struct celldb_admin_backup_cursor copy;
			struct celldb_database_stats stats;
			struct celldb_table_list list;
			struct celldb_rotated rotated;
			int err = celldb_admin_list_tables(call, &(struct celldb_tables_query){ .store = "" }, &list);

			out->tables = "";
			for (size_t i = 0; !err && i < list.n_tables; i++)
				out->tables = cell_arena_printf(cell_arena(call), "%s%s ", out->tables, list.tables[i].name);
			out->stats = celldb_admin_stats(call, &stats);
			out->rotate = celldb_admin_rotate_key(call, &rotated);
			copy = celldb_admin_backup(call);
			(void)celldb_admin_backup_next(&copy);
			out->backup = celldb_admin_backup_end(&copy);
			return err;
		}
	C
	cellc -std=gnu2x -I"$CELL_BUILD/include" -I"$CELL_BUILD/gen" -o nosy nosy.c "$CELL_BUILD/lib/libcell-main.a" \
		"$CELL_BUILD"/lib/libcellproto.a "$CELL_BUILD/lib/libcell.a" -lev $(pkg-config --libs libprotobuf-c libsodium inih) -lm -lpthread
	cell -q run .
	[ "$(cell call nosy look '{}' | jq -c .)" = '{"tables":"mine ","stats":-1007,"backup":-1007,"rotate":-1007}' ]
}
