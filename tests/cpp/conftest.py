# SPDX-License-Identifier: MIT
"""Compilers for C++, each with each standard: a test that calls compile_with() is run for all of them. The quick tests make do
with one pair: it takes seconds."""
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WARNINGS = '-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast -Werror'.split()
SPELLED = {'c++23': 'c++2b'}  # by compilers that were made before it was finished


def slow(*names):
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.fixture(params=['g++', *slow('clang++')])
def compiler(request):
    return request.param if shutil.which(request.param) else pytest.skip(f'there is no {request.param}')


@pytest.fixture(params=['c++17', *slow('c++20', 'c++23')])
def compile_with(request, compiler):
    """Fails if there is a warning: compile_with(source, ..., '-Dthis')."""
    command = [compiler, f'-std={SPELLED.get(request.param, request.param)}', '-fsyntax-only']
    if subprocess.run([*command, '-x', 'c++', '/dev/null'], capture_output=True).returncode:
        pytest.skip(f'this {compiler} does not know {request.param}')

    def run(*arguments):
        done = subprocess.run([*command, *WARNINGS, '-I', ROOT / 'lib' / 'include', *arguments], capture_output=True,
                              text=True, timeout=120)
        assert done.returncode == 0, done.stderr[:4000]
    return run
