# SPDX-License-Identifier: MIT
"""`framebus display` where there is no screen: it must say so, and leave nothing. With a screen: vm/test-kms.c."""
import os
import pathlib
import shutil
import subprocess

import pytest


@pytest.mark.parametrize('arguments, complaint', [
    ([], 'name of a bus is missing'),
    (['cam0', 'cam1'], 'cam1'),
    (['--frames', '0', 'cam0'], '0'),
    (['--device', '', 'cam0'], '--device'),
    (['--frobnicate', 'cam0'], '--frobnicate'),
])
def test_a_wrong_command_line_is_explained(framebus, arguments, complaint):
    result = framebus('display', *arguments)
    assert (result.returncode, result.stdout) == (2, '')
    assert complaint in result.stderr and "'framebus display --help'" in result.stderr


@pytest.mark.parametrize('device, why', [('/dev/dri/none', 'cannot open'), ('/dev/null', 'is not a display driver')])
def test_a_device_that_has_no_screen_is_named(framebus, device, why):
    result = framebus('display', '--device', device, 'cam0')
    assert (result.returncode, result.stdout, result.stderr.count('\n')) == (1, '', 1)
    assert result.stderr.startswith('framebus display: ')
    assert device in result.stderr and why in result.stderr


@pytest.mark.skipif(any(pathlib.Path('/dev/dri').glob('card*')), reason='there is a screen, perhaps')
def test_where_there_is_no_screen_nobody_waits_for_the_bus(framebus):
    result = framebus('display', 'cam0')
    assert (result.returncode, result.stdout) == (1, '')
    assert 'there is no screen' in result.stderr


def test_without_its_module_another_way_is_shown(build_dir, bus_dir, tmp_path):
    """The module is looked for beside the program, which is moved away from it here."""
    tool = shutil.copy(build_dir / 'tools' / 'framebus', tmp_path)
    result = subprocess.run([tool, 'display', 'cam0'], capture_output=True, text=True, timeout=30,
                            env={**os.environ, 'LD_LIBRARY_PATH': str(build_dir / 'lib')})
    if 'needs a module' not in result.stderr:
        pytest.skip('there is one that is installed')
    assert result.returncode == 1
    assert 'framebus-display.so' in result.stderr and "'framebus-view cam0'" in result.stderr
