# SPDX-License-Identifier: MIT
"""`framebus send` and `framebus recv`: streams onto a bus and off it again, byte for byte."""
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
import streams

WIDTH, HEIGHT = 66, 50
TAGS = {  # tag: bits, and bytes of a frame of 66x50
    '420jpeg': (8, 4950), '420mpeg2': (8, 4950), '420paldv': (8, 4950), '420': (8, 4950), '411': (8, 5000),
    '422': (8, 6600), '444': (8, 9900), 'mono': (8, 3300), '420p10': (10, 9900), '422p10': (10, 13200),
    '444p10': (10, 19800), '420p12': (12, 9900), '422p12': (12, 13200), '444p12': (12, 19800),
    '444p16': (16, 19800), 'mono10': (10, 6600), 'mono12': (12, 6600), 'mono16': (16, 6600),
}
ALIKE = {'420mpeg2': '420jpeg', '420paldv': '420jpeg', '420': '420jpeg'}


@pytest.fixture
def tool(build_dir):
    return build_dir / 'tools' / 'framebus'


@pytest.fixture
def receive(spawn, tool):
    """Starts a lossless recv that waits for the sender; .data() is what it wrote."""
    def start(*arguments, mode='--lossless'):
        process = spawn(tool, 'recv', '--wait', '60s', *([mode] if mode else []), *arguments, 'cam0')
        process.data = process.stdout_path.read_bytes
        return process
    return start


@pytest.fixture
def send(tool, bus_dir):
    def run(data, *arguments):
        return streams.run([tool, 'send', '--fast', '--lossless', '--readers', '1', *arguments, 'cam0'], data)
    return run


@pytest.fixture
def pass_through(send, receive):
    """What comes out of recv if this goes into send."""
    def run(data, send_arguments=(), recv_arguments=()):
        receiver = receive(*recv_arguments)
        result = send(data, *send_arguments)
        assert result.returncode == 0, result.stderr
        assert receiver.finish(30) == 0, receiver.err()
        assert ' 0 missed' in receiver.err()
        return receiver.data()
    return run


# ---- YUV4MPEG2 ----

@pytest.mark.parametrize('tag', TAGS)
def test_a_stream_comes_out_as_it_went_in(pass_through, tag):
    depth, size = TAGS[tag]
    stream = streams.y4m(tag, size, depth=depth)
    kept = ALIKE.get(tag, tag)
    assert pass_through(stream) == stream.replace(f'C{tag}\n'.encode(), f'C{kept}\n'.encode(), 1)


@pytest.mark.parametrize('width, height, size', [(1, 1, 3), (65, 51, 65 * 51 + 2 * 33 * 26), (2, 3, 10)])
def test_odd_sizes(pass_through, width, height, size):
    stream = streams.y4m('420jpeg', size, width=width, height=height)
    assert pass_through(stream) == stream


@pytest.mark.parametrize('head', ['F30000:1001 Ip A128:117', 'F0:0 Ip A0:0', 'F25:1 It A1:1', 'F25:1 Ib A1:1'])
def test_rate_aspect_and_fields_are_kept(pass_through, head):
    stream = streams.y4m('422', 6600, head=head)
    assert pass_through(stream) == stream


@pytest.mark.parametrize('color', ['FULL', 'LIMITED'])
def test_the_range_of_colours_is_kept(pass_through, color):
    stream = streams.y4m(f'444 XCOLORRANGE={color}', 9900)
    assert pass_through(stream) == stream


def test_what_a_header_may_leave_out(pass_through):
    frame = streams.noise(6)
    out = pass_through(b'YUV4MPEG2 H2 W2 XSOMETHING=ELSE\nFRAME\n' + frame + b'FRAME Xfoo\n' + frame)
    assert out == b'YUV4MPEG2 W2 H2 F0:0 Ip A0:0 C420jpeg\nFRAME\n' + frame + b'FRAME\n' + frame


