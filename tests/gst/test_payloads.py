# SPDX-License-Identifier: MIT
"""Buffers that are not raw pictures travel too, with their caps."""
import pytest
from pipelines import SURE, frames_of, stats_of

RAW = 'video/x-raw,format=I420,width=320,height=240,framerate=50/1'
DELTA_UNIT = 0x2000

# What makes the stream, and whether it has to be made beforehand: an encoder would hear of the reader's wish
# for a key frame, and not do the same twice.
STREAMS = {
    'image/jpeg': (f'videotestsrc num-buffers=20 ! {RAW} ! jpegenc', False),
    'video/x-h264': (f'videotestsrc num-buffers=20 ! {RAW} ! x264enc', True),
    'video/x-h265': (f'videotestsrc num-buffers=20 ! {RAW} ! x265enc ! h265parse', True),
    'video/x-vp8': (f'videotestsrc num-buffers=20 ! {RAW} ! vp8enc deadline=1', True),
    'audio/x-raw': ('audiotestsrc num-buffers=20 ! audio/x-raw,format=S16LE,rate=48000,channels=2', False),
    'application/x-rtp': (f'videotestsrc num-buffers=10 ! {RAW} ! jpegenc '
                          '! rtpjpegpay seqnum-offset=1 timestamp-offset=1 ssrc=1', False),
}


@pytest.mark.parametrize('media', STREAMS)
def test_payloads_arrive_unchanged(launch, sums, tmp_path, media):
    source, beforehand = STREAMS[media]
    if beforehand:
        maker = launch(f'{source} ! matroskamux ! filesink location={tmp_path}/stream.mkv')
        assert maker.finish(30) == 0, maker.report()
        source = f'filesrc location={tmp_path}/stream.mkv ! matroskademux'
    reader = sums('framebussrc bus=b delivery=lossless ! fakesink')
    alone = sums(f'{source} ! fakesink')
    writer = launch(f'{source} ! framebussink bus=b {SURE}')
    for process in (writer, reader, alone):
        assert process.finish(30) == 0, process.report()
    frames, expected = frames_of(reader), frames_of(alone)
    assert len(frames) >= 20
    assert [frame.sum for frame in frames] == [frame.sum for frame in expected]
    assert [frame.flags & DELTA_UNIT for frame in frames] == [frame.flags & DELTA_UNIT for frame in expected]
    assert frames[0].caps.startswith(media)
    assert frames[0].in_place


def test_payloads_grow(launch, sums):
    """The first ones are tiny, then they are larger than any guess."""
    streams = [f'videotestsrc pattern={pattern} num-buffers=5 ! video/x-raw,format=I420,width=1280,height=720,'
               'framerate=50/1 ! jpegenc quality=100 ! c.' for pattern in ('black', 'snow', 'black')]
    reader = sums('framebussrc bus=b delivery=lossless ! fakesink')
    writer = launch(f'concat name=c ! framebussink bus=b {SURE} {" ".join(streams)}')
    assert writer.finish(30) == 0, writer.report()
    assert reader.finish(30) == 0, reader.err()
    assert len(frames_of(reader)) == 15
    assert len({frame.caps for frame in frames_of(reader)}) == 1


def test_who_joins_an_encoded_stream_late_begins_with_a_key_frame(launch, sums):
    """The encoder makes none of its own accord: the sink has to ask for it."""
    writer = launch(f'videotestsrc ! {RAW} ! x264enc tune=zerolatency key-int-max=100000 ! video/x-h264,stream-format=byte-stream '
                    '! framebussink bus=b')
    first = sums('framebussrc bus=b ! fakesink')
    first.until(lambda: len(frames_of(first)) > 20, what='20 frames')
    for _ in range(3):
        late = sums('framebussrc bus=b num-buffers=20 ! fakesink')
        assert late.finish(20) == 0, late.err()
        assert not frames_of(late)[0].flags & DELTA_UNIT
        assert all(frame.flags & DELTA_UNIT for frame in frames_of(late)[1:5])
    assert writer.stop() == 0, writer.report()


def test_a_late_decoder_shows_whole_pictures(launch, sums):
    writer = launch(f'videotestsrc pattern=red ! {RAW} ! x264enc tune=zerolatency key-int-max=100000 ! framebussink bus=b')
    first = sums('framebussrc bus=b ! fakesink')
    first.until(lambda: len(frames_of(first)) > 20, what='20 frames')
    late = sums('framebussrc bus=b num-buffers=20 ! h264parse ! avdec_h264 output-corrupt=false ! fakesink')
    assert late.finish(20) == 0, late.err()
    assert len(frames_of(late)) >= 15
    assert writer.stop() == 0, writer.report()


def test_reordered_pictures_keep_their_order(launch, sums):
    """B frames: decoding order on the bus, presentation order after decoding."""
    writer = launch(f'videotestsrc num-buffers=60 ! {RAW} ! x264enc bframes=2 b-adapt=false ! framebussink bus=b {SURE}')
    reader = sums('framebussrc bus=b delivery=lossless ! tee name=t ! queue ! fakesink name=encoded '
                  't. ! queue ! h264parse ! avdec_h264 ! fakesink name=decoded')
    assert writer.finish(30) == 0, writer.report()
    assert reader.finish(30) == 0, reader.err()
    encoded = [frame.pts for frame in frames_of(reader, 'encoded')]
    decoded = [frame.pts for frame in frames_of(reader, 'decoded')]
    assert encoded != sorted(encoded)
    assert decoded == sorted(decoded)
    assert len(decoded) == 60
