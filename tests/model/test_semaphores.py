# SPDX-License-Identifier: MIT
"""No wake-up is lost, neither of `filled` nor of `free`; see semaphores.pml."""
import models
import pytest

pytestmark = models.needs_spin

BREAKS = ('P1_RELAXED', 'S1_RELAXED', 'P2_ACQUIRE', 'S2_ACQUIRE', 'P2_EARLY', 'NO_S2', 'ONE_SLEEP', 'RUNG_LATE')


@pytest.mark.parametrize('flags', [
    'FILLED POSTS=4',
    'FILLED TIMEOUT',
    'FILLED TIMEOUT DIES',
    'FILLED LOOKS=2 TIMEOUT',
    'FILLED LOOKS=2 DIES',
    'LEVEL POSTS=6',
    'LEVEL POSTS=4 DIES',
    'FREE',
    'FREE DIES',
    'FREE POSTERS=2 POSTS=1 DIES',
    'FREE SLEEPERS=2 POSTS=2',
    'FREE SLEEPERS=2 POSTS=2 DIES',
])
def test_holds(flags, tmp_path):
    models.check('semaphores', flags, tmp_path)


@pytest.mark.parametrize('flags', [f'{way} {error}' for way in ('FILLED', 'FREE') for error in BREAKS] +
                         ['FREE SLEEPERS=2 NO_BROADCAST', 'FILLED LOOKS=2 SLEEPS_ON'] +
                         [f'LEVEL POSTS=6 {error}' for error in ('EVEN', 'DRAIN_LATE', 'DRAIN_ALWAYS', 'NO_RING', *BREAKS)])
def test_break_is_caught(flags, tmp_path):
    models.catch('semaphores', flags, tmp_path)
