# SPDX-License-Identifier: MIT
# Completion of framebus for fish. Commands and options are read from its help, so that they are right.

function __framebus_commands
    framebus help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) *\(.*\)/\1\t\2/p'
end

function __framebus_options
    framebus help (commandline -opc)[2] 2>/dev/null | string match -ra -- '--[a-z][a-z-]*' | sort -u
end

complete -c framebus -n __fish_use_subcommand -f -a '(__framebus_commands)'
complete -c framebus -n '__fish_seen_subcommand_from help' -f -a '(__framebus_commands)'
complete -c framebus -n 'not __fish_use_subcommand; and string match -q -- "-*" (commandline -ct)' -f -a '(__framebus_options)'
complete -c framebus -n 'not __fish_use_subcommand' -a '(framebus ls --names 2>/dev/null)\t"bus"'
