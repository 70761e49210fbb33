#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh TARGET CORPUS SECONDS: lets libFuzzer work for so long, from a copy of the corpus. Speaks TAP.
set -u
target=$1 corpus=$2 seconds=$3
name=$(basename "$target")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/corpus" "$work/found"

# A leak is looked for by the target itself (fds, frames); LeakSanitizer looks at the end.
"$target" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 \
    -artifact_prefix="$work/found/" "$work/corpus" "$corpus" >"$work/log" 2>&1
status=$?
executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
covered=$(grep -o 'cov: [0-9]*' "$work/log" | tail -n 1)
printf '# figure: %s: %s executions in %s s, %s edges\n' "$name" "${executed:-?}" "$seconds" "${covered#cov: }"
if [ $status = 0 ]; then
    printf 'ok 1 - %s, %s executions\n' "$name" "$executed"
else
    printf 'not ok 1 - %s\n' "$name"
    tail -n 60 "$work/log" | sed 's/^/# /'
    for file in "$work"/found/*; do
        [ -e "$file" ] && printf '# %s: %s\n' "$(basename "$file")" "$(base64 -w 0 "$file" | head -c 8000)"
    done
fi
printf '1..1\n'
[ $status = 0 ]
