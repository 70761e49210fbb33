# SPDX-License-Identifier: MIT
"""The programs that C users write first, in their most naive form. (plain poll and epoll: process/test-poll.c; GLib:
examples/hello-glib.c; C++: tests/cpp; Python: tests/python/test_naive.py)"""
import signal

import pytest


@pytest.fixture
def naive(spawn, build_dir):
    def start(name, *arguments):
        program = build_dir / 'tests' / 'examples' / f'naive-{name}'
        if not program.exists():
            pytest.skip(f'{program.name} was not built: its library is not there')
        return spawn(program, *arguments)
    return start


@pytest.fixture
def example(spawn, build_dir, bus_dir, wait_for):
    def start(name, bus, *arguments):
        process = spawn(build_dir / 'examples' / name, bus, *arguments)
        wait_for((bus_dir / bus).is_socket, what='the bus')
        return process
    return start


def test_libuv_gets_every_frame(naive, example):
    example('hello-writer', 'hi')
    reader = naive('libuv', 'hi', 30)
    assert reader.finish() == 0
    got = [tuple(map(int, line.split())) for line in reader.out().splitlines()]
    assert len(got) == 30
    for (number, missed), (before, _) in zip(got[1:], got):
        assert number == before + 1 + missed


def test_a_signalfd_ends_a_reader_that_follows(naive, example):
    reader = naive('signalfd', 'hi')
    writer = example('hello-writer', 'hi')
    reader.until(lambda: reader.out().count('\n') > 3, what='frames')
    assert writer.stop() == 0
    second = example('hello-writer', 'hi')
    count = reader.out().count('\n')
    reader.until(lambda: reader.out().count('\n') > count + 3, what='frames of the second writer')
    assert second.stop() == 0
    reader.send_signal(signal.SIGINT)
    assert reader.finish(limit=5) == 0
    assert 'was cancelled' in reader.out().splitlines()[-1]
