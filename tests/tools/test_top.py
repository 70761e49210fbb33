# SPDX-License-Identifier: MIT
"""`framebus top` and `framebus hz`: figures of what goes on."""
import json
import re
import signal
import termios

import pytest


def top(framebus, *arguments):
    result = framebus('top', '--once', '--json', '--interval', '300ms', *arguments)
    assert (result.returncode, result.stderr) == (0, '')
    [line] = result.stdout.splitlines()
    return json.loads(line)['buses']


def test_a_bus_and_its_readers_in_figures(peer, framebus, wait_for):
    writer = peer('write', 'cam0', label='camera')
    reader = peer('read', 'cam0', hold=3, label='slow one')
    results = []

    def look():
        results.append(top(framebus))
        [bus] = results[-1]
        return bus['age_p99_ms'] is not None and bus['fps'] > 1 and bus['readers'][0]['fps']

    wait_for(look, limit=30, what='frames')
    [bus] = results[-1]
    assert (bus['name'], bus['state'], bus['label'], bus['pid']) == ('cam0', 'live', 'camera', writer.pid)
    assert bus['format'].startswith('NV12 320x240') and bus['fps'] < 200
    assert bus['bytes_per_second'] == pytest.approx(bus['fps'] * 320 * 240 * 1.5, rel=0.01)
    assert 0 <= bus['age_ms'] <= bus['age_p99_ms'] < 60000
    [one] = bus['readers']
    assert (one['pid'], one['label'], one['delivery']) == (reader.pid, 'slow one', 'live')
    assert one['held'] in (3, 4) and one['quota'] == 4  # it takes a frame before it gives one back
    assert one['fps'] < 200


def test_missed_frames_of_a_reader_are_shown(peer, framebus, wait_for):
    peer('write', 'cam0')
    reader = peer('read', 'cam0')
    reader.send_signal(signal.SIGSTOP)
    published = lambda: json.loads(framebus('info', '--json', 'cam0').stdout)['stream']['published']
    at_least = published() + 30
    wait_for(lambda: published() > at_least)
    reader.send_signal(signal.SIGCONT)
    wait_for(lambda: top(framebus)[0]['readers'][0]['missed'] > 5)


def test_passive_attaches_to_nothing(spawn, build_dir, peer, framebus, framebus_json):
    peer('write', 'cam0')
    active = spawn(build_dir / 'tools' / 'framebus', 'top', '--json', '--interval', '100ms')
    active.until(lambda: framebus_json('info', 'cam0')['readers'], what='being attached')
    assert active.stop() == 0
    passive = spawn(build_dir / 'tools' / 'framebus', 'top', '--json', '--interval', '100ms', '--passive')
    passive.until(lambda: passive.out().count('\n') > 1, what='two lines')
    assert framebus_json('info', 'cam0')['readers'] == []
    assert passive.stop() == 0
    bus = json.loads(passive.out().splitlines()[0])['buses'][0]
    assert bus['age_p99_ms'] is None and bus['age_ms'] >= 0


def test_on_a_terminal_what_comes_and_goes_is_shown_at_once(terminal, peer, wait_for):
    screen = terminal('top', '--interval', '1h')
    writer = peer('write', 'cam0')
    wait_for(lambda: 'cam0' in screen.out(), limit=30, what='the bus')
    reader = peer('read', 'cam0', label='a reader')
    wait_for(lambda: 'a reader' in screen.out(), limit=30, what='the reader')
    reader.kill()
    wait_for(lambda: 'a reader' not in screen.out().split('\x1b[J')[-1], limit=30, what='a table without it')
    assert writer.stop() == 0
    wait_for(lambda: 'no bus' in screen.out().split('\x1b[J')[-1], limit=30, what='an empty table')
    screen.type('q')
    assert screen.process.wait(10) == 0


