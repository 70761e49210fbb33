# SPDX-License-Identifier: MIT
"""`framebus record` and `framebus play`: files of every kind, whole, cut off and hostile."""
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import time

import pytest
import streams


@pytest.fixture
def tool(build_dir):
    return build_dir / 'tools' / 'framebus'


@pytest.fixture
def record(spawn, tool):
    """Starts a lossless recorder that waits for the sender."""
    def start(path, *arguments, mode='--lossless', name='cam0'):
        return spawn(tool, 'record', '--wait', '60s', *([mode] if mode else []), *arguments, name, path)
    return start


@pytest.fixture
def send(tool, bus_dir):
    def run(data, *arguments, command=('send',), name='cam0'):
        result = streams.run([tool, *command, '--fast', '--lossless', '--readers', '1', *arguments, name], data)
        assert result.returncode == 0, result.stderr
        return result
    return run


@pytest.fixture
def record_stream(record, send):
    def run(path, data, *arguments, record_arguments=()):
        recorder = record(path, *record_arguments)
        send(data, *arguments)
        assert recorder.finish(30) == 0, recorder.err()
        return recorder
    return run


@pytest.fixture
def replay(record, send, tmp_path):
    """What a recorder gets when a file is played."""
    def run(path, *arguments):
        again = tmp_path / 'again.fbr'
        recorder = record(again)
        send(b'', path, *arguments, command=('play',))
        assert recorder.finish(30) == 0, recorder.err()
        return streams.parse_fbr(again.read_bytes())[0]
    return run


@pytest.fixture
def gstreamer(build_dir):
    if not (build_dir / 'gst-plugin' / 'libgstframebus.so').exists() or not shutil.which('gst-inspect-1.0'):
        pytest.skip('built without GStreamer')
    for element in ('x264enc', 'avenc_ffv1', 'matroskamux'):
        if subprocess.run(['gst-inspect-1.0', '--exists', element]).returncode:
            pytest.skip(f'GStreamer has no {element}')


@pytest.fixture
def taken(framebus_json, wait_for):
    """Waits until a reader is there and has got so many frames."""
    def wait(count):
        wait_for(lambda: (framebus_json('info', 'cam0')['readers'] or [{'taken': -1}])[0]['taken'] >= count, 30,
                 f'{count} frames')
    return wait


def raw(name, frames=3, width=37, height=21):
    return streams.noise(frames * streams.raw_size(name, width, height)), \
        ['--raw', '-f', name, '-s', f'{width}x{height}', '--rate', '50']


# ---- .fbr ----

@pytest.mark.parametrize('names', [streams.FORMATS[i:i + 9] for i in range(0, len(streams.FORMATS), 9)],
                         ids=lambda names: f'{names[0]}-{names[-1]}')
def test_every_format_comes_back_byte_for_byte(record, send, replay, tool, spawn, tmp_path, names):
    for name in names:
        path = tmp_path / f'{name}.fbr'
        recorder = record(path)
        data, arguments = raw(name)
        send(data, *arguments)
        assert recorder.finish(30) == 0
        recorded, index = streams.parse_fbr(path.read_bytes())
        assert len(recorded) == len(index) == 3
        assert struct.unpack_from('<II', recorded[0][0], 4) == (37, 21)
        receiver = spawn(tool, 'recv', '--wait', '60s', '--lossless', '--raw', 'cam0')
        send(b'', path, command=('play',))
        assert receiver.finish() == 0
        assert receiver.stdout_path.read_bytes() == data


def test_payloads_and_growing_ones(record_stream, replay, tmp_path):
    path = tmp_path / 'a.fbr'
    data = b''.join(b'\xff\xd8' + b'\xff\xe0' + struct.pack('>H', 60000) + streams.noise(59998, i) +
                    b'\xff\xda\x00\x02' + bytes(i * 50000) + b'\xff\xd9' for i in range(4))
    record_stream(path, data, '--raw', '-c', 'image/jpeg, width=4, framerate=25/1')
    recorded = streams.parse_fbr(path.read_bytes())[0]
    assert b''.join(frame[3] for frame in recorded) == data
    assert all(form.endswith(b'image/jpeg, width=4, framerate=25/1\0') for form, *_ in recorded)
    assert [frame[3] for frame in replay(path)] == [frame[3] for frame in recorded]


