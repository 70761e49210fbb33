# SPDX-License-Identifier: MIT
"""The reference of the interface in C and C++: everything public is in it, with words, and what lacks them is an error."""
import pathlib
import re
import subprocess
import xml.etree.ElementTree

import pytest

HEADER = pathlib.Path(__file__).resolve().parents[2] / 'lib' / 'include' / 'framebus.h'


@pytest.fixture
def reference(build_dir):
    path = build_dir / 'docs' / 'api'
    return path if (path / 'html').is_dir() else pytest.skip('it was not built: there is no Doxygen')


def entries(reference):
    """{name of a function or enumeration: (file, anchor)}, and names of structs, as the tag file lists them."""
    root = xml.etree.ElementTree.parse(reference / 'framebus.tag')
    members = {member.findtext('name'): (member.findtext('anchorfile'), member.findtext('anchor'))
               for member in root.iter('member') if member.get('kind') in ('function', 'enumeration')}
    structs = {compound.findtext('name'): compound.findtext('filename') for compound in root.iter('compound')
               if compound.get('kind') == 'struct'}
    return members, structs


def test_every_function_and_enumeration_has_its_place_and_words(reference):
    text = HEADER.read_text()
    functions = re.findall(r'^FRAMEBUS_API [^;(]*?\b(framebus_\w+)\(', text, re.MULTILINE)
    enumerations = re.findall(r'^enum (framebus_\w+) \{', text, re.MULTILINE)
    assert len(functions) == text.count('\nFRAMEBUS_API ') > 40
    members, _ = entries(reference)
    for name in functions + enumerations:
        file, anchor = members[name]
        page = (reference / 'html' / file).read_text()
        own = page.partition(f'<a id="{anchor}"')[2].partition('<div class="memdoc">')[2].partition('</div>')[0]
        assert len(re.sub(r'<.*?>', '', own).split()) > 3, name


def test_every_struct_has_its_page(reference):
    _, structs = entries(reference)
    named = re.findall(r'^struct (framebus_\w+) \{', HEADER.read_text(), re.MULTILINE)
    assert set(named) <= structs.keys()
    assert all((reference / 'html' / structs[name]).exists() for name in named)


@pytest.mark.parametrize('header, mark, stranger', [
    ('framebus.h', '/** Lists all buses', 'FRAMEBUS_API int framebus_nonsense(void);'),
    ('framebus.h', '/** Lists all buses', 'struct framebus_nonsense { int a; };'),
    ('framebus.h', '/** Lists all buses', '/** As framebus_nonsense(), see \\ref nowhere. */\nFRAMEBUS_API int framebus_more(void);'),
    ('framebus.hpp', '/** Lists all buses', 'inline int nonsense() { return 0; }'),
    ('framebus.hpp', '    /** Returns the pixels in a row', '    int nonsense() const;'),
    ('framebus/opencv.hpp', '/** Returns the same in new memory', 'cv::Mat nonsense(const frame &frame);'),
])
def test_what_is_not_described_is_an_error(reference, tmp_path, header, mark, stranger):
    text = (HEADER.parent / header).read_text()
    assert mark in text
    changed = tmp_path / pathlib.Path(header).name
    changed.write_text(text.replace(mark, f'{stranger}\n\n{mark}', 1))
    lines = (reference / 'Doxyfile').read_text()
    for key, value in (('INPUT', changed), ('OUTPUT_DIRECTORY', tmp_path),
                       ('GENERATE_TAGFILE', tmp_path / 'tag'), ('WARN_AS_ERROR', 'FAIL_ON_WARNINGS')):
        lines = re.sub(rf'^{key} = .*$', f'{key} = {value}', lines, flags=re.MULTILINE)
    (tmp_path / 'Doxyfile').write_text(lines)
    result = subprocess.run(['doxygen', tmp_path / 'Doxyfile'], capture_output=True, text=True, timeout=120)
    assert result.returncode != 0
    assert re.search('nonsense|nowhere', result.stderr)
