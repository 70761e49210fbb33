# SPDX-License-Identifier: MIT
"""The program itself: its command line, its end, its address."""
import os
import pathlib
import re
import signal
import socket

import pytest
from conftest import FFMPEG, SECONDS, run

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def program(build_dir, bus_dir):
    return lambda *argv: run(build_dir / 'gateway' / 'framebus-rtsp', *argv)


@pytest.mark.parametrize('argv, complaint', [
    (['--port', '65536'], "--port '65536' is not a whole number from 0 to 65535"),
    (['--port', '-1'], "--port '-1'"),
    (['--port'], '--port needs a value'),
    (['--bitrate', '0'], "--bitrate '0' is not a whole number from 1 to"),
    (['--bitrate', '2M'], "--bitrate '2M'"),
    (['--encoder', 'vp8'], "--encoder 'vp8' is not known; 'framebus-rtsp --list-encoders'"),
    (['--address', ''], "--address '' is not an address"),
    (['--fast'], 'there is no option --fast'),
    (['-x'], 'there is no option -x'),
    (['cam 0'], "'cam 0' is not the name of a bus"),
    (['/run/cameras/'], "'/run/cameras/' is not the name of a bus"),
    (['cam0', '/run/cam0'], "two of the buses would be called 'cam0'"),
])
def test_wrong_arguments(program, argv, complaint):
    done = program(*argv)
    assert done.returncode == 2
    assert f'framebus-rtsp: {complaint}' in done.stderr.decode()
    assert "Try 'framebus-rtsp --help'." in done.stderr.decode()


def test_help_and_version(program):
    assert program('--help').stdout.startswith(b'Usage: framebus-rtsp [OPTION]... [BUS]...\n')
    assert re.fullmatch(rb'framebus-rtsp \d+\.\d+\.\d+\n', program('--version').stdout)


def test_encoders_are_listed(program, equipment):
    listed = program('--list-encoders').stdout.decode()
    assert re.search(r'^x264 +works$', listed, re.MULTILINE)
    assert re.search(r'^jpeg +works$', listed, re.MULTILINE)
    assert re.search(r'^v4l2 ', listed, re.MULTILINE)


def test_an_encoder_that_does_not_work_is_an_error(program):
    missing = re.findall(r'^(\w+) +no: ', program('--list-encoders').stdout.decode(), re.MULTILINE)
    if not missing:
        pytest.skip('every encoder works here')
    done = program('--port', '0', '--encoder', missing[0])
    assert done.returncode == 1
    assert f'encoder {missing[0]} does not work here: ' in done.stderr.decode()


def test_a_port_that_is_taken(program):
    with socket.create_server(('127.0.0.1', 0)) as sock:
        port = sock.getsockname()[1]
        done = program('--port', str(port))
    assert done.returncode == 1
    assert f'cannot listen on 127.0.0.1, port {port}: ' in done.stderr.decode()


def test_no_such_address(program):
    done = program('--port', '0', '--address', '192.0.2.1')
    assert done.returncode == 1
    assert 'cannot listen on 192.0.2.1, port 0: ' in done.stderr.decode()


def test_this_machine_only_unless_told_otherwise(gateway):
    local, everywhere = gateway(), gateway('--address', '0.0.0.0')
    assert '127.0.0.1' in local.line and 'from this machine only' in local.line
    assert 'there is no password' in everywhere.line
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(10)
        assert sock.connect_ex(('127.0.0.2', local.port)) != 0
    with socket.create_connection(('127.0.0.2', everywhere.port), timeout=10):
        pass


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_clients(gateway, source, spawn, readers, wait_for, number):
    source('cam0', '--size', '320x240')
    g = gateway()
    clients = [spawn(*FFMPEG, '-stats', '-rtsp_transport', protocol, '-i', g.url('cam0'), '-f', 'null', '-')
               for protocol in ('tcp', 'udp')]
    for client in clients:
        client.until(lambda: 'frame=' in client.err(), SECONDS, 'pictures')
    with socket.create_connection(('127.0.0.1', g.port)):  # one more, who says nothing
        assert g.process.stop(number, 20) == 0
    assert g.process.err() == ''
    for client in clients:
        client.finish(SECONDS)
    wait_for(lambda: readers('cam0') == [], SECONDS)


def test_the_shell_completes_options_encoders_and_buses(build_dir, source, monkeypatch, equipment):
    monkeypatch.setenv('PATH', f'{build_dir / "gateway"}:{build_dir / "tools"}:{os.environ["PATH"]}')
    source('front-door')
    script = f'source {ROOT / "gateway" / "completions" / "framebus-rtsp.bash"}; COMP_WORDS=("$@"); ' \
             'COMP_CWORD=$(($# - 1)); _framebus_rtsp; printf "%s\\n" "${COMPREPLY[@]}"'

    def complete(*words):
        return run('bash', '--norc', '-c', script, 'bash', 'framebus-rtsp', *words).stdout.decode().split()
    assert complete('--b') == ['--bitrate']
    assert complete('--encoder', 'x2') == ['x264']
    assert complete('fro') == ['front-door']
