#compdef cell
# Completion of `cell` for zsh: verbs as they are installed, options as each verb's
# own --help lists them, names of the cells that this node knows.

_cell_verbs() {
	local -a verbs
	verbs=(help ${${(f)"$(print -rl -- ${commands[cell]:A:h}/cell-*(N:t))"}#cell-})
	verbs=(${verbs:#sandbox})
	compadd -a verbs
}

_cell_names() {
	local -a names
	names=(${(f)"$(cell ps --json 2>/dev/null | grep -oE '"(cell|name)": *"[a-z][a-z0-9-]*"' | sed 's/.*"\(.*\)"/\1/' | sort -u)"})
	compadd -a names
}

_cell_options() {
	local -a options
	options=(${(f)"$(cell $1 --help 2>/dev/null </dev/null | grep -oE -e '(^|[ ,])--[a-z][a-z-]*' | tr -d ' ,' | sort -u)"})
	compadd -a options
}

_cell() {
	local verb=${${words[2,CURRENT-1]:#-*}[1]}

	if [[ -z $verb || $verb == help ]]; then
		_cell_verbs
	elif [[ $PREFIX == -* ]]; then
		_cell_options $verb
	else
		_cell_names || _files
	fi
}

_cell "$@"
