# SPDX-License-Identifier: MIT
"""Every command of every document is run by a test as it is written, or stands in a list here that says why not. Every
link of a document to a file of the tree, or to a heading, has its target."""
import json
import os
import re
import subprocess
import sys

import documents
import pytest

TESTS = documents.ROOT / 'tests'
RUN_BY_HAND = 'is what runs this test'
IN_THE_GUEST = 'needs a device; run in a virtual machine, with names of its own, by '
ELSEWHERE = [  # page, what its command begins with, why no test runs it
    ('README.md', 'tests/run.sh', RUN_BY_HAND),
    ('CONTRIBUTING.md', 'tests/run.sh', RUN_BY_HAND),
    ('docs/inside/performance.md', 'bench/run.sh', 'takes 25 minutes; tests/bench/test_bench.py runs each benchmark with --quick'),
    ('docs/using/devices.md', 'sudo usermod', 'changes who somebody is, at the next login'),
    ('docs/using/devices.md', 'sudo modprobe v4l2loopback', 'loads a kernel module; the guest of vm/run has it from its start'),
    ('docs/using/devices.md', 'gst-launch-1.0 framebussrc bus=cam0 ! v4l2sink', IN_THE_GUEST + 'vm/cases-webcam'),
    ('docs/using/devices.md', 'framebus camera --format', IN_THE_GUEST + 'vm/test-camera.c'),
    ('docs/using/devices.md', 'framebus display --frames', IN_THE_GUEST + 'vm/test-kms.c'),
    ('docs/using/devices.md', 'kill %1', IN_THE_GUEST + 'vm/test-camera.c'),
    ('tests/README.md', 'meson test -C build --suite process', 'would run all of this suite a second time'),
]
NO_COMMANDS = ('c', 'cpp', 'json', 'text', 'ini')  # languages of blocks that are nothing to run
OF_OURS = re.compile(r'^\s*(\$ |sudo |framebus|gst-|meson |ninja |examples/|tests/)', re.MULTILINE)

COLLECT = '''
import json, os, pytest, sys
marks = []
class Plugin:
    def pytest_collection_finish(self, session):
        for item in session.items:
            marks.extend([item.nodeid, *mark.args] for mark in item.iter_markers('runs'))
sys.stdout = sys.stderr
status = pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', *sys.argv[1:]], plugins=[Plugin()])
os.write(1, json.dumps(marks).encode())
sys.exit(status)
'''


@pytest.fixture(scope='module')
def marked():
    """(page, command) of every mark of any test: those that a page's test takes from it now."""
    files = [path for path in TESTS.rglob('test_*.py') if re.search('^import documents$', path.read_text(), re.MULTILINE)]
    found = set()
    for directory in {path.parent for path in files}:  # of one name there can be several modules, one in each
        inside = [path for path in files if path.parent == directory]
        done = subprocess.run([sys.executable, '-c', COLLECT, *inside], capture_output=True, text=True, cwd=TESTS,
                              timeout=120, env={**os.environ, 'FRAMEBUS_TESTS': 'soak'})  # also what is not run now
        assert done.returncode == 0, done.stderr
        found |= {(page, command) for _, page, some in json.loads(done.stdout) for command in some}
    return found


def excused(page, command):
    return any(page == where and command.startswith(what) for where, what, _ in ELSEWHERE)


@pytest.mark.parametrize('page', documents.pages())
def test_every_command_of_a_page_is_run(marked, page):
    nobody = [command for command in documents.commands(page, languages=(*documents.SHELL, 'python'))
              if (page, command) not in marked and not excused(page, command)]
    assert not nobody, f'{page}: no test runs this; tests/README.md, "Documents", says what to do:\n' + '\n'.join(nobody)


@pytest.mark.parametrize('page', documents.pages())
def test_no_command_hides_in_a_block_of_another_kind(page):
    for heading, language, code in documents.blocks(page):
        assert language in ('', *NO_COMMANDS, *documents.SHELL, 'python'), f'{page}, {heading}: a block of "{language}"'
        assert language not in ('', 'text') or not OF_OURS.search(code), \
            f'{page}, {heading}: commands in a block that is fenced neither as ```sh nor as ```console'


def test_nothing_is_excused_without_need(marked):
    for page, what, _ in ELSEWHERE:
        meant = [command for command in documents.commands(page) if command.startswith(what)]
        assert meant, f'{page} has no command that begins with {what}'
        assert not any((page, command) in marked for command in meant), f'{page}: a test runs {what} now'


def test_what_is_marked_is_in_the_page(marked):
    """A test that brings a command of its own runs something else."""
    for page, command in marked:
        assert command in documents.commands(page, languages=(*documents.SHELL, 'python')), f'{page} has no {command}'


def prose(page):
    return re.sub(r'^```.*?^```$', '', (documents.ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page):
    """What a link to a heading may have behind its #, as forges make it of the heading's text."""
    headings = re.findall(r'^#+ (.*)$', prose(page), re.MULTILINE)
    return {re.sub(r'[^\w -]', '', heading.lower()).replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('page', documents.pages())
def test_every_link_of_a_page_has_its_target(page):
    for link in re.findall(r'\]\((?!https?:)([^)\s]+)\)', prose(page)):
        file, _, anchor = link.partition('#')
        target = (documents.ROOT / page).parent / file if file else documents.ROOT / page
        assert target.exists(), f'{page}: there is no {file}'
        assert not anchor or anchor in anchors(target), f'{page}: {target.name} has no heading for #{anchor}'


@pytest.mark.parametrize('text, expected', [
    ('a b\nc\n', ['a b', 'c']), ('a \\\n    b # why\n', ['a      b']), ('# only words\n\na --b=#1\n', ['a --b=#1'])])
def test_a_block_is_split_into_its_commands(text, expected):
    assert documents.split('sh', text) == expected


def test_of_a_console_only_what_was_typed_is_a_command():
    assert documents.split('console', '$ a b # why\nit says c\n$ d\n') == ['a b', 'd']
