# Completion of `cell` for bash. `cell --complete WORD...` knows the verbs, their options
# and the names of running cells; where it offers nothing, file names are completed.

_cell() {
	local line words=()

	COMPREPLY=()
	while IFS= read -r line; do
		words+=("${line%%$'\t'*}")
	done < <("${COMP_WORDS[0]}" --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	mapfile -t COMPREPLY < <(compgen -W "${words[*]}" -- "$2")
	((${#COMPREPLY[@]})) || compopt -o default
}

complete -F _cell cell
