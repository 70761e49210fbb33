# SPDX-License-Identifier: MIT
"""What clients see."""
import json

import needs
import pytest
from conftest import FFMPEG, SECONDS, run

numpy = pytest.importorskip('numpy')

# The bars of `framebus test` from left to right, as R, G, B.
BARS = [(191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191), (0, 0, 0)]


def first_picture(url, width, height):
    """As ffmpeg decodes it, RGB."""
    done = run(*FFMPEG, '-rtsp_transport', 'tcp', '-i', url, '-frames:v', '1', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-')
    assert done.returncode == 0, done.stderr
    return numpy.frombuffer(done.stdout, dtype=numpy.uint8).reshape(height, width, 3).astype(int)


def middles(picture):
    """The colours of eight bars, in a row where nothing wanders."""
    height, width, _ = picture.shape
    return [picture[height // 4, width * (2 * bar + 1) // 16] for bar in range(8)]


@pytest.mark.parametrize('protocol', ['udp', 'tcp'])
def test_pictures_arrive_in_order_and_whole(gateway, source, relay, framebus, protocol):
    source('cam0', '--size', '640x480')
    client = relay(gateway().url('cam0'), 'far', protocol)
    found = framebus('check', '--json', '--wait', f'{SECONDS}s', '--test', '--for', '2s', 'far')
    test = json.loads(found.stdout)['test']
    assert test['whole'] + test['altered'] > 20, client.report()
    assert (test['torn'], test['doubled'], test['backward']) == (0, 0, 0)


@pytest.mark.parametrize('encoder, width, height', [
    ('x264', 640, 480),
    ('openh264', 640, 480),  # does not say which colours: ffmpeg takes BT.601
    ('jpeg', 1280, 720),  # from BT.601 GStreamer 1.22 leaves the range as it is
])
def test_every_encoder_gives_the_colours(gateway, source, encoder, width, height):
    source('cam0', '--size', f'{width}x{height}')
    needs.elements({'jpeg': 'jpegenc'}.get(encoder, f'{encoder}enc'))
    g = gateway('--encoder', encoder, '--bitrate', '4000')
    assert f'encoded by: {encoder}' in g.process.out()
    numpy.testing.assert_allclose(middles(first_picture(g.url('cam0'), width, height)), BARS, atol=12)


@pytest.mark.parametrize('name, size, seen', [
    ('BGRx', '640x480', (640, 480)),
    ('YUY2', '641x481', (640, 480)),
    ('P010_10LE', '640x480', (640, 480)),
    ('GRAY8', '642x482', (642, 482)),
])
def test_formats_are_converted(gateway, source, name, size, seen):
    source('cam0', '--size', size, '--format', name)
    colours = numpy.array(middles(first_picture(gateway().url('cam0'), *seen)))
    if name == 'GRAY8':
        assert (colours.max(axis=1) - colours.min(axis=1) < 12).all()
        assert (numpy.diff(colours[:, 0]) < 0).all()  # from white to black
    else:
        numpy.testing.assert_allclose(colours, BARS, atol=16)


def test_the_encoder_starts_with_the_first_client_serves_all_and_stops_with_the_last(gateway, source, spawn, readers,
                                                                                   wait_for):
    source('cam0', '--size', '320x240')
    g = gateway()
    assert readers('cam0') == []
    clients = [spawn(*FFMPEG, '-stats', '-rtsp_transport', protocol, '-i', g.url('cam0'), '-f', 'null', '-')
               for protocol in ('tcp', 'udp', 'tcp')]
    for client in clients:
        client.until(lambda: 'frame=' in client.err(), SECONDS, 'pictures')
    assert readers('cam0') == ['framebus-rtsp']
    for client in clients[1:]:
        client.stop()
    assert readers('cam0') == ['framebus-rtsp']
    clients[0].kill()  # without a word
    wait_for(lambda: readers('cam0') == [], SECONDS, 'the bus to be left')
    assert first_picture(g.url('cam0'), 320, 240).any()  # and again
    assert g.process.running()


def test_who_comes_later_need_not_wait_for_a_key_frame(gateway, launch, framebus, tmp_path):
    """The encoder makes one for each; by itself it does every 60 frames of a stream that tells no rate: every 20 s."""
    writer = launch('videotestsrc is-live=true ! video/x-raw,format=NV12,width=320,height=240,framerate=3/1 '
                    '! capssetter caps=video/x-raw,framerate=0/1 ! framebussink bus=cam0')
    writer.until(lambda: b'NV12' in framebus('info', 'cam0').stdout, SECONDS)
    g = gateway()
    client = f'rtspsrc location={g.url("cam0")} protocols=tcp latency=0 ! rtph264depay'
    first = launch(f'{client} ! h264parse ! video/x-h264,stream-format=byte-stream '
                   f'! filesink buffer-mode=unbuffered location={tmp_path}/first')
    first.until(lambda: key_frames(tmp_path / 'first') > 0, SECONDS, 'a key frame')
    before = key_frames(tmp_path / 'first')
    for _ in range(4):
        assert launch(f'{client} ! avdec_h264 ! fakesink num-buffers=1').finish(SECONDS) == 0
    first.until(lambda: key_frames(tmp_path / 'first') >= before + 4, 10, 'a key frame for each')


def key_frames(path):
    """Parameter sets, of which one precedes each."""
    return path.read_bytes().count(b'\0\0\1\x67') if path.exists() else 0


def test_a_client_that_stalls_keeps_nobody_waiting(gateway, source, spawn, relay, framebus):
    source('cam0', '--size', '640x480')
    g = gateway('--bitrate', '20000')
    stalled = spawn(*FFMPEG, '-stats', '-rtsp_transport', 'tcp', '-i', g.url('cam0'), '-f', 'null', '-')
    stalled.until(lambda: 'frame=' in stalled.err(), SECONDS, 'pictures')
    stalled.send_signal(19)
    relay(g.url('cam0'), 'far')
    found = framebus('check', '--wait', f'{SECONDS}s', '--not-frozen=3s', '--for', '6s', 'far')
    assert found.returncode == 0, found.stdout
