#!/bin/sh
# What Cell costs in bytes, and how long its parts are.
set -eu

usage() {
	cat <<'TXT'
usage: O=BUILD size.sh [-h]

Prints for each program and library its code and data, and its size on disk when
stripped; for each part of the tree its lines; and, of the cells that run now,
the memory they do not share (PSS), as far as this user may see it.
TXT
}

[ "${1:-}" != -h ] || { usage; exit 0; }
cd "$(dirname "$0")/.."
O=${O:-build}
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

printf '%-28s %10s %10s %10s\n' program code data stripped
for program in "$O"/bin/cell "$O"/bin/cellcore "$O"/bin/cell-sandbox "$O"/cells/*/* "$O"/lib/*.so.[0-9]; do
	if [ ! -f "$program" ] || [ ! -x "$program" ]; then
		continue
	fi
	strip -o "$temp/stripped" "$program"
	# shellcheck disable=SC2046,SC2183 # awk prints two numbers
	printf '%-28s %10d %10d %10d\n' "${program#"$O"/}" \
		$(size "$program" | awk 'NR == 2 { print $1, $2 + $3 }') "$(wc -c <"$temp/stripped")"
done

echo
printf '%-28s %10s %10s\n' part files lines
for part in core/include/cell core/libcell core/libcellstore core/sandbox core/cellcore core/cell \
	core/libcellgen core/protoc-gen-cell cells/*/ proto tests; do
	part=${part%/}
	[ -d "$part" ] || continue
	git ls-files "$part/*.[chS]" "$part/*.proto" | tr '\n' '\0' | xargs -0 -r cat >"$temp/lines"
	files=$(git ls-files "$part/*.[chS]" "$part/*.proto" | wc -l)
	[ "$files" -eq 0 ] || printf '%-28s %10d %10d\n' "$part" "$files" "$(wc -l <"$temp/lines")"
done

echo
printf '%-28s %10s %10s\n' process pid 'PSS KiB'
names=" cellcore $(find cells -mindepth 1 -maxdepth 1 -type d -exec basename {} \; | tr '\n' ' ')"
for process in /proc/[0-9]*; do
	name=$(cat "$process/comm" 2>/dev/null) || continue
	case $names in
	*" $name "*) ;;
	*) continue ;;
	esac
	pss=$(awk '/^Pss:/ { print $2 }' "$process/smaps_rollup" 2>/dev/null) || continue
	[ -z "$pss" ] || printf '%-28s %10d %10d\n' "$name" "${process#/proc/}" "$pss"
done
