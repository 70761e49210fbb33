# SPDX-License-Identifier: MIT
"""Reading: iteration, options, ends and waits."""
import errno
import os
import select
import signal
import threading
import time

import framebus
import numpy
import pytest


def number_of(frame):
    """What the C side put into the frame's metadata; every byte of the picture is the same."""
    [(tag, data)] = frame.meta
    assert tag == 'numb'
    number = int.from_bytes(data, 'little')
    assert numpy.all(frame.array == number % 256)
    return number


def test_iteration(writer):
    process = writer('cam0')
    numbers = []
    with framebus.Reader('cam0', wait=10) as reader:
        for frame in reader:
            numbers.append(number_of(frame))
            assert frame.sequence == numbers[-1]
            assert frame.missed == 0 or len(numbers) > 1
            if len(numbers) == 10:
                process.stop()
        assert reader.stats.delivered == len(numbers)
        assert reader.stats.missed == numbers[-1] + 1 - numbers[0] - len(numbers)
    assert numbers == sorted(set(numbers))
    assert process.returncode == 0


def test_everything_about_a_frame(writer):
    writer('cam0', 'NV12')
    with framebus.Reader('cam0', wait=10) as reader:
        frame = reader.next(10)
        assert (frame.format, frame.fourcc, frame.width, frame.height) == (reader.format, frame.format.fourcc, 64, 48)
        assert (frame.format.name, frame.format.rate, frame.caps) == ('NV12', 100, '')
        assert 0 < frame.capture_ns == frame.publish_ns <= time.monotonic_ns()
        assert frame.publish_ns > time.monotonic_ns() - 10**10
        assert (frame.duration_ns, frame.flags, frame.crop, frame.color) == (0, 0, None, (0, 0, 0, 0))
        assert frame.size == len(frame.payload) == 64 * 48 * 3 // 2
        assert 'NV12 64x48' in repr(frame) and 'released' not in repr(frame)
        with pytest.raises(TypeError, match=r'NV12 has 2 planes: frame.planes\[i\].array are views of them, frame.bgr and'):
            frame.array
        frame.release()


def test_a_crop_flags_and_color(python):
    writer = python('''
form = framebus.Format('BGR', 64, 48, color=framebus.Color(1, 13, 5, 2), caps='x/y')
with framebus.Writer('cam0', form) as writer:
    while True:
        with writer.frame() as frame:
            frame.crop = (2, 4, 20, 10)
            frame.flags = framebus.FrameFlags.DISCONT | framebus.FrameFlags.MARKER
            frame.capture_ns, frame.duration_ns = 12345, 40
        writer.serve(0.01)
''')
    with framebus.Reader('cam0', wait=10) as reader, reader.next(10) as frame:
        assert frame.crop == framebus.Rect(2, 4, 20, 10) and frame.crop.width == 20
        assert frame.flags == framebus.FrameFlags.DISCONT | framebus.FrameFlags.MARKER
        assert (frame.capture_ns, frame.duration_ns) == (12345, 40)
        assert frame.color == (1, 13, 5, 2) and frame.caps == 'x/y'
    assert writer.running()


# ---- Ends ------------------------------------------------------------------------------------------

def test_the_end_of_a_stream_is_no_error_and_told_once(writer):
    process = writer('cam0')
    with framebus.Reader('cam0', wait=10) as reader:
        reader.next(10)
        process.stop(signal.SIGINT)
        with pytest.raises(framebus.EndOfStream) as caught:
            while True:
                reader.next(10)
        assert isinstance(caught.value, OSError) and caught.value.errno == errno.ENODATA
        with pytest.raises(BrokenPipeError):
            reader.next(10)


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGTERM])
def test_a_writer_that_just_goes_is_an_error(writer, number):
    process = writer('cam0')
    seen = 0
    with framebus.Reader('cam0', wait=10) as reader:
        with pytest.raises(BrokenPipeError, match='the writer of bus "cam0" is gone'):
            for _ in reader:
                seen += 1
                if seen == 3:
                    process.send_signal(number)
                    process.wait(10)
        with pytest.raises(BrokenPipeError):
            reader.next(0)
    assert seen >= 3


