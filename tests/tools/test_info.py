# SPDX-License-Identifier: MIT
"""`framebus info`: everything about one bus."""
import os
import re
import signal

import pytest


def test_a_live_bus_is_told_in_full(peer, framebus, bus_dir):
    writer = peer('write', 'cam0', label='the writer')
    text = framebus('info', 'cam0').stdout
    for expected in ('live', str(bus_dir / 'cam0'), 'the writer', f'process {writer.pid}', f'uid {os.getuid()}',
                     'NV12 320x240', 'offset 76800, stride 320', 'memfd', 'the last 4 frames'):
        assert expected in text


def test_each_reader_is_a_row(peer, framebus):
    peer('write', 'cam0')
    first = peer('read', 'cam0', label='first')
    second = peer('read', 'cam0', label='second one', delivery=1, hold=3)
    text = framebus('info', 'cam0').stdout
    assert re.search(rf'^ *{first.pid} +{os.getuid()} +first +live +[01]/1 +\d+ +\d+$', text, re.MULTILINE)
    assert re.search(rf'^ *{second.pid} +{os.getuid()} +second one +latest +[34]/4 +\d+ +\d+$', text, re.MULTILINE)


def test_json_has_everything(peer, framebus_json, bus_dir):
    writer = peer('write', 'cam0', label='w')
    reader = peer('read', 'cam0', label='r', hold=2)
    bus = framebus_json('info', 'cam0')
    assert bus['path'] == str(bus_dir / 'cam0')
    assert bus['writer'] == {'pid': writer.pid, 'uid': os.getuid(), 'label': 'w'}
    assert bus['format']['width'], bus['format']['height'] == (320, 240)
    assert bus['format']['planes'] == [{'offset': 0, 'stride': 320}, {'offset': 76800, 'stride': 320}]
    assert bus['format']['size'] == 320 * 240 * 3 // 2
    assert (bus['format']['rate_num'], bus['format']['rate_den']) == (100, 1)
    assert bus['stream']['published'] > 0
    assert bus['stream']['lossless'] is False
    assert bus['memory']['kind'] == 'memfd'
    assert 0 < bus['memory']['slots_used'] <= bus['memory']['max_slots']
    assert bus['memory']['bytes'] >= bus['memory']['slots_used'] * bus['format']['size']
    [told] = bus['readers']
    assert (told['pid'], told['label'], told['delivery'], told['quota']) == (reader.pid, 'r', 'live', 3)
    assert 2 <= told['held'] <= 3


def test_counters_go_on(peer, framebus_json, wait_for):
    peer('write', 'cam0')
    peer('read', 'cam0')
    before = framebus_json('info', 'cam0')

    def gone_on():
        bus = framebus_json('info', 'cam0')
        return (bus['state'] == 'live' and  # a busy machine may keep the writer from answering in time
                bus['stream']['published'] > before['stream']['published'] + 5 and
                bus['readers'][0]['taken'] > before['readers'][0]['taken'] + 5)
    wait_for(gone_on, what='frames')


@pytest.mark.parametrize('memory, kind', [(0, 'memfd'), (1, 'posix'), (2, 'sysv')])
def test_the_kind_of_memory_is_told(peer, framebus_json, memory, kind):
    writer = peer('write', 'cam0', memory=memory)
    assert framebus_json('info', 'cam0')['memory']['kind'] == kind
    assert writer.stop() == 0


def test_a_lossless_bus_says_so(peer, framebus, framebus_json):
    peer('write', 'cam0', lossless=1)
    assert framebus_json('info', 'cam0')['stream']['lossless'] is True
    assert 'lossless' in framebus('info', 'cam0').stdout


def test_a_payload_is_told_by_its_caps(peer, framebus, framebus_json):
    caps = 'image/jpeg, width=(int)640, height=(int)480'
    peer('write', 'cam0', caps=caps)
    bus = framebus_json('info', 'cam0')
    assert (bus['format']['fourcc'], bus['format']['name'], bus['format']['drm']) == (0, 'image/jpeg', None)
    assert bus['format']['caps'] == caps
    assert caps in framebus('info', 'cam0').stdout


def test_a_bus_without_a_format(peer, framebus, framebus_json):
    peer('write', 'cam0', idle=1)
    assert framebus_json('info', 'cam0')['format'] is None
    assert 'none yet' in framebus('info', 'cam0').stdout


def test_a_path_will_do_for_a_name(peer, framebus_json, bus_dir, tmp_path):
    writer = peer('write', 'cam0')
    assert framebus_json('info', str(bus_dir / 'cam0'))['writer']['pid'] == writer.pid


def test_a_stopped_writer(peer, framebus, framebus_json):
    writer = peer('write', 'cam0')
    writer.send_signal(signal.SIGSTOP)
    text = framebus('info', 'cam0').stdout
    assert 'silent' in text and f'process {writer.pid}' in text
    bus = framebus_json('info', 'cam0')
    assert (bus['state'], bus['writer']['pid'], bus['format']) == ('silent', writer.pid, None)


def test_a_killed_writer(peer, framebus, framebus_json):
    peer('write', 'cam0').kill()
    text = framebus('info', 'cam0').stdout
    assert 'stale' in text and 'framebus rm' in text
    assert framebus_json('info', 'cam0')['writer'] is None


def test_no_such_bus(framebus):
    result = framebus('info', 'cam0')
    assert result.returncode == 1
    assert result.stdout == ''
    assert result.stderr.startswith('framebus info: ') and 'cam0' in result.stderr


def test_a_label_cannot_command_the_terminal(peer, framebus, framebus_json):
    peer('write', 'cam0', label='\x1b[31mred\x07\n')
    for result in (framebus('info', 'cam0'), framebus('info', '--json', 'cam0')):
        assert result.returncode == 0
        assert not set(result.stdout) & {'\x1b', '\x07'}
        assert '[31mred' in result.stdout
