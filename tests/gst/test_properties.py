# SPDX-License-Identifier: MIT
"""Properties, and what a slow pipeline sees of them."""
import grp
import os
import signal
import stat
import subprocess

import needs
import pytest

from pipelines import frames_of, stats_of

RAW = 'video/x-raw,format=NV12,width=320,height=240,framerate=50/1'
DISCONT = 0x40


@pytest.mark.parametrize('name', ('framebus', 'framebussink', 'framebussrc'))
def test_the_plugin_takes_no_other(build_dir, tmp_path, name):
    """It is loaded without a word where there is no OpenGL, no PipeWire, nor anything else."""
    needs.programs('gst-inspect-1.0')
    seen = subprocess.run(['gst-inspect-1.0', name], capture_output=True, text=True, env={
        **os.environ, 'GST_PLUGIN_SYSTEM_PATH_1_0': str(tmp_path), 'GST_REGISTRY': str(tmp_path / 'registry'),
        'GST_DEBUG': '2', 'G_DEBUG': 'fatal-warnings'})
    assert (seen.returncode, seen.stderr) == (0, '')


def test_access_mode_and_group(launch, sums, bus_dir):
    group = next(entry for entry in grp.getgrall() if entry.gr_gid in os.getgroups() + [os.getgid()])
    writer = launch(f'videotestsrc ! {RAW} ! framebussink bus=b access-mode=0640 group={group.gr_name}')
    reader = sums('framebussrc bus=b num-buffers=5 ! fakesink')
    assert reader.finish() == 0, reader.err()
    status = (bus_dir / 'b').stat()
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o640, group.gr_gid)
    assert writer.stop() == 0


def test_a_path_instead_of_a_name(launch, sums, tmp_path, bus_dir):
    path = bus_dir / 'below'
    path.mkdir()
    writer = launch(f'videotestsrc ! {RAW} ! framebussink bus={path}/cam')
    reader = sums(f'framebussrc bus={path}/cam num-buffers=5 ! fakesink')
    assert reader.finish() == 0, reader.err()
    assert writer.stop() == 0
    assert [entry.name for entry in path.iterdir()] == ['.cam.lock']
    (path / '.cam.lock').unlink()
    path.rmdir()


def test_missed_frames_are_marked(launch, sums):
    """A reader at a fifth of the rate: each gap is flagged, as wide as the offsets say, and counted."""
    writer = launch(f'videotestsrc num-buffers=150 ! {RAW} ! framebussink bus=b wait-for-connection=true')
    slow = 'framebussrc bus=b ! identity sleep-time=100000 ! fakesink'
    reader, counted = sums(slow), launch(slow)
    assert writer.finish(30) == 0, writer.report()
    assert reader.finish(30) == 0, reader.err()
    assert counted.finish(30) == 0, counted.report()
    frames = frames_of(reader)
    gaps = [b.offset - a.offset - 1 for a, b in zip(frames, frames[1:])]
    assert sum(gaps) > 50
    assert [bool(frame.flags & DISCONT) for frame in frames[1:]] == [gap > 0 for gap in gaps]
    stats = stats_of(counted, 'framebussrc')
    assert stats['missed'] > 50
    assert stats['delivered'] + stats['missed'] <= 150


@pytest.mark.parametrize('history', (1, 7))
def test_a_reader_that_lags_behind_has_the_history(launch, sums, history):
    """Stopped until the writer is gone, it finds the last frames and nothing older."""
    reader = sums('framebussrc bus=b ! fakesink')
    writer = launch(f'videotestsrc num-buffers=200 ! {RAW} ! framebussink bus=b history={history} wait-for-connection=true')
    reader.until(lambda: len(frames_of(reader)) >= 2, what='two frames')
    reader.send_signal(signal.SIGSTOP)
    seen = len(frames_of(reader))
    assert writer.finish(30) == 0, writer.report()
    reader.send_signal(signal.SIGCONT)
    assert reader.finish(30) == 0, reader.err()
    last = [frame.offset for frame in frames_of(reader)[-history:]]
    assert last == list(range(200 - history, 200))
    # One may have been on its way when the reader was stopped.
    assert len(frames_of(reader)) <= seen + history + 1


def test_latest_is_newer_than_live(launch, sums):
    """Two readers at a fifth of the rate: one falls behind as far as the history reaches, the other does not."""
    writer = launch(f'videotestsrc ! {RAW} ! framebussink bus=b history=100 max-slots=256')
    live, latest = (sums(f'framebussrc bus=b delivery={mode} num-buffers=20 ! identity sleep-time=100000 ! fakesink')
                    for mode in ('live', 'latest'))
    for reader in (live, latest):
        assert reader.finish(30) == 0, reader.err()
    assert writer.stop() == 0
    assert all(a.offset + 1 == b.offset for a, b in zip(frames_of(live), frames_of(live)[1:]))
    assert frames_of(latest)[-1].offset - frames_of(latest)[0].offset > 50
    assert frames_of(latest)[-1].age < frames_of(live)[-1].age


def test_caps_keep_what_they_say_of_light(launch, sums):
    light = 'colorimetry=bt2100-pq,content-light-level=(string)1000:400,mastering-display-info=' \
            '(string)34000:16000:13250:34500:7500:3000:15635:16450:10000000:1'
    writer = launch(f'videotestsrc ! video/x-raw,format=P010_10LE,width=320,height=240,framerate=50/1,{light} '
                    '! framebussink bus=b')
    reader = sums('framebussrc bus=b num-buffers=3 ! fakesink')
    assert reader.finish(20) == 0, reader.err()
    assert writer.stop() == 0
    for text in ('bt2100-pq', '1000:400', '34000:16000:13250:34500:7500:3000:15635:16450:10000000:1'):
        assert text in frames_of(reader)[0].caps
