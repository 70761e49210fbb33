# SPDX-License-Identifier: MIT
"""framebus-view --screenshot, without a display: colours, shapes, endings.

Tolerance: 4 of 255 for each component, against pixels made from the standards' equations in double
precision. 8-bit YUV itself is off by up to 2, libyuv's fixed-point arithmetic by about 1 more. RGB
of 5 and 6 bits has steps of 8: half of one.
"""
import glob
import os
import re
import subprocess

import pytest

from picture import BACKGROUND, COARSE_CHROMA, Image, difference

TOLERANCE = 4
COARSE = {'RGB15': 5, 'BGR15': 5, 'RGB16': 5, 'BGR16': 5}
GRAY = ['GRAY8', 'GRAY10_LE16', 'R12', 'GRAY16_LE', 'GRAY16_BE']
RGB = ['RGB15', 'BGR15', 'RGB16', 'BGR16', 'BGR', 'RGB', 'BGRx', 'RGBx', 'xBGR', 'xRGB', 'BGRA', 'RGBA', 'ABGR',
       'ARGB', 'BGR10x2_LE', 'RGB10x2_LE', 'BGR10A2_LE', 'RGB10A2_LE', 'r210', 'XRGB16161616', 'XBGR16161616',
       'BGRA64_LE', 'RGBA64_LE', 'ARGB64_BE', 'ABGR64_BE']
YUV = ['YUY2', 'YVYU', 'UYVY', 'VYUY', 'Y210', 'Y212_LE', 'Y216_LE', 'v308', 'AYUV', 'VUYA', 'XYUV8888', 'Y410',
       'XVYU2101010', 'Y412_LE', 'Y416_LE', 'NV12', 'NV21', 'NV16', 'NV61', 'NV24', 'NV42', 'P010_10LE', 'P012_LE',
       'P016_LE', 'P210', 'NV12_10LE40', 'NV16_10LE40', 'YUV9', 'YVU9', 'Y41B', 'I420', 'YV12', 'Y42B', 'YVU422',
       'Y444', 'YVU444', 'I420_10LE', 'I422_10LE', 'Y444_10LE', 'I420_12LE', 'I422_12LE', 'Y444_12LE', 'Y444_16LE']
KINDS = ['NV12', 'I420', 'YUY2', 'Y444', 'P010_10LE', 'I420_10LE', 'I422_12LE', 'Y210', 'AYUV', 'NV16', 'GRAY8',
         'GRAY16_LE', 'BGRx', 'RGB', 'ARGB64_BE']


def gray_of(name, matrix='unknown'):
    return matrix if name in GRAY else None


def test_all_formats_of_the_table_are_tested_here(spawn, build_dir):
    table = spawn(build_dir / 'tests/viewer/publish-picture', '--list')
    assert table.finish() == 0
    assert {line.split()[0] for line in table.out().splitlines()} == set(GRAY + RGB + YUV)


@pytest.mark.parametrize('name', GRAY + RGB + YUV)
def test_colours_of_every_format(publish, shoot, name):
    publish('cam0', format=name, size='160x60')
    status, image, _ = shoot('cam0')
    assert status == 0
    assert (image.width, image.height) == (160, 60)
    margin = 4 if name in COARSE_CHROMA else 2
    assert difference(image, 160, 60, gray_of(name), margin) <= COARSE.get(name, TOLERANCE)


@pytest.mark.parametrize('name', KINDS)
@pytest.mark.parametrize('size', ['1x1', '3x2', '17x33', '161x61'])
def test_odd_sizes_and_strides(publish, shoot, name, size):
    width, height = map(int, size.split('x'))
    publish('cam0', format=name, size=size, pad=12)
    status, image, _ = shoot('cam0')
    assert status == 0
    assert (image.width, image.height) == (width, height)
    assert difference(image, width, height, gray_of(name)) <= TOLERANCE


@pytest.mark.parametrize('matrix', ['bt601', 'bt709', 'bt2020'])
@pytest.mark.parametrize('range', ['limited', 'full'])
@pytest.mark.parametrize('name', KINDS)
def test_matrix_and_range_are_those_of_the_frame(publish, shoot, name, matrix, range):
    publish('cam0', format=name, size='160x48', matrix=matrix, range=range)
    status, image, _ = shoot('cam0')
    assert status == 0
    assert difference(image, 160, 48, gray_of(name, matrix)) <= TOLERANCE


