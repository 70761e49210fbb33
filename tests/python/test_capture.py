# SPDX-License-Identifier: MIT
"""Programs made for cv2.VideoCapture: with one line changed, and with OpenCV's own class."""
import os
import signal
import sys
import time

import documents
import framebus
import numpy
import pytest
from framebus import Format, VideoCapture

WIDTH, HEIGHT, FPS, BUFFERSIZE, READ_TIMEOUT = 3, 4, 5, 38, 54  # cv2.CAP_PROP_*

# What people write for a camera; %s is the one line.
PROGRAM = '''
import cv2, framebus, sys
cap = %s
if not cap.isOpened():
    sys.exit("no camera")
cap.set(cv2.CAP_PROP_BUFFERSIZE, 1)
print(int(cap.get(cv2.CAP_PROP_FRAME_WIDTH)), int(cap.get(cv2.CAP_PROP_FRAME_HEIGHT)), cap.get(cv2.CAP_PROP_FPS))
count = 0
while count < 5:
    ret, frame = cap.read()
    if not ret:
        break
    gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    cv2.rectangle(frame, (0, 0), (10, 10), (0, 255, 0))
    count += 1
print(count, frame.shape, frame.dtype)
cap.release()
print(cap.isOpened())
'''


@pytest.fixture
def converts():
    if not os.path.exists(os.environ['FRAMEBUS_PIXELS']):
        pytest.skip('built without libyuv')


@pytest.fixture
def program(spawn, tmp_path):
    def run(line):
        path = tmp_path / 'program.py'
        path.write_text(PROGRAM % line)
        process = spawn(sys.executable, path)
        assert process.finish(120) == 0, process.err()
        return process.out().splitlines()
    return run


@pytest.mark.parametrize('form', ['NV12', 'BGR', 'YUY2'])
def test_a_program_for_a_camera_changes_one_line(converts, writer, program, form):
    pytest.importorskip('cv2')
    writer('cam0', form, 320, 240)
    assert program('framebus.VideoCapture("cam0")') == ['320 240 100.0', '5 (240, 320, 3) uint8', 'False']


def test_opencv_opens_a_bus_by_its_address(writer, program, build_dir):
    cv2 = pytest.importorskip('cv2')
    if 'YES' not in next((line for line in cv2.getBuildInformation().splitlines() if 'GStreamer:' in line), ''):
        pytest.skip('this OpenCV has no GStreamer')
    if not list(build_dir.glob('gst-plugin/libgstframebus.so')):
        pytest.skip('built without the GStreamer plugin')
    writer('cam0', 'NV12', 320, 240)
    line = 'cv2.VideoCapture("framebus://cam0")'
    assert line in (documents.ROOT / 'docs' / 'using' / 'python.md').read_text()
    lines = program(line)
    assert lines[0].startswith('320 240 ') and lines[1:] == ['5 (240, 320, 3) uint8', 'False']


@pytest.fixture
def capture(converts, writer):
    writer('cam0', 'NV12', 64, 48)
    opened = VideoCapture('cam0', wait=10)
    yield opened
    opened.release()


def test_grab_and_retrieve(capture):
    assert capture.retrieve() == (False, None)
    assert capture.grab() and capture.grab()
    sequence = capture.frame.sequence
    ok, picture = capture.retrieve()
    assert ok and (picture == capture.frame.bgr).all() and picture.flags.writeable
    room = numpy.empty((48, 64, 3), 'u1')
    assert capture.retrieve(room) == (True, room)
    assert capture.read()[0] and capture.frame.sequence > sequence


def test_pictures_of_other_layouts(converts, writer):
    writer('cam0', 'NV12', 64, 48)
    capture = VideoCapture('cam0', wait=10, format='GRAY')
    assert capture.read()[1].shape == (48, 64)
    capture.release()


def test_a_slow_program_gets_the_newest_frame(capture):
    assert capture.grab()
    time.sleep(0.3)
    assert capture.grab() and capture.frame.missed > 5
    assert time.monotonic_ns() - capture.frame.publish_ns < 10**10


def test_properties(capture):
    assert capture.grab()
    assert [capture.get(number) for number in (WIDTH, HEIGHT, FPS, 6, 999)] == [64, 48, 100, capture.frame.fourcc, 0]
    assert capture.get(0) == capture.frame.capture_ns / 1e6
    assert capture.set(WIDTH, 64) and not capture.set(WIDTH, 65)
    assert capture.set(BUFFERSIZE, 1) and not capture.set(999, 1)
    assert capture.set(READ_TIMEOUT, 1500) and capture.get(READ_TIMEOUT) == 1500
    assert capture.getBackendName() == 'FRAMEBUS' and "'cam0', NV12 64x48" in repr(capture)


def test_the_size_is_known_as_soon_as_the_bus_is_opened(bus_dir, served, monkeypatch):
    monkeypatch.setattr(framebus.Reader, 'format', None)  # as it is until the writer has sent its pool
    with served(framebus.Writer('cam0', Format('NV12', 64, 48, rate=25))):
        capture = VideoCapture('cam0')
        assert [capture.get(number) for number in (WIDTH, HEIGHT, FPS)] == [64, 48, 25]
        capture.release()


def test_what_is_not_there_is_false_and_the_reason_is_kept(bus_dir):
    capture = VideoCapture('cam0', wait=0)
    assert not capture.isOpened() and capture.read() == (False, None) and capture.get(WIDTH) == 0
    assert isinstance(capture.error, FileNotFoundError) and 'bus "cam0" has no writer' in str(capture.error)
    assert 'not opened' in repr(capture)
    capture.setExceptionMode(True)
    assert capture.getExceptionMode()
    with pytest.raises(FileNotFoundError):
        capture.open('cam0')


@pytest.mark.parametrize('number, kind', [(signal.SIGINT, framebus.EndOfStream), (signal.SIGKILL, BrokenPipeError)])
def test_the_end_is_false(converts, writer, number, kind):
    process = writer('cam0', 'BGR', 64, 48)
    capture = VideoCapture('cam0', wait=10)
    assert capture.read()[0]
    process.stop(number)
    while capture.grab():
        pass
    assert isinstance(capture.error, kind) and capture.retrieve() == (False, None)
    capture.release()


def test_a_silent_bus_is_false_after_the_timeout(bus_dir, served):
    with served(framebus.Writer('cam0', Format('GRAY8', 8, 8))):
        capture = VideoCapture('cam0', timeout=0.1)
        assert capture.isOpened() and capture.read() == (False, None)
        assert isinstance(capture.error, TimeoutError)
        del capture  # quietly, as OpenCV's