def test_changes_of_format_are_kept(record_stream, replay, tmp_path):
    path = tmp_path / 'a.fbr'
    record_stream(path, streams.y4m('mono', 3300) + streams.y4m('444', 36, width=4, height=3) +
                  streams.y4m('mono', 3300))
    recorded = streams.parse_fbr(path.read_bytes())[0]
    assert len({form for form, *_ in recorded}) == 2
    played = replay(path)
    assert [(form, data) for form, _, _, data in played] == [(form, data) for form, _, _, data in recorded]


def test_times_flags_and_metadata_are_kept(tool, spawn, record, replay, tmp_path, gstreamer):
    """GStreamer's regions of interest travel as metadata; here they are added by hand to a recording."""
    path, head = tmp_path / 'a.fbr', bytearray()
    form = struct.pack('<7I4BQQII4I4QII', 0x20203852, 8, 2, 30, 1, 0, 0, 1, 1, 0, 2, 0, 16, 1, 1, 8, 0, 0, 0, 0, 0, 0, 0,
                       5, 0)
    head += b'\x89FBR\r\n\x1a\n' + struct.pack('<IIqq32x', 1, 64, 0, 0)
    head += struct.pack('<4sIQ', b'FRMT', 128, 136) + form + b'\0' * 8
    head = head[:64 + 16 + 52] + struct.pack('<I', 1) + head[64 + 16 + 56:]
    meta = struct.pack('<II', 0x31323334, 5) + b'hello\0\0\0'
    metas = [meta, meta + struct.pack('<II', 0x35363738, (1 << 20) - 24) + streams.noise((1 << 20) - 24, 1), b'']
    for i, meta in enumerate(metas):
        fields = (7 + i, i, 1000000 * i + 50, 1000000 * i + 60, 42, 3, len(meta), 1, 0, 4, 1, 16)
        head += struct.pack('<4sIQ', b'FRAM', 88, 88 + len(meta) + 16) + struct.pack('<QQqqqIIIIIIQ', *fields) + \
            meta + bytes(range(i, 16 + i))
    path.write_bytes(head)
    played = replay(path)
    assert [data for *_, data in played] == [bytes(range(i, 16 + i)) for i in range(3)]
    for (form_again, fields, meta_again, _), meta in zip(played, metas):
        assert (form_again[:52], form_again[56:]) == (form[:52], form[56:] + b'\0')
        assert meta_again == meta
        assert fields[4:6] == (42, 3) and fields[7:11] == (1, 0, 4, 1)


def test_frames_come_with_the_times_they_were_recorded_with(tool, spawn, record, tmp_path):
    stream = streams.y4m('mono', 3300, frames=6, head='F10:1 Ip')
    first, second = tmp_path / 'a.fbr', tmp_path / 'b.fbr'
    recorder = record(first, mode=None)
    assert streams.run([tool, 'send', '--readers', '1', 'cam0'], stream).returncode == 0
    assert recorder.finish() == 0

    def span(path):
        times = [fields[3] for _, fields, _, _ in streams.parse_fbr(path.read_bytes())[0]]
        assert len(times) == 6
        return (times[-1] - times[0]) / 1e9
    assert span(first) >= 0.49
    for arguments, least in ((['--rate', '0.5'], 2 * span(first) - 0.02), ([], span(first) - 0.02)):
        recorder = record(second, '--force', mode=None)
        assert streams.run([tool, 'play', '--readers', '1', *arguments, first, 'cam0']).returncode == 0
        assert recorder.finish() == 0
        assert span(second) >= least


@pytest.mark.parametrize('end', ['fbr', 'y4m'])
def test_loops_until_a_signal(record_stream, spawn, tool, tmp_path, end):
    path = tmp_path / f'a.{end}'
    record_stream(path, streams.y4m('mono', 3300, frames=3))
    player = spawn(tool, 'play', '--loop', path, 'cam0')
    result = streams.run([tool, 'recv', '--wait', '30s', '--frames', '10', 'cam0'])
    assert result.returncode == 0 and result.stdout.count(b'FRAME\n') == 10
    assert player.running() and player.stop(signal.SIGTERM) == 0
    assert int(re.search(r'played (\d+) frames', player.err()).group(1)) >= 10


