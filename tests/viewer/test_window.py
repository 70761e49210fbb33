# SPDX-License-Identifier: MIT
"""framebus-view in a real window under Xvfb: what is on the screen, and what keys do.

Tolerance as in test_screenshot.py. 'opengl' is the way that a graphics card takes (here in
Mesa's software), 'software' is SDL's own.
"""
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from picture import BACKGROUND, Image, difference

TOLERANCE = 4


def shows(width, height, **options):
    def look(image):
        return (image.width, image.height) == (width, height) and difference(image, width, height, **options) <= TOLERANCE
    return look


def is_dark(image):
    """Nothing of the bars: only grey text, and one small accent, on the dark ground."""
    dark = sum(image.data[i:i + 3] == bytes(BACKGROUND) for i in range(0, len(image.data), 3))
    return dark > 0.8 * image.width * image.height and (255, 255, 0) not in image.colors()


def has_text(image):
    return any(min(color) > 200 for color in image.colors())


def count(image, color):
    return sum(image.data[i:i + 3] == bytes(color) for i in range(0, len(image.data), 3))


@pytest.mark.parametrize('renderer', ['software', 'opengles2'])
@pytest.mark.parametrize('name', ['BGRx', 'RGBx', 'RGB', 'I420', 'YV12', 'NV12', 'NV21', 'YUY2', 'GRAY8', 'P010_10LE'])
def test_the_window_shows_what_is_published(publish, view, name, renderer):
    publish('cam0', format=name, size='160x120')
    window = view('cam0', '--renderer', renderer)
    window.until(shows(160, 120, gray='unknown' if name == 'GRAY8' else None), 'the picture')
    assert window.title() == 'cam0'


@pytest.mark.parametrize('renderer', ['opengl', 'opengles2'])
@pytest.mark.parametrize('matrix', ['bt601', 'bt709', 'bt2020'])
@pytest.mark.parametrize('range', ['limited', 'full'])
def test_colours_on_a_graphics_card(publish, view, matrix, range, renderer):
    publish('cam0', format='NV12', size='160x120', matrix=matrix, range=range)
    view('cam0', '--renderer', renderer).until(shows(160, 120), 'the picture')


def test_two_matrices_side_by_side_on_a_graphics_card(publish, view):
    publish('sd', format='NV12', size='160x120', matrix='bt601', flat='0,1,0')
    publish('hd', format='NV12', size='160x120', matrix='bt709', flat='0,1,0')
    window = view('sd', 'hd', '--renderer', 'opengl', '--geometry', '642x240')
    window.until(lambda image: all(abs(a - b) <= TOLERANCE for x in (160, 480)
                                   for a, b in zip(image.at(x, 100), (0, 255, 0))), 'two green pictures')


def test_no_signal_after_the_writer_was_killed_and_then_the_next_writer(publish, view):
    writer = publish('cam0', format='NV12', size='320x240')
    window = view('cam0')
    window.until(shows(320, 240), 'the picture')
    writer.kill()
    window.until(lambda image: is_dark(image) and has_text(image), 'a dark window with words')
    window.process.until(lambda: window.title() == 'cam0 - No signal', what='the title')
    publish('cam0', format='YUY2', size='400x200')
    window.until(shows(400, 200), 'the next picture')
    window.process.until(lambda: window.title() == 'cam0', what='the title')


def test_the_end_of_the_stream_is_told(publish, view):
    publish('cam0', '--end', frames=30, size='160x120')
    window = view('cam0')
    window.process.until(lambda: window.title() == 'cam0 - End of stream', what='the title')
    window.until(is_dark, 'a dark window')


def test_a_writer_that_stops_sending_is_told(publish, view):
    writer = publish('cam0', size='160x120')
    window = view('cam0')
    window.until(shows(160, 120), 'the picture')
    writer.send_signal(signal.SIGSTOP)
    window.process.until(lambda: window.title() == 'cam0 - No signal', what='the title')
    writer.send_signal(signal.SIGCONT)
    window.until(shows(160, 120), 'the picture again')


