#!/usr/bin/env bats
# Building again: what stays as it is, what is noticed, and which numbers fields keep.

load "$CELL_TOP/tests/lib/node"

setup_file() {
	node_start "sandbox = none"
	export dir core
	cell -q run validate
}

teardown_file() {
	node_stop
}

setup() {
	project=$dir/$BATS_TEST_NUMBER
	mkdir -p "$project/.cell"
	cd "$project" || return
	flags="-I$CELL_BUILD/include"
	export flags
}

# number MEMBER [FOLDER]: the field's number in the lock
number() { sed -n "s/^kept .* field $1 = //p" "${2:-.}/.cell/cell.schema.lock"; }

# A project of five files with one header.
several() {
	cat >order.h <<-'C'
		#include <cell/cell.h>
		struct [[cell::message]] order { [[validate::range(1, 9)]] int32_t amount; };
	C
	for i in 1 2 3 4 5; do
		cat >f$i.c <<-C
			#include "order.h"
			struct [[cell::message]] own$i { [[validate::range(1, $i)]] int32_t a; struct order o; };
			int f$i(struct cell_call *call, const struct own$i *own) { return own${i}_check(call, own); }
		C
	done
	printf 'all: f1.o f2.o f3.o f4.o f5.o\n%%.o: %%.c\n\t$(CC) %s -Wall -Werror -MMD -c -o $@ $<\n-include $(wildcard *.d)\n' \
		"$flags" >Makefile
}

