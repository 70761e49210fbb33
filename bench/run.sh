#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the benchmarks in build-bench/, runs them, leaves figures, a table and plots in build-bench/bench/.
set -u
exec </dev/null

usage='Usage: bench/run.sh [--quick] [--offline] [NAME...]
  --quick    few samples, to see that it works
  --offline  installs nothing
  NAME       only these: wakeup, peers, scale, ... (a program bench-NAME or a script NAME.py)
The status is 0 if every one of them measured; aims that are missed are listed, and change nothing.'

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/.." && pwd)
build=$top/build-bench
out=$build/bench
quick=()
install=yes
names=()
export PATH="/usr/bin:/bin:$PATH" # meson, python and their modules from the distribution

for argument in "$@"; do
    case $argument in
    --quick) quick=(--quick) ;;
    --offline) install=no ;;
    --help | -h)
        printf '%s\n' "$usage"
        exit 0
        ;;
    -*)
        printf 'run.sh: there is no option %s\n%s\n' "$argument" "$usage" >&2
        exit 2
        ;;
    *) names+=("$argument") ;;
    esac
done

if [ "$install" = yes ]; then
    "$top/examples/packages.sh" build view test bench || exit 1
fi
if [ ! -e "$build/build.ninja" ]; then
    meson setup "$build" "$top" -Dbuildtype=release >/dev/null || exit 1
fi
ninja -C "$build" >/dev/null || {
    ninja -C "$build" # once more, to be read
    exit 1
}

rm -rf "$out"
mkdir -p "$out"
export FRAMEBUS_BUILD=$build FRAMEBUS_BENCH=$out PYTHONDONTWRITEBYTECODE=1
export GST_PLUGIN_PATH=$build/gst-plugin GST_REGISTRY=$build/tests/gst-registry.bin

wanted()
{
    local name
    [ ${#names[@]} = 0 ] && return 0
    for name in "${names[@]}"; do
        [ "$name" = "$1" ] && return 0
    done
    return 1
}

failed=()
ran=0
for program in "$build"/bench/bench-* "$here"/*.py; do
    { [ -f "$program" ] && [ -x "$program" ]; } || continue
    name=$(basename "$program" .py)
    name=${name#bench-}
    wanted "$name" || continue
    printf '\n==== %s\n' "$name"
    "$program" "${quick[@]}"
    status=$?
    case $status in
    0) ran=$((ran + 1)) ;;
    77) printf '%s: left out\n' "$name" ;;
    *) failed+=("$name ($status)") ;;
    esac
done

printf '\n==== all\n'
if [ $ran = 0 ]; then
    printf 'run.sh: nothing was measured\n' >&2
    exit 1
fi
python3 "$here/report.py" "$out" || failed+=(report.py)
printf 'figures, tables and plots: %s\n' "$out"
if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[*]}" >&2
    exit 1
fi
