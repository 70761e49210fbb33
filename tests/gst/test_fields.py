# SPDX-License-Identifier: MIT
"""Interlaced and stereo streams, and what DRM has no name for, arrive in another process as they were sent."""
import pytest
from pipelines import SURE, frames_of

# What says of a buffer which fields and which views it has: interlaced, top first, repeat first, one field;
# several views, first in bundle.
INTERLACED = 0x100000
FLAGS = INTERLACED | 0x200000 | 0x400000 | 0x800000 | 0x1000000 | 0x2000000
SOURCE = 'videotestsrc num-buffers={count} ! video/x-raw,format={format},width=64,height=48,framerate={rate}'

# The stream, and how many kinds of buffers it has at least.
STREAMS = {
    'telecine': (SOURCE.format(count=20, format='I420', rate='24000/1001') + ' ! interlace field-pattern=2:3', 2),
    'interleaved': (SOURCE.format(count=8, format='YUY2', rate='50/1') + ' ! interlace field-pattern=1:1', 1),
    'alternate': (SOURCE.format(count=8, format='NV12', rate='50/1') +
                  ' ! interlace field-pattern=1:1 ! video/x-raw(format:Interlaced),interlace-mode=alternate', 2),
    'side-by-side': (SOURCE.format(count=4, format='NV12', rate='50/1') +
                     ' ! capssetter caps=video/x-raw,multiview-mode=side-by-side,views=2', 1),
    'bayer': ('videotestsrc num-buffers=4 ! video/x-raw,format=ARGB,width=64,height=48 ! rgb2bayer '
              '! video/x-bayer,format=grbg', 1),
    'GBR': (SOURCE.format(count=4, format='GBR', rate='50/1'), 1),
    'A420': (SOURCE.format(count=4, format='A420', rate='50/1'), 1),
    'tiles': (SOURCE.format(count=4, format='NV12', rate='50/1') + ' ! videoconvert ! video/x-raw,format=NV12_4L4', 1),
}


def told_by(frame):
    """Elements leave out the flag that caps imply; the bus does not."""
    return frame.flags & FLAGS | (INTERLACED if 'interlace-mode=(string)interleaved' in frame.caps else 0)


@pytest.mark.parametrize('stream', STREAMS)
def test_a_stream_arrives_whole(launch, sums, stream):
    pipeline, kinds = STREAMS[stream]
    alone = sums(f'{pipeline} ! fakesink')
    reader = sums('framebussrc bus=b delivery=lossless ! fakesink')
    writer = launch(f'{pipeline} ! framebussink bus=b {SURE}')
    for process in (writer, reader, alone):
        assert process.finish(30) == 0, process.report()
    frames, expected = frames_of(reader), frames_of(alone)
    assert len(expected) >= 4
    assert [(frame.sum, told_by(frame)) for frame in frames] == [(frame.sum, told_by(frame)) for frame in expected]
    assert sorted(frames[0].caps.split(', ')) == sorted(expected[0].caps.split(', '))
    assert len({frame.flags & FLAGS for frame in expected}) >= kinds
