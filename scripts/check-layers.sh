#!/bin/sh
# Dependencies point one way: who includes what, and what cellcore links.
set -eu

usage() {
	cat <<'TXT'
usage: O=BUILD check-layers.sh [-h]

Checks the rules that cells/README.md and core/README.md state, printing one line
for each breach; exits 1 if there is one.
  - no file includes one of a sibling's folder: a cell only its own files,
    <cell/...> and headers generated from a proto; each part of core likewise,
    and libcell's inside
  - pure files include no header for I/O, clocks or randomness, and their objects
    call no such function: every .c in cells/NAME/ but main, store, rpc, cmd, cmd_*,
    macros and those that NAME_IMPURE in cells/NAME/rules.mk lists; in core the list below
  - libcell, cellcore and cell-sandbox link the libraries named below and no other
  - LMDB is seen by libcellstore and the cells' store.c alone
  - libcellgen is for protoc-gen-cell and the cells macro and codegen
Then prints how many lines cellcore has.
TXT
}

[ "${1:-}" != -h ] || { usage; exit 0; }
cd "$(dirname "$0")/.."
O=${O:-build}
faults=$(mktemp)
trap 'rm -f "$faults"' EXIT

core_pure='core/libcellgen/check.c core/libcellgen/decode.c core/libcellgen/encode.c
	core/libcellgen/header.c core/libcellgen/model.c core/libcellgen/names.c
	core/libcellgen/service.c core/libcellgen/stubs.c core/libcell/fileset.c core/libcell/ctext.c
	core/libcell/macro_check.c core/libcell/macro_text.c
	core/libcell/frame.c core/libcell/wheel.c core/libcell/codec.c
	core/cellcore/kernel.c core/cellcore/broker.c core/cellcore/supervise.c core/cellcore/quota.c
	core/cellc/lex.c core/cellc/lines.c core/cellc/arguments.c core/cellc/scan.c
	core/cellc/doc.c core/cellc/declare.c core/cellc/splice.c
	core/cellc/command.c core/cellc/command_names.c core/cellc/option.c
	core/cellc/own_option.c core/cellc/words.c
	core/libcelltable/value.c core/libcelltable/value_parse.c core/libcelltable/literal.c
	core/libcelltable/schema.c core/libcelltable/schema_check.c
	core/libcelltable/row.c core/libcelltable/row_finish.c core/libcelltable/key.c
	core/libcelltable/expression.c core/libcelltable/expression_type.c
	core/libcelltable/expression_value.c core/libcelltable/expression_sql.c
	core/libcelltable/migrate.c core/libcelltable/migrate_convert.c
	core/libcelltable/migrate_judge.c core/libcelltable/migrate_print.c
	core/libcelltable/migrate_coexists.c'
io_headers='sys/socket|sys/un|sys/epoll|sys/eventfd|sys/signalfd|sys/timerfd|sys/mman|sys/stat|sys/wait|sys/random|sys/time|netinet/.*|arpa/.*|netdb|net/.*|poll|unistd|fcntl|dirent|signal|time|spawn|pthread|threads|ev|lmdb|curl/.*|gnutls/.*|ngtcp2/.*'
io_calls='socket|connect|accept4?|bind|listen|send|sendto|sendmsg|recv|recvfrom|recvmsg|read|write|pread|pwrite|open|openat|fopen|fread|fwrite|close|stat|unlink|rename|fork|execv.*|posix_spawn.*|clock_gettime|gettimeofday|time|nanosleep|usleep|sleep|rand|random|getrandom|randombytes_.*|getenv|ev_.*|mdb_.*|kill|mmap|poll|epoll_.*'
core_libraries='libev|libprotobuf-c|libsodium|libinih|libc|libm|libgcc_s|ld-linux.*'

fault() {
	printf '%s\n' "$*" >>"$faults"
}

# check_includes FILE FOLDER: its quoted includes are in FOLDER, or generated; the rest of
# core stands on libcell and may see its inside
check_includes() {
	sed -nE 's/^[ \t]*#[ \t]*include[ \t]+"([^"]+)".*/\1/p' "$1" | while read -r header; do
		case $header in
		*.cell.h | *.pb-c.h) ;;
		../libcell/*)
			case $2 in
			core/libcellstore | cells/*) fault "$1: includes \"$header\", which is for core" ;;
			esac
			;;
		*/*) fault "$1: includes \"$header\"; only its own folder's files are its business" ;;
		*) [ -e "$2/$header" ] || fault "$1: includes \"$header\", which is not in $2" ;;
		esac
	done
	grep -nE '^[ \t]*#[ \t]*include[ \t]+<cells?/\.\./|<(cells|core|libcell|cellcore)/' "$1" |
		sed "s,^,$1:," >>"$faults" || true
}

