# SPDX-License-Identifier: MIT
"""A bus on another host, as docs/using/recipes.md has it: two network namespaces with the addresses of the page between them.

Both hosts have the same CLOCK_MONOTONIC here, so a frame's moment of capture must be the same number on both.
"""
import contextlib
import statistics
import sys
import threading
import time

import camera
import documents
import framebus
import hosts
import needs
import pytest

PAGE = 'docs/using/recipes.md'
CLOSE = 1e6  # ns: capture times are kept to this
WINDOW = 90  # frames: three seconds


@pytest.fixture
def pair(spawn, bus_dir):
    """The host with the camera, and the other one; each has a runtime directory of its own."""
    needs.programs('gst-launch-1.0')
    both = hosts.connect(spawn, '192.0.2.1', '192.0.2.2')
    for host, name in zip(both, ('near', 'far')):
        host.directory = bus_dir / name
        host.directory.mkdir(mode=0o700)
    yield both
    for host in both:
        for entry in host.directory.iterdir():
            entry.unlink()
        host.directory.rmdir()


class Eye(threading.Thread):
    """Looks at a bus: moment of capture by the number in the picture."""

    def __init__(self, host):
        super().__init__()
        self.path, self.captured, self.done = str(host.directory / 'cam0'), {}, threading.Event()

    def run(self):
        # Who ends too early the test sees by itself.
        with contextlib.suppress(BrokenPipeError), framebus.Reader(self.path, wait=60) as reader:
            for frame in reader:
                self.captured[camera.number_in(frame)] = frame.capture_ns
                if self.done.is_set():
                    break


@pytest.fixture
def eyes(pair):
    both = [Eye(host) for host in pair]
    yield both
    for eye in both:
        eye.done.set()
    for eye in both:
        if eye.ident:
            eye.join(70)


def errors(eyes):
    """By how much the mirror's capture times are wrong, frame by frame, in ns."""
    near, far = (dict(eye.captured) for eye in eyes)
    return [far[number] - near[number] for number in sorted(near.keys() & far.keys())]


@pytest.mark.parametrize('protocol', [pytest.param(name, marks=documents.runs(PAGE, documents.commands(PAGE, name)))
                                      for name in ('RTP', 'SRT')])
def test_a_mirror_keeps_the_moments_of_capture(pair, eyes, spawn, wait_for, capsys, protocol):
    needs.elements('rtpbin', 'rtphdrextntp64', 'x264enc', 'avdec_h264', 'udpsrc', 'srtsrc')
    near, _ = pair
    spawn(sys.executable, camera.__file__, env={'FRAMEBUS_DIR': str(near.directory)})
    started = time.monotonic()
    ends = [spawn(*host.inside, 'bash', '-c', f'exec {command}', env={'FRAMEBUS_DIR': str(host.directory)})
            for host, command in zip(pair, documents.commands(PAGE, protocol))]
    for eye in eyes:
        eye.start()

    def settled():
        """Half a second of frames in a row is right, so the first report has come."""
        assert all(end.running() for end in ends), [end.report() for end in ends]
        last = errors(eyes)[-15:]
        return len(last) == 15 and all(abs(error) < CLOSE for error in last)
    wait_for(settled, 60, 'right capture times')
    begin, after = len(errors(eyes)), time.monotonic() - started
    wait_for(lambda: len(errors(eyes)) >= begin + WINDOW, 60, 'more frames')
    found = errors(eyes)[begin:]
    wrong = sorted(abs(error) for error in found)
    steps = sorted(abs(b - a) for a, b in zip(found, found[1:]))
    with capsys.disabled():
        print(f'\n# figure: {protocol} mirror: capture times right after {after:.1f} s; then wrong by '
              f'{statistics.median(wrong) / 1e3:.1f} us (90 %: {wrong[len(wrong) * 9 // 10] / 1e3:.1f}), distances by '
              f'{statistics.median(steps) / 1e3:.1f} us (90 %: {steps[len(steps) * 9 // 10] / 1e3:.1f})')
    assert wrong[len(wrong) * 9 // 10] < CLOSE
    assert steps[len(steps) * 9 // 10] < CLOSE
    for end in ends:
        assert end.stop(limit=30) == 0, end.report()
