# SPDX-License-Identifier: MIT
"""framebus.hpp: it compiles wherever C++17 does, and real writers and readers in C++ do what it says."""
import pathlib
import re
import shutil
import signal
import subprocess
import time

import documents
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / 'lib' / 'include'


@pytest.fixture
def peer(spawn, build_dir, bus_dir):
    """Starts a role of peer.cpp, and waits for it to be ready if it says when."""
    program = build_dir / 'tests' / 'cpp' / 'cpp-peer'
    if not program.exists():
        pytest.skip('cpp-peer was not built: there is no C++ compiler of the kind of the C compiler')

    def start(*arguments, ready=False):
        process = spawn(program, *arguments)
        if ready:
            process.until(lambda: 'ready\n' in process.out(), 30, 'the peer')
        return process
    return start


def good(process):
    assert process.finish(60) == 0, process.report()
    return process.out()


# ---- Compilers -------------------------------------------------------------------------------------

STATIC = '''
#include <framebus.hpp>
static_assert(std::is_nothrow_move_constructible_v<framebus::frame> && !std::is_copy_constructible_v<framebus::frame>);
static_assert(std::is_nothrow_move_constructible_v<framebus::reader> && std::is_nothrow_move_assignable_v<framebus::writer>);
static_assert(std::is_nothrow_copy_constructible_v<framebus::writer_gone>);
#if __cplusplus >= 202002L
#include <span>
static_assert(std::input_iterator<framebus::reader::iterator>);
static_assert(std::sentinel_for<framebus::reader::sentinel, framebus::reader::iterator>);
static_assert(std::is_convertible_v<framebus::byte_view, std::span<const std::byte>>);
const framebus::reader_options options = {.quota = 3, .follow = true};
#endif
'''


def test_it_compiles_without_warnings(compile_with, tmp_path):
    (tmp_path / 'a.cpp').write_text(STATIC)
    compile_with(tmp_path / 'a.cpp', ROOT / 'tests' / 'cpp' / 'peer.cpp')


@pytest.mark.parametrize('page, number', [('README.md', 1), ('docs/using/cpp.md', 3)])
def test_the_programs_of_the_pages_compile(compiler, page, number, tmp_path):
    programs = [code for _, language, code in documents.blocks(page) if language == 'cpp']
    assert len(programs) == number
    for i, code in enumerate(programs):
        body = code if 'int main()' in code else f'int main()\n{{\n{code}}}\n'
        (tmp_path / f'{i}.cpp').write_text('#include <csignal>\n#include <cstdio>\n#include <framebus.hpp>\n'
                                           'void look_at(framebus::plane_view, framebus::time_point);\n' + body)
    done = subprocess.run([compiler, '-std=c++17', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-fsyntax-only', '-I', INCLUDE,
                           *tmp_path.glob('*.cpp')], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[:4000]


def test_two_files_of_one_program_may_include_it(build_dir, tmp_path):
    if not shutil.which('g++'):
        pytest.skip('there is no g++')
    for name in ('a', 'b'):
        (tmp_path / f'{name}.cpp').write_text(f'#include <framebus.hpp>\nframebus::format {name}() {{ return {{"NV12", 2, 2}}; }}\n')
    subprocess.run(['g++', '-std=c++17', '-r', '-I', INCLUDE, tmp_path / 'a.cpp', tmp_path / 'b.cpp', '-o', tmp_path / 'c.o'],
                   check=True, timeout=120)


@pytest.mark.parametrize('kind', ['reader', 'writer'])
def test_every_option_of_c_is_one_of_cplusplus(kind):
    def fields(struct, path):
        body = re.search(rf'^struct {struct} \{{\n(.*?)^\}};', path.read_text(), re.MULTILINE | re.DOTALL)[1]
        names = re.findall(r'(\w+)(?:\{0\}|\[\d+\]| = [^;]*)?;', re.sub(r'/\*.*?\*/', '', body, flags=re.DOTALL))
        return {name.removesuffix('_ns') for name in names} - {'reserved'}
    of_c = fields(f'framebus_{kind}_options', INCLUDE / 'framebus.h')
    assert len(of_c) > 5
    assert of_c == fields(f'{kind}_options', INCLUDE / 'framebus.hpp'), \
        f'framebus.hpp has other {kind}_options than framebus.h: add them to the struct, and where it becomes the one of C'


# ---- Frames ----------------------------------------------------------------------------------------

def test_frames_cross(peer):
    writer = peer('write', 'cam0', 200, 'ends')
    reader = peer('read', 'cam0', 200)
    good(reader)
    good(writer)


def test_a_loop_with_follow_goes_on_with_the_next_stream(peer):
    writer = peer('write', 'cam0', 50, 'twice')
    reader = peer('read', 'cam0', 51, 'follow')
    good(reader)
    good(writer)


def test_frames_are_held_moved_and_given_back(peer):
    writer = peer('write', 'cam0', 4, 'ends')
    reader = peer('keep', 'cam0')
    good(reader)
    good(writer)


@pytest.mark.parametrize('how, told', [('ends', 'end_of_stream 20 '), ('dies', 'writer_gone 20 ')])
def test_the_end_of_a_stream_and_of_its_writer_are_told_apart(peer, how, told):
    writer = peer('write', 'cam0', 20, how)
    reader = peer('end', 'cam0')
    out = good(reader)
    assert told in out and '"cam0"' in out
    assert writer.finish(30) == (0 if how == 'ends' else -signal.SIGKILL)


# ---- What ends a wait, and what does not ------------------------------------------------------------

def test_a_signal_handler_stops_a_loop_and_another_one_does_not(peer):
    writer = peer('tick', 'cam0', 0, ready=True)
    reader = peer('signal', 'cam0', ready=True)
    for _ in range(2):
        time.sleep(0.1)  # in its wait, most likely; wherever else, the outcome is the same
        reader.send_signal(signal.SIGUSR1)
    reader.send_signal(signal.SIGINT)
    assert re.search(r'^stopped after [12] interrupts$', good(reader), re.MULTILINE)
    assert writer.stop() == 0


@pytest.mark.parametrize('interval', [0, 1])
def test_another_thread_stops_a_wait_and_a_loop_that_always_finds_frames(peer, interval):
    writer = peer('tick', 'cam0', interval, ready=True)
    good(peer('thread', 'cam0'))
    assert writer.stop() == 0


def test_signals_neither_end_a_wait_nor_make_it_longer(peer):
    writer = peer('tick', 'cam0', 0, ready=True)
    good(peer('interrupted', 'cam0'))
    assert writer.stop() == 0


def test_an_interrupted_call_is_made_again_for_the_time_that_is_left(peer):
    good(peer('retries'))


# ---- Errors, formats, lists -------------------------------------------------------------------------

def test_what_is_wrong_is_an_exception_with_a_sentence(peer):
    writer = peer('tick', 'cam0', 0, ready=True)
    good(peer('errors', 'cam0'))
    assert writer.stop() == 0


def test_a_format_is_a_value(peer):
    good(peer('formats'))


def test_buses_are_listed(peer):
    writer = peer('write', 'cam0', 1, 'ends', ready=True)
    good(peer('listing', 'cam0'))
    good(writer)


@pytest.mark.parametrize('role', ['watch', 'newest'])
def test_a_monitor_tells_of_readers_and_the_newest_frame_can_be_had_again(peer, role):
    writer = peer('tick', 'cam0', 5, ready=True)
    good(peer(role, 'cam0'))
    assert writer.stop() == 0
