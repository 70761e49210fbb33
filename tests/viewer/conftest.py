# SPDX-License-Identifier: MIT
"""A display of our own, and the programs that the viewer's tests start.

display   the name of an Xvfb that runs as long as the tests of a file
publish   starts publish-picture: publish('cam0', format='NV12', size='320x240'); returns when a frame is out
gst_launch  starts gst-launch-1.0: gst_launch('cam0', 'videotestsrc ! framebussink bus=cam0'); returns when the bus is there
view      starts framebus-view on the display, as a Window
shoot     runs framebus-view --screenshot without a display; returns (status, Image or None, what it said)
"""
import contextlib
import os
import pathlib
import re
import select
import shutil
import subprocess

import pytest

from picture import Image

LIMIT = 20


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f'{tool} is not installed')


@contextlib.contextmanager
def x_server(*arguments):
    """Runs an Xvfb; yields its name."""
    need('Xvfb', 'xprop', 'xdotool', 'import')
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ['Xvfb', '-displayfd', str(writing), '-screen', '0', '1280x800x24', '-nolisten', 'tcp', '-noreset', *arguments],
        pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    number = b''
    # A whole line: the server ends when it cannot write all of it.
    with open(reading, 'rb', buffering=0) as pipe:
        while not number.endswith(b'\n') and select.select([pipe], [], [], 60)[0]:
            piece = pipe.read(1)
            if not piece:
                break
            number += piece
    if not number.endswith(b'\n'):
        server.kill()
        pytest.fail('Xvfb does not start')
    try:
        yield f':{int(number)}'
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope='module')
def display():
    with x_server() as name:
        yield name


@pytest.fixture
def window_manager(display, spawn):
    """Full screen is the window manager's affair."""
    need('openbox')
    process = spawn('openbox', env={'DISPLAY': display, 'HOME': '/nonexistent'})
    process.until(lambda: '_NET_WM_STATE_FULLSCREEN' in subprocess.run(
        ['xprop', '-root', '_NET_SUPPORTED'], env={**os.environ, 'DISPLAY': display}, capture_output=True,
        text=True).stdout, LIMIT, 'a window manager')
    return process


@pytest.fixture(autouse=True)
def image_magick():
    need('identify', 'convert')


@pytest.fixture(autouse=True)
def no_display_of_others(monkeypatch):
    for name in list(os.environ):
        if name in ('DISPLAY', 'WAYLAND_DISPLAY', 'XDG_RUNTIME_DIR') or name.startswith('SDL_'):
            monkeypatch.delenv(name)


@pytest.fixture
def publish(spawn, build_dir):
    def start(bus, *flags, **options):
        argv = [bus, *flags]
        for name, value in options.items():
            argv += [f'--{name}', str(value)]
        process = spawn(build_dir / 'tests/viewer/publish-picture', *argv)
        process.until(lambda: 'published' in process.out(), LIMIT, 'a published frame')
        return process
    return start


@pytest.fixture
def gst_launch(spawn, build_dir):
    if not list((build_dir / 'gst-plugin').glob('*.so')) or not shutil.which('gst-launch-1.0'):
        pytest.skip('built without the GStreamer plugin')

    def start(bus, pipeline):
        """A pipeline that publishes on the bus; returns when the bus is there."""
        process = spawn('gst-launch-1.0', '-q', *pipeline.split())
        process.until(lambda: (pathlib.Path(os.environ['FRAMEBUS_DIR']) / bus).exists(), 30, 'a bus')
        return process
    return start


@pytest.fixture
def shoot(spawn, build_dir, tmp_path):
    def run(*arguments, env=None):
        file = tmp_path / 'shot.png'
        file.unlink(missing_ok=True)
        process = spawn(build_dir / 'viewer/framebus-view', *arguments, '--screenshot', file, env=env)
        status = process.finish(60)
        return status, Image(file) if file.exists() else None, process.err()
    return run


class Window:
    """A running framebus-view and the window it has opened."""

    def __init__(self, process, display, tmp_path):
        self.process = process
        self.env = {**os.environ, 'DISPLAY': display}
        self.file = tmp_path / 'window.png'
        self.id = process.until(self.find, LIMIT, 'a window')

    def tool(self, *argv):
        return subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=60)

    def find(self):
        found = self.tool('xdotool', 'search', '--onlyvisible', '--pid', str(self.process.pid)).stdout.split()
        return found[-1] if found else None

    def title(self):
        return self.tool('xdotool', 'getwindowname', self.id).stdout.strip()

    def size(self):
        geometry = self.tool('xdotool', 'getwindowgeometry', self.id).stdout
        return tuple(map(int, re.search(r'Geometry: (\d+)x(\d+)', geometry).groups()))

    def image(self):
        """What is really on the screen."""
        done = self.tool('import', '-window', self.id, str(self.file))
        assert done.returncode == 0, done.stderr
        return Image(self.file)

    def has_focus(self):
        return self.tool('xdotool', 'getwindowfocus').stdout.strip() == self.id

    def key(self, *names):
        # Through the server, as from a keyboard: with --window a window that quits at the press makes xdotool
        # fail before the release, and the key stays down for whoever comes next.
        self.process.until(self.has_focus, LIMIT, 'the focus')
        done = self.tool('xdotool', 'key', *names)
        assert done.returncode == 0, done.stderr

    def point(self, x, y):
        """Moves the pointer there, within the window; from beside it, so that there is a motion to be told."""
        for at in (x + 1, y + 1), (x, y):
            done = self.tool('xdotool', 'mousemove', '--window', self.id, *map(str, at))
            assert done.returncode == 0, done.stderr

    def until(self, predicate, what):
        """Waits until predicate(image) is true; returns the image."""
        def look():
            image = self.image()
            return image if predicate(image) else None
        return self.process.until(look, LIMIT, what)


@pytest.fixture
def view(spawn, build_dir, display, tmp_path):
    def start(*arguments, env=None, cwd=None):
        # Graphics drivers leave a little unfreed, which is not ours to find.
        quiet = {'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'}
        process = spawn(build_dir / 'viewer/framebus-view', *arguments,
                        env={'DISPLAY': display, **quiet, **(env or {})}, cwd=cwd)
        return Window(process, display, tmp_path)
    return start