def test_ffmpeg_on_both_sides(send, receive, tmp_path):
    if not shutil.which('ffmpeg'):
        pytest.skip('there is no ffmpeg')
    source = ['ffmpeg', '-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=50', '-frames:v', '10']
    stream = streams.run([*source, '-pix_fmt', 'yuv422p', '-f', 'yuv4mpegpipe', '-']).stdout
    want = streams.run([*source, '-pix_fmt', 'yuv422p', '-f', 'framemd5', '-']).stdout
    receiver = receive()
    assert send(stream).returncode == 0
    assert receiver.finish() == 0
    got = streams.run(['ffmpeg', '-v', 'error', '-f', 'yuv4mpegpipe', '-i', '-', '-f', 'framemd5', '-'],
                      receiver.data()).stdout

    def sums(text):
        return [line.split()[-1] for line in text.decode().splitlines() if line[:1] != '#']
    assert len(sums(got)) == 10 and sums(got) == sums(want)


def test_a_stream_after_another(pass_through):
    one = streams.y4m('mono', 3300)
    assert pass_through(one + one) == one + one[one.index(b'\n') + 1:]


def test_a_change_of_size_is_told_and_ends_the_output(send, receive):
    receiver = receive()
    one = streams.y4m('mono', 3300)
    result = send(one + streams.y4m('mono', 12, width=4, height=3))
    assert result.returncode == 0 and b'sent 10 frames' in result.stderr
    assert receiver.finish() == 1
    assert 'changes from GRAY8 66x50 100/1 to GRAY8 4x3' in receiver.err()
    assert receiver.data() == one


HOSTILE = [
    (b'', 'empty'),
    (b'\n', 'YUV4MPEG2'),
    (b'RIFF\n' * 10, 'YUV4MPEG2'),
    (b'\xff' * 5000, '--raw'),
    (b'YUV4MPEG2', '--raw'),
    (b'YUV4MPEG2 W2 H2' + b' X' * 1000 + b'\n', '--raw'),
    (b'YUV4MPEG2 W0 H2\nFRAME\n', 'W0 H2'),
    (b'YUV4MPEG2 H2\nFRAME\n', 'missing'),
    (b'YUV4MPEG2 W-2 H2\n', 'W'),
    (b'YUV4MPEG2 W99999999999999999999 H2\n', 'W'),
    (b'YUV4MPEG2 W65536 H65536\n', '16384'),
    (b'YUV4MPEG2 W2 H2x\n', 'H'),
    (b'YUV4MPEG2 W2 H2 F30\n', 'F30'),
    (b'YUV4MPEG2 W2 H2 F30:1:1\n', 'F30'),
    (b'YUV4MPEG2 W2 H2 A1\n', 'A1'),
    (b'YUV4MPEG2 W2 H2 Im\n', 'interlac'),
    (b'YUV4MPEG2 W2 H2 C444alpha\n', 'C444alpha'),
    (b'YUV4MPEG2 W2 H2 C\x1b[2J\n', 'C?[2J'),
    (b'YUV4MPEG2 W2 H2\nFRAMES\n', 'FRAME'),
    (b'YUV4MPEG2 W2 H2\nframe\n', 'FRAME'),
    (b'YUV4MPEG2 W2 H2\nFRAME\n123456' + b'x' * 2000, 'head of frame 1'),
    (b'YUV4MPEG2 W2 H2\nFRAME\n123456YUV4MPEG2 W0\nFRAME\n', 'W0'),
]


@pytest.mark.parametrize('stream, word', HOSTILE)
def test_what_is_no_stream_is_refused_with_a_reason(tool, bus_dir, stream, word):
    result = streams.run([tool, 'send', 'cam0'], stream)
    assert result.returncode == 1
    text = result.stderr.decode()
    assert text.startswith('framebus send: ') and word in text
    assert '\x1b' not in text


def test_damage_at_any_place_is_survived(tool, bus_dir):
    stream = bytearray(streams.y4m('420jpeg', 24, width=4, height=4, frames=3, head='F0:0 Ip A1:1'))
    for at in range(0, len(stream), 3):
        for value in (0, 10, 255):
            damaged = bytes(stream[:at]) + bytes([value]) + bytes(stream[at + 1:])
            assert streams.run([tool, 'send', '-q', 'cam0'], damaged).returncode in (0, 1)


