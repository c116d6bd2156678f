# Completion of `cell` for fish. What there is comes from the commands' own tables, and
# from the node: `cell --complete WORD...` prints a candidate a line, with a tab and what
# it is behind it, or :files, or :folders.

function __cell_complete
    set -l current (commandline -ct)
    for line in (cell --complete (commandline -opc)[2..-1] "$current" 2>/dev/null </dev/null)
        switch $line
            case ':files'
                __fish_complete_path "$current"
            case ':folders'
                __fish_complete_directories "$current"
            case '*'
                echo $line
        end
    end
end

complete -c cell -f -a '(__cell_complete)'
