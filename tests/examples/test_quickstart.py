# SPDX-License-Identifier: MIT
"""The README's first command, in a copy of the tree, from scratch."""
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess

import documents
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

QUICKSTART = documents.commands('README.md', 'See a picture in a minute')

BY_HAND = documents.commands('README.md', 'Build and test by hand')[:1]
ONE_TEST = [command for command in documents.commands('tests/README.md', 'One test') if '--suite' not in command]

pytestmark = pytest.mark.slow


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


@documents.runs('README.md', QUICKSTART)
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


@documents.runs('README.md', BY_HAND)
@documents.runs('tests/README.md', ONE_TEST)
@pytest.mark.parametrize('command', BY_HAND + ONE_TEST)
def test_one_may_go_on_by_hand(tree, monkeypatch, command):
    """In what the tests above have built."""
    for name in ('FRAMEBUS_BUILD', 'FRAMEBUS_RESULTS', 'GST_PLUGIN_PATH', 'GST_REGISTRY'):
        monkeypatch.delenv(name, raising=False)
    if 'test' in command and subprocess.run(['pkg-config', '--exists', 'cmocka']).returncode:
        pytest.skip('there is no cmocka, so no test was built')
    done = subprocess.run(['bash', '-c', command], cwd=tree, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, f'{done.stdout[-4000:]}{done.stderr[-4000:]}'
    if 'test' in command:
        assert re.search(r'process-hostile-pool|[1-9]\d* passed|^\[ +OK \]', done.stdout, re.MULTILINE), done.stdout
