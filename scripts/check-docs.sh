#!/bin/sh
# Every manual page is right, and every program has one.
set -eu

usage() {
	cat <<'TXT'
usage: O=BUILD check-docs.sh [-h]

Checks the manual, printing one line for each fault; exits 1 if there is one.
  - mandoc -Tlint finds nothing in man/* above its "style" level
  - each page has a one-line description (.Nd) and the expected sections
  - each program in BUILD/bin has a page, each page of section 1 a program,
    each manifest in cells/ a page cell-NAME(1) or (8)
  - each page that another one refers to by .Xr, among ours, exists
  - each option that a command's --help lists is in its page
TXT
}

[ "${1:-}" != -h ] || { usage; exit 0; }
cd "$(dirname "$0")/.."
O=${O:-build}
faults=$(mktemp)
names=$(mktemp)
trap 'rm -f "$faults" "$names"' EXIT

fault() {
	printf '%s\n' "$*" >>"$faults"
}

# The page that an alias, one line that sources another page, stands for.
alias_target() {
	sed -n '1s|^\.so \(man[1-9]/\)\{0,1\}||p' "$1"
}

# NAME.SECTION for each name that a page describes.
awk '/^\.Sh/ { in_name = ($2 == "NAME") }
	in_name && /^\.Nm/ { print $2 "." substr(FILENAME, length(FILENAME)) }' man/*.[1-9] >"$names"

for page in man/*.[1-9]; do
	[ -e "$page" ] || { fault "man/: no pages"; continue; }
	target=$(alias_target "$page")
	if [ -n "$target" ]; then
		[ -e "man/$target" ] || fault "$page: sources $target, which is not there"
		continue
	fi
	mandoc -Tlint -Wwarning "$page" >>"$faults" 2>&1 || true
	grep -q '^\.Nd .' "$page" || fault "$page: no .Nd line, so no one-liner for \`cell help\`"
	for section in NAME DESCRIPTION 'SEE ALSO'; do
		grep -qx "\.Sh $section" "$page" || fault "$page: no section $section"
	done
	case $page in
	*.1 | *.8)
		for section in SYNOPSIS 'EXIT STATUS' EXAMPLES; do
			grep -qx "\.Sh $section" "$page" || fault "$page: no section $section"
		done
		;;
	esac
	sed -nE 's/^\.Xr (cell[a-z0-9_-]*|libcell[a-z]*|protoc-gen-cell) ([1-9]).*/\1.\2/p' "$page" | sort -u |
		while read -r reference; do
			[ -e "man/$reference" ] || grep -qx "$reference" "$names" || fault "$page: .Xr to $reference, which is not there"
		done
done

for program in "$O"/bin/*; do
	[ -x "$program" ] || continue
	name=${program##*/}
	page=man/$name.1
	[ -e "$page" ] || page=man/$name.8
	[ -e "$page" ] || { fault "$name: no manual page"; continue; }
	target=$(alias_target "$page")
	page=man/${target:-${page#man/}}
	# The daemons' --help is not asked for here: they are described by hand.
	case $name in
	cell | cell-sandbox | protoc-gen-cell | cellc | cellcore) continue ;;
	esac
	timeout 10 "$program" --help </dev/null 2>/dev/null | grep -oE '^ +(-[A-Za-z], )?--[a-z][a-z-]+' |
		grep -oE -e '--[a-z-]+' | sort -u | while read -r option; do
		# mdoc spells --json as "Fl -json"; the options common to all are in cell(1).
		case $option in
		--help | --version | --color | --rundir) continue ;;
		esac
		grep -qE -e "Fl -${option#--}([ ,]|$)" "$page" ||
			fault "$page: does not tell of $option, which \`$name --help\` lists"
	done
done

for page in man/*.1; do
	[ -e "$page" ] || continue
	name=${page##*/}
	name=${name%.1}
	[ -x "$O/bin/$name" ] || [ -e "cells/${name#cell-}/${name#cell-}.cell" ] ||
		fault "$page: no program $name"
done

for manifest in cells/*/*.cell; do
	[ -e "$manifest" ] || continue
	name=$(basename "$manifest" .cell)
	[ -e "man/cell-$name.1" ] || [ -e "man/cell-$name.8" ] || fault "$manifest: no page man/cell-$name.8"
	[ -e "$(dirname "$manifest")/README.md" ] || fault "$manifest: no README.md beside it"
done

if [ -s "$faults" ]; then
	cat "$faults" >&2
	echo "check-docs: $(wc -l <"$faults") faults" >&2
	exit 1
fi
echo "check-docs: $(find man -name '*.[1-9]' | wc -l) pages, nothing to report"
