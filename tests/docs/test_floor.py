# SPDX-License-Identifier: MIT
"""The oldest GStreamer that is promised: the same everywhere, and nothing newer is used without a look at the version.

What GStreamer says of each function, type and constant (since when it has been there) is in the .gir files of its
development packages."""
import functools
import pathlib
import re
import xml.etree.ElementTree

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GIRS = pathlib.Path('/usr/share/gir-1.0')
GI, C = '{http://www.gtk.org/introspection/core/1.0}', '{http://www.gtk.org/introspection/c/1.0}'
TYPES = [GI + tag for tag in ('alias', 'bitfield', 'callback', 'class', 'enumeration', 'interface', 'record', 'union')]
BUILT_WITH_IT = ('gst-plugin', 'gateway', 'tools')  # and promised to work with the oldest
CHECK = re.compile(r'(!?)\s*GST_CHECK_VERSION\((\d+), (\d+), \d+\)')


def version(text):
    return tuple(map(int, text.split('.')[:2]))


FLOOR = version(re.search(r">= ([\d.]+)'", (ROOT / 'gst-plugin' / 'meson.build').read_text())[1])
ANALYTICS = version(re.search(r"'gstreamer-analytics-1.0', version: '>= ([\d.]+)'",
                              (ROOT / 'gst-plugin' / 'meson.build').read_text())[1])  # for a plugin of its own
NAME = '.'.join(map(str, FLOOR))


@functools.cache
def since():
    """{name in C: the version that brought it}"""
    found = {}

    def collect(element, inherited):
        own = element.get('version', inherited)
        name = element.get(f'{C}identifier') or (element.get(f'{C}type') if element.tag in TYPES else None)
        if name and own:
            found[name] = version(own)
        for child in element:
            collect(child, own)

    files = sorted(GIRS.glob('Gst*-1.0.gir'))
    if not any(file.name == 'Gst-1.0.gir' for file in files):
        pytest.skip(f'there is no {GIRS}/Gst-1.0.gir')
    for file in files:
        for entry in xml.etree.ElementTree.parse(file).getroot().find(f'{GI}namespace'):
            collect(entry, None)
    return found


def uses(text, floor=FLOOR):
    """(a name of GStreamer, the version that is sure to be there, its line) for each name in a C file"""
    text = re.sub(r'/\*.*?\*/', lambda comment: '\n' * comment[0].count('\n'), text, flags=re.DOTALL)
    sure = [floor]
    for number, line in enumerate(re.sub(r'"(\\.|[^"\\])*"', '""', text).splitlines(), 1):
        if directive := re.match(r'\s*#\s*(if|ifdef|ifndef|elif|else|endif)\b(.*)', line):
            word, condition = directive.groups()
            check = CHECK.search(condition)
            asked = (int(check[2]), int(check[3])) if check else FLOOR
            if word in ('elif', 'else', 'endif'):
                was_not = getattr(sure.pop(), 'otherwise', FLOOR)
            if word == 'else':
                sure.append(was_not)
            elif word != 'endif':
                sure.append(Sure(*((FLOOR, asked) if check and check[1] else (asked, FLOOR))))
            continue
        for name in re.findall(r'\b(?:gst|GST|Gst)\w+', line):
            yield name, max(map(tuple, sure)), number


class Sure(tuple):
    """A version, and the one that is sure in the #else."""

    def __new__(cls, then, otherwise):
        made = super().__new__(cls, then)
        made.otherwise = otherwise
        return made


def test_every_name_of_gstreamer_is_old_enough_or_asked_for():
    known, seen, late = since(), set(), []
    for folder in BUILT_WITH_IT:
        for path in sorted((ROOT / folder).rglob('*.[ch]')):
            for name, sure, number in uses(path.read_text(), ANALYTICS if path.parent.name == 'analytics' else FLOOR):
                seen.add(name)
                if known.get(name, (0, 0)) > sure:
                    late.append(f'{path.relative_to(ROOT)}:{number}: {name} is of {".".join(map(str, known[name]))}')
    assert len(seen & known.keys()) > 30, 'the .gir files say nothing of what is used'
    assert not late, f'not in GStreamer {NAME}; ask by GST_CHECK_VERSION:\n' + '\n'.join(late)


@pytest.mark.parametrize('lines, late', [
    ('gst_element_get_current_clock_time(e);', False),
    ('gst_video_info_dma_drm_from_caps(&d, c);', True),
    ('#if GST_CHECK_VERSION(1, 24, 0)\ngst_video_info_dma_drm_from_caps(&d, c);\n#endif', False),
    ('#if GST_CHECK_VERSION(1, 22, 0)\ngst_video_info_dma_drm_from_caps(&d, c);\n#endif', True),
    ('#if GST_CHECK_VERSION(1, 24, 0)\n#else\ngst_video_info_dma_drm_from_caps(&d, c);\n#endif', True),
    ('#if !GST_CHECK_VERSION(1, 24, 0)\n#else\ngst_video_info_dma_drm_from_caps(&d, c);\n#endif', False),
    ('/* gst_video_info_dma_drm_from_caps() */', False),
])
def test_names_are_told_from_those_that_are_asked_for(lines, late):
    newer = {'gst_video_info_dma_drm_from_caps': (1, 24)}
    assert any(newer.get(name, (0, 0)) > sure for name, sure, _ in uses(lines)) == late


def test_the_oldest_is_the_same_everywhere():
    named = []
    for path in ROOT.rglob('meson.build'):
        if not path.relative_to(ROOT).parts[0].startswith('build'):
            named += re.findall(r"dependency\((?:name|'gst(?!reamer-analytics)[^']*'), version: '>= ([\d.]+)'", path.read_text())
    assert len(named) >= 5 and set(named) == {NAME}
    for page, pattern in (('README.md', r'GStreamer ([\d.]+) or newer'), ('NEWS', r'GStreamer ([\d.]+) and newer'),
                          ('docs/using/gstreamer.md', r'GStreamer ([\d.]+) or newer'),
                          ('meson_options.txt', r'GStreamer >= ([\d.]+)')):
        assert NAME in re.findall(pattern, (ROOT / page).read_text()), f'{page} does not promise GStreamer {NAME}'
