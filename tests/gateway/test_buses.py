# SPDX-License-Identifier: MIT
"""Buses that come, go and change."""
import json
import pathlib
import re
import signal
import socket
import sys
import time

import pytest
from conftest import FFMPEG, SECONDS, run

ROOT = pathlib.Path(__file__).resolve().parents[2]

# A writer that has begun, and publishes nothing.
SILENT = '''
import framebus
with framebus.Writer('cam0', framebus.Format('NV12', 320, 240)) as writer:
    print('ready', flush=True)
    while True:
        writer.serve(1)
'''


def size_of(url):
    done = run('ffprobe', '-v', 'error', '-rtsp_transport', 'tcp', '-show_entries', 'stream=codec_name,width,height',
               '-of', 'json', url)
    assert done.returncode == 0, done.stderr
    [stream] = json.loads(done.stdout)['streams']
    return stream['codec_name'], stream['width'], stream['height']


def watch(spawn, url):
    client = spawn(*FFMPEG, '-stats', '-rtsp_transport', 'tcp', '-i', url, '-f', 'null', '-')
    client.until(lambda: 'frame=' in client.err(), SECONDS, 'pictures')
    return client


def test_an_absent_bus_is_404_until_it_comes(gateway, source, ask):
    g = gateway()
    began = time.monotonic()
    assert ask(g, 'cam0') == 'RTSP/1.0 404 Not Found'
    assert time.monotonic() - began < 5
    source('cam0', '--size', '320x240')
    assert ask(g, 'cam0') == 'RTSP/1.0 200 OK'
    assert size_of(g.url('cam0')) == ('h264', 320, 240)


@pytest.mark.parametrize('name', ['', '..', '.', '../cam0', './cam0', '%63am0', 'cam0%00', '-v', 'x' * 200])
def test_a_client_reaches_nothing_by_odd_names(gateway, source, ask, bus_dir, name):
    source('cam0', '--size', '320x240')
    assert ' 404 ' in ask(gateway(), name)
    assert ' 404 ' in ask(gateway(), f'{bus_dir}/cam0')  # and not from its working directory, /


def test_only_buses_that_are_named_are_served_and_paths_by_their_last_part(gateway, source, ask, bus_dir):
    for name in ('cam0', 'cam1', 'cam2'):
        source(name, '--size', '320x240')
    g = gateway('cam0', str(bus_dir / 'cam1'))
    assert [ask(g, name).split()[1] for name in ('cam0', 'cam1', 'cam2')] == ['200', '200', '404']


def test_what_a_killed_writer_left_is_404_and_a_stopped_one_503(gateway, source, ask):
    writer = source('cam0', '--size', '320x240')
    g = gateway()
    writer.send_signal(signal.SIGSTOP)
    assert ' 503 ' in ask(g, 'cam0')
    assert f'process {writer.pid}, does not answer' in g.process.err()
    writer.kill()
    assert ' 404 ' in ask(g, 'cam0')


def test_what_cannot_be_sent_is_415_and_said(gateway, launch, ask, framebus, wait_for):
    writer = launch('videotestsrc is-live=true ! pngenc ! framebussink bus=cam0')
    g = gateway()
    writer.until(lambda: b'image/png' in framebus('info', 'cam0').stdout, SECONDS)
    assert ' 415 ' in ask(g, 'cam0')
    assert 'cam0: there is no way to send image/png' in g.process.err()


def test_clients_wait_for_the_next_writer_and_get_its_pictures_in_the_first_size(gateway, source, relay, framebus,
                                                                                  readers):
    first = source('cam0', '--size', '640x480')
    g = gateway()
    client = relay(g.url('cam0'), 'far')
    assert framebus('check', '--wait', f'{SECONDS}s', '--for', '100ms', 'far').returncode == 0, client.report()
    first.kill()
    source('cam0', '--size', '800x600', '--format', 'BGRx', '--rate', '20')
    client.until(lambda: readers('cam0'), SECONDS, 'the next writer to be found')
    found = framebus('check', '--not-frozen', '--for', '2s', 'far')
    assert found.returncode == 0, (found.stdout, g.process.report())
    assert b'640x480' in framebus('info', 'far').stdout
    assert readers('cam0') == ['framebus-rtsp']  # those who come now share it


