# SPDX-License-Identifier: MIT
"""Writing: what C readers get of it, and what happens to slots."""
import errno
import os
import re
import select
import threading
import time

import framebus
import numpy
import pytest
from framebus import Format


@pytest.fixture
def bus(bus_dir, served):
    """A writer whose readers are served meanwhile: bus(Format, ...)."""
    writers = []

    def start(form=Format('BGR', 64, 48), **options):
        writers.append(framebus.Writer('cam0', form, **options))
        return served(writers[-1])
    yield start
    for writer in writers:
        writer.close()


def weighed(data):
    """The sum that the C side makes of a frame's bytes."""
    array = numpy.frombuffer(data, 'u1').astype('u8')
    return int((array * numpy.arange(1, len(array) + 1, dtype='u8')).sum())


@pytest.fixture
def c_reader(peer, wait_for):
    """Starts a C reader of a lossless bus, and waits for it to be there."""
    def start(count):
        process = peer('read', 'cam0', count)
        wait_for(lambda: framebus.query('cam0').readers, what='the C reader')
        return process
    return start


def test_a_c_reader_sees_every_byte_and_field(bus, c_reader):
    form = Format('NV12', 62, 46, rate=(30000, 1001), color=framebus.Color(9, 16, 9, 1), caps='video/x-raw, a=b')
    writer = bus(form, lossless=True)
    reader = c_reader(3)
    random = numpy.random.default_rng(1)
    expected = []
    for index in range(3):
        with writer.frame() as frame:
            frame.payload[:] = bytes(form.size)
            for plane in frame.planes:
                plane.array[:] = random.integers(0, 256, plane.shape, 'u1')
            frame.capture_ns, frame.duration_ns = 1000 + index, 33
            frame.flags = framebus.FrameFlags.GAP
            frame.crop = framebus.Rect(2, 4, 10 + index, 20)
            frame.add_meta('note', b'number %d' % index)
            assert frame.meta == [('note', b'number %d' % index)]
            total = weighed(frame.payload)
        assert frame.sequence == index and frame.publish_ns > 0
        expected.append(f'NV12 62x46 30000/1001, sequence {index}, size {form.size}, sum {total}, '
                        f'capture {1000 + index}, duration 33, flags 16, crop {10 + index}x20+2+4, color 9/16/9/1, '
                        f'meta number {index}, caps video/x-raw, a=b')
    assert reader.finish() == 0
    assert reader.out().splitlines() == expected


def test_metadata_of_a_megabyte_is_written_in_place(bus):
    writer = bus(meta_size=1 << 20)
    with framebus.Reader('cam0') as reader:
        for size in (1, 65536, (1 << 20) - 8):
            block = numpy.arange(size, dtype='u1')
            with writer.frame() as frame:
                view = frame.append_meta('bulk', size)
                assert (len(view), view.readonly) == (size, False)
                view[:] = block.data
            assert reader.next(10).meta == [('bulk', block.tobytes())]
            view.release()
        with writer.frame() as frame:
            with pytest.raises(OSError, match='do not fit') as caught:
                frame.append_meta('bulk', (1 << 20) - 7)
            assert caught.value.errno == errno.ENOSPC and frame.meta == []
    with pytest.raises(ValueError, match='meta_size 1048577'):
        framebus.Writer('cam1', meta_size=(1 << 20) + 1)