def test_a_recording_cut_off_anywhere_is_played_as_far_as_it_goes(record_stream, tool, spawn, tmp_path, bus_dir):
    path = tmp_path / 'a.fbr'
    record_stream(path, streams.y4m('mono', 12, width=4, height=3))
    data = path.read_bytes()
    whole = [at for at, *_ in streams.parse_fbr(data)[1]]
    for length in sorted({*range(0, len(data), 37), *whole, len(data) - 1, len(data)}):
        path.write_bytes(data[:length])
        result = streams.run([tool, 'play', '--fast', path, 'cam0'])
        size = 88 + 16
        frames = sum(at + size <= length for at in whole)
        if length < 64:
            assert result.returncode == 1 and b'not a .fbr' in result.stderr
        else:
            assert result.returncode == 0
            assert f'played {frames} frames'.encode() in result.stderr
            assert (b'cut off' in result.stderr) == (length < len(data))


def test_a_killed_recorder_leaves_a_file_that_can_be_played(peer, spawn, tool, tmp_path):
    peer('write', 'cam0')
    path = tmp_path / 'a.fbr'
    recorder = spawn(tool, 'record', 'cam0', path)
    recorder.until(lambda: path.exists() and path.stat().st_size > 10 * 115200, what='frames')
    recorder.kill()
    result = streams.run([tool, 'play', '--fast', path, 'cam1'])
    assert result.returncode == 0 and b'cut off' in result.stderr
    assert int(re.search(rb'played (\d+) frames', result.stderr).group(1)) >= 9


