#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""From one Python process into another: what it takes until a frame is a NumPy array.

The writer is a process of its own. For each sample it is asked for a frame through a pipe; the time runs from just
before it publishes, or sends, to the array being there in this process. Contestants take turns.

  view           frame.array: the frame itself
  copy           frame.array.copy()
  Pipe           send_bytes() and recv_bytes() of multiprocessing.Pipe, what multiprocessing.Queue is made of
  SharedMemory   a multiprocessing.shared_memory block that the writer has filled, which it says by a pipe; the reader
                 copies, since nothing there keeps the writer from going on

python.py [--quick]
"""
import multiprocessing
import os
import pathlib
import random
import sys
import tempfile
import time
from multiprocessing import shared_memory

from results import Result

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get('FRAMEBUS_BUILD', ROOT / 'build'))
LIBRARY = BUILD / 'lib' / 'libframebus.so.0'
SIZES = {'1080p': ('BGR', 1920, 1080), '4K': ('BGR', 3840, 2160)}
CONTESTANTS = ('view', 'copy', 'Pipe', 'SharedMemory')
WARM_UP = 3
QUANTITY = 'from publishing to an array'


def write(pipe, memory_name, form):
    """The writer's process: one frame for each request, until the pipe is closed."""
    import framebus
    import numpy
    memory = shared_memory.SharedMemory(memory_name)
    with framebus.Writer('bench', framebus.Format(*form)) as writer:
        with writer.frame() as frame:
            picture = numpy.zeros_like(frame.array)
        shared = numpy.ndarray(picture.shape, picture.dtype, memory.buf)
        pipe.send('ready')
        while True:
            while not pipe.poll():
                writer.serve(0.001)
            wanted = pipe.recv()
            if wanted in ('view', 'copy'):
                with writer.frame() as frame:
                    frame.array[:] = picture
                    began = time.monotonic_ns()
                pipe.send(began)
            elif wanted == 'Pipe':
                began = time.monotonic_ns()
                pipe.send_bytes(memoryview(picture).cast('B'))
                pipe.send(began)
            elif wanted == 'SharedMemory':
                shared[:] = picture
                pipe.send(time.monotonic_ns())
            else:
                break
        del shared
    memory.close()


def sample(contestant, reader, pipe, shared):
    """Microseconds from the writer's frame to an array here."""
    import numpy
    pipe.send(contestant)
    if contestant == 'Pipe':
        array = numpy.frombuffer(pipe.recv_bytes(), shared.dtype).reshape(shared.shape)
    elif contestant == 'SharedMemory':
        began = pipe.recv()
        array = shared.copy()
        return (time.monotonic_ns() - began) / 1000, array
    else:
        with reader.next() as frame:
            array = frame.array if contestant == 'view' else frame.array.copy()
    ended = time.monotonic_ns()
    return (ended - pipe.recv()) / 1000, array


def measure(form, count):
    """Samples of each contestant."""
    import framebus
    import numpy
    size = framebus.Format(*form)
    shape = size.planes[0].shape
    ours, theirs = multiprocessing.Pipe()
    memory = shared_memory.SharedMemory(create=True, size=size.size)
    process = multiprocessing.get_context('spawn').Process(target=write, args=(theirs, memory.name, form))
    process.start()
    times = {contestant: [] for contestant in CONTESTANTS}
    try:
        ours.recv()
        shared = numpy.ndarray(shape, 'u1', memory.buf)
        with framebus.Reader('bench', wait=10) as reader:
            reader.next(10).release()  # the one that the writer began with
            for index in range(count + WARM_UP):
                for contestant in random.sample(CONTESTANTS, len(CONTESTANTS)):  # no one always behind the same
                    taken, array = sample(contestant, reader, ours, shared)
                    assert array.shape == shape
                    if index >= WARM_UP:
                        times[contestant].append(taken)
            del array
        ours.send('end')
        process.join(10)
    finally:
        process.terminate()
        process.join()
        shared = None
        memory.close()
        memory.unlink()
    return times


def main():
    if sys.argv[1:] not in ([], ['--quick']):
        print(f'python.py: there is no option {sys.argv[1]}', file=sys.stderr)
        return 2
    quick = bool(sys.argv[1:])
    os.environ['FRAMEBUS_LIBRARY'] = str(LIBRARY)
    os.environ['PYTHONPATH'] = str(ROOT / 'python')
    sys.path.insert(0, os.environ['PYTHONPATH'])
    try:
        import framebus  # noqa: F401
        import numpy  # noqa: F401
    except ImportError as error:
        print(f'python.py: {error}', file=sys.stderr)
        return 77
    result = Result('python', quick, 'copy', [(QUANTITY, 'view', 'copy', 0.5)])
    with tempfile.TemporaryDirectory(prefix='fb-') as directory:
        os.environ['FRAMEBUS_DIR'] = directory
        for name, form in SIZES.items():
            for contestant, times in measure(form, 5 if quick else 500).items():
                result.add(f'{name} BGR', contestant, QUANTITY, 'us', times)
    result.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
