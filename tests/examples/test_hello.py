# SPDX-License-Identifier: MIT
"""The programs that a newcomer reads and runs first."""
import re
import signal
import time

import pytest

LINE = re.compile(r'frame (\d+), (.+), first bytes (..) (..) (..), (\d+) us old(?:, (\d+) missed before it)?')


@pytest.fixture
def example(spawn, build_dir):
    return lambda name, *arguments: spawn(build_dir / 'examples' / name, *arguments)


def frames(reader):
    """Sequence number, format, the first three bytes and what was missed, of each line."""
    lines = [LINE.fullmatch(line) for line in reader.out().splitlines()]
    assert all(lines), reader.out()
    return [(int(m[1]), m[2], [int(m[i], 16) for i in (3, 4, 5)], int(m[7] or 0)) for m in lines]


def test_frames_cross(example):
    writer = example('hello-writer', 'hi')
    reader = example('hello-reader', 'hi', 10)
    assert reader.finish() == 0
    got = frames(reader)
    assert len(got) == 10
    for (number, text, pixel, missed), before in zip(got, [None, *got]):
        assert text.split()[:2] == ['RGBx', '640x480']
        # The upper left pixel of frame t is (t, -t, 0).
        assert (pixel[0] + pixel[1]) % 256 == 0 and pixel[2] == 0
        if before:
            assert number == before[0] + 1 + missed
            assert (pixel[0] - before[2][0]) % 256 == (number - before[0]) % 256
    assert writer.stop() == 0


def test_the_reader_waits_for_a_writer(example, bus_dir):
    reader = example('hello-reader', 'later', 3)
    with pytest.raises(AssertionError):
        reader.finish(limit=0.5)
    writer = example('hello-writer', 'later')
    assert reader.finish() == 0
    assert len(frames(reader)) == 3
    assert writer.stop() == 0


def test_without_arguments_they_find_each_other(example):
    writer = example('hello-writer')
    reader = example('hello-reader')
    reader.until(lambda: reader.out().count('\n') > 5, what='six frames')
    assert writer.stop() == 0
    assert reader.finish() == 1
    assert 'the writer is gone' in reader.err()


def test_several_readers_see_the_same(example):
    writer = example('hello-writer', 'hi')
    readers = [example('hello-reader', 'hi', 20) for _ in range(4)]
    seen = []
    for reader in readers:
        assert reader.finish() == 0
        seen.append({number: pixel for number, _, pixel, _ in frames(reader)})
    common = set.intersection(*(set(one) for one in seen))
    assert common
    assert all(one[number] == seen[0][number] for number in common for one in seen)
    assert writer.stop() == 0


def test_a_second_writer_is_refused_with_the_pid_of_the_first(example, bus_dir, wait_for):
    first = example('hello-writer', 'hi')
    wait_for((bus_dir / 'hi').is_socket, what='the bus')
    second = example('hello-writer', 'hi')
    assert second.finish() == 1
    assert str(first.pid) in second.err()
    assert first.stop() == 0


def test_a_killed_writer_is_noticed_and_replaced(example):
    first = example('hello-writer', 'hi')
    reader = example('hello-reader', 'hi')
    reader.until(lambda: reader.out().count('\n') > 2, what='frames')
    first.kill()
    assert reader.finish() == 1
    assert 'the writer is gone' in reader.err()
    second = example('hello-writer', 'hi')
    again = example('hello-reader', 'hi', 3)
    assert again.finish() == 0
    assert second.stop() == 0


def test_a_name_that_cannot_be_one_is_explained(example):
    for name in ('hello-writer', 'hello-reader'):
        process = example(name, 'not a name')
        assert process.finish() == 1
        assert 'not a name' in process.err()


# ---- event loops ----

@pytest.fixture(params=['hello-poll', 'hello-glib'])
def loop(request, example, build_dir):
    if not (build_dir / 'examples' / request.param).exists():
        pytest.skip(f'{request.param} was not built')
    return lambda *arguments: example(request.param, *arguments)


def numbers(process):
    return [int(line.removeprefix('frame ')) for line in process.out().splitlines()]


def test_an_event_loop_sees_each_frame(example, loop):
    """Of a bus that is there already: no wake-up comes for frames before the loop."""
    writer = example('hello-writer', 'hi')
    first = example('hello-reader', 'hi', 3)
    assert first.finish() == 0
    reader = loop('hi')
    reader.until(lambda: len(numbers(reader)) > 20, what='twenty frames')
    got = numbers(reader)
    assert got == list(range(got[0], got[0] + len(got)))
    assert reader.stop() == 0
    assert writer.stop() == 0


def test_an_event_loop_goes_from_writer_to_writer(example, loop):
    reader = loop('hi')
    for _ in range(2):
        before = len(numbers(reader))
        writer = example('hello-writer', 'hi')
        reader.until(lambda: len(numbers(reader)) > before + 3, what='frames')
        writer.kill()
    assert reader.stop() == 0


@pytest.mark.parametrize('name', ['hello-reader', 'hello-poll', 'hello-glib'])
def test_ctrl_c_ends_a_reader_of_a_silent_bus(example, build_dir, name):
    if not (build_dir / 'examples' / name).exists():
        pytest.skip(f'{name} was not built')
    writer = example('hello-writer', 'hi')
    reader = example(name, 'hi')
    reader.until(lambda: reader.out().count('\n') > 2, what='frames')
    writer.send_signal(signal.SIGSTOP)
    try:
        time.sleep(0.2)
        assert reader.stop(limit=5) == 0
    finally:
        writer.send_signal(signal.SIGCONT)
    assert writer.stop() == 0


def test_a_monitor_tells_who_comes_and_goes(example):
    monitor = example('hello-monitor')
    writer = example('hello-writer', 'hi')
    monitor.until(lambda: 'hi is live: RGBx 640x480' in monitor.out(), what='the bus')
    reader = example('hello-reader', 'hi')
    monitor.until(lambda: 'hi is read by hello-reader' in monitor.out(), what='its reader')
    reader.kill()
    monitor.until(lambda: 'hi is no longer read by hello-reader' in monitor.out(), what='the end of its reader')
    assert writer.stop() == 0
    monitor.until(lambda: 'hi is gone' in monitor.out(), what='the end of the bus')
    monitor.stop()