@pytest.mark.parametrize('height, matrix', [(718, 'bt601'), (720, 'bt709')])
def test_an_unknown_matrix_is_guessed_by_the_height(publish, shoot, height, matrix):
    publish('known', format='NV12', size=f'160x{height}', matrix=matrix)
    publish('unknown', format='NV12', size=f'160x{height}', matrix=matrix)
    _, known, _ = shoot('known')
    assert difference(known, 160, height) <= TOLERANCE
    # The publisher's own idea of "unknown" is BT.601: the green bar gives the viewer's away.
    green = {'bt601': (0, 255, 0), 'bt709': (0, 216, 0)}[matrix]
    publish('guess', format='NV12', size=f'160x{height}', matrix='unknown')
    _, guess, _ = shoot('guess')
    assert all(abs(a - b) <= TOLERANCE for a, b in zip(guess.at(70, 100), green))


@pytest.mark.parametrize('aspect, scale', [('2/1', (2, 1)), ('1/2', (1, 2))])
def test_pixels_that_are_not_square(publish, shoot, aspect, scale):
    publish('cam0', format='BGRx', size='160x48', aspect=aspect)
    status, image, _ = shoot('cam0')
    assert status == 0
    assert (image.width, image.height) == (160 * scale[0], 48 * scale[1])
    assert difference(image, 160, 48, margin=4, scale_x=scale[0], scale_y=scale[1]) <= TOLERANCE


@pytest.mark.parametrize('name', ['BGRx', 'NV12', 'YUY2'])
def test_only_the_crop_is_shown(publish, shoot, name):
    publish('cam0', format=name, size='160x48', crop='8,4,100,42')
    status, image, _ = shoot('cam0')
    assert status == 0
    assert (image.width, image.height) == (100, 42)
    assert difference(image, 160, 48, left=8, top=4) <= TOLERANCE


def test_a_window_of_another_shape_has_dark_bars(publish, shoot):
    publish('cam0', format='BGRx', size='64x64')
    status, image, _ = shoot('cam0', '--geometry', '300x100', '--scale', 'nearest')
    assert status == 0
    assert (image.width, image.height) == (300, 100)
    assert image.at(0, 0) == image.at(99, 50) == image.at(200, 50) == image.at(299, 99) == BACKGROUND
    assert image.at(100, 0) == (255, 255, 255) and image.at(199, 99) == (255, 255, 255)


def test_the_largest_pictures_can_be_shown(publish, shoot):
    publish('cam0', format='GRAY8', size='16384x1024', rate=1)
    status, image, _ = shoot('cam0', '--geometry', '1024x64')
    assert status == 0
    assert (image.width, image.height) == (1024, 64)
    assert image.at(10, 10) == (255, 255, 255) and image.at(1020, 10) == (0, 0, 0)
    assert all(abs(c - 128) <= 2 for c in image.at(512, 60))


@pytest.mark.parametrize('size', ['320x240', '1280x720'])
def test_information_fits_into_the_window(publish, shoot, size):
    publish('cam0', format='BGRx', size=size, flat='1,1,1')
    status, image, _ = shoot('cam0', '--overlay', '--frames', '5')
    assert status == 0
    assert min(max(image.at(i, i)) for i in range(5, 20)) < 60  # the panel, between letters
    assert all(image.at(x, image.height - 1) == (255, 255, 255) for x in range(image.width))
    assert all(image.at(image.width - 1, y) == (255, 255, 255) for y in range(image.height))


def test_several_buses_make_a_grid(publish, shoot):
    colors = {'red': (255, 0, 0), 'green': (0, 255, 0), 'blue': (0, 0, 255), 'gray': (128, 128, 128)}
    for name, color in colors.items():
        publish(name, format='BGRx', size='160x90', flat=','.join(str(c / 255) for c in color))
    status, image, _ = shoot(*colors, '--geometry', '642x362')
    assert status == 0
    places = [(160, 90), (480, 90), (160, 270), (480, 270)]
    for place, color in zip(places, colors.values()):
        assert all(abs(a - b) <= 1 for a, b in zip(image.at(*place), color))
    assert image.at(320, 90) == BACKGROUND


def jpeg_of(path, *arguments):
    subprocess.run(['convert', *arguments, str(path)], check=True)
    return path


