#!/usr/bin/env bats
# cell-tutorial(7), and the examples of cell-macros(7): every command runs as typed, and prints
# what the page says.

setup() {
	/usr/bin/python3 -c 'import google.protobuf' 2>/dev/null || skip "python3-protobuf is not installed"
	command -v protoc >/dev/null || skip "protoc is not installed"
	! nm "$CELL_BUILD/lib/libcell.a" 2>/dev/null | grep -qE '__(asan|tsan|ubsan)' ||
		skip "what users build has no sanitizer"
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-tutorial.XXXXXX")
	export HOME=$dir/home CELL_RUNDIR=$dir/run CELL_STATEDIR=$dir/state PYTHONDONTWRITEBYTECODE=1
	mkdir -p "$HOME" "$dir/prefix/share/cell"
	ln -s "$CELL_TOP" "$HOME/cell"
	# As if it were installed, without touching the tree's own notes about that.
	ln -s "$CELL_TOP/proto" "$dir/prefix/share/cell/proto"
	cat >"$dir/prefix/cell.pc" <<-PC
		prefix=$dir/prefix
		Name: cell
		Description: the tree
		Version: 0
		Cflags: -I$CELL_TOP/core/include
		Libs: $CELL_BUILD/lib/libcell.a -lev $(pkg-config --libs libprotobuf-c libsodium inih) -lm -lpthread
	PC
	export PKG_CONFIG_PATH=$dir/prefix
	cd "$HOME" || return 1
}

teardown() {
	[ -z "${dir:-}" ] || cell -q down >/dev/null 2>&1 || true
	rm -rf "${dir:-}"
}

# blocks PAGE [SECTION]: the literal blocks of the page, as a reader sees them
blocks() {
	awk -v section="${2:-}" '
		/^\.Sh/ { is_in = section == "" || $0 == ".Sh " section }
		/^\.Bd -literal/ { is_literal = 1 }
		is_in && is_literal
		/^\.Ed/ { is_literal = 0 }' "$CELL_TOP/man/$1" |
		sed -e '/^\.Bd/d' -e '/^\.Ed/d' -e 's/\\e/\\/g' -e 's/^\\&//'
}

# What differs from run to run: numbers, times, paths, the node's name; and, of commands
# in the background, the order.
normalise() {
	sed -E -e '/^late /d' -e 's,(^|[ (])/[^ ,)]*,\1PATH,g' -e 's/node [^ ]+ is/node NAME is/' \
		-e 's/bwrap, rlimits only/bwrap/' -e 's/^[A-Z][a-z][a-z] +[0-9]+ /DATE /' -e 's/"(number|left)":("?)[0-9]+/"\1":\2N/g' \
		-e 's/[0-9]+([.:][0-9]+)*[a-zA-Z]*/N/g' -e 's/ +- / N /g' -e 's/ +/ /g' -e 's/ $//' | sort
}

# Splits the page: steps/N.command and steps/N.wanted.
steps() {
	awk -v dir="$dir/steps" '
		in_document { print >command; if ($0 == "E") in_document = 0; next }
		/^\$ / {
			n++
			command = sprintf("%s/%02d.command", dir, n)
			wanted = sprintf("%s/%02d.wanted", dir, n)
			print substr($0, 3) >command
			printf "" >wanted
			in_document = /<<.E.$/
			next
		}
		{ print >wanted }'
}

# follow PAGE [SECTION]: what is typed there, in one shell of its own, prints what is there
follow() {
	mkdir "$dir/steps"
	blocks "$@" | steps
	# One shell for all, as a reader has; of its own, as `wait` is typed in it.
	cat >"$dir/reader" <<-'READER'
		for command in "$1"/*.command; do
			. "$command" >"${command%.command}.printed" 2>&1
		done
	READER
	bash "$dir/reader" "$dir/steps" </dev/null 3>&-
	for wanted in "$dir"/steps/*.wanted; do
		step=${wanted%.wanted}
		normalise <"$wanted" >"$step.a"
		normalise <"$step.printed" >"$step.b"
		cmp -s "$step.a" "$step.b" || {
			printf 'typed:\n%s\nprinted:\n%s\nwanted:\n%s\n' "$(cat "$step.command")" \
				"$(cat "$step.printed")" "$(cat "$wanted")"
			false
		}
	done
}

@test "every command of the tutorial prints what it says" {
	follow cell-tutorial.7
	[ "$(ls "$dir"/steps/*.command | wc -l)" -ge 25 ]
}

@test "every command of the examples of attributes prints what it says" {
	export CELL_TELEMETRY_HTTP=off
	follow cell-macros.7 EXAMPLES
	[ "$(ls "$dir"/steps/*.command | wc -l)" -ge 15 ]
}
