#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing, builds in build-tests/, runs every test. The last line says how it went.
set -u
exec </dev/null

usage='Usage: tests/run.sh [OPTION]
  --quick    the suites without slow tests, sanitizers and clang (under three minutes)
  --soak     with tests that take many minutes
  --offline  installs nothing
The status is 0 if something ran and nothing failed.'

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$top/build-tests
sources=(lib gst-plugin pixels viewer tools gateway examples) # that the checkers look at
level=full
install=yes
export PATH="/usr/bin:/bin:$PATH" # meson, pytest and their python from the distribution, whatever else is there

for argument in "$@"; do
    case $argument in
    --quick) level=quick ;;
    --soak) level=soak ;;
    --offline) install=no ;;
    --help | -h)
        printf '%s\n' "$usage"
        exit 0
        ;;
    *)
        printf 'tests/run.sh: there is no option %s\n%s\n' "$argument" "$usage" >&2
        exit 2
        ;;
    esac
done

say()
{
    printf '\n== %s (%s s)\n' "$*" "$SECONDS"
}

# Runs a command as a test case of its own, and shows the end of what it said if it fails.
check()
{
    local name=$1 log=$out/check.log
    shift
    if "$@" >"$log" 2>&1; then
        printf 'ok - %s\n' "$name" >>"$out/checks.tap"
        return 0
    fi
    printf 'not ok - %s\n' "$name" >>"$out/checks.tap"
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

# suites DIRECTORY [ARGUMENT OF MESON TEST]...
suites()
{
    local directory=$out/$1
    shift
    directories+=("$directory")
    rm -rf "$directory/tests/results" "$directory/meson-logs"/testlog*
    timeout --foreground --kill-after=30 "$limit" "${wrapper[@]}" \
        meson test -C "$directory" --no-rebuild --print-errorlogs "${left_out[@]}" "$@"
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
    say "$name sanitizer: build, tests of $*"
    check "builds with -fsanitize=$kinds for $*" compile "$name" -Dwerror=true -Dtests=enabled -Dexamples=false \
        -Dpython=disabled -Db_sanitize="$kinds" "${parts[@]}" || return
    suites "$name" --timeout-multiplier 4 "${chosen[@]}"
}

# Names the files that clang-format would change; false if there are any.
unformatted()
{
    local file bad=0
    find "${sources[@]}" tests -name '*.[ch]' | sort >"$out/sources"
    while IFS= read -r file; do
        clang-format --dry-run --Werror "$file" 2>/dev/null && continue
        printf '%s: not formatted; this does it: clang-format -i %s\n' "$file" "$file"
        bad=1
    done <"$out/sources"
    return $bad
}

format_check()
{
    local version
    version=$(clang-format --version | grep -o 'version [0-9]*')
    if [ "$version" = 'version 14' ]; then
        check 'the source is formatted' unformatted
    else # each major version has ideas of its own
        printf 'ok - the source is formatted # SKIP needs clang-format 14, not %s\n' "$version" >>"$out/checks.tap"
    fi
}

# What valgrind can run: not what dies on purpose, plays with namespaces or needs its time.
under_valgrind()
{
    say 'valgrind: core tests'
    directories+=("$out/valgrind")
    rm -rf "$out/valgrind"
    mkdir -p "$out/valgrind/meson-logs"
    timeout --foreground --kill-after=30 "$limit" meson test -C "$out/main" --no-rebuild --print-errorlogs \
        --timeout-multiplier 10 \
        --wrap 'valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite' \
        unit-connection unit-format unit-header unit-meta unit-semaphore corpus-message corpus-answer corpus-index \
        corpus-header corpus-format process-quota process-ends process-change process-mended process-shortage \
        process-hostile-pool process-hostile-claims process-listing
    cp "$out/main/meson-logs/testlog-valgrind.json" "$out/valgrind/meson-logs/testlog.json"
}

# Both with a configuration that says what is left out and why: .clang-tidy, tests/cppcheck.supp.
checkers()
{
    say 'clang-tidy, cppcheck'
    check 'clang-tidy finds nothing' tidy
    check 'cppcheck finds nothing' cppcheck -q -j2 --enable=warning,performance,portability --std=c11 \
        --library=posix,gtk --inline-suppr --suppressions-list=tests/cppcheck.supp --error-exitcode=1 -D_GNU_SOURCE \
        '-DGST_ELEMENT_REGISTER_DEFINE(a,b,c,d)=' '-DGST_DEVICE_PROVIDER_REGISTER_DEFINE(a,b,c,d)=' \
        -Ilib/include -Ilib "${sources[@]}"
}

tidy()
{
    find "${sources[@]}" -maxdepth 1 -name '*.c' -print0 |
        xargs -0 -P2 -n4 clang-tidy -p "$out/clang" --quiet
}

case $level in
quick) limit=600 left_out=(--no-suite slow --no-suite soak --num-processes 3) ;; # most of them wait most of the time
full) limit=1200 left_out=(--no-suite soak) ;;
soak) limit=21600 left_out=(--timeout-multiplier 20) ;;
esac
cd "$top" || exit
mkdir -p "$out"
: >"$out/checks.tap"
directories=()
wrapper=()
export FRAMEBUS_TESTS=$level
unset CC CFLAGS LDFLAGS FRAMEBUS_DIR FRAMEBUS_BUILD FRAMEBUS_LOG

if [ $install = yes ]; then
    say 'packages'
    sets=(build view test)
    [ $level = quick ] || sets+=(deb vm)
    "$top/examples/packages.sh" "${sets[@]}" || printf 'going on with what is there\n'
fi

say 'gcc: build'
everything=(-Dtests=enabled -Dgst=enabled -Dviewer=enabled -Dtools=enabled -Drtsp=enabled -Dpython=enabled -Dexamples=true)
if CC=gcc check 'builds with gcc without a warning' compile main -Dwerror=true "${everything[@]}"; then
    say 'gcc: all suites'
    suites main
fi

say 'format of the source'
format_check

if [ $level != quick ]; then
    export ASAN_OPTIONS=abort_on_error=1:detect_leaks=1:strict_string_checks=1
    export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1
    export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
    sanitizer address address,undefined unit process gst
    # Without gst: GStreamer's own leaks would have to be told from those of the tools.
    sanitizer address-programs address,undefined tools viewer
    # With much address randomisation the thread sanitizer cannot place its shadow memory.
    setarch -R true 2>/dev/null && wrapper=(setarch -R)
    sanitizer thread thread unit process
    wrapper=()

    say 'clang: build'
    CC=clang check 'builds with clang without a warning' compile clang -Dwerror=true "${everything[@]}"

    checkers
    under_valgrind

    say 'fuzzers: build, and each goes on for a while'
    seconds=120
    [ $level = soak ] && seconds=3600
    if CC=clang check 'builds the fuzzers' compile fuzz -Dwerror=true -Dtests=enabled -Dgst=enabled -Dviewer=disabled \
        -Dtools=disabled -Drtsp=disabled -Dexamples=false -Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true \
        -Dfuzz_seconds=$seconds -Dc_args=-fsanitize=fuzzer-no-link; then
        suites fuzz --suite fuzz --num-processes 2 # as many as there are processors in CI
    fi
fi

say 'result'
python3 "$top/tests/summary.py" "$out/checks.tap" "${directories[@]}"