def test_waiting_is_told(view):
    window = view('cam0')
    window.until(lambda image: is_dark(image) and has_text(image), 'words')
    assert window.title() == 'cam0 - Waiting'


def test_without_any_font_the_title_tells(publish, view, tmp_path):
    (tmp_path / 'fonts.conf').write_text('<?xml version="1.0"?><fontconfig></fontconfig>')
    writer = publish('cam0', size='160x120')
    window = view('cam0', '--title', 'My camera', env={'FONTCONFIG_FILE': str(tmp_path / 'fonts.conf')})
    window.until(shows(160, 120), 'the picture')
    assert window.title() == 'My camera'
    writer.kill()
    window.until(is_dark, 'a dark window')
    window.process.until(lambda: window.title() == 'My camera - No signal', what='the title')
    window.key('i')
    window.key('h')
    window.key('q')
    assert window.process.finish() == 0


@pytest.mark.parametrize('key', ['q', 'Escape'])
def test_keys_that_quit(publish, view, key):
    publish('cam0', size='160x120')
    window = view('cam0')
    window.key(key)
    assert window.process.finish() == 0


def test_a_message_to_the_window_that_is_gone_is_no_error(publish, view, build_dir):
    publish('cam0', size='160x120')
    window = view('cam0', env={'LD_PRELOAD': str(build_dir / 'tests/viewer/late-wake.so'),
                               'ASAN_OPTIONS': 'detect_leaks=0:verify_asan_link_order=0'})
    window.key('q')
    assert window.process.finish() == 0
    if 'sent late' not in window.process.err():
        pytest.skip('SDL calls Xlib by another way')


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_while_nothing_comes(view, number):
    window = view('cam0')
    window.process.send_signal(number)
    assert window.process.finish() == 0


def test_f_fills_the_screen_and_back(publish, view, window_manager):
    publish('cam0', size='160x120')
    window = view('cam0')
    window.until(shows(160, 120), 'the picture')
    window.key('f')
    window.process.until(lambda: window.size() == (1280, 800), what='full screen')
    window.until(lambda image: image.at(100, 5) == image.at(1200, 5) == BACKGROUND and
                 image.at(130, 5) == (255, 255, 255), 'the picture, enlarged, in the middle')
    window.key('f')
    window.process.until(lambda: window.size() == (160, 120), what='the old size')


def test_space_pauses_without_holding_a_slot(publish, view, spawn, build_dir):
    tool = build_dir / 'tools/framebus'
    first = publish('cam0', size='160x120', flat='1,0,0')
    window = view('cam0')
    window.until(lambda image: image.at(80, 10) == (255, 0, 0), 'red')
    window.key('space')
    window.process.until(lambda: window.title() == 'cam0 - paused', what='the title')
    if tool.exists():
        info = spawn(tool, 'info', 'cam0', '--json')
        assert info.finish() == 0
        assert '"held": 0' in info.out().replace('"held":0', '"held": 0')
    first.kill()
    publish('cam0', size='160x120', flat='0,0,1')
    time.sleep(1)
    assert window.image().at(80, 110) == (255, 0, 0)
    window.key('period')  # the last frame of the first writer, perhaps
    window.key('period')
    window.until(lambda image: image.at(80, 110) == (0, 0, 255), 'the next frame')
    window.process.until(lambda: window.title() == 'cam0 - paused', what='the title')
    window.key('space')
    window.process.until(lambda: window.title() == 'cam0', what='the title')