def test_orientation_field_flags_and_the_time_of_another_clock(bus):
    form = Format('BGR', 64, 48, orientation=framebus.Orientation.MIRROR_90)
    assert form != Format('BGR', 64, 48) and 'mirrored, turned 90' in str(form)
    writer = bus(form)
    flags = framebus.FrameFlags.INTERLACED | framebus.FrameFlags.RFF | framebus.FrameFlags.ONE_FIELD
    time = framebus.ClockTime(1700000000 * 10**9, framebus.Clock.TAI, 50)
    with framebus.Reader('cam0') as reader:
        with writer.frame() as frame:
            assert frame.clock_time is None
            frame.flags, frame.clock_time = flags, time
        frame = reader.next(10)
        assert (frame.flags, frame.clock_time, frame.format.orientation) == (flags, time, form.orientation)
        assert framebus.query('cam0').format == form
    with writer.frame() as frame:
        with pytest.raises(ValueError, match='clock 3'):
            frame.clock_time = (0, 3)
    with pytest.raises(ValueError, match='orientation 8'):
        Format('BGR', 64, 48, orientation=8)


def test_payloads(bus, c_reader):
    writer = bus(Format.payload('image/jpeg', 100), lossless=True)
    reader = c_reader(5)
    data = [b'abc', bytes(range(256)) * 40, b'\xff' * 100]
    writer.write(data[0])
    with writer.frame(len(data[1])) as frame:  # more than the slots had room for
        frame.payload[:] = data[1]
    with writer.frame() as frame:
        assert len(frame.payload) >= 100  # all of the slot
        frame.payload[:100] = data[2]
        frame.size = 100
        assert frame.array.shape == (100,)
    writer.write(numpy.arange(6, dtype='<u2'))
    writer.write(b'')
    data += [numpy.arange(6, dtype='<u2').tobytes(), b'']
    assert reader.finish() == 0
    told = re.findall(r'image/jpeg, sequence (\d), size (\d+), sum (\d+)', reader.out())
    assert told == [(str(i), str(len(one)), str(weighed(one))) for i, one in enumerate(data)]


def test_pictures_can_be_copied_in(bus, c_reader):
    writer = bus(Format('GRAY16_LE', 5, 3), lossless=True)
    reader = c_reader(1)
    picture = numpy.arange(15, dtype='u2').reshape(3, 5) * 1000
    with pytest.raises(ValueError):
        writer.write(picture[:2])
    frame = writer.write(picture)
    assert (frame.sequence, frame.released) == (0, True)
    rows = numpy.zeros((3, 12), 'u1')
    with writer.frame() as frame:
        padding = bytes(frame.payload[10:12])  # whatever was there before
    rows[:, :10] = picture.astype('<u2').view('u1')
    assert reader.finish() == 0
    if padding == b'\0\0':
        assert f'sum {weighed(rows.tobytes())},' in reader.out()


def test_an_exception_publishes_nothing(bus):
    writer = bus()
    with pytest.raises(ZeroDivisionError):
        with writer.frame() as frame:
            1 / 0
    assert frame.released
    assert (writer.info.published, writer.info.lent) == (0, 0)
    with writer.frame() as frame:
        frame.cancel()
    assert (writer.info.published, writer.info.lent) == (0, 0)
    with writer.frame() as frame:
        frame.publish()
        with pytest.raises(ValueError, match='frame 0 is released'):
            frame.crop = None
    assert (writer.info.published, writer.info.lent) == (1, 0)


def test_what_is_published_cannot_be_written_to_by_accident(bus):
    writer = bus()
    with writer.frame() as frame:
        whole, plane = frame.array, frame.planes[0].array
        whole[:] = 1
    for array in (whole, plane):
        with pytest.raises(ValueError, match='read-only'):
            array[:] = 2
    for look in ('array', 'planes', 'payload'):
        with pytest.raises(ValueError, match='released'):
            getattr(frame, look)


def test_views_keep_the_slot_lent(bus):
    writer = bus(max_lends=2)
    kept = []
    for _ in range(2):
        with writer.frame() as frame:
            kept.append(frame.array)
    assert writer.info.lent == 2
    with pytest.raises(OSError, match='2 frames of bus "cam0" are lent already') as caught:
        writer.frame()
    assert caught.value.errno == errno.EBUSY
    address = kept[0].ctypes.data
    del kept[0]
    with writer.frame() as frame:
        assert frame.planes[0].address != kept[0].ctypes.data
    assert writer.info.lent == 1 and address


