#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes one object of an archive, in which only the names of a pattern are global: those of the rooms, which are short,
# could be a static program's own, too. Usage: archive.sh ARCHIVE OBJECT PATTERN OBJCOPY COMPILER...
set -eu

archive=$1 object=$2 pattern=$3 objcopy=$4
shift 4
"$@" -r -nostdlib -Wl,--whole-archive "$archive" -Wl,--no-whole-archive -o "$object"
"$objcopy" --wildcard --keep-global-symbol="$pattern" "$object"
