# SPDX-License-Identifier: MIT
"""The rooms of lib/: arrows run one way between them, and no two files call each other. See lib/README.md."""
import pathlib
import re
import shutil
import subprocess

import pytest

LIB = pathlib.Path(__file__).resolve().parents[2] / 'lib'
BELOW = {  # what a room may call
    'shared': {'base', ''},
    'base': {'shared'},
    'bus': {'shared', 'base', ''},
    'writer': {'shared', 'base', 'bus', ''},
    'reader': {'shared', 'base', 'bus', ''},
    '': {'shared', 'base'},
}

pytestmark = pytest.mark.skipif(not shutil.which('nm'), reason='no nm')


def room(file):
    return file.rpartition('/')[0]


@pytest.fixture(scope='module')
def calls(build_dir):
    """For each file the files whose functions it uses."""
    defined, used = {}, {}
    for source in LIB.rglob('*.c'):
        file = str(source.relative_to(LIB).with_suffix(''))
        found = list(build_dir.glob(f'lib/libframebus-internal.a.p/{file.replace("/", "_")}.c.o'))
        assert len(found) == 1, file
        symbols = subprocess.run(['nm', found[0]], capture_output=True, text=True).stdout
        if not symbols:
            pytest.skip('nm cannot read what was built')
        used[file] = set(re.findall(r'^ +U (\w+)', symbols, re.M))
        defined.update((name, file) for name in re.findall(r'^[0-9a-f]+ [A-TV-Z] (\w+)', symbols, re.M))
    return {file: {defined[name] for name in names if name in defined} - {file} for file, names in used.items()}


def test_arrows_run_one_way(calls):
    wrong = [f'{file} -> {other}' for file, others in calls.items() for other in others
             if room(other) != room(file) and room(other) not in BELOW[room(file)]]
    assert not wrong


def test_no_files_call_each_other(calls):
    left = dict(calls)
    while lowest := [file for file, others in left.items() if not others & set(left)]:
        for file in lowest:
            del left[file]
    assert not left, f'in a circle: {sorted(left)}'