def test_a_view_outlives_its_writer(bus):
    writer = bus()
    with writer.frame() as frame:
        array = frame.array
        array[:] = 7
    writer.close()
    assert (array == 7).all()
    other = bus()
    lent = other.frame()
    other.close()
    lent.array[:] = 3
    with pytest.raises(ValueError, match='closed'):
        lent.publish()
    lent.cancel()


def test_a_new_format(bus):
    writer = bus()
    assert writer.format == Format('BGR', 64, 48)
    with framebus.Reader('cam0') as reader:
        stale = writer.frame()
        writer.write(numpy.full((48, 64, 3), 1))
        writer.set_format(Format('GRAY8', 10, 10))
        writer.write(numpy.full((10, 10), 2))
        assert writer.format.name == 'GRAY8'
        with pytest.raises(OSError) as caught:
            stale.publish()
        assert caught.value.errno == errno.ESTALE
        assert not stale.released
        stale.cancel()
        shapes = [reader.next(10).array.shape, reader.next(10).array.shape]
        assert shapes == [(48, 64, 3), (10, 10)]


def test_no_format_yet(bus):
    writer = bus(None)
    assert writer.format is None and framebus.query('cam0').format is None
    with pytest.raises(OSError, match='has no format yet') as caught:
        writer.frame()
    assert caught.value.errno == errno.ENODATA
    writer.set_format(Format('GRAY8', 4, 4))
    writer.write(numpy.zeros((4, 4), 'u1'))


@pytest.mark.parametrize('setting, complaint', [
    (lambda frame: setattr(frame, 'crop', (0, 0, 65, 48)), 'crop 65x48 at 0,0 is outside'),
    (lambda frame: setattr(frame, 'size', 10**9), 'size 1000000000'),
    (lambda frame: setattr(frame, 'capture_ns', -1), 'capture_ns -1'),
    (lambda frame: setattr(frame, 'flags', 2**32), 'flags 4294967296'),
    (lambda frame: frame.add_meta('abc', b''), "tag 'abc'"),
    (lambda frame: frame.add_meta('note', bytes(5000)), '5008 bytes of metadata'),
])
def test_what_cannot_be_published_is_refused(bus, setting, complaint):
    writer = bus()
    with pytest.raises(OSError) as caught:
        with writer.frame() as frame:
            setting(frame)
    assert complaint in str(caught.value)
    assert (writer.info.published, writer.info.lent) == (0, 0)


@pytest.mark.parametrize('memory', ['memfd', 'posix', 'sysv'])
def test_memory_of_every_kind(bus, memory):
    writer = bus(memory=memory, access_mode=0o660, group=str(os.getgid()), label='eye')
    with framebus.Reader('cam0') as reader:
        writer.write(numpy.full((48, 64, 3), 9))
        assert (reader.next(10).array == 9).all()
    bus = framebus.query('cam0')
    assert (bus.memory, bus.label) == (framebus.Memory[memory.upper()], 'eye')
    assert os.stat(bus.path).st_mode & 0o777 == 0o660


def test_options_arrive(bus):
    info = bus(history=7, max_slots=40, max_lends=3, lossless=True).info
    assert (info.history, info.max_slots, info.max_lends, info.lossless) == (7, 40, 3, True)


# ---- Signals ---------------------------------------------------------------------------------------

LOSSLESS = '''
def on_alarm(*_):
    print("waits", flush=True)
    {code}
with framebus.Writer('cam0', framebus.Format('GRAY8', 4, 4), lossless=True, lossless_timeout=None) as writer:
    while not writer.info.readers:
        writer.serve(0.01)
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.3, 0.1)
    try:
        for _ in range(6):
            writer.write(numpy.zeros((4, 4), 'u1'))
        print("done", flush=True)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
'''


