# SPDX-License-Identifier: MIT
"""Where frames are copied, and where not."""
import pytest
from pipelines import SURE, frames_of, stats_of

RAW = 'video/x-raw,width=320,height=240,framerate=50/1'
SOURCE = f'videotestsrc num-buffers=30 ! {RAW},format=I420'

IN_PLACE = {
    'videotestsrc': SOURCE,
    'videoconvert': f'videotestsrc num-buffers=30 ! {RAW},format=AYUV ! videoconvert ! video/x-raw,format=NV12',
    'videoscale': f'{SOURCE} ! videoscale ! video/x-raw,width=160,height=120',
    'videoflip': f'{SOURCE} ! videoflip method=clockwise',
    'compositor': f'{SOURCE} ! compositor',
    'vp8dec': f'{SOURCE} ! vp8enc deadline=1 ! vp8dec',
    'jpegdec': f'{SOURCE} ! jpegenc ! jpegdec',
    'openh264dec': f'{SOURCE} ! openh264enc ! openh264dec',
    'avdec_h264': f'{SOURCE} ! x264enc tune=zerolatency threads=1 ! avdec_h264',
    'queue': f'{SOURCE} ! queue max-size-buffers=4',
    'audiotestsrc': 'audiotestsrc num-buffers=30',
}

COPIED = {
    'tee': f'{SOURCE} ! tee',
    'videorate': f'{SOURCE} ! videorate ! video/x-raw,framerate=100/1',
    'rawvideoparse': f'{SOURCE} ! identity drop-allocation=true ! rawvideoparse format=i420 width=320 height=240',
    'x264enc': f'{SOURCE} ! x264enc tune=zerolatency',
    'jpegenc': f'{SOURCE} ! jpegenc',
}


@pytest.mark.parametrize('description', IN_PLACE.values(), ids=IN_PLACE)
def test_upstream_writes_into_the_bus(launch, description):
    process = launch(f'{description} ! framebussink bus=b sync=false')
    assert process.finish(60) == 0, process.report()
    stats = stats_of(process)
    assert stats['published'] >= 29
    assert (stats['zero-copy'], stats['copied']) == (stats['published'], 0)


@pytest.mark.parametrize('description', COPIED.values(), ids=COPIED)
def test_foreign_memory_is_copied(launch, description):
    process = launch(f'{description} ! framebussink bus=b sync=false')
    assert process.finish(60) == 0, process.report()
    stats = stats_of(process)
    assert stats['published'] >= 29
    assert (stats['zero-copy'], stats['copied']) == (0, stats['published'])


def test_an_upstream_that_hoards_slots_goes_on_in_ordinary_memory(launch):
    process = launch(f'videotestsrc num-buffers=60 ! {RAW},format=NV12 ! queue min-threshold-buffers=59 '
                     'max-size-buffers=0 max-size-bytes=0 max-size-time=0 ! framebussink bus=b sync=false')
    assert process.finish(30) == 0, process.report()
    stats = stats_of(process)
    assert stats['published'] == 60
    assert stats['zero-copy'] > 4
    assert stats['copied'] > 4


def test_a_queue_behind_the_source_stalls_nothing(launch):
    """What exceeds the quota is copied, and every frame arrives."""
    reader = launch('framebussrc bus=b delivery=lossless hold=4 ! queue min-threshold-buffers=30 max-size-buffers=0 '
                    'max-size-bytes=0 max-size-time=0 ! fakesink sync=false')
    writer = launch(f'videotestsrc num-buffers=90 ! {RAW},format=NV12 ! framebussink bus=b {SURE}')
    assert writer.finish(30) == 0, writer.report()
    assert reader.finish(30) == 0, reader.report()
    stats = stats_of(reader, 'framebussrc')
    assert stats['delivered'] == 90
    assert stats['missed'] == 0
    assert stats['copied'] >= 20


def test_the_source_copies_nothing_for_a_common_pipeline(launch):
    reader = launch('framebussrc bus=b delivery=lossless ! videoconvert ! video/x-raw,format=BGRx ! fakesink')
    writer = launch(f'videotestsrc num-buffers=60 ! {RAW},format=NV12 ! framebussink bus=b {SURE}')
    assert writer.finish(30) == 0, writer.report()
    assert reader.finish(30) == 0, reader.report()
    stats = stats_of(reader, 'framebussrc')
    assert (stats['delivered'], stats['missed'], stats['copied']) == (60, 0, 0)


def test_who_writes_in_place_gets_a_copy(launch, sums):
    """... and the reader beside it sees nothing of that."""
    painter = sums('--draw framebussrc bus=b delivery=lossless ! fakesink')
    watcher = sums('framebussrc bus=b delivery=lossless ! fakesink')
    writer = launch(f'videotestsrc num-buffers=20 pattern=red ! {RAW},format=NV12 '
                    f'! framebussink bus=b {SURE}')
    assert writer.finish(30) == 0, writer.report()
    assert painter.finish(30) == 0, painter.err()
    assert watcher.finish(30) == 0, watcher.err()
    assert len({frame.sum for frame in frames_of(painter) + frames_of(watcher)}) == 1
    assert all(frame.in_place for frame in frames_of(painter))


def test_an_element_that_draws_in_place_behind_the_source(launch, sums):
    reader = sums('framebussrc bus=b delivery=lossless ! timeoverlay ! fakesink')
    writer = launch(f'videotestsrc num-buffers=20 ! {RAW},format=NV12 ! framebussink bus=b {SURE}')
    assert writer.finish(30) == 0, writer.report()
    assert reader.finish(30) == 0, reader.err()
    assert len(frames_of(reader)) == 20


def test_a_layout_of_upstreams_own_reaches_every_reader(launch, sums):
    """The decoder pads the picture (avdec_h264 until 1.28). An element that knows GstVideoMeta gets it in place, any other
    a copy without padding."""
    plain = sums('framebussrc bus=b delivery=lossless ! fakesink')
    converting = launch('framebussrc bus=b delivery=lossless ! videoconvert ! video/x-raw,format=RGB ! fakesink')
    encoded = 'videotestsrc num-buffers=20 ! video/x-raw,format=I420,width=330,height=250,framerate=50/1 ' \
              '! avenc_ffv1 ! avdec_ffv1'
    writer = launch(f'{encoded} ! framebussink bus=b {SURE}')
    alone = sums(f'{encoded} ! fakesink')
    for process in (writer, plain, converting, alone):
        assert process.finish(30) == 0, process.report()
    assert stats_of(writer)['copied'] == 0
    seen = [frame.sum for frame in frames_of(plain)]  # without the first ones, if the other reader was quicker
    assert seen and seen == [frame.sum for frame in frames_of(alone)][-len(seen):]
    assert not any(frame.in_place for frame in frames_of(plain))
    assert stats_of(converting, 'framebussrc')['copied'] == 0
