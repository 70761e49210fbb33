# SPDX-License-Identifier: MIT
"""`framebus mon`: what happens is told, in order, and soon."""
import contextlib
import json
import pathlib
import signal

import pytest


@pytest.fixture
def mon(spawn, build_dir):
    """Starts `framebus mon`; events(bus) are those it has told of."""
    def start(*arguments):
        process = spawn(build_dir / 'tools' / 'framebus', 'mon', '--json', *arguments)
        process.lines = lambda: [json.loads(line) for line in process.out().splitlines(True) if line.endswith('\n')]
        process.events = lambda bus: [line['event'] for line in process.lines() if line['bus'] == bus]
        return process
    return start


def test_a_writer_that_comes_and_goes_is_told(peer, mon):
    watcher = mon()
    writer = peer('write', 'cam0')
    watcher.until(lambda: watcher.events('cam0') == ['writer'])
    [line] = watcher.lines()
    assert line['pid'] == writer.pid and 'NV12 320x240' in line['text']
    assert writer.stop() == 0
    watcher.until(lambda: watcher.events('cam0')[-1] == 'gone')
    assert watcher.stop() == 0


def test_a_writer_that_is_killed_is_told(peer, mon, framebus):
    writer = peer('write', 'cam0')
    watcher = mon()
    watcher.until(lambda: watcher.events('cam0') == ['writer'])
    writer.kill()
    watcher.until(lambda: watcher.events('cam0') == ['writer', 'died'])
    peer('write', 'cam0')
    watcher.until(lambda: watcher.events('cam0') == ['writer', 'died', 'writer'])


def test_what_is_there_already_is_told_first(peer, mon):
    for name in ('cam0', 'cam1'):
        peer('write', name)
    peer('read', 'cam1')
    watcher = mon()
    watcher.until(lambda: len(watcher.lines()) == 3)
    assert sorted((line['bus'], line['event']) for line in watcher.lines()) == [
        ('cam0', 'writer'), ('cam1', 'reader'), ('cam1', 'writer')]
    assert watcher.events('cam1') == ['writer', 'reader']


def test_readers_are_told(peer, mon):
    peer('write', 'cam0')
    watcher = mon()
    watcher.until(lambda: watcher.events('cam0') == ['writer'])
    readers = [peer('read', 'cam0', label='twin') for _ in range(2)]
    watcher.until(lambda: watcher.events('cam0').count('reader') == 2)
    assert {line['pid'] for line in watcher.lines() if line['event'] == 'reader'} == {one.pid for one in readers}
    readers[0].kill()
    watcher.until(lambda: 'reader left' in watcher.events('cam0'))
    left = [line for line in watcher.lines() if line['event'] == 'reader left']
    assert [line['pid'] for line in left] == [readers[0].pid]
    assert 'twin' in left[0]['text']


def test_a_writer_that_is_stopped_is_silent(peer, mon):
    writer = peer('write', 'cam0')
    watcher = mon()
    watcher.until(lambda: watcher.events('cam0') == ['writer'])
    writer.send_signal(signal.SIGSTOP)
    watcher.until(lambda: watcher.events('cam0')[-1] == 'silent')
    writer.send_signal(signal.SIGCONT)
    watcher.until(lambda: watcher.events('cam0')[-1] == 'writer')


def test_a_writer_of_another_version_is_incompatible(spawn, build_dir, mon):
    writer = spawn(build_dir / 'tests' / 'process' / 'abi_peer_next', 'write', 'cam0', 0, 5)
    watcher = mon()
    watcher.until(lambda: watcher.events('cam0') == ['incompatible'])
    [line] = watcher.lines()
    assert line['pid'] == writer.pid and 'another release' in line['text']


def test_a_directory_that_is_made_later_is_watched(spawn, build_dir, bus_dir, peer, mon, monkeypatch):
    monkeypatch.setenv('FRAMEBUS_DIR', str(bus_dir / 'run' / 'buses'))
    watcher = mon()
    watcher.until(lambda: list(watches(watcher)), what='its watch')
    (bus_dir / 'run').mkdir()
    writer = peer('write', 'cam0')
    watcher.until(lambda: watcher.events('cam0') == ['writer'])
    assert writer.stop() == 0
    watcher.until(lambda: watcher.events('cam0')[-1] == 'gone')
    assert watcher.stop() == 0
    for path in (bus_dir / 'run' / 'buses').iterdir():
        path.unlink()
    (bus_dir / 'run' / 'buses').rmdir()
    (bus_dir / 'run').rmdir()


def watches(watcher):
    """The watches of its inotify."""
    for entry in pathlib.Path(f'/proc/{watcher.pid}/fdinfo').iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            yield from (line for line in entry.read_text().splitlines() if line.startswith('inotify wd'))


def test_lines_for_people(spawn, build_dir, peer):
    writer = peer('write', 'cam0')
    watcher = spawn(build_dir / 'tools' / 'framebus', 'mon')
    watcher.until(lambda: watcher.out().endswith('\n'))
    words = watcher.out().split()
    assert words[1:5] == ['cam0', 'writer', 'pid', str(writer.pid)]
    assert watcher.stop() == 0
