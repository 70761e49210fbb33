# SPDX-License-Identifier: MIT
"""Pictures of every format become arrays for OpenCV, Pillow and PyTorch."""
import errno
import os
import subprocess
import sys

import framebus
import numpy
import pytest
from framebus import Color, Format

pytestmark = pytest.mark.skipif(not os.path.exists(os.environ['FRAMEBUS_PIXELS']), reason='built without libyuv')

# Of the test picture: white, yellow, cyan, green, magenta, red, blue and black of 75 %, as B, G, R.
BARS = [(191, 191, 191), (0, 191, 191), (191, 191, 0), (0, 191, 0), (191, 0, 191), (0, 0, 191), (191, 0, 0), (0, 0, 0)]
GRAYS = [round(.114 * b + .587 * g + .299 * r) for b, g, r in BARS]


@pytest.fixture
def written(bus_dir, served):
    """Frames as a reader gets them: written(Format, paint), which fills a WritableFrame."""
    opened = []

    def start(form, paint):
        writer = served(framebus.Writer('cam0', form))
        reader = framebus.Reader('cam0')
        opened.extend([reader, writer])
        with writer.frame() as lent:
            paint(lent)
        return reader.next(10)
    yield start
    for one in opened:
        one.close()


def fill_planes(*values):
    def paint(frame):
        for plane, value in zip(frame.planes, values):
            plane.array[:] = value
    return paint


