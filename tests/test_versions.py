# SPDX-License-Identifier: MIT
"""The version of the release is the same everywhere, and the library exports what framebus.h declares, no more.

The home of the version is meson.build; pkg-config has it from there. Where it has to be written again is here.
"""
import pathlib
import re
import subprocess

import needs
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
HEADER = ROOT / 'lib' / 'include' / 'framebus.h'
MAP = ROOT / 'lib' / 'libframebus.map'
DEBIAN = ROOT / 'packaging' / 'debian'


def found(pattern, path):
    """What the pattern's group matches in a file, at the one place where it does."""
    [text] = re.findall(pattern, (ROOT / path).read_text(), re.MULTILINE)
    return text


VERSION = found(r"^  version: '(.*)'", 'meson.build')
MAJOR, MINOR, PATCH = VERSION.split('.')


@pytest.mark.parametrize('pattern, path, version', [
    (r'^#define FRAMEBUS_VERSION_MAJOR (\d+)$', 'lib/include/framebus.h', MAJOR),
    (r'^#define FRAMEBUS_VERSION_MINOR (\d+)$', 'lib/include/framebus.h', MINOR),
    (r'^#define FRAMEBUS_VERSION_PATCH (\d+)$', 'lib/include/framebus.h', PATCH),
    (r'Returns the version of the running library, e.g. "(.*?)"', 'lib/include/framebus.h', VERSION),
    (r"^VERSION = '(.*)'$", 'python/framebus/_library.py', VERSION),
    (r'\Aframebus (\S+)', 'NEWS', VERSION),
    (r'\Aframebus \((\S+)\)', 'packaging/debian/changelog', VERSION),
])
def test_the_version_is_the_one_of_meson_build(pattern, path, version):
    assert found(pattern, path) == version, f'{path} has another version than meson.build: correct one of them'


def test_packages_of_the_library_and_of_python_fit_together():
    control = (DEBIAN / 'control').read_text()
    assert f'libframebus0 (>= {VERSION}), libframebus0 (<< {MAJOR}.{int(MINOR) + 1}~)' in control  # _library.py: check_version
    soname = found(r"^ *soversion: '(.*)'", 'lib/meson.build')
    assert f'\nPackage: libframebus{soname}\n' in control
    assert re.search(rf"-V 'libframebus{soname} \(>= [\d.]+\)'", (DEBIAN / 'rules').read_text())


def test_programs_and_pkg_config_say_it(build_dir):
    assert f'\nVersion: {VERSION}\n' in (build_dir / 'meson-private' / 'framebus.pc').read_text()
    for program in ('tools/framebus', 'viewer/framebus-view', 'gateway/framebus-rtsp'):
        if (build_dir / program).exists():
            said = subprocess.run([build_dir / program, '--version'], capture_output=True, text=True, check=True).stdout
            assert said == f'{pathlib.Path(program).name} {VERSION}\n'


# ---- What is exported ------------------------------------------------------------------------------

def nodes():
    """{function: node} of the linker's script, and its nodes in their order."""
    parts = re.findall(r'^(FRAMEBUS_[\d.]+) \{\n(.*?)^\}', MAP.read_text(), re.MULTILINE | re.DOTALL)
    return {name: node for node, body in parts for name in re.findall(r'^ +(framebus_\w+);$', body, re.MULTILINE)}, \
        [node for node, _ in parts]


def declared():
    return set(re.findall(r'^FRAMEBUS_API [^;(]*?\b(framebus_\w+)\(', HEADER.read_text(), re.MULTILINE))


def test_each_function_of_the_header_has_a_symbol_version():
    of_map, order = nodes()
    assert declared() and order
    forgotten, gone = sorted(declared() - of_map.keys()), sorted(of_map.keys() - declared())
    assert not forgotten, f'lib/libframebus.map: add these functions of framebus.h to the node of the next release, which is ' \
        f'{order[-1]} if that is not released: {", ".join(forgotten)}'
    assert not gone, f'lib/libframebus.map names functions that framebus.h does not declare: {", ".join(gone)}'


def test_no_symbol_version_is_newer_than_the_release():
    _, order = nodes()
    numbers = [[int(part) for part in node.removeprefix('FRAMEBUS_').split('.')] for node in order]
    assert numbers == sorted(numbers)
    assert numbers[-1] <= [int(MAJOR), int(MINOR)]


def test_the_library_exports_these_and_nothing_else(build_dir):
    needs.programs('nm')
    library = build_dir / 'lib' / 'libframebus.so'
    if not library.exists():
        pytest.skip('no shared library was built')
    listed = subprocess.run(['nm', '--dynamic', '--defined-only', library], capture_output=True, text=True, check=True).stdout
    symbols = {line.split()[2] for line in listed.splitlines() if line.split()[1] != 'A'}
    assert symbols == {f'{name}@@{node}' for name, node in nodes()[0].items()}