def test_hostile_files_are_refused_or_played_but_never_believed(record_stream, tool, tmp_path):
    path = tmp_path / 'a.fbr'
    record_stream(path, streams.y4m('420jpeg', 24, width=4, height=4, frames=2))
    data = path.read_bytes()
    for at in range(8, len(data), 4):
        value = (0, 0x7fffffff, 0xffffffff)[at // 4 % 3]
        path.write_bytes(data[:at] + struct.pack('<I', value)[:len(data) - at] + data[at + 4:])
        result = streams.run([tool, 'play', '-q', '--fast', path, 'cam0'])
        assert result.returncode in (0, 1), (at, value, result.stderr)


def test_a_recording_of_the_other_byte_order_is_refused_by_name(record_stream, tool, tmp_path):
    path = tmp_path / 'a.fbr'
    record_stream(path, streams.y4m('420jpeg', 24, width=4, height=4, frames=2))
    data = path.read_bytes()
    path.write_bytes(data[:8] + data[11:7:-1] + data[12:])
    result = streams.run([tool, 'play', '--fast', path, 'cam0'])
    assert result.returncode == 1 and b'byte order' in result.stderr, result.stderr


def test_numbers_that_cannot_be_are_named(record_stream, tool, tmp_path):
    path = tmp_path / 'a.fbr'
    record_stream(path, streams.y4m('420jpeg', 24, width=4, height=4, frames=2))
    data = path.read_bytes()
    places = {
        64 + 56: 4 << 30,  # a picture larger than the file: would be 4 GiB of memory
        64 + 88: 1 << 40,  # a plane outside of it
        64 + 136 + 80: 1 << 40,  # a frame larger than its record
        len(data) - 32 - 48: 8,  # the index points to nowhere
    }
    for at, value in places.items():
        path.write_bytes(data[:at] + struct.pack('<Q', value) + data[at + 8:])
        result = streams.run([tool, 'play', '--fast', path, 'cam0'])
        assert result.returncode == 1 and b'frame 0, at byte' in result.stderr, (at, result.stderr)


def test_a_file_that_is_something_else(tool, tmp_path, bus_dir):
    for end in ('fbr', 'y4m'):
        path = tmp_path / f'a.{end}'
        path.write_bytes(streams.noise(5000))
        result = streams.run([tool, 'play', path, 'cam0'])
        assert result.returncode == 1 and result.stderr.startswith(b'framebus play: ')
    assert streams.run([tool, 'play', tmp_path / 'none.fbr', 'cam0']).returncode == 1


# ---- .y4m ----

def test_y4m_is_what_it_was(record_stream, tool, tmp_path):
    path = tmp_path / 'a.y4m'
    stream = streams.y4m('422p10', 13200, depth=10)
    record_stream(path, stream)
    assert path.read_bytes() == stream


def test_y4m_refuses_rgb_unless_it_may_convert(record, send, record_stream, tool, tmp_path):
    path = tmp_path / 'a.y4m'
    data, arguments = raw('BGRx')
    recorder = record(path, mode=None)
    streams.run([tool, 'send', '--readers', '1', *arguments, 'cam0'], data)
    assert recorder.finish() == 1
    assert '--convert' in recorder.err() and not path.exists()
    record_stream(path, data, *arguments, record_arguments=['--convert'])
    assert path.read_bytes().startswith(b'YUV4MPEG2 W37 H21 F50:1 Ip A0:0 C444 ')


# ---- .mkv ----

MKV = {  # format: bits of the values where not all of the word's are used
    'NV12': 8, 'NV21': 8, 'YUY2': 8, 'P010_10LE': 8, 'Y444_10LE': 10, 'P012_LE': 8, 'GRAY16_LE': 8, 'RGB': 8,
    'BGRA': 8, 'r210': 8, 'VUYA': 8,
}


@pytest.mark.parametrize('name', MKV)
def test_mkv_keeps_every_value(gstreamer, record, send, spawn, tool, tmp_path, name):
    path = tmp_path / 'a.mkv'
    data, arguments = raw(name, width=66, height=50)
    if MKV[name] > 8:
        mask = (1 << MKV[name]) - 1 >> 8
        data = bytes(byte & mask if at & 1 else byte for at, byte in enumerate(data))
    recorder = record(path)
    send(data, *arguments)
    assert recorder.finish(30) == 0, recorder.err()

    def pictures(*arguments, stdin=b'', command):
        receiver = spawn(tool, 'recv', '--wait', '60s', '--lossless', '--convert', 'cam0')
        send(stdin, *arguments, command=command)
        assert receiver.finish(30) == 0, receiver.err()
        return receiver.stdout_path.read_bytes().partition(b'\n')[2]
    assert pictures(path, command=('play',)) == pictures(*arguments, stdin=data, command=('send',))


def test_mkv_keeps_times(gstreamer, record, spawn, tool, tmp_path, replay):
    path = tmp_path / 'a.mkv'
    recorder = record(path, mode=None)
    streams.run([tool, 'send', '--readers', '1', 'cam0'], streams.y4m('420jpeg', 4950, frames=6, head='F10:1 Ip'))
    assert recorder.finish(30) == 0
    again = tmp_path / 'b.fbr'
    recorder = record(again, mode=None)
    assert streams.run([tool, 'play', '--readers', '1', path, 'cam0']).returncode == 0
    assert recorder.finish(30) == 0
    times = [fields[3] for _, fields, _, _ in streams.parse_fbr(again.read_bytes())[0]]
    assert len(times) == 6 and times[-1] - times[0] >= 0.48e9


def test_mkv_stores_jpeg_as_it_comes(gstreamer, record_stream, tool, spawn, send, tmp_path):
    if not shutil.which('ffmpeg'):
        pytest.skip('there is no ffmpeg')
    path = tmp_path / 'a.mkv'
    data = streams.run(['ffmpeg', '-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=320x240', '-frames:v', '5',
                        '-c:v', 'mjpeg', '-f', 'mjpeg', '-']).stdout
    record_stream(path, data, '--raw', '-c', 'image/jpeg,framerate=25/1')
    assert streams.run(['ffmpeg', '-v', 'error', '-i', path, '-c', 'copy', '-f', 'mjpeg', '-']).stdout == data
    receiver = spawn(tool, 'recv', '--wait', '60s', '--lossless', '--raw', 'cam0')
    send(b'', path, '--payload', command=('play',))
    assert receiver.finish() == 0
    assert receiver.stdout_path.read_bytes() == data


def test_mkv_stores_h264_as_it_comes(gstreamer, record, spawn, tool, tmp_path):
    path = tmp_path / 'a.mkv'
    recorder = record(path, mode=None)
    encoder = ['x264enc', 'bframes=2', 'b-adapt=false', 'key-int-max=5', 'speed-preset=ultrafast', 'tune=0']
    source = spawn('gst-launch-1.0', 'videotestsrc', 'num-buffers=20', 'is-live=true', 'pattern=ball', '!',
                   'video/x-raw,width=160,height=120,framerate=20/1', '!', *encoder, '!',
                   'video/x-h264,stream-format=byte-stream', '!', 'framebussink', 'bus=cam0')
    assert source.finish(60) == 0
    assert recorder.finish(30) == 0, recorder.err()
    if not shutil.which('ffprobe'):
        pytest.skip('there is no ffprobe')
    out = streams.run(['ffprobe', '-v', 'error', '-show_entries', 'stream=codec_name:frame=pts_time', '-of', 'csv=p=0',
                       path])
    name, *lines = sorted(out.stdout.decode().split(), reverse=True)
    assert name == 'h264'
    times = sorted(float(line.strip(',')) for line in lines)
    steps = [later - before for before, later in zip(times, times[1:])]
    assert len(times) >= 5 and all(0.03 < step < 2 for step in steps), times


def test_mkv_refuses_what_it_cannot_keep(gstreamer, record, tool, tmp_path):
    path = tmp_path / 'a.mkv'
    for data, arguments, word in ((*raw('RGBA64_LE'), 'RGBA64_LE'),
                                  (bytes(100), ['--raw', '-c', 'application/x-a', '--frame-bytes', '10'], '.fbr')):
        recorder = record(path, mode=None)
        streams.run([tool, 'send', '--readers', '1', *arguments, 'cam0'], data)
        assert recorder.finish() == 1
        assert word in recorder.err() and not path.exists()


@pytest.mark.parametrize('cut', [0, 100, 3000])
def test_a_damaged_mkv_ends_with_a_reason(gstreamer, record_stream, tool, tmp_path, cut):
    path = tmp_path / 'a.mkv'
    record_stream(path, streams.y4m('420jpeg', 4950))
    path.write_bytes(streams.noise(4000) if not cut else path.read_bytes()[:cut])
    result = streams.run([tool, 'play', '--fast', path, 'cam0'], limit=60)
    assert result.returncode in (0, 1)
    assert result.returncode == 0 or b'framebus play: ' in result.stderr


# ---- Ends ----

@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_completes_the_file(peer, spawn, tool, tmp_path, number):
    peer('write', 'cam0')
    path = tmp_path / 'a.fbr'
    recorder = spawn(tool, 'record', '--json', 'cam0', path)
    recorder.until(lambda: path.exists() and path.stat().st_size > 200000, what='a frame')
    assert recorder.stop(number) == 0
    frames, index = streams.parse_fbr(path.read_bytes())
    told = json.loads(recorder.out())
    assert len(frames) == len(index) == told['frames'] > 0
    assert told['bytes'] == path.stat().st_size
    assert told['missed'] == sum(fields[1] for _, fields, _, _ in frames)


def test_a_signal_given_twice_in_a_row_is_one(peer, spawn, tool, tmp_path):
    peer('write', 'cam0')
    path = tmp_path / 'a.fbr'
    recorder = spawn(tool, 'record', 'cam0', path)
    recorder.until(lambda: path.exists() and path.stat().st_size > 200000, what='a frame')
    for _ in range(3):
        os.kill(recorder.pid, signal.SIGINT)  # not reaped before finish(): nobody else's pid
        time.sleep(0.001)
    assert recorder.finish() == 0, recorder.err()
    assert streams.parse_fbr(path.read_bytes())[1]


def test_a_second_signal_ends_what_takes_too_long(peer, spawn, tool, tmp_path, taken):
    """The file is a pipe that nobody reads."""
    peer('write', 'cam0')
    os.mkfifo(tmp_path / 'a.fbr')
    pipe = os.open(tmp_path / 'a.fbr', os.O_RDWR)
    recorder = spawn(tool, 'record', '--force', 'cam0', tmp_path / 'a.fbr')
    taken(5)
    recorder.send_signal(signal.SIGINT)
    time.sleep(1.5)
    assert recorder.running()
    assert recorder.stop(signal.SIGINT) == 1
    assert 'not complete' in recorder.err()
    os.close(pipe)


def test_only_so_many_frames_or_so_long(peer, tool, tmp_path):
    peer('write', 'cam0')
    path = tmp_path / 'a.fbr'
    assert streams.run([tool, 'record', '-q', '--frames', '5', 'cam0', path]).returncode == 0
    assert len(streams.parse_fbr(path.read_bytes())[0]) == 5
    began = time.monotonic()
    assert streams.run([tool, 'record', '--force', '--for', '300ms', 'cam0', path]).returncode == 0
    assert time.monotonic() - began >= 0.3
    assert 1 <= len(streams.parse_fbr(path.read_bytes())[0])


def test_a_killed_writer_leaves_a_complete_file_and_a_word(peer, spawn, tool, tmp_path):
    writer = peer('write', 'cam0')
    path = tmp_path / 'a.fbr'
    recorder = spawn(tool, 'record', 'cam0', path)
    recorder.until(lambda: path.exists() and path.stat().st_size > 200000, what='a frame')
    writer.kill()
    assert recorder.finish() == 1
    assert 'gone' in recorder.err()
    frames, index = streams.parse_fbr(path.read_bytes())
    assert len(frames) == len(index) > 0


def test_what_exists_is_not_replaced_unasked(peer, tool, tmp_path):
    peer('write', 'cam0')
    path = tmp_path / 'a.fbr'
    path.write_bytes(b'precious')
    result = streams.run([tool, 'record', '--frames', '1', 'cam0', path])
    assert result.returncode == 1 and b'--force' in result.stderr
    assert path.read_bytes() == b'precious'
    assert streams.run([tool, 'record', '--frames', '1', '--force', 'cam0', path]).returncode == 0
    assert streams.parse_fbr(path.read_bytes())


def test_a_slow_disk_costs_counted_frames_and_never_the_writer(peer, spawn, tool, tmp_path, framebus_json, wait_for):
    """The disk is a pipe that nobody reads."""
    peer('write', 'cam0')
    path = tmp_path / 'a.fbr'
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDWR)
    recorder = spawn(tool, 'record', '--json', '--force', '--memory', '1M', '--frames', '15', 'cam0', path)
    before = framebus_json('info', 'cam0')['stream']['published']
    wait_for(lambda: framebus_json('info', 'cam0')['stream']['published'] > before + 50, 30, 'frames')
    data = b''
    os.set_blocking(pipe, False)
    while recorder.running():
        try:
            data += os.read(pipe, 1 << 20)
        except BlockingIOError:
            time.sleep(0.01)
    try:
        while True:
            data += os.read(pipe, 1 << 20)
    except BlockingIOError:
        os.close(pipe)
    frames, _ = streams.parse_fbr(data)
    told = json.loads(recorder.out())
    assert told['dropped'] > 10 and told['frames'] == len(frames) == 15
    numbers = [fields[0] for _, fields, _, _ in frames]
    for (_, fields, _, _), before, now in zip(frames[1:], numbers, numbers[1:]):
        assert fields[1] == now - before - 1  # what is missing is told where it is missing


