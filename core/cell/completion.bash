# Completion of `cell` for bash: verbs as they are installed, options as each verb's
# own --help lists them, names of the cells that this node knows.

_cell_verbs() {
	local folder program
	folder=$(command -v cell) && folder=$(dirname "$(readlink -f "$folder")")
	for program in ${folder:+"$folder"/cell-*}; do
		[[ -x $program ]] && program=${program##*/cell-} && [[ $program != sandbox ]] && printf '%s\n' "$program"
	done
}

_cell_names() {
	cell ps --json 2>/dev/null | grep -oE '"(cell|name)": *"[a-z][a-z0-9-]*"' | sed 's/.*"\(.*\)"/\1/' | sort -u
}

_cell_options() {
	cell "$1" --help 2>/dev/null </dev/null | grep -oE -e '(^|[ ,])--[a-z][a-z-]*' | tr -d ' ,' | sort -u
}

_cell() {
	local word=$2 verb='' i
	COMPREPLY=()

	# The first word that is no option is the verb.
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -* ]] || { verb=${COMP_WORDS[i]}; break; }
	done
	if [[ -z $verb ]]; then
		mapfile -t COMPREPLY < <(compgen -W "help $(_cell_verbs) --help --version" -- "$word")
	elif [[ $verb == help ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_cell_verbs)" -- "$word")
	elif [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_cell_options "$verb")" -- "$word")
	else
		mapfile -t COMPREPLY < <(compgen -W "$(_cell_names)" -- "$word")
		# A verb that takes files takes them by readline's own means.
		((${#COMPREPLY[@]})) || compopt -o default
	fi
}

complete -F _cell cell
