# SPDX-License-Identifier: MIT
"""`framebus doctor`: what is wrong is found, with the command that mends it; --fix does what is safe."""
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FIRST_PID_NAMESPACE = 'pid:[4026531836]'


@pytest.fixture
def doctor(framebus, monkeypatch):
    """Runs `framebus doctor --json ARGUMENTS`; returns findings and exit status. Without GStreamer unless asked."""
    def run(*arguments, gstreamer=False, **more):
        if not gstreamer:
            monkeypatch.setenv('PATH', '/nowhere')
        result = framebus('doctor', '--json', *arguments, **more)
        assert result.stderr == ''
        return json.loads(result.stdout), result.returncode
    return run


def of(findings, area, level=None):
    return [one for one in findings if one['area'] == area and level in (None, one['level'])]


def problems(findings):
    return [one for one in findings if one['level'] == 'problem' and not one['fixed']]


def mends(text):
    """How often doctor says what to type, but for other directories' buses, which come and go."""
    areas = re.findall(r'^\w+ +(\w+) .*(?:\n +.*)*?\n +to mend it: ', text, re.MULTILINE)
    return len(areas) - areas.count('buses')


def test_every_area_is_looked_at_and_the_status_tells_of_problems(doctor, framebus, bus_dir):
    findings, status = doctor()
    assert {'directory', 'leftovers', 'limits', 'kernel', 'gstreamer', 'python'} <= {one['area'] for one in findings}
    assert of(findings, 'directory', 'ok')[0]['text'] == f'{bus_dir} can be used'
    assert 'memory can be sealed' in [one['text'] for one in of(findings, 'kernel', 'ok')]
    assert status == (1 if problems(findings) else 0)
    assert set(findings[0]) == {'area', 'level', 'text', 'mend', 'fixed'}
    assert mends(framebus('doctor').stdout) == sum(1 for one in findings if one['mend'] and one['area'] != 'buses')


def test_a_sandbox_is_named_for_what_it_forbids(framebus, sandbox):
    text = framebus('doctor', preexec_fn=sandbox('memfd_create', 'inotify_init1')).stdout
    assert 'memfds cannot be used (Operation not permitted): no bus works' in text
    assert 'inotify cannot be used (Operation not permitted)' in text


def test_a_stale_bus_is_a_problem_until_it_is_fixed(alone, doctor, peer, bus_dir):
    writer = peer('write', 'alive')
    peer('write', 'dead', memory=1).kill()
    findings, status = doctor()
    [found] = [one for one in problems(findings) if 'bus dead' in one['text']]
    assert (found['mend'], found['fixed'], status) == ('framebus rm dead', False, 1)
    assert (bus_dir / 'dead').exists()
    findings, _ = doctor('--fix')
    assert [one['fixed'] for one in findings if 'bus dead' in one['text']] == [True]
    assert not (bus_dir / 'dead').exists()
    findings, _ = doctor()
    assert not of(findings, 'leftovers', 'problem')
    assert writer.stop() == 0


@pytest.fixture
def vanished(bus_dir, monkeypatch):
    """A runtime directory that is removed with everything in it."""
    path = bus_dir / 'gone'
    monkeypatch.setenv('FRAMEBUS_DIR', str(path))
    yield path
    monkeypatch.setenv('FRAMEBUS_DIR', str(bus_dir))
    shutil.rmtree(path, ignore_errors=True)