def test_a_full_disk_is_told(peer, tool, tmp_path):
    peer('write', 'cam0')
    (tmp_path / 'full.fbr').symlink_to('/dev/full')
    result = streams.run([tool, 'record', '--force', 'cam0', tmp_path / 'full.fbr'])
    assert result.returncode == 1 and b'No space' in result.stderr


@pytest.mark.parametrize('arguments, word', [
    (['record', 'cam0'], 'name of a file'),
    (['record', 'cam0', 'a.avi'], '.fbr, .y4m or .mkv'),
    (['record', 'cam0', '.mkv'], '.fbr, .y4m or .mkv'),
    (['record', '--convert', 'cam0', 'a.fbr'], '--convert'),
    (['record', '--last', '1', '--lossless', 'cam0', 'a.fbr'], 'exclude'),
    (['record', '--memory', 'much', 'cam0', 'a.fbr'], '2G'),
    (['play', 'a.fbr'], 'name of a bus'),
    (['play', 'a.avi', 'cam0'], '.fbr, .y4m or .mkv'),
    (['play', '--rate', '0', 'a.fbr', 'cam0'], 'above 0'),
    (['play', '--rate', '2', '--fast', 'a.fbr', 'cam0'], 'exclude'),
    (['play', '--payload', 'a.fbr', 'cam0'], '.mkv'),
])
def test_wrong_command_lines_are_explained(tool, bus_dir, arguments, word):
    result = streams.run([tool, *arguments])
    assert result.returncode == 2 and word in result.stderr.decode()


