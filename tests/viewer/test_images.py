# SPDX-License-Identifier: MIT
"""The pictures of the documentation. FRAMEBUS_IMAGES=docs/images keeps those that this run makes."""
import os
import shutil
import subprocess

import pytest

SMALL = 120 << 10  # bytes of a file
BAR = (110, 170, 240)  # of the graph


@pytest.fixture
def test_source(gst_launch):
    def start(bus, pattern):
        return gst_launch(bus, f'videotestsrc is-live=true {pattern} ! '
                          'video/x-raw,format=NV12,width=960,height=540,framerate=30/1,colorimetry=bt709 ! '
                          f'framebussink bus={bus}')
    return start


def keep(window, tmp_path, name):
    """Few colours make a small file."""
    file = tmp_path / name
    subprocess.run(['convert', str(window.file), '-dither', 'None', '-colors', '200', f'png8:{file}'], check=True)
    assert file.stat().st_size < SMALL
    if os.environ.get('FRAMEBUS_IMAGES'):
        shutil.copy(file, os.environ['FRAMEBUS_IMAGES'])


def is_blue(color):
    return color[2] > 150 and max(color[:2]) < 60


def test_one_bus_with_information_and_a_pixel(test_source, view, tmp_path):
    test_source('cam0', 'pattern=smpte')
    window = view('cam0', '--overlay')
    window.until(lambda image: image.width == 960 and max(image.at(20, 20)) < 70 and is_blue(image.at(890, 100)),
                 'the picture under the information')
    window.point(500, 358)
    window.key('x')
    window.until(lambda image: max(image.at(930, 500)) < 70, 'the histogram')
    window.until(lambda image: any(image.at(x, y) == BAR for x in range(24, 45) for y in range(300, 500)), 'a full graph')
    keep(window, tmp_path, 'viewer.png')


def test_four_buses_one_without_signal(test_source, view, tmp_path):
    patterns = {'door': 'pattern=pinwheel kx=20', 'yard': 'pattern=spokes kt=10', 'gate': 'pattern=colors', 'roof': 'pattern=smpte'}
    sources = {bus: test_source(bus, pattern) for bus, pattern in patterns.items()}
    window = view(*patterns, '--geometry', '962x542')
    window.until(lambda image: is_blue(image.at(920, 320)), 'the last of four')
    sources['gate'].kill()
    window.until(lambda image: image.at(5, 540)[2] < 40 and image.at(20, 290) == (16, 18, 22), 'one without signal')
    keep(window, tmp_path, 'viewer-grid.png')
