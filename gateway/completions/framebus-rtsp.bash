# SPDX-License-Identifier: MIT
# Completion of framebus-rtsp for bash. Options are read from its help, so that they are right.

_framebus_rtsp()
{
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
    COMPREPLY=()
    case $before in
    -e | --encoder) words="auto $(framebus-rtsp --list-encoders 2>/dev/null | sed -n 's/ *works$//p')" ;;
    -a | --address) words='127.0.0.1 0.0.0.0 ::' ;;
    -p | --port | -b | --bitrate) return ;;
    *)
        if [[ $current == -* ]]; then
            words=$(framebus-rtsp --help 2>/dev/null | grep -o -e '^ .* --[a-z][a-z-]*' | grep -o -e '--[a-z-]*' | sort -u)
        else
            words=$(framebus ls --names 2>/dev/null) # else names of files
        fi
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -o default -F _framebus_rtsp framebus-rtsp
