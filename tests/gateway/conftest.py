# SPDX-License-Identifier: MIT
"""Fixtures for tests of framebus-rtsp, with the clients that people use.

gateway     starts it on a free port: g = gateway('--verbose'); g.url('cam0')
source      framebus test: source('cam0', '--size', '320x240')
launch      gst-launch-1.0
relay       an RTSP client that puts what it receives on a bus of its own
ask         one request by hand; returns the status line

Without the elements and programs that they take the test is skipped.
"""
import json
import re
import socket
import subprocess

import needs
import pytest

STRICT = {'G_DEBUG': 'fatal-criticals', 'GST_DEBUG_NO_COLOR': '1'}
SECONDS = 60  # for whatever must come sooner or later
FFMPEG = ['ffmpeg', '-nostdin', '-loglevel', 'error']


def run(*argv, limit=SECONDS):
    return subprocess.run([str(arg) for arg in argv], stdin=subprocess.DEVNULL, capture_output=True, timeout=limit)


@pytest.fixture
def framebus(build_dir, bus_dir):
    """Runs `framebus ARGUMENTS`; the result has returncode, stdout and stderr."""
    return lambda *argv: run(build_dir / 'tools' / 'framebus', *argv)


@pytest.fixture
def readers(framebus):
    """The labels of those who read a bus."""
    def look(name):
        result = framebus('info', '--json', name)
        return [reader['label'] for reader in json.loads(result.stdout)['readers']] if result.returncode == 0 else []
    return look


@pytest.fixture
def launch(spawn):
    def start(words, **env):
        needs.elements(*needs.elements_of(words))
        return spawn('gst-launch-1.0', '-m', *words.split(), env={**STRICT, **env})
    return start


@pytest.fixture
def source(spawn, build_dir):
    def start(name, *argv):
        process = spawn(build_dir / 'tools' / 'framebus', 'test', *argv, name)
        process.until(lambda: 'publishing' in process.err(), what='the first frame')
        return process
    return start


class Gateway:
    def __init__(self, process):
        self.process = process
        head = process.until(lambda: re.search(r'^rtsp://.*:(\d+)/NAME, .*$', process.out(), re.MULTILINE), SECONDS,
                             'its address')
        self.line, self.port = head.group(0), int(head.group(1))

    def url(self, name):
        return f'rtsp://127.0.0.1:{self.port}/{name}'


@pytest.fixture
def equipment():
    """What the gateway and its clients here take at least."""
    needs.programs('ffmpeg', 'ffprobe')
    needs.elements('rtpbin', 'udpsrc', 'multiudpsink', 'x264enc', 'rtph264pay', 'jpegenc', 'rtpjpegpay')


@pytest.fixture
def gateway(spawn, build_dir, equipment):
    def start(*argv, env=None):
        return Gateway(spawn(build_dir / 'gateway' / 'framebus-rtsp', '--port', '0', *argv,
                             env={**STRICT, **(env or {})}, cwd='/'))
    return start


@pytest.fixture
def relay(launch):
    """From one bus, over RTSP, to another."""
    def start(url, name, protocol='tcp', decode='decodebin'):
        return launch(f'rtspsrc location={url} protocols={protocol} latency=100 ! {decode} ! framebussink bus={name}')
    return start


@pytest.fixture
def ask():
    def send(gateway, name, method='DESCRIBE'):
        with socket.create_connection(('127.0.0.1', gateway.port), timeout=SECONDS) as sock:
            sock.sendall(f'{method} {gateway.url(name)} RTSP/1.0\r\nCSeq: 1\r\n\r\n'.encode())
            answer = b''
            while b'\r\n' not in answer:
                more = sock.recv(4096)
                if not more:
                    break
                answer += more
        return answer.split(b'\r\n')[0].decode()
    return send
