# SPDX-License-Identifier: MIT
"""A wrong FRAMEBUS_DIR: the commands say where else the bus is, and what they say works when it is typed."""
import json
import re
import subprocess

import pytest


@pytest.fixture
def wrong(bus_dir, monkeypatch):
    """A bus lostbus is served in the test's directory; from now on programs look in another one."""
    def look(name='none'):
        monkeypatch.setenv('FRAMEBUS_DIR', str(bus_dir / name))
    return look


def typed(line, build_dir):
    """What a shell makes of it, where framebus is the one that was built."""
    command = line.replace('framebus ', f'{build_dir}/tools/framebus ', 1)
    return subprocess.run(['sh', '-c', command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)


def remedy(text, bus_dir, bus):
    [line] = [line.strip() for line in text.splitlines()
              if line.startswith('  FRAMEBUS_DIR') and str(bus_dir) in line and line.endswith(bus)]
    return line


def test_info_says_where_it_is(peer, framebus, bus_dir, build_dir, wrong):
    writer = peer('write', 'lostbus')
    wrong()
    result = framebus('info', 'lostbus')
    assert result.returncode == 1 and 'there is no bus "lostbus"' in result.stderr
    line = remedy(result.stderr, bus_dir, 'lostbus')
    assert line == f'FRAMEBUS_DIR={bus_dir} framebus info lostbus'
    assert f'process {writer.pid}' in typed(line, build_dir).stdout


def test_hz_says_where_it_is(peer, framebus, bus_dir, build_dir, wrong):
    peer('write', 'lostbus')
    wrong()
    result = framebus('hz', '--count', '1', 'lostbus')
    assert result.returncode == 1
    line = remedy(result.stderr, bus_dir, 'lostbus')
    assert 'Hz' in typed(line.replace('hz', 'hz --count 1'), build_dir).stdout


def test_ls_says_where_there_are_some(peer, framebus, bus_dir, build_dir, wrong):
    peer('write', 'lostbus')
    wrong()
    result = framebus('ls')
    assert result.returncode == 0 and result.stdout == ''
    lines = [line.strip() for line in result.stderr.splitlines() if line.startswith('  FRAMEBUS_DIR')]
    assert len(lines) == 1
    assert typed(lines[0], build_dir).returncode == 0
    if str(bus_dir) in lines[0]:
        assert 'lostbus' in typed(lines[0], build_dir).stdout


def test_doctor_says_where_it_is(peer, framebus, bus_dir, build_dir, wrong):
    peer('write', 'lostbus')
    wrong()
    findings = json.loads(framebus('doctor', '--json').stdout)
    [line] = [one['mend'] for one in findings if one['area'] == 'buses' and str(bus_dir) in one['text']]
    assert 'lostbus' in typed(line, build_dir).stdout


def test_a_directory_that_a_shell_would_split_is_quoted(peer, framebus, bus_dir, build_dir, wrong, monkeypatch):
    odd = bus_dir / "it's a dir"
    monkeypatch.setenv('FRAMEBUS_DIR', str(odd))
    writer = peer('write', 'lostbus')
    wrong()
    [line] = re.findall(r'^  (FRAMEBUS_DIR=.*)$', framebus('info', 'lostbus').stderr, re.MULTILINE)
    assert f'process {writer.pid}' in typed(line, build_dir).stdout
    assert writer.stop() == 0
    for path in odd.iterdir():
        path.unlink()
    odd.rmdir()


def test_a_dead_bus_elsewhere_is_not_named(peer, framebus, wrong):
    peer('write', 'lostbus').kill()
    wrong()
    assert 'FRAMEBUS_DIR' not in framebus('info', 'lostbus').stderr


def test_a_path_is_what_it_says(peer, framebus, bus_dir):
    peer('write', 'lostbus')
    assert 'FRAMEBUS_DIR' not in framebus('info', str(bus_dir / 'none' / 'lostbus')).stderr
