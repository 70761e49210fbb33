#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""CPU time for each frame shown, and the frames' age at display: framebus-view beside ximagesink and ffplay, in one run.

An Xvfb of 3840x2160 and a writer of NV12 at 30 frames a second. Each viewer in turn shows some frames at their own size and
ends; its user and system time, with that of its children, is divided by their number. What the X server spends meanwhile is
told apart. ffplay gets its frames through a pipe as y4m; what writes them there counts. Without a graphics card ffplay draws
by OpenGL on the processor; "no GL" is the same with SDL's own software renderer, as framebus-view chooses it by itself there.
The age is framebus-view's own figure: from capture until SDL has presented the frame.
Viewers that are not installed are left out.

viewer.py [--quick] [--rounds N] [--frames N]
"""
import argparse
import contextlib
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

from results import Result

BUILD = pathlib.Path(os.environ.get('FRAMEBUS_BUILD', pathlib.Path(__file__).resolve().parents[1] / 'build'))
PUBLISH = BUILD / 'tests/viewer/publish-picture'
SIZES = {'1080p': '1920x1080', '4K': '3840x2160'}


def commands(size, frames):
    source = f'framebussrc bus=bench num-buffers={frames}'
    quiet = '>/dev/null 2>&1 </dev/null'
    view = f'{BUILD}/viewer/framebus-view bench --geometry {size} --frames {frames} --timeout 20 --stats </dev/null'
    found = {'framebus-view': view}
    if shutil.which('gst-launch-1.0'):
        found['ximagesink'] = f'gst-launch-1.0 -q {source} ! videoconvert ! ximagesink {quiet}'
    if shutil.which('ffplay') and shutil.which('gst-launch-1.0'):
        pipe = f'gst-launch-1.0 -q {source} ! videoconvert ! video/x-raw,format=I420 ! y4menc ! fdsink fd=1 2>/dev/null'
        play = 'ffplay -loglevel error -autoexit -noframedrop - >/dev/null 2>&1'
        found['ffplay'] = f'{pipe} </dev/null | {play}'
        found['ffplay, no GL'] = f'{pipe} </dev/null | SDL_RENDER_DRIVER=software {play}'
    return found


def spent(pid):
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def run(command, server, frames):
    """Milliseconds of the viewer and of the X server for a frame, the frames shown a second, and what the viewer said."""
    before, before_server, start = resource.getrusage(resource.RUSAGE_CHILDREN), spent(server), time.monotonic()
    done = subprocess.run(command, shell=True, check=True, timeout=300, stderr=subprocess.PIPE, text=True)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - start
    own = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * own / frames, 1000 * (spent(server) - before_server) / frames, frames / seconds, done.stderr


def measure(result, server, name, size, options):
    writer = subprocess.Popen([PUBLISH, 'bench', '--format', 'NV12', '--size', size, '--rate', '30', '--matrix', 'bt709',
                               '--range', 'limited'], stdout=subprocess.PIPE)
    writer.stdout.readline()
    try:
        for _ in range(options.rounds):
            for viewer, command in commands(size, options.frames).items():
                own, server_ms, rate, said = run(command, server, options.frames)
                result.add(name, viewer, 'CPU of the viewer', 'ms/frame', [own])
                result.add(name, viewer, 'CPU with the X server', 'ms/frame', [own + server_ms])
                result.add(name, viewer, 'frames shown', '1/s', [rate])
                age = re.search(r'age mean ([\d.]+) ms, 99 % below ([\d.]+) ms', said)
                if age:
                    result.add(name, f'{viewer}, mean', 'age at display', 'ms', [float(age[1])])
                    result.add(name, f'{viewer}, p99', 'age at display', 'ms', [float(age[2])])
    finally:
        writer.terminate()
        writer.wait()


@contextlib.contextmanager
def x_server():
    """Yields its process id."""
    reading, writing = os.pipe()
    server = subprocess.Popen(['Xvfb', '-displayfd', str(writing), '-screen', '0', '3840x2160x24', '-nolisten', 'tcp',
                               '-noreset'], pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.environ['DISPLAY'] = ':' + os.read(reading, 16).decode().strip()
    time.sleep(1)
    try:
        yield server.pid
    finally:
        server.terminate()
        server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='a few frames, to see that it works')
    parser.add_argument('--rounds', type=int, default=3, help='turns of each viewer')
    parser.add_argument('--frames', type=int, default=300, help='in each turn')
    options = parser.parse_args()
    if not PUBLISH.exists() or not shutil.which('Xvfb'):
        print(f'viewer.py: {PUBLISH} or Xvfb is missing', file=sys.stderr)
        return 77
    if options.quick:
        options.rounds, options.frames = 1, 10
    for name in ('WAYLAND_DISPLAY', 'SDL_VIDEODRIVER', 'SDL_RENDER_DRIVER', 'XDG_RUNTIME_DIR'):
        os.environ.pop(name, None)
    result = Result('viewer', options.quick, 'framebus-view')
    with tempfile.TemporaryDirectory(prefix='framebus-bench.') as directory:
        os.environ['FRAMEBUS_DIR'] = directory
        os.environ['GST_PLUGIN_PATH'] = f'{BUILD}/gst-plugin'
        os.environ['GST_REGISTRY'] = f'{directory}/registry.bin'
        with x_server() as server:
            for name, size in list(SIZES.items())[:1 if options.quick else None]:
                measure(result, server, name, size, options)
    result.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