def test_minimised_it_holds_nothing_and_comes_back(publish, view, spawn, build_dir, window_manager):
    tool = build_dir / 'tools/framebus'
    if not tool.exists():
        pytest.skip('built without the framebus command')
    publish('cam0', size='160x120', rate=60)
    window = view('cam0')
    window.until(shows(160, 120), 'the picture')
    window.tool('xdotool', 'windowminimize', window.id)

    def map_state():
        return window.tool('xwininfo', '-id', window.id).stdout.split('Map State: ')[1].split()[0]

    window.process.until(lambda: map_state() == 'IsUnMapped', what='no window')
    seen = []
    for _ in range(20):  # one frame a second is looked at, none is kept
        info = spawn(tool, 'info', 'cam0', '--json')
        assert info.finish() == 0
        seen += json.loads(info.out())['readers']
        time.sleep(0.15)
    assert len(seen) == 20
    assert [reader['held'] for reader in seen].count(0) >= 18
    assert seen[-1]['taken'] - seen[0]['taken'] < 30, 'of 180 published, at the least'
    window.tool('xdotool', 'windowactivate', '--sync', window.id)
    window.process.until(lambda: map_state() == 'IsViewable', what='the window')
    # import looks at what the window manager says of the window, and that comes a moment later.
    window.process.until(lambda: window.tool('import', '-window', window.id, str(window.file)).returncode == 0, 20,
                         'a window that can be read')
    window.until(shows(160, 120), 'the picture again')


def test_r_turns_and_m_mirrors(publish, view):
    publish('cam0', format='BGRx', size='160x160')
    window = view('cam0', '--scale', 'nearest')
    window.until(shows(160, 160), 'the picture')
    window.key('r')
    # Turned clockwise: white is above, black below, and the ramp on the left.
    window.until(lambda image: image.at(100, 5) == (255, 255, 255) and image.at(100, 155) == (0, 0, 0) and
                 image.at(5, 5) != (255, 255, 255), 'a turned picture')
    window.key('r', 'r', 'r')
    window.until(shows(160, 160), 'the picture')
    window.key('m')
    window.until(lambda image: image.at(5, 5) == (0, 0, 0) and image.at(155, 5) == (255, 255, 255), 'a mirrored picture')


def test_a_picture_is_turned_as_its_format_says(publish, view):
    publish('cam0', format='BGRx', size='160x120', orientation='1')
    window = view('cam0', '--scale', 'nearest')
    window.until(lambda image: image.width == 120 and
                 image.at(100, 5) == (255, 255, 255) and image.at(100, 155) == (0, 0, 0), 'a turned picture')


def test_zoom_and_fit(publish, view):
    publish('cam0', format='BGRx', size='160x120')
    window = view('cam0', '--geometry', '320x240', '--scale', 'nearest')
    window.until(lambda image: image.at(2, 2) == (255, 255, 255), 'the picture, enlarged')
    window.key('1')
    window.until(lambda image: image.at(2, 2) == BACKGROUND and image.at(82, 62) == (255, 255, 255), '100 %')
    window.key('2')
    window.until(lambda image: image.at(2, 2) == (255, 255, 255), '200 %')
    window.key('plus', 'plus', 'plus')
    window.until(lambda image: image.at(2, 2) != (255, 255, 255), 'more')
    window.key('minus', 'minus', 'minus')
    window.until(lambda image: image.at(2, 2) == (255, 255, 255), 'less')
    window.key('1')
    window.key('0')
    window.until(lambda image: image.at(2, 2) == (255, 255, 255), 'all of it')


def test_the_wheel_zooms_at_the_pointer_and_dragging_moves(publish, view):
    publish('cam0', format='BGRx', size='160x120')
    window = view('cam0', '--geometry', '320x240', '--scale', 'nearest')
    window.until(lambda image: image.at(2, 2) == (255, 255, 255), 'the picture')
    window.point(140, 60)  # green, beside cyan
    window.tool('xdotool', 'click', '--repeat', '17', '4')
    window.until(lambda image: {image.at(x, y) for x in (2, 317) for y in (2, 120)} == {(0, 255, 0)}, 'a part of the green bar')
    window.tool('xdotool', 'mousedown', '1')
    for x in range(140, 301, 10):
        window.point(x, 60)
    window.tool('xdotool', 'mouseup', '1')
    window.until(lambda image: image.at(2, 60) == (0, 255, 255) and image.at(317, 60) == (0, 255, 0), 'cyan on the left')