def test_the_end_of_the_stream_is_the_end_for_clients(gateway, source, spawn, ask):
    writer = source('cam0', '--size', '320x240')
    g = gateway()
    clients = [watch(spawn, g.url('cam0')) for _ in range(2)]
    assert writer.stop() == 0
    for client in clients:
        client.finish(SECONDS)
    assert ' 404 ' in ask(g, 'cam0')
    source('cam0', '--size', '640x480')
    assert size_of(g.url('cam0')) == ('h264', 640, 480)


def length_of(answer):
    """Of an RTSP message whose head is there."""
    body = re.search(rb'^Content-Length: (\d+)\r$', answer, re.MULTILINE)
    return answer.index(b'\r\n\r\n') + 4 + (int(body.group(1)) if body else 0)


def test_a_client_that_does_not_heed_the_end_is_disconnected(gateway, source):
    writer = source('cam0', '--size', '320x240')
    g = gateway()
    with socket.create_connection(('127.0.0.1', g.port), timeout=SECONDS) as sock:
        def request(number, method, url, head=''):
            sock.sendall(f'{method} {url} RTSP/1.0\r\nCSeq: {number}\r\n{head}\r\n'.encode())
            answer = b''
            while not re.search(rb'^RTSP.*\r\n\r\n', answer, re.DOTALL) or len(answer) < length_of(answer):
                more = sock.recv(4096)
                assert more, answer
                answer += more
            assert answer.startswith(b'RTSP/1.0 200 OK'), answer
            return answer.decode(errors='replace')
        request(1, 'DESCRIBE', g.url('cam0'))
        answer = request(2, 'SETUP', g.url('cam0/stream=0'), 'Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n')
        session = re.search(r'^Session: ([^;\r]+)', answer, re.MULTILINE).group(1)
        request(3, 'PLAY', g.url('cam0'), f'Session: {session}\r\n')
        assert writer.stop() == 0
        end = time.monotonic() + SECONDS
        while sock.recv(65536):  # what was on its way
            assert time.monotonic() < end, 'RTCP goes on'


def test_pictures_become_a_payload_clients_leave_and_come_back_to_it(gateway, source, launch, spawn, framebus):
    writer = source('cam0', '--size', '320x240')
    g = gateway()
    client = watch(spawn, g.url('cam0'))
    writer.kill()
    jpeg = launch('videotestsrc is-live=true ! video/x-raw,format=I420,width=160,height=120 ! jpegenc ! framebussink bus=cam0')
    client.finish(SECONDS)
    jpeg.until(lambda: b'image/jpeg' in framebus('info', 'cam0').stdout, SECONDS)
    assert size_of(g.url('cam0')) == ('mjpeg', 160, 120)
    assert 'cam0: ' in g.process.err()


def test_jpeg_that_rtp_cannot_send_is_503_at_once_and_said(gateway, launch, ask, framebus):
    writer = launch('videotestsrc is-live=true ! video/x-raw,format=Y444 ! jpegenc ! framebussink bus=cam0')
    g = gateway()
    writer.until(lambda: b'image/jpeg' in framebus('info', 'cam0').stdout, SECONDS)
    began = time.monotonic()
    assert ' 503 ' in ask(g, 'cam0')
    assert time.monotonic() - began < 15  # gst-rtsp-server would give up after 20
    assert 'cam0: RTP has no way to send this' in g.process.err()


def test_a_bus_on_which_nothing_comes_is_503_before_long(gateway, spawn, ask, build_dir):
    pytest.importorskip('numpy')
    writer = spawn(sys.executable, '-c', SILENT, env={'FRAMEBUS_LIBRARY': str(build_dir / 'lib' / 'libframebus.so.0'),
                                                      'PYTHONPATH': str(ROOT / 'python')})
    writer.until(lambda: 'ready' in writer.out(), SECONDS)
    g = gateway()
    began = time.monotonic()
    assert ' 503 ' in ask(g, 'cam0')
    assert time.monotonic() - began < 15  # gst-rtsp-server would give up after 20
    assert 'cam0: ' in g.process.err()
