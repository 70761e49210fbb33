#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs missing packages, builds everything, publishes a camera or a test pattern on a bus, and shows the bus in the
# viewer. Without a display it writes what the viewer would show to a PNG file.
set -eu

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$top/build
bus=
picture=$build/quickstart.png
writer=
viewer=
export PATH="/usr/bin:/bin:$PATH" # the distribution's meson and python, before any others
export GST_PLUGIN_PATH="$build/gst-plugin${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}"

say()
{
    printf 'quickstart: %s\n' "$*"
}

die()
{
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}

# Asks a process that this script started to end; kills it if it has not ended after 5 s.
end()
{
    local signal=$1 pid=$2
    kill -"$signal" "$pid" 2>/dev/null || return 0
    for _ in $(seq 50); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

clean_up()
{
    trap '' INT TERM
    [ -z "$viewer" ] || end TERM "$viewer"
    [ -z "$writer" ] || end INT "$writer"
    [ -z "$bus" ] || "$build/tools/framebus" rm "$bus" >/dev/null 2>&1 || true
}

# Runs a command without showing its output; shows the end of it if the command fails.
quietly()
{
    local log=$build/quickstart.log
    "$@" >"$log" 2>&1 </dev/null && return 0
    tail -n 40 "$log" >&2
    die "this failed: $*"
}

build_all()
{
    local setup=(meson setup -Dgst=enabled -Dviewer=enabled -Dtools=enabled)
    mkdir -p "$build"
    if [ ! -e "$build/build.ninja" ]; then
        quietly "${setup[@]}" "$build" "$top"
    elif [ ! -x "$build/viewer/framebus-view" ] || [ ! -e "$build/gst-plugin/libgstframebus.so" ]; then
        quietly "${setup[@]}" --reconfigure "$build" "$top"
    fi
    quietly ninja -C "$build"
}

# Sets bus to the first name that is not in use, since this script may run several times at once.
choose_bus()
{
    local number
    for number in 1 2 3 4 5 6 7 8 9; do
        bus=quickstart-$number
        "$build/tools/framebus" info --json "$bus" 2>/dev/null | grep -qE '"state": "(live|silent)"' || return 0
    done
    bus=
    die 'it runs nine times already; stop one of them'
}

# Starts a command of framebus that publishes on the bus; fails if it ends before its first frame is published.
start_writer()
{
    "$build/tools/framebus" "$@" "$bus" >"$build/quickstart.log" 2>&1 </dev/null &
    writer=$!
    for _ in $(seq 150); do
        kill -0 "$writer" 2>/dev/null || break
        case $("$build/tools/framebus" info "$bus" 2>/dev/null) in
        *"process $writer,"*published*) return 0 ;;
        esac
        sleep 0.1
    done
    end INT "$writer"
    writer=
    return 1
}

start_any_writer()
{
    local camera
    camera=$("$build/tools/framebus" camera --list 2>/dev/null | awk 'NR == 1 { print $1 }') || true
    if [ -n "$camera" ]; then
        say "the camera $camera goes to the bus $bus"
        start_writer camera --device "$camera" && return 0
        say "$camera delivers no picture, perhaps because another program uses it; showing a test pattern instead"
    else
        say "no camera here: a test pattern goes to the bus $bus"
    fi
    start_writer test || {
        cat "$build/quickstart.log" >&2
        die "the test pattern does not run (see above)"
    }
}

# Runs the viewer in the background and waits for it, so that ctrl-C or kill stops the script at once.
view()
{
    "$build/viewer/framebus-view" "$bus" "$@" </dev/null &
    viewer=$!
    wait "$viewer"
    local status=$?
    viewer=
    return $status
}

"$top/examples/packages.sh" build view
say "building in $build"
build_all

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
choose_bus
start_any_writer

if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    say "press q in the window or ctrl-C here to end; meanwhile try $build/tools/framebus ls"
    view && exit 0
    say 'the viewer could not open its window; writing a file instead'
fi
rm -f "$picture"
view --screenshot "$picture" || die 'the viewer could not write its picture'
say "what the viewer shows is in $picture"