def test_ctrl_c_ends_a_writer_that_waits_for_readers(python):
    process = python(LOSSLESS.format(code='raise KeyboardInterrupt'))
    with framebus.Reader('cam0', wait=10, delivery='lossless'):
        assert process.finish() != 0
    assert 'KeyboardInterrupt' in process.err() and 'done' not in process.out()


def test_other_signals_do_not_end_a_writer_that_waits_for_readers(python):
    process = python(LOSSLESS.format(code='pass'))
    with framebus.Reader('cam0', wait=10, delivery='lossless') as reader:
        process.until(lambda: process.out().count('waits') > 2, what='its wait')
        for _ in range(6):
            reader.next(10).release()
        assert process.finish() == 0, process.err()
    assert 'done' in process.out()


# ---- Ends ------------------------------------------------------------------------------------------

def test_leaving_the_block_ends_the_stream(python):
    for code, ending in (('pass', framebus.EndOfStream), ('raise SystemExit', BrokenPipeError)):
        process = python(f'''
with framebus.Writer('cam0', framebus.Format('GRAY8', 4, 4)) as writer:
    while not writer.info.readers:
        writer.serve(0.01)
    with writer.frame() as frame:
        frame.array[:] = 1
    {code}
''')
        with framebus.Reader('cam0', wait=10) as reader:
            assert reader.next(10).sequence == 0
            with pytest.raises(ending):
                reader.next(10)
        assert process.finish() == 0


def test_a_stream_can_begin_anew(bus):
    writer = bus(lossless=True)  # another reader may miss a whole short stream
    with framebus.Reader('cam0', delivery='lossless') as reader:
        for _ in range(2):
            writer.write(numpy.zeros((48, 64, 3), 'u1'))
            writer.end()
            assert [frame.width for frame in reader] == [64]


def test_a_closed_writer_says_so(bus):
    writer = bus()
    writer.close()
    writer.close()
    assert writer.closed and 'closed' in repr(writer)
    for call in (writer.frame, writer.dispatch, writer.fileno, writer.end, lambda: writer.info):
        with pytest.raises(ValueError, match='the writer of bus "cam0" is closed'):
            call()


# ---- Serving ---------------------------------------------------------------------------------------

def test_an_idle_writer_serves_by_select(bus_dir, peer):
    with framebus.Writer('cam0', Format('GRAY8', 4, 4), lossless=True) as writer:
        reader = peer('read', 'cam0', 1)
        while not writer.info.readers:
            assert select.select([writer], [], [], 10)[0] == [writer]
            writer.dispatch()
        writer.write(numpy.zeros((4, 4), 'u1'))
        assert reader.finish() == 0


def test_serving_lasts_as_long_as_it_is_told(bus_dir):
    with framebus.Writer('cam0') as writer:
        began = time.monotonic()
        writer.serve(0.3)
        assert 0.3 <= time.monotonic() - began < 8


def test_threads_share_a_writer(bus):
    writer = bus(Format('GRAY8', 8, 8), history=200, max_slots=300)

    def publish():
        for _ in range(50):
            with writer.frame() as frame:
                frame.array[:] = 1
    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (writer.info.published, writer.info.lent) == (200, 0)


def test_another_thread_may_close_while_a_lossless_writer_waits(bus):
    writer = bus(Format('GRAY8', 8, 8), lossless=True, lossless_timeout=None, history=1)
    reader = framebus.Reader('cam0', delivery='lossless')
    told = []

    def publish():
        try:
            while True:
                writer.write(numpy.zeros((8, 8), 'u1'))
        except (OSError, ValueError) as error:
            told.append(error)
    thread = threading.Thread(target=publish)
    thread.start()
    with reader:
        reader.next(10)
        while writer.info.published < 2:
            time.sleep(0.01)
        time.sleep(0.1)
        writer.close()
        thread.join(10)
        assert not thread.is_alive()
        assert isinstance(told[0], ValueError) or told[0].errno == errno.ECANCELED
