# SPDX-License-Identifier: MIT
"""The camera example where there is no camera: it must say so and leave nothing."""
import pathlib

import pytest


@pytest.fixture
def camera(spawn, build_dir):
    def run(*arguments):
        process = spawn(build_dir / 'examples' / 'camera', *arguments)
        return process.finish(), process
    return run


def test_help(camera):
    status, process = camera('--help')
    assert status == 0
    for option in ('--device', '--bus', '--size', '--fps', '--format', '--io', '--frames', '--list'):
        assert option in process.out()


@pytest.mark.parametrize('arguments, complaint', [
    (['--size', '640'], '640'),
    (['--size', '0x480'], '0x480'),
    (['--size', '640x480x2'], '640x480x2'),
    (['--size', '99999x480'], '99999x480'),
    (['--fps', 'fast'], 'fast'),
    (['--fps', '-1'], '-1'),
    (['--io', 'ram'], 'ram'),
    (['--frames', '0'], '0'),
    (['--frobnicate'], '--frobnicate'),
    (['cam0'], 'cam0'),
])
def test_a_wrong_command_line_is_explained(camera, arguments, complaint):
    status, process = camera(*arguments)
    assert status == 2
    assert complaint in process.err()


def test_a_device_that_is_not_there(camera, bus_dir):
    status, process = camera('--device', '/dev/video-none', '--bus', 'cam0')
    assert status == 1
    assert '/dev/video-none' in process.err() and 'No such file' in process.err()
    assert list(bus_dir.iterdir()) == []


def test_a_device_that_is_no_camera(camera, bus_dir):
    status, process = camera('--device', '/dev/null', '--bus', 'cam0')
    assert status == 1
    assert '/dev/null is no camera' in process.err()
    assert list(bus_dir.iterdir()) == []


@pytest.mark.parametrize('road', ['auto', 'dmabuf', 'userptr', 'export', 'mmap'])
def test_every_road_begins_with_a_camera(camera, bus_dir, road):
    status, process = camera('--io', road, '--device', '/dev/video-none')
    assert status == 1
    assert process.err().count('\n') == 1 and "'camera --list'" in process.err()
    assert list(bus_dir.iterdir()) == []


@pytest.mark.parametrize('device', ['/dev/null', '/dev/video-none'])
def test_a_list_of_what_is_no_camera(camera, device):
    status, process = camera('--list', '--device', device)
    assert (status, process.out()) == (1, '')
    assert device in process.err()


@pytest.mark.skipif(any(pathlib.Path('/dev').glob('video*')), reason='there is a camera')
def test_a_list_of_no_cameras(camera):
    status, process = camera('--list')
    assert (status, process.out()) == (1, '')
    assert 'no camera' in process.err()
