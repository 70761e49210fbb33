# SPDX-License-Identifier: MIT
"""Another host watches: a second network namespace, at the other end of a cable."""
import json
import os
import subprocess

import documents
import pytest
from conftest import FFMPEG, SECONDS, STRICT

PAGE = 'docs/rtsp.md'
COMMANDS = documents.commands(PAGE)
HERE, THERE = '10.73.0.1', '10.73.0.2'

# One namespace for the host with the bus, one for the other; a line on standard output once both can talk.
HOSTS = f'''set -e
unshare -n sleep 1000 & there=$!
trap 'kill $there' EXIT
until [ "$(readlink /proc/$there/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link add name fbhere type veth peer name fbthere netns $there
ip address add {HERE}/24 dev fbhere
ip link set lo up
ip link set fbhere up
nsenter -t $there -n ip address add {THERE}/24 dev fbthere
nsenter -t $there -n ip link set fbthere up
echo "hosts $$ $there"
wait'''


@pytest.fixture
def hosts(spawn):
    """What to put before a command so that it runs on this host or on the other one."""
    unshare = ['unshare', '-n'] if subprocess.run(['unshare', '-n', 'true'], capture_output=True).returncode == 0 else \
        ['unshare', '-rn']
    if subprocess.run([*unshare, 'true'], capture_output=True).returncode:
        pytest.skip('network namespaces are not allowed here')
    keeper = spawn(*unshare, 'bash', '-c', HOSTS)
    try:
        keeper.until(lambda: keeper.out().startswith('hosts '), SECONDS, 'two hosts')
    except AssertionError:
        pytest.skip(f'no second network namespace: {keeper.err().strip()}')
    user = ['-U', '--preserve-credentials'] if unshare[-1] == '-rn' else []
    yield [['nsenter', '-t', pid, *user, '-n'] for pid in keeper.out().split()[1:3]]
    keeper.stop(15)


@pytest.mark.parametrize('protocol', ['udp', 'tcp'])
def test_another_host_watches_a_bus(hosts, spawn, source, build_dir, framebus, protocol):
    here, there = hosts
    source('cam0', '--size', '640x480')
    server = spawn(*here, build_dir / 'gateway' / 'framebus-rtsp', '--address', HERE)
    server.until(lambda: f'rtsp://{HERE}:8554/NAME' in server.out(), SECONDS, 'its address')
    client = spawn(*there, 'gst-launch-1.0', *f'rtspsrc location=rtsp://{HERE}:8554/cam0 protocols={protocol} latency=100 '
                   '! decodebin ! framebussink bus=far'.split(), env=STRICT)
    found = framebus('check', '--json', '--wait', f'{SECONDS}s', '--test', '--for', '2s', 'far')
    assert found.stdout, (client.report(), server.report())
    test = json.loads(found.stdout)['test']
    assert test['whole'] + test['altered'] > 20
    assert (test['torn'], test['doubled'], test['backward']) == (0, 0, 0)


def test_the_other_host_gets_nothing_unless_it_is_meant_to(hosts, spawn, source, build_dir):
    here, there = hosts
    source('cam0', '--size', '320x240')
    server = spawn(*here, build_dir / 'gateway' / 'framebus-rtsp')
    server.until(lambda: 'from this machine only' in server.out(), SECONDS, 'its address')
    client = spawn(*there, *FFMPEG, '-i', f'rtsp://{HERE}:8554/cam0', '-f', 'null', '-')
    assert client.finish(SECONDS) != 0
    assert 'refused' in client.err()


@documents.runs(PAGE, COMMANDS)
def test_the_commands_of_the_document(hosts, spawn, source, build_dir, monkeypatch):
    """As they are written, on a host of their own: the port may be somebody's on this one."""
    here, _ = hosts
    monkeypatch.setenv('PATH', f'{build_dir / "gateway"}:{os.environ["PATH"]}')
    source('cam0', '--size', '320x240')
    *servers, player = COMMANDS
    for line in servers:
        server = spawn(*here, 'bash', '-c', f'exec {line}')
        server.until(lambda: '/NAME' in server.out(), SECONDS, 'its address')
        client = spawn(*here, 'bash', '-c', f'exec {player}', env={'SDL_VIDEODRIVER': 'dummy', 'SDL_AUDIODRIVER': 'dummy'})
        client.until(lambda: 'Stream #0:0: Video: h264' in client.err(), SECONDS, 'a picture')
        client.kill()
        assert server.stop() == 0
