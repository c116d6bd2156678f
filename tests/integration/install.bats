#!/usr/bin/env bats
# What `make install` puts elsewhere works there, and `make uninstall` takes it away.

bats_require_minimum_version 1.5.0

setup() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-install.XXXXXX")
	prefix=$dir/prefix
	export CELL_RUNDIR=$dir/run PKG_CONFIG_PATH=$prefix/lib/pkgconfig
	case $CELL_BUILD in
	*-address | *-undefined | *-thread) skip "a sanitized library wants a sanitized program" ;;
	esac
	tree install PREFIX="$prefix" 3>&-
}

teardown() {
	"$prefix/bin/cell" -q down 2>/dev/null || true
	rm -rf "$dir"
}

# tree GOAL VARIABLE=...: make in this tree, without building it again: what it was built with
# is not known here
tree() {
	make -s -o all -C "$CELL_TOP" O="${O:-build}" "$@" >"$dir/make.log" 2>&1 || {
		cat "$dir/make.log"
		return 1
	}
}

# A program that calls the greeter and uses what was generated for common.proto and core.proto.
client_write() {
	cat >"$dir/client.proto" <<-'E'
		syntax = "proto3";
		package client.v1;
		import "common.proto";
		service Client { rpc Nothing(cell.common.v1.Empty) returns (cell.common.v1.Empty) {} }
	E
	cat >"$dir/client.c" <<-'E'
		#include "client.cell.h"
		#include "core.cell.h"
		#include "greeter.cell.h"
		#include "ops.cell.h"

		#include <cell/cell.h>
		#include <stdio.h>

		int main(void)
		{
			struct greeter_hello hello = { .name = "Ada" };
			struct core_node_status status;
			struct greeter_greeting greeting;
			struct cell_call *call = cell_open("client");
			int err = greeter_greet(call, &hello, &greeting);

			if (!err)
				err = core_status(call, &status);
			if (!err)
				printf("%s %d %s %s %s\n", greeting.text, status.pid > 0, client_service.name,
				       ops_service.name, common_empty_type.name);
			return cell_exit(call, err);
		}
	E
	(cd "$dir" && protoc --plugin="$prefix/bin/protoc-gen-cell" --cell_out=. -I . \
		-I "$prefix/share/cell/proto" client.proto greeter.proto)
}

@test "programs link with the shared library and with the archive" {
	client_write
	cd "$dir"
	cflags="-std=gnu2x -Wall -Wextra -Werror -I. $(pkg-config --cflags cell)"
	# shellcheck disable=SC2046 # words
	gcc $cflags -o shared client.c ./*.cell.c $(pkg-config --libs cell) -Wl,-rpath,"$prefix/lib"
	# shellcheck disable=SC2046 # words
	gcc $cflags -o static client.c ./*.cell.c "$prefix/lib/libcell.a" \
		$(pkg-config --static --libs-only-l cell | sed 's/-lcell//')
	readelf -d shared | grep -q 'NEEDED.*libcell\.so\.0'
	run ! grep -q 'NEEDED.*libcell' <(readelf -d static)
	"$prefix/bin/cell" -q up 3>&-
	wanted="Hello, Ada! 1 client.v1.Client cell.ops.v1.Ops cell.common.v1.Empty"
	got=$(./shared) && [ "$got" = "$wanted" ] || { echo "got: $got"; false; }
	got=$(./static) && [ "$got" = "$wanted" ]
}

@test "public headers are clean as C11, C23 and C++" {
	for header in "$prefix"/include/cell/*.h "$prefix"/include/cell/proto/*.h; do
		printf "#include \"%s\"\nextern int something;\n" "$header" >"$dir/one.c"
		cp "$dir/one.c" "$dir/one.cc"
		strict="-Wall -Wextra -Wpedantic -Werror -fsyntax-only $(pkg-config --cflags cell)"
		gcc -std=c11 $strict "$dir/one.c"
		gcc -std=c2x $strict "$dir/one.c"
		g++ -std=c++11 $strict "$dir/one.cc"
	done
}

@test "a node runs from there, and finds its cells beside it" {
	PATH=$prefix/bin:/usr/bin:/bin
	cell -q up 3>&-
	run -0 cell greeter Ada
	[ "$output" = "Hello, Ada!" ]
	cell -q down
}

@test "a new cell builds and runs with what is installed" {
	PATH=$prefix/bin:/usr/bin:/bin
	unset PKG_CONFIG_PATH
	cd "$dir"
	cell -q new hello
	run -0 make -C hello test 3>&-
	[[ "$output" = *"ok: an empty text is refused"* ]]
}

@test "uninstall leaves nothing, and what is not ours alone" {
	tree uninstall PREFIX="$prefix"
	[ ! -e "$prefix" ] || [ -z "$(find "$prefix" -mindepth 1)" ]
	tree install PREFIX=/usr/local DESTDIR="$dir/stage"
	mkdir -p "$dir/stage/usr/local/lib/other" "$dir/stage/usr/local/games"
	tree uninstall PREFIX=/usr/local DESTDIR="$dir/stage"
	[ "$(cd "$dir/stage/usr/local" && find . -mindepth 1 | sort | tr '\n' ' ')" = \
		"./games ./lib ./lib/other " ]
}
