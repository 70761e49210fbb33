# SPDX-License-Identifier: MIT
"""Programs that were compiled for the library run with this one: its binary interface is that of lib/libframebus.abi."""
import re

import abi
import pytest


@pytest.fixture(scope='module')
def library(build_dir):
    """The library, if it can be compared with the file at all."""
    if abi.missing():
        pytest.skip(abi.missing())
    path = build_dir / 'lib' / 'libframebus.so'
    if not path.exists():
        pytest.skip('no shared library was built')
    ours, theirs = abi.maker(path), abi.maker_of(abi.FILE)
    if ours != theirs:
        pytest.skip(f'lib/libframebus.abi is of a library by {theirs}, this one is by {ours or "nobody, without debug information"}')
    return path


@pytest.fixture
def now(library, tmp_path):
    path = tmp_path / 'now.abi'
    path.write_text(abi.describe(library))
    return path


def test_programs_for_the_library_need_not_be_compiled_again(now):
    difference = abi.difference(abi.FILE, now)
    assert not difference, abi.INCOMPATIBLE.format(difference=difference)


@pytest.mark.parametrize('pattern, other, word', [
    (r"<elf-symbol name='framebus_now'.*?/>", '', 'framebus_now'),
    (r"(<class-decl name='framebus_reader_options' size-in-bits=)'\d+'", r"\1'64000'", 'framebus_reader_options'),
    (r"<enumerator name='FRAMEBUS_MEMORY_SYSV' value='2'", "<enumerator name='FRAMEBUS_MEMORY_SYSV' value='3'",
     'FRAMEBUS_MEMORY_SYSV'),
    (r"(<function-decl name='framebus_format_row_bytes'.*?)<parameter.*?/>", r'\1', 'framebus_format_row_bytes'),
    (r"soname='libframebus.so.\d+'", "soname='libframebus.so.77'", '(?i)soname'),
])
def test_what_programs_do_not_survive_is_found(now, tmp_path, pattern, other, word):
    text, count = re.subn(pattern, other, now.read_text(), count=1, flags=re.DOTALL)
    assert count == 1
    changed = tmp_path / 'changed.abi'
    changed.write_text(text)
    assert re.search(word, abi.difference(now, changed))
    assert abi.difference(now, now) == ''


def test_a_function_that_is_not_described_yet_is_found(now, tmp_path):
    older = tmp_path / 'older.abi'
    older.write_text(re.sub(r"<elf-symbol name='framebus_now'.*?/>", '', now.read_text()))
    assert 'framebus_now' in abi.difference(older, now)
