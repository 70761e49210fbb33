# SPDX-License-Identifier: MIT
"""Writer.write(): what it takes, and what it says to the rest; and wrong arguments everywhere."""
import errno

import framebus
import numpy
import pytest
from framebus import Format


@pytest.fixture
def bus(bus_dir, served):
    """A writer and a reader: bus(Format)."""
    opened = []

    def start(form):
        writer = served(framebus.Writer('cam0', form))
        opened.extend([framebus.Reader('cam0', quota=8), writer])
        return writer, opened[0]
    yield start
    for one in opened:
        one.close()


def random_planes(form):
    random = numpy.random.default_rng(5)
    return [random.integers(0, 256, plane.shape, 'u1').astype(plane.typestr) for plane in form.planes]


def tight(planes):
    return b''.join(plane.tobytes() for plane in planes)


@pytest.mark.parametrize('name, width', [(name, width) for name in framebus.formats() for width in (64, 37)])
def test_planes_and_bytes_of_every_format(bus, name, width):
    form = Format(name, width, 18)
    writer, reader = bus(form)
    planes = random_planes(form)
    padded = bytearray(form.size)
    frames = []
    for data in (planes, tuple(plane.tobytes() for plane in planes), tight(planes), bytearray(tight(planes))):
        frames.append(writer.write(data))
        with reader.next(10) as frame:
            assert all((plane.array == wanted).all() for plane, wanted in zip(frame.planes, planes))
            padded[:] = frame.payload
            for plane in frame.planes:
                del plane
    writer.write(bytes(padded))
    with reader.next(10) as frame:
        assert frame.payload == padded
    assert all(frame.released for frame in frames)


@pytest.mark.parametrize('name, shape', [
    ('NV12', (72, 64)), ('I420', (72, 64)), ('NV16', (96, 64)), ('Y444', (144, 64)), ('P010_10LE', (72, 64))])
def test_planes_one_below_the_other(bus, name, shape):
    form = Format(name, 64, 48)
    writer, reader = bus(form)
    planes = random_planes(form)
    stacked = numpy.frombuffer(tight(planes), form.planes[0].typestr).reshape(shape)
    for data in (stacked, numpy.asfortranarray(stacked), stacked.astype('i8')):
        writer.write(data)
        with reader.next(10) as frame:
            assert all((plane.array == wanted).all() for plane, wanted in zip(frame.planes, planes))


def test_opencvs_yuv_is_taken_as_it_is(bus):
    cv2 = pytest.importorskip('cv2')
    writer, reader = bus(Format('I420', 64, 48, color=framebus.Color(matrix=6)))
    picture = numpy.zeros((48, 64, 3), 'u1')
    picture[:, 32:] = 40, 200, 120
    writer.write(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420))
    with reader.next(10) as frame:
        assert numpy.abs(frame.bgr.astype(int) - picture)[:, 34:].max() < 6


@pytest.mark.parametrize('name, data', [
    ('GRAY8', numpy.full((48, 64, 1), 7)), ('BGR', numpy.full((48, 64, 3), 7, 'i2')),
    ('BGR', numpy.full((48, 64, 3), 7, 'u1')[:, ::-1]), ('GRAY16_BE', numpy.full((48, 64), 7, '<u2')),
    ('BGR', numpy.full(48 * 64 * 3, 7, 'u1')), ('NV12', [numpy.full((48, 64), 7), numpy.full((24, 64), 7)])])
def test_arrays_that_mean_the_same(bus, name, data):
    writer, reader = bus(Format(name, 64, 48))
    writer.write(data)
    with reader.next(10) as frame:
        assert all((plane.array == 7).all() for plane in frame.planes)


def test_a_picture_of_pillow(bus):
    image = pytest.importorskip('PIL.Image').new('RGB', (64, 48), (1, 2, 3))
    writer, reader = bus(Format('RGB', 64, 48))
    writer.write(image)
    with reader.next(10) as frame:
        assert (frame.array == (1, 2, 3)).all()


