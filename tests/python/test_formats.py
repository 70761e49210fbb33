# SPDX-License-Identifier: MIT
"""Planes are where C sees them, in every format."""
import copy
import pickle
from fractions import Fraction

import framebus
import numpy
import pytest
from framebus import Format


def planes_told(process):
    """What the C side said: (offset, stride, rows, bytes of a row) of each plane, by format."""
    told = {}
    for line in process.out().splitlines():
        name, *numbers = line.split()
        told.setdefault(name, []).append(tuple(map(int, numbers)))
    return told


def expected_bytes(plane, rows, row_bytes):
    r, c = numpy.ogrid[:rows, :row_bytes]
    return (7 * plane + 13 * r + c).astype('u1')


@pytest.mark.parametrize('width, height, pad', [(64, 48, 0), (37, 23, 0), (62, 31, 6), (1, 1, 0)])
def test_every_format(peer, width, height, pad):
    process = peer('formats', 'cam0', width, height, pad)
    seen = []
    with framebus.Reader('cam0', wait=10, delivery='lossless') as reader:
        for frame in reader:
            name = frame.format.name
            seen.append(name)
            told = planes_told(process)[name]
            assert len(frame.planes) == len(told)
            start = numpy.frombuffer(frame.payload, 'u1').ctypes.data
            for index, (plane, (offset, stride, rows, row_bytes)) in enumerate(zip(frame.planes, told)):
                array = plane.array
                assert array.ctypes.data == plane.address == start + offset
                assert (array.strides[0], array.shape[0]) == (stride, rows)
                assert array[0].nbytes == row_bytes
                assert array[0].flags.c_contiguous
                bytes_seen = numpy.ascontiguousarray(array).view('u1').reshape(rows, row_bytes)
                assert (bytes_seen == expected_bytes(index, rows, row_bytes)).all(), (name, index)
                assert plane.data.nbytes == stride * (rows - 1) + row_bytes
                assert bytes(plane.data[:row_bytes]) == array[0].tobytes()
            if len(told) == 1:
                assert frame.array.ctypes.data == frame.planes[0].address
            del array
    assert seen == list(framebus.formats()) == list(planes_told(process))
    assert process.finish() == 0


# What a picture of 6x4 looks like: shapes and element types of the planes.
@pytest.mark.parametrize('name, looks', [
    ('GRAY8', [((4, 6), '|u1')]),
    ('GRAY16_LE', [((4, 6), '<u2')]),
    ('GRAY16_BE', [((4, 6), '>u2')]),
    ('RGB16', [((4, 6), '<u2')]),
    ('BGR', [((4, 6, 3), '|u1')]),
    ('BGRx', [((4, 6, 4), '|u1')]),
    ('RGB10A2_LE', [((4, 6), '<u4')]),
    ('r210', [((4, 6), '>u4')]),
    ('RGBA64_LE', [((4, 6, 4), '<u2')]),
    ('ARGB64_BE', [((4, 6, 4), '>u2')]),
    ('YUY2', [((4, 6, 2), '|u1')]),
    ('Y210', [((4, 6, 2), '<u2')]),
    ('AYUV', [((4, 6, 4), '|u1')]),
    ('Y410', [((4, 6), '<u4')]),
    ('Y412_LE', [((4, 6, 4), '<u2')]),
    ('NV12', [((4, 6), '|u1'), ((2, 3, 2), '|u1')]),
    ('NV24', [((4, 6), '|u1'), ((4, 6, 2), '|u1')]),
    ('P010_10LE', [((4, 6), '<u2'), ((2, 3, 2), '<u2')]),
    ('NV12_10LE40', [((4, 10), '|u1'), ((2, 10), '|u1')]),
    ('I420', [((4, 6), '|u1'), ((2, 3), '|u1'), ((2, 3), '|u1')]),
    ('I422_10LE', [((4, 6), '<u2'), ((4, 3), '<u2'), ((4, 3), '<u2')]),
    ('Y444_16LE', [((4, 6), '<u2')] * 3),
])
def test_shapes(name, looks):
    assert [(plane.shape, plane.typestr) for plane in Format(name, 6, 4).planes] == looks


def test_an_odd_width_is_seen_to_the_end_of_its_last_group():
    assert Format('YUY2', 5, 4).planes[0].shape == (4, 6, 2)
    assert Format('NV12', 5, 3).planes[1].shape == (2, 3, 2)