@pytest.mark.parametrize('color, sampling', [('c03060', '4:2:0'), ('c03060', '4:2:2'), ('c03060', '4:4:4'),
                                             ('808080', '4:2:0'), ('ffffff', '4:4:4')])
def test_jpeg_payloads_are_shown(publish, shoot, tmp_path, color, sampling):
    file = jpeg_of(tmp_path / 'a.jpg', '-size', '64x48', f'xc:#{color}', '-sampling-factor', sampling, '-quality', '95')
    publish('cam0', caps='image/jpeg, width=64, height=48', file=file)
    status, image, _ = shoot('cam0')
    assert status == 0
    assert (image.width, image.height) == (64, 48)
    assert all(abs(a - b) <= TOLERANCE for a, b in zip(image.at(30, 20), bytes.fromhex(color)))


def test_a_damaged_jpeg_payload_is_an_error(publish, shoot, tmp_path):
    (tmp_path / 'a.jpg').write_bytes(b'no JPEG picture at all')
    publish('cam0', caps='image/jpeg', file=tmp_path / 'a.jpg')
    status, image, said = shoot('cam0')
    assert status == 1 and image is None
    assert 'cam0' in said and 'JPEG' in said


def test_what_cannot_be_shown_is_named(publish, shoot, tmp_path):
    (tmp_path / 'a').write_bytes(bytes(100))
    publish('cam0', caps='video/x-h264, stream-format=byte-stream', file=tmp_path / 'a')
    status, image, said = shoot('cam0')
    assert status == 1 and image is None
    assert 'video/x-h264' in said
    assert 'gst-launch-1.0 framebussrc bus=cam0 ! decodebin ! videoconvert ! autovideosink' in said


def test_no_frame_in_time_has_its_own_status(shoot):
    status, image, said = shoot('cam0', '--timeout', '0.3')
    assert status == 3 and image is None
    assert 'cam0' in said


def test_a_stream_that_stops_before_enough_frames_is_a_timeout(publish, shoot):
    publish('cam0', '--end', frames=3, size='32x32')
    status, _, said = shoot('cam0', '--frames', '1000', '--timeout', '0.5')
    assert status == 3 and 'cam0' in said


@pytest.mark.parametrize('arguments, said', [
    ([], 'which bus'),
    (['a bus'], 'a bus'),
    (['cam0', '--frames', '0'], "'0'"),
    (['cam0', '--frames', '-3'], "'-3'"),
    (['cam0', '--geometry', '640'], "'640'"),
    (['cam0', '--timeout', 'soon'], "'soon'"),
    (['cam0', '--scale', 'cubic'], "'cubic'"),
    (['cam0', '--dmabuf', 'perhaps'], "'perhaps'"),
    (['cam0', '--fps-limit', 'nan'], "'nan'"),
    (['cam0', '--frobnicate'], '--frobnicate'),
    (['cam0', '-x'], '-x'),
])
def test_wrong_arguments_are_named(shoot, arguments, said):
    status, image, error = shoot(*arguments)
    assert status == 2 and image is None
    assert said in error


def test_a_file_that_cannot_be_written_is_an_error(publish, spawn, build_dir, tmp_path):
    publish('cam0', size='32x32')
    process = spawn(build_dir / 'viewer/framebus-view', 'cam0', '--screenshot', tmp_path / 'missing' / 'a.png')
    assert process.finish() == 1
    assert 'missing/a.png' in process.err() and 'No such file' in process.err()


def test_a_screenshot_can_go_to_standard_output(publish, spawn, build_dir):
    publish('cam0', size='160x48')
    process = spawn(build_dir / 'viewer/framebus-view', 'cam0', '--screenshot', '-')
    assert process.finish() == 0
    assert difference(Image(process.stdout_path), 160, 48) <= TOLERANCE


def test_without_a_display_a_window_is_an_error(publish, spawn, build_dir):
    if any(os.access(card, os.R_OK | os.W_OK) for card in glob.glob('/dev/dri/card*')):
        pytest.skip('there is a display here: the console')
    publish('cam0', size='32x32')
    process = spawn(build_dir / 'viewer/framebus-view', 'cam0')
    assert process.finish() == 1
    assert 'DISPLAY' in process.err() and '--screenshot' in process.err()


