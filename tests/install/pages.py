# SPDX-License-Identifier: MIT
"""What the pages say is to be typed, and how to run it."""
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


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
    part = (ROOT / page).read_text().partition(f'\n## {heading}\n')[2].partition('\n## ')[0]
    return re.findall(r'^```sh\n(.*?)^```', part, re.MULTILINE | re.DOTALL)


def commands(page, heading):
    return [line for block in blocks(page, heading) for line in block.splitlines()]


def files_below(directory):
    return sorted(path.relative_to(directory) for path in directory.rglob('*')
                  if not path.is_dir() or path.is_symlink())