def test_an_end_within_a_frame_is_told_in_bytes(send, receive):
    receiver = receive()
    stream = streams.y4m('422', 6600)
    result = send(stream[:-100])
    assert result.returncode == 1
    assert b'within frame 4: 6500 of its 6600 bytes came' in result.stderr
    assert receiver.finish() == 0  # the readers see an orderly end
    assert receiver.data() == stream[:-6606]


# ---- Other formats in YUV4MPEG2 ----

# Words as drm_fourcc.h has them, from the highest bit down, for each plane.
WORDS = {
    'NV12': ('Y8', 'V8U8'), 'NV21': ('Y8', 'U8V8'), 'NV16': ('Y8', 'V8U8'), 'NV61': ('Y8', 'U8V8'),
    'NV24': ('Y8', 'V8U8'), 'NV42': ('Y8', 'U8V8'), 'P010_10LE': ('Y10x6', 'V10x6U10x6'),
    'P012_LE': ('Y12x4', 'V12x4U12x4'), 'P016_LE': ('Y16', 'V16U16'), 'P210': ('Y10x6', 'V10x6U10x6'),
    'YUY2': ('V8Y8U8Y8',), 'YVYU': ('U8Y8V8Y8',), 'UYVY': ('Y8V8Y8U8',), 'VYUY': ('Y8U8Y8V8',),
    'Y210': ('V10x6Y10x6U10x6Y10x6',), 'Y212_LE': ('V12x4Y12x4U12x4Y12x4',), 'Y216_LE': ('V16Y16U16Y16',),
    'v308': ('V8U8Y8',), 'XYUV8888': ('x8Y8U8V8',), 'XVYU2101010': ('x2V10Y10U10',),
    'NV12_10LE40': ('Y10Y10Y10Y10', 'V10U10V10U10'), 'NV16_10LE40': ('Y10Y10Y10Y10', 'V10U10V10U10'),
    'YV12': ('Y8', 'V8', 'U8'), 'YVU422': ('Y8', 'V8', 'U8'), 'YVU444': ('Y8', 'V8', 'U8'),
    'VUYA': ('A8Y8U8V8',), 'Y410': ('A2V10Y10U10',), 'Y412_LE': ('A12x4V12x4Y12x4U12x4',),
    'Y416_LE': ('A16V16Y16U16',),
}
ALPHA = ('VUYA', 'Y410', 'Y412_LE', 'Y416_LE')
SUB = {'P210': (2, 1), 'NV16_10LE40': (2, 1), **{name: (2, 1) for name in ('NV16', 'NV61', 'YVU422')},
       **{name: (1, 1) for name in ('NV24', 'NV42', 'YVU444')}}