@pytest.mark.parametrize('name, data, kind, complaint', [
    ('BGR', numpy.zeros((48, 64, 3)), TypeError, 'got an array of float64: BGR has whole numbers; make them, for example '
                                                 '(array * 255).astype("uint8")'),
    ('P010_10LE', numpy.zeros((72, 64), 'f4'), TypeError, '(array * 65535).astype("uint16")'),
    ('NV12', [numpy.zeros((48, 64)), numpy.zeros((24, 32, 2))], TypeError, 'array of float64'),
    ('BGR', numpy.zeros((48, 64, 3), '?'), TypeError, 'array of bool'),
    ('BGR', 0, TypeError, 'needs a picture of BGR 64x48: an array of the shape (48, 64, 3), or 9216 bytes, not 0'),
    ('NV12', 128, TypeError, 'an array of the shape (72, 64), a list of 2 planes of (48, 64) and (24, 32, 2), or 4608 bytes'),
    ('BGR', numpy.uint8(3), ValueError, 'got an array of uint8 of the shape (): needed a picture'),
    ('BGR', None, TypeError, 'not NoneType'),
    ('BGR', 'picture', TypeError, 'not str'),
    ('BGR', numpy.zeros((48, 64, 4), 'u1'), ValueError, 'of the shape (48, 64, 4): needed a picture of BGR 64x48'),
    ('BGR', numpy.full((48, 64, 3), 256), ValueError, 'values of 256..256: those of BGR are 0..255'),
    ('BGR', numpy.full((48, 64, 3), -1), ValueError, 'values of -1..-1'),
    ('BGR', b'\0\0', ValueError, 'got 2 bytes: needed a picture of BGR 64x48: an array of the shape (48, 64, 3), or 9216'),
    ('BGR', memoryview(numpy.zeros(1152)), TypeError, 'floating-point'),
    ('NV12', [numpy.zeros((48, 64), 'u1')], ValueError, 'got a list of 1: needed a picture of NV12'),
    ('NV12', [numpy.zeros((48, 64), 'u1')] * 2, ValueError, 'a plane of the shape (48, 64)'),
    ('NV12', [bytes(3072), bytes(9)], ValueError, 'a plane of 9 bytes, not 1536'),
    ('NV12', [0, 128], TypeError, 'not 0'),
])
def test_what_is_no_picture_is_told(bus, name, data, kind, complaint):
    writer, _ = bus(Format(name, 64, 48))
    with pytest.raises(kind) as caught:
        writer.write(data)
    assert complaint in str(caught.value)
    assert (writer.info.published, writer.info.lent) == (0, 0)


def test_what_is_no_payload_is_told(bus):
    writer, reader = bus(Format.payload('a/b', 10))
    for data in (5, 'text', None):
        with pytest.raises(TypeError, match='write.. needs bytes, not'):
            writer.write(data)
    writer.write(numpy.arange(6, dtype='u1')[::2])
    with reader.next(10) as frame:
        assert bytes(frame.payload) == b'\0\2\4'


def test_bytes_need_no_numpy(python):
    process = python('''
import threading
writer = framebus.Writer('cam0', framebus.Format('NV12', 63, 48))
threading.Thread(target=writer.serve, daemon=True).start()
reader = framebus.Reader('cam0')
writer.write(bytes(range(63)) * 48 + b'u' * 64 * 24)
frame = reader.next(10)
y, uv = (plane.data for plane in frame.planes)
assert all(y[64 * row:64 * row + 63] == bytes(range(63)) for row in range(48))
assert uv == b'u' * 64 * 24
print('whole', 'numpy' in sys.modules, flush=True)
writer.close()
os._exit(0)
''', modules='framebus, os, sys')
    assert process.finish(60) == 0, process.err()
    assert process.out() == 'whole False\n'


# ---- Wrong arguments -------------------------------------------------------------------------------

