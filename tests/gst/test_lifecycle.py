# SPDX-License-Identifier: MIT
"""Pipelines come, go, die and stand still; the others go on."""
import pathlib
import shutil
import signal
import time

import pytest
from pipelines import SURE, frames_of, messages_of, stats_of

RAW = 'video/x-raw,format=NV12,width=320,height=240,framerate=50/1'
ENDLESS = f'videotestsrc ! {RAW} ! framebussink bus=b'


def got(process, number, since=0):
    return lambda: len(frames_of(process)) >= since + number


@pytest.mark.parametrize('first', ('reader', 'writer'))
def test_either_may_come_first(launch, sums, first):
    starts = {'reader': lambda: sums('framebussrc bus=b ! fakesink'),
              'writer': lambda: launch(f'videotestsrc num-buffers=100 ! {RAW} ! framebussink bus=b')}
    one = starts.pop(first)()
    time.sleep(0.3)
    two = starts.popitem()[1]()
    for process in (one, two):
        assert process.finish(20) == 0, process.report()
    reader = one if first == 'reader' else two
    assert len(frames_of(reader)) > 10


def test_end_of_stream_passes(launch, sums):
    reader = sums('framebussrc bus=b ! fakesink')
    writer = launch(ENDLESS)
    reader.until(got(reader, 5), what='5 frames')
    assert writer.stop() == 0
    assert reader.finish() == 0


def test_end_of_stream_need_not_pass(launch, sums):
    reader = sums('framebussrc bus=b forward-eos=false ! fakesink')
    for run in range(3):
        before = len(frames_of(reader))
        writer = launch(f'videotestsrc num-buffers=10 ! {RAW} ! framebussink bus=b wait-for-connection=true')
        assert writer.finish(20) == 0, writer.report()
        reader.until(got(reader, 5, before), what=f'frames of stream {run}')


def test_a_producer_that_dies_is_replaced_and_followed(launch, sums):
    reader = sums('framebussrc bus=b ! fakesink')
    for run in range(10):
        before = len(frames_of(reader))
        writer = launch(ENDLESS)
        reader.until(got(reader, 5, before), what=f'frames of producer {run}')
        writer.kill()
    frames = frames_of(reader)
    assert all(a.pts < b.pts for a, b in zip(frames, frames[1:]))
    DISCONT = 0x40
    assert sum(bool(frame.flags & DISCONT) for frame in frames) >= 10


@pytest.mark.parametrize('mode, status, text', (('eos', 0, ''), ('error', 1, 'writer')))
def test_a_dead_producer_can_end_the_reader(launch, sums, mode, status, text):
    reader = sums(f'framebussrc bus=b on-disconnect={mode} ! fakesink')
    writer = launch(ENDLESS)
    reader.until(got(reader, 5), what='5 frames')
    writer.kill()
    assert reader.finish() == status
    assert text in reader.err()


def test_consumers_that_die_are_not_missed(launch, sums):
    watcher = sums('framebussrc bus=b ! fakesink')
    writer = launch(f'{ENDLESS} history=100 max-slots=256')
    watcher.until(got(watcher, 5), what='5 frames')
    for number in range(10):
        victim = sums('framebussrc bus=b ! fakesink')
        victim.until(got(victim, 3), what='3 frames')
        writer.until(lambda: len(messages_of(writer, 'framebus-reader-added')) == number + 2, what='word of the victim')
        victim.kill()
    assert writer.stop() == 0, writer.report()
    assert watcher.finish() == 0, watcher.err()
    offsets = [frame.offset for frame in frames_of(watcher)]
    assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))
    assert len(messages_of(writer, 'framebus-reader-added')) == 11
    assert stats_of(writer)['copied'] == 0


def test_a_stopped_consumer_holds_nobody_up(launch, sums):
    """Two others and the producer go on at full rate, without a missed frame."""
    readers = [sums('framebussrc bus=b ! fakesink') for _ in range(3)]
    writer = launch(f'videotestsrc num-buffers=250 ! {RAW} ! framebussink bus=b history=100 max-slots=256 '
                    'wait-for-connection=true')
    for reader in readers:
        reader.until(got(reader, 3), what='3 frames')
    readers[0].send_signal(signal.SIGSTOP)
    assert writer.finish(30) == 0, writer.report()
    for reader in readers[1:]:
        assert reader.finish() == 0, reader.err()
        offsets = [frame.offset for frame in frames_of(reader)]
        assert offsets == list(range(offsets[0], 250))
    stats = stats_of(writer)
    assert (stats['published'], stats['copied']) == (250, 0)
    readers[0].send_signal(signal.SIGCONT)
    assert readers[0].finish() == 0, readers[0].err()


