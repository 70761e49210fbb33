#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing, builds in build-tests/, runs every test. The last line says how it went.
set -u
exec </dev/null

usage='Usage: tests/run.sh [OPTION]...
  --quick       the suites without slow tests, sanitizers, clang and other releases (under four minutes)
  --slow SUITE  with --quick: the slow tests of this suite as well
  --soak        with tests that take many minutes
  --releases    with every release and architecture that the project is for, not only the usual ones
  --offline     installs nothing
The status is 0 if something ran and nothing failed.'

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$top/build-tests
sources=(cli lib gst-plugin pixels viewer tools gateway examples) # that the checkers look at
known_compilers=' gcc-12 gcc-14 clang-14 clang-19 '               # whose warnings have been looked at
level=full
install=yes
slow=()
releases=()
export PATH="/usr/bin:/bin:$PATH" # meson, pytest and their python from the distribution, whatever else is there

wrong_usage()
{
    printf 'tests/run.sh: %s\n%s\n' "$1" "$usage" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    --quick) level=quick ;;
    --slow)
        [ $# -gt 1 ] || wrong_usage '--slow needs the name of a suite'
        slow+=("$2")
        shift
        ;;
    --soak) level=soak ;;
    --releases) releases=(--releases) ;;
    --offline) install=no ;;
    --help | -h)
        printf '%s\n' "$usage"
        exit 0
        ;;
    *) wrong_usage "there is no option $1" ;;
    esac
    shift
done

# part NAME: what follows belongs to this part of the run. The summary tells the minutes of each.
part()
{
    local tenths
    if [ -n "${part:-}" ]; then
        tenths=$(((SECONDS - part_begun + 3) / 6))
        minutes+=("$(printf '%3d.%d  %s' $((tenths / 10)) $((tenths % 10)) "$part")")
    fi
    part=$1 part_begun=$SECONDS
    printf '\n== %s (%s s)\n' "$part" "$SECONDS"
}

# result WORDS...: a line of TAP for something that is not a test of meson's.
result()
{
    printf '%s\n' "$*" >>"$out/checks.tap"
}

# Runs a command as a test case of its own, and shows the end of what it said if it fails.
check()
{
    local name=$1 log=$out/check.log
    shift
    if "$@" >"$log" 2>&1; then
        result "ok - $name"
        return 0
    fi
    result "not ok - $name"
    grep -v '^\[[0-9]*/[0-9]*\] ' "$log" | tail -n 60
    printf 'failed: %s\n' "$name"
    return 1
}

# compile DIRECTORY [MESON OPTION]...
compile()
{
    local directory=$out/$1
    shift
    if [ -e "$directory/build.ninja" ]; then
        meson configure "$directory" "$@" && ninja -C "$directory"
    else
        meson setup "$directory" "$top" "$@" && ninja -C "$directory"
    fi
}

# Judges the warnings of the build that has just been made: newer compilers find something new in any code.
warnings_check()
{
    local version
    version=$("$1" -dumpversion)
    if [[ $known_compilers != *" $1-${version%%.*} "* ]]; then
        result "ok - $1 warns of nothing # SKIP judged with${known_compilers}only, not $1-${version%%.*}"
        return
    fi
    grep -E 'warning: ' "$out/check.log" >"$out/warnings"
    check "$1 warns of nothing" awk '{ print } END { exit NR > 0 }' "$out/warnings"
}

# suites DIRECTORY [ARGUMENT OF MESON TEST]...
suites()
{
    local directory=$out/$1 log=testlog options=() i
    shift
    if [[ " ${directories[*]} " != *" $directory "* ]]; then
        directories+=("$directory")
        rm -rf "$directory/tests/results" "$directory"/meson-logs/testlog*
    fi
    timeout --foreground --kill-after=30 "$limit" "${wrapper[@]}" \
        meson test -C "$directory" --no-rebuild --print-errorlogs "$@"
    for ((i = 1; i <= $#; i++)); do
        case ${!i} in
        --timeout-multiplier) options+=("${@:i:2}") ;;
        --logbase) log=${*:i+1:1} ;;
        --wrap) return ;; # valgrind is not impatient
        esac
    done
    timeout --foreground --kill-after=30 "$limit" "${wrapper[@]}" \
        "$top/tests/again" "$directory" "$log" "${options[@]}"
}

# sanitizer NAME KINDS SUITE...: builds what these suites need, and runs them. Of gst only the programs that are
# built here: an interpreter or gst-launch-1.0 could not load a plugin with a sanitizer.
sanitizer()
{
    local name=$1 kinds=$2 suite part parts=(-Dgst=disabled -Dviewer=disabled -Dtools=disabled -Drtsp=disabled) chosen=()
    shift 2
    for suite in "$@"; do
        for part in gst viewer tools; do
            [ "$suite" = $part ] && parts+=("-D$part=enabled")
        done
        chosen+=(--suite "$suite")
    done
    check "builds with -fsanitize=$kinds for $*" compile "$name" -Dtests=enabled -Dexamples=false \
        -Dpython=disabled -Db_sanitize="$kinds" "${parts[@]}" || return
    suites "$name" "${left_out[@]}" --timeout-multiplier 4 "${chosen[@]}"
}

unformatted()
{
    find "${sources[@]}" bench tests '(' -name '*.[ch]' -o -name '*.[ch]pp' ')' -print0 |
        xargs -0 -P2 -n32 clang-format --dry-run --Werror
}

format_check()
{
    local version
    version=$(clang-format --version | grep -o 'version [0-9]*')
    if [ "$version" = 'version 14' ]; then
        check 'the source is formatted' unformatted
    else # each major version has ideas of its own
        result "ok - the source is formatted # SKIP needs clang-format 14, not $version"
    fi
}

