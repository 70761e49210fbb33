# SPDX-License-Identifier: MIT
"""What README.md and tests/README.md say about building by hand, in a copy of the tree."""
import shutil
import subprocess

import documents
import pytest

BUILD = documents.commands('README.md', 'Build and test by hand')[:1]
ONE_TEST = [command for command in documents.commands('tests/README.md', 'One test') if '--suite' not in command]

pytestmark = pytest.mark.slow


@documents.runs('README.md', BUILD)
@documents.runs('tests/README.md', ONE_TEST)
def test_the_commands_work_one_after_the_other(tmp_path, monkeypatch):
    for program in ('meson', 'ninja', 'pytest-3'):
        if not shutil.which(program):
            pytest.skip(f'there is no {program}')
    tree = tmp_path / 'framebus'
    shutil.copytree(documents.ROOT, tree, ignore=shutil.ignore_patterns('build*', '.git', '__pycache__'))
    for name in ('FRAMEBUS_BUILD', 'FRAMEBUS_RESULTS', 'FRAMEBUS_DIR', 'GST_PLUGIN_PATH', 'GST_REGISTRY', 'MESON_TEST_ITERATION'):
        monkeypatch.delenv(name, raising=False)
    for command in BUILD + ONE_TEST:
        done = subprocess.run(['bash', '-c', command], cwd=tree, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=600)
        assert done.returncode == 0, f'{command}: {done.stdout[-4000:]}{done.stderr[-4000:]}'
        if '--list' in command:
            assert 'process-hostile-pool' in done.stdout
        elif 'hostile-pool' in command or 'pytest' in command:
            assert 'ok' in done.stdout.lower() or 'passed' in done.stdout
