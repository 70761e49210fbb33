# SPDX-License-Identifier: MIT
"""Views: whose memory they show, for how long, and that nothing is left."""
import contextlib
import ctypes
import gc
import os
import pathlib
import signal
import subprocess
import sys
import threading
import weakref

import framebus
import numpy
import pytest


def pool_of(address):
    """The line of /proc/self/maps for the pool that an address is in."""
    for line in pathlib.Path('/proc/self/maps').read_text().splitlines():
        start, end = (int(part, 16) for part in line.split()[0].split('-'))
        if start <= address < end:
            return line
    return None


def pools():
    return [line for line in pathlib.Path('/proc/self/maps').read_text().splitlines() if 'framebus-' in line]


def fds():
    return sorted(os.listdir('/proc/self/fd'))


@pytest.fixture
def reader(writer):
    writer('cam0')
    with framebus.Reader('cam0', wait=10, quota=4) as reader:
        yield reader


def skip_frames(reader, count):
    """Until the slot of a frame that nobody holds has been written to again."""
    for _ in range(count):
        reader.next(10).release()


# ---- No copy ---------------------------------------------------------------------------------------

def test_arrays_are_the_writers_memory(reader):
    frame = reader.next(10)
    for address in (frame.array.ctypes.data, frame.planes[0].address, numpy.asarray(frame).ctypes.data,
                    numpy.asarray(frame.planes[0]).ctypes.data, numpy.frombuffer(frame.payload, 'u1').ctypes.data):
        assert address == frame.planes[0].address
        assert 'framebus-pool' in pool_of(address) and ' r--s ' in pool_of(address)
    assert not frame.array.flags.owndata


def test_pillow_and_opencv_take_arrays_as_they_are(reader):
    cv2 = pytest.importorskip('cv2')
    image = pytest.importorskip('PIL.Image')
    frame = reader.next(10)
    value = frame.sequence % 256
    assert cv2.mean(frame.array)[:3] == (value, value, value)
    assert cv2.cvtColor(frame.array, cv2.COLOR_BGR2GRAY).shape == (48, 64)
    assert image.fromarray(frame.array).getpixel((63, 47)) == (value, value, value)


def test_opencv_draws_into_the_slot(bus_dir, served):
    cv2 = pytest.importorskip('cv2')
    with framebus.Writer('cam0', framebus.Format('BGR', 62, 48)) as writer:  # rows are padded to 188 bytes
        served(writer)
        with framebus.Reader('cam0') as reader:
            with writer.frame() as frame:
                frame.array[:] = 0
                drawn = cv2.rectangle(frame.array, (10, 10), (20, 20), (1, 2, 3), -1)
                assert drawn.ctypes.data == frame.planes[0].address
            with reader.next(10) as got:
                assert got.array[15, 15].tolist() == [1, 2, 3] and got.array[30, 30].tolist() == [0, 0, 0]
                assert got.array.strides == (188, 3, 1)


# ---- Read-only -------------------------------------------------------------------------------------

def test_readers_cannot_write(reader):
    frame = reader.next(10)
    array, view, data = frame.array, frame.payload, frame.planes[0].data
    with pytest.raises(ValueError, match='read-only'):
        array[0, 0] = 1
    with pytest.raises(ValueError):
        array.flags.writeable = True
    with pytest.raises(ValueError):
        array[5:, 5:].setflags(write=True)
    for memory in (view, data, memoryview(array)):
        assert memory.readonly
        with pytest.raises(TypeError):
            memory[0] = 1
    with pytest.raises((TypeError, ctypes.ArgumentError)):
        (ctypes.c_char * 8).from_buffer(view)
    assert numpy.all(array == frame.sequence % 256)


@pytest.mark.parametrize('code', [
    'import ctypes; ctypes.memset(frame.planes[0].address, 1, 1)',
    # Some releases of OpenCV do not look whether an array may be written to.
    'import cv2; cv2.rectangle(frame.array, (0, 0), (9, 9), (1, 2, 3), -1)'],
    ids=['ctypes', 'cv2'])