def test_buses_that_come_and_go_are_followed(spawn, build_dir, peer):
    watcher = spawn(build_dir / 'tools' / 'framebus', 'top', '--json', '--interval', '100ms')

    def buses():
        lines = [line for line in watcher.out().splitlines(True) if line.endswith('\n')]
        return {bus['name']: bus for bus in json.loads(lines[-1])['buses']} if lines else None

    watcher.until(lambda: buses() == {})
    writers = [peer('write', name) for name in ('cam0', 'cam1', 'cam2')]
    watcher.until(lambda: all((buses().get(f'cam{i}') or {}).get('age_p99_ms') is not None for i in range(3)),
                  limit=30)
    assert writers[0].stop() == 0
    writers[1].kill()
    watcher.until(lambda: set(buses()) == {'cam1', 'cam2'} and buses()['cam1']['state'] == 'stale')
    watcher.until(lambda: buses()['cam2']['age_p99_ms'] is not None)
    assert watcher.stop() == 0


def test_a_table_for_each_interval_when_it_is_no_terminal(spawn, build_dir, peer):
    peer('write', 'cam0')
    watcher = spawn(build_dir / 'tools' / 'framebus', 'top', '--interval', '100ms')
    watcher.until(lambda: watcher.out().count('BUS ') > 1, what='two tables')
    assert '\033' not in watcher.out()
    assert watcher.stop() == 0


def test_on_a_terminal_it_redraws_and_q_quits(terminal, peer, wait_for):
    peer('write', 'cam0')
    peer('read', 'cam0')
    one = terminal('top', '--interval', '100ms')
    wait_for(lambda: one.out().count('\033[H\033[J') > 1 and 'tools-peer' in one.out(), what='two tables')
    assert one.process.poll() is None
    one.type('q')
    assert one.process.wait(10) == 0
    assert one.out().endswith('\033[?25h\033[?1049l')
    flags = one.settings()[3]
    assert flags & termios.ICANON and flags & termios.ECHO


@pytest.mark.parametrize('extra', [[], ['--json']])
def test_hz_prints_a_line_for_each_interval(peer, framebus, extra):
    peer('write', 'cam0')
    result = framebus('hz', '--interval', '500ms', '--count', '2', *extra, 'cam0')
    assert (result.returncode, result.stderr) == (0, '')
    lines = result.stdout.splitlines()
    assert len(lines) == 2
    if extra:
        seen = max(map(json.loads, lines), key=lambda one: one['frames'])
        assert seen['frames'] > 0 and 0 < seen['fps'] < 1000
        assert seen['gap_min_ms'] <= seen['gap_max_ms'] and seen['age_median_ms'] <= seen['age_p99_ms']
        assert seen['megabytes_per_second'] > 0
    else:
        assert any(re.match(r'\d+\.\d\d Hz  gap ', line) for line in lines)


@pytest.mark.parametrize('extra', [[], ['--json']])
def test_hz_tells_what_frames_are_marked_with(peer, framebus, extra):
    peer('write', 'cam0', flags=1 << 7 | 1 << 8)
    line = framebus('hz', '--interval', '500ms', '--count', '1', *extra, 'cam0').stdout.strip()
    assert (json.loads(line)['flags'] if extra else line.split('  ')[-1]) == 'interlaced, tff'


def test_hz_ends_with_the_writer_or_follows_the_next(spawn, build_dir, peer):
    writer = peer('write', 'cam0')
    command = [build_dir / 'tools' / 'framebus', 'hz', '--interval', '100ms', 'cam0']
    one, other = spawn(*command), spawn(*command, '--follow')
    for process in (one, other):
        process.until(lambda: ' Hz ' in process.out())
    writer.kill()
    assert one.finish() == 1
    assert 'cam0' in one.err()
    other.until(lambda: 'no frames' in other.out())
    peer('write', 'cam0')
    other.until(lambda: ' Hz ' in other.out().rpartition('no frames')[2])
    assert other.stop() == 0


def test_hz_without_a_bus(framebus):
    result = framebus('hz', 'cam0')
    assert (result.returncode, result.stdout) == (1, '')
    assert 'cam0' in result.stderr
