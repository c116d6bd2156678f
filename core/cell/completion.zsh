#compdef cell
# Completion of `cell` for zsh. `cell --complete WORD...` knows the verbs, their options and
# the names of running cells; where it offers nothing, file names are completed.

_cell() {
	local -a offers
	local line

	for line in ${(f)"$($words[1] --complete "${(@)words[2,CURRENT]}" 2>/dev/null)"}; do
		# _describe wants "word:what it is".
		offers+=("${${line%%$'\t'*}//:/\\:}${${(M)line%%*$'\t'*}:+:${line#*$'\t'}}")
	done
	_describe cell offers || _files
}

_cell "$@"
