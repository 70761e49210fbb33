# SPDX-License-Identifier: MIT
"""Runs spin's checker on a model of this directory: check(model, flags) must hold, catch(model, flags) must not.

claims.pml      the claim protocol of lib/shared/slots.c
semaphores.pml  sleeping and waking of lib/shared/semaphore.h
pools.pml       one pool after the other, END, lossless delivery

Each model's head says what is in it, what is checked and how it can be broken. By hand, with the macros that the
test names: spin -a -DQUOTA=2 claims.pml && gcc -O2 -DSAFETY -DNOREDUCE -o pan pan.c && ./pan; and if that finds
an error: spin -t -p -g -DQUOTA=2 claims.pml
"""
import pathlib
import re
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
LIMIT_MB = 3000

needs_spin = pytest.mark.skipif(not shutil.which('spin') or not shutil.which('gcc'), reason='no spin, or no gcc')


def run(model, flags, directory, optimisation):
    """The number of states, and what was violated ('' if nothing)."""
    defines = [f'-D{flag}' for flag in flags.split()]
    subprocess.run(['spin', '-a', *defines, str(HERE / f'{model}.pml')], cwd=directory, check=True,
                   stdout=subprocess.DEVNULL)
    # Without partial-order reduction: spin's does not promise to be right about `unless`, with which processes die.
    subprocess.run(['gcc', optimisation, '-w', '-DSAFETY', '-DNOREDUCE', f'-DMEMLIM={LIMIT_MB}', '-o', 'pan', 'pan.c'],
                   cwd=directory, check=True)
    out = subprocess.run(['./pan', '-m100000', '-w22'], cwd=directory, stdout=subprocess.PIPE, text=True).stdout
    states = re.search(r'^ *(\d+) states, stored', out, re.M)
    errors = re.search(r'errors: (\d+)', out)
    assert states and errors and 'Search not completed' not in out.partition('errors:')[0] or violation(out), out
    assert 'max search depth too small' not in out, out
    return int(states.group(1)), violation(out)


def violation(out):
    found = re.search(r'^pan:\d+: (assertion violated.*|invalid end state).*\(at depth', out, re.M)
    return found.group(1) if found else ''


def check(model, flags, directory):
    states, error = run(model, flags, directory, '-O2')
    print(f'# figure: model {model} {flags}: {states} states, holds')
    assert not error, f'{model} {flags}: {error}'


def catch(model, flags, directory):
    states, error = run(model, flags, directory, '-O0')
    print(f'# {model} {flags}: caught after {states} states: {error}')
    assert error, f'{model} {flags}: the break was not noticed in {states} states'
