# SPDX-License-Identifier: MIT
"""The shapes of the protocol in litmus/, by herd7: in C11 (repaired: RC11), and as compilers translate it for machines
with weak memory. Unlike memory.h this allows ordered accesses in any order that C11 does, and machines what they do.

Debian has herd7 in herdtools7, from forky on. By hand: herd7 -model rc11.cat litmus/claim.litmus
"""
import pathlib
import re
import shutil
import subprocess

import pytest

if not shutil.which('herd7'):
    pytest.skip('no herd7', allow_module_level=True)

HERE = pathlib.Path(__file__).resolve().parent / 'litmus'

WEAKER = [  # file, the line with this, an order that is too weak there
    ('claim', 'W2', 'release'),
    ('claim', 'w3 =', 'acquire'),
    ('claim', 'r3 =', 'acq_rel'),
    ('claim', 'r4 =', 'acquire'),
    ('take', 'P1', 'relaxed'),
    ('take', 'r1 =', 'relaxed'),
    ('sleep', 'P1', 'release'),
    ('sleep', 'p2 =', 'acquire'),
    ('sleep', 'S1', 'release'),
    ('sleep', 's2 =', 'acquire'),
    ('release', 'r6 =', 'acq_rel'),
    ('release', 'p2 =', 'acquire'),
    ('release', 'S1', 'release'),
    ('release', 's2 =', 'acquire'),
    ('history', 'W6', 'release'),
    ('history', 'w1 =', 'acquire'),
    ('history', 'r6 =', 'acq_rel'),
    ('history', 'r1 =', 'acquire'),
    ('held', 'unref =', 'acquire'),
    ('held', 'room =', 'relaxed'),
]
STRONGER_THAN_NEEDED = [  # here; what else needs them is in test_order.py
    ('take', 'W5', 'relaxed'),
    ('take', 'r4 =', 'relaxed'),
    ('take', 'P1', 'release'),
    ('take', 'r1 =', 'acquire'),
]
WEAKER_MACHINE = [  # file, instructions, what compilers make of less than is needed
    ('claim-aarch64', 'LDAR W3', 'LDAPR W3'),
    ('claim-aarch64', 'LDAR W4', 'LDAPR W4'),
    ('claim-ppc', ' sync         | stwcx', '              | stwcx'),
    ('claim-ppc', '| sync            ;\n              | lwz', '|                 ;\n              | lwz'),
    ('claim-riscv', ' fence rw,rw  |', '              |'),
    ('sleep-aarch64', 'LDAR W3', 'LDAPR W3'),
    ('sleep-aarch64', 'LDAR W4', 'LDAPR W4'),
    ('sleep-ppc', ' sync         | sync         ;\n lwz', ' sync         |              ;\n lwz'),
    ('sleep-riscv', '| fence rw,rw ', '|             '),
    ('again-aarch64', 'LDCLRAL', 'LDCLRA'),
    ('held-aarch64', 'LDAR W4,[X2]', 'LDR W4,[X2]'),
]


def observation(text, directory):
    """Never: what must not be is not possible. Sometimes: it is."""
    path = directory / 'x.litmus'
    path.write_text(text)
    model = ['-model', 'rc11.cat'] if text.startswith('C ') else []
    out = subprocess.run(['herd7', *model, path], capture_output=True, text=True)
    found = re.search(r'^Observation \S+ (\w+)', out.stdout, re.M)
    assert found, out.stdout + out.stderr
    return found.group(1)


def load(name):
    return (HERE / f'{name}.litmus').read_text()


def with_order(name, mark, order):
    lines = load(name).split('\n')
    line, = [i for i, text in enumerate(lines) if mark in text and 'memory_order' in text]
    lines[line] = re.sub(r'memory_order_\w+', f'memory_order_{order}', lines[line])
    return '\n'.join(lines)


@pytest.mark.parametrize('name', sorted(path.stem for path in HERE.iterdir()))
def test_cannot_be(name, tmp_path):
    assert observation(load(name), tmp_path) == 'Never'


@pytest.mark.parametrize('name, mark, order', WEAKER)
def test_weaker_is_caught(name, mark, order, tmp_path):
    assert observation(with_order(name, mark, order), tmp_path) == 'Sometimes'


@pytest.mark.parametrize('name, mark, order', STRONGER_THAN_NEEDED)
def test_weaker_is_not_caught(name, mark, order, tmp_path):
    assert observation(with_order(name, mark, order), tmp_path) == 'Never'


@pytest.mark.parametrize('name, instructions, weaker', WEAKER_MACHINE)
def test_weaker_is_caught_on_the_machine(name, instructions, weaker, tmp_path):
    assert load(name).count(instructions) == 1
    assert observation(load(name).replace(instructions, weaker), tmp_path) == 'Sometimes'
