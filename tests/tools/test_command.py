# SPDX-License-Identifier: MIT
"""`framebus` itself: help, version, wrong command lines."""
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

COMMANDS = ['ls', 'info', 'mon', 'top', 'hz', 'test', 'check', 'snap', 'camera', 'display', 'send', 'recv', 'record', 'play',
            'rm', 'doctor']


def test_help_lists_every_command_and_where_buses_are(framebus, bus_dir):
    for arguments in (['--help'], ['-h'], ['help']):
        result = framebus(*arguments)
        assert (result.returncode, result.stderr) == (0, '')
        for command in COMMANDS:
            assert re.search(rf'^  {command} +\w', result.stdout, re.MULTILINE)
        assert str(bus_dir) in result.stdout
        assert 'Exit status' in result.stdout


@pytest.mark.parametrize('command', COMMANDS)
def test_help_of_a_command_is_the_same_both_ways(framebus, command):
    one, other = framebus('help', command), framebus(command, '--help')
    assert one.stdout == other.stdout
    assert one.stdout.startswith(f'Usage: framebus {command} ')
    assert (one.returncode, other.returncode, one.stderr) == (0, 0, '')


def test_help_fits_a_terminal(framebus):
    for arguments in (['help'], *(['help', command] for command in COMMANDS)):
        assert max(map(len, framebus(*arguments).stdout.splitlines())) <= 105


def test_version(framebus):
    for argument in ('--version', '-V'):
        result = framebus(argument)
        assert re.fullmatch(r'framebus \d+\.\d+\.\d+\n', result.stdout)
        assert result.returncode == 0


@pytest.mark.parametrize('arguments, complaint', [
    (['frobnicate'], 'frobnicate'),
    (['--frobnicate'], '--frobnicate'),
    (['help', 'frobnicate'], 'frobnicate'),
    (['ls', '--frobnicate'], '--frobnicate'),
    (['ls', 'cam0'], 'cam0'),
    (['info'], 'name of a bus is missing'),
    (['info', 'cam0', 'cam1'], 'cam1'),
    (['rm'], 'name of a bus is missing'),
    (['rm', '--json', 'cam0'], '--json'),
    (['test'], 'name of a bus is missing'),
    (['test', '--format', 'NV13', 'cam0'], 'NV13'),
    (['test', '--size', '320', 'cam0'], '320'),
    (['test', '--size', '320x99999', 'cam0'], '99999'),
    (['test', '--rate', '-3', 'cam0'], '-3'),
    (['test', '--memory', 'heap', 'cam0'], 'heap'),
    (['test', '--history', '300', 'cam0'], '300'),
    (['test', '--count', '0', 'cam0'], '0'),
    (['check', '--max-age', '50 parsecs', 'cam0'], 'parsecs'),
    (['check', '--min-fps', 'many', 'cam0'], 'many'),
    (['check', '--for', '0', 'cam0'], '0'),
    (['hz'], 'name of a bus is missing'),
    (['snap', 'cam0'], 'name of a file is missing'),
    (['snap', 'cam0', 'x.gif'], 'x.gif'),
    (['hz', '--interval', '0', 'cam0'], '0'),
    (['top', '--interval', '1ns'], '1ns'),
    (['mon', 'cam0'], 'cam0'),
    (['top', '--interval', 'x'], 'x'),
])
def test_a_wrong_command_line_is_explained(framebus, arguments, complaint):
    result = framebus(*arguments)
    assert result.returncode == 2
    assert complaint in result.stderr
    assert re.search(r"^Try 'framebus[a-z ]* --help'\.$", result.stderr, re.MULTILINE)
    assert result.stdout == ''


def test_without_a_command_there_is_help(framebus):
    result = framebus()
    assert result.returncode == 2
    assert result.stderr.startswith('Usage: framebus ')


@pytest.mark.parametrize('name', ['', 'a b', '-x', '.hidden', 'x' * 65, 'a\nb'])
def test_a_name_that_cannot_be_one_is_refused(framebus, name):
    for command in ('info', 'rm'):
        result = framebus(command, '--', name)
        assert result.returncode == 1
        assert result.stderr.startswith(f'framebus {command}: ')
        assert result.stdout == ''


def test_output_that_cannot_be_written_is_an_error(build_dir, bus_dir):
    with open('/dev/full', 'w') as full:
        result = subprocess.run([build_dir / 'tools' / 'framebus', 'ls', '--json'], stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=30)
    assert result.returncode == 1
    assert 'standard output' in result.stderr


@pytest.mark.parametrize('line', [['test', 'cam0'], ['check', 'cam0'], ['hz', 'cam0'], ['mon'], ['top'],
                                  ['record', 'cam0', 'a.fbr'], ['recv', 'cam0']])
def test_a_sandbox_without_signalfd_is_what_is_blamed(framebus, sandbox, line, tmp_path):
    result = framebus(*line, preexec_fn=sandbox('signalfd', 'signalfd4'), cwd=tmp_path)
    assert (result.returncode, result.stdout) == (3 if line[0] == 'check' else 1, '')
    assert 'signalfd' in result.stderr


def test_what_one_command_needs_the_others_do_not_load(build_dir):
    if not shutil.which('ldd'):
        pytest.skip('there is no ldd')
    loaded = subprocess.run(['ldd', build_dir / 'tools' / 'framebus'], capture_output=True, text=True, timeout=30).stdout
    assert 'libframebus.so' in loaded and not [name for name in ('libgst', 'libglib', 'libdrm') if name in loaded]


def test_an_mkv_file_without_its_module_is_explained(build_dir, bus_dir, tmp_path):
    """The module is looked for beside the program, which is moved away from it here."""
    tool = shutil.copy(build_dir / 'tools' / 'framebus', tmp_path)
    (tmp_path / 'a.mkv').touch()
    result = subprocess.run([tool, 'play', tmp_path / 'a.mkv', 'cam0'], capture_output=True, text=True, timeout=30,
                            env={**os.environ, 'LD_LIBRARY_PATH': str(build_dir / 'lib')})
    if 'need a module' not in result.stderr:
        pytest.skip('there is one that is installed')
    assert result.returncode == 1 and 'framebus-mkv.so' in result.stderr and '.fbr' in result.stderr


@pytest.mark.parametrize('command', [['hz'], ['recv', '--raw'], ['recv', '--raw', '--lossless'], ['check', '--for', '100s'],
                                     ['record', '--force']])
def test_a_command_that_is_stopped_and_goes_on_reads_on(spawn, peer, framebus, framebus_json, build_dir, wait_for, tmp_path,
                                                        command):
    """SIGCONT ends the sleep of whoever waits for a frame (Ctrl-Z, then fg), and there is no frame."""
    writer = peer('write', 'cam0', lossless=1)
    reader = spawn(build_dir / 'tools' / 'framebus', *command, 'cam0', *(['cam0.fbr'] if command[0] == 'record' else []),
                   cwd=tmp_path)
    taken = lambda: sum(one['taken'] for one in framebus_json('info', 'cam0')['readers'])
    reader.until(lambda: taken() > 1, what='its first frames')
    writer.send_signal(signal.SIGSTOP)
    for _ in range(3):
        time.sleep(0.1)  # it sleeps in next
        reader.send_signal(signal.SIGSTOP)
        reader.send_signal(signal.SIGCONT)
    time.sleep(0.1)
    assert reader.running()
    writer.send_signal(signal.SIGCONT)
    before = taken()
    reader.until(lambda: taken() > before + 2, what='more frames')
    reader.stop()
