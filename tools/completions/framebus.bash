# SPDX-License-Identifier: MIT
# Completion of framebus for bash. Commands and options are read from its help, so that they are right.

_framebus_commands()
{
    framebus help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

_framebus_options()
{
    framebus help "$1" 2>/dev/null | grep -o -e '--[a-z][a-z-]*' | sort -u
}

_framebus_devices()
{
    if [[ $1 == display ]]; then
        compgen -G '/dev/dri/card*'
    else
        compgen -G '/dev/v4l/by-id/*'
        compgen -G '/dev/video*'
    fi
}

_framebus()
{
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words=$(_framebus_commands)
    elif [[ $before == help ]]; then
        words=$(_framebus_commands)
    elif [[ $before == --format ]]; then
        words=$(framebus test --formats 2>/dev/null)
    elif [[ $before == --memory && ${COMP_WORDS[1]} =~ ^(camera|test)$ ]]; then
        words='memfd posix sysv'
    elif [[ $before == --io ]]; then
        words='auto dmabuf export mmap userptr'
    elif [[ $before == --device ]]; then
        words=$(_framebus_devices "${COMP_WORDS[1]}")
    elif [[ $current == -* ]]; then
        words=$(_framebus_options "${COMP_WORDS[1]}")
    else
        words=$(framebus ls --names 2>/dev/null) # else names of files
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -o default -F _framebus framebus
