#compdef cell
# Completion of `cell` for zsh. What there is comes from the commands' own tables, and
# from the node: `cell --complete WORD...` prints a candidate a line, with a tab and what
# it is behind it, or :files, or :folders.

_cell() {
	local line
	local -a candidates

	for line in "${(@f)$(cell --complete "${(@Q)words[2,CURRENT]}" 2>/dev/null </dev/null)}"; do
		case $line in
		'') ;;
		:files) _files ;;
		:folders) _files -/ ;;
		*$'\t'*) candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
		*) candidates+=("${line//:/\\:}") ;;
		esac
	done
	_describe -t cell 'cell' candidates
}

_cell "$@"
