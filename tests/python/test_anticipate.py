# SPDX-License-Identifier: MIT
"""Frames that are expected, and frames that are not wanted."""
import os
import signal
import threading
import time

import framebus
import pytest


def test_expected_frames_come_like_any_other(writer):
    process = writer('cam0')
    with framebus.Reader('cam0', wait=10, anticipate=50) as reader:
        sequences = []
        for frame in reader:
            sequences.append(frame.sequence)
            assert len(sequences) == 1 or frame.missed == sequences[-1] - sequences[-2] - 1
            if len(sequences) == 100:
                process.stop()
    assert sequences == sorted(set(sequences))


def test_waits_for_expected_frames_have_an_end(writer):
    writer('cam0')
    with framebus.Reader('cam0', wait=10, anticipate=100) as reader:
        for _ in range(30):
            reader.next(10)
        with framebus.Reader('cam1', follow=True, anticipate=100) as silent:
            with pytest.raises(TimeoutError):
                silent.next(0.3)
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            with pytest.raises(KeyboardInterrupt):
                silent.next()


def test_no_more_frames_than_are_wanted(writer):
    writer('cam0')  # 100 a second
    with framebus.Reader('cam0', wait=10, max_rate=20) as reader:
        first = reader.next(10).publish_ns
        end = time.monotonic() + 1
        count = 0
        while time.monotonic() < end:
            last = reader.next(10).publish_ns
            count += 1
    assert 3 <= count <= (last - first) / 1e9 * 20 + 2


@pytest.mark.parametrize('options', [{'max_rate': 0}, {'max_rate': -1}, {'max_rate': 'fast'}, {'anticipate': 101},
                                     {'anticipate': -1}, {'max_rate': 5, 'delivery': 'lossless'}])
def test_what_makes_no_sense_is_refused_in_words(writer, options):
    writer('cam0')
    with pytest.raises((ValueError, TypeError), match='max_rate|anticipate'):
        framebus.Reader('cam0', wait=10, **options)
