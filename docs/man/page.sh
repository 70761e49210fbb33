#!/bin/sh
# SPDX-License-Identifier: MIT
# page.sh SCDOC <SOURCE: a man page. Its first line asks for tbl, which draws tables; scdoc does not say so.
printf '%s\n' "'\\\" t"
exec "$@"
