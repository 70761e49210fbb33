# SPDX-License-Identifier: MIT
"""docs/using/recipes.md on one machine: the test picture of a bus is seen at the other end of other programs.

What differs from an ordinary desktop: windows open on an X server without a graphics card, so mpv is told so by its
configuration file; VLC, which refuses root, gets a user namespace in which root is somebody else; chromium has no sandbox; in
place of port 8080 stands one that nobody else uses.
"""
import json
import os
import signal
import socket
import subprocess
import urllib.request

import documents
import needs
import pipewire
import pytest

PAGE = 'docs/using/recipes.md'
FFMPEG = documents.commands(PAGE, 'ffmpeg')
BROWSER = documents.commands(PAGE, 'Browser')
PIPEWIRE = documents.commands(PAGE, 'PipeWire')
ENOUGH = 2000  # pixels of each bar, in a picture of whatever scale


def found_in(counts):
    return all(number > ENOUGH for number in counts.values())


@pytest.fixture
def passes(wait_for, build_dir):
    """Waits until a second of the bus is such as it should be: `framebus check`."""
    def check(process, bus, *options):
        command = [build_dir / 'tools' / 'framebus', 'check', '--wait', '10s', '--for', '1s', *options, bus]
        process.until(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0,
                      60, f'a good second of {bus}')
    return check


@documents.runs(PAGE, FFMPEG)
def test_ffmpeg_writes_and_reads_a_bus(shell, passes, tmp_path):
    needs.programs('ffmpeg', 'ffprobe')
    into, out_of = FFMPEG
    source = shell(into, 'setsid')
    passes(source, 'cam1', '--not-frozen')
    assert shell(out_of).finish(60) == 0
    said = subprocess.run(['ffprobe', '-v', 'error', '-count_frames', '-show_entries', 'stream=width,nb_read_frames',
                           '-of', 'json', tmp_path / 'cam1.mp4'], capture_output=True, check=True).stdout
    [stream] = json.loads(said)['streams']
    assert stream['width'] == 640 and int(stream['nb_read_frames']) == 60
    os.killpg(source.pid, signal.SIGINT)  # as Ctrl-C does: everybody in the pipe at once
    source.finish(20)


@pytest.fixture
def screen_shows(display, bars, tmp_path):
    """True if the test picture is on the screen."""
    def look():
        subprocess.run(['import', '-display', display, '-window', 'root', tmp_path / 'screen.png'], check=True, timeout=60)
        return found_in(bars(tmp_path / 'screen.png'))
    return look


@pytest.mark.parametrize('command', documents.params(PAGE, 'Players'))
def test_a_player_shows_a_bus(cam0, shell, display, screen_shows, tmp_path, command):
    player = command.partition('| ')[2].split()[0]
    needs.programs(player, 'import')
    before = ['setsid']
    if player == 'cvlc' and os.geteuid() == 0:
        before += ['unshare', '--user', '--map-user=1000', '--map-group=1000']
        if subprocess.run([*before, 'true'], stderr=subprocess.DEVNULL).returncode:
            pytest.skip('VLC does not run as root, and there are no user namespaces here')
    if player == 'mpv':
        (tmp_path / '.config' / 'mpv').mkdir(parents=True)
        (tmp_path / '.config' / 'mpv' / 'mpv.conf').write_text('vo=x11\n')
    process = shell(command, *before, env={'DISPLAY': display, 'SDL_AUDIODRIVER': 'dummy', 'TERM': 'dumb'})
    try:
        process.until(screen_shows, 60, 'the picture on the screen')
    finally:
        os.killpg(process.pid, signal.SIGTERM)
    process.finish(20)


@pytest.fixture
def port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return str(sock.getsockname()[1])


