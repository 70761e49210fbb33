# SPDX-License-Identifier: MIT
"""Timestamps survive the way from one pipeline's clock to another's."""
import needs
import pytest
from pipelines import SURE, frames_of

RAW = 'video/x-raw,format=NV12,width=320,height=240,framerate=50/1'
MS = 1000000
FRAME = 20 * MS


def consecutive(frames):
    return [(a, b) for a, b in zip(frames, frames[1:]) if b.offset == a.offset + 1]


def test_distances_between_frames_are_kept(launch, sums):
    writer = launch(f'videotestsrc is-live=true ! {RAW} ! framebussink bus=b')
    reader = sums('framebussrc bus=b num-buffers=60 ! fakesink')
    assert reader.finish(20) == 0, reader.err()
    assert writer.stop() == 0
    pairs = consecutive(frames_of(reader)[3:])
    assert len(pairs) > 20
    assert all(b.pts - a.pts == FRAME for a, b in pairs)
    assert all(a.duration == FRAME for a, _ in pairs)


@pytest.mark.parametrize('clock', ('realtime', 'tai'))
def test_another_clock_only_shifts_the_timestamps(launch, sums, clock):
    needs.elements('clockselect')
    writer = launch(f'videotestsrc is-live=true ! {RAW} ! framebussink bus=b')
    reader = sums(f'clockselect. ( clock-id={clock} framebussrc bus=b num-buffers=60 ! fakesink )')
    assert reader.finish(20) == 0, reader.err()
    assert writer.stop() == 0
    frames = frames_of(reader)[3:]
    passed = (frames[-1].offset - frames[0].offset) * FRAME
    assert abs(frames[-1].pts - frames[0].pts - passed) < 100 * MS


def test_a_live_source_is_not_made_to_wait(launch, sums):
    """Another sink of the pipeline has two seconds of latency, in which our frames would grow old."""
    writer = launch(f'videotestsrc is-live=true ! {RAW} ! framebussink bus=b '
                    'videotestsrc is-live=true ! queue max-size-time=4000000000 max-size-bytes=0 max-size-buffers=0 '
                    '! fakesink sync=true render-delay=2000000000')
    reader = sums('framebussrc bus=b num-buffers=100 ! fakesink')
    assert reader.finish(20) == 0, reader.err()
    writer.stop()
    ages = sorted(frame.age for frame in frames_of(reader))
    assert ages[0] > 0
    assert ages[len(ages) // 2] < 500 * MS


def test_a_file_is_played_at_its_pace(launch, sums):
    """50 frames of 20 ms take a second, unless nobody looks at the clock.

    A frame that a busy machine makes too late is of now, so a few may be off.
    """
    writer = launch(f'videotestsrc num-buffers=50 ! {RAW} ! framebussink bus=b')
    reader = sums('framebussrc bus=b ! fakesink')
    assert writer.finish() == 0, writer.report()
    assert reader.finish() == 0, reader.err()
    pairs = consecutive(frames_of(reader)[3:])
    assert sum(b.pts - a.pts == FRAME for a, b in pairs) > len(pairs) / 2


def test_a_file_beside_a_live_source_keeps_its_pace(launch, sums):
    """Another sink makes everything wait for 200 ms: no frame is late for that."""
    writer = launch(f'videotestsrc num-buffers=60 ! {RAW} ! framebussink bus=b '
                    'videotestsrc is-live=true ! queue max-size-time=4000000000 max-size-bytes=0 max-size-buffers=0 '
                    '! fakesink sync=true render-delay=200000000')
    reader = sums('framebussrc bus=b num-buffers=50 ! fakesink')
    assert reader.finish(20) == 0, reader.err()
    writer.stop()
    frames = frames_of(reader)[3:]
    pairs = consecutive(frames)
    assert sum(b.pts - a.pts == FRAME for a, b in pairs) > len(pairs) / 2
    ages = sorted(frame.age for frame in frames)
    assert ages[len(ages) // 2] < 150 * MS


@pytest.mark.parametrize('paced', ('sync=true', 'sync=false'))
def test_pictures_of_a_file_keep_their_order(launch, sums, tmp_path, paced):
    """Matroska has the time at which a picture is shown, not that at which it is decoded."""
    maker = launch(f'videotestsrc num-buffers=60 ! {RAW} ! x264enc bframes=2 b-adapt=false ! h264parse ! matroskamux '
                   f'! filesink location={tmp_path}/b.mkv')
    assert maker.finish(30) == 0, maker.report()
    source = f'filesrc location={tmp_path}/b.mkv ! matroskademux'
    alone = sums(f'{source} ! fakesink')
    reader = sums('framebussrc bus=b delivery=lossless ! fakesink')
    writer = launch(f'{source} ! framebussink bus=b {paced} {SURE}')
    for process in (alone, writer, reader):
        assert process.finish(30) == 0, process.report()
    expected, frames = frames_of(alone), frames_of(reader)
    assert len(frames) == len(expected) == 60
    assert any(b.pts < a.pts for a, b in zip(expected, expected[1:]))
    for frame, same in list(zip(frames, expected))[30:]:  # the first ones may be older than the reader's pipeline
        assert frame.pts - frames[-1].pts == same.pts - expected[-1].pts


def test_frames_from_before_the_pipeline_began_are_of_now(launch, sums):
    launch('videotestsrc ! video/x-raw,format=NV12,width=64,height=48,framerate=1/1000 ! framebussink bus=b')
    sums('framebussrc bus=b num-buffers=1 ! fakesink').finish()
    reader = sums('framebussrc bus=b num-buffers=1 ! fakesink')
    assert reader.finish() == 0, reader.err()
    [frame] = frames_of(reader)
    assert 0 <= frame.pts < 10000 * MS
    assert frame.age > frame.pts


def test_capture_time_survives_a_relay(launch, sums):
    writer = launch(f'videotestsrc is-live=true ! {RAW} ! framebussink bus=a')
    relay = launch('framebussrc bus=a ! videoconvert ! video/x-raw,format=RGB ! framebussink bus=b')
    direct = sums('framebussrc bus=a num-buffers=40 ! fakesink')
    late = sums('framebussrc bus=b num-buffers=40 ! fakesink')
    assert direct.finish(20) == 0, direct.err()
    assert late.finish(20) == 0, late.err()
    assert all(frame.age > 0 for frame in frames_of(late))
    assert relay.stop() == 0, relay.report()
    assert writer.stop() == 0, writer.report()


def test_latency_is_told(launch):
    """A pipeline that takes a while until it publishes: the reader says so, and a syncing sink drops nothing."""
    writer = launch(f'videotestsrc is-live=true ! {RAW} ! identity sleep-time=10000 ! framebussink bus=b')
    reader = launch('framebussrc bus=b num-buffers=100 ! fakesink sync=true')
    assert reader.finish(20) == 0, reader.report()
    assert 'Redistribute latency' in reader.out()
    assert writer.stop() == 0


def test_arrival_times_if_asked_for(launch, sums):
    writer = launch(f'videotestsrc is-live=true ! {RAW} ! framebussink bus=b')
    reader = sums('framebussrc bus=b num-buffers=20 do-timestamp=true ! fakesink')
    assert reader.finish() == 0, reader.err()
    frames = frames_of(reader)
    assert all(a.pts <= b.pts for a, b in zip(frames, frames[1:]))
    assert writer.stop() == 0
