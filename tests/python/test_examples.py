# SPDX-License-Identifier: MIT
"""The programs of docs/using/python.md, README.md and examples/, run as they stand there."""
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys

import documents
import framebus
import numpy
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = 'docs/using/python.md'
PROGRAMS = [program for page in (PAGE, 'README.md') for program in documents.params(page, languages=('python',))]
PIPELINES = documents.commands(PAGE, 'Read')
ENOUGH = 10


def frames_of(pid):
    """How many frames a process has read, or written."""
    counts = [peer.taken for bus in framebus.list() for peer in bus.readers if peer.pid == pid]
    counts += [bus.published for bus in framebus.list() if bus.pid == pid]
    return max(counts, default=0)


@pytest.fixture
def screen(display):
    """Environment for programs with windows."""
    return {'DISPLAY': display, 'QT_QPA_PLATFORM': 'xcb', 'GDK_BACKEND': 'x11'}


def titles(screen):
    done = subprocess.run(['xdotool', 'search', '--onlyvisible', '--name', '.*', 'getwindowname', '%@'],
                          env={**os.environ, **screen}, capture_output=True, text=True)
    return done.stdout.splitlines()


def ends_well(process):
    """By itself, or as a program does that knows nothing of Ctrl-C."""
    return process.stop(signal.SIGINT) in (0, -signal.SIGINT) and \
        process.err().count('Traceback') == process.err().count('KeyboardInterrupt')


def test_the_pages_have_programs():
    assert len(PROGRAMS) == 7


@documents.runs(PAGE, PIPELINES)
@pytest.mark.parametrize('form', ['BGR', 'NV12'])
@pytest.mark.parametrize('code', PROGRAMS)
def test_a_program_of_the_pages(spawn, build_dir, python, screen, wait_for, tmp_path, code, form):
    for module in re.findall(r'cv2|PIL', code):
        pytest.importorskip(module)
    if not shutil.which('gst-launch-1.0') or not list(build_dir.glob('gst-plugin/libgstframebus.so')):
        pytest.skip('no GStreamer with framebussink')
    [pipeline] = PIPELINES
    assert 'format=BGR' in pipeline
    spawn('sh', '-c', f'exec {pipeline.replace("format=BGR", f"format={form}")}')
    process = python(code, env=screen, cwd=tmp_path)
    wait_for(lambda: not process.running() or frames_of(process.pid) >= ENOUGH, 60, 'frames')
    if 'imshow' in code:
        process.until(lambda: 'cam0' in titles(screen), 30, 'a window')
    if 'save' in code:
        assert process.finish() == 0
        image = pytest.importorskip('PIL.Image').open(tmp_path / 'cam0.png')
        assert image.size == (640, 480)
        assert image.getpixel((140, 100)) == (191, 191, 0) or image.getpixel((140, 100))[2] < 60  # yellow, no blue
    else:
        assert process.running()
        assert ends_well(process), process.err()


@pytest.mark.parametrize('form', ['BGR', 'NV12', 'Y410'])
def test_opencv_shows_a_bus(spawn, writer, screen, form):
    pytest.importorskip('cv2')
    writer('cam0', form, 320, 240)
    viewer = spawn(sys.executable, ROOT / 'examples' / 'opencv-view.py', 'cam0', env=screen)
    viewer.until(lambda: frames_of(viewer.pid) >= ENOUGH and 'cam0' in titles(screen), 60, 'its window')
    assert ends_well(viewer), viewer.err()


def test_the_benchmark_leaves_a_complete_result(spawn, tmp_path):
    process = spawn(sys.executable, ROOT / 'bench' / 'python.py', '--quick',
                    env={'FRAMEBUS_BENCH': str(tmp_path)})
    assert process.finish(120) == 0
    result = json.loads((tmp_path / 'python.json').read_text())
    assert result['quick'] and result['machine']['cpus'] >= 1
    assert len(result['rows']) == 8
    for row in result['rows']:
        assert 0 < row['p50'] <= row['p90'] <= row['p99'] and row['samples'] == 5
        assert row['contestant'] in process.out() and row['case'] in process.out()


# A black picture with a white square that moves.
SQUARE = '''
form = framebus.Format(sys.argv[1], 160, 120, rate=100)
with framebus.Writer("cam0", form) as writer:
    for number in range(10**6):
        with writer.frame() as frame:
            for plane in frame.planes:
                plane.array[:] = 128 if plane.shape[:1] != (120,) else 0
            at = number % 100
            frame.planes[0].array[40:60, at:at + 20] = 255
            frame.capture_ns = 10**9 + number
        writer.serve(0.01)
'''


@pytest.mark.parametrize('form', ['BGR', 'NV12'])
def test_a_detector_publishes_what_it_finds(spawn, python, form):
    pytest.importorskip('cv2')
    python(SQUARE, form)
    detector = spawn(sys.executable, ROOT / 'examples' / 'detector.py')
    with framebus.Reader('objects', wait=60) as reader:
        for frame in reader:
            assert str(frame.format) == 'BGR 160x120 100/1'
            [(tag, data)] = frame.meta
            assert tag == 'objs'
            boxes = list(struct.iter_unpack('<4I', data))
            at = (frame.capture_ns - 10**9) % 100
            if frame.sequence > 5 and any(abs(x - at) <= 3 and abs(y - 40) <= 3 for x, y, _, _ in boxes):
                break
        assert (frame.array[45:55, at + 8:at + 12, 1] == 255).all()  # white, or green where a box crosses it
        x, y, _, height = next(box for box in boxes if abs(box[0] - at) <= 3)
        assert (frame.array[y + height // 2, x] == (0, 255, 0)).all()
        assert numpy.all(frame.array[100:] == frame.array[119, 159])
    assert ends_well(detector), detector.err()