def test_a_following_reader_goes_on_with_the_next_writer(writer):
    with framebus.Reader('cam0', follow=True) as reader:
        with pytest.raises(TimeoutError):
            reader.next(0)
        process = writer('cam0')
        sizes = []
        for frame in reader:
            assert frame.width == frame.array.shape[1]
            if frame.width not in sizes:
                sizes.append(frame.width)
                if len(sizes) == 3:
                    break
                process.kill() if len(sizes) == 1 else process.stop(signal.SIGINT)
                process = writer('cam0', 'BGR', 64 + len(sizes), 48)
        assert sizes == [64, 65, 66]
        assert reader.stats.writers == 3


def test_a_reader_that_waits_finds_a_late_writer(python, peer):
    reader = python('''
print("waits")
for frame in framebus.Reader("cam0", wait=None):
    print(frame.format)
    break
''')
    reader.until(lambda: 'waits' in reader.out())
    peer('write', 'cam0', 'GRAY8', 8, 8)
    assert reader.finish() == 0
    assert reader.out().split('\n')[1] == 'GRAY8 8x8 100/1'


def test_waiting_for_a_writer_ends(bus_dir):
    began = time.monotonic()
    with pytest.raises(FileNotFoundError, match='bus "cam0" has no writer'):
        framebus.Reader('cam0', wait=0.5)
    assert 0.5 <= time.monotonic() - began < 8


# ---- Options ---------------------------------------------------------------------------------------

def test_the_newest_only(writer, wait_for):
    writer('cam0')
    with framebus.Reader('cam0', wait=10, delivery='latest') as reader:
        first = reader.next(10)
        wait_for(lambda: framebus.query('cam0').published > first.sequence + 10)
        newest = framebus.query('cam0').published
        frame = reader.next(10)
        assert frame.sequence >= newest - 1
        assert frame.missed == frame.sequence - first.sequence - 1 >= 9


def test_the_newest_frame_is_there_again(python, wait_for):
    python('''
with framebus.Writer('cam0', framebus.Format('BGR', 16, 16)) as writer:
    for value in 1, 2, 3:
        writer.write(numpy.full((16, 16, 3), value, 'uint8'))
    while True:
        writer.serve(1)
''')
    with framebus.Reader('cam0', wait=10, quota=2) as reader:
        frame = reader.next(10)
        while frame.sequence < 2:
            frame = reader.next(10)
        again = reader.newest()
        assert frame.sequence == again.sequence == 2
        frame.release()
        assert again.array[0, 0, 0] == 3
        assert reader.newest().sequence == 2
        with pytest.raises(TimeoutError):
            reader.next(0)


def test_lossless_is_refused_by_a_writer_that_is_not(writer):
    writer('cam0')
    with pytest.raises(OSError) as caught:
        framebus.Reader('cam0', wait=10, delivery=framebus.Delivery.LOSSLESS)
    assert caught.value.errno == errno.EOPNOTSUPP


def test_a_quota_can_be_changed(writer):
    writer('cam0')
    with framebus.Reader('cam0', wait=10, quota=1) as reader:
        frames = [reader.next(10)]
        with pytest.raises(OSError, match='copy what you keep') as caught:
            reader.next(10)
        assert caught.value.errno == errno.EBUSY
        reader.set_quota(3)
        frames += [reader.next(10), reader.next(10)]
        assert reader.stats.held == reader.stats.quota == 3
        with pytest.raises(ValueError):
            reader.set_quota(2)
        with pytest.raises(OSError, match='no room for a quota of 200'):
            reader.set_quota(200)
        frames.clear()
        assert reader.stats.held == 0


def test_a_quota_of_one_is_enough_to_iterate(writer):
    writer('cam0')
    with framebus.Reader('cam0', wait=10, quota=1) as reader:
        for count, frame in enumerate(reader):
            assert number_of(frame) == frame.sequence
            if count == 5:
                break


def test_the_label_is_shown(writer, python, wait_for):
    writer('cam0')
    process = python('''
with framebus.Reader('cam0', wait=10) as one, framebus.Reader('cam0', label='stage') as two:
    print('ready')
    time.sleep(60)
''')
    process.until(lambda: 'ready' in process.out())
    name = os.path.basename(str(process.args[1]))
    wait_for(lambda: {peer.label for peer in framebus.query('cam0').readers} == {name, 'stage'}, what='labels')


def test_spinning_gets_frames_too(writer):
    writer('cam0')
    with framebus.Reader('cam0', wait=10, spin=0.02) as reader:
        for _ in range(5):
            reader.next(10).release()
        assert reader.stats.delivered == 5


# ---- Waiting ---------------------------------------------------------------------------------------

