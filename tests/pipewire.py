# SPDX-License-Identifier: MIT
"""A PipeWire session of a test's own: the fixture `session`."""
import json
import os
import pwd
import shutil
import subprocess

import needs
import pytest


@pytest.fixture
def session(spawn, bus_dir, monkeypatch, wait_for):
    """A session with PipeWire and a session manager, which no other has to do with."""
    needs.programs('pipewire', 'wireplumber', 'dbus-daemon', 'pw-dump')
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        pytest.skip('D-Bus wants a user with a name')
    place = bus_dir / 'session'
    place.mkdir(mode=0o700)
    for name in ('PIPEWIRE_REMOTE', 'PIPEWIRE_RUNTIME_DIR'):
        monkeypatch.delenv(name, raising=False)
    for name in ('XDG_RUNTIME_DIR', 'XDG_STATE_HOME', 'XDG_CONFIG_HOME'):
        monkeypatch.setenv(name, str(place))
    monkeypatch.setenv('DBUS_SESSION_BUS_ADDRESS', f'unix:path={place}/bus')
    started = []

    def start(*argv):
        started.append(spawn(*argv))
        return started[-1]
    try:
        start('dbus-daemon', '--session', '--nofork', f'--address=unix:path={place}/bus').until((place / 'bus').exists, 30)
        start('pipewire').until(lambda: objects('Core'), 30, 'its answer')  # wireplumber does not try twice
        manager = start('wireplumber')
        for _ in range(3):  # its first one in a new session has been seen to be disconnected
            wait_for(lambda: has_manager() or not manager.running(), limit=30, what='WirePlumber')
            if manager.running():
                break
            manager = start('wireplumber')
        manager.until(has_manager, 30, 'its being a client')
        yield
    finally:
        for process in reversed(started):
            process.kill()
        shutil.rmtree(place)


def has_manager():
    return any('WirePlumber' in str(client['info']['props']) for client in objects('Client'))


def objects(kind):
    """The objects of one kind in the session, as pw-dump tells them; what changes meanwhile follows in further lists."""
    dump = subprocess.run(['pw-dump'], capture_output=True, text=True, timeout=60).stdout.lstrip()
    entries, _ = json.JSONDecoder().raw_decode(dump or '[]')
    return [entry for entry in entries if entry['type'] == f'PipeWire:Interface:{kind}' and entry['info']]


def nodes():
    """Those who give or take pictures and sound, as (name, media class)."""
    return [tuple(map(node['info']['props'].get, ('node.name', 'media.class'))) for node in objects('Node')]