def test_a_format_tells_its_fields():
    form = Format('NV12', 1920, 1080, rate=(30000, 1001), aspect=Fraction(4, 3), color=framebus.Color(1, 1, 1, 2),
                  caps='x/y')
    assert (form.name, form.drm, form.width, form.height, form.depth) == ('NV12', 'NV12', 1920, 1080, 8)
    assert (form.rate, form.aspect, form.caps) == (Fraction(30000, 1001), Fraction(4, 3), 'x/y')
    assert form.color == (1, 1, 1, 2) and form.color.range == 2
    assert (form.size, form.strides, form.modifier) == (1920 * 1080 * 3 // 2, (1920, 1920), 0)
    assert form.fourcc == int.from_bytes(b'NV12', 'little')
    assert str(form) == 'NV12 1920x1080 30000/1001' and str(form) in repr(form)
    assert Format(form.fourcc, 8, 8) == Format('NV12', 8, 8)
    assert Format('XRGB8888', 8, 8).name == 'BGRx'


def test_equal_formats_are_equal():
    one, same = (Format('BGR', 8, 8, rate=30, caps='a/b') for _ in range(2))
    assert one == same and hash(one) == hash(same) and one is not same
    others = [Format('RGB', 8, 8, rate=30, caps='a/b'), Format('BGR', 8, 9, rate=30, caps='a/b'),
              Format('BGR', 8, 8, rate=25, caps='a/b'), Format('BGR', 8, 8, rate=30)]
    assert all(one != other for other in others) and one != 'BGR'


@pytest.mark.parametrize('rate, exact', [
    (30, Fraction(30)), (29.97, Fraction(2997, 100)), (59.94005994, Fraction(60000, 1001)),
    ('24000/1001', Fraction(24000, 1001)), (Fraction(1, 2), Fraction(1, 2)), (0, Fraction(0))])
def test_rates(rate, exact):
    assert Format('BGR', 8, 8, rate=rate).rate == exact


@pytest.mark.parametrize('make, complaint', [
    (lambda: Format('NV99', 8, 8), "'NV99' is not in the table"),
    (lambda: Format(1, 8, 8), 'not in the table'),
    (lambda: Format('BGR', 0, 8), 'width 0'),
    (lambda: Format('BGR', 8, 16385), 'height 16385'),
    (lambda: Format('BGR', 2**32 + 8, 8), 'width 4294967304'),
    (lambda: Format('BGR', 8, 8, rate=-1), 'rate -1'),
    (lambda: Format('BGR', 8, 8, rate=(1, 0)), 'rate (1, 0) is no fraction'),
    (lambda: Format('BGR', 8, 8, rate='fast'), "rate 'fast' is no fraction"),
    (lambda: Format('BGR', 8, 8, color=(256, 0, 0, 0)), 'color 256'),
    (lambda: Format.payload('', 100), 'needs caps'),
    (lambda: Format.payload('image/jpeg', 0), 'size'),
])
def test_what_cannot_be_is_refused(make, complaint):
    with pytest.raises(ValueError) as caught:
        make()
    assert complaint in str(caught.value)


def test_a_payload_has_a_media_type():
    form = Format.payload('image/jpeg, width=640', 4096, width=640, height=480)
    assert (form.name, form.fourcc, form.drm, form.planes, form.size) == ('image/jpeg', 0, '', (), 4096)
    assert (form.width, form.height, form.caps) == (640, 480, 'image/jpeg, width=640')


# ---- Pickling --------------------------------------------------------------------------------------

@pytest.mark.parametrize('form', [
    Format('NV12', 1920, 1080, rate=(30000, 1001), aspect=Fraction(4, 3), color=framebus.Color(1, 1, 1, 2), caps='x/y'),
    Format('BGR', 5, 3), Format.payload('image/jpeg, a=b', 4096, width=640, height=480, rate=30)], ids=str)
def test_a_format_can_be_pickled_and_copied(form):
    for again in (pickle.loads(pickle.dumps(form)), copy.copy(form), copy.deepcopy(form)):
        assert again == form and hash(again) == hash(form) and repr(again) == repr(form)
        assert (again.caps, again.strides, again.planes) == (form.caps, form.strides, form.planes)


def test_a_pickle_that_was_changed_is_refused():
    restore, (fourcc, width, *rest) = Format('BGR', 8, 8).__reduce__()
    with pytest.raises(ValueError, match='width 70000'):
        restore(fourcc, 70000, *rest)


def test_what_is_told_of_a_bus_can_be_pickled_and_the_rest_says_why_not(bus_dir, served):
    with served(framebus.Writer('cam0', Format('BGR', 8, 8))) as writer, framebus.Reader('cam0') as reader:
        writer.write(bytes(8 * 8 * 3))
        info = framebus.query('cam0')
        assert pickle.loads(pickle.dumps(info)) == info and info.readers and info.format == Format('BGR', 8, 8)
        with reader.next(10) as frame:
            assert repr(reader) == "<framebus.Reader 'cam0', BGR 8x8>"
            for one, complaint in ((reader, r"a reader cannot be pickled: .* framebus.Reader\('cam0'\)"),
                                   (writer, r"a writer cannot be pickled: .* framebus.Writer\('cam0'\)"),
                                   (frame, 'a frame cannot be pickled, .* send frame.to_ndarray')):
                with pytest.raises(TypeError, match=complaint):
                    pickle.dumps(one)
