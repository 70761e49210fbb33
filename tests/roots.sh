# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Debian roots for tests, to be sourced: whole systems of any release in a directory.
#
# root_make NAME SUITE PACKAGE | OPTION...
#     Makes the root NAME, once a day, in the user's cache. A PACKAGE may be named with an architecture,
#     libc6-dev:arm64; the root then knows that architecture. Recommended packages are left out. An OPTION is one
#     of mmdebstrap's. SUITE is a codename, or testing. Status 77 with a reason in the last line of standard error:
#     no root can be had here.
# root_run NAME COMMAND
#     Runs a shell command as root in there, which sees none of the caller's environment and has mount, pid and
#     ipc namespaces, /dev/shm, /run and /tmp of its own. Standard input and output are the caller's: a file gets in and
#     out by cat, a directory by tar. What commands write is seen by later ones and kept from the cached root.
# root_drop
#     Removes what commands have written, in all roots: for the caller's trap ... EXIT.
#
# For the programs that tests/run.sh starts, NAME/run [--releases] [--offline] --out DIRECTORY:
#
# root_program NAME ARGUMENT...
#     Reads these arguments: sets out, and all=yes for --releases. With --offline NAME is skipped, and the program ends.
# result WORDS...
#     Adds a line of TAP to $out/checks.tap.
# root_try NAME SUITE PACKAGE | OPTION...
#     root_make, the failure of which is a result; so is the reason why there can be none.
# root_copy COMMAND...
#     Gives the tree, as it is here with what is not committed yet, to a command as a tar archive.
#
# All of it as root, or as a user who has subordinate ids and may make a user namespace.

root_cache=${XDG_CACHE_HOME:-$HOME/.cache}/framebus/roots
root_written=
root_tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
declare -A root_paths=()

root_skip()
{
    printf '%s\n' "$*" >&2
    return 77
}

# Runs a command as root: that of a user namespace for who is none.
root_owner()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        unshare --user --mount --map-auto --map-root-user "$@"
    fi
}

# The mirror that this machine's apt uses. Its release may be another, the mirror has all.
root_mirror()
{
    # shellcheck disable=SC2016 # the dollars are apt's
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk -v release="$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" \
            '$1 == release && $2 == "main" { print $3; exit }'
}

root_make()
{
    local name=$1 path
    [ ! -e /run/framebus-root ] || root_skip 'this is such a root already' || return
    command -v mmdebstrap >/dev/null || root_skip 'no mmdebstrap: examples/packages.sh cross installs it' || return
    root_owner unshare --mount --pid --ipc --fork true 2>/dev/null ||
        root_skip 'no rights to make a root: needs root or a user namespace' || return
    path=$root_cache/$name-$(date +%F)-$(printf '%s\n' "${@:2}" | sha256sum | cut -c1-12)
    mkdir -p "$root_cache"
    (
        flock 9
        [ -e "$path" ] || root_fetch "$path" "${@:2}"
    ) 9>"$root_cache/.$name.lock" || return
    root_paths[$name]=$path
    [ -n "$root_written" ] || root_written=$(mktemp -d "$root_cache/.written-XXXXXX")
}

# root_fetch PATH SUITE PACKAGE | OPTION...
root_fetch()
{
    local path=$1 suite=$2 mirror word architectures packages=() options=() log=$root_cache/$name.log
    architectures=$(dpkg --print-architecture)
    for word in "${@:3}"; do
        case $word in
        -*) options+=("$word") ;;
        *) packages+=("$word") ;;
        esac
        [[ $word != [a-z]*:* || ,$architectures, == *,${word#*:},* ]] || architectures+=,${word#*:}
    done
    mirror=$(root_mirror)
    [ -n "$mirror" ] || root_skip 'apt knows no mirror of this release: apt-get update may help' || return
    # What is not released is signed for a week, and a mirror may be behind.
    [ "$suite" != testing ] || options+=('--aptopt=Acquire::Check-Valid-Until "false"')
    mapfile -O ${#options[@]} -t options < <(apt-config dump | sed -n 's/^Acquire::https\?::Proxy/--aptopt=&/p')
    root_owner rm -rf "$root_cache/$name"-[0-9]*
    find "$root_cache" -maxdepth 1 -name '.written-*' -mtime +1 -print0 | root_owner xargs -0r rm -rf
    if root_owner mmdebstrap --mode=root --variant=minbase --architectures="$architectures" \
        --include="$(IFS=, && printf '%s' "${packages[*]}")" --dpkgopt=force-unsafe-io "${options[@]}" \
        "$suite" "$path.part" "$mirror" >"$log" 2>&1 </dev/null; then
        root_owner mv "$path.part" "$path"
    else
        tail -n 20 "$log" >&2
        ! grep -qE 'Could not (resolve|connect)|Temporary failure|Unable to connect|404  Not Found' "$log" ||
            root_skip "the mirror of $suite cannot be reached, or lacks what it lists" || return
        return 1
    fi
}

root_run()
{
    # pivot_root, since nobody in a chroot may make a user namespace.
    # shellcheck disable=SC2016 # the inner shell's
    root_owner unshare --mount --pid --ipc --fork --kill-child --mount-proc sh -ec '
        mkdir -p "$1/files" "$1/work" "$1/root"
        mount -t overlay -o "lowerdir=$0,upperdir=$1/files,workdir=$1/work,userxattr" overlay "$1/root"
        cd "$1/root"
        mount --rbind /proc proc
        mount --rbind /sys sys
        mount --rbind /dev dev
        for own in dev/shm run tmp; do mount -t tmpfs -o mode=1777 tmpfs $own; done
        mkdir run/lock
        : >run/framebus-root
        pivot_root . .
        umount -l .
        exec env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LANG=C.UTF-8 TERM=dumb \
            sh -c "cd && $2"' "${root_paths[$1]}" "$root_written/$1" "$2"
}

root_drop()
{
    [ -z "$root_written" ] || root_owner rm -rf "$root_written"
}

# shellcheck disable=SC2034 # all is the program's
root_program()
{
    local name=$1 usage="Usage: tests/$1/run [--releases] [--offline] --out DIRECTORY" offline=no
    out='' all=no
    shift
    while [ $# -gt 0 ]; do
        case $1 in
        --releases) all=yes ;;
        --offline) offline=yes ;;
        --out)
            out=${2:-}
            shift
            ;;
        *)
            out=
            break
            ;;
        esac
        shift
    done
    [ -n "$out" ] || { printf '%s\n' "$usage" >&2 && exit 2; }
    [ $offline = no ] || { result "ok - $name # SKIP --offline" && exit; }
    trap root_drop EXIT
}

result()
{
    printf '%s\n' "$*" >>"$out/checks.tap"
}

root_try()
{
    local log=$out/$1.log status
    root_make "$@" 2>"$log"
    status=$?
    case $status in
    0) ;;
    77) result "ok - $1 # SKIP $(tail -n 1 "$log")" ;;
    *)
        tail -n 20 "$log"
        result "not ok - a root for $1"
        ;;
    esac
    return $status
}

root_copy()
{
    if git -C "$root_tree" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git -C "$root_tree" ls-files -z --cached --others --exclude-standard
    else
        (cd "$root_tree" && find . -mindepth 1 -maxdepth 1 ! -name 'build*' -print0)
    fi | tar -C "$root_tree" --null --files-from=- -c | "$@"
}
