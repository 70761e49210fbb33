# SPDX-License-Identifier: MIT
"""What a test needs and a machine may lack: then the test is skipped, and says why."""
import functools
import re
import shutil
import subprocess

import pytest


def programs(*names):
    for name in names:
        if not shutil.which(name):
            pytest.skip(f'there is no {name}')


@functools.cache
def known_elements():
    programs('gst-inspect-1.0')
    listed = subprocess.run(['gst-inspect-1.0'], capture_output=True, text=True).stdout
    return set(re.findall(r'^\S+:  (\S+): ', listed, re.MULTILINE))


def elements(*names):
    for name in names:
        if name not in known_elements():
            pytest.skip(f'there is no {name}')


def elements_of(description):
    """The elements of a pipeline's description, but for ours: without those a test fails."""
    return [word for word in description.split()
            if re.fullmatch('[a-z][a-z0-9_-]*', word) and not word.startswith('framebus')]
