# SPDX-License-Identifier: MIT
"""What the source of the elements says in the form that hotdoc reads, compared with what the elements have; and the
habits of GStreamer's own elements."""
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = {path.name: path.read_text() for path in sorted((ROOT / 'gst-plugin').rglob('*.[ch]'))}
TYPES = {'framebussink': 'GstFramebusSink', 'framebussrc': 'GstFramebusSrc'}
PLAIN = {'framebussink': 'fakesink', 'framebussrc': 'fakesrc'}
GUIDE = (ROOT / 'docs' / 'using' / 'gstreamer.md').read_text()
MAN = (ROOT / 'docs' / 'man' / 'gst-framebus.7.scd').read_text()


def comments():
    """{what a comment is of: (its @names, its text without them, its Since)}"""
    found = {}
    for text in SOURCES.values():
        for block in re.findall(r'/\*\*\n(.*?)\*/', text, re.DOTALL):
            lines = [re.sub(r'^\s*\* ?', '', line) for line in block.splitlines()]
            name = re.fullmatch(r'(SECTION:\S+|[\w:-]+?):?', lines[0])[1]
            assert name not in found, f'{name} is described twice'
            names = [match[1] for line in lines if (match := re.match(r'@([\w-]+): \S', line))]
            rest = '\n'.join(lines[1:])
            body, _, since = rest.rpartition('\nSince: ')
            found[name] = names, re.sub(r'^@\w+:.*(\n +\S.*)*\n', '', body, flags=re.MULTILINE).strip(), since.strip()
    return found


COMMENTS = comments()


@pytest.fixture
def inspect(build_dir):
    if not (build_dir / 'gst-plugin' / 'libgstframebus.so').exists():
        pytest.skip('the plugin was not built')
    program = shutil.which('gst-inspect-1.0') or pytest.skip('there is no gst-inspect-1.0')
    return lambda name: subprocess.run([program, '--no-colors', name], capture_output=True, text=True, timeout=60,
                                       check=True).stdout


def properties(text):
    """{property: what gst-inspect-1.0 tells}"""
    own = text.partition('Element Properties:\n')[2].partition('\nElement Signals:')[0]
    return dict(re.findall(r'^  ([a-z-]+) +: (.*?)(?=^  [a-z-]+ +: |\Z)', own, re.MULTILINE | re.DOTALL))


def signals(text):
    return re.findall(r'^  "([a-z-]+)" :', text.partition('\nElement Signals:')[2].partition('\nElement Actions')[0],
                      re.MULTILINE)


def check(name):
    assert name in COMMENTS, f'{name} has no comment in the form of hotdoc; see gst-plugin/reference.h'
    names, text, since = COMMENTS[name]
    assert re.match(r'[A-Z`%#].*[.]$', text, re.DOTALL), f'{name}: no sentence: {text}'
    version = re.search(r"^  version: '(.*)'", (ROOT / 'meson.build').read_text(), re.MULTILINE)[1]
    assert re.fullmatch(r'\d+\.\d+', since), f'{name}: Since: {since}'
    assert tuple(map(int, since.split('.'))) <= tuple(map(int, version.split('.'))), f'{name}: Since: {since}'
    return names


# ---- The reference ---------------------------------------------------------------------------------

@pytest.mark.parametrize('element', TYPES)
def test_statistics_are_described_wherever_they_are(inspect, element):
    told = properties(inspect(element))['stats'].partition('"GstStructure"')[2]
    fields = re.findall(r'^ {20,}([a-z-]+): ', told, re.MULTILINE)
    assert len(fields) > 8
    places = {
        'reference.h': ' '.join(re.findall('`(.*?)`', COMMENTS[f'{TYPES[element]}:stats'][1])),
        'the guide': ' '.join(re.findall('`(.*?)`', re.search(r'^\| `stats` .*', GUIDE.partition(f'\n### {element}\n')[2],
                                                              re.MULTILINE)[0])),
        'the man page': re.search(r'^\*stats\* .*?(?=^\S|\Z)', MAN.partition(f'\n## {element}\n')[2],
                                  re.MULTILINE | re.DOTALL)[0],
    }
    for place, text in places.items():
        for field in set(fields) - {'average-rate', 'dropped', 'rendered'}:  # those are of every sink
            assert re.search(rf'(?<![\w-]){field}(?![\w-])', text), f'{place} has no {field} of {element}'


@pytest.mark.parametrize('element', TYPES)
def test_every_property_and_signal_is_described(inspect, element):
    text, kind = inspect(element), TYPES[element]
    own = {name: told for name, told in properties(text).items()
           if name not in properties(inspect(PLAIN[element])).keys() - {'stats'}}
    assert len(own) >= 9
    for name, told in own.items():
        assert check(f'{kind}:{name}') == []
        assert re.match(r'[A-Z].*[^.]\n', told), f'{name}: its line in gst-inspect-1.0 is no phrase: {told}'
    for name in signals(text):
        assert check(f'{kind}::{name}')
    described = {name for name in COMMENTS if name.startswith(f'{kind}:')}
    assert described == {f'{kind}:{name}' for name in own} | {f'{kind}::{name}' for name in signals(text)}


