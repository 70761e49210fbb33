# SPDX-License-Identifier: MIT
"""What is installed as docs/using/install.md says, below directories of the test's own.

home       a home directory with everything in .local, from a copy of the tree; `env` is its user's environment
"""
import pathlib
import shutil

import pytest
from pages import ROOT, blocks, run


@pytest.fixture(scope='session')
def tree(tmp_path_factory):
    """A copy of what is in the repository, to build in."""
    path = tmp_path_factory.mktemp('copy') / 'framebus'
    shutil.copytree(ROOT, path, symlinks=True,
                    ignore=lambda place, names: [name for name in names if pathlib.Path(place) == ROOT
                                                 and (name.startswith('build') or name == '.git')])
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope='session')
def home(tree, tmp_path_factory):
    path = tmp_path_factory.mktemp('home')
    install, _ = blocks('docs/using/install.md', 'For yourself')
    run('bash', '-ec', install, cwd=tree, env={'HOME': str(path), 'PATH': '/usr/bin:/bin'})
    return path


@pytest.fixture
def env(home, bus_dir):
    """What a shell of that user has, and nothing of the build under test."""
    _, exports = blocks('docs/using/install.md', 'For yourself')
    plain = {'HOME': str(home), 'PATH': '/usr/bin:/bin', 'FRAMEBUS_DIR': str(bus_dir), 'LANG': 'C.UTF-8',
             'PYTHONDONTWRITEBYTECODE': '1'}
    lines = run('bash', '-ec', f'{exports}\nenv -0', env=plain).split('\0')
    return {key: value for key, _, value in (line.partition('=') for line in lines) if key}
