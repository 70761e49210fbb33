# SPDX-License-Identifier: MIT
"""`framebus camera` where there is no camera: it must say so, with a way out, and leave nothing. With cameras: vm/."""
import pathlib

import pytest


@pytest.mark.parametrize('arguments, complaint', [
    (['--size', '640'], '640'),
    (['--size', '0x480'], '0x480'),
    (['--size', '640x480x2'], '640x480x2'),
    (['--rate', 'fast'], 'fast'),
    (['--rate', '-1'], '-1'),
    (['--io', 'ram'], 'ram'),
    (['--memory', 'heap'], 'heap'),
    (['--history', '17'], '17'),
    (['--frames', '0'], '0'),
    (['--device', ''], '--device'),
    (['--frobnicate'], '--frobnicate'),
    (['cam1'], 'cam0'),
    (['--list'], 'cam0'),
])
def test_a_wrong_command_line_is_explained(framebus, arguments, complaint):
    result = framebus('camera', *arguments, 'cam0')
    assert (result.returncode, result.stdout) == (2, '')
    assert complaint in result.stderr and "'framebus camera --help'" in result.stderr


def test_without_the_name_of_a_bus_there_is_no_camera(framebus):
    result = framebus('camera', '--device', '/dev/null')
    assert result.returncode == 2 and 'name of a bus is missing' in result.stderr


@pytest.mark.parametrize('method', ['auto', 'dmabuf', 'userptr', 'export', 'mmap'])
@pytest.mark.parametrize('device, why', [('/dev/video-none', 'there is no such file'), ('/dev/null', 'is not a camera')])
def test_every_method_begins_with_a_camera(framebus, bus_dir, method, device, why):
    result = framebus('camera', '--io', method, '--device', device, 'cam0')
    assert (result.returncode, result.stdout, result.stderr.count('\n')) == (1, '', 1)
    assert result.stderr.startswith(f'framebus camera: {device}') and why in result.stderr
    assert "'framebus camera --list'" in result.stderr
    assert list(bus_dir.iterdir()) == []


@pytest.mark.parametrize('device', ['/dev/null', '/dev/video-none'])
def test_a_list_of_what_is_not_a_camera(framebus, device):
    for order in (['--list', '--device', device], ['--device', device, '--list']):
        result = framebus('camera', *order)
        assert (result.returncode, result.stdout) == (1, '')
        assert device in result.stderr


@pytest.mark.skipif(any(pathlib.Path('/dev').glob('video*')), reason='there is a camera')
def test_a_list_of_no_cameras(framebus):
    result = framebus('camera', '--list')
    assert (result.returncode, result.stdout) == (1, '')
    assert 'there is no camera' in result.stderr