# ---- The flight recorder ----

def age(frames):
    times = [fields[3] for _, fields, _, _ in frames]
    return (times[-1] - times[0]) / 1e9


def test_the_last_seconds_are_saved_when_the_writer_is_killed(peer, spawn, tool, tmp_path, taken, framebus_json):
    writer = peer('write', 'cam0')
    path = tmp_path / 'a.fbr'
    recorder = spawn(tool, 'record', '--last', '500ms', 'cam0', path)
    taken(80)
    assert not path.exists()
    last = framebus_json('info', 'cam0')['stream']['published']
    writer.kill()
    assert recorder.finish() == 0
    frames, index = streams.parse_fbr(path.read_bytes())
    assert 1 < len(frames) == len(index) and age(frames) <= 0.5
    assert frames[-1][1][0] >= last - 1  # to the very last one


def test_a_signal_saves_and_it_goes_on(peer, spawn, tool, tmp_path, taken):
    peer('write', 'cam0')
    recorder = spawn(tool, 'record', '--last', '10s', 'cam0', tmp_path / 'a.fbr')
    for count, name in ((20, 'a.fbr'), (60, 'a-2.fbr')):
        taken(count)
        recorder.send_signal(signal.SIGUSR1)
        recorder.until(lambda: f'{name}: ' in recorder.err(), what=name)
    assert recorder.stop(signal.SIGTERM) == 0
    first, second, third = (streams.parse_fbr((tmp_path / name).read_bytes())[0]
                            for name in ('a.fbr', 'a-2.fbr', 'a-3.fbr'))
    assert first[0][1][0] == second[0][1][0] == third[0][1][0]  # all of them begin where it began
    assert len(first) < len(second) <= len(third)