def test_help_and_version(spawn, build_dir):
    help_text = spawn(build_dir / 'viewer/framebus-view', '--help')
    assert help_text.finish() == 0
    for option in ('--screenshot', '--frames', '--exit-on-eos', '--timeout', '--geometry', '--fullscreen', '--title'):
        assert option in help_text.out()
    assert max(map(len, help_text.out().splitlines())) <= 80
    version = spawn(build_dir / 'viewer/framebus-view', '--version')
    assert version.finish() == 0
    assert version.out().startswith('framebus-view 0.')


@pytest.mark.parametrize('driver', ['dummy', 'offscreen'])
def test_both_drivers_without_a_display_work(publish, shoot, driver):
    publish('cam0', format='NV12', size='160x48')
    status, image, _ = shoot('cam0', '--driver', driver)
    assert status == 0
    assert difference(image, 160, 48) <= TOLERANCE


def test_a_driver_that_does_not_exist_is_named(publish, shoot):
    publish('cam0', size='32x32')
    status, _, said = shoot('cam0', '--driver', 'hologram')
    assert status == 1 and 'hologram' in said


def test_a_renderer_that_does_not_work_is_named(publish, shoot):
    publish('cam0', format='NV12', size='160x48')
    status, image, said = shoot('cam0', '--driver', 'dummy', '--renderer', 'opengl')
    if status == 0:  # SDL 2 took another one
        assert difference(image, 160, 48) <= TOLERANCE
    else:
        assert status == 1 and "'opengl'" in said and '--renderer' in said


def test_a_writer_that_comes_later_is_waited_for(spawn, build_dir, publish, tmp_path):
    process = spawn(build_dir / 'viewer/framebus-view', 'cam0', '--screenshot', tmp_path / 'a.png')
    publish('cam0', format='I420', size='160x48')
    assert process.finish(30) == 0
    assert difference(Image(tmp_path / 'a.png'), 160, 48) <= TOLERANCE


def test_a_single_frame_is_enough(publish, shoot):
    publish('cam0', frames=1, size='160x48')
    status, image, _ = shoot('cam0')
    assert status == 0
    assert difference(image, 160, 48) <= TOLERANCE


def headless(spawn, build_dir, *arguments):
    return spawn(build_dir / 'viewer/framebus-view', *arguments, '--driver', 'dummy')


def test_exit_after_so_many_frames(spawn, build_dir, publish):
    publish('cam0', size='32x32', rate=100)
    assert headless(spawn, build_dir, 'cam0', '--frames', '20', '--timeout', '10').finish(30) == 0


def test_statistics_are_told_at_the_end(spawn, build_dir, publish):
    publish('cam0', size='32x32', rate=50)
    viewer = headless(spawn, build_dir, 'cam0', '--frames', '60', '--timeout', '10', '--stats')
    assert viewer.finish(30) == 0
    told = re.fullmatch(r'cam0: (\d+) frames shown, (\d+) missed; ([\d.]+) published, ([\d.]+) shown a second; '
                        r'age mean ([\d.]+) ms, 99 % below ([\d.]+) ms; jitter ([\d.]+) ms; '
                        r'(\d+) by dmabuf, (\d+) by upload\n', viewer.err())
    shown, missed, published, shown_rate, mean, p99, _, imported, uploaded = map(float, told.groups())
    assert shown == 60
    assert 10 < published < 60
    assert mean > 0 and p99 > 0
    assert imported == 0 and uploaded >= 60


def test_exit_on_the_end_of_the_stream(spawn, build_dir, publish):
    viewer = headless(spawn, build_dir, 'cam0', '--exit-on-eos')
    publish('cam0', '--end', frames=30, size='32x32')
    assert viewer.finish(30) == 0


def test_exit_on_the_death_of_the_writer_has_its_own_status(spawn, build_dir, publish, wait_for):
    writer = publish('cam0', size='32x32')
    viewer = headless(spawn, build_dir, 'cam0', '--exit-on-eos', '--screenshot', 'never.png', '--frames', '1000000',
                      '--timeout', '60')
    wait_for(lambda: attached(viewer), 20, 'the viewer to attach')
    writer.kill()
    assert viewer.finish(30) == 4


def attached(process):
    with open(f'/proc/{process.pid}/maps') as maps:
        return any('framebus' in line and 'memfd' in line for line in maps)


def test_a_damaged_first_argument_leaves_no_file(shoot, tmp_path):
    status, _, _ = shoot('/nowhere/at/all/cam0', '--timeout', '0.3')
    assert status in (2, 3)
    assert not (tmp_path / 'shot.png').exists()