@test "a second make does nothing, whatever order the first one had" {
	several
	make -s CC=cellc
	run make CC=cellc
	[[ $output == *"Nothing to be done"* ]]
	[ "$(grep -c '^use ' .cell/validate.schema.lock)" -eq 6 ]
	rm -rf ./*.o ./*.d .cell
	mkdir .cell
	make -s -j4 CC=cellc
	run make CC=cellc
	[[ $output == *"Nothing to be done"* ]]
	# A file more, and a file changed: only these.
	sed 's/own5/own6/g; s/f5/f6/' f5.c >f6.c
	sed -i 's/range(1, 2)/range(0, 2)/' f2.c
	sed -i 's/f5.o$/f5.o f6.o/' Makefile
	run make -j4 CC=cellc
	[ "$status" -eq 0 ]
	[ "$(grep -c ' -c -o ' <<<"$output")" -eq 2 ]
	run make CC=cellc
	[[ $output == *"Nothing to be done"* ]]
	# The header changes all of them, though the expansion that they depend on has gone.
	sed -i 's/int32_t amount;/int32_t amount, price;/' order.h
	run make CC=cellc
	[ "$status" -eq 0 ]
	[ "$(grep -c ' -c -o ' <<<"$output")" -eq 6 ]
	run make CC=cellc
	[[ $output == *"Nothing to be done"* ]]
}

@test "what was kept and changes makes all be built again" {
	several
	make -s CC=cellc
	sed -i 's/field amount = 1/field amount = 7/' .cell/cell.schema.lock
	run make -j2 CC=cellc
	[ "$status" -eq 0 ]
	[ "$(grep -c ' -c -o ' <<<"$output")" -eq 5 ]
	[ "$(number amount)" = 7 ]
}

@test "numbers of fields survive whatever is done to the source" {
	printf '#include <cell/cell.h>\nstruct [[cell::message]] account { int32_t id, balance; const char *owner; };\n' >account.h
	printf '#include "account.h"\n' >a.c
	cellc $flags -c a.c
	[ "$(number id) $(number balance) $(number owner)" = "1 2 3" ]
	# Another order; one more in front.
	sed -i 's/int32_t id, balance; const char .owner;/const char *note, *owner; int32_t balance, id;/' account.h
	cellc $flags -c a.c
	[ "$(number id) $(number balance) $(number owner) $(number note)" = "1 2 3 4" ]
	# One goes: its number is never given again.
	sed -i 's/\*note, //; s/balance, id/balance, id, more/' account.h
	cellc $flags -c a.c
	[ "$(number id) $(number balance) $(number owner) $(number more)" = "1 2 3 5" ]
	grep -q '^kept account.h struct:account reserved 4 = note$' .cell/cell.schema.lock
	# Another file, in another folder.
	mkdir model
	mv account.h model/ledger.h
	sed -i 's/account.h/model\/ledger.h/' a.c
	cellc $flags -c a.c
	[ "$(number id) $(number balance) $(number owner) $(number more)" = "1 2 3 5" ]
	run grep -c 'account\.h' .cell/cell.schema.lock
	[ "$output" = 0 ]
	# Header and lock in another project.
	mkdir -p other/.cell other/model
	cp model/ledger.h other/model
	cp .cell/cell.schema.lock other/.cell
	cd other
	printf '#include "model/ledger.h"\n#include <stdio.h>\n' >b.c
	cellc $flags -c b.c
	[ "$(number id) $(number balance) $(number owner) $(number more)" = "1 2 3 5" ]
}

@test "two branches that gave one number to two fields are told, with both names" {
	git init -q .
	git config user.name t
	git config user.email t@localhost
	printf '#include <cell/cell.h>\nstruct [[cell::message]] account {\n\tint32_t id;\n\tint32_t balance;\n};\n' >a.c
	cellc $flags -c a.c
	printf '*.o\n/.cell/state/\n' >.gitignore
	git add .
	git commit -qm first
	git branch other
	sed -i 's/^\tint32_t id;/\tint32_t nick;\n&/' a.c
	cellc $flags -c a.c
	git add .
	git commit -qm nick
	git checkout -q other
	sed -i 's/^};/\tint32_t zone;\n&/' a.c
	cellc $flags -c a.c
	git add .
	git commit -qm zone
	git merge -q master main >/dev/null 2>&1 || git merge -q master >/dev/null 2>&1 || true
	# git may leave its marks in the lock: then the lines of both stay.
	if grep -q '^<<<<<<<' .cell/cell.schema.lock; then
		run cellc $flags -c a.c
		[ "$status" -eq 1 ]
		[[ $output == *".cell/cell.schema.lock:"*"two branches changed this: keep the lines of both"* ]]
		sed -i '/^<<<<<<<\|^=======\|^>>>>>>>/d' .cell/cell.schema.lock
	fi
	rm -f a.o
	run cellc $flags -c a.c
	[ "$status" -eq 1 ]
	[[ $output == *"a.c:2:26: error: account.zone: both field 3 ('nick', 'zone') in .cell/cell.schema.lock"* ||
		$output == *"a.c:2:26: error: account.nick: both field 3 ('nick', 'zone') in .cell/cell.schema.lock"* ]]
	[[ $output == *"note: keep the one already deployed, delete the other line"* ]]
	[ ! -e a.o ]
	sed -i '/field zone = 3/d' .cell/cell.schema.lock
	cellc $flags -c a.c
	[ "$(number nick) $(number zone)" = "3 4" ]
}

@test "two branches that added different declarations merge by themselves" {
	git init -q .
	git config user.name t
	git config user.email t@localhost
	printf '/.cell/state/\n*.o\n' >.gitignore
	for i in b m y; do
		printf '#include <cell/cell.h>\nstruct [[cell::message]] s%s { int32_t a; };\n' $i >$i.c
		cellc $flags -c $i.c
	done
	git add .
	git commit -qm first
	first=$(git symbolic-ref --short HEAD)
	git checkout -qb other
	printf '#include <cell/cell.h>\nstruct [[cell::message]] sc { int32_t a; };\n' >c.c
	cellc $flags -c c.c
	git add .
	git commit -qm c
	git checkout -q "$first"
	printf '#include <cell/cell.h>\nstruct [[cell::message]] sn { int32_t a; };\n' >n.c
	cellc $flags -c n.c
	git add .
	git commit -qm n
	git merge -q other
	rm -f ./*.o
	for i in b c m n y; do cellc $flags --locked -c $i.c; done
}

# provider TEXT: a cell "words" whose macro returns TEXT, built as its author would
provider() {
	[ -e words.c ] || cat >words.c <<-'C'
		#include <cell/cell.h>
		#include <cell/macro.h>
		static int plan(struct cell_macro_work *work, const struct macro_attribute *mine)
		{
			return cell_plan_symbol(work, mine, MACRO_PIECE_KIND_INLINE, "word");
		}
		static int expand(struct cell_macro_work *work, const struct macro_attribute *mine)
		{
			struct cell_piece *piece = cell_piece(work, mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_INLINE);

			cell_piece_put(piece, "static inline int word(void) { return %s; }\n", TEXT);
			return 0;
		}
		static const struct cell_macro macros[] = {
			{ .name = "word", .doc = "A word.", .places = CELL_MACRO_BIT(MACRO_PLACE_STRUCT),
			  .may = CELL_MACRO_BIT(MACRO_ADDITION_DECLARATIONS), .plan = plan, .expand = expand },
			{ 0 },
		};
		static const struct cell_macro_provider provider = {
			.namespaces = (const char *const[]){ "words", NULL }, .macros = macros,
		};
		int main(void)
		{
			struct cell_call *call = cell_open("words");
			int err = cell_provide_macros(call, &provider, NULL);

			return cell_exit(call, err ? err : cell_loop_run(call));
		}
	C
	sanitizer=$(grep -oE -- '-fsanitize=[a-z]+' "$CELL_BUILD/flags" | sort -u)
	gcc -std=gnu2x $sanitizer -Wl,--build-id $flags -I"$CELL_BUILD/gen" "-DTEXT=\"$1\"" $2 -o words words.c \
		"$CELL_BUILD/lib/libcell.a" -lev $(pkg-config --libs libprotobuf-c libsodium inih) -lm -lpthread
	printf '[cell]\nname = words\nexec = %s/words\n[sandbox]\nstate = no\n[macros]\nnamespace = words\n' "$PWD" >words.cell
	cell -q retire words 2>/dev/null || true
	cell -q run "$PWD/words.cell"
}

@test "a provider that writes other text is noticed, though its table is the same" {
	provider 1
	mkdir -p shop/.cell
	printf 'struct [[words::word]] s { int a; };\n#ifndef WANT\n#define WANT 1\n#endif\nint main(void) { return word() - WANT; }\n' >shop/x.c
	printf 'struct [[words::word]] t { int a; };\n' >shop/y.c
	cd shop
	cellc -DWANT=1 -o x x.c
	cellc -c y.c
	./x
	grep -q '^program [0-9a-f]\{16,\}$' .cell/state/programs/words
	[ "$(grep -c . .cell/state/programs/words)" -eq 3 ]
	# Another program with the same text: asked once, and nothing is written but that.
	cp -r .cell ../before
	(cd .. && provider 1 -O1)
	cell check --offline x.c y.c
	cellc -DWANT=1 -c x.c
	run diff -rq -x commands .cell ../before
	[ "$output" = "Files .cell/state/programs/words and ../before/state/programs/words differ" ]
	[ "$(grep -c . .cell/state/programs/words)" -eq 2 ]
	cellc -c y.c
	[ "$(grep -c . .cell/state/programs/words)" -eq 3 ]
	# Another text, and an unchanged catalogue.
	(cd .. && provider 2)
	run cellc --locked -DWANT=2 -c x.c
	[ "$status" -eq 1 ]
	[[ $output == *"-static inline int word(void) { return 1; }"* ]]
	[[ $output == *"+static inline int word(void) { return 2; }"* ]]
	run cell check x.c
	[ "$status" -eq 1 ]
	cellc -DWANT=2 -o x x.c
	./x
	grep '^cell' .cell/words.schema.lock >../now
	grep '^cell' ../before/words.schema.lock | diff - ../now
	# What did not ask yet is asked, too.
	run cellc --locked -c y.c
	[ "$status" -eq 1 ]
	cell -q fetch
	cell check
}

# blank FILE NS: the text of FILE with the attributes of NS, alone in their brackets, as spaces
blank() { perl -pe "s/\\[\\[$2::[^]]*\\]\\]/' ' x length(\$&)/ge" "$1"; }

@test "a feature that is off leaves the object of the source without it, byte for byte" {
	cat >x.c <<-'C'
		#include <cell/cell.h>
		struct [[cell::message]] order { [[validate::range(1, 9)]] int32_t amount; [[validate::length(1)]] const char *s; };
		struct [[validate::nothing]] plain { int a; };

		[[validate::checked]]
		int take(struct cell_call *call, const struct order *order)
		{
			(void)call;
			return order->amount > 3;
		}
	C
	mkdir -p blank off/.cell blank/.cell
	blank x.c validate >blank/x.c
	run grep validate blank/x.c
	[ "$status" -eq 1 ]
	cp x.c off
	for options in "-O2" "-g -O0" "-g3 -O1"; do
		(cd blank && cellc $flags $options -ffile-prefix-map="$PWD"=. -c x.c)
		(cd off && cellc --features validate=off $flags $options -ffile-prefix-map="$PWD"=. -c x.c)
		cmp blank/x.o off/x.o
	done
	# All off: what the compiler makes of it alone. gcc notes in -g's producer that it was given
	# text with directives, unless it is to note nothing.
	cat >y.c <<-'C'
		struct [[validate::a]] s { [[validate::b("x]]", 3)]] int a; };
		[[validate::c]] int f(struct s *s) { return s->a; }
	C
	perl -pe 's/\[\[validate::b\("x\]\]", 3\)\]\]/" " x length($&)/ge' y.c | perl -pe 's/\[\[validate::[ac]\]\]/" " x length($&)/ge' >z.c
	for options in "-O2" "-g -O0 -gno-record-gcc-switches"; do
		mkdir -p one two/.cell
		cp z.c one/y.c
		cp y.c two/y.c
		(cd one && gcc -std=gnu2x $options -ffile-prefix-map="$PWD"=. -c y.c)
		(cd two && cellc --features validate=off -std=gnu2x $options -ffile-prefix-map="$PWD"=. -c y.c)
		cmp one/y.o two/y.o
	done
}
