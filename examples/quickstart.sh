#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# From nothing to a picture: installs what is missing, builds, and shows a camera, or a test pattern, through
# a framebus in the viewer. Without a display it writes what the viewer shows to a PNG file.
set -eu

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$top/build
bus=
picture=$build/quickstart.png
writer=
viewer=
export PATH="/usr/bin:/bin:$PATH" # meson and its python from the distribution, whatever else is there
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

# Asks a process of ours to end, and does not take no for an answer.
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

# Runs a step quietly; shows what it said if it fails.
quietly()
{
    local log=$build/quickstart.log
    "$@" >"$log" 2>&1 </dev/null && return 0
    tail -n 40 "$log" >&2
    die "this failed: $*"
}

build_all()
{
    local setup=(meson setup -Dgst=enabled -Dviewer=enabled -Dtools=enabled -Dexamples=true)
    mkdir -p "$build"
    if [ ! -e "$build/build.ninja" ]; then
        quietly "${setup[@]}" "$build" "$top"
    elif [ ! -x "$build/viewer/framebus-view" ] || [ ! -e "$build/gst-plugin/libgstframebus.so" ]; then
        quietly "${setup[@]}" --reconfigure "$build" "$top"
    fi
    quietly ninja -C "$build"
}

# The first name that nobody uses: this may run several times at once.
choose_bus()
{
    local number
    for number in 1 2 3 4 5 6 7 8 9; do
        bus=quickstart-$number
        "$build/tools/framebus" info --json "$bus" 2>/dev/null | grep -qE '"state": "(live|silent)"' || return 0
    done
    bus=
    die 'it runs nine times already'
}

# Starts a source into the bus; false if it ends before its first frame is there.
start_writer()
{
    gst-launch-1.0 -q "$@" ! framebussink bus="$bus" >"$build/quickstart.log" 2>&1 </dev/null &
    writer=$!
    for _ in $(seq 150); do
        kill -0 "$writer" 2>/dev/null || break
        case $("$build/tools/framebus" info "$bus" 2>/dev/null) in
        *"pid $writer,"*published*) return 0 ;;
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
    camera=$("$build/examples/camera" --list 2>/dev/null | awk 'NR == 1 { print $1 }') || true
    if [ -n "$camera" ]; then
        say "the camera $camera goes to the bus $bus"
        start_writer v4l2src device="$camera" ! decodebin ! videoconvert && return 0
        say "$camera does not deliver, perhaps another program uses it; a test pattern instead"
    else
        say "no camera here: a test pattern goes to the bus $bus"
    fi
    start_writer videotestsrc is-live=true ! video/x-raw,format=NV12,width=1280,height=720,framerate=30/1 || {
        cat "$build/quickstart.log" >&2
        die "the test pattern does not run (see above)"
    }
}

# To be stopped at once by ctrl-C or kill, it is waited for in the background.
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
    say "q in the window or ctrl-C here ends it; meanwhile try $build/tools/framebus ls"
    view && exit 0
    say 'the viewer could not open its window; a file instead'
fi
rm -f "$picture"
view --screenshot "$picture" || die 'the viewer could not write its picture'
say "what the viewer shows is in $picture"
