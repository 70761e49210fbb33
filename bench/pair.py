#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""framebussink/framebussrc beside what GStreamer has to get frames from one process into another.

The limit is the same pipeline in one process with a `queue`: a thread hop. The limit of two processes is `bare`: a sink
that only rings an eventfd, and a source that only waits for it; no frame is handed over. Contestants take turns, each block with new
processes, and figures are compared within one run only. Every pipeline is
    source ! SINK   and   SOURCE ! fakesink
where `source` is live and writes a row and a frame number into buffers of whatever pool the sink proposes. So what is
measured is the hand-over. Times are taken in pad probes before the sink and behind the source.

pair.py [--quick] [--rounds N] [--only CONTESTANT,...] [--cases TEXT]
"""
import argparse
import contextlib
import mmap
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results import Result

BUILD = Path(os.environ.get('FRAMEBUS_BUILD', Path(__file__).resolve().parents[1] / 'build'))
ROLE = BUILD / 'bench/pair-role'
FRAMES, READERS = 4096, 16  # as in pair.h
SIZES = {'1080p60': (1920, 1080, 60), '4K30': (3840, 2160, 30)}
CONTESTANTS = ['queue', 'bare', 'framebus', 'shm', 'fd', 'pipewire']
WARM_UP_SECONDS = 1.0


class Side:
    """struct pair_side at an index of the shared table."""
    LENGTH = 9 + FRAMES

    def __init__(self, table, at):
        self.table, self.at = table, at

    def reset(self):
        self.table[self.at + 3] = self.table[self.at + 6] = -1

    streams = property(lambda self: self.table[self.at])
    newest = property(lambda self: self.table[self.at + 1])
    start_ns = property(lambda self: self.table[self.at + 2])
    done = property(lambda self: self.table[self.at + 6] >= 0)

    def used(self):
        """Nanoseconds of processor time and page faults, for each frame of the window."""
        first, last = (list(self.table[self.at + i:self.at + i + 3]) for i in (3, 6))
        frames = last[0] - first[0]
        return (last[1] - first[1]) / frames, (last[2] - first[2]) / frames

    def passed(self, frame):
        return self.table[self.at + 9 + frame % FRAMES]


class Shared:
    """struct pair_shared, made anew for each block."""

    def __init__(self):
        length = 8 * (2 + FRAMES + (1 + READERS) * Side.LENGTH)
        self.fd = os.memfd_create('pair')
        os.ftruncate(self.fd, length)
        self.table = memoryview(mmap.mmap(self.fd, length)).cast('q')
        self.set_window(2**62, 2**62)
        self.producer = Side(self.table, 2 + FRAMES)
        self.readers = [Side(self.table, 2 + FRAMES + (1 + i) * Side.LENGTH) for i in range(READERS)]
        for side in [self.producer, *self.readers]:
            side.reset()

    def set_window(self, first, end):
        self.table[1] = end
        self.table[0] = first

    def taken(self, frame):
        return self.table[2 + frame % FRAMES]

    def close(self):
        os.close(self.fd)


class Failed(Exception):
    pass


@contextlib.contextmanager
def pipewire(directory):
    """A daemon of our own, without a session manager: links are made by hand."""
    os.environ['XDG_RUNTIME_DIR'] = str(directory)
    daemon = subprocess.Popen(['pipewire'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        daemon.terminate()
        daemon.wait()


def link(node, reader):
    return subprocess.run(['pw-link', f'{node}:out_0', f'reader-{reader}:in_0'], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


class Block:
    """The processes of one contestant in one situation, from start to stop."""

    def __init__(self, contestant, size, readers, directory, stopped=0):
        self.contestant, self.size, self.readers = contestant, size, readers
        self.rate = SIZES[size][2]
        self.shared = Shared()
        self.sides = self.shared.readers[:readers - stopped]
        self.place = str(directory / 'bus') if contestant != 'pipewire' else 'pair-bench'
        self.processes = []
        self.pipe = os.pipe() if contestant == 'fd' else self.bell() if contestant == 'bare' else (-1, -1)

    @staticmethod
    def bell():
        event = os.eventfd(0, os.EFD_CLOEXEC)
        return event, os.dup(event)

    def start(self, role, fd):
        arguments = [self.contestant, *SIZES[self.size], self.readers, role, self.place, fd]
        # The table is to be file descriptor 3.
        script = f'exec 3<&{self.shared.fd}; exec "$0" "$@"'
        keep = [self.shared.fd] + [f for f in [fd] if f >= 0]
        self.processes.append(subprocess.Popen(['bash', '-c', script, ROLE, *map(str, arguments)], pass_fds=keep))

    def wait(self, done, seconds, what):
        limit = time.monotonic() + seconds
        while not done():
            if any(p.poll() is not None for p in self.processes):
                raise Failed(f'{self.contestant}: a process has ended')
            if time.monotonic() > limit:
                raise Failed(f'{self.contestant}: {what}')
            time.sleep(0.02)

    def begin(self):
        self.start(-1, self.pipe[1])
        if self.contestant != 'pipewire':  # which starts when it is linked
            self.wait(lambda: self.shared.producer.streams, 20, 'the producer does not start')
        if self.contestant != 'queue':
            for i in range(self.readers):
                self.start(i, self.pipe[0])
                if self.contestant == 'pipewire':
                    self.wait(lambda: link(self.place, i), 20, 'the nodes cannot be linked')
        self.wait(lambda: all(side.streams for side in self.shared.readers[:self.readers]), 30,
                  'a reader gets nothing')

    def measure(self, frames, may_stall=False):
        """The first frame of the window and the one behind its last."""
        first = self.shared.producer.newest + int(WARM_UP_SECONDS * self.rate)
        end = first + frames
        self.shared.set_window(first, end)
        try:
            self.wait(lambda: all(side.done for side in [self.shared.producer, *self.sides]),
                      WARM_UP_SECONDS + 2 * frames / self.rate + 5, 'frames are missing at the end')
        except Failed:
            if not may_stall or any(p.poll() is not None for p in self.processes):
                raise
        return first, end

    def end(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for fd in self.pipe:
            if fd >= 0:
                os.close(fd)
        self.shared.close()


LIMITS = [('latency', 'framebus', 'queue', 1.3), ('latency', 'framebus', 'shm', 0.5),
          ('CPU of both sides', 'framebus', 'queue', 1.2), ('page faults', 'framebus', None, 0)]


def measure_block(samples, case, block, frames):
    contestant, shared = block.contestant, block.shared
    first, end = block.measure(frames)
    window = range(first, end)
    producer_cpu, faults = shared.producer.used()
    reader_cpu = 0
    missed = 0
    latency = []
    for side in block.sides:
        arrived = [(f, side.passed(f)) for f in window]
        latency += [(at - shared.producer.passed(f)) / 1000 for f, at in arrived if at]
        missed += sum(1 for _, at in arrived if not at)
        if contestant != 'queue':
            cpu, more = side.used()
            reader_cpu += cpu
            faults += more
    samples.add(case, contestant, 'latency', 'us', latency)
    samples.add(case, contestant, 'time in the sink', 'us',
                [(shared.taken(f) - shared.producer.passed(f)) / 1000 for f in window[:-1]])
    samples.add(case, contestant, 'CPU of both sides', 'us/frame', [(producer_cpu + reader_cpu) / 1000])
    if contestant != 'queue':
        samples.add(case, contestant, 'CPU of the producer', 'us/frame', [producer_cpu / 1000])
        samples.add(case, contestant, 'CPU of a reader', 'us/frame', [reader_cpu / 1000 / len(block.sides)])
    samples.add(case, contestant, 'page faults', '1/frame', [faults])
    samples.add(case, contestant, 'missed frames', '1', [missed])
    if block.readers == 1:
        samples.add(case, contestant, 'first frame after PLAYING', 'ms', [side.start_ns / 1e6 for side in block.sides])


def measure_stalled(samples, size, contestant, directory, frames, stopped):
    """An honest reader and, if `stopped`, one that is stopped."""
    block = Block(contestant, size, 2, directory, stopped=1)
    name = f'{contestant}, one reader stopped' if stopped else f'{contestant}, none stopped'
    case = f'{size}, stalled neighbour'
    try:
        block.begin()
        if stopped:
            block.processes[2].send_signal(signal.SIGSTOP)
        first, end = block.measure(frames, may_stall=True)
        shared, side, period = block.shared, block.sides[0], 1e6 / block.rate
        got = [f for f in range(first, end) if side.passed(f)]
        samples.add(case, name, 'latency of the honest reader', 'us',
                    [(side.passed(f) - shared.producer.passed(f)) / 1000 for f in got])
        samples.add(case, name, 'jitter of the honest reader', 'us',
                    [abs((side.passed(b) - side.passed(a)) / 1000 - period) for a, b in zip(got, got[1:])])
        samples.add(case, name, 'time in the sink', 'us',
                    [(shared.taken(f) - shared.producer.passed(f)) / 1000 for f in range(first, end - 1) if shared.taken(f)]
                   )
        samples.add(case, name, 'frames that did not arrive', 'percent', [100 * (1 - len(got) / frames)])
    except Failed as error:
        print(f'pair.py: {case}: {error}', file=sys.stderr)
    finally:
        block.end()


def missing(contestant):
    """Why a contestant cannot take part, or None."""
    element = {'queue': 'queue', 'bare': 'fakesink', 'fd': 'rawvideoparse'}.get(contestant, contestant + 'sink')
    found = subprocess.run(['gst-inspect-1.0', element], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    if not found:
        return f'there is no element {element}'
    if contestant == 'pipewire' and not (shutil.which('pipewire') and shutil.which('pw-link')):
        return 'pipewire or pw-link is not installed'
    return None


def taking_part(wanted):
    for contestant in wanted:
        why = missing(contestant)
        if why:
            print(f'pair.py: without {contestant}: {why}', file=sys.stderr)
        else:
            yield contestant


def measure_case(samples, size, readers, contestants, directory, options):
    case = f"{size}, {readers} reader{'s' if readers > 1 else ''}"
    if options.cases not in case:
        return
    for _ in range(options.rounds):
        for contestant in contestants:
            if contestant in ('fd', 'bare', 'pipewire') and readers > 1:
                continue  # a pipe has one reader, and so has a link of PipeWire's made by hand
            block = Block(contestant, size, readers, directory)
            try:
                block.begin()
                measure_block(samples, case, block, int(options.seconds * SIZES[size][2]))
            except Failed as error:
                print(f'pair.py: {case}: {error}', file=sys.stderr)
            finally:
                block.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='a few frames, to see that it works')
    parser.add_argument('--rounds', type=int, default=3, help='turns of each contestant in each case')
    parser.add_argument('--seconds', type=float, default=3, help='of each turn, warm-up not included')
    parser.add_argument('--only', default=','.join(CONTESTANTS))
    parser.add_argument('--cases', default='', help='only cases with this in their name')
    options = parser.parse_args()
    if not ROLE.exists() or not shutil.which('gst-inspect-1.0'):
        print(f'pair.py: {ROLE} or gst-inspect-1.0 is missing', file=sys.stderr)
        return 77
    if options.quick:
        options.rounds, options.seconds, options.only = 1, 0.25, 'queue,framebus'
    samples = Result('pair', options.quick, 'queue', LIMITS)
    with tempfile.TemporaryDirectory(prefix='framebus-bench.') as directory, contextlib.ExitStack() as running:
        directory = Path(directory)
        os.environ['GST_PLUGIN_PATH'] = str(BUILD / 'gst-plugin')
        os.environ['GST_REGISTRY'] = str(directory / 'registry.bin')
        os.environ['LD_LIBRARY_PATH'] = str(BUILD / 'lib')
        os.environ['FRAMEBUS_DIR'] = str(directory)
        contestants = list(taking_part(options.only.split(',')))
        if 'pipewire' in contestants:
            running.enter_context(pipewire(directory))
        for size in list(SIZES)[:1 if options.quick else None]:
            for readers in (1,) if options.quick else (1, 4, 16):
                measure_case(samples, size, readers, contestants, directory, options)
        for _ in range(0 if options.quick or options.cases not in '1080p60, stalled neighbour' else options.rounds):
            for contestant in ('framebus', 'shm'):
                for stopped in (False, True):
                    measure_stalled(samples, '1080p60', contestant, directory, int(options.seconds * 60), stopped)
    samples.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
