# Completion of `cell` for fish. `cell --complete WORD...` knows the verbs, their options and
# the names of running cells; where it offers nothing, file names are completed.

function __cell_offers
    set -l words (commandline -opc)
    set -l now (commandline -ct)
    set -l pattern '^'(string escape --style=regex -- $now)
    $words[1] --complete $words[2..-1] "$now" 2>/dev/null | string match -r -- "$pattern.*"
    or __fish_complete_path "$now"
end

complete -c cell -f -a '(__cell_offers)'
