# Completion of `cell` for bash. What there is comes from the commands' own tables, and
# from the node: `cell --complete WORD...` prints a candidate a line, with a tab and what
# it is behind it, or :files, or :folders.

_cell() {
	local line candidate
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		:files) compopt -o default ;;
		:folders) compopt -o dirnames ;;
		*)
			candidate=${line%%$'\t'*}
			[[ $candidate != "${COMP_WORDS[COMP_CWORD]}"* ]] || COMPREPLY+=("$candidate")
			;;
		esac
	done < <(cell --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null </dev/null)
}

complete -F _cell cell
