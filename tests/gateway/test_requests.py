# SPDX-License-Identifier: MIT
"""What is encoded already has no encoder here that could be asked for a key frame: the bus's writer has one."""
from conftest import SECONDS


def key_frames(path):
    """One slice each. Parameter sets come oftener."""
    return path.read_bytes().count(b'\0\0\1\x65') if path.exists() else 0


def test_the_writer_is_asked_for_a_key_frame_for_who_comes_later(gateway, launch, framebus, tmp_path):
    writer = launch('videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 '
                    '! x264enc tune=zerolatency key-int-max=100000 sliced-threads=false ! video/x-h264,stream-format=byte-stream ! framebussink bus=cam0')
    writer.until(lambda: b'video/x-h264' in framebus('info', 'cam0').stdout, SECONDS)
    client = f'rtspsrc location={gateway().url("cam0")} protocols=tcp latency=0 ! rtph264depay'
    first = launch(f'{client} ! h264parse ! video/x-h264,stream-format=byte-stream '
                   f'! filesink buffer-mode=unbuffered location={tmp_path}/first')
    first.until(lambda: key_frames(tmp_path / 'first') > 0, SECONDS, 'a key frame')
    for _ in range(2):
        before = key_frames(tmp_path / 'first')
        assert launch(f'{client} ! avdec_h264 ! fakesink num-buffers=1').finish(SECONDS) == 0
        first.until(lambda: key_frames(tmp_path / 'first') > before, SECONDS, 'a key frame for who came')