def test_a_program_that_was_stopped_and_goes_on_is_not_at_its_end(launch, sums):
    """SIGCONT ends the sleep of whoever waits for a frame, and there is no frame."""
    writer = launch(ENDLESS)
    reader = sums('framebussrc bus=b ! fakesink')
    reader.until(got(reader, 3), what='3 frames')
    writer.send_signal(signal.SIGSTOP)
    for _ in range(3):
        time.sleep(0.1)
        reader.send_signal(signal.SIGSTOP)
        reader.send_signal(signal.SIGCONT)
    time.sleep(0.1)
    writer.send_signal(signal.SIGCONT)
    reader.until(got(reader, 3, len(frames_of(reader))), what='3 more frames')
    assert not reader.err()


def test_a_consumer_joins_an_idle_bus(launch, sums):
    """The only frame was published long ago, and the next one is far away."""
    writer = launch('videotestsrc ! video/x-raw,format=NV12,width=320,height=240,framerate=1/1000 ! framebussink bus=b')
    for _ in range(3):
        reader = sums('framebussrc bus=b num-buffers=1 ! fakesink')
        assert reader.finish() == 0, reader.err()
        assert len(frames_of(reader)) == 1
    assert writer.running()
    writer.until(lambda: len(messages_of(writer, 'framebus-reader-removed')) == 3, what='three goodbyes')


def test_a_paused_consumer_goes_on(launch):
    """A pipeline that prerolls with a second, slower branch starts late and then runs."""
    writer = launch(ENDLESS)
    reader = launch('framebussrc bus=b num-buffers=20 ! tee name=t ! queue ! fakesink t. ! queue ! videoconvert '
                    '! video/x-raw,format=RGB ! fakesink')
    assert reader.finish(20) == 0, reader.report()
    assert writer.stop() == 0


@pytest.mark.parametrize('description', (
    'framebussrc bus=nobody ! fakesink',
    'framebussrc bus=b ! fakesink',
    'videotestsrc ! framebussink bus=c wait-for-connection=true',
    'videotestsrc ! queue ! framebussink bus=c wait-for-connection=true',
))
def test_whoever_waits_stops_at_once(launch, description):
    launch('videotestsrc ! video/x-raw,framerate=1/1000 ! framebussink bus=b')
    waiting = launch(description, eos=False)
    waiting.until(lambda: 'PLAYING' in waiting.out() or 'PREROLLING' in waiting.out(), what='a start')
    time.sleep(0.5)
    assert waiting.stop(limit=3) == 0


@pytest.mark.parametrize('queue', ('', '! queue'))
def test_a_lossless_producer_that_waits_for_a_stopped_reader_stops_at_once(launch, sums, queue):
    reader = sums('framebussrc bus=b delivery=lossless ! fakesink')
    writer = launch(f'videotestsrc ! {RAW} {queue} ! framebussink bus=b {SURE}', eos=False)
    reader.until(got(reader, 3), what='3 frames')
    reader.send_signal(signal.SIGSTOP)
    time.sleep(1)
    assert writer.stop(limit=3) == 0


def test_a_lossless_reader_that_stops_is_made_live_in_the_end(launch, sums):
    reader = sums('framebussrc bus=b delivery=lossless ! fakesink')
    writer = launch(f'videotestsrc num-buffers=50 ! {RAW} ! framebussink bus=b lossless=true '
                    'lossless-timeout=300000000 wait-for-connection=true')
    reader.until(got(reader, 3), what='3 frames')
    reader.send_signal(signal.SIGSTOP)
    assert writer.finish(20) == 0, writer.report()
    assert stats_of(writer)['published'] == 50


