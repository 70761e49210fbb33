# SPDX-License-Identifier: MIT
"""framebus/opencv.hpp, and the example that finds edges."""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def program(spawn, build_dir):
    """Starts one by its path below the build; the test is skipped if it was not built."""
    def start(path, *arguments):
        if not (build_dir / path).exists():
            pytest.skip(f'{path} was not built: there are no headers of OpenCV, or there is no C++ compiler')
        return spawn(build_dir / path, *arguments)
    return start


def good(process):
    assert process.finish(60) == 0, process.report()


def test_it_compiles_without_warnings(compile_with):
    told = subprocess.run(['pkg-config', '--variable=includedir', 'opencv4'], capture_output=True, text=True).stdout.strip()
    headers = pathlib.Path(told or '/usr/include/opencv4')
    if not (headers / 'opencv2' / 'imgproc.hpp').exists():
        pytest.skip('there are no headers of OpenCV')
    compile_with('-isystem', headers, ROOT / 'tests' / 'cpp' / 'opencv-peer.cpp', ROOT / 'examples' / 'edges.cpp')


def test_pictures_are_seen_in_place_and_become_bgr(program):
    writer = program('tests/cpp/opencv-peer', 'write', 'cam0')
    reader = program('tests/cpp/opencv-peer', 'read', 'cam0')
    good(reader)
    good(writer)


def test_the_example_finds_edges_and_ends_by_ctrl_c(program):
    edges = program('examples/edges', 'cam0', 'edges')
    writer = program('tests/cpp/opencv-peer', 'draw', 'cam0')
    good(program('tests/cpp/opencv-peer', 'edges', 'edges'))
    assert edges.stop() == 0, edges.report()
    assert writer.stop() == 0


def test_the_example_says_what_is_wrong(program):
    edges = program('examples/edges', 'not a name', 'edges')
    assert edges.finish() == 1
    assert edges.err().startswith('edges: "not a name"')
