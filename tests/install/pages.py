# SPDX-License-Identifier: MIT
"""How to run what the pages say is to be typed."""
import shutil
import subprocess

import documents
import pytest

ROOT = documents.ROOT


def run(*argv, **more):
    """What the command printed; it must not fail."""
    result = subprocess.run([str(arg) for arg in argv], **{
        'stdin': subprocess.DEVNULL, 'capture_output': True, 'text': True, 'timeout': 300, **more})
    assert result.returncode == 0, f'{argv}: {result.stdout[-3000:]}{result.stderr[-3000:]}'
    return result.stdout


def tool(name):
    return shutil.which(name) or pytest.skip(f'there is no {name}')


def blocks(page, heading):
    """The shell code below a heading of a page, as it is written."""
    return [code for above, language, code in documents.blocks(page) if (above, language) == (heading, 'sh')]


def files_below(directory):
    return sorted(path.relative_to(directory) for path in directory.rglob('*')
                  if not path.is_dir() or path.is_symlink())
