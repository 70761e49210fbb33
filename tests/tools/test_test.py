# SPDX-License-Identifier: MIT
"""`framebus test`: a test picture in any format, size and rate, for as long as one likes."""
import re

import pytest


@pytest.fixture
def source(spawn, build_dir, framebus, wait_for):
    """Starts `framebus test ARGUMENTS NAME` and waits until it is on the bus."""
    def start(name, *arguments):
        process = spawn(build_dir / 'tools' / 'framebus', 'test', *arguments, name)
        process.until(lambda: 'publishing' in process.err(), what='its bus')
        return process
    return start


def test_the_bus_is_what_was_asked_for(source, framebus_json):
    writer = source('cam0', '--format', 'P010_10LE', '--size', '642x362', '--rate', '59.94', '--memory', 'posix',
                    '--history', '7', '--lossless')
    bus = framebus_json('info', 'cam0')
    assert bus['writer']['label'] == 'framebus test'
    wanted = {'name': 'P010_10LE', 'width': 642, 'height': 362, 'rate_num': 60000, 'rate_den': 1001}
    assert {key: bus['format'][key] for key in wanted} == wanted
    assert (bus['memory']['kind'], bus['memory']['history'], bus['stream']['lossless']) == ('posix', 7, True)
    assert writer.stop() == 0
    assert framebus_json('ls') == []


def test_a_count_of_frames_is_published_and_then_it_ends(source, framebus):
    writer = source('cam0', '--count', '30', '--rate', '100', '--size', '160x120')
    assert writer.finish() == 0
    assert re.search(r'^30 frames in ', writer.err(), re.MULTILINE)


@pytest.mark.parametrize('how', [['--format', 'YUY2', '--rate', '100'],
                                 ['--format', 'RGB', '--size', '101x77', '--rate', '100'],
                                 ['--format', 'NV12', '--size', '1920x1080', '--memory', 'sysv']])
def test_the_pictures_are_good_and_move(source, framebus, wait_for, how):
    source('cam0', *how)
    check = ['check', '--for', '300ms', '--test', '--unaltered', '--not-black', 'cam0']
    assert framebus(*check).returncode == 0
    wait_for(lambda: framebus(*check, '--not-frozen').returncode == 0, limit=30, what='a picture that moves')


def test_a_lossless_reader_gets_every_picture_there_is(source, framebus_json):
    source('cam0', '--lossless', '--rate', '0', '--size', '160x120')
    seen = framebus_json('check', '--lossless', '--for', '500ms', '--test', '--max-missed', '0', 'cam0')
    assert seen['frames'] > 3


def test_the_rate_is_kept(source, framebus_json, wait_for):
    """On a busy machine it may be less for a while; never more."""
    source('cam0', '--rate', '20', '--size', '160x120')
    wait_for(lambda: 15 < framebus_json('check', '--for', '1s', 'cam0')['fps'] < 22, limit=30, what='20 a second')


def test_every_format_of_the_table_is_listed(framebus):
    names = framebus('test', '--formats').stdout.split()
    assert len(names) == len(set(names)) > 60
    assert {'NV12', 'BGRx', 'I420', 'P010_10LE', 'NV12_10LE40'} <= set(names)


def test_a_name_that_is_taken_is_refused_with_the_pid(source, framebus):
    writer = source('cam0')
    result = framebus('test', 'cam0')
    assert result.returncode == 1
    assert str(writer.pid) in result.stderr
