# SPDX-License-Identifier: MIT
"""framebus-view on other displays than the usual one: Wayland (weston, in a window of an Xvfb: without a seat,
as with weston's headless backend, SDL 2.26 crashes in its initialisation), and dense ones."""
import os
import subprocess

import pytest

from conftest import LIMIT, need, x_server
from picture import Image, difference

TOLERANCE = 4


@pytest.fixture(autouse=True)
def drivers_may_leak(monkeypatch):
    monkeypatch.setenv('ASAN_OPTIONS', os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0')


@pytest.fixture
def weston(spawn, display, tmp_path):
    """Starts a compositor with so many pixels for a unit of length; returns the environment to reach it by."""
    need('weston')
    runtime = tmp_path / 'run'
    runtime.mkdir(mode=0o700)

    def start(scale, *options, width=1000, height=700):
        env = {'XDG_RUNTIME_DIR': str(runtime)}
        server = spawn('weston', '--backend=x11-backend.so', '--use-pixman', '--socket=framebus-test', '--no-config',
                       f'--width={width}', f'--height={height}', f'--scale={scale}', '--idle-time=0', *options,
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


@pytest.mark.parametrize('renderer, environment', [
    ('software', {}), ('opengl', {}), ('opengles2', {}),
    (None, {'SDL_FRAMEBUFFER_ACCELERATION': '0'})])  # then software drawing cannot reach the screen
def test_every_renderer_works_on_wayland(publish, spawn, build_dir, weston, tmp_path, renderer, environment):
    publish('cam0', format='NV12', size='160x120')
    shot = tmp_path / 'wayland.png'
    viewer = spawn(build_dir / 'viewer/framebus-view', 'cam0', '--screenshot', shot, '--frames', '5', '--driver', 'wayland',
                   *(['--renderer', renderer] if renderer else []), env={**weston(1), **environment})
    assert viewer.finish(60) == 0
    assert difference(Image(shot), 160, 120) <= TOLERANCE


def test_wayland_without_opengl_is_no_crash(publish, spawn, build_dir, weston):
    publish('cam0', size='160x120')
    # Where libglvnd hands OpenGL on; elsewhere there is one, and the picture is shown.
    viewer = spawn(build_dir / 'viewer/framebus-view', 'cam0', '--frames', '1', '--driver', 'wayland',
                   env={**weston(1), '__EGL_VENDOR_LIBRARY_FILENAMES': '/nonexistent'})
    status = viewer.finish(60)
    assert status == 0 or (status == 1 and 'no window can be opened' in viewer.err())


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


@pytest.mark.parametrize('scale', [1, 2])
def test_the_pointer_is_where_it_is_seen(publish, spawn, build_dir, display, weston, tmp_path, scale):
    """A click on one of two white pictures brings the information there. The compositor is an X server's only window."""
    width, height = 500 * scale, 300 * scale
    shot = tmp_path / 'screen.png'
    env = weston(scale, '--shell=kiosk-shell.so', width=500, height=300)
    for bus in ('left', 'right'):
        publish(bus, size='250x300', flat='1,1,1')
    viewer = spawn(build_dir / 'viewer/framebus-view', 'left', 'right', '--overlay', '--driver', 'wayland', env=env)

    def on_display(*argv):
        subprocess.run(argv, env={**os.environ, 'DISPLAY': display}, check=True)

    def informed():
        """Of which picture there is information: its left edge is dark."""
        on_display('import', '-window', 'root', '-crop', f'{width}x{height}+0+0', '+repage', str(shot))
        image = Image(shot)
        return [bus for bus, x in (('left', 20), ('right', 271)) if max(image.at(x * scale, 20 * scale)) < 70]

    viewer.until(lambda: informed() == ['left'], LIMIT, 'information')
    for bus, x in (('right', 300), ('left', 200)):
        on_display('xdotool', 'mousemove', str(x * scale), str(200 * scale), 'click', '1')
        viewer.until(lambda bus=bus: informed() == [bus], LIMIT, f'information on the {bus}')


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
