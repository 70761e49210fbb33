# SPDX-License-Identifier: MIT
"""The commands of the documents, and who runs them.

A block fenced as ```sh is one or more commands, a block fenced as ```python is one program. A test takes what it runs
from here, never from a copy, and is marked with it:

    @pytest.mark.parametrize('command', documents.params('docs/using/tools.md'))
    def test_a_command_works_as_it_is_written(command): ...

    RECIPE = documents.commands('docs/using/recipes.md', 'Browser')

    @documents.runs('docs/using/recipes.md', RECIPE)
    def test_a_browser_shows_a_bus(): ...

recipes/test_documents.py collects the marks of all tests and fails if there is a command that nobody runs.
"""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHELL = ('sh', 'console')


def pages():
    """All documents of the tree, as paths below its top; not what was built."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob('*.md'))
    return sorted(str(path) for path in found if not re.match(r'build|\.', path.parts[0]))


def blocks(page):
    """All fenced blocks of a page, as (heading above it, language, code)."""
    heading = ''
    pattern = re.compile(r'^#+ ([^\n]+)$|^```([^\n]*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
    for match in pattern.finditer((ROOT / page).read_text()):
        if match[1]:
            heading = match[1]
        else:
            yield heading, match[2], match[3]


def split(language, code):
    """A program is one command; of a shell's block each line, without comments and with continued lines in one; of what
    stood on a console the lines that were typed."""
    if language == 'python':
        return [code]
    lines = code.replace('\\\n', ' ').splitlines()
    if language == 'console':
        lines = [line.removeprefix('$ ') for line in lines if line.startswith('$ ')]
    return [command for line in lines if (command := re.sub(r'(^|\s+)#( .*)?$', '', line).strip())]


def commands(page, heading=None, languages=SHELL):
    """The commands of a page, or of one section of it, in their order."""
    return [command for above, language, code in blocks(page) if language in languages and heading in (None, above)
            for command in split(language, code)]


def runs(page, some):
    """Marks a test as the one that runs these commands of a page."""
    return pytest.mark.runs(page, tuple(some))


def params(page, heading=None, languages=SHELL, wanted=lambda command: True):
    """The commands that are wanted as parameters of a test, which is marked as running them."""
    return [pytest.param(command, id=f'{command[:60]}'.strip(), marks=runs(page, [command]))
            for command in commands(page, heading, languages) if wanted(command)]
