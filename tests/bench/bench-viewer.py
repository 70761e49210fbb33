#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""CPU time for each frame shown: framebus-view beside ximagesink and ffplay, in one run.

Usage: bench-viewer.py BUILD_DIR [FRAMES]

An Xvfb of 3840x2160 and a writer of NV12 at 30 frames a second. Each viewer in turn shows FRAMES frames (300) at
their own size and ends; its user and system time, with that of its children, is divided by FRAMES. What the X
server spends meanwhile is told apart. ffplay gets its frames through a pipe as y4m; what writes them there counts. Without a graphics
card ffplay draws by OpenGL on the processor; "no GL" is the same with SDL's own software renderer, as framebus-view
chooses it by itself there.
Three rounds, of which the median is printed. Viewers that are not installed are left out.
"""
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 3
SIZES = {'1080p': '1920x1080', '4K': '3840x2160'}


def commands(build, size, frames):
    source = f'framebussrc bus=bench num-buffers={frames}'
    quiet = '>/dev/null 2>&1 </dev/null'
    view = f'{build}/viewer/framebus-view bench --geometry {size} --frames {frames} --timeout 20'
    found = {'framebus-view': f'{view} {quiet}'}
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
    """Milliseconds of the viewer and of the X server for a frame, and the frames shown a second."""
    before, before_server, start = resource.getrusage(resource.RUSAGE_CHILDREN), spent(server), time.monotonic()
    subprocess.run(command, shell=True, check=True, timeout=300)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - start
    own = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * own / frames, 1000 * (spent(server) - before_server) / frames, frames / seconds


def measure(build, server, name, size, frames):
    writer = subprocess.Popen([f'{build}/tests/viewer/publish-picture', 'bench', '--format', 'NV12', '--size', size,
                               '--rate', '30', '--matrix', 'bt709', '--range', 'limited'], stdout=subprocess.PIPE)
    writer.stdout.readline()
    try:
        results = {}
        for _ in range(ROUNDS):
            for viewer, command in commands(build, size, frames).items():
                results.setdefault(viewer, []).append(run(command, server, frames))
    finally:
        writer.terminate()
        writer.wait()
    first = None
    for viewer, rounds in results.items():
        own, server_ms, rate = (statistics.median(values) for values in zip(*rounds))
        first = first or own + server_ms
        print(f'{name:6} {viewer:14} {own:8.2f} ms {server_ms:8.2f} ms {rate:7.1f}/s {(own + server_ms) / first:7.2f}',
              flush=True)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    frames = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    os.environ['GST_PLUGIN_PATH'] = f'{build}/gst-plugin'
    for name in ('WAYLAND_DISPLAY', 'SDL_VIDEODRIVER', 'SDL_RENDER_DRIVER', 'XDG_RUNTIME_DIR'):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix='fb-') as directory:
        os.environ['FRAMEBUS_DIR'] = directory
        os.environ['GST_REGISTRY'] = f'{directory}/registry.bin'
        reading, writing = os.pipe()
        server = subprocess.Popen(['Xvfb', '-displayfd', str(writing), '-screen', '0', '3840x2160x24', '-nolisten', 'tcp',
                                   '-noreset'], pass_fds=[writing], stderr=subprocess.DEVNULL)
        os.environ['DISPLAY'] = ':' + os.read(reading, 16).decode().strip()
        time.sleep(1)
        try:
            print(f'{"NV12":6} {"viewer":14} {"CPU/frame":>11} {"X server":>11} {"shown":>9} {"ratio":>7}')
            for name, size in SIZES.items():
                measure(build, server.pid, name, size, frames)
        finally:
            server.terminate()
            server.wait()


if __name__ == '__main__':
    main()
