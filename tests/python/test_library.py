# SPDX-License-Identifier: MIT
"""The module and the library find and fit each other."""
import ctypes
import errno
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import framebus
import pytest
from framebus import _bus, _library

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
STRUCTS = [kind for kind in vars(_library).values() if isinstance(kind, type) and issubclass(kind, ctypes.Structure)
           and kind is not ctypes.Structure]


def run(code, **env):
    return subprocess.run([sys.executable, '-c', code], env={**os.environ, **env}, capture_output=True, text=True,
                          timeout=60)


def c_name(kind):
    """CReaderStats -> framebus_reader_stats"""
    return 'framebus' + ''.join(f'_{c.lower()}' if c.isupper() else c for c in kind.__name__[1:])


@pytest.mark.skipif(not shutil.which('cc'), reason='no compiler')
def test_structs_are_those_of_the_header(tmp_path):
    lines = ['#include <framebus.h>', '#include <stdio.h>', 'int main(void) { puts("{");']
    for kind in STRUCTS:
        name = c_name(kind)
        lines += [f'printf("\\"{name}\\": {{\\"\\": [0, %zu]", sizeof(struct {name}));']
        lines += [f'printf(", \\"{field}\\": [%zu, %zu]", offsetof(struct {name}, {field}), '
                  f'sizeof(((struct {name} *)0)->{field}));' for field, *_ in kind._fields_]
        lines += ['puts("},");']
    lines += ['puts("\\"\\": 0}"); }']
    source = tmp_path / 'structs.c'
    source.write_text('\n'.join(lines))
    subprocess.run(['cc', '-I', ROOT / 'lib' / 'include', source, '-o', tmp_path / 'structs'], check=True)
    told = json.loads(subprocess.check_output([tmp_path / 'structs']))
    assert len(STRUCTS) >= 12
    for kind in STRUCTS:
        ours = {field: [getattr(kind, field).offset, getattr(kind, field).size] for field, *_ in kind._fields_}
        assert {'': [0, ctypes.sizeof(kind)], **ours} == told[c_name(kind)], kind


def test_every_function_of_the_header_is_known_or_left_out_on_purpose():
    header = (ROOT / 'lib' / 'include' / 'framebus.h').read_text()
    names = set(re.findall(r'^FRAMEBUS_API[^;(]*?framebus_(\w+)\(', header, re.MULTILINE))
    assert set(_library.FUNCTIONS) <= names
    devices = {'frame_dmabuf', 'frame_begin_access', 'frame_end_access', 'import_create', 'import_destroy', 'import_recall',
               'writer_begin_import', 'frame_set_user', 'frame_get_user'}
    monitor = {'monitor_open', 'monitor_next', 'monitor_fd', 'monitor_close'}
    assert names - set(_library.FUNCTIONS) == {'set_log_handler', 'frame_get_meta', 'frame_meta_at', 'frame_copy_meta',
                                               'frame_restore_meta', 'meta_next', 'flags_describe', 'writer_begin', *devices, *monitor,
                                               'reader_cancel', 'reader_resume', 'writer_cancel', 'writer_resume', 'writer_count_changes',
                                               'format_init_name', 'format_name', 'now'}


def test_the_versions_are_the_same(build_dir):
    assert framebus.__version__ == _library.lib.version().decode()
    assert f"version: '{framebus.__version__}'" in (ROOT / 'meson.build').read_text()


@pytest.mark.parametrize('running, good', [
    ('0.9.0', True), ('0.9.7', True), ('0.10.0', False), ('0.8.9', False), ('1.9.0', False)])
def test_a_library_of_another_series_is_refused(running, good):
    if good:
        _library.check_version('lib.so', running)
    else:
        with pytest.raises(ImportError, match=rf'lib.so is framebus {running}.*0.9.0'):
            _library.check_version('lib.so', running)


def test_a_wrong_path_is_told():
    done = run('import framebus', FRAMEBUS_LIBRARY='/nowhere/lib.so')
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith('ImportError: /nowhere/lib.so: cannot open')
    assert 'FRAMEBUS_LIBRARY names a file that cannot be loaded' in done.stderr


def test_the_loader_finds_it_too(build_dir):
    code = 'import framebus; print(framebus.__version__)'
    assert run(code, FRAMEBUS_LIBRARY='', LD_LIBRARY_PATH=str(build_dir / 'lib')).stdout.strip() == framebus.__version__


def test_everything_is_installed(build_dir, tmp_path):
    subprocess.run(['meson', 'install', '-C', build_dir, '--no-rebuild', '--tags', 'python-runtime', '--destdir',
                    tmp_path], check=True, capture_output=True)
    [installed] = tmp_path.glob('**/framebus')
    names = {path.name for path in installed.iterdir()}
    pixels = {'framebus-pixels.so.0'} if os.path.exists(os.environ['FRAMEBUS_PIXELS']) else set()
    assert names == pixels | {path.name for path in pathlib.Path(framebus.__file__).parent.iterdir() if path.is_file()}
    done = run('import framebus; print(framebus.__file__)', PYTHONPATH=str(installed.parent))
    assert done.stdout.strip() == str(installed / '__init__.py')


