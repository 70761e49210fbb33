#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# hardening.sh LIBRARY OPTIMIZED: the library is linked and compiled with the means against mistakes that
# meson.build asks for. Speaks TAP.
set -u
library=$1 optimized=$2
number=0 status=0

# has NAME PATTERN COMMAND...
has()
{
    local name=$1 pattern=$2
    shift 2
    number=$((number + 1))
    if "$@" "$library" | grep -q -- "$pattern"; then
        printf 'ok %s - %s\n' $number "$name"
    else
        printf 'not ok %s - %s\n' $number "$name"
        status=1
    fi
}

printf '1..%s\n' $((optimized ? 5 : 4))
has 'relocations are read-only' GNU_RELRO readelf -lW
has 'and made at once' 'BIND_NOW\|FLAGS.*NOW' readelf -dW
has 'the stack is not executable' 'GNU_STACK.* RW ' readelf -lW
has 'the stack is guarded' __stack_chk_fail readelf -sW --dyn-syms
[ "$optimized" = 0 ] || has 'buffers have checked calls' '_chk@' readelf -sW --dyn-syms
exit $status