def test_timeouts(python):
    writer = python('''
with framebus.Writer('cam0', framebus.Format('BGR', 8, 8)) as writer:
    writer.serve()
''')
    with framebus.Reader('cam0', wait=10) as reader:
        for timeout in (0, 0.3):
            began = time.monotonic()
            with pytest.raises(TimeoutError, match=f'no frame on bus "cam0" within {timeout} s') as caught:
                reader.next(timeout)
            assert timeout <= time.monotonic() - began < timeout + 5
            assert caught.value.errno == errno.ETIMEDOUT
    assert writer.running()


def test_select(writer):
    writer('cam0')
    with framebus.Reader('cam0', wait=10) as reader:
        assert reader.fileno() == reader.fileno()
        seen = 0
        while seen < 5:
            try:
                seen += bool(reader.next(0))
            except TimeoutError:
                assert select.select([reader], [], [], 10)[0] == [reader]
    with pytest.raises(ValueError, match='the reader of bus "cam0" is closed'):
        reader.fileno()


def test_ctrl_c_ends_every_wait(python):
    for code in ('framebus.Reader("cam0", wait=None)', 'framebus.Reader("cam0", follow=True).next()',
                 'framebus.Writer("cam1").serve()'):
        process = python(f'''
def tick(*_):
    print("waits")
signal.signal(signal.SIGALRM, tick)
try:
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    {code}
except KeyboardInterrupt:
    sys.exit(7)
''')
        process.until(lambda: 'waits' in process.out(), what='its wait')
        assert process.stop(signal.SIGINT) == 7


def test_a_signal_handler_may_close(writer, python):
    writer('cam0')
    process = python('''
def on_alarm(*_):
    reader.close()
    writer.close()
signal.signal(signal.SIGALRM, on_alarm)
for round in range(100):
    reader = framebus.Reader("cam0", wait=10)
    writer = framebus.Writer("cam1", framebus.Format("GRAY8", 8, 8))
    signal.setitimer(signal.ITIMER_REAL, 0.0001 + round * 2e-5)
    try:
        while True:
            try:
                reader.next(0).release()
            except TimeoutError:
                pass
            with writer.frame():
                pass
    except ValueError:
        assert reader.closed
    while not writer.closed:
        time.sleep(0.001)
''')
    assert process.finish(60) == 0, process.err()


def test_what_the_interrupted_code_holds_is_not_waited_for(writer, python):
    writer('cam0')
    process = python('''
reader = framebus.Reader("cam0", wait=10)
with reader._lock, reader._turn:  # where a signal may find us
    reader.close()
''')
    assert process.finish(30) == 0, process.err()


def test_another_thread_may_close(python):
    python('framebus.Writer("cam0").serve()')
    reader = framebus.Reader('cam0', wait=10)
    told = []

    def wait():
        try:
            reader.next()
        except ValueError as error:
            told.append(str(error))
    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.1)
    reader.close()
    thread.join(10)
    assert not thread.is_alive()
    assert told == ['the reader of bus "cam0" is closed']
    assert reader.closed and 'closed' in repr(reader)


def test_threads_share_a_reader(writer):
    writer('cam0', 'GRAY8')
    seen = [[] for _ in range(4)]
    with framebus.Reader('cam0', wait=10, quota=8) as reader:
        def take(numbers):
            for _ in range(25):
                with reader.next(10) as frame:
                    numbers.append(number_of(frame))
        threads = [threading.Thread(target=take, args=(numbers,)) for numbers in seen]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert reader.stats.held == 0
    everything = sum(seen, [])
    assert len(everything) == len(set(everything)) == 100
    assert all(numbers == sorted(numbers) for numbers in seen)


def test_one_thread_at_a_time_is_in_the_library(writer):
    writer('cam0')
    inside = []

    def call(_):
        inside.append(threading.get_ident())
        time.sleep(0.02)
        assert inside.pop() == threading.get_ident() and not inside
        return True
    done = []
    with framebus.Reader('cam0', wait=10) as reader:
        threads = [threading.Thread(target=lambda: done.append(reader._call(call))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert done == [True] * 4


def test_a_reader_that_is_forgotten_says_so_and_closes(writer, wait_for):
    writer('cam0')
    reader = framebus.Reader('cam0', wait=10)
    with pytest.warns(ResourceWarning, match="'cam0'"):
        del reader
    wait_for(lambda: not framebus.query('cam0').readers)