def test_who_gets_around_it_only_ends_himself(writer, python, code):
    process = writer('cam0')
    culprit = python(f'''
with framebus.Reader('cam0', wait=10) as reader:
    frame = reader.next(10)
    {code}
''')
    assert culprit.finish() == -signal.SIGSEGV or 'cv2.error' in culprit.err()
    assert process.running()


# ---- How long --------------------------------------------------------------------------------------

def test_a_released_frame_shows_nothing(reader):
    frame = reader.next(10)
    number, told = frame.sequence, repr(frame)
    assert not frame.released
    frame.release()
    frame.release()
    assert frame.released and repr(frame) == told[:-1] + ', released>'
    for look in ('array', 'planes', 'payload', 'meta'):
        with pytest.raises(ValueError, match=f'frame {number} is released'):
            getattr(frame, look)
    skip_frames(reader, 20)
    assert (frame.sequence, frame.width, frame.size, frame.missed) == (number, 64, 64 * 48 * 3, frame.missed)
    assert reader.stats.held == 0


@pytest.mark.parametrize('look', [
    lambda frame: frame.array, lambda frame: frame.array[10:20, ::2], lambda frame: frame.payload,
    lambda frame: frame.payload[100:200], lambda frame: frame.planes[0].data, lambda frame: memoryview(frame.array),
    lambda frame: numpy.asarray(frame.planes[0]),
    lambda frame: numpy.frombuffer(frame.payload, 'u1').reshape(48, -1)[3:]],
    ids=['array', 'slice', 'payload', 'part', 'data', 'memoryview', 'interface', 'frombuffer'])
def test_a_view_keeps_its_frame_whole(reader, look):
    frame = reader.next(10)
    view = look(frame)
    assert reader.stats.held == 1
    frame.release()
    skip_frames(reader, 20)
    assert reader.stats.held == 1
    assert numpy.all(numpy.asarray(view) == frame.sequence % 256)
    del view
    assert reader.stats.held == 0


def test_a_frame_is_released_with_its_last_reference(reader):
    frame = reader.next(10)
    gone = weakref.ref(frame)
    gc.disable()
    try:
        frame.array, frame.planes, frame.payload, repr(frame)
        del frame
        assert gone() is None and reader.stats.held == 0
    finally:
        gc.enable()


def test_iteration_releases_what_it_handed_out(reader):
    frames = []
    for frame in reader:
        frames.append(frame)
        if len(frames) == 10:
            break
    assert [frame.released for frame in frames] == 9 * [True] + [False]
    assert reader.stats.held == 1


def test_views_that_pile_up_are_an_error_that_says_so(reader):
    kept = []
    with pytest.raises(OSError, match='all 4 frames of the quota of bus "cam0" are held.*copy what you keep'):
        for frame in reader:
            kept.append(frame.array)
    assert len(kept) == 4 and len({array.flat[0] for array in kept}) == 4
    kept.clear()
    assert next(reader)


def test_a_view_outlives_reader_writer_and_pool(writer):
    process = writer('cam0')
    reader = framebus.Reader('cam0', wait=10)
    frame = reader.next(10)
    array, value = frame.array, frame.sequence % 256
    process.kill()
    reader.close()
    del reader, frame
    assert numpy.all(array == value)
    address = array.ctypes.data
    assert 'framebus-pool' in pool_of(address)
    del array
    assert 'framebus-pool' not in (pool_of(address) or '')


def test_a_view_outlives_a_change_of_format(writer):
    with framebus.Reader('cam0', follow=True) as reader:
        process = writer('cam0', 'NV12')
        frame = reader.next(10)
        luma = frame.planes[0].array
        frame.release()
        process.kill()
        writer('cam0', 'BGR')
        other = reader.next(10)
        assert other.format.name == 'BGR' and frame.format.name == 'NV12'
        assert numpy.all(luma == frame.sequence % 256)