def split(name, data, width, height):
    """A picture without padding as y4m has it: an independent and slow reading of the words."""
    values = {'Y': [], 'U': [], 'V': []}
    at = 0
    for plane, word in enumerate(WORDS[name]):
        fields = [(letter, int(bits)) for letter, bits in re.findall('([A-Zx])([0-9]+)', word)][::-1]
        sub_x, sub_y = SUB.get(name, (2, 2)) if plane else (1, 1)
        samples = max(sum(letter == other for letter, _ in fields) for other in 'YUV')
        bits = sum(bits for _, bits in fields)
        for _ in range(streams.up(height, sub_y)):
            row = {letter: [] for letter in values}
            for _ in range(streams.up(streams.up(width, sub_x), samples)):
                number = int.from_bytes(data[at:at + bits // 8], 'little')
                at += bits // 8
                for letter, size in fields:
                    if letter in row:
                        row[letter].append(number & (1 << size) - 1)
                    number >>= size
            for letter, some in row.items():
                packed = len(WORDS[name]) == 1
                wide = streams.up(width, 2 if packed and letter != 'Y' and word.count('Y') == 2 else sub_x)
                values[letter] += some[:wide]
    wide = 2 if not re.match('Y8|.*[YUV]8', WORDS[name][0]) else 1
    return b''.join(value.to_bytes(wide, 'little') for letter in 'YUV' for value in values[letter])


@pytest.mark.parametrize('name', WORDS)
def test_yuv_of_every_arrangement_is_put_into_planes_unharmed(pass_through, name):
    width, height = 12, 6
    data = streams.noise(streams.raw_size(name, width, height))
    out = pass_through(data, ['--raw', '-f', name, '-s', f'{width}x{height}'],
                       ['--convert'] if name in ALPHA else [])
    head, _, frame = out.partition(b'\nFRAME\n')
    assert frame == split(name, data, width, height), head


@pytest.mark.parametrize('name', ['BGRx', 'RGB16', 'VUYA', 'YUV9'])
def test_what_y4m_lacks_is_refused_with_a_way_out(send, receive, name):
    receiver = receive()
    send(streams.noise(streams.raw_size(name, 16, 16)), '--raw', '-f', name, '-s', '16x16')
    assert receiver.finish() == 1
    assert name in receiver.err() and '--convert' in receiver.err()
    assert receiver.data() == b''


def test_rgb_is_converted_if_asked(pass_through):
    out = pass_through(bytes([0, 0, 255, 0]) * 64, ['--raw', '-f', 'BGRx', '-s', '8x8', '--rate', '25'], ['--convert'])
    head, _, frame = out.partition(b'\nFRAME\n')
    assert head == b'YUV4MPEG2 W8 H8 F25:1 Ip A0:0 C444 XCOLORRANGE=LIMITED'
    assert [abs(frame[64 * i] - want) <= 2 for i, want in enumerate((81, 90, 240))] == [True] * 3  # red, BT.601


# ---- Bare frames ----

@pytest.mark.parametrize('name', streams.FORMATS)
def test_bare_pictures_of_every_format(pass_through, name):
    data = streams.noise(3 * streams.raw_size(name, 37, 21))
    assert pass_through(data, ['--raw', '-f', name, '-s', '37x21'], ['--raw']) == data


def test_caps_of_a_payload_say_rate_size_and_shape_of_pixels(send, spawn, tool, framebus_json):
    caps = 'image/jpeg, width=(int)64, height=48, framerate=(fraction)30000/1001, pixel-aspect-ratio=4/3'
    receiver = spawn(tool, 'recv', '--raw', '--follow', '--wait', '60s', 'cam0')
    with subprocess.Popen([tool, 'send', '--raw', '--caps', caps, 'cam0'], stdin=subprocess.PIPE) as sender:
        sender.stdin.write(b'\xff\xd8\xff\xd9')
        sender.stdin.flush()
        receiver.until(lambda: receiver.stdout_path.read_bytes(), what='a frame')
        told = framebus_json('info', 'cam0')['format']
        sender.stdin.close()
        assert sender.wait(10) == 0
    assert told['caps'] == caps
    assert [told[key] for key in ('width', 'height', 'rate_num', 'rate_den', 'aspect_num', 'aspect_den')] == \
        [64, 48, 30000, 1001, 4, 3]


def test_jpeg_files_are_told_apart(pass_through):
    if not shutil.which('ffmpeg'):
        pytest.skip('there is no ffmpeg')
    data = streams.run(['ffmpeg', '-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=640x480', '-frames:v', '8',
                        '-c:v', 'mjpeg', '-f', 'mjpeg', '-']).stdout
    assert data.count(b'\xff\xd8\xff') == 8
    out = pass_through(data, ['--raw', '-c', 'image/jpeg,framerate=25/1'], ['--raw', '--frames', '8'])
    assert out == data


@pytest.mark.parametrize('data, complaint', [
    (b'\xff\xd8\xff\xe0\x00\x04ab', 'within frame 0'),
    (b'GIF89a', 'not a JPEG'),
    (b'\xff\xd8\xff\xe0\x00\x00', 'not a JPEG'),
    (b'\xff\xd8\xff\xda\x00\x02' + b'x' * 5000, 'within frame 0'),
    (b'\xff', 'within frame 0'),
    (b'\xff\xd8' + b'\xff' * 5000, 'within frame 0'),
])
def test_damaged_jpeg_is_refused(tool, bus_dir, data, complaint):
    result = streams.run([tool, 'send', '--raw', '-c', 'image/jpeg', 'cam0'], data)
    assert result.returncode == 1 and complaint.encode() in result.stderr


def test_payloads_of_a_size(pass_through):
    data = streams.noise(5 * 1000)
    assert pass_through(data, ['--raw', '-c', 'application/x-anything', '--frame-bytes', '1000'],
                        ['--raw', '-n', '5']) == data


def test_an_end_within_a_bare_frame_is_told(tool, bus_dir):
    for arguments, size in ((['-f', 'GRAY8', '-s', '10x10'], 100), (['-c', 'a/b', '--frame-bytes', '100'], 100)):
        result = streams.run([tool, 'send', '--raw', *arguments, 'cam0'], streams.noise(size + 30))
        assert result.returncode == 1
        assert b'within frame 1: 30 of its 100 bytes came' in result.stderr


@pytest.mark.parametrize('arguments, word', [
    (['send', '--raw', 'cam0'], '--caps'),
    (['send', '--raw', '-f', 'NV12', 'cam0'], '--size'),
    (['send', '--raw', '-f', 'nonsense', '-s', '4x4', 'cam0'], "--format 'nonsense' is not a pixel format"),
    (['send', '--raw', '-f', 'NV12', '-s', '4', 'cam0'], '640x480'),
    (['send', '--raw', '-f', 'NV12', '-s', '99999x4', 'cam0'], '16384'),
    (['send', '--raw', '-c', 'NV12', 'cam0'], 'media type'),
    (['send', '--raw', '-c', 'video/x-raw,format=NV12,width=4,height=4', 'cam0'], '--format, --size and --rate'),
    (['send', '--raw', '-c', 'image/jpeg', '-f', 'NV12', 'cam0'], 'exclude'),
    (['send', '--raw', '-c', 'image/jpeg,framerate=x', 'cam0'], 'framerate'),
    (['send', '--raw', '-c', 'video/x-h264', 'cam0'], '--frame-bytes'),
    (['send', '-f', 'NV12', 'cam0'], '--raw'),
    (['send', '--rate', '0', 'cam0'], '29.97'),
    (['send'], 'name of a bus'),
    (['send', 'a', 'b'], 'one argument too many: b'),
    (['recv'], 'name of a bus'),
    (['recv', '--frames', '0', 'cam0'], 'from 1'),
    (['recv', '--wait', 'soon', 'cam0'], '500ms'),
    (['recv', '--latest', '--lossless', 'cam0'], 'exclude'),
    (['recv', '--raw', '--convert', 'cam0'], '--convert'),
])
def test_wrong_command_lines_are_explained(tool, bus_dir, arguments, word):
    result = streams.run([tool, *arguments])
    assert result.returncode == 2
    assert word in result.stderr.decode() and f"Try 'framebus {arguments[0]} --help'" in result.stderr.decode()


# ---- Time ----

def test_frames_come_at_the_rate_of_the_stream(tool, bus_dir):
    began = time.monotonic()
    assert streams.run([tool, 'send', 'cam0'], streams.y4m('mono', 3300, frames=21, head='F40:1 Ip')).returncode == 0
    assert time.monotonic() - began >= 0.49


def test_a_reader_that_comes_late_finds_the_bus_idle_input_or_not(tool, spawn, bus_dir, framebus_json):
    with subprocess.Popen([tool, 'send', 'cam0'], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as sender:
        sender.stdin.write(streams.y4m('mono', 3300, frames=1))
        sender.stdin.flush()
        receiver = spawn(tool, 'recv', '--wait', '30s', 'cam0')
        receiver.until(lambda: len(receiver.stdout_path.read_bytes()) > 3300, what='a frame')
        sender.stdin.close()  # the input ends, so does the stream
        assert sender.wait(10) == 0
    assert receiver.finish() == 0


# ---- Ends ----

def test_the_output_is_closed(tool, peer):
    peer('write', 'cam0')
    process = subprocess.run([f'{tool} recv cam0 | head -c 1000 | wc -c; echo ${{PIPESTATUS[0]}}'], shell=True,
                             executable='/bin/bash', stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    assert process.stdout.split() == [b'1000', b'0']
    assert re.fullmatch(rb'received \d+ frames, \d+ missed\n', process.stderr)


def test_nobody_reads_the_output_and_a_signal_ends_it_all_the_same(tool, peer, wait_for, framebus_json):
    peer('write', 'cam0')
    with subprocess.Popen([tool, 'recv', 'cam0'], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.read(100)
        wait_for(lambda: framebus_json('info', 'cam0')['readers'][0]['taken'] > 0, 30, 'a frame that fills the pipe')
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert b'received' in process.stderr.read()


def test_what_a_slow_consumer_missed_is_counted(tool, peer, wait_for, framebus_json):
    peer('write', 'cam0')

    def published():
        return framebus_json('info', 'cam0')['stream']['published']
    with subprocess.Popen([tool, 'recv', '-n', '4', 'cam0'], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for(lambda: framebus_json('info', 'cam0')['readers'], 30, 'the reader')
        before = published()
        wait_for(lambda: published() > before + 40, 30, 'frames, of which a pipe holds none')
        data = process.stdout.read()
        assert process.wait(10) == 0
        frames, missed = map(int, re.match(rb'received (\d+) frames, (\d+) missed', process.stderr.read()).groups())
    assert data.count(b'FRAME\n') == frames == 4
    assert missed > 5


def test_only_so_many_frames(tool, peer, spawn):
    peer('write', 'cam0')
    for mode in ([], ['--latest']):
        result = streams.run([tool, 'recv', '--frames', '3', *mode, 'cam0'])
        assert result.returncode == 0 and result.stdout.count(b'FRAME\n') == 3


def test_signals_end_a_sender_in_order(tool, spawn, receive, tmp_path, wait_for):
    receiver = receive(mode=None)
    with subprocess.Popen([tool, 'send', 'cam0'], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as sender:
        sender.stdin.write(streams.y4m('mono', 3300, frames=2))
        sender.stdin.flush()
        receiver.until(lambda: len(receiver.data()) > 3300, what='a frame')
        sender.send_signal(signal.SIGTERM)
        assert sender.wait(10) == 0
        assert re.match(rb'sent [12] frames', sender.stderr.read())
    assert receiver.finish() == 0


def test_a_killed_writer_is_no_end(tool, peer, spawn):
    writer = peer('write', 'cam0')
    receiver = spawn(tool, 'recv', 'cam0')
    receiver.until(lambda: receiver.stdout_path.stat().st_size > 0, what='a frame')
    writer.kill()
    assert receiver.finish() == 1
    assert 'gone' in receiver.err() and 'received' in receiver.err()


def test_following_goes_on_with_the_next_writer(tool, spawn, send, bus_dir):
    stream = streams.y4m('mono', 3300)
    receiver = spawn(tool, 'recv', '--follow', '--lossless', '--frames', '10', 'cam0')
    assert send(stream).returncode == 0
    assert receiver.running()
    assert send(stream).returncode == 0
    assert receiver.finish() == 0
    assert receiver.stdout_path.read_bytes() == stream + stream[stream.index(b'\n') + 1:]


def test_no_such_bus(tool, bus_dir):
    result = streams.run([tool, 'recv', 'cam0'])
    assert result.returncode == 1 and b'cam0' in result.stderr and result.stdout == b''


def test_a_name_that_is_taken(tool, peer):
    writer = peer('write', 'cam0')
    result = streams.run([tool, 'send', 'cam0'], streams.y4m('mono', 3300))
    assert result.returncode == 1 and str(writer.pid).encode() in result.stderr


def test_a_full_disk_is_an_error(tool, peer):
    peer('write', 'cam0')
    with open('/dev/full', 'wb') as full:
        result = subprocess.run([tool, 'recv', 'cam0'], stdout=full, stderr=subprocess.PIPE, timeout=30)
    assert result.returncode == 1 and b'No space' in result.stderr
