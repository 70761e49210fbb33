# SPDX-License-Identifier: MIT
"""Readers and writers in asyncio's loop."""
import asyncio
import signal
import time

import framebus
import numpy
import pytest
from framebus import Format


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def test_frames_come(writer):
    process = writer('cam0')
    ticks = []

    async def tick():
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.005)

    async def read():
        ticking = asyncio.create_task(tick())
        numbers = []
        async with framebus.Reader('cam0', wait=10) as reader:
            async for frame in reader:
                assert numpy.all(frame.array == frame.sequence % 256)
                numbers.append(frame.sequence)
                if len(numbers) == 20:
                    process.send_signal(signal.SIGINT)
        ticking.cancel()
        return reader, numbers

    reader, numbers = run(read())
    assert reader.closed
    assert len(numbers) >= 20 and numbers == sorted(set(numbers))
    assert len(ticks) > 10  # others got their turn


def test_a_killed_writer_is_told(writer):
    process = writer('cam0')

    async def read():
        async with framebus.Reader('cam0', wait=10) as reader:
            async for _ in reader:
                if process.running():
                    process.kill()
    with pytest.raises(BrokenPipeError):
        run(read())


def test_following(writer):
    async def read():
        widths = []
        async with framebus.Reader('cam0', follow=True) as reader:
            process = writer('cam0')
            async for frame in reader:
                if frame.width not in widths:
                    widths.append(frame.width)
                    if len(widths) == 3:
                        return widths
                    process.kill() if len(widths) == 1 else process.stop(signal.SIGINT)
                    process = writer('cam0', 'BGR', 64 + len(widths), 48)
    assert run(read()) == [64, 65, 66]


def test_timeouts_and_cancelling(python):
    python('framebus.Writer("cam0").serve()')

    async def read():
        async with framebus.Reader('cam0', wait=10) as reader:
            with pytest.raises(TimeoutError, match='no frame on bus "cam0" within 0.1 s'):
                await reader.receive(0.1)
            task = asyncio.create_task(reader.receive())
            await asyncio.sleep(0.05)
            with pytest.raises(RuntimeError, match='another task'):
                await reader.receive()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(TimeoutError):
                await reader.receive(0)
            assert not asyncio.get_running_loop().remove_reader(reader)  # none is left behind
    run(read())


def test_views_count_here_too(writer):
    writer('cam0')

    async def read():
        kept = []
        async with framebus.Reader('cam0', wait=10) as reader:
            with pytest.raises(OSError, match='copy what you keep'):
                async for frame in reader:
                    kept.append(frame.array)
            assert len(kept) == 2
    run(read())


def test_an_idle_writer_is_served_by_the_loop(peer):
    async def write():
        async with framebus.Writer('cam0', Format('GRAY8', 4, 4), lossless=True) as writer:
            reader = peer('read', 'cam0', 2)
            while not writer.info.readers:
                await asyncio.sleep(0.01)
            for value in range(2):
                writer.write(numpy.full((4, 4), value))
                await asyncio.sleep(0.01)
            while reader.running():
                await asyncio.sleep(0.01)
            fd = writer.fileno()
        assert writer.closed and not asyncio.get_running_loop().remove_reader(fd)
        return reader
    reader = run(write())
    assert reader.returncode == 0
    assert len(reader.out().splitlines()) == 2


def test_both_ends_in_one_loop(bus_dir):
    async def both():
        async with framebus.Writer('cam0', Format('GRAY8', 4, 4)) as writer:
            # Opening blocks until the writer, that is this loop, has answered.
            async with await asyncio.to_thread(framebus.Reader, 'cam0') as reader:
                for value in range(5):
                    writer.write(numpy.full((4, 4), value))
                    with await reader.receive(10) as frame:
                        assert (frame.array == value).all()
    run(both())
