# SPDX-License-Identifier: MIT
"""The README's first command, in a copy of the tree, from scratch."""
import os
import pathlib
import shutil
import signal
import struct
import subprocess

import documents
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

QUICKSTART = documents.commands('README.md', 'See a picture in a minute')

pytestmark = [pytest.mark.slow, documents.runs('README.md', QUICKSTART)]


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    """A copy without anything that was built."""
    copy = tmp_path_factory.mktemp('clone') / 'frame bus'
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns('build*', '.git', '__pycache__'))
    missing = subprocess.run([copy / 'examples' / 'packages.sh', '--list', 'build', 'view'], check=True,
                             stdout=subprocess.PIPE, text=True).stdout.split()
    if missing:
        pytest.skip(f'a test installs nothing, and there is no {", ".join(missing)}')
    return copy


@pytest.fixture
def quickstart(tree, spawn, tmp_path):
    """Runs it from another directory, with or without a display."""
    [command] = QUICKSTART

    def run(display=None):
        env = {'DISPLAY': display or '', 'WAYLAND_DISPLAY': '', 'HOME': str(tmp_path), 'GST_PLUGIN_PATH': ''}
        return spawn(tree / command, env=env, cwd='/')
    return run


def picture_of(process):
    """Path of the picture that the last line names, and its size in pixels."""
    line = process.out().splitlines()[-1]
    path = pathlib.Path(line.partition(' is in ')[2])
    data = path.read_bytes()
    assert data.startswith(b'\x89PNG\r\n\x1a\n')
    return path, struct.unpack('>II', data[16:24])


def colors(path):
    result = subprocess.run(['convert', path, '-resize', '64x64', '-unique-colors', 'txt:-'], check=True,
                            stdout=subprocess.PIPE, text=True)
    return len(result.stdout.splitlines()) - 1


def test_without_a_display_there_is_a_picture_every_time(quickstart, bus_dir):
    for limit in (600, 120):
        process = quickstart()
        assert process.finish(limit) == 0, process.err()
        path, (width, height) = picture_of(process)
        assert width >= 320 and height >= 240
        assert colors(path) > 50
        assert not [entry for entry in bus_dir.iterdir() if not entry.name.startswith('.')]
        path.unlink()


def test_with_a_display_there_is_a_window_until_ctrl_c(quickstart, display, bus_dir):
    process = quickstart(display)
    env = {**os.environ, 'DISPLAY': display}

    def window():
        return subprocess.run(['xdotool', 'search', '--class', '^framebus-view$'], env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.split()
    process.until(window, limit=300, what='its window')
    assert process.stop(signal.SIGTERM, limit=20) == 143
    assert not window()
    assert not [entry for entry in bus_dir.iterdir() if not entry.name.startswith('.')]
