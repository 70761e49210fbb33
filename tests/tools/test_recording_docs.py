# SPDX-License-Identifier: MIT
"""Every command of docs/using/recording.md, as it is written."""
import os
import re
import shutil
import subprocess

import documents
import pytest
import streams


@pytest.fixture
def path(build_dir, bus_dir, monkeypatch):
    monkeypatch.setenv('PATH', f'{build_dir / "tools"}:{os.environ["PATH"]}')
    monkeypatch.setenv('SDL_VIDEODRIVER', 'dummy')  # ffplay's window
    monkeypatch.setenv('SDL_AUDIODRIVER', 'dummy')


@pytest.mark.parametrize('line', documents.params('docs/using/recording.md'))
def test_a_command_works_as_it_is_written(path, spawn, build_dir, tmp_path, line):
    for program in ('ffmpeg', 'ffplay'):
        if program in line and not shutil.which(program):
            pytest.skip(f'there is no {program}')
    if '.mkv' in line and not (build_dir / 'gst-plugin' / 'libgstframebus.so').exists():
        pytest.skip('built without GStreamer')
    if 'film.mp4' in line:
        streams.run(['ffmpeg', '-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=25', '-frames:v', '5',
                     '-c:v', 'mpeg4', tmp_path / 'film.mp4'])
    if 'framebus play' in line:
        writer = spawn(build_dir / 'tools' / 'framebus', 'test', 'cam0')
        writer.until(lambda: 'publishing' in writer.err())
        streams.run([build_dir / 'tools' / 'framebus', 'record', '-n', '5', 'cam0', tmp_path / 'out.fbr'])
        writer.stop()
    elif 'framebus send' not in line:
        writer = spawn(build_dir / 'tools' / 'framebus', 'test', 'cam0')
        writer.until(lambda: 'publishing' in writer.err())
    # What goes on until it is interrupted is interrupted soon.
    result = subprocess.run(['timeout', '--preserve-status', '-s', 'INT', '-k', '30', '2', 'bash', '-c', line],
                            stdin=subprocess.DEVNULL, capture_output=True, cwd=tmp_path, timeout=60)
    said = re.search(rb'(sent|received|played) [1-9]\d* frames|(out\.fbr|crash\.mkv): [1-9]\d* frames', result.stderr)
    assert said, result.stderr
