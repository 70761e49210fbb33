# SPDX-License-Identifier: MIT
"""All man pages that are installed: whether man and mandoc take them, and what they say of programs and elements."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ELEMENTS = ROOT / 'docs' / 'man' / 'gst-framebus.7.scd'
GUIDE = ROOT / 'docs' / 'using' / 'gstreamer.md'
# What scdoc itself makes of every page; harmless.
HABITS = re.compile('skipping paragraph macro|cannot parse date, using it verbatim: TH 20..(\\\\-..){2}$')


def tool(name):
    return shutil.which(name) or pytest.skip(f'there is no {name}')


@pytest.fixture
def installed(build_dir):
    """Where files of the build go: {place after installing: place in the build}."""
    files = json.loads((build_dir / 'meson-info' / 'intro-installed.json').read_text())
    return {pathlib.Path(there): pathlib.Path(here) for here, there in files.items()}


@pytest.fixture
def pages(installed):
    found = {there.name: here for there, here in installed.items()
             if there.parent.parent.name == 'man' and here.exists()}  # links to a page are none
    return found or pytest.skip('no man pages were built: there is no scdoc')


# ---- All pages -------------------------------------------------------------------------------------

def test_every_program_and_format_has_a_page(installed, pages):
    programs = {there.name for there in installed if there.parent.name == 'bin'}
    assert programs >= {'framebus'}
    assert {f'{name}.1' for name in programs} | {'fbr.5', 'framebus.7'} <= pages.keys()


def test_man_has_nothing_to_complain_about(pages):
    for path in pages.values():
        result = subprocess.run([tool('man'), '--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', path],
                                env={**os.environ, 'LC_ALL': 'C.UTF-8', 'MANROFFSEQ': '', 'MANWIDTH': '80'},
                                capture_output=True, text=True, timeout=60)
        said = [line for line in result.stderr.splitlines() if 'cannot adjust line' not in line]  # a table's narrow cell
        assert (result.returncode, said) == (0, []), path


def test_mandoc_has_nothing_to_complain_about(pages):
    result = subprocess.run([tool('mandoc'), '-T', 'lint', '-W', 'warning', *pages.values()], capture_output=True,
                            text=True, timeout=60)
    assert [line for line in result.stdout.splitlines() if not HABITS.search(line)] == []


def test_pages_have_the_name_and_section_of_their_file(pages):
    for file, path in pages.items():
        name, section = file.rsplit('.', 1)
        text = path.read_text()
        assert f'\n.TH "{name}" "{section}"' in text.replace('\\-', '-'), file
        assert '.SH NAME' in text and '.SH DESCRIPTION' in text and '.SH SEE ALSO' in text


def test_pages_refer_to_pages_that_exist(pages):
    elsewhere = {'gst-launch-1.0.1', 'gst-inspect-1.0.1', 'pkg-config.1', 'systemd.1', 'systemd-tmpfiles.8',
                 'memfd_create.2', 'mlock.2', 'unix.7'}
    for file, path in pages.items():
        named = {f'{name}.{section}' for name, section in
                 re.findall(r'\\fB([\w.-]+)\\fR\((\d)\)', path.read_text().replace('\\-', '-').replace('\\&', ''))}
        assert named - elsewhere <= pages.keys(), file


# ---- Programs --------------------------------------------------------------------------------------

def ask(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30, check=True).stdout


def test_pages_of_programs_and_commands_have_all_that_their_help_has(installed, pages):
    """The pages are made of the source of the help, by docs/man/from-usage.py."""
    programs = {there.name: here for there, here in installed.items() if there.parent.name == 'bin'}
    helps = {name: ask(path, '--help') for name, path in programs.items()}
    commands = re.findall(r'^  (\w+)', helps['framebus'].partition('Commands:')[2].partition('\n\n')[0], re.MULTILINE)
    assert len(commands) > 10
    helps |= {f'framebus-{name}': ask(programs['framebus'], name, '--help') for name in commands if name != 'help'}
    for name, told in helps.items():
        page = re.sub(r'\\(?:f.|&)', '', pages[f'{name}.1'].read_text()).replace('\\-', '-')
        options = re.findall(r'^  (?:    |-., )(--\S*)', told, re.MULTILINE)
        assert options[-1] in ('--help', '--version')
        for option in options:
            assert re.search(rf'^(-., )?{re.escape(option)}', page, re.MULTILINE), f'{name}: {option}'


# ---- The elements ----------------------------------------------------------------------------------

def inspect(element):
    """{property: what gst-inspect-1.0 tells}"""
    text = subprocess.run([tool('gst-inspect-1.0'), element], capture_output=True, text=True, timeout=60,
                          check=True).stdout
    text = text.partition('Element Properties:\n')[2].partition('\nElement Signals:')[0]
    return {name: rest for name, rest in re.findall(r'^  ([a-z-]+) +: (.*?)(?=^  [a-z-]+ +: |\Z)', text,
                                                    re.MULTILINE | re.DOTALL)}


def terms(name, told):
    """What the page has in parentheses: range or values, default, when it may be changed."""
    if 'writable' not in told:
        return 'read'
    when = 'P' if 'PLAYING' in told else 'R'
    if re.search(r'^ +Enum ', told, re.MULTILINE):
        values = re.findall(r'^ +\(\d+\): ([\w-]+)', told, re.MULTILINE)
        return f'{", ".join(values)}; default {re.search(r"Default: .*?, .([a-z-]+).", told)[1]}; {when}'
    if 'String.' in told:
        return f'text; {when}'
    default = re.search(r'Default: (\S+)', told)[1]
    limits = re.search(r'Range: (\S+) - (\S+)', told)
    if not limits:
        return f'default {default}; {when}'
    low, high = map(int, limits.groups())
    if name == 'access-mode':
        return f'{low} to {high:#05o}; default {int(default):#05o}; {when}'.replace('0o', '0')
    return f'{low} {"or more" if high >= 2**63 - 1 else f"to {high}"}; default {default}; {when}'


@pytest.mark.parametrize('element, plain', [('framebussink', 'fakesink'), ('framebussrc', 'fakesrc')])
def test_pages_have_the_properties_of_the_elements_with_ranges_and_defaults(build_dir, element, plain):
    if not (build_dir / 'gst-plugin' / 'libgstframebus.so').exists():
        pytest.skip('the plugin was not built')
    of_all = inspect(plain).keys() - {'stats', 'is-live'}  # which have a meaning of their own here
    own = {name: terms(name, told) for name, told in inspect(element).items() if name not in of_all}
    section = ELEMENTS.read_text().partition(f'\n## {element}\n')[2].partition('\n#')[0]
    assert dict(re.findall(r'^\*([a-z-]+)\* \((.*)\)$', section, re.MULTILINE)) == own

    table = GUIDE.read_text().partition(f'\n### {element}\n')[2].partition('\n\n#')[0]
    rows = dict((name, (default.strip('` '), when.strip())) for name, default, when in
                re.findall(r'^\| `([a-z-]+)` \|([^|]*)\|([^|]*)\|', table, re.MULTILINE) if name in own or name != 'sync')
    assert rows.keys() == own.keys()
    for name, (default, when) in rows.items():
        assert own[name].endswith(when)
        if 'default' in own[name]:
            number = {'1 s': '1000000000'}.get(default, default)
            assert own[name].split('default ')[1].startswith(f'{number};'), name