def close_to(array, expected, tolerance=5):
    return numpy.abs(array.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize('name', framebus.formats())
def test_every_format_has_the_right_colours(spawn, build_dir, name):
    tool = build_dir / 'tools' / 'framebus'
    if not tool.exists():
        pytest.skip('built without the command')
    spawn(tool, 'test', '--size', '320x240', '--format', name, 'cam0')
    frame = framebus.snap('cam0', wait=30)
    bgr = frame.bgr
    assert (bgr.shape, bgr.dtype, bgr.flags.writeable, bgr.flags.c_contiguous) == ((240, 320, 3), 'u1', True, True)
    bars = bgr[20, 20::40]
    if 'GRAY' in name or name == 'R12':
        assert (bgr == bgr[..., :1]).all() and len(set(bars[:, 0])) == 8
    else:
        assert close_to(bars, BARS, 9), bars
        assert close_to(frame.to_ndarray('GRAY')[20, 20::40], GRAYS, 9)
    rgba, gray = frame.to_ndarray('RGBA'), frame.to_ndarray('GRAY')
    assert (rgba[..., 2::-1] == bgr).all() and (rgba[..., 3] == 255).all()
    assert (frame.to_ndarray('BGRA')[..., :3] == bgr).all()
    assert (frame.to_ndarray('RGB')[..., ::-1] == bgr).all()
    assert close_to(gray, bgr @ [.114, .587, .299], 2)


@pytest.mark.parametrize('width', [*range(1, 70), 641, 1366])
def test_every_width(written, width):
    random = numpy.random.default_rng(width)
    values = random.integers(0, 256, (5, width, 3), 'u1')
    frame = written(Format('BGR', width, 5), lambda lent: lent.array.__setitem__(slice(None), values))
    assert (frame.bgr == values).all()
    assert (frame.to_ndarray('RGB') == values[..., ::-1]).all()
    assert (frame.to_ndarray('RGBA')[..., 2::-1] == values).all()
    assert close_to(frame.to_ndarray('GRAY'), values @ [.114, .587, .299], 2)


# Red and grey as a matrix and a range have them; the same numbers mean other colours with others.
@pytest.mark.parametrize('color, height, y, u, v, bgr', [
    (Color(matrix=6, range=1), 64, 81, 90, 240, (0, 0, 255)),
    (Color(matrix=1, range=1), 64, 63, 102, 240, (0, 0, 255)),
    (Color(matrix=9, range=1), 64, 74, 97, 240, (0, 0, 255)),
    (Color(matrix=6, range=2), 64, 76, 85, 255, (0, 0, 254)),
    (Color(), 64, 81, 90, 240, (0, 0, 255)),    # as small pictures are
    (Color(), 720, 63, 102, 240, (0, 0, 255)),  # as large ones are
    (Color(matrix=6, range=2), 64, 235, 128, 128, (235, 235, 235)),
    (Color(matrix=6, range=1), 64, 235, 128, 128, (255, 255, 255)),
])
def test_matrix_and_range_are_obeyed(written, color, height, y, u, v, bgr):
    frame = written(Format('I420', 64, height, color=color), fill_planes(y, u, v))
    assert close_to(frame.bgr, bgr, 3), frame.bgr[0, 0]


def test_rgb_of_limited_range_is_widened(written):
    frame = written(Format('RGB', 16, 16, color=Color(range=1)), fill_planes([16, 235, 126]))
    assert close_to(frame.bgr, (128, 255, 0), 1)


@pytest.mark.parametrize('name, value, alpha', [
    ('BGRA', [1, 2, 3, 77], 77), ('ARGB', [77, 1, 2, 3], 77), ('AYUV', [77, 1, 2, 3], 77), ('VUYA', [1, 2, 3, 77], 77),
    ('RGBA64_LE', [1, 2, 3, 77 << 8 | 9], 77), ('ARGB64_BE', [77 << 8 | 9, 1, 2, 3], 77), ('RGB10A2_LE', 2 << 30, 170),
    ('Y410', 1 << 30, 85), ('Y412_LE', [1, 2, 3, 77 << 8], 77), ('BGRx', [1, 2, 3, 77], 255), ('NV12', 77, 255)])
def test_alpha_is_that_of_the_frame_or_opaque(written, name, value, alpha):
    frame = written(Format(name, 33, 18), fill_planes(value, 128))
    for layout in ('BGRA', 'RGBA'):
        assert (frame.to_ndarray(layout)[..., 3] == alpha).all()


def test_planes_with_padding(peer):
    peer('formats', 'cam0', 37, 23, 6)
    padded, usual = {}, {}
    with framebus.Reader('cam0', wait=10, delivery='lossless') as reader:
        padded.update((frame.format.name, frame.bgr) for frame in reader)
    peer('formats', 'cam0', 37, 23, 0)
    with framebus.Reader('cam0', wait=10, delivery='lossless') as reader:
        usual.update((frame.format.name, frame.bgr) for frame in reader)
    assert len(usual) == len(list(framebus.formats()))
    assert [name for name in usual if (usual[name] != padded[name]).any()] == []


# ---- out -------------------------------------------------------------------------------------------

@pytest.mark.parametrize('layout, shape', [
    ('bgr24', (18, 32, 3)), ('RGBA', (18, 32, 4)), ('gray', (18, 32)), ('GRAY8', (18, 32))])
def test_an_array_can_be_given(written, layout, shape):
    frame = written(Format('NV12', 32, 18), fill_planes(100, 90))
    out = numpy.zeros(shape, 'u1')
    assert frame.to_ndarray(layout, out) is out
    assert (out == frame.to_ndarray(layout)).all() and out.any()
    large = numpy.zeros((20, 40, *shape[2:]), 'u1')
    frame.to_ndarray(layout, out=large[1:19, 4:36])
    assert (large[1:19, 4:36] == out).all()
    large[1:19, 4:36] = 0
    assert not large.any()


@pytest.mark.parametrize('layout, out, kind, complaint', [
    ('NV12', None, ValueError, "'NV12'; frame.planes"),
    ('nonsense', None, ValueError, "makes 'BGR', 'RGB', 'BGRA', 'RGBA', 'GRAY', not 'nonsense'"),
    (3, None, ValueError, 'not 3'),
    ('BGR', numpy.zeros((18, 32, 4), 'u1'), ValueError, 'shape (18, 32, 4): this picture needs (18, 32, 3)'),
    ('BGR', numpy.zeros((18, 32, 3)), TypeError, 'out must be an array of uint8'),
    ('BGR', [1, 2], TypeError, 'not [1, 2]'),
    ('BGR', numpy.zeros((18, 64, 3), 'u1')[:, ::2], ValueError, 'rows must be contiguous'),
    ('BGR', numpy.zeros((18, 32, 3), 'u1')[::-1], ValueError, 'rows must be contiguous'),
    ('GRAY', numpy.broadcast_to(numpy.zeros(32, 'u1'), (18, 32)), ValueError, 'read-only'),
])
def test_what_does_not_fit_is_told(written, layout, out, kind, complaint):
    frame = written(Format('NV12', 32, 18), fill_planes(100, 90))
    with pytest.raises(kind) as caught:
        frame.to_ndarray(layout, out)
    assert complaint in str(caught.value)


# ---- Payloads, and what cannot be converted --------------------------------------------------------

def payload(caps, data):
    def paint(frame):
        frame.payload[:len(data)] = data
        frame.size = len(data)
    return Format.payload(caps, max(len(data), 1)), paint


def test_jpeg_is_decoded(written):
    cv2 = pytest.importorskip('cv2')
    picture = numpy.zeros((40, 60, 3), 'u1')
    picture[:, 30:] = 200, 100, 50
    data = cv2.imencode('.jpg', picture)[1].tobytes()
    frame = written(*payload('image/jpeg', data))
    assert close_to(frame.bgr, cv2.imdecode(numpy.frombuffer(data, 'u1'), cv2.IMREAD_COLOR), 3)
    assert close_to(frame.to_ndarray('RGBA')[:, 45:], (50, 100, 200, 255), 3)


@pytest.mark.parametrize('data', [b'', b'GIF89a', b'\xff\xd8\xff\xe0'])
def test_damaged_jpeg_is_told(written, data):
    frame = written(*payload('image/jpeg', data))
    with pytest.raises(OSError, match='frame 0 is not a JPEG picture, or is damaged') as caught:
        frame.bgr
    assert caught.value.errno == errno.EBADMSG


def test_other_payloads_are_told(written):
    frame = written(*payload('video/x-h264', b'abc'))
    with pytest.raises(TypeError, match='video/x-h264 is no raw picture: decode frame.payload'):
        frame.bgr


@pytest.mark.parametrize('caps, complaint', [
    ('', 'NV12 cannot be made BGR here: framebus was built without libyuv'), ('image/jpeg', 'cv2.imdecode(frame.array')])
def test_without_libyuv_it_is_told(bus_dir, caps, complaint):
    form = f'Format.payload({caps!r}, 9)' if caps else "Format('NV12', 8, 8)"
    code = f'''
import framebus
from framebus import Format
with framebus.Writer('cam0', {form}) as writer, writer.frame() as frame:
    try:
        frame.bgr
    except OSError as error:
        print(error)
'''
    done = subprocess.run([sys.executable, '-c', code], env={**os.environ, 'FRAMEBUS_PIXELS': '/nowhere/pixels.so'},
                          capture_output=True, text=True)
    assert complaint in done.stdout, done.stderr


# ---- Copies ----------------------------------------------------------------------------------------

@pytest.mark.parametrize('form', [Format('NV12', 64, 48), Format('BGR', 5, 3), Format.payload('a/b', 10)], ids=str)
def test_a_copy_outlives_everything_and_is_writable(written, form):
    def paint(frame):
        frame.payload[:] = bytes(range(256)) * (len(frame.payload) // 256) + bytes(range(len(frame.payload) % 256))
        frame.crop, frame.flags, frame.capture_ns = (0, 0, 1, 1) if form.fourcc else None, 4, 99
        frame.add_meta('note', b'one')
        frame.clock_time = framebus.ClockTime(5, framebus.Clock.TAI)
        if not form.fourcc:
            frame.size = len(frame.payload)
    frame = written(form, paint)
    copy, data = frame.copy(), bytes(frame.payload)
    fields = ('sequence', 'missed', 'capture_ns', 'publish_ns', 'clock_time', 'flags', 'crop', 'meta', 'size')
    seen = [getattr(frame, field) for field in fields]
    converted = frame.bgr if form.fourcc else None
    assert isinstance(copy, framebus.Frame) and repr(copy).startswith('<framebus.CopiedFrame 0, ')
    frame.release()
    framebus.query('cam0')
    assert bytes(copy.payload) == data and copy.format == form
    assert [getattr(copy, field) for field in fields] == seen
    if form.fourcc:
        assert (copy.bgr == converted).all()
        copy.planes[0].array[:] = 7
        assert (copy.planes[0].array == 7).all()
        array = copy.planes[-1].array
    else:
        array = copy.array
    expected = array.copy()
    del copy
    assert (array == expected).all()


def test_copies_hold_no_slot(written):
    frame = written(Format('GRAY8', 8, 8), fill_planes(3))
    copies = [frame.copy() for _ in range(10)]
    frame.release()
    [reader] = framebus.query('cam0').readers
    assert reader.held == 0 and all((copy.array == 3).all() for copy in copies)
    with copies[0] as copy:
        pass
    with pytest.raises(ValueError, match='released'):
        copy.array


def test_a_released_frame_cannot_be_copied_or_converted(written):
    frame = written(Format('GRAY8', 8, 8), fill_planes(3))
    frame.release()
    for call in (frame.copy, frame.to_ndarray, lambda: frame.bgr):
        with pytest.raises(ValueError, match='released'):
            call()


def test_threads_convert_at_once(written):
    import threading
    frame = written(Format('NV12', 640, 480), fill_planes(100, [90, 200]))
    expected, wrong = frame.bgr, []

    def convert(layout):
        for _ in range(20):
            if layout == 'BGR' and (frame.to_ndarray(layout) != expected).any():
                wrong.append(layout)
    threads = [threading.Thread(target=convert, args=(layout,)) for layout in ('BGR', 'GRAY', 'BGR', 'RGBA')]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


def test_snap_says_what_is_missing(bus_dir, served, wait_for):
    with pytest.raises(FileNotFoundError, match='bus "cam0" has no writer'):
        framebus.snap('cam0', wait=0)
    with served(framebus.Writer('cam0', Format('GRAY8', 8, 8))) as writer:
        with pytest.raises(TimeoutError, match='no frame on bus "cam0"'):
            framebus.snap('cam0', wait=0.2)
        writer.write(numpy.full((8, 8), 5))
        assert (framebus.snap('cam0').array == 5).all()
        writer.write(numpy.full((8, 8), 6))
        assert (framebus.snap('cam0').array == 6).all()
        wait_for(lambda: not writer.info.readers)
