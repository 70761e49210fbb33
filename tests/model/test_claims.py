# SPDX-License-Identifier: MIT
"""No reader owns a slot that is being written, and the writer finds one; see claims.pml."""
import models
import pytest

pytestmark = models.needs_spin


@pytest.mark.parametrize('flags', [
    'FRAMES=6',
    'QUOTA=2 KILLS=1 FRAMES=3',
    'QUOTA=2 FRAMES=4 WRITER_DIES',
    'LENDS=2 FRAMES=4 WRITER_DIES',
    'QUOTA=2 BITS=2 KILLS=1',
    'QUOTA=3 FRAMES=5',
    'HISTORY=2 QUOTA=2 FRAMES=5',
    'LENDS=2 QUOTA=2 FRAMES=6',
    'READERS=2 FRAMES=3',
    'READERS=2 FRAMES=2 KILLS=1',
    'HOSTILE FRAMES=3',
    'HOSTILE BITS=2',
    'HOSTILE READERS=2 FRAMES=1',
])
def test_holds(flags, tmp_path):
    models.check('claims', flags, tmp_path)


@pytest.mark.parametrize('flags', [
    'NO_W3',
    'NO_R4',
    'W2_LATE',
    'R3_LATE',
    'W6_EARLY',
    'LATE_FRAME',
    'NO_HISTORY',
    'KILLS=1 NO_REAP',
    'QUOTA=2 UNCOUNTED_TRY',
    'HOSTILE NO_EXPEL',
    'HOSTILE COUNT_EXPELLED',
    'SLOTS=2',
    'QUOTA=2 SLOTS=3',
    'LENDS=2 SLOTS=3',
])
def test_break_is_caught(flags, tmp_path):
    models.catch('claims', flags, tmp_path)
