# SPDX-License-Identifier: MIT
"""Fixtures for the commands of docs/using/recipes.md.

cam0        a bus with the test picture of `framebus test`
shell       starts a command as it is written, in an empty directory that is also its home: shell('framebus recv ...')
bars        of a picture's file: how many pixels each of the test picture's colours has, by name
"""
import os
import pathlib
import sys

import pytest
from pipewire import session  # noqa: F401

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get('FRAMEBUS_BUILD', ROOT / 'build')).resolve()

# For this process and for everything that it starts.
os.environ['FRAMEBUS_LIBRARY'] = str(BUILD / 'lib' / 'libframebus.so.0')
os.environ['PYTHONPATH'] = str(ROOT / 'python')
os.environ['PYTHONDONTWRITEBYTECODE'] = '1'
sys.path.insert(0, os.environ['PYTHONPATH'])


@pytest.fixture
def cam0(spawn, build_dir):
    source = spawn(build_dir / 'tools' / 'framebus', 'test', '--size', '640x480', '--format', 'I420', 'cam0')
    source.until(lambda: 'publishing' in source.err(), what='its first frame')
    return source


@pytest.fixture
def shell(spawn, build_dir, tmp_path):
    def start(command, *before, env=None):
        more = {'PATH': f'{build_dir / "tools"}:{os.environ["PATH"]}', 'HOME': str(tmp_path), **(env or {})}
        return spawn(*before, 'bash', '-c', command, env=more, cwd=tmp_path)
    return start


def is_bar(name):
    """Colours of three quarters or so, each part of which is there (y) or not (n)."""
    return lambda color: all(150 < part < 230 if letter == 'y' else part < 70 for part, letter in zip(color, name))


BARS = {'yellow': is_bar('yyn'), 'cyan': is_bar('nyy'), 'green': is_bar('nyn'), 'magenta': is_bar('yny'),
        'red': is_bar('ynn'), 'blue': is_bar('nny')}


@pytest.fixture
def bars():
    image = pytest.importorskip('PIL.Image')

    def count(path):
        with image.open(path) as picture:
            colors = picture.convert('RGB').getcolors(1 << 24)
        return {name: sum(number for number, color in colors if fits(color)) for name, fits in BARS.items()}
    return count