def test_memory_of_a_vanished_directory_is_found(alone, doctor, peer, vanished, bus_dir, monkeypatch, wait_for):
    writer = peer('write', 'cam0', memory=1)
    [name] = os.listdir('/dev/shm')
    writer.kill()
    shutil.rmtree(vanished)
    monkeypatch.setenv('FRAMEBUS_DIR', str(bus_dir))
    living = peer('write', 'cam1', memory=1)
    [used] = set(os.listdir('/dev/shm')) - {name}
    # What is new could be about to be mapped, and is passed over.
    wait_for(lambda: time.time() - pathlib.Path('/dev/shm', used).stat().st_ctime > 4, limit=60, what='some age')
    findings = of(doctor()[0], 'leftovers', 'problem')
    assert [one['mend'] for one in findings] == [f'rm /dev/shm/{name}']
    findings, _ = doctor('--fix')
    if os.readlink('/proc/self/ns/pid') == FIRST_PID_NAMESPACE:
        assert [one['fixed'] for one in of(findings, 'leftovers', 'problem')] == [True]
        assert not pathlib.Path('/dev/shm', name).exists()
    else:
        assert 'in a container' in of(findings, 'leftovers', 'note')[0]['text']
        pathlib.Path('/dev/shm', name).unlink()
    assert set(os.listdir('/dev/shm')) == {used}
    assert living.stop() == 0


LEAVE_A_SEGMENT = """
import ctypes
print(ctypes.CDLL(None).shmget(ctypes.c_int(0xfb123456 - 2**32), ctypes.c_size_t(4096), 0o1600))
"""


def test_a_system_v_segment_that_nobody_uses_is_found(alone, doctor):
    made = subprocess.run([sys.executable, '-c', LEAVE_A_SEGMENT], check=True, capture_output=True, text=True)
    number = made.stdout.strip()
    findings, _ = doctor()
    assert f'ipcrm -m {number}' in [one['mend'] for one in of(findings, 'leftovers', 'problem')]
    findings, _ = doctor('--fix')
    if os.readlink('/proc/self/ns/pid') != FIRST_PID_NAMESPACE:
        subprocess.run(['/usr/bin/ipcrm', '-m', number], check=True)
    findings, _ = doctor()
    assert not of(findings, 'leftovers', 'problem')


def test_a_writer_that_does_not_answer(doctor, peer):
    writer = peer('write', 'cam0')
    writer.send_signal(signal.SIGSTOP)
    findings, status = doctor()
    assert [one['mend'] for one in of(findings, 'buses', 'problem')] == [f'kill -CONT {writer.pid}']
    assert status == 1
    writer.send_signal(signal.SIGCONT)
    assert writer.stop() == 0


def test_a_directory_that_everybody_can_write_to(alone, doctor, bus_dir):
    bus_dir.chmod(0o777)
    findings, status = doctor('--fix')
    assert [one['mend'] for one in of(findings, 'directory', 'problem')] == [f'chmod o-w {bus_dir}']
    assert status == 1
    assert bus_dir.stat().st_mode & 0o777 == 0o777  # that is for its owner to decide


def test_a_directory_that_is_not_there_is_made(alone, doctor, bus_dir, monkeypatch):
    path = bus_dir / 'buses'
    monkeypatch.setenv('FRAMEBUS_DIR', str(path))
    findings, _ = doctor()
    assert [one['mend'] for one in of(findings, 'directory', 'note')] == [f'mkdir -p -m 700 {path}']
    assert not path.exists()
    doctor('--fix')
    assert path.is_dir()
    findings, _ = doctor()
    assert of(findings, 'directory', 'ok')
    path.rmdir()


def test_a_file_in_the_place_of_the_directory(doctor, bus_dir, tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    for path, word in ((tmp_path / 'file', 'not a directory'), (tmp_path / 'file' / 'below', 'cannot be used')):
        monkeypatch.setenv('FRAMEBUS_DIR', str(path))
        findings, status = doctor()
        assert word in of(findings, 'directory', 'problem')[0]['text'] and status == 1


def test_a_session_directory_that_is_not_there(doctor, bus_dir, monkeypatch):
    monkeypatch.delenv('FRAMEBUS_DIR')
    monkeypatch.setenv('XDG_RUNTIME_DIR', '/nowhere/at-all')
    findings, status = doctor()
    assert 'XDG_RUNTIME_DIR is /nowhere/at-all' in of(findings, 'directory', 'problem')[0]['text']
    assert status == 1


def test_too_few_files(doctor):
    findings, status = doctor(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)))
    assert 'ulimit -n 4096' in [one['mend'] for one in of(findings, 'limits', 'problem')]
    assert status == 1


