#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# hardening.sh OPTIMIZED LIBRARY [FILE]...: all are linked and compiled with the means against mistakes that
# meson.build asks for. Speaks TAP.
set -u
optimized=$1
shift
number=0 status=0

# has NAME PATTERN COMMAND...
has()
{
    local name=$1 pattern=$2
    shift 2
    number=$((number + 1))
    if "$@" "$file" | grep -q -- "$pattern"; then
        printf 'ok %s - %s: %s\n' $number "${file##*/}" "$name"
    else
        printf 'not ok %s - %s: %s\n' $number "${file##*/}" "$name"
        status=1
    fi
}

for file in "$@"; do
    has 'relocations are read-only' GNU_RELRO readelf -lW
    has 'and made at once' 'BIND_NOW\|FLAGS.*NOW' readelf -dW
    has 'the stack is not executable' 'GNU_STACK.* RW ' readelf -lW
    has 'it can be loaded anywhere' 'Type: *DYN' readelf -hW
    has 'the stack is guarded' __stack_chk_fail readelf -sW --dyn-syms
done
file=$1
[ "$optimized" = 0 ] || has 'buffers have checked calls' '_chk@' readelf -sW --dyn-syms
printf '1..%s\n' $number
exit $status
