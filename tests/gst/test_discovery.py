# SPDX-License-Identifier: MIT
"""Buses are found by URI and as devices."""
import signal

import needs
import pytest
from pipelines import frames_of

RAW = 'video/x-raw,format=NV12,width=320,height=240,framerate=50/1'


@pytest.fixture
def writer(launch, sums):
    process = launch(f'videotestsrc ! {RAW} ! framebussink bus=Cam_0.x-1')
    ready = sums('framebussrc bus=Cam_0.x-1 num-buffers=1 ! fakesink')
    assert ready.finish() == 0, ready.err()
    yield process
    assert process.stop() == 0


def test_decoders_open_a_uri(writer, sums):
    reader = sums('uridecodebin uri=framebus://Cam_0.x-1?delivery=latest&hold=5 ! fakesink num-buffers=20')
    assert reader.finish(20) == 0, reader.err()
    assert len(frames_of(reader)) == 20


def test_decoders_open_the_uri_of_a_socket(writer, sums, bus_dir):
    reader = sums(f'uridecodebin uri=framebus://{bus_dir}/Cam_0.x-1 ! fakesink num-buffers=20')
    assert reader.finish(20) == 0, reader.err()
    assert len(frames_of(reader)) == 20


def test_decoders_decode_what_comes_by_uri(launch, sums):
    encoded = launch(f'videotestsrc ! {RAW} ! jpegenc ! framebussink bus=j')
    reader = sums('uridecodebin uri=framebus://j ! fakesink num-buffers=20')
    assert reader.finish(20) == 0, reader.err()
    assert frames_of(reader)[0].caps.startswith('video/x-raw')
    assert encoded.stop() == 0


def test_players_play_a_uri(writer, spawn):
    needs.programs('gst-play-1.0')
    player = spawn('gst-play-1.0', '--videosink=fakesink', 'framebus://Cam_0.x-1')
    player.until(lambda: 'Redistribute latency' in player.out(), what='play')
    assert player.stop(signal.SIGTERM) in (0, -signal.SIGTERM)


@pytest.mark.parametrize('uri, text', (
    ('framebus://Cam_0.x-1?foo=1', '"foo" is not one of delivery,'),
    ('framebus://Cam_0.x-1?name=evil', '"name" is not one of delivery,'),
    ('framebus://Cam_0.x-1?delivery=most', '"most" is not a value for "delivery"'),
    ('framebus://Cam_0.x-1?hold=1000', '"1000" is not a value for "hold"'),
    ('framebus://', 'names no bus'),
))
def test_a_wrong_uri_is_explained(writer, launch, uri, text):
    player = launch(f'playbin uri={uri}')
    assert player.finish(20) != 0
    assert text in player.err()


def test_the_device_monitor_follows(launch, spawn, sums):
    needs.programs('gst-device-monitor-1.0')

    def started(bus, source):
        process = launch(f'{source} ! framebussink bus={bus}')
        ready = sums(f'framebussrc bus={bus} num-buffers=1 ! fakesink')
        assert ready.finish() == 0, ready.err()
        return process

    first = started('first', f'videotestsrc ! {RAW}')
    monitor = spawn('gst-device-monitor-1.0', '-f', 'Video/Source', 'Audio/Source')
    line = 'gst-launch-1.0 framebussrc bus=first ! ...'
    monitor.until(lambda: 'name  : first' in monitor.out() and line in monitor.out(), what='first')
    sound = started('sound', 'audiotestsrc')
    monitor.until(lambda: 'name  : sound' in monitor.out() and 'Audio/Source' in monitor.out(), what='sound')
    sound.kill()
    monitor.until(lambda: 'Device removed:\n\tname  : sound' in monitor.out(), what='the end of sound')
    assert first.stop() == 0
    monitor.until(lambda: 'Device removed:\n\tname  : first' in monitor.out(), what='the end of first')
    monitor.stop(signal.SIGTERM)
