# SPDX-License-Identifier: MIT
"""Readers ask for key frames, and their writer hears of it."""
import framebus

ENCODER = '''
form = framebus.Format.payload('video/x-h264', 100)
with framebus.Writer('cam0', form) as writer:
    print('ready', flush=True)
    for number in range(10**9):
        if writer.wants_key_frame():
            print('wanted', flush=True)
        with writer.frame(4) as frame:
            frame.size = 4
            frame.flags = framebus.FrameFlags.DELTA
            frame.publish()
        writer.serve(0.002)
'''


def test_requests_reach_the_writer(python, bus_dir):
    encoder = python(ENCODER)

    def wanted(times):
        encoder.until(lambda: encoder.out().count('wanted\n') >= times, 30, f'{times} wishes')
    encoder.until(lambda: 'ready\n' in encoder.out(), 30, 'the writer')
    with framebus.Reader('cam0') as reader:
        wanted(1)  # it has come
        reader.next(30)
        reader.request_key_frame()
        wanted(2)
        reader.request_key_frame()
        wanted(3)
