# SPDX-License-Identifier: MIT
"""The two programs that a newcomer reads and runs first."""
import re

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