for folder in core/libcell core/libcell-main core/libcellstore core/libcelltable core/libcellgen core/sandbox core/cellcore core/cell core/cellc \
	core/protoc-gen-cell cells/*/; do
	folder=${folder%/}
	for file in "$folder"/*.[ch]; do
		[ ! -e "$file" ] || check_includes "$file" "$folder"
	done
done

check_pure() {
	grep -nE "^[ \t]*#[ \t]*include[ \t]+<($io_headers)\.h>" "$1" |
		sed "s,^,$1:," | sed 's,$,    (a pure file),' >>"$faults" || true
	object=$O/obj/${1%.c}.o
	[ -e "$object" ] || return 0
	# Sanitizers and coverage add calls of their own, so only a plain tree is asked.
	case $O in
	*-*) return 0 ;;
	esac
	nm -u "$object" | awk '{ print $2 }' | sed 's/@.*//; s/^__\(.*\)_chk$/\1/' |
		grep -xE "($io_calls)" | while read -r call; do
		fault "$1: calls $call() (a pure file)"
	done
}

for file in $core_pure; do
	[ ! -e "$file" ] || check_pure "$file"
done
for folder in cells/*/; do
	name=$(basename "$folder")
	impure=$(sed -nE 's/^[a-z0-9-]+_IMPURE *:?= *//p' "$folder/rules.mk" 2>/dev/null || true)
	[ -e "$folder/main.c" ] || continue
	for file in "$folder"*.c; do
		stem=$(basename "$file" .c)
		case $stem in cmd_*) continue ;; esac
		case " main store rpc cmd macros $impure " in
		*" $stem "*) continue ;;
		esac
		! grep -qE '^(int[ \t]+)?main[ \t]*\(' "$file" || continue
		check_pure "cells/$name/$stem.c"
	done
done

# The generator of codecs is for those whose text is generated.
grep -rlE '<cell/internal/gen\.h>' core cells --include='*.[ch]' 2>/dev/null |
	grep -vE '^(core/(libcellgen|protoc-gen-cell)|cells/(macro|codegen))/' |
	sed 's,$,: includes cell/internal/gen.h; that is for generators,' >>"$faults" || true

grep -rlE '<lmdb\.h>' core cells --include='*.[ch]' 2>/dev/null |
	grep -vE '^(core/libcellstore/.*|cells/[^/]+/store\.[ch]|core/include/cell/store\.h)$' |
	sed 's,$,: includes lmdb.h; that is for store.c,' >>"$faults" || true

check_links() {
	[ -e "$1" ] || return 0
	readelf -d "$1" | sed -nE 's/.*NEEDED.*\[(.*)\.so.*/\1/p' | while read -r library; do
		printf '%s\n' "$library" | grep -qxE "$core_libraries${2:+|$2}|lib(asan|ubsan|tsan|gcov).*" ||
			fault "$1: links $library"
	done
	forbidden='getaddrinfo|gethostbyname.*|res_.*|inet_.*'
	case ${2:-} in
	*liblmdb*) ;;
	*) forbidden="$forbidden|mdb_.*" ;;
	esac
	nm -D --undefined-only "$1" | awk '{ print $2 }' | sed 's/@.*//' |
		grep -xE "$forbidden" | while read -r call; do
		fault "$1: calls $call()"
	done
}
check_links "$O/bin/cellcore"
check_links "$O/bin/cell-sandbox" libseccomp
check_links "$O/lib/libcell.so"
check_links "$O/lib/libcellstore.so" 'libcell|liblmdb'

if [ -s "$faults" ]; then
	cat "$faults" >&2
	echo "check-layers: $(wc -l <"$faults") breaches" >&2
	exit 1
fi
echo "check-layers: nothing to report; cellcore has $(cat core/cellcore/*.[ch] 2>/dev/null | wc -l) lines"
