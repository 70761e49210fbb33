# SPDX-License-Identifier: MIT
"""The module as a package: what a wheel has, pip, and that the library beside the module is the one that is used."""
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys

import documents
import framebus
import needs
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = 'docs/using/python.md'
USE = '''
import framebus, os
from framebus import _convert, _library
print(os.path.dirname(framebus.__file__))
print(_library.lib.path)
with framebus.Writer("cam0", framebus.Format("NV12", 64, 48)) as writer, writer.frame() as frame:
    print(frame.bgr.shape if not isinstance(_convert.bitmap(), str) else (48, 64, 3))
'''


def outside(**more):
    """Environment of somebody who has set nothing."""
    unset = ('FRAMEBUS_LIBRARY', 'FRAMEBUS_PIXELS', 'LD_LIBRARY_PATH', 'PYTHONPATH')
    return {**{name: value for name, value in os.environ.items() if name not in unset}, **more}


def use(python, directory, **env):
    """Runs a writer that converts; returns where module and library are."""
    done = subprocess.run([python, '-c', USE], env=outside(**env), cwd=directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    module, library, shape = done.stdout.splitlines()
    assert shape == '(48, 64, 3)'
    return pathlib.Path(module), pathlib.Path(library)


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """A build directory as meson-python makes it."""
    toml = pytest.importorskip('tomllib', reason='Python 3.11 reads pyproject.toml')
    args = toml.loads((ROOT / 'pyproject.toml').read_text())['tool']['meson-python']['args']
    build = tmp_path_factory.mktemp('wheel') / 'build'
    for command in (['meson', 'setup', ROOT, build, *args['setup']], ['ninja', '-C', build, '-j1']):
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stdout
    return build


def test_a_wheel_has_the_module_and_its_libraries_and_nothing_else(wheel):
    plan = json.loads((wheel / 'meson-info' / 'intro-install_plan.json').read_text())
    places = [one['destination'] for group in plan.values() for one in group.values()]
    assert {os.path.dirname(place) for place in places} == {'{py_platlib}/framebus'}
    module = {path.name for path in pathlib.Path(framebus.__file__).parent.iterdir() if path.is_file()}
    assert module | {'libframebus.so.0'} == {os.path.basename(place) for place in places} - {'framebus-pixels.so.0'}


def test_the_library_in_a_wheel_is_the_one_that_is_used(wheel, tmp_path, bus_dir):
    plan = json.loads((wheel / 'meson-info' / 'intro-install_plan.json').read_text())
    package = tmp_path / 'framebus'
    package.mkdir()
    for group in plan.values():
        for file in group:
            shutil.copy(file, package)
    assert use(sys.executable, tmp_path, PYTHONPATH=str(tmp_path)) == (package, package / 'libframebus.so.0')


@pytest.mark.parametrize('place', ['lib/python3/dist-packages', 'lib/python3.11/site-packages'])
@pytest.mark.parametrize('library', ['lib', 'lib64', 'lib/x86_64-linux-gnu'])
def test_the_library_of_the_same_prefix_is_found(build_dir, tmp_path, bus_dir, place, library):
    packages, directory = tmp_path / place, tmp_path / library
    shutil.copytree(ROOT / 'python' / 'framebus', packages / 'framebus')
    directory.mkdir(exist_ok=True, parents=True)
    shutil.copy(build_dir / 'lib' / 'libframebus.so.0', directory)
    assert use(sys.executable, tmp_path, PYTHONPATH=str(packages)) == (packages / 'framebus', directory / 'libframebus.so.0')


def test_a_library_that_cannot_be_loaded_is_passed_over(build_dir, tmp_path, bus_dir):
    """Of another processor, for example."""
    packages, other = tmp_path / 'lib' / 'python3' / 'dist-packages', tmp_path / 'lib' / 'any-linux-gnu'
    shutil.copytree(ROOT / 'python' / 'framebus', packages / 'framebus')
    other.mkdir()
    (other / 'libframebus.so.0').write_bytes(b'\x7fELF of something else')
    mine = tmp_path / 'lib' / 'mine-linux-gnu'
    mine.mkdir()
    shutil.copy(build_dir / 'lib' / 'libframebus.so.0', mine)
    assert use(sys.executable, tmp_path, PYTHONPATH=str(packages))[1] == mine / 'libframebus.so.0'


def test_what_pip_asks_for_here_is_built_above(tmp_path):
    """With a stand-in for meson-python that tells where it was called, and with what."""
    (tmp_path / 'mesonpy.py').write_text('import os\n'
                                         'def build_wheel(directory, settings=None, metadata=None):\n'
                                         '    return os.getcwd(), directory, settings\n'
                                         'def get_requires_for_build_wheel(settings=None):\n'
                                         '    return ["ninja"]\n')
    code = ('import build_above, os\n'
            'print(build_above.build_wheel("out", {"a": "b"}))\n'
            'print(build_above.get_requires_for_build_wheel(), os.getcwd(), hasattr(build_above, "build_editable"))\n')
    here = ROOT / 'python'
    done = subprocess.run([sys.executable, '-c', code], cwd=here, capture_output=True, text=True,
                          env=outside(PYTHONPATH=f'{here}:{tmp_path}', PYTHONDONTWRITEBYTECODE='1'))
    assert done.stdout.splitlines() == [str((str(ROOT), str(here / 'out'), {'a': 'b'})), f"['ninja'] {here} False"], done.stderr


@documents.runs(PAGE, documents.commands(PAGE, 'Install'))
def test_pip_installs_it_into_a_virtual_environment(tmp_path, bus_dir):
    for module, package in (('mesonpy', 'python3-mesonpy'), ('ensurepip', 'python3-venv')):
        if not importlib.util.find_spec(module):
            pytest.skip(f'there is no {package}')
    needs.programs('patchelf')  # of newer versions of meson-python
    tree = tmp_path / 'tree'
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns('build*', '.git', '.mesonpy*'), symlinks=True)
    # build_above.py is what begins with "build", too.
    shutil.copy(ROOT / 'python' / 'build_above.py', tree / 'python')
    for command in documents.commands(PAGE, 'Install'):
        done = subprocess.run(command.replace('python3 ', f'{sys.executable} ', 1), shell=True, cwd=tree, text=True,
                              env=outside(PIP_NO_INDEX='1'), capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
    module, library = use(tree / 'env' / 'bin' / 'python3', tmp_path)
    assert tree / 'env' in module.parents and library == module / 'libframebus.so.0'
