# SPDX-License-Identifier: MIT
"""A call that a signal interrupts lets Python's handlers run, and goes on."""
import errno
import signal
import sys

import framebus
import pytest
from framebus import _library


@pytest.fixture
def interrupted(spawn, build_dir, bus_dir, tmp_path):
    """Starts a program whose library returns -EINTR from the first call of each function, after a signal: SIGUSR1, or
    another one."""
    library = build_dir / 'tests' / 'python' / 'libinterrupted.so'

    def start(code, number=signal.SIGUSR1):
        path = tmp_path / 'program.py'
        path.write_text('import framebus, signal, sys\nseen = []\n'
                        'signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))\n' + code)
        return spawn(sys.executable, path, env={'FRAMEBUS_LIBRARY': str(library), 'INTERRUPT_BY': str(int(number))})
    return start


BOTH = '''
import contextlib, threading
def serve():
    with contextlib.suppress(ValueError):  # it is closed
        writer.serve()
writer = framebus.Writer('cam0', framebus.Format('GRAY8', 8, 8))
server = threading.Thread(target=serve)
server.start()
reader = framebus.Reader('cam0')
writer.set_format(framebus.Format('GRAY8', 9, 9))
with writer.frame() as frame:
    frame.array[:] = 5
print(reader.next(10).array[0, 0], len(framebus.list()), framebus.query('cam0').name, len(seen), flush=True)
writer.close()
server.join()
'''


def test_calls_go_on_after_handlers(interrupted):
    process = interrupted(BOTH)
    assert process.finish(60) == 0, process.err()
    value, buses, name, seen = process.out().split()
    assert (value, buses, name) == ('5', '1', 'cam0')
    assert int(seen) >= 6


def test_ctrl_c_comes_out(interrupted):
    process = interrupted('''
try:
    framebus.list()
except KeyboardInterrupt:
    print('interrupted')
''', signal.SIGINT)
    assert process.finish(60) == 0, process.err()
    assert process.out().split() == ['interrupted']


def test_no_call_is_left_out(bus_dir):
    calls = [name for name, (result, _) in _library.FUNCTIONS.items() if result is _library.c_int]
    assert len(calls) > 15
    for name in calls + [name for name in _library.BRIEF if _library.FUNCTIONS[_library.BRIEF[name]][0] is _library.c_int]:
        assert getattr(_library.lib, name).__qualname__.startswith('again.'), name
    results = iter([-errno.EINTR, -errno.EINTR, 7])
    assert _library.again(lambda: next(results))() == 7


def test_ctrl_c_ends_the_waits(python, bus_dir):
    for wait in ("print('here'); framebus.Reader('cam0', wait=None)",
                 "print('here'); framebus.Reader('cam0', follow=True).next()",
                 "print('here'); framebus.snap('cam0', wait=None)",
                 "with framebus.Writer('cam0') as writer:\n    print('here')\n    writer.serve()"):
        process = python(wait)
        process.until(lambda: 'here' in process.out(), 30)
        process.stop(signal.SIGINT)
        assert 'KeyboardInterrupt' in process.err()
    assert framebus.list() == []