def test_memory_that_does_not_last_is_told(peer, spawn, tool, tmp_path, taken):
    peer('write', 'cam0')
    path = tmp_path / 'a.fbr'
    recorder = spawn(tool, 'record', '--last', '10s', '--memory', '1M', '--json', 'cam0', path)
    taken(30)
    assert recorder.stop() == 0
    assert re.search(r'lasts for only 0\.\d s, not 10\.0 s', recorder.err())
    frames, _ = streams.parse_fbr(path.read_bytes())
    assert 5 <= len(frames) <= 9
    assert json.loads(recorder.out())['shortened'] is True


def test_following_saves_at_every_death(peer, spawn, tool, tmp_path, taken):
    recorder = spawn(tool, 'record', '--last', '5s', '--follow', 'cam0', tmp_path / 'a.fbr')
    for name in ('a.fbr', 'a-2.fbr'):
        writer = peer('write', 'cam0')
        taken(5)
        writer.kill()
        recorder.until(lambda: f'{name}: ' in recorder.err(), what=name)
    assert recorder.stop(signal.SIGINT) == 0


def test_a_crash_as_mkv(gstreamer, peer, spawn, tool, tmp_path, taken):
    writer = peer('write', 'cam0')
    path = tmp_path / 'crash.mkv'
    recorder = spawn(tool, 'record', '--last', '500ms', 'cam0', path)
    taken(20)
    writer.kill()
    assert recorder.finish(30) == 0, recorder.err()
    assert path.read_bytes()[:4] == b'\x1aE\xdf\xa3'


def test_nothing_came_nothing_is_left(peer, spawn, tool, tmp_path, taken, framebus_json, wait_for):
    peer('write', 'cam0', idle=1)
    for arguments in ([], ['--last', '1s']):
        recorder = spawn(tool, 'record', *arguments, 'cam0', tmp_path / 'a.fbr')
        taken(0)
        recorder.stop()
        assert 'no frame came' in recorder.err() and not (tmp_path / 'a.fbr').exists()
        wait_for(lambda: not framebus_json('info', 'cam0')['readers'], 30, 'the end of the reader')


def test_progress_on_a_terminal_and_only_there(peer, tool, tmp_path):
    peer('write', 'cam0')
    terminal, other_side = os.openpty()
    with subprocess.Popen([tool, 'record', '--for', '1500ms', 'cam0', tmp_path / 'a.fbr'], stderr=other_side) as process:
        assert process.wait(30) == 0
    os.close(other_side)
    text = os.read(terminal, 65536).decode()
    os.close(terminal)
    assert re.search(r'\r\x1b\[K[0-9.]+ m?s  \d+ frames  [0-9.]+ MiB  \d+ missed', text)
    result = streams.run([tool, 'record', '--for', '600ms', 'cam0', tmp_path / 'b.fbr'])
    assert re.fullmatch(rb'\S*b\.fbr: \d+ frames, [0-9.]+ m?s, [0-9.]+ MiB; missed \d+, dropped \d+\n', result.stderr)
