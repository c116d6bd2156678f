# Completion of `cell` for fish: verbs as they are installed, options as each verb's
# own --help lists them, names of the cells that this node knows.

function __cell_verbs
    set -l program (command -s cell); or return
    for verb in (dirname (realpath $program))/cell-*
        test -x $verb; and basename $verb | string replace -r '^cell-' ''
    end | string match -v sandbox
    echo help
end

function __cell_verb
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or begin
            echo $word
            return 0
        end
    end
    return 1
end

function __cell_names
    cell ps --json 2>/dev/null | string match -ra '"(?:cell|name)": *"[a-z][a-z0-9-]*"' |
        string replace -r '.*"(.*)"' '$1' | sort -u
end

function __cell_options
    cell (__cell_verb) --help 2>/dev/null </dev/null | string match -ra -- '--[a-z][a-z-]*' | sort -u
end

complete -c cell -n 'not __cell_verb >/dev/null' -f -a '(__cell_verbs)'
complete -c cell -n 'contains help (__cell_verb)' -f -a '(__cell_verbs)'
complete -c cell -n '__cell_verb >/dev/null' -a '(__cell_names)'
complete -c cell -n '__cell_verb >/dev/null; and string match -q -- "-*" (commandline -ct)' -a '(__cell_options)'
