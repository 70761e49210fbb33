# SPDX-License-Identifier: MIT
"""The reference is that of this module, and says something of everything."""
import inspect
import pathlib
import re
import subprocess
import sys

import framebus
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / 'docs' / 'using' / 'python-reference.md'
PUBLIC = [name for name in framebus.__all__ if name != '__version__']


def section(name):
    return re.split(r'^##+ ', PAGE.read_text().split(f'\n### {name}\n')[1], flags=re.MULTILINE)[0]


def test_the_page_is_made_of_these_docstrings():
    made = subprocess.check_output([sys.executable, ROOT / 'python' / 'reference.py'], text=True)
    assert made == PAGE.read_text(), 'python3 python/reference.py >docs/using/python-reference.md'


@pytest.mark.parametrize('name', PUBLIC)
def test_everything_public_is_told_of(name):
    text, thing = section(name), getattr(framebus, name)
    assert thing.__doc__ and '|  |' not in text
    if not inspect.isclass(thing):
        return
    elsewhere = {member for base in (OSError, tuple, int) if issubclass(thing, base) for member in dir(base)}
    if name in ('CopiedFrame', 'WritableFrame'):
        elsewhere.update(dir(framebus.Frame))
    for member in set(dir(thing)) - elsewhere:
        assert member.startswith('_') or f'`{member}`' in text or f'`{member}(' in text, member