def test_meson_devenv_finds_it(build_dir):
    env = {name: value for name, value in os.environ.items() if name not in ('FRAMEBUS_LIBRARY', 'PYTHONPATH')}
    done = subprocess.run(['meson', 'devenv', '-C', build_dir, sys.executable, '-c', 'import framebus'], env=env,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_import_is_light():
    done = run('import sys, framebus; print("numpy" in sys.modules)')
    assert done.stdout.strip() == 'False', done.stderr


# ---- Errors ----------------------------------------------------------------------------------------

@pytest.mark.parametrize('call, kind, number, sentence', [
    (lambda: framebus.Reader('cam0'), FileNotFoundError, errno.ENOENT, 'bus "cam0" has no writer'),
    (lambda: framebus.Reader('no name'), ValueError, errno.EINVAL, '"no name" is not a name for a bus'),
    (lambda: framebus.Reader('cam0\0'), ValueError, errno.EINVAL, 'zero byte'),
    (lambda: framebus.Reader('cam0', quota=-1), ValueError, errno.EINVAL, 'quota -1'),
    (lambda: framebus.Reader('cam0', quota=257), ValueError, errno.EINVAL, 'quota 257'),
    (lambda: framebus.Reader('cam0', wait=-1), ValueError, errno.EINVAL, 'wait -1'),
    (lambda: framebus.Reader('cam0', wait=float('nan')), ValueError, errno.EINVAL, 'wait nan'),
    (lambda: framebus.Reader('cam0', spin=1), ValueError, errno.EINVAL, 'spinning for 1000000000 ns'),
    (lambda: framebus.Reader('cam0', delivery='slow'), ValueError, errno.EINVAL, "'slow' is none of 'live', 'latest'"),
    (lambda: framebus.Writer('cam0', memory='ram'), ValueError, errno.EINVAL, "'ram' is none of 'memfd', 'posix'"),
    (lambda: framebus.Writer('cam0', history=2**32), ValueError, errno.EINVAL, 'history 4294967296'),
    (lambda: framebus.Writer('cam0', group='nobody-is-here'), ValueError, errno.EINVAL, 'no group "nobody-is-here"'),
    (lambda: framebus.Writer('/nowhere/cam0'), FileNotFoundError, errno.ENOENT, '/nowhere'),
    (lambda: framebus.query('cam0'), FileNotFoundError, errno.ENOENT, 'there is no bus "cam0"'),
    (lambda: framebus.remove('cam0'), FileNotFoundError, errno.ENOENT, 'nothing of bus "cam0" is left'),
])
def test_errors_say_what_was_wrong(bus_dir, call, kind, number, sentence):
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, OSError)
    assert caught.value.errno == number
    assert sentence in str(caught.value)


def test_a_second_writer_is_told_who_is_first(bus_dir):
    with framebus.Writer('cam0'):
        with pytest.raises(OSError, match=f'{os.getpid()}') as caught:
            framebus.Writer('cam0')
        assert caught.value.errno == errno.EADDRINUSE


# ---- Listing ---------------------------------------------------------------------------------------

def test_buses_are_listed(writer, bus_dir, wait_for):
    assert framebus.list() == []
    process = writer('cam1', 'NV12')
    wait_for(lambda: framebus.list() and framebus.list()[0].published > 3, what='frames')
    with framebus.Reader('cam1', label='who') as reader:
        reader.next(10)
        wait_for(lambda: framebus.query('cam1').readers, what='the reader')
        [bus] = framebus.list()
        assert (bus.name, bus.path, bus.state) == ('cam1', str(bus_dir / 'cam1'), framebus.BusState.LIVE)
        assert (bus.pid, bus.uid, bus.label) == (process.pid, os.getuid(), 'python-peer')
        assert bus.format == reader.format and str(bus.format) == 'NV12 64x48 100/1'
        assert bus.memory is framebus.Memory.MEMFD and bus.history == 4 and 20 < bus.rate < 150
        [who] = bus.readers
        assert (who.pid, who.label, who.quota, who.delivery) == (os.getpid(), 'who', 2, framebus.Delivery.LIVE)
    assert framebus.directory() == str(bus_dir)


def test_what_a_stranger_says_is_taken_for_something():
    assert _bus.known(framebus.Memory, 2) is framebus.Memory.SYSV
    assert _bus.known(framebus.Memory, 99) is framebus.Memory.MEMFD


def test_what_a_killed_writer_left_is_removed(writer, bus_dir, wait_for):
    process = writer('cam0')
    wait_for(framebus.list)
    with pytest.raises(OSError, match=str(process.pid)) as caught:
        framebus.remove('cam0')
    assert caught.value.errno == errno.EBUSY
    process.kill()
    assert framebus.query('cam0').state == framebus.BusState.STALE
    assert framebus.remove('cam0') == [f'socket {bus_dir / "cam0"}']
    assert framebus.list() == []