# What valgrind can run: not what dies on purpose, plays with namespaces or needs its time.
under_valgrind()
{
    suites main --timeout-multiplier 10 \
        --wrap 'valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite' \
        unit-socket unit-format unit-pool-header unit-meta unit-semaphore corpus-message corpus-answer corpus-index \
        corpus-header corpus-format process-quota process-end-and-close process-pool-change process-regressions process-faults \
        process-hostile-pool process-hostile-claims process-listing
}

# Both with a configuration that says what is left out and why: .clang-tidy, tests/cppcheck.supp.
checkers()
{
    check 'clang-tidy finds nothing' tidy
    check 'cppcheck finds nothing' cppcheck -q -j2 --enable=warning,performance,portability --std=c11 \
        --library=posix,gtk --inline-suppr --suppressions-list=tests/cppcheck.supp --error-exitcode=1 -D_GNU_SOURCE \
        '-DGST_ELEMENT_REGISTER_DEFINE(a,b,c,d)=' '-DGST_DEVICE_PROVIDER_REGISTER_DEFINE(a,b,c,d)=' \
        '-DGST_ELEMENT_REGISTER_DECLARE(a)=' '-DGST_DEVICE_PROVIDER_REGISTER_DECLARE(a)=' \
        -Ilib/include -Ilib "${sources[@]}"
}

# Of what is built here: the headers of the rest may be missing.
tidy()
{
    local file
    find "${sources[@]}" -name '*.c' | while read -r file; do
        grep -qF "/$file\"" "$out/clang/compile_commands.json" && printf '%s\0' "$file"
    done | xargs -0 -P2 -n4 clang-tidy -p "$out/clang" --quiet
}

# other_machines KIND: tests/KIND/run leaves, for each machine that it makes, a directory of results in
# build-tests/KIND, and a line about it in report there.
other_machines()
{
    local options=("${releases[@]}") directory
    [ $install = yes ] || options+=(--offline)
    mkdir "$out/$1"
    "$top/tests/$1/run" "${options[@]}" --out "$out/$1"
    [ -s "$out/$1/checks.tap" ] || result "not ok - tests/$1/run leaves results"
    cat "$out/$1/checks.tap" >>"$out/checks.tap"
    for directory in "$out/$1"/*/; do
        [ -d "$directory" ] && directories+=("${directory%/}")
    done
}

case $level in
quick) limit=600 left_out=(--no-suite slow --no-suite soak --num-processes 3) ;; # most of them wait most of the time
full) limit=2700 left_out=(--no-suite soak) ;;
soak) limit=21600 left_out=(--timeout-multiplier 20) ;;
esac
cd "$top" || exit
mkdir -p "$out"
rm -rf "$out/cross" "$out/releases"
: >"$out/checks.tap"
directories=()
minutes=()
wrapper=()
export FRAMEBUS_TESTS=$level
unset CC CFLAGS LDFLAGS FRAMEBUS_DIR FRAMEBUS_BUILD FRAMEBUS_LOG

if [ $install = yes ]; then
    part 'packages'
    sets=(build view test)
    [ $level = quick ] || sets+=(deb vm cross)
    "$top/examples/packages.sh" "${sets[@]}" || printf 'going on with what is there\n'
fi

part 'gcc: build'
everything=(-Dtests=enabled -Dgst=enabled -Dviewer=enabled -Dtools=enabled -Drtsp=enabled -Dpython=enabled -Dexamples=true)
if CC=gcc check 'builds with gcc' compile main "${everything[@]}"; then
    warnings_check gcc
    part 'gcc: all suites'
    suites main "${left_out[@]}" "${slow[@]/#/--no-suite=}"
    for suite in "${slow[@]}"; do
        part "gcc: $suite with its slow tests"
        FRAMEBUS_TESTS=full suites main --no-suite soak --suite "$suite" --logbase "testlog-$suite"
    done
fi

part 'format of the source'
format_check

if [ $level != quick ]; then
    export ASAN_OPTIONS=abort_on_error=1:detect_leaks=1:strict_string_checks=1
    export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1
    export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
    part 'address sanitizer: library and GStreamer pair'
    sanitizer address address,undefined unit process gst
    # Without gst: GStreamer's own leaks would have to be told from those of the tools.
    part 'address sanitizer: programs'
    sanitizer address-programs address,undefined pixels tools viewer
    part 'thread sanitizer'
    # With much address randomisation the thread sanitizer cannot place its shadow memory.
    setarch -R true 2>/dev/null && wrapper=(setarch -R)
    sanitizer thread thread unit process gst
    wrapper=()

    part 'clang: build'
    CC=clang CXX=clang++ check 'builds with clang' compile clang "${everything[@]}" && warnings_check clang
    part 'clang-tidy, cppcheck'
    checkers
    part 'valgrind: core tests'
    under_valgrind

    part 'fuzzers: build, and each goes on for a while'
    seconds=30
    [ $level = soak ] && seconds=3600
    if CC=clang check 'builds the fuzzers' compile fuzz -Dtests=enabled -Dgst=enabled -Dviewer=disabled \
        -Dtools=disabled -Drtsp=disabled -Dexamples=false -Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true \
        -Dfuzz_seconds=$seconds -Dc_args=-fsanitize=fuzzer-no-link; then
        suites fuzz --suite fuzz --num-processes 2 # as many as there are processors in CI
    fi

    part 'other architectures'
    other_machines cross
    part 'other releases'
    other_machines releases
fi

part 'result'
printf 'minutes\n'
printf '%s\n' "${minutes[@]}"
cat "$out"/*/report 2>/dev/null
python3 "$top/tests/summary.py" "$out/checks.tap" "${directories[@]}"
