# SPDX-License-Identifier: MIT
"""What is encoded already goes on as it is."""
import re

from conftest import FFMPEG, SECONDS, run


def nal_units(path):
    """The coded pictures of an H.264 byte stream, without start codes."""
    units = [unit.rstrip(b'\0') for unit in re.split(b'\0\0\1', path.read_bytes())[1:]]
    return [unit for unit in units if unit[0] & 31 in (1, 5)]


def test_h264_bit_for_bit(gateway, launch, tmp_path):
    writer = launch('videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 '
                    '! x264enc tune=zerolatency key-int-max=15 ! video/x-h264,stream-format=byte-stream,alignment=au '
                    f'! tee name=t ! queue ! framebussink bus=cam0 t. ! queue ! filesink buffer-mode=unbuffered location={tmp_path}/sent')
    writer.until(lambda: nal_units(tmp_path / 'sent') if (tmp_path / 'sent').exists() else False, SECONDS)
    done = run(*FFMPEG, '-rtsp_transport', 'tcp', '-i', gateway().url('cam0'), '-frames:v', '40', '-c', 'copy', '-f',
               'h264', tmp_path / 'received')
    assert done.returncode == 0, done.stderr
    writer.stop()
    sent, received = nal_units(tmp_path / 'sent'), nal_units(tmp_path / 'received')
    assert len(received) >= 40
    start = sent.index(received[0])
    assert received[0][0] & 31 == 5
    assert sent[start:start + len(received)] == received


def scan(picture):
    """The coded pixels of a JPEG picture, without any of its heads."""
    start = picture.index(b'\xff\xda') + 2
    return picture[start + int.from_bytes(picture[start:start + 2], 'big'):picture.rindex(b'\xff\xd9')]


def test_jpeg_bit_for_bit(gateway, launch, spawn, framebus, tmp_path):
    """The head is made anew by the receiver; the picture itself is the same, and looks the same."""
    launch('videotestsrc is-live=true pattern=zone-plate kx2=20 ky2=20 ! video/x-raw,format=I420,width=320,height=240 '
           '! jpegenc ! framebussink bus=cam0')
    launch(f'rtspsrc location={gateway().url("cam0")} ! rtpjpegdepay ! framebussink bus=far')
    pictures = {}
    for name in ('cam0', 'far'):
        pictures[name] = framebus('recv', '--raw', '--wait', f'{SECONDS}s', '--frames', '1', name).stdout
    assert len(scan(pictures['far'])) > 1000
    assert scan(pictures['far']) == scan(pictures['cam0'])
    for name, picture in pictures.items():
        (tmp_path / name).write_bytes(picture)
    decoded = [run(*FFMPEG, '-f', 'mjpeg', '-i', tmp_path / name, '-f', 'rawvideo', '-').stdout for name in pictures]
    assert len(decoded[0]) == 320 * 240 * 3 // 2
    assert decoded[0] == decoded[1]


def test_sound_is_sent_too(gateway, launch):
    launch('audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! framebussink bus=mic')
    done = run(*FFMPEG, '-rtsp_transport', 'tcp', '-i', gateway().url('mic'), '-t', '0.5', '-f', 'f32le', '-')
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) > 10000 and any(done.stdout)
