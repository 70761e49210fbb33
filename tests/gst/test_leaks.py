# SPDX-License-Identifier: MIT
"""What is left of typical pipelines and of a list of devices when they have ended, by GStreamer's own tracer."""
import re

import pytest
from pipelines import SURE, frames_of, messages_of

RAW = 'video/x-raw,format=NV12,width=320,height=240,framerate=50/1'
FEW = f'videotestsrc num-buffers=30 ! {RAW}'
LEAKS = {'GST_TRACERS': 'leaks', 'GST_DEBUG': 'GST_TRACER:7'}

PAIRS = {  # a writer's part before its sink and that sink's properties, a reader's properties and its part behind the source
    'in place': (f'{FEW} !', '', '', '! queue ! fakesink'),
    'copied': (f'{FEW} ! tee !', '', '', '! videocrop left=8 ! fakesink'),
    'JPEG': (f'{FEW} ! jpegenc !', '', '', '! jpegdec ! fakesink'),
    'H.264': (f'{FEW} ! x264enc tune=zerolatency !', '', '', '! decodebin ! fakesink'),
    'sound': ('audiotestsrc num-buffers=30 !', '', '', '! audioconvert ! fakesink'),
    'formats': (f'{FEW} ! c. videotestsrc num-buffers=30 ! video/x-raw,format=v210,framerate=50/1 ! c. concat name=c !', '', '',
                '! videoconvert ! fakesink'),
    'lossless': (f'{FEW} !', SURE, 'delivery=lossless', '! fakesink'),
    'newest': (f'{FEW} !', 'history=1', 'delivery=latest', '! identity sleep-time=50000 ! fakesink'),
    'held': (f'{FEW} !', '', 'hold=2', '! queue min-threshold-buffers=12 ! fakesink'),
    'POSIX memory': (f'{FEW} !', 'memory=posix', 'keep-last=true num-buffers=60', '! compositor ! fakesink'),
}


def check(process):
    """Nothing is alive, neither of ours nor of GStreamer's; and the tracer did look."""
    assert process.finish(40) == 0, process.report()
    assert re.findall(r'object-alive, type-name=\(string\)\w.*', process.err()) == []
    assert 'object-alive' in process.err()


@pytest.mark.parametrize('name', PAIRS)
def test_nothing_is_left_of_a_pair(launch, name):
    before, sink, source, behind = PAIRS[name]
    if 'wait-for-connection' not in sink:
        sink += ' wait-for-connection=true'
    reader = launch(f'framebussrc bus=b {source} {behind}', env=LEAKS)
    check(launch(f'{before} framebussink bus=b {sink}', env=LEAKS))
    check(reader)


def test_nothing_is_left_of_a_reader_whose_writers_die(launch, sums):
    reader = sums('framebussrc bus=b ! fakesink', env=LEAKS)
    for run in range(3):
        before = len(frames_of(reader))
        writer = launch(f'videotestsrc ! {RAW} ! framebussink bus=b')
        reader.until(lambda: len(frames_of(reader)) > before + 3, what='frames')
        writer.kill()
    writer = launch(f'{FEW} ! framebussink bus=b', env=LEAKS)
    check(writer)
    check(reader)


def test_nothing_is_left_of_readers_that_find_nobody(launch):
    check(launch('framebussrc bus=nobody timeout=100000000 on-timeout=eos ! fakesink', env=LEAKS))


def test_nothing_is_left_of_a_writer_whose_readers_come_and_go(launch, sums):
    writer = launch(f'videotestsrc num-buffers=300 ! {RAW} ! framebussink bus=b', env=LEAKS)
    for run in range(3):
        reader = launch('framebussrc bus=b num-buffers=3 ! fakesink', env=LEAKS)
        check(reader)
    check(writer)
    assert len(messages_of(writer, 'framebus-reader-added')) == 3


def test_nothing_is_left_of_a_list_of_devices(launch, spawn, build_dir):
    """One that is there when nobody wants to know any more, and one that has gone before."""
    writers = [launch(f'videotestsrc ! {RAW} ! framebussink bus={bus}') for bus in 'bc']
    watcher = spawn(build_dir / 'tests' / 'gst' / 'watch-devices', env=LEAKS)
    for bus in 'bc':
        watcher.until(lambda: re.search(rf'^found {bus} .*: usable', watcher.out(), re.MULTILINE), what=f'bus {bus}')
    assert writers[0].stop() == 0
    check(watcher)
    assert writers[1].stop() == 0
