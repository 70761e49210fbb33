#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The binary interface of the library, as lib/libframebus.abi describes it: what abidw reads in a library's debug
information about the functions it exports and the types that framebus.h gives them. It looks different after another
compiler, and for another kind of processor; so it says whose work it is.

    abi.py LIBRARY      makes lib/libframebus.abi anew (meson compile -C build abi-update)
"""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = ROOT / 'lib' / 'libframebus.abi'
OPTIONS = ['--headers-dir', ROOT / 'lib' / 'include', '--drop-private-types', '--exported-interfaces-only',
           '--drop-undefined-syms', '--no-elf-needed', '--no-corpus-path', '--no-comp-dir-path', '--no-show-locs',
           '--type-id-style', 'hash']
INCOMPATIBLE = '''\
The interface is not the one that programs were compiled for (lib/libframebus.abi):

{difference}
If programs have to be compiled again, give the library another soname: the next number as soversion in lib/meson.build,
and in the names of packages in packaging/debian. If functions were only added, or no release has had what was changed, it
keeps its soname. Then run: meson compile -C build abi-update'''


def missing():
    """What this machine lacks, as a sentence; None if there is all."""
    for program, package in (('abidw', 'abigail-tools'), ('abidiff', 'abigail-tools'), ('readelf', 'binutils')):
        if not shutil.which(program):
            return f'there is no {program} (package {package})'
    return None


def maker(library):
    """The compiler and the kind of processor of a library, such as "GNU C11 12, elf-amd-x86_64"; None without debug
    information."""
    said = subprocess.run(['readelf', '--debug-dump=info', library], capture_output=True, text=True, check=True).stdout
    producer = re.search(r'DW_AT_producer.*?: (?:\(.*?\): )?(\D.*? \d+)\.', said)
    machine = re.search(r"architecture='(.*?)'", describe(library))
    return f'{producer[1]}, {machine[1]}' if producer else None


def describe(library):
    text = subprocess.run(['abidw', *OPTIONS, library], capture_output=True, text=True, check=True).stdout
    return re.sub(r" path='[^']*/lib/", " path='lib/", text)


def maker_of(file):
    return re.search(r'^<!-- (.*?): ', file.read_text(), re.MULTILINE)[1]


def difference(old, new):
    """What abidiff says of two descriptions; empty if programs for the old one run with the new one, and nothing is new."""
    done = subprocess.run(['abidiff', old, new], capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ''


def update(library):
    lacks = missing() or (None if maker(library) else f'{library} has no debug information: -Dbuildtype=debugoptimized')
    if lacks:
        sys.exit(f'abi.py: {lacks}')
    FILE.write_text(f'{describe(library)}<!-- {maker(library)}: made by tests/abi/abi.py, do not edit -->\n')


if __name__ == '__main__':
    update(sys.argv[1])