def test_x_shows_the_pixel_at_the_pointer(publish, view):
    """Its colour comes in a loupe beside the pointer, over bars of other colours. What it reads as: pixels/test-formats.c."""
    publish('cam0', format='NV12', size='640x480')
    window = view('cam0')
    window.until(shows(640, 480), 'the picture')

    def elsewhere(image, color, bar):
        near = sum(all(abs(a - b) <= TOLERANCE for a, b in zip(image.at(x, y), color))
                   for y in range(0, 360, 3) for x in range(0, 640, 3) if x // 80 != bar)
        return near * 9 > 2000

    window.point(120, 100)
    window.key('x')
    window.until(lambda image: elsewhere(image, (255, 255, 0), 1), 'yellow in the loupe')
    assert max(window.image().at(612, 392)) < 60, 'the histogram'
    window.point(520, 100)
    window.until(lambda image: elsewhere(image, (0, 0, 255), 6), 'blue in the loupe')
    window.key('x')
    window.until(shows(640, 480), 'the picture alone')


def test_x_knows_pixels_of_turned_paused_and_compressed_pictures(publish, view, tmp_path):
    subprocess.run(['convert', '-size', '640x480', 'xc:#c03060', str(tmp_path / 'a.jpg')], check=True)
    publish('jpeg', caps='image/jpeg, width=640, height=480', file=tmp_path / 'a.jpg')
    publish('raw', format='P010_10LE', size='640x480')
    window = view('raw', 'jpeg', '--geometry', '1280x480')
    window.until(lambda image: image.at(2, 20) == (255, 255, 255) and image.at(1000, 20)[1] < 60, 'both pictures')
    window.key('space', 'x')
    for x, y, keys in ((300, 100, 'r'), (900, 300, 'm'), (5, 475, 'r'), (638, 2, 'period'), (1279, 479, 'x')):
        window.point(x, y)
        window.key(keys)
    window.key('q')
    assert window.process.finish() == 0


def test_i_shows_information_and_h_the_keys(publish, view):
    publish('cam0', size='640x480', flat='1,1,1')
    window = view('cam0')
    white = window.until(lambda image: image.colors() == {b'\xff\xff\xff'}, 'a white picture')
    window.key('i')
    window.until(lambda image: count(image, (255, 255, 255)) < 0.9 * 640 * 480 and image.at(639, 479) == (255, 255, 255), 'information')
    window.key('Tab')
    window.until(lambda image: image.data == white.data, 'the picture alone')
    window.key('h')
    window.until(lambda image: count(image, (255, 255, 255)) < 0.9 * 640 * 480, 'keys')
    window.key('question')
    window.until(lambda image: image.data == white.data, 'the picture alone')


def test_the_first_motion_of_the_pointer_tells_where_the_keys_are(publish, view):
    publish('cam0', size='640x480', flat='1,1,1')
    window = view('cam0')
    white = window.until(lambda image: image.colors() == {b'\xff\xff\xff'}, 'a white picture')
    window.point(100, 100)
    window.until(lambda image: max(image.at(270, 430)) < 60, 'a hint at the bottom')
    window.until(lambda image: image.data == white.data, 'the picture alone')
    window.point(200, 200)
    window.key('h')
    window.until(lambda image: max(image.at(20, 20)) < 60 and image.at(320, 470) == (255, 255, 255), 'the keys')
    assert window.image().at(270, 430) == (255, 255, 255), 'once is enough'


def test_s_saves_the_picture_as_it_is(publish, view, tmp_path):
    publish('cam0', format='NV12', size='160x120')
    (tmp_path / 'here').mkdir()
    window = view('cam0', '--geometry', '400x200', cwd=tmp_path / 'here')
    window.until(lambda image: image.at(200, 10) != BACKGROUND, 'a picture')
    window.key('s')
    file = window.process.until(lambda: list((tmp_path / 'here').glob('cam0-*.png')), what='a file')[0]
    window.process.until(lambda: file.stat().st_size > 100 and file.read_bytes().endswith(b'IEND\xaeB`\x82'), what='a whole file')
    assert shows(160, 120)(Image(file))


def test_a_grid_and_one_of_it(publish, view):
    colors = {'red': (255, 0, 0), 'green': (0, 255, 0), 'blue': (0, 0, 255), 'white': (255, 255, 255)}
    places = [(160, 60), (480, 60), (160, 240), (480, 240)]
    for name, color in colors.items():
        publish(name, size='160x90', flat=','.join(str(c / 255) for c in color))
    window = view(*colors, '--geometry', '642x362')

    def grid(image):
        return [image.at(*place) for place in places] == list(colors.values())

    window.until(grid, 'four pictures')
    window.key('bracketright', 'g')
    window.until(lambda image: {image.at(*place) for place in places} == {(0, 255, 0)}, 'the second one alone')
    window.key('bracketleft')
    window.until(lambda image: {image.at(*place) for place in places} == {(255, 0, 0)}, 'the one before')
    window.key('g')
    window.until(grid, 'four pictures')


def test_without_a_name_a_bus_is_picked_from_a_list(publish, view, spawn, build_dir):
    window = view()
    window.until(lambda image: is_dark(image) and has_text(image), 'words')
    assert window.title() == 'framebus'
    publish('a', size='160x120', flat='1,0,0')
    publish('b', size='200x100', flat='0,1,0')
    blue = b'\x6e\xaa\xf0'  # the mark of the chosen one
    unchosen = (46, 50, 58)
    window.until(lambda image: blue in image.colors() and image.at(58, 150) == unchosen, 'a list of two')
    window.key('Down')
    window.key('Return')
    window.until(lambda image: image.colors() == {b'\x00\xff\x00'}, 'the second one')
    assert window.title() == 'b'
    assert window.size() == (200, 100)
    window.key('BackSpace')
    window.until(lambda image: blue in image.colors(), 'the list')
    window.key('Up')
    window.key('Return')
    window.until(lambda image: image.colors() == {b'\xff\x00\x00'}, 'the first one')
    window.key('q')
    assert window.process.finish() == 0


def test_a_part_of_a_grid_without_signal(publish, view):
    writer = publish('left', size='160x120', flat='1,0,0')
    publish('right', size='160x120', flat='0,1,0')
    window = view('left', 'right', '--geometry', '642x240')
    window.until(lambda image: image.at(160, 20) == (255, 0, 0) and image.at(480, 20) == (0, 255, 0), 'both')
    writer.kill()
    window.until(lambda image: image.at(160, 20) == BACKGROUND and image.at(480, 20) == (0, 255, 0), 'the right one alone')


def test_the_size_may_change_while_it_is_watched(publish, view):
    for size in ('160x120', '320x120', '64x64', '800x600'):
        width, height = map(int, size.split('x'))
        writer = publish('cam0', format='I420', size=size)
        if size == '160x120':
            window = view('cam0')
        window.until(shows(width, height), f'a picture of {size}')
        writer.kill()


def test_the_format_may_change_within_a_stream(gst_launch, view):
    first, second = ('videotestsrc num-buffers=90 pattern=red ! video/x-raw,format=NV12,width=160,height=120,framerate=30/1',
                     'videotestsrc pattern=green ! video/x-raw,format=BGRx,width=320,height=200,framerate=30/1')
    gst_launch('cam0', f'concat name=both ! framebussink bus=cam0 {first} ! both. {second} ! both.')
    window = view('cam0')
    window.until(lambda image: (image.width, image.height) == (160, 120) and image.at(80, 60)[0] > 200, 'red')
    window.until(lambda image: (image.width, image.height) == (320, 200) and image.at(160, 100) == (0, 255, 0), 'green')


def test_a_window_that_was_resized_keeps_its_size(publish, view):
    writer = publish('cam0', size='160x120')
    window = view('cam0')
    window.until(shows(160, 120), 'the picture')
    window.tool('xdotool', 'windowsize', window.id, '500', '300')
    window.until(lambda image: image.width == 500 and image.at(2, 2) == BACKGROUND and image.at(75, 4) == (255, 255, 255),
                 'the picture in a larger window')
    writer.kill()
    publish('cam0', size='300x300')
    window.until(lambda image: image.at(110, 4) == (255, 255, 255) and image.at(90, 4) == BACKGROUND, 'the next picture')
    assert window.size() == (500, 300)


def test_options_of_the_window(publish, view, window_manager):
    publish('cam0', size='160x120', flat='1,1,1')
    window = view('cam0', '--geometry', '600x400+40+50', '--vsync', '--latest', '--title', 'Door', '--overlay',
                  '--driver', 'x11')
    window.until(lambda image: image.at(595, 5) == BACKGROUND and image.at(555, 390) == (255, 255, 255) and
                 max(image.at(15, 15)) < 60, 'the picture under the overlay')
    assert window.size() == (600, 400)
    assert window.title() == 'Door'
    place = window.tool('xdotool', 'getwindowgeometry', window.id).stdout
    assert 40 <= int(place.split('Position: ')[1].split(',')[0]) < 60, place
    window.key('q')
    assert window.process.finish() == 0
    view('cam0', '--fullscreen', '--no-vsync').until(
        lambda image: (image.width, image.height) == (1280, 800) and image.at(640, 795) == (255, 255, 255), 'a full screen')


def test_the_limit_of_frames_a_second_is_kept(publish, view):
    publish('cam0', size='160x120', rate=100)
    start = time.monotonic()
    window = view('cam0', '--fps-limit', '10', '--frames', '30')
    assert window.process.finish(60) == 0
    assert time.monotonic() - start > 2.8  # load can only make it longer


def switches(pid):
    """How often threads of a process have gone to sleep."""
    total = 0
    for thread in pathlib.Path(f'/proc/{pid}/task').iterdir():
        status = (thread / 'status').read_text()
        total += int(status.split('\nvoluntary_ctxt_switches:')[1].split()[0])
    return total


def cpu_seconds(pid):
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


@pytest.mark.parametrize('state', ['waiting', 'no signal', 'paused', 'still'])
def test_nothing_is_done_while_nothing_happens(publish, view, state):
    """Load can only make these numbers smaller; a loop without sleep, or one every millisecond, is far above."""
    window = None
    if state != 'waiting':
        writer = publish('cam0', size='160x120', rate=0 if state == 'still' else 30,
                         **({'frames': 1} if state == 'still' else {}))
        window = view('cam0')
        window.until(shows(160, 120), 'the picture')
    else:
        window = view('cam0')
        window.until(is_dark, 'words')
    if state == 'no signal':
        writer.kill()
        window.until(is_dark, 'words')
    if state == 'paused':
        window.key('space')
        window.process.until(lambda: window.title() == 'cam0 - paused', what='the title')
        time.sleep(3)  # the notice goes away
    before = switches(window.process.pid), cpu_seconds(window.process.pid)
    time.sleep(4)
    after = switches(window.process.pid), cpu_seconds(window.process.pid)
    assert after[0] - before[0] < 200
    assert after[1] - before[1] < 0.5


@pytest.mark.slow
def test_ten_thousand_frames_leave_memory_and_descriptors_as_they_were(publish, view):
    publish('cam0', format='NV12', size='160x120', rate=1000)
    start = time.monotonic()
    window = view('cam0', '--fps-limit', '1000', '--frames', '10000', '--overlay', '--timeout', '60', '--renderer', 'software')
    process = pathlib.Path(f'/proc/{window.process.pid}')

    def usage():
        pages = int((process / 'statm').read_text().split()[1])
        return pages * os.sysconf('SC_PAGESIZE'), len(list((process / 'fd').iterdir()))

    time.sleep(3)
    samples = []
    while window.process.running():
        try:
            samples.append(usage())
        except (OSError, IndexError):
            break
        time.sleep(0.2)
    assert window.process.finish(120) == 0
    assert time.monotonic() - start < 120, 'no refresh of a display is waited for'
    assert len(samples) > 5
    assert max(fds for _, fds in samples) <= samples[0][1] + 1
    assert samples[-1][0] - samples[0][0] < 8 << 20