def test_everything_is_back_at_the_end(writer):
    before = fds(), pools()
    process = writer('cam0')
    for _ in range(3):
        with framebus.Reader('cam0', wait=10) as reader:
            array = reader.next(10).array
            assert len(fds()) > len(before[0]) and len(pools()) > len(before[1])
        del array, reader
    assert process.stop() == 0
    with framebus.Writer('cam1', framebus.Format('BGR', 64, 48)) as writer:
        with writer.frame() as frame:
            array = frame.array
    del array, frame, writer
    assert (fds(), pools()) == before


def test_the_interpreter_ends_well_with_everything_open(writer, python):
    writer('cam0')
    process = python('''
reader = framebus.Reader('cam0', wait=10)
array, frame = reader.next(10).array, reader.next(10)
writer = framebus.Writer('cam1', framebus.Format('BGR', 8, 8))
lent = writer.frame()
loop = [lent.array]
loop.append(loop)
''', env={'PYTHONWARNINGS': 'ignore'})
    assert process.finish() == 0
    assert process.err() == ''


# ---- DLPack ----------------------------------------------------------------------------------------

class Exporter:
    def __init__(self, capsule):
        self.capsule = capsule

    def __dlpack__(self, stream=None):
        return self.capsule

    def __dlpack_device__(self):
        return (1, 0)


def test_dlpack_is_there_on_request_and_holds_the_frame(reader):
    frame = reader.next(10)
    with pytest.raises(Exception):
        frame.array.__dlpack__()  # why there is to_dlpack()
    array = numpy.from_dlpack(Exporter(frame.to_dlpack()))
    assert array.ctypes.data == frame.planes[0].address
    assert array.shape == (48, 64, 3)
    frame.release()
    assert reader.stats.held == 1
    del array
    assert reader.stats.held == 0


# ---- fork() ----------------------------------------------------------------------------------------

@contextlib.contextmanager
def calling(reader):
    """Another thread is in a call just now."""
    started, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=reader._call, args=(lambda _: started.set() or done.wait(60),))
    thread.start()
    started.wait(60)
    pid = os.getpid()
    yield
    if os.getpid() == pid:
        done.set()
        thread.join()


def test_a_forked_child_survives_what_it_inherits(reader):
    frame, other = reader.next(10), reader.next(10)
    array, kept = frame.array, other.payload
    frame.release()
    told = os.pipe()
    with calling(reader):
        pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        try:
            facts = [array.any(), any(kept), other.array.any(), any(any(data) for _, data in other.meta)]
            for call in (lambda: reader.next(0), reader.fileno):
                try:
                    call()
                    facts.append(True)
                except ChildProcessError:
                    pass
            other.release()
            reader.close()
            del array, kept
            os.write(told[1], repr(facts).encode())
        finally:
            os._exit(0)
    os.close(told[1])
    with open(told[0]) as pipe:
        assert pipe.read() == repr([numpy.bool_(False), False, numpy.bool_(False), False])
    assert os.waitpid(pid, 0)[1] == 0
    assert numpy.all(array == frame.sequence % 256) and set(kept) == {other.sequence % 256}
    assert reader.next(10).sequence > other.sequence


def test_a_pool_of_processes_forks_beside_a_reader(reader):
    import multiprocessing
    frame = reader.next(10)
    array = frame.array
    with multiprocessing.get_context('fork').Pool(2) as pool:
        assert pool.map(abs, [-1, -2, -3]) == [1, 2, 3]
    assert numpy.all(array == frame.sequence % 256)


# ---- Without NumPy ---------------------------------------------------------------------------------

def test_memoryviews_need_no_numpy(writer):
    writer('cam0', 'NV12')
    code = '''
import sys
sys.modules['numpy'] = None
import framebus
with framebus.Reader('cam0', wait=10) as reader, reader.next(10) as frame:
    y, uv = (plane.data for plane in frame.planes)
    print(len(y), len(uv), len(frame.payload), set(y) == {frame.sequence % 256}, y.readonly)
    try:
        frame.planes[0].array
    except ImportError as error:
        print(error)
'''
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60)
    first, second = done.stdout.splitlines()
    assert first == '3072 1536 4608 True True', done.stderr
    assert second.startswith('arrays need NumPy')