def test_somebody_elses_bus(doctor, peer, bus_dir, as_nobody):
    peer('write', 'cam0')
    bus_dir.chmod(0o755)
    findings, _ = doctor(**as_nobody)
    texts = [one['text'] for one in of(findings, 'directory', 'note')]
    assert any('bus cam0 is not open to you' in text for text in texts)
    assert any('you can read buses, not make any' in text for text in texts)


PYTHON = f'''#!/bin/sh
exec {sys.executable} "$@"
'''


def test_which_python_finds_which_module(doctor, monkeypatch, tmp_path, build_dir):
    if b'__asan_init' in (build_dir / 'lib' / 'libframebus.so.0').read_bytes():
        pytest.skip('python3 cannot load a library that was built with a sanitizer')
    findings, _ = doctor()
    assert of(findings, 'python', 'note')[0]['text'] == 'no python3: whether Python finds the module is not known'
    (tmp_path / 'bin').mkdir()
    (tmp_path / 'bin' / 'python3').write_text(PYTHON)
    (tmp_path / 'bin' / 'python3').chmod(0o755)

    def say(**env):
        monkeypatch.setenv('PATH', str(tmp_path / 'bin'))
        for name in ('PYTHONPATH', 'FRAMEBUS_LIBRARY'):
            monkeypatch.delenv(name, raising=False)
        for name, value in env.items():
            monkeypatch.setenv(name, str(value))
        [finding] = of(doctor(gstreamer=True)[0], 'python')
        return finding
    module, library = ROOT / 'python', build_dir / 'lib' / 'libframebus.so.0'
    found = say(PYTHONPATH=module, FRAMEBUS_LIBRARY=library)
    version = re.search("^VERSION = '(.*)'$", (module / 'framebus' / '_library.py').read_text(), re.MULTILINE)[1]
    assert (found['level'], found['text']) == ('ok', f'{sys.executable} finds the module {module}/framebus {version}')
    found = say(PYTHONPATH=tmp_path)
    if found['level'] != 'ok':  # installed on this machine
        assert (found['level'], found['text']) == ('note', f'{sys.executable} finds no module framebus')
        assert 'PYTHONPATH=' in found['mend'] or 'pip install --no-build-isolation ./python' in found['mend']
    found = say(PYTHONPATH=module, FRAMEBUS_LIBRARY='/nowhere/lib.so')
    assert found['level'] == 'problem'
    assert f'{sys.executable} cannot import framebus: /nowhere/lib.so: cannot open' in found['text']
    (tmp_path / 'bin' / 'python3').write_text('#!/bin/sh\nexit 9\n')
    assert say()['text'] == 'python3 does not work'


def test_without_gstreamer_and_with_it(doctor, build_dir):
    findings, _ = doctor()
    assert 'no gst-inspect-1.0' in of(findings, 'gstreamer', 'note')[0]['text']


def test_gstreamer_finds_the_plugin_or_not(doctor, build_dir, monkeypatch, tmp_path):
    if not shutil.which('gst-inspect-1.0') or not list((build_dir / 'gst-plugin').glob('libgstframebus.so')):
        pytest.skip('gst-inspect-1.0 or the plugin is not there')
    findings, _ = doctor(gstreamer=True)
    assert of(findings, 'gstreamer')[0]['level'] == 'ok'
    monkeypatch.delenv('GST_PLUGIN_PATH')
    monkeypatch.setenv('GST_PLUGIN_SYSTEM_PATH', str(tmp_path))
    monkeypatch.setenv('GST_REGISTRY', str(tmp_path / 'registry'))
    findings, _ = doctor(gstreamer=True)
    assert of(findings, 'gstreamer')[0]['level'] != 'ok'
