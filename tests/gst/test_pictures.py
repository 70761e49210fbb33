# SPDX-License-Identifier: MIT
"""Pictures arrive as they were sent: every format, even and odd sizes, by slot and by copy."""
import pytest
from pipelines import SURE, formats, frames_of, stats_of

FRAMES = 4
SIZES = ((64, 48), (321, 241), (7, 5))


def chains(template):
    return ' '.join(template.format(number=number, width=width, height=height)
                    for number, (width, height) in enumerate(SIZES))


def source(name, extra=''):
    return (f'videotestsrc pattern=smpte num-buffers={FRAMES} '
            f'! video/x-raw,format={name},width={{width}},height={{height}},framerate=50/1 {extra}')


def without_bus(sums, name):
    process = sums(chains(source(name) + ' ! fakesink name=n{number} '))
    assert process.finish(60) == 0, process.err()
    return [(frame.sink, frame.number, frame.sum) for frame in sorted_frames(process)]


def sorted_frames(process):
    return sorted(frames_of(process), key=lambda frame: (frame.sink, frame.number))


def across_bus(launch, sums, name, extra=''):
    readers = sums(chains('framebussrc bus=b{number} delivery=lossless ! fakesink name=n{number} '))
    writers = launch(chains(f'{source(name, extra)} ! framebussink name=s{{number}} bus=b{{number}} {SURE} '))
    assert writers.finish(60) == 0, writers.report()
    assert readers.finish(60) == 0, readers.err()
    return writers, sorted_frames(readers)


@pytest.mark.parametrize('name', formats())
def test_a_format_arrives_in_place(launch, sums, name):
    writers, frames = across_bus(launch, sums, name)
    assert [(frame.sink, frame.number, frame.sum) for frame in frames] == without_bus(sums, name)
    assert all(frame.in_place for frame in frames)
    assert all(f'format=(string){name}' in frame.caps for frame in frames)
    assert stats_of(writers)['copied'] == 0
    assert stats_of(writers)['zero-copy'] == FRAMES


# tee hides the pool from upstream; the others have unlike numbers of planes and subsampling.
@pytest.mark.parametrize('name', ('BGRx', 'RGB', 'YUY2', 'NV12', 'I420', 'Y42B', 'GRAY8', 'P010_10LE', 'YV12'))
def test_a_format_arrives_when_it_has_to_be_copied(launch, sums, name):
    writers, frames = across_bus(launch, sums, name, '! tee')
    assert [(frame.sink, frame.number, frame.sum) for frame in frames] == without_bus(sums, name)
    assert stats_of(writers)['copied'] == FRAMES
    assert stats_of(writers)['zero-copy'] == 0


def test_a_picture_that_the_bus_cannot_describe_travels_as_payload(launch, sums):
    writers, frames = across_bus(launch, sums, 'v210')
    assert [(frame.sink, frame.number, frame.sum) for frame in frames] == without_bus(sums, 'v210')
    assert all('format=(string)v210' in frame.caps for frame in frames)


def test_colorimetry_and_aspect_ratio_travel(launch, sums):
    caps = 'video/x-raw,format=NV12,width=64,height=48,framerate=50/1,pixel-aspect-ratio=4/3,colorimetry=bt2020'
    reader = sums('framebussrc bus=b ! fakesink')
    writer = launch(f'videotestsrc num-buffers=3 ! {caps} ! framebussink bus=b {SURE}')
    assert writer.finish() == 0, writer.report()
    assert reader.finish() == 0, reader.err()
    frame = frames_of(reader)[0]
    assert 'colorimetry=(string)bt2020' in frame.caps
    assert 'pixel-aspect-ratio=(fraction)4/3' in frame.caps
