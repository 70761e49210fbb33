# SPDX-License-Identifier: MIT
"""framebus-view on other displays than the usual one: Wayland (weston, in a window of an Xvfb: without a seat,
as with weston's headless backend, SDL 2.26 crashes in its initialisation), and dense ones."""
import os
import shutil
import subprocess

import pytest

from conftest import LIMIT, x_server
from picture import Image, difference

TOLERANCE = 4


@pytest.fixture(autouse=True)
def drivers_may_leak(monkeypatch):
    monkeypatch.setenv('ASAN_OPTIONS', os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0')


@pytest.fixture
def weston(spawn, display, tmp_path):
    """Starts a compositor with so many pixels for a unit of length; returns the environment to reach it by."""
    if not shutil.which('weston'):
        pytest.skip('weston is not installed')
    runtime = tmp_path / 'run'
    runtime.mkdir(mode=0o700)

    def start(scale):
        env = {'XDG_RUNTIME_DIR': str(runtime)}
        server = spawn('weston', '--backend=x11-backend.so', '--use-pixman', '--socket=framebus-test', '--no-config',
                       '--width=1000', '--height=700', f'--scale={scale}', '--idle-time=0',
                       env={**env, 'DISPLAY': display})
        server.until((runtime / 'framebus-test').exists, LIMIT, 'a compositor')
        return {**env, 'WAYLAND_DISPLAY': 'framebus-test'}
    yield start


def panel_begins(image):
    """Where the panel of the information begins on a white picture: 12 units from the corner."""
    return next(x for x in range(image.width) if image.at(x, 60) != (255, 255, 255))


def test_wayland(publish, spawn, build_dir, weston, tmp_path):
    env = weston(1)
    publish('cam0', format='NV12', size='160x120', rate=60)
    shot = tmp_path / 'wayland.png'
    viewer = spawn(build_dir / 'viewer/framebus-view', 'cam0', '--screenshot', shot, '--frames', '60',
                   '--driver', 'wayland', env=env)
    assert viewer.finish(60) == 0
    assert difference(Image(shot), 160, 120) <= TOLERANCE
    # Without being told which driver, and all the way to the screen.
    viewer = spawn(build_dir / 'viewer/framebus-view', 'cam0', '--frames', '60', '--overlay', env=env)
    assert viewer.finish(60) == 0


@pytest.mark.parametrize('scale', [1, 2])
def test_text_is_as_large_in_pixels_as_the_compositor_asks(publish, spawn, build_dir, weston, tmp_path, scale):
    env = weston(scale)
    publish('cam0', size='700x500', flat='1,1,1')
    shot = tmp_path / 'wayland.png'
    viewer = spawn(build_dir / 'viewer/framebus-view', 'cam0', '--screenshot', shot, '--geometry', '700x500',
                   '--overlay', '--driver', 'wayland', env=env)
    assert viewer.finish(60) == 0
    image = Image(shot)
    assert (image.width, image.height) == (700 * scale, 500 * scale)
    assert panel_begins(image) == 12 * scale


@pytest.mark.parametrize('dots, times', [(None, 1), (96, 1), (192, 2)])
def test_text_is_as_large_on_x11_as_people_have_set_it(publish, spawn, build_dir, tmp_path, dots, times):
    publish('cam0', size='1000x700', flat='1,1,1')
    shot = tmp_path / 'dense.png'
    with x_server() as name:
        if dots:
            subprocess.run(['xprop', '-root', '-f', 'RESOURCE_MANAGER', '8s', '-set', 'RESOURCE_MANAGER',
                            f'Xft.dpi:\t{dots}\n'], env={**os.environ, 'DISPLAY': name}, check=True)
        viewer = spawn(build_dir / 'viewer/framebus-view', 'cam0', '--screenshot', shot, '--overlay', '--driver', 'x11',
                       '--geometry', '1000x700', env={'DISPLAY': name})
        assert viewer.finish(60) == 0
    assert panel_begins(Image(shot)) == 12 * times
