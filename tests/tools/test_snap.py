# SPDX-License-Identifier: MIT
"""`framebus snap`: a frame of any format as a picture."""
import subprocess

import pytest

BARS = [(191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191),
        (0, 0, 0)]


def pixels(path, width, height):
    size = subprocess.run(['identify', '-format', '%m %w %h', path], check=True, capture_output=True, text=True)
    assert size.stdout == f'PNG {width} {height}'
    data = subprocess.run(['convert', path, '-depth', '8', 'rgb:-'], check=True, capture_output=True).stdout
    assert len(data) == width * height * 3
    return lambda x, y: tuple(data[(y * width + x) * 3:(y * width + x) * 3 + 3])


def near(color, other, most=6):
    return all(abs(a - b) <= most for a, b in zip(color, other))


@pytest.mark.parametrize('name, size', [('NV12', (640, 360)), ('NV12', (1280, 720)), ('RGB', (322, 242)),
                                        ('P010_10LE', (322, 242)), ('YUY2', (322, 242)), ('BGRA', (322, 242)),
                                        ('Y444_12LE', (322, 242)), ('RGB16', (322, 242))])
def test_colours_are_those_of_the_test_picture(spawn, build_dir, framebus, tmp_path, name, size):
    spawn(build_dir / 'tools' / 'framebus', 'test', '--format', name, '--size', f'{size[0]}x{size[1]}', 'cam0')
    path = tmp_path / 'out.png'
    result = framebus('snap', '--wait', '10s', 'cam0', path)
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')
    at = pixels(path, *size)
    for i, color in enumerate(BARS):
        seen = at((2 * i + 1) * size[0] // 16, size[1] // 3)
        assert near(seen, color), f'bar {i} is {seen}'


def test_grey_stays_grey(peer, framebus, tmp_path):
    peer('write', 'cam0', format='GRAY8', fill=77)
    assert framebus('snap', 'cam0', tmp_path / 'out.png').returncode == 0
    assert pixels(tmp_path / 'out.png', 320, 240)(100, 100) == (77, 77, 77)


def test_only_what_is_to_be_shown(peer, framebus, tmp_path):
    rows = b''.join(bytes((x % 256, y % 256, 7)) for y in range(240) for x in range(320))
    (tmp_path / 'rows').write_bytes(rows)
    peer('write', 'cam0', format='RGB', file=tmp_path / 'rows', crop='10,20,100,50')
    assert framebus('snap', 'cam0', tmp_path / 'out.png').returncode == 0
    at = pixels(tmp_path / 'out.png', 100, 50)
    assert (at(0, 0), at(99, 49)) == ((10, 20, 7), (109, 69, 7))


@pytest.mark.parametrize('orientation, size, corner', [  # where the picture's corners with 0, 0 and 0, 49 come to be
    (0, (100, 50), ((0, 0), (0, 49))), (1, (50, 100), ((49, 0), (0, 0))), (2, (100, 50), ((99, 49), (99, 0))),
    (3, (50, 100), ((0, 99), (49, 99))), (4, (100, 50), ((99, 0), (99, 49))), (5, (50, 100), ((49, 99), (0, 99))),
    (6, (100, 50), ((0, 49), (0, 0))), (7, (50, 100), ((0, 0), (49, 0)))])
def test_a_picture_is_turned_as_its_format_says(peer, framebus, tmp_path, orientation, size, corner):
    (tmp_path / 'rows').write_bytes(b''.join(bytes((x % 256, y, 7)) for y in range(240) for x in range(320)))
    peer('write', 'cam0', format='RGB', file=tmp_path / 'rows', crop='0,0,100,50', orientation=orientation)
    assert framebus('snap', 'cam0', tmp_path / 'out.png').returncode == 0
    at = pixels(tmp_path / 'out.png', *size)
    assert (at(*corner[0]), at(*corner[1])) == ((0, 0, 7), (0, 49, 7))


def test_jpeg_is_saved_as_it_is_or_decoded(peer, framebus, tmp_path):
    jpeg = tmp_path / 'in.jpg'
    subprocess.run(['convert', '-size', '64x48', 'xc:rgb(200,100,50)', jpeg], check=True)
    peer('write', 'cam0', caps='image/jpeg', file=jpeg)
    assert framebus('snap', 'cam0', tmp_path / 'out.jpg').returncode == 0
    assert (tmp_path / 'out.jpg').read_bytes() == jpeg.read_bytes()
    assert framebus('snap', 'cam0', tmp_path / 'out.png').returncode == 0
    assert near(pixels(tmp_path / 'out.png', 64, 48)(30, 30), (200, 100, 50))


def test_a_damaged_jpeg_is_refused(peer, framebus, tmp_path):
    peer('write', 'cam0', caps='image/jpeg')
    result = framebus('snap', 'cam0', tmp_path / 'out.png')
    assert result.returncode == 1
    assert 'image/jpeg' in result.stderr
    assert not (tmp_path / 'out.png').exists()


def test_what_cannot_be_saved_is_told_with_a_way_out(peer, framebus, tmp_path):
    peer('write', 'raw')
    peer('write', 'coded', caps='video/x-h264')
    for bus, name, hint in (('raw', 'out.jpg', 'FILE.png'),
                            ('coded', 'out.png', 'gst-launch-1.0 framebussrc bus=coded')):
        result = framebus('snap', bus, tmp_path / name)
        assert result.returncode == 1
        assert hint in result.stderr
        assert not (tmp_path / name).exists()


def test_to_standard_output(peer, build_dir):
    peer('write', 'cam0')
    result = subprocess.run([build_dir / 'tools' / 'framebus', 'snap', 'cam0', '-'], capture_output=True, timeout=30)
    assert result.returncode == 0
    assert result.stdout.startswith(b'\x89PNG')


def test_a_file_that_cannot_be_written(peer, framebus):
    peer('write', 'cam0')
    result = framebus('snap', 'cam0', '/nowhere/out.png')
    assert result.returncode == 1
    assert '/nowhere/out.png' in result.stderr


def test_no_bus(framebus, tmp_path):
    result = framebus('snap', 'cam0', tmp_path / 'out.png')
    assert result.returncode == 1
    assert 'cam0' in result.stderr
