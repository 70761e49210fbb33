# SPDX-License-Identifier: MIT
"""Consumers that show frames by a graphics card (here in Mesa's software)."""
import os
import subprocess

import needs
import pytest
from pipelines import SURE, frames_of, stats_of

RAW = 'video/x-raw,format=NV12,width=320,height=240,framerate=50/1'


@pytest.fixture
def screen(display):
    env = {'DISPLAY': display, 'GST_GL_WINDOW': 'x11', 'GST_GL_PLATFORM': 'glx'}
    needs.elements('gltestsrc')
    if subprocess.run(['gst-launch-1.0', '-q', 'gltestsrc', 'num-buffers=1', '!', 'fakesink'], env={**os.environ, **env},
                      capture_output=True, timeout=60).returncode:
        pytest.skip('there is no OpenGL')
    return env


def test_frames_go_to_a_graphics_card_and_back(launch, sums, screen):
    reader = sums('framebussrc bus=b delivery=lossless ! glupload ! gldownload ! video/x-raw ! fakesink', env=screen)
    writer = launch(f'videotestsrc num-buffers=20 ! {RAW} ! framebussink bus=b {SURE}')
    alone = sums(f'videotestsrc num-buffers=20 ! {RAW} ! fakesink')
    for process in (writer, reader, alone):
        assert process.finish(60) == 0, process.report()
    assert [frame.sum for frame in frames_of(reader)] == [frame.sum for frame in frames_of(alone)]


def test_a_window_of_a_graphics_card_takes_frames_in_place(launch, screen):
    reader = launch('framebussrc bus=b delivery=lossless ! glimagesink', env=screen)
    writer = launch(f'videotestsrc num-buffers=20 ! {RAW} ! framebussink bus=b {SURE}')
    assert writer.finish(60) == 0, writer.report()
    assert reader.finish(60) == 0, reader.report()
    stats = stats_of(reader, 'framebussrc')
    assert (stats['delivered'], stats['copied']) == (20, 0)