@pytest.mark.parametrize('call, complaint', [
    (lambda: Format('NV12', 640.5, 480), 'width must be a whole number, not 640.5'),
    (lambda: Format('NV12', 640, '480'), "height must be a whole number, not '480'"),
    (lambda: Format(None, 640, 480), 'format must be a name, such as "NV12", or a fourcc, not None'),
    (lambda: Format('NV12', 640, 480, color='bt709'), "color must be a framebus.Color, such as Color(1, 1, 1, 1)"),
    (lambda: Format('NV12', 640, 480, color=(1, 2)), 'color must be a framebus.Color'),
    (lambda: Format('NV12', 640, 480, color=(1, 2, 'x', 0)), "color must be a whole number, not 'x'"),
    (lambda: Format('NV12', 640, 480, rate=None), 'rate must be a number, a fraction or a pair of whole numbers, not None'),
    (lambda: Format('NV12', 640, 480, rate=('a', 'b')), 'rate must be'),
    (lambda: Format('NV12', 640, 480, caps=5), 'caps must be a string, not 5'),
    (lambda: Format.payload('a/b', 'x'), "size must be a whole number, not 'x'"),
    (lambda: framebus.Reader('cam0', wait='x'), "wait must be a number of seconds, or None for ever, not 'x'"),
    (lambda: framebus.Reader('cam0', quota='2'), "quota must be a whole number, not '2'"),
    (lambda: framebus.Reader('cam0', spin='x'), "spin must be a number of seconds"),
    (lambda: framebus.Reader('cam0', label=5), 'label must be a string, not 5'),
    (lambda: framebus.Reader(0), 'name must be a string, not 0'),
    (lambda: framebus.Writer('cam0', access_mode='0660'), "access_mode must be a whole number, such as 0o660, not '0660'"),
    (lambda: framebus.Writer('cam0', 'NV12'), "format must be a framebus.Format, not 'NV12'"),
    (lambda: framebus.Writer('cam0', history=1.5), 'history must be a whole number, not 1.5'),
    (lambda: framebus.Writer('cam0', lossless_timeout='x'), 'lossless_timeout must be a number of seconds'),
    (lambda: framebus.query(5), 'name must be a string, not 5'),
    (lambda: framebus.remove(None), 'name must be a string, not None'),
    (lambda: framebus.snap(0), 'name must be a string, not 0'),
    (lambda: framebus.VideoCapture(0), 'name must be a string, not 0'),
    (lambda: framebus.VideoCapture('cam0', timeout='x'), 'timeout must be a number of seconds'),
])
def test_a_wrong_argument_is_told_in_words(bus_dir, call, complaint):
    with pytest.raises(TypeError) as caught:
        call()
    assert complaint in str(caught.value)


@pytest.mark.parametrize('call, complaint', [
    (lambda writer, reader, frame: reader.next('x'), "timeout must be a number of seconds, or None for ever, not 'x'"),
    (lambda writer, reader, frame: reader.set_quota('x'), "quota must be a whole number, not 'x'"),
    (lambda writer, reader, frame: writer.serve('x'), "seconds must be a number of seconds"),
    (lambda writer, reader, frame: writer.frame('x'), "size must be a whole number, not 'x'"),
    (lambda writer, reader, frame: writer.set_format('NV12'), "format must be a framebus.Format, not 'NV12'"),
    (lambda writer, reader, frame: setattr(frame, 'capture_ns', 0.5), 'capture_ns must be a whole number, not 0.5'),
    (lambda writer, reader, frame: setattr(frame, 'flags', 'GAP'), "flags must be a whole number, not 'GAP'"),
    (lambda writer, reader, frame: setattr(frame, 'crop', (1, 2)), 'crop must be a framebus.Rect(x, y, width, height) or None'),
    (lambda writer, reader, frame: setattr(frame, 'crop', 5), 'not 5'),
    (lambda writer, reader, frame: frame.add_meta(5, b''), 'tag must be a string of four characters, not 5'),
    (lambda writer, reader, frame: frame.add_meta('note', 5), 'data must be bytes, not 5'),
    (lambda writer, reader, frame: frame.add_meta('note', 'x'), "data must be bytes, not 'x'"),
    (lambda writer, reader, frame: frame.get_meta(5), 'tag must be a string of four characters, not 5'),
])
def test_a_wrong_argument_of_a_method_is_told_in_words(bus, call, complaint):
    writer, reader = bus(Format('BGR', 8, 8))
    frame = writer.frame()
    with pytest.raises(TypeError) as caught:
        call(writer, reader, frame)
    assert complaint in str(caught.value)
    frame.cancel()


def test_metadata_by_its_tag(bus):
    writer, reader = bus(Format('BGR', 8, 8))
    with writer.frame() as frame:
        for data in (b'one', b'two'):
            frame.add_meta('JPG1', data)
        frame.add_meta('objs', b'')
    with reader.next(10) as frame:
        assert (frame.get_meta('JPG1'), frame.get_meta('JPG1', 1), frame.get_meta('JPG1', 2)) == (b'one', b'two', None)
        assert (frame.get_meta('objs'), frame.get_meta('none')) == (b'', None)
        with pytest.raises(ValueError, match="tag 'JPG' is not four characters") as caught:
            frame.get_meta('JPG')
        assert caught.value.errno == errno.EINVAL