@documents.runs(PAGE, BROWSER)
def test_a_browser_shows_a_bus(cam0, shell, port, bars, wait_for, build_dir, tmp_path):
    needs.programs('socat', 'chromium-headless-shell')
    needs.elements('multipartmux', 'jpegenc')
    [command] = BROWSER
    server = shell(command.replace('8080', port), 'setsid')

    def seen(seconds):
        """The page never ends, and a browser that comes too early or goes too soon has no picture to show."""
        assert server.running(), server.err()
        subprocess.run(['chromium-headless-shell', '--no-sandbox', f'--user-data-dir={tmp_path}/chromium',
                        f'--timeout={1000 * seconds}', f'--screenshot={tmp_path}/page.png', '--window-size=800,600',
                        f'http://localhost:{port}/'],
                       env={**os.environ, 'HOME': str(tmp_path)}, capture_output=True, timeout=seconds + 60)
        return (tmp_path / 'page.png').exists() and found_in(bars(tmp_path / 'page.png'))
    assert any(seen(2 ** power) for power in range(1, 6))
    # Chromium would take less for an answer than others do.
    with urllib.request.urlopen(f'http://localhost:{port}/', timeout=20) as answer:
        assert answer.status == 200
        assert answer.headers['Content-Type'] == 'multipart/x-mixed-replace; boundary=frame'
        assert answer.readline().strip() == b'--frame'

    def readers():
        info = subprocess.run([build_dir / 'tools' / 'framebus', 'info', '--json', 'cam0'], capture_output=True, check=True)
        return json.loads(info.stdout).get('readers', [])
    wait_for(lambda: not readers(), 20, 'the end of the encoder, after its client')
    os.killpg(server.pid, signal.SIGTERM)
    server.finish(20)


def obs_settings(home, port):
    """What a user leaves behind who has added one Media Source by hand, as docs/using/recipes.md says."""
    settings = home / '.config' / 'obs-studio'
    (settings / 'basic' / 'scenes').mkdir(parents=True)
    # A first run would ask, and a later version would tell its news.
    (settings / 'global.ini').write_text('[General]\nFirstRun=true\nInfoIncrement=99\nEnableAutoUpdates=false\n'
                                         '[Basic]\nSceneCollection=Untitled\nSceneCollectionFile=Untitled\n')
    place = {'x': 0.0, 'y': 0.0}
    item = {'name': 'cam0', 'id': 1, 'visible': True, 'align': 5, 'pos': place, 'scale': {'x': 1.0, 'y': 1.0}, 'bounds': place}
    media = {'is_local_file': False, 'input': f'http://localhost:{port}/', 'reconnect_delay_sec': 1}
    scenes = {'name': 'Untitled', 'current_scene': 'Scene', 'current_program_scene': 'Scene', 'scene_order': [{'name': 'Scene'}],
              'sources': [{'id': 'ffmpeg_source', 'name': 'cam0', 'enabled': True, 'settings': media},
                          {'id': 'scene', 'name': 'Scene', 'enabled': True, 'settings': {'id_counter': 1, 'items': [item]}}]}
    (settings / 'basic' / 'scenes' / 'Untitled.json').write_text(json.dumps(scenes))


def test_obs_shows_a_bus(cam0, shell, port, spawn, display, screen_shows, tmp_path):
    needs.programs('obs', 'socat', 'import')
    needs.elements('multipartmux', 'jpegenc')
    [command] = BROWSER
    server = shell(command.replace('8080', port), 'setsid')
    obs_settings(tmp_path, port)
    obs = spawn('obs', '--multi', env={'DISPLAY': display, 'HOME': str(tmp_path), 'XDG_RUNTIME_DIR': str(tmp_path),
                                       'LIBGL_ALWAYS_SOFTWARE': '1'})
    try:
        obs.until(screen_shows, 60, 'the picture in its preview')
    finally:
        obs.kill()
        os.killpg(server.pid, signal.SIGTERM)
    server.finish(20)


@documents.runs(PAGE, PIPEWIRE)
def test_pipewire_has_the_bus_as_a_camera(session, cam0, shell, passes):
    needs.elements('pipewiresink', 'pipewiresrc')
    into, out_of = PIPEWIRE
    camera = shell(f'exec {into}')

    camera.until(lambda: ('cam0', 'Video/Source') in pipewire.nodes(), 30, 'the camera')
    reader = shell(f'exec {out_of}')
    passes(reader, 'cam2', '--test')
    assert reader.stop() == 0, reader.report()
    camera.stop()  # which may have ended badly with its last viewer
