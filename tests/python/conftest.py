# SPDX-License-Identifier: MIT
import contextlib
import os
import pathlib
import sys
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get('FRAMEBUS_BUILD', ROOT / 'build')).resolve()

# For this process and for everything that it starts.
os.environ['FRAMEBUS_LIBRARY'] = str(BUILD / 'lib' / 'libframebus.so.0')
os.environ['FRAMEBUS_PIXELS'] = str(BUILD / 'pixels' / 'framebus-pixels.so.0')
os.environ['PYTHONPATH'] = str(ROOT / 'python')
os.environ['PYTHONDONTWRITEBYTECODE'] = '1'
os.environ['PYTHONUNBUFFERED'] = '1'
sys.path.insert(0, os.environ['PYTHONPATH'])


@pytest.fixture
def peer(spawn, build_dir):
    """Starts the C side: peer('write', 'cam0', 'BGR', 64, 48)."""
    return lambda *arguments: spawn(build_dir / 'tests' / 'python' / 'python-peer', *arguments)


@pytest.fixture
def writer(peer):
    """Starts a C writer: writer('cam0', 'NV12'). Byte and metadata of frame n are n."""
    return lambda name, form='BGR', width=64, height=48: peer('write', name, form, width, height)


@pytest.fixture
def python(spawn, tmp_path):
    """Starts a Python program of its own."""
    def start(code, *arguments, modules='framebus, numpy, os, signal, sys, time', **more):
        path = tmp_path / f'program-{len(list(tmp_path.iterdir()))}.py'
        path.write_text(f'import {modules}\n{code}')
        return spawn(sys.executable, path, *arguments, **more)
    return start


@pytest.fixture
def served():
    """Lets a thread serve the readers of a writer of this process: served(writer)."""
    stops = []

    def serve(writer):
        stop = threading.Event()

        def run():
            with contextlib.suppress(ValueError):  # it is closed
                while not stop.is_set():
                    writer.serve(0.01)
        thread = threading.Thread(target=run)
        thread.start()
        stops.append((stop, thread))
        return writer
    yield serve
    for stop, thread in stops:
        stop.set()
        thread.join()
