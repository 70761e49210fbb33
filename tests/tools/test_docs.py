# SPDX-License-Identifier: MIT
"""Every command of docs/using/tools.md, as it is written."""
import os
import re
import shutil
import subprocess

import documents
import pytest

PAGE = 'docs/using/tools.md'
PAIRS = [documents.split(language, code) for _, language, code in documents.blocks(PAGE) if '&\n' in code]
[PIPELINE] = [pair for pair in PAIRS if 'gst-launch' in pair[0]]
[PIPE] = [pair for pair in PAIRS if 'framebus recv' in pair[0]]
JUDGES = ('framebus check', 'framebus doctor')  # may find something, on a busy machine or this one; end by themselves


def run(line, cwd):
    """What goes on until it is interrupted is interrupted soon."""
    seconds = '60' if line.startswith(JUDGES) else '1'
    result = subprocess.run(['timeout', '--preserve-status', '-s', 'INT', '-k', '20', seconds, 'bash', '-c', line],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=cwd, timeout=120)
    assert result.returncode in ((0, 1) if line.startswith(JUDGES) else (0,)), f'{line}: {result.stderr}'
    return result.stdout


@pytest.fixture
def path(build_dir, bus_dir, monkeypatch):
    monkeypatch.setenv('PATH', f'{build_dir / "tools"}:{os.environ["PATH"]}')


@pytest.mark.parametrize('line', documents.params(PAGE, wanted=lambda line: line not in PIPELINE + PIPE))
def test_a_command_works_as_it_is_written(path, spawn, build_dir, tmp_path, line, request):
    if '--fix' in line:
        request.getfixturevalue('alone')
    if not line.startswith('framebus test'):
        source = spawn(build_dir / 'tools' / 'framebus', 'test', 'cam0')
        source.until(lambda: 'publishing' in source.err())
    out = run(line, tmp_path)
    if line.startswith('framebus check'):
        assert ' frames came' in out
    if ' cam0.png' in line:
        assert (tmp_path / 'cam0.png').read_bytes().startswith(b'\x89PNG')


@documents.runs(PAGE, PIPELINE)
def test_a_change_of_format_on_the_way_is_no_damage(path, spawn, build_dir, tmp_path):
    pipeline, check = PIPELINE
    if not shutil.which('gst-launch-1.0') or not list((build_dir / 'gst-plugin').glob('libgstframebus.so')):
        pytest.skip('gst-launch-1.0 or the plugin is not there')
    source = spawn(build_dir / 'tools' / 'framebus', 'test', '--size', '320x240', 'cam0')
    source.until(lambda: 'publishing' in source.err())
    other = spawn(*pipeline.removesuffix('&').replace('!', ' ! ').split())
    try:
        out = run(check, tmp_path)
    finally:
        other.stop()
    assert 'Y42B 320x240' in out
    assert re.search(r'test +0 torn, 0 doubled, ', out), out


@documents.runs(PAGE, PIPE)
@pytest.mark.parametrize('name, arrived', [('NV12', 'I420'), ('YUY2', 'Y42B'), ('P010_10LE', 'I420_10LE')])
def test_a_pipe_that_repacks_the_samples_alters_nothing(path, spawn, build_dir, tmp_path, name, arrived):
    pipe, check = PIPE
    source = spawn(build_dir / 'tools' / 'framebus', 'test', '--size', '322x242', '--format', name, 'cam0')
    source.until(lambda: 'publishing' in source.err())
    other = spawn('bash', '-c', pipe.removesuffix('&'))
    out = run(check, tmp_path)
    assert source.stop() == 0
    assert other.finish() == 0  # the end goes through
    assert f'{arrived} 322x242' in out
    assert re.search(r'test +0 torn, 0 doubled, ', out), out
    assert re.search(r'unaltered +0 pictures altered', out), out