def test_the_format_changes_in_mid_stream(launch, sums):
    """Three readers see every frame of all formats, in order, each with its caps."""
    formats = ('NV12,width=320,height=240', 'I420,width=640,height=480', 'RGB,width=65,height=33',
               'NV12,width=320,height=240')
    streams = ' '.join(f'videotestsrc num-buffers=10 ! video/x-raw,format={text},framerate=50/1 ! c.'
                       for text in formats)
    readers = [sums('framebussrc bus=b delivery=lossless ! fakesink') for _ in range(3)]
    # Only lossless readers that are there from the beginning see everything.
    writer = launch(f'concat name=c ! identity sleep-time=1000 ! framebussink bus=b {SURE} {streams}')
    alone = sums(f'concat name=c ! fakesink {streams}')
    assert alone.finish(20) == 0
    assert writer.finish(20) == 0, writer.report()
    expected = [(frame.sum, frame.caps.split('framerate')[0]) for frame in frames_of(alone)]
    complete = 0
    for reader in readers:
        assert reader.finish(20) == 0, reader.err()
        frames = frames_of(reader)
        assert [frame.sum for frame in frames] == [sum for sum, _ in expected[-len(frames):]]
        complete += len(frames) == len(expected)
        for text in formats:
            name, width, height = (word.split('=')[-1] for word in text.split(','))
            assert any(f'format=(string){name}' in frame.caps and f'width=(int){width}' in frame.caps
                       for frame in frames[-40:] if len(frames) == 40) or len(frames) < 40
    assert complete >= 1


def test_the_last_frame_is_kept_if_asked_for(launch, sums):
    reader = sums('framebussrc bus=b keep-last=true ! fakesink')
    writer = launch(f'videotestsrc pattern=red ! {RAW} ! framebussink bus=b')
    reader.until(got(reader, 5), what='5 frames')
    writer.kill()
    reader.until(got(reader, 20, len(frames_of(reader))), what='20 more frames')
    frames = frames_of(reader)
    assert len({frame.sum for frame in frames}) == 1
    assert all(a.pts < b.pts for a, b in zip(frames, frames[1:]))


def test_silence_is_told_of(launch):
    reader = launch('framebussrc bus=nobody timeout=100000000 ! fakesink', eos=False)
    reader.until(lambda: len(messages_of(reader, 'framebussrc-timeout')) >= 2, what='two messages')
    assert reader.stop() == 0


def test_many_pipelines_in_one_process(launch):
    sinks = ' '.join(f'videotestsrc num-buffers=50 ! {RAW} ! framebussink bus=b{number} async=false wait-for-connection=true'
                     for number in range(12))
    sources = ' '.join(f'framebussrc bus=b{number} ! fakesink' for number in range(12))
    both = launch(f'{sources} {sinks}')
    assert both.finish(40) == 0, both.report()
    assert len(messages_of(both, 'framebussink-stats')) == 12
    assert sum(stats['delivered'] for stats in messages_of(both, 'framebussrc-stats')) > 12 * 25


@pytest.mark.parametrize('memory', ('memfd', 'posix', 'sysv'))
def test_every_kind_of_memory(launch, sums, memory):
    reader = sums('framebussrc bus=b delivery=lossless ! fakesink')
    writer = launch(f'videotestsrc num-buffers=20 ! {RAW} ! framebussink bus=b memory={memory} {SURE}')
    assert writer.finish(20) == 0, writer.report()
    assert reader.finish(20) == 0, reader.err()
    assert len(frames_of(reader)) == 20
    assert all(frame.in_place for frame in frames_of(reader))


@pytest.mark.parametrize('mode, status', (('eos', 0), ('error', 1)))
def test_silence_can_end_a_stream(launch, mode, status):
    reader = launch(f'framebussrc bus=nobody timeout=100000000 on-timeout={mode} ! fakesink')
    assert reader.finish() == status
    assert status == 0 or 'no frame for 0.1 s' in reader.err()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which('valgrind'), reason='no valgrind here')
@pytest.mark.parametrize('side', ('writer', 'reader'))
def test_valgrind_finds_nothing(spawn, launch, side):
    pipelines = {'reader': 'framebussrc bus=b delivery=lossless ! queue ! videoconvert ! fakesink',
                 'writer': f'videotestsrc num-buffers=30 ! {RAW} ! tee ! framebussink bus=b {SURE}'}
    other = launch(pipelines.pop('writer' if side == 'reader' else 'reader'))
    [pipeline] = pipelines.values()
    suppressions = pathlib.Path(__file__).with_name('valgrind.supp')
    checked = spawn('valgrind', '--error-exitcode=9', f'--suppressions={suppressions}', 'gst-launch-1.0', '-m',
                    *pipeline.split(), env={'G_SLICE': 'always-malloc', 'GST_REGISTRY_FORK': 'no'})
    assert checked.finish(180) == 0, checked.report()
    assert other.finish(30) == 0, other.report()
