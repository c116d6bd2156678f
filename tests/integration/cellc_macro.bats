#!/usr/bin/env bats
# cellc with the real macro cell and real providers, from source to a program that runs.

load "$CELL_TOP/tests/lib/node"

setup() {
	node_start
	mkdir -p "$dir/project/.cell"
	cd "$dir/project" || return
}

teardown() {
	node_stop
}

# provider NS: a cell of that name and namespace, running
provider() {
	cat >"$dir/$1.cell" <<-TXT
		[cell]
		exec = $(command -v macro_provider) $1
		[sandbox]
		state = no
		[macros]
		namespace = $1
	TXT
	cell -q run "$dir/$1.cell"
}

@test "functions of two providers, wrapped in the order of their phases" {
	provider alpha
	provider beta
	cat >both.c <<-'C'
		struct [[alpha::add]] account { int id; };

		[[beta::wrap(phase = 30), alpha::wrap(phase = 50)]]
		int twice(int a)
		{
			return a > 100 ? twice(a - 100) : 2 * a;
		}

		int main(void)
		{
			return account_alpha() == 1 && twice(104) == 8 ? 0 : 1;
		}
	C
	cellc -Wall -Wextra -Werror -o both both.c
	./both
	[ -e .cell/alpha.schema.lock ] && [ -e .cell/beta.schema.lock ]
	grep -q '^use both.c function:twice ' .cell/alpha.schema.lock
	grep -q '^use both.c function:twice ' .cell/beta.schema.lock
	cp -r .cell "$dir/before"
	cellc -Wall -Wextra -Werror -o both both.c
	diff -r .cell "$dir/before"
	cell check --twice
	# The beta cell is not needed for what is known.
	cell -q retire beta
	run cellc -o both both.c
	[ "$status" -eq 0 ]
	sed -i 's/phase = 30/phase = 40/' both.c
	run cellc -o both both.c
	[ "$status" -ne 0 ]
	[[ $output == *"both.c:3:3: error: cell 'beta' is not running and .cell has no answer from it to what stands here now"* ]]
	[[ $output == *"note: run: cell run beta"* ]]
	run cellc --features beta=off -o both both.c
	[ "$status" -eq 0 ]
	./both
}

@test "another provider needs to be trusted" {
	provider alpha
	printf 'struct [[alpha::add]] account { int id; };\n' >x.c
	cellc -c x.c
	sed -i 's/^cell alpha local /cell alpha ed25519:00 /' .cell/alpha.schema.lock
	run cellc -c x.c
	[ "$status" -ne 0 ]
	[[ $output == *"alpha:: is provided by cell 'alpha' with key local, but this project trusts 'alpha' with key ed25519:00"* ]]
	# What the message says is what helps.
	run cell macro trust alpha ed25519:00
	[ "$status" -ne 0 ]
	[[ $output == *"alpha:: is provided by cell 'alpha' with key local, not ed25519:00"* ]]
	run cellc -c x.c
	trust=$(sed -n 's/.*if that is right: //p' <<<"$output")
	[ "$trust" = "cell macro trust alpha local" ]
	$trust
	cellc -c x.c
	grep -q '^cell alpha local ' .cell/alpha.schema.lock
	sed -i 's/^cell alpha local /cell other local /' .cell/alpha.schema.lock
	cell -q macro trust alpha
	cellc -c x.c
	run cell macro trust gamma
	[ "$status" -eq 3 ]
}

@test "mistakes are found before anything is asked" {
	provider alpha
	printf 'struct [[alpha::ad]] account { int id; };\n' >x.c
	run cellc -c x.c
	[ "$status" -eq 1 ]
	[[ $output == *"x.c:1:17: error: alpha::ad: cell 'alpha' provides no such macro (did you mean 'add'?) [-Wcell=alpha]"* ]]
	printf 'struct [[alphe::add]] account { int id; };\n' >x.c
	run cellc -c x.c
	[[ $output == *"alphe::add: no cell provides the namespace 'alphe' (did you mean 'alpha'?)"* ]]
	[ ! -e x.o ]
}
