#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds Debian packages of this tree in a copy of it, where packaging/debian is debian/ as dpkg wants it.
set -eu

usage='Usage: build-debs.sh [DIRECTORY]
Builds Debian packages and leaves them in DIRECTORY [build-debs beside packaging/].'

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case ${1:-} in
-*)
    printf '%s\n' "$usage"
    [ "$1" = --help ] || [ "$1" = -h ] || exit 2
    exit 0
    ;;
esac
mkdir -p "${1:-$top/build-debs}"
out=$(cd "${1:-$top/build-debs}" && pwd)
export PATH="/usr/bin:/bin:$PATH" # meson and its python from the distribution, whatever else is there

if ! command -v dpkg-buildpackage >/dev/null || ! command -v dh >/dev/null; then
    printf 'build-debs.sh: dpkg-dev or debhelper is missing: %s/examples/packages.sh build deb installs them\n' "$top" >&2
    exit 1
fi

# What git knows, or all but builds where this is no clone.
files()
{
    git ls-files -z --cached --others --exclude-standard 2>/dev/null ||
        find . -path './build*' -prune -o -path ./.git -prune -o -type f -print0
}

copy=$out/framebus
rm -rf "$copy" "$out"/*.deb
mkdir "$copy"
cd "$top"
files | while IFS= read -r -d '' file; do
    [ ! -e "$file" ] || printf '%s\0' "$file" # it may be deleted and not yet committed
done | tar --null --files-from=- --create | tar --extract --directory="$copy"
cp -r "$copy/packaging/debian" "$copy/debian"

cd "$copy"
if ! dpkg-buildpackage --build=binary --no-sign >"$out/build.log" 2>&1 </dev/null; then
    tail -n 40 "$out/build.log" >&2
    printf 'build-debs.sh: dpkg-buildpackage failed; all that it said is in %s\n' "$out/build.log" >&2
    exit 1
fi
rm -rf "$copy"
printf '%s\n' "$out"/*.deb
