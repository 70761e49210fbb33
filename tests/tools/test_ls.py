# SPDX-License-Identifier: MIT
"""`framebus ls`: what there is, in whatever state."""
import os
import signal
import time

import pytest


def test_an_empty_directory_is_said_to_be_empty(framebus, framebus_json, bus_dir):
    result = framebus('ls')
    assert (result.returncode, result.stdout) == (0, '')
    assert f'No bus in {bus_dir}' in result.stderr
    assert framebus_json('ls') == []


def test_a_directory_that_does_not_exist_is_empty(framebus, bus_dir, monkeypatch):
    monkeypatch.setenv('FRAMEBUS_DIR', str(bus_dir / 'none'))
    result = framebus('ls')
    assert (result.returncode, result.stdout) == (0, '')
    assert not (bus_dir / 'none').exists()


def test_a_live_bus_is_a_full_row(peer, rows, wait_for):
    writer = peer('write', 'cam0')
    reader = peer('read', 'cam0')
    wait_for(lambda: rows()[0]['FPS'] != '-', what='a frame rate')
    [row] = rows()
    rate = float(row.pop('FPS'))
    assert 1 < rate < 1000
    assert float(row.pop('MEMORY').split()[0]) > 0
    assert row == {'NAME': 'cam0', 'STATE': 'live', 'FORMAT': 'NV12', 'SIZE': '320x240', 'WRITER': str(writer.pid),
                   'READERS': '1'}
    assert reader.stop() == 0
    wait_for(lambda: rows()[0]['READERS'] == '0', what='the reader to be gone')
    assert writer.stop() == 0


def test_json_has_the_same_and_more(peer, framebus_json):
    writer = peer('write', 'cam0', label='tester')
    [bus] = framebus_json('ls')
    assert (bus['name'], bus['state']) == ('cam0', 'live')
    assert bus['writer'] == {'pid': writer.pid, 'uid': os.getuid(), 'label': 'tester'}
    assert bus['format']['name'] == 'NV12'
    assert [bus] == framebus_json('ls', '-j') or bus['stream']['published'] > 0


def test_a_stopped_writer_is_silent_and_holds_nobody_up(peer, framebus, framebus_json, rows):
    writers = [peer('write', f'cam{i}') for i in range(3)]
    for writer in writers[:2]:
        writer.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    found = rows()
    assert time.monotonic() - began < 10
    assert [(row['NAME'], row['STATE'], row['WRITER']) for row in found] == [
        ('cam0', 'silent', str(writers[0].pid)),
        ('cam1', 'silent', str(writers[1].pid)),
        ('cam2', 'live', str(writers[2].pid)),
    ]
    assert found[0]['FORMAT'] == found[0]['READERS'] == found[0]['MEMORY'] == '-'
    bus = framebus_json('ls')[0]
    assert bus['state'] == 'silent'
    assert bus['format'] is bus['stream'] is bus['memory'] is bus['readers'] is None


def test_a_stopped_writer_that_goes_on_is_live_again(peer, rows, wait_for):
    writer = peer('write', 'cam0')
    writer.send_signal(signal.SIGSTOP)
    wait_for(lambda: rows()[0]['STATE'] == 'silent')
    writer.send_signal(signal.SIGCONT)
    wait_for(lambda: rows()[0]['STATE'] == 'live')
    assert writer.stop() == 0


def test_what_a_killed_writer_left_is_stale(peer, framebus, framebus_json, rows):
    peer('write', 'cam0').kill()
    [row] = rows()
    assert (row['NAME'], row['STATE'], row['WRITER']) == ('cam0', 'stale', '-')
    assert 'framebus rm cam0' in framebus('ls').stderr
    [bus] = framebus_json('ls')
    assert (bus['state'], bus['writer'], bus['readers']) == ('stale', None, None)


def test_somebody_elses_bus_is_denied(peer, framebus, bus_dir, as_nobody):
    peer('write', 'cam0')
    bus_dir.chmod(0o755)
    result = framebus('ls', **as_nobody)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[1].split()[:2] == ['cam0', 'denied']


def test_a_writer_of_another_version_is_incompatible(spawn, build_dir, rows, framebus, wait_for):
    """The library once more, as the next version of the protocol calls itself."""
    writer = spawn(build_dir / 'tests' / 'process' / 'abi_peer_next', 'write', 'cam0', 0, 5)
    wait_for(lambda: 'ready' in writer.out(), what='the bus')
    [row] = rows()
    assert (row['NAME'], row['STATE'], row['WRITER']) == ('cam0', 'incompatible', str(writer.pid))
    assert 'another release' in framebus('info', 'cam0').stdout
    assert 'the writer of bus cam0' in framebus('doctor').stdout


def test_payloads_are_listed_by_media_type(peer, rows):
    peer('write', 'cam0', caps='image/jpeg, width=640')
    assert (rows()[0]['FORMAT'], rows()[0]['SIZE']) == ('image/jpeg', '-')


def test_a_bus_without_a_format_is_live(peer, rows):
    peer('write', 'cam0', idle=1)
    assert (rows()[0]['STATE'], rows()[0]['FORMAT'], rows()[0]['FPS']) == ('live', '-', '-')


@pytest.mark.parametrize('memory', [0, 1, 2], ids=['memfd', 'posix', 'sysv'])
def test_memory_of_every_kind_is_listed(peer, rows, memory):
    writer = peer('write', 'cam0', memory=memory)
    assert rows()[0]['MEMORY'].endswith('iB')
    assert writer.stop() == 0


def test_the_table_is_sorted_and_aligned(peer, framebus):
    for name in ('zebra', 'a', 'a-much-longer-name'):
        peer('write', name)
    head, *lines = framebus('ls').stdout.splitlines()
    assert [line.split()[0] for line in lines] == ['a', 'a-much-longer-name', 'zebra']
    for column in ('STATE', 'FORMAT', 'SIZE'):
        at = head.index(column)
        assert all(line[at - 1] == ' ' and line[at] != ' ' for line in lines)
    end = head.index('WRITER') + len('WRITER')
    assert all(line[end - 1] != ' ' and line[end] == ' ' for line in lines)


def test_files_that_are_no_buses_are_left_out(peer, rows, bus_dir):
    writer = peer('write', 'cam0')
    (bus_dir / 'notes.txt').write_text('not a socket')
    assert [row['NAME'] for row in rows()] == ['cam0']
    (bus_dir / 'notes.txt').unlink()
    assert writer.stop() == 0


def test_names_alone_are_for_scripts(peer, framebus):
    for name in ('cam1', 'cam0'):
        peer('write', name)
    assert framebus('ls', '--names').stdout == 'cam0\ncam1\n'


def on_a_terminal(terminal, *arguments, **env):
    one = terminal(*arguments, **env)
    assert one.process.wait(30) == 0
    return one.out()


def test_colours_are_for_terminals_that_want_them(peer, framebus, terminal):
    peer('write', 'cam0')
    assert '\033[32mlive\033[0m' in on_a_terminal(terminal, 'ls')
    assert '\033[32mlive\033[0m' in on_a_terminal(terminal, 'info', 'cam0')
    for env in ({'NO_COLOR': '1'}, {'TERM': 'dumb'}):
        text = on_a_terminal(terminal, 'ls', **env)
        assert 'live' in text and '\033' not in text
    assert '\033' not in on_a_terminal(terminal, 'ls', '--json')
    assert '\033' not in framebus('ls').stdout + framebus('info', 'cam0').stdout
