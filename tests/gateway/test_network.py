# SPDX-License-Identifier: MIT
"""Another host watches: a second network namespace, at the other end of a cable."""
import json
import os

import documents
import hosts
import needs
import pytest
from conftest import FFMPEG, SECONDS, STRICT

PAGE = 'docs/using/rtsp.md'
COMMANDS = documents.commands(PAGE)
HERE, THERE = '10.73.0.1', '10.73.0.2'


@pytest.fixture
def inside(spawn, equipment):
    """What to put before a command so that it runs on this host or on the other one."""
    return [host.inside for host in hosts.connect(spawn, HERE, THERE)]


@pytest.mark.parametrize('protocol', ['udp', 'tcp'])
def test_another_host_watches_a_bus(inside, spawn, source, build_dir, framebus, protocol):
    here, there = inside
    source('cam0', '--size', '640x480')
    server = spawn(*here, build_dir / 'gateway' / 'framebus-rtsp', '--address', HERE)
    server.until(lambda: f'rtsp://{HERE}:8554/NAME' in server.out(), SECONDS, 'its address')
    needs.elements('rtspsrc', 'decodebin', 'avdec_h264')
    client = spawn(*there, 'gst-launch-1.0', *f'rtspsrc location=rtsp://{HERE}:8554/cam0 protocols={protocol} latency=100 '
                   '! decodebin ! framebussink bus=far'.split(), env=STRICT)
    found = framebus('check', '--json', '--wait', f'{SECONDS}s', '--test', '--for', '2s', 'far')
    assert found.stdout, (client.report(), server.report())
    test = json.loads(found.stdout)['test']
    assert test['whole'] + test['altered'] > 20
    assert (test['torn'], test['doubled'], test['backward']) == (0, 0, 0)


def test_the_other_host_gets_nothing_unless_it_is_meant_to(inside, spawn, source, build_dir):
    here, there = inside
    source('cam0', '--size', '320x240')
    server = spawn(*here, build_dir / 'gateway' / 'framebus-rtsp')
    server.until(lambda: 'from this machine only' in server.out(), SECONDS, 'its address')
    client = spawn(*there, *FFMPEG, '-i', f'rtsp://{HERE}:8554/cam0', '-f', 'null', '-')
    assert client.finish(SECONDS) != 0
    assert 'refused' in client.err()


@documents.runs(PAGE, COMMANDS)
def test_the_commands_of_the_document(inside, spawn, source, build_dir, monkeypatch):
    """As they are written, on a host of their own: the port may be somebody's on this one."""
    here, _ = inside
    monkeypatch.setenv('PATH', f'{build_dir / "gateway"}:{os.environ["PATH"]}')
    source('cam0', '--size', '320x240')
    *servers, player = COMMANDS
    needs.programs(player.split()[0])
    for line in servers:
        server = spawn(*here, 'bash', '-c', f'exec {line}')
        server.until(lambda: '/NAME' in server.out(), SECONDS, 'its address')
        client = spawn(*here, 'bash', '-c', f'exec {player}', env={'SDL_VIDEODRIVER': 'dummy', 'SDL_AUDIODRIVER': 'dummy'})
        client.until(lambda: 'Stream #0:0: Video: h264' in client.err(), SECONDS, 'a picture')
        client.kill()
        assert server.stop() == 0