def test_every_enumeration_is_described_with_its_values(inspect):
    enumerations = {}
    for element in TYPES:
        for told in properties(inspect(element)).values():
            if match := re.search(r'Enum "(GstFramebus\w+)"', told):
                enumerations[match[1]] = re.findall(r'^ +\((\d+)\): ([\w-]+) +- ', told, re.MULTILINE)
    assert len(enumerations) >= 5
    for kind, values in enumerations.items():
        constants = check(kind)
        assert len(constants) == len(values)
        for constant, (_, nick) in zip(constants, values):
            assert constant.endswith(nick.upper().replace('-', '_')), (kind, constant, nick)
            assert any(f'{{{constant}, ' in text for text in SOURCES.values()), f'{kind} has no {constant}'


def test_sections_name_the_messages_that_are_posted():
    check('SECTION:element-framebussink')
    check('SECTION:element-framebussrc')
    assert COMMENTS['plugin-framebus'][2]
    code = ''.join(re.sub(r'/\*.*?\*/', '', text, flags=re.DOTALL) for text in SOURCES.values())
    posted = set(re.findall(r'"(framebus(?:sink|src|-reader)-[a-z-]+)"', code))
    told = set(re.findall(r'`(framebus(?:sink|src)?-[a-z-]+)`', ''.join(text for name, (_, text, _) in COMMENTS.items()
                                                                         if name.startswith('SECTION:'))))
    in_man = set(re.findall(r'\*(framebus(?:sink|src)?-[a-z-]+)\*', MAN.partition('# SIGNALS AND MESSAGES')[2]
                            .partition('\n# ')[0]))
    assert posted == told == in_man


# ---- Habits ----------------------------------------------------------------------------------------

def test_debug_categories_are_those_that_are_told():
    categories = {name for text in SOURCES.values() for name in re.findall(r'CATEGORY_INIT\(\w+, "(\w+)"', text)}
    assert len(categories) >= 6
    in_man = MAN.partition('*GST_DEBUG*')[2].partition('\n*')[0]
    assert set(re.findall(r'\b(framebus\w*|default)(?= \(|, framebus)', in_man)) == categories
    in_guide = re.findall(r'^- (`.*?) \(', GUIDE.partition('The categories of GST_DEBUG')[2].partition('\n```')[0], re.MULTILINE)
    assert set(re.findall(r'`(\w+)`', ' '.join(in_guide))) == categories


def test_files_that_log_have_a_category():
    for name, text in SOURCES.items():
        if re.search(r'\bGST_(ERROR|WARNING|FIXME|INFO|DEBUG|LOG|TRACE)(_OBJECT)?\(', text):
            assert '#define GST_CAT_DEFAULT framebus_' in text, f'{name} logs to "default"'


def test_functions_of_classes_have_names_in_logs():
    """All but those of GObject, as in GStreamer's own elements."""
    wrapped = 0
    for name, text in SOURCES.items():
        for body in re.findall(r'^static void gst_framebus_\w+_class_init\(.*?^}', text, re.MULTILINE | re.DOTALL):
            for receiver, value in re.findall(r'^    (\S.*?)->\w+ = (.*?);', body, re.MULTILINE):
                if receiver not in ('object', 'G_OBJECT_CLASS(class)', 'GST_ALLOCATOR_CLASS(class)'):
                    assert value.startswith('GST_DEBUG_FUNCPTR('), f'{name}: {receiver}: {value}'
                    wrapped += 1
    assert wrapped > 25


def test_local_functions_have_the_prefix_of_an_object():
    for name, text in SOURCES.items():
        for function in re.findall(r'^static [^=;(]*?\b(\w+)\(', text, re.MULTILINE):
            assert '_' in function, f'{name}: {function}() says nothing in a debugger'


def test_plugin_and_elements_say_whose_they_are(inspect):
    [maintainer] = re.findall(r'^Maintainer: (.*)', (ROOT / 'packaging' / 'debian' / 'control').read_text(), re.MULTILINE)
    for name in TYPES:
        assert re.search(rf'^  Author +{re.escape(maintainer)}$', inspect(name), re.MULTILINE), name
    calls = re.findall(r'_set_static_metadata\(.*?\);', ''.join(SOURCES.values()), re.DOTALL)
    assert len(calls) == 3 and all('PLUGIN_AUTHORS' in call for call in calls)  # the third is the device provider's
    plugin = inspect('framebus')
    assert re.search(r'^  Origin URL +https://\S+$', plugin, re.MULTILINE)
    assert all(call.endswith('"framebus", ORIGIN)') for text in SOURCES.values()
               for call in re.findall(r'GST_PLUGIN_DEFINE\(.*?\)(?=\n)', text, re.DOTALL))
    assert re.search(r'^  Binary package +framebus$', plugin, re.MULTILINE)
    assert re.search(r'^  Source module +framebus$', plugin, re.MULTILINE)
