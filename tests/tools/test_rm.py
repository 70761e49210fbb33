# SPDX-License-Identifier: MIT
"""`framebus rm`: only what a dead writer left, and all of it."""
import signal


def test_a_stale_socket_is_removed_and_named(peer, framebus, bus_dir):
    peer('write', 'cam0').kill()
    assert (bus_dir / 'cam0').is_socket()
    result = framebus('rm', 'cam0')
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout.startswith('removed ') and str(bus_dir / 'cam0') in result.stdout
    assert not (bus_dir / 'cam0').exists()
    assert framebus('ls').stdout == ''


def test_shared_memory_of_a_killed_writer_is_removed_and_named(peer, framebus, posix_objects):
    peer('write', 'cam0', memory=1).kill()
    [left] = posix_objects()
    result = framebus('rm', 'cam0')
    assert result.returncode == 0
    assert left in result.stdout
    assert not posix_objects()


def test_a_live_bus_is_refused_with_the_pid(peer, framebus, framebus_json):
    writer = peer('write', 'cam0')
    result = framebus('rm', 'cam0')
    assert (result.returncode, result.stdout) == (1, '')
    assert str(writer.pid) in result.stderr
    assert framebus_json('info', 'cam0')['state'] == 'live'
    assert writer.stop() == 0


def test_a_silent_bus_is_refused_with_the_pid(peer, framebus, bus_dir, wait_for, rows, posix_objects):
    writer = peer('write', 'cam0', memory=1)
    writer.send_signal(signal.SIGSTOP)
    before = posix_objects()
    result = framebus('rm', 'cam0')
    assert result.returncode == 1
    assert str(writer.pid) in result.stderr
    assert (bus_dir / 'cam0').is_socket() and posix_objects() == before
    writer.send_signal(signal.SIGCONT)
    wait_for(lambda: rows()[0]['STATE'] == 'live')
    assert writer.stop() == 0


def test_no_such_bus(framebus):
    result = framebus('rm', 'cam0')
    assert (result.returncode, result.stdout) == (1, '')
    assert 'cam0' in result.stderr


def test_a_second_time_there_is_nothing(peer, framebus):
    peer('write', 'cam0').kill()
    assert framebus('rm', 'cam0').returncode == 0
    assert framebus('rm', 'cam0').returncode == 1


def test_of_several_names_the_stale_ones_go(peer, framebus, bus_dir):
    writer = peer('write', 'alive')
    for name in ('dead1', 'dead2'):
        peer('write', name).kill()
    result = framebus('rm', 'dead1', 'alive', 'dead2')
    assert result.returncode == 1
    assert str(writer.pid) in result.stderr
    assert [(bus_dir / name).exists() for name in ('dead1', 'alive', 'dead2')] == [False, True, False]


def test_a_writer_can_start_again_afterwards(peer, framebus, rows):
    peer('write', 'cam0').kill()
    assert framebus('rm', 'cam0').returncode == 0
    writer = peer('write', 'cam0')
    assert rows()[0]['STATE'] == 'live'
    assert writer.stop() == 0


def test_a_file_that_is_no_bus_is_left_alone(framebus, bus_dir):
    precious = bus_dir / 'precious'
    precious.write_text('data')
    result = framebus('rm', 'precious')
    assert result.returncode == 1
    assert precious.read_text() == 'data'
    precious.unlink()


def test_all_removes_every_stale_bus_and_no_other(peer, framebus, bus_dir):
    writer = peer('write', 'alive')
    for name in ('dead1', 'dead2'):
        peer('write', name).kill()
    result = framebus('rm', '--all')
    assert (result.returncode, result.stderr) == (0, '')
    assert 'dead1' in result.stdout and 'dead2' in result.stdout
    assert [(bus_dir / name).exists() for name in ('dead1', 'alive', 'dead2')] == [False, True, False]
    assert framebus('rm', '--all', 'alive').returncode == 2
    assert writer.stop() == 0
